"""nsd: the Natural Scenes Dataset, one person's single-trial responses to up to 10 000 pictures."""

from pathlib import Path
from typing import TYPE_CHECKING

from ..card import DatasetCard
from ..published_recording import PublishedRecording, add_published

if TYPE_CHECKING:
    from ..imported import Imported
    from ..read_options import ReadOptions


@add_published
class NaturalScenes(PublishedRecording):
    """The Natural Scenes Dataset: nsddata/ and nsddata_betas/, one person at a time."""

    name = "nsd"
    takes = ("subject", "region", "space", "session", "betas", "mask", "events", "zscore")
    layout = "nsddata/ and nsddata_betas/"
    card = DatasetCard(
        "nsd",
        "Natural Scenes Dataset: up to 10 000 pictures shown three times, one of 8 people, 7 T fMRI",
        modality="vision",
        species="human",
        technique="fMRI",
        regions=("nsdgeneral",),
        license="NSD terms and conditions: research and education, not to be passed on",
        access="NSD is shared with those who accept its data access agreement at https://naturalscenesdataset.org; "
        "fetch nsddata and nsddata_betas as it says",
        source="https://naturalscenesdataset.org (s3://natural-scenes-dataset)",
        units="% signal change, z-scored within session",
        bibtex="""@article{allen2022,
  title = {A massive 7T fMRI dataset to bridge cognitive neuroscience and artificial intelligence},
  author = {Allen, Emily J. and St-Yves, Ghislain and Wu, Yihan and Breedlove, Jesse L. and Prince, Jacob S. and \
Dowdle, Logan T. and Nau, Matthias and Caron, Brad and Pestilli, Franco and Charest, Ian and Hutchinson, J. Benjamin \
and Naselaris, Thomas and Kay, Kendrick},
  journal = {Nature Neuroscience},
  volume = {25},
  pages = {116--126},
  year = {2022},
  doi = {10.1038/s41593-021-00962-x}
}""",
    )

    def recognizes(self, path: Path) -> bool:
        """A folder that holds ``nsddata`` and ``nsddata_betas``."""
        return (path / "nsddata").is_dir() and (path / "nsddata_betas").is_dir()

    def read(self, path: Path, options: "ReadOptions") -> "Imported":
        """One person's betas: see :func:`brodmann.brain_data.published.nsd.read`."""
        from ..published.nsd import read

        return read(path, options, self.about())
