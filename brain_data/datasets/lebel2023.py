"""lebel2023: voxels of people who listened to stories, up to 84 of them (OpenNeuro ds003020)."""

from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import UserError
from ..card import DatasetCard
from ..published_recording import PublishedRecording, add_published, chosen

if TYPE_CHECKING:
    from ..imported import Imported
    from ..read_options import ReadOptions

_STORIES = (
    "adollshouse",
    "adventuresinsayingyes",
    "alternateithicatom",
    "avatar",
    "buck",
    "exorcism",
    "eyespy",
    "fromboyhoodtofatherhood",
    "hangtime",
    "haveyoumethimyet",
    "howtodraw",
    "inamoment",
    "itsabox",
    "legacy",
    "life",
    "myfirstdaywiththeyankees",
    "naked",
    "odetostepfather",
    "sloth",
    "souls",
    "stagefright",
    "swimmingwithastronauts",
    "thatthingonmyarm",
    "theclosetthatateeverything",
    "tildeath",
    "undertheinfluence",
    "wheretheressmoke",
)
"""The 26 stories and the test story that all eight people heard."""


@add_published
class LeBel2023(PublishedRecording):
    """LeBel 2023 (ds003020): derivative/preprocessed_data/UTS03/STORY.hf5 and TextGrids."""

    name = "lebel2023"
    takes = ("subject", "run", "events", "array", "stimuli")
    layout = "derivative/preprocessed_data/UTS03/STORY.hf5"
    card = DatasetCard(
        "lebel2023",
        "Stories of The Moth, heard by up to 8 people, 3 T fMRI (OpenNeuro ds003020)",
        modality="language",
        species="human",
        technique="fMRI",
        regions=("cortex",),
        n_subjects=8,
        license="CC0",
        source="https://openneuro.org/datasets/ds003020",
        units="BOLD, detrended and z-scored within story by the authors",
        blocks="story",
        options={
            "address": "https://s3.amazonaws.com/openneuro.org/ds003020/{name}",
            "subjects": tuple(f"UTS{number:02d}" for number in range(1, 9)),
        },
        bibtex="""@article{lebel2023,
  title = {A natural language {fMRI} dataset for voxelwise encoding models},
  author = {LeBel, Amanda and Wagner, Lauren and Jain, Shailee and Adhikari-Desai, Aneesh and Gupta, Bhavin and \
Morgenthal, Allyson and Tang, Jerry and Xu, Lixiang and Huth, Alexander G.},
  journal = {Scientific Data},
  volume = {10},
  pages = {555},
  year = {2023},
  doi = {10.1038/s41597-023-02437-z}
}""",
    )

    def recognizes(self, path: Path) -> bool:
        """A folder with ``derivative/preprocessed_data`` and a person's stories in it."""
        places = ("derivative", "derivatives", "")
        return any(any((path / one).glob("preprocessed_data/*/*.hf5")) for one in places)

    def read(self, path: Path, options: "ReadOptions") -> "Imported":
        """Several people's stories: see :func:`brodmann.brain_data.published.lebel2023.read`."""
        from ..published.lebel2023 import read

        return read(path, options, self.about())

    def wanted(self, options: "ReadOptions") -> list[str]:
        """Responses of the people asked for to the stories asked for, and what is said in these."""
        known = list(self.card.options["subjects"])
        if options.subject is None:
            raise UserError(
                f"say whose stories to download by --subject: {', '.join(known)} (about 3 GB each)"
            )
        subjects = chosen("subject", options.names("subject"), known, "subject")
        stories = options.names("run") or list(_STORIES)
        responses = [
            f"derivative/preprocessed_data/{one}/{story}.hf5" for one in subjects for story in stories
        ]
        grids = [f"derivative/TextGrids/{story}.TextGrid" for story in stories]
        return [*responses, *grids, "derivative/respdict.json"]
