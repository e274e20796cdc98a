"""algonauts2023: one person's responses on cortex to natural pictures, as the Algonauts 2023 challenge shared them."""

from pathlib import Path
from typing import TYPE_CHECKING

from ..card import DatasetCard
from ..published_recording import PublishedRecording, add_published

if TYPE_CHECKING:
    from ..imported import Imported
    from ..read_options import ReadOptions

_FILES = "training_split/training_fmri/[lr]h_training_fmri.npy"


@add_published
class Algonauts2023(PublishedRecording):
    """Algonauts 2023 (NSD): subj01/training_split/training_fmri/lh_training_fmri.npy, a row a picture."""

    name = "algonauts2023"
    takes = ("subject", "region")
    layout = "subj01/training_split/training_fmri/lh_training_fmri.npy (or training_split/ with it)"
    card = DatasetCard(
        "algonauts2023",
        "Algonauts 2023: up to 9841 natural pictures on 39 548 vertices of visual cortex, one of 8 people (NSD)",
        modality="vision",
        species="human",
        technique="fMRI",
        regions=("early", "midventral", "midlateral", "midparietal", "ventral", "lateral", "parietal"),
        license="the terms of the Natural Scenes Dataset: for research, not to be passed on",
        access="the Algonauts 2023 data are shared with those who fill in its form and agree to the terms of the "
        "Natural Scenes Dataset at http://algonauts.csail.mit.edu/challenge.html and https://naturalscenesdataset.org",
        source="https://naturalscenesdataset.org",
        units="beta, z-scored within session and averaged over a picture's trials by the authors",
        bibtex="""@article{gifford2023,
  title = {The {Algonauts} Project 2023 Challenge: How the Human Brain Makes Sense of Natural Scenes},
  author = {Gifford, Alessandro T. and Lahner, Benjamin and Saba-Sadiya, Sari and Vilas, Martina G. and \
Lascelles, Alex and Oliva, Aude and Kay, Kendrick and Roig, Gemma and Cichy, Radoslaw M.},
  journal = {arXiv},
  year = {2023},
  note = {2301.03198}
}""",
    )

    def recognizes(self, path: Path) -> bool:
        """A folder of one person or of several."""
        return any(any(path.glob(f"{one}{_FILES}")) for one in ("", "subj*/"))

    def read(self, path: Path, options: "ReadOptions") -> "Imported":
        """One person's vertices: see :func:`brodmann.brain_data.published.algonauts2023.read`."""
        from ..published.algonauts2023 import read

        return read(path, options, self.about())
