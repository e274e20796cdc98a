"""algonauts2025: parcels' time series of four people who watched Friends and films."""

from pathlib import Path
from typing import TYPE_CHECKING

from ..card import DatasetCard
from ..published_recording import PublishedRecording, add_published

if TYPE_CHECKING:
    from ..imported import Imported
    from ..read_options import ReadOptions

_FILES = "sub-*_atlas-Schaefer18_parcel-1000Par7Net*_bold.h5"


@add_published
class Algonauts2025(PublishedRecording):
    """Algonauts 2025 (CNeuroMod): sub-01_task-friends_..._bold.h5, one array a film."""

    name = "algonauts2025"
    takes = ("subject", "task", "run", "region", "labels", "stimuli")
    layout = "sub-01_task-friends_..._atlas-Schaefer18_parcel-1000Par7Net_..._bold.h5 (or fmri/ with it)"
    card = DatasetCard(
        "algonauts2025",
        "Algonauts 2025: 1000 parcels while four people watch Friends and films (CNeuroMod)",
        modality="language",
        species="human",
        technique="fMRI",
        regions=("cortex",),
        n_subjects=4,
        license="CC0 (the recordings); the films are their owners'",
        access="the Algonauts 2025 data and films are shared with those who fill in its form at "
        "https://algonautsproject.com; fetch algonauts_2025.competitors as it says",
        source="https://github.com/courtois-neuromod/algonauts_2025.competitors",
        units="BOLD of a parcel, z-scored within run by the authors",
        blocks="run",
        bibtex="""@article{gifford2025,
  title = {The {Algonauts} Project 2025 Challenge: How the Human Brain Makes Sense of Multimodal Movies},
  author = {Gifford, Alessandro T. and Bersch, Domenic and St-Laurent, Marie and Pinsard, Basile and Boyle, Julie and \
Bellec, Lune and Oliva, Aude and Roig, Gemma and Cichy, Radoslaw M.},
  journal = {arXiv},
  year = {2025},
  note = {2501.00504}
}""",
    )

    def recognizes(self, path: Path) -> bool:
        """A folder with such files, or with ``fmri/sub-01/func`` that holds them."""
        return any(any(path.glob(f"{one}{_FILES}")) for one in ("", "func/", "fmri/sub-*/func/"))

    def read(self, path: Path, options: "ReadOptions") -> "Imported":
        """Several people's films: see :func:`brodmann.brain_data.published.algonauts2025.read`."""
        from ..published.algonauts2025 import read

        return read(path, options, self.about())
