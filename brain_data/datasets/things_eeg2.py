"""things-eeg2: EEG of ten people to 16 740 pictures of objects, as it was shared after preprocessing."""

from pathlib import Path
from typing import TYPE_CHECKING

from ..card import DatasetCard
from ..published_recording import PublishedRecording, add_published

if TYPE_CHECKING:
    from ..imported import Imported
    from ..read_options import ReadOptions


@add_published
class ThingsEEG2(PublishedRecording):
    """THINGS-EEG2: sub-01/preprocessed_eeg_training.npy and ..._test.npy, pickled arrays (--pickles plain)."""

    name = "things-eeg2"
    takes = ("subject", "events", "channels", "window", "stimuli", "pickles")
    layout = "sub-01/preprocessed_eeg_training.npy (or preprocessed_data/ with it)"
    card = DatasetCard(
        "things-eeg2",
        "THINGS-EEG2: 16540 pictures shown 4 times and 200 shown 80 times, 17 channels of one of 10 people",
        modality="vision",
        species="human",
        technique="EEG",
        regions=("EEG",),
        license="as its page at osf.io says (not stated in the files); the pictures of THINGS are for research alone",
        source="https://osf.io/3jk45 (preprocessed data; image set)",
        units="EEG, baseline subtracted and whitened over channels by the authors",
        bibtex="""@article{gifford2022,
  title = {A large and rich {EEG} dataset for modeling human visual object recognition},
  author = {Gifford, Alessandro T. and Dwivedi, Kshitij and Roig, Gemma and Cichy, Radoslaw M.},
  journal = {NeuroImage},
  volume = {264},
  pages = {119754},
  year = {2022},
  doi = {10.1016/j.neuroimage.2022.119754}
}""",
    )

    def recognizes(self, path: Path) -> bool:
        """A folder of one person or of several."""
        from ..published.things_eeg2 import FILES

        return any(any(path.glob(f"{one}{FILES}")) for one in ("", "sub-*/", "preprocessed_data/sub-*/"))

    def read(self, path: Path, options: "ReadOptions") -> "Imported":
        """One person's epochs: see :func:`brodmann.brain_data.published.things_eeg2.read`."""
        from ..published.things_eeg2 import read

        return read(path, options, self.about())
