"""narratives: people who listened to a story, their cortex in time (OpenNeuro ds002345)."""

from pathlib import Path
from typing import TYPE_CHECKING

from ..card import DatasetCard
from ..published_recording import PublishedRecording, add_published

if TYPE_CHECKING:
    from ..imported import Imported
    from ..read_options import ReadOptions


@add_published
class Narratives(PublishedRecording):
    """Narratives (ds002345): derivatives/afni-nosmooth/ on fsaverage6 and stimuli/gentle/."""

    name = "narratives"
    takes = ("task", "subject", "space", "events", "stimuli", "tr")
    layout = "stimuli/gentle/ and derivatives/afni-nosmooth/sub-001/func/..._desc-clean.func.gii"
    card = DatasetCard(
        "narratives",
        "Narratives: 27 spoken stories, one at a time, heard by 18 to 82 of 345 people (OpenNeuro ds002345)",
        modality="language",
        species="human",
        technique="fMRI",
        regions=("cortex",),
        license="CC0",
        source="https://openneuro.org/datasets/ds002345; derivatives: datalad, ///labs/hasson/narratives",
        units="BOLD, confounds regressed out by the authors",
        blocks="run",
        bibtex="""@article{nastase2021,
  title = {The ``Narratives'' {fMRI} dataset for evaluating models of naturalistic language comprehension},
  author = {Nastase, Samuel A. and Liu, Yun-Fei and Hillman, Hanna and Zadbood, Asieh and Hasenfratz, Liat and \
Keshavarzian, Neggin and Chen, Janice and Honey, Christopher J. and Yeshurun, Yaara and Regev, Mor and Nguyen, Mai and \
Chang, Claire H. C. and Baldassano, Christopher and Lositsky, Olga and Simony, Erez and Chow, Michael A. and \
Leong, Yuan Chang and Brooks, Paula P. and Micciche, Emily and Choe, Gina and Goldstein, Ariel and Vanderwal, Tamara \
and Halchenko, Yaroslav O. and Norman, Kenneth A. and Hasson, Uri},
  journal = {Scientific Data},
  volume = {8},
  pages = {250},
  year = {2021},
  doi = {10.1038/s41597-021-01033-3}
}""",
    )

    def recognizes(self, path: Path) -> bool:
        """A folder with ``stimuli/gentle`` and ``derivatives/afni-*``."""
        return (path / "stimuli" / "gentle").is_dir() and any((path / "derivatives").glob("afni-*"))

    def read(self, path: Path, options: "ReadOptions") -> "Imported":
        """One story: see :func:`brodmann.brain_data.published.narratives.read`."""
        from ..published.narratives import read

        return read(path, options, self.about())
