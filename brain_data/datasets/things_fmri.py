"""things-fmri: THINGS-fMRI, one person's single-trial responses to 8740 pictures of objects."""

from pathlib import Path
from typing import TYPE_CHECKING

from ...files import unpack_zip
from ..card import DatasetCard
from ..published_recording import PublishedRecording, add_published

if TYPE_CHECKING:
    from ..imported import Imported
    from ..read_options import ReadOptions

_ARCHIVE = "43635873"
_MOST_UNPACKED = 120 << 30


@add_published
class ThingsFMRI(PublishedRecording):
    """THINGS-fMRI: sub-01_ResponseData.h5 and the tables beside it, one person at a time."""

    name = "things-fmri"
    takes = ("subject", "region", "session", "stimuli", "mask", "events", "zscore")
    layout = "sub-01_ResponseData.h5 (or betas_csv/ with it)"
    card = DatasetCard(
        "things-fmri",
        "THINGS-fMRI: 8640 pictures of 720 objects shown once and 100 shown 12 times, one of 3 people",
        modality="vision",
        species="human",
        technique="fMRI",
        regions=("V1", "V2", "V3", "hV4", "lLOC", "rLOC", "lFFA", "rFFA"),
        license="CC0 (the recordings); the pictures of THINGS are for research alone, not to be passed on",
        access="",
        source="https://doi.org/10.25452/figshare.plus.20492835.v2 (fMRI single trial responses, table format)",
        units="single-trial beta, percent signal change",
        options={"address": "https://plus.figshare.com/ndownloader/files/{name}"},
        bibtex="""@article{hebart2023,
  title = {{THINGS}-data, a multimodal collection of large-scale datasets for investigating object representations in \
human brain and behavior},
  author = {Hebart, Martin N. and Contier, Oliver and Teichmann, Lina and Rockter, Adam H. and Zheng, Charles Y. and \
Kidder, Alexis and Corriveau, Anna and Vaziri-Pashkam, Maryam and Baker, Chris I.},
  journal = {eLife},
  volume = {12},
  pages = {e82580},
  year = {2023},
  doi = {10.7554/eLife.82580}
}""",
    )

    def recognizes(self, path: Path) -> bool:
        """A folder with ``sub-*_ResponseData.h5``, or with ``betas_csv`` that holds them."""
        return any(any((path / one).glob("sub-*_ResponseData.h5")) for one in ("", "betas_csv"))

    def read(self, path: Path, options: "ReadOptions") -> "Imported":
        """One person's betas: see :func:`brodmann.brain_data.published.things_fmri.read`."""
        from ..published.things_fmri import read

        return read(path, options, self.about())

    def wanted(self, options: "ReadOptions") -> list[str]:
        """One archive (43 GB) holds all three people."""
        return [_ARCHIVE]

    def unpack(self, folder: Path) -> None:
        """The tables of the archive."""
        if not self.recognizes(folder):
            unpack_zip(folder / _ARCHIVE, folder, max_bytes=_MOST_UNPACKED)
