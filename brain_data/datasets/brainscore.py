"""Brain-Score's public data, as its registry records them (sha1 digests)."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..card import DatasetCard, KnownFile, dataset

if TYPE_CHECKING:
    from ..dataset import Dataset

_STORAGE = "https://brainscore-storage.s3.amazonaws.com"
_VERSION = {"assy_movshon_FreemanZiemba2013_public.nc": "?versionId=W2vx7jdh9utZdVumHHarXa4L1zOrA8Fd"}


def _card(identifier: str, title: str, bucket: str, files: dict[str, str], **about: Any) -> DatasetCard:
    listed = (
        KnownFile(name, sha1, f"{_STORAGE}/{bucket}/{name}{_VERSION.get(name, '')}")
        for name, sha1 in files.items()
    )
    return DatasetCard(
        identifier, f"Brain-Score{title}", files=tuple(listed), license="see the source", **about
    )


_CEILING = (
    "Brain-Score language, Pereira2018.{}sentences-linear: the median voxel's ceiling, of subjects from the others, "
    "extrapolated to infinitely many"
)


_MAJAJ = """@article{majaj2015,
  title = {Simple Learned Weighted Sums of Inferior Temporal Neuronal Firing Rates Accurately Predict Human Core \
Object Recognition Performance},
  author = {Majaj, Najib J. and Hong, Ha and Solomon, Ethan A. and DiCarlo, James J.},
  journal = {Journal of Neuroscience},
  volume = {35},
  pages = {13402--13418},
  year = {2015}
}"""

_HVM = {
    "stimulus_hvm-public.csv": "5ca7a3da00d8e9c694a9cd725df5ba0ad6d735af",
    "stimulus_hvm-public.zip": "8aa44e038d7b551efa8077467622f9d48d72e473",
}
_OF_MAJAJ: dict[str, Any] = {
    "modality": "vision",
    "species": "macaque",
    "technique": "electrophysiology",
    "regions": ("V4", "IT"),
    "n_stimuli": 3200,
    "units": "normalised spike rate",
    "bibtex": _MAJAJ,
}
"""Of the same recording, as a mean and in bins."""

_CARDS = [
    _card(
        "MajajHong2015-temporal",
        ": 3200 public pictures of objects, macaque V4 and IT, in bins of 10 ms",
        "brainio-brainscore",
        {
            "assy_dicarlo_MajajHong2015_temporal_public.nc": "093ac35b3e8464c676d24cf38238415d4d6a9448",
            **_HVM,
        },
        source="Brain-Score vision: dicarlo.MajajHong2015.temporal.public, hvm-public",
        options={"in_time": True},
        **_OF_MAJAJ,
    ),
    _card(
        "MajajHong2015",
        ": 3200 public pictures of objects, macaque V4 and IT, 70 to 170 ms",
        "brainio-brainscore",
        {
            "assy_dicarlo_MajajHong2015_public.nc": "13d28ca0ce88ee550b54db3004374ae19096e9b9",
            **_HVM,
        },
        source="Brain-Score vision: dicarlo.MajajHong2015.public, hvm-public",
        **_OF_MAJAJ,
    ),
    _card(
        "FreemanZiemba2013",
        ": public textures and noise, macaque V1 and V2, 50 to 200 ms",
        "brainio-brainscore",
        {
            "assy_movshon_FreemanZiemba2013_public.nc": "761c08f796db4e342555cdb60eef23a4f19ead43",
            "stimulus_FreemanZiemba2013_aperture-public.csv": "194c9b301a4e3e9cff02481d4c19b39331d52660",
            "stimulus_FreemanZiemba2013_aperture-public.zip": "3a6fec1fc28c212882d6833e267ea8654d289611",
        },
        modality="vision",
        species="macaque",
        technique="electrophysiology",
        regions=("V1", "V2"),
        source="Brain-Score vision: movshon.FreemanZiemba2013.public, FreemanZiemba2013.aperture-public",
        units="spikes per bin",
        options={"window_ms": (50, 200)},
        bibtex="""@article{freeman2013,
  title = {A functional and perceptual signature of the second visual area in primates},
  author = {Freeman, Jeremy and Ziemba, Corey M. and Heeger, David J. and Simoncelli, Eero P. and Movshon, J. Anthony},
  journal = {Nature Neuroscience},
  volume = {16},
  pages = {974--981},
  year = {2013}
}""",
    ),
    *(
        _card(
            f"Pereira2018-{n_sentences}sentences",
            f" language: {n_sentences} sentences in passages, human fMRI of the language system",
            "brainscore-language",
            {"assy_Pereira2018_language.nc": "f8434b4022f5b2c862f0ff2854d5b3f5f2a7fb96"},
            modality="language",
            species="human",
            technique="fMRI",
            regions=("language",),
            n_stimuli=n_sentences,
            source="Brain-Score language: Pereira2018.language",
            units="BOLD response",
            published_ceilings={"language": {"value": ceiling, "source": _CEILING.format(n_sentences)}},
            # The labels of the experiments are those that Brain-Score's own test of the file expects.
            options={
                "selection": {"experiment": f"{n_sentences}sentences"},
                "columns": {"passage": "passage_label"},
            },
            bibtex="""@article{pereira2018,
  title = {Toward a universal decoder of linguistic meaning from brain activation},
  author = {Pereira, Francisco and Lou, Bin and Pritchett, Brianna and Ritter, Samuel and Gershman, Samuel J. and \
Kanwisher, Nancy and Botvinick, Matthew and Fedorenko, Evelina},
  journal = {Nature Communications},
  volume = {9},
  pages = {963},
  year = {2018}
}""",
        )
        for n_sentences, ceiling in ((243, 0.354), (384, 0.363))
    ),
]


def load(card: DatasetCard, folder: Path) -> "Dataset":
    """A Brain-Score data set.

    Its options name the time bins to average (``window_ms``), presentation coordinate -> the value that is kept
    (``selection``), and our name of a stimulus column -> Brain-Score's (``columns``).
    """
    from ..formats.brainio import load_brainscore

    return load_brainscore(card, folder)


for _of_one in _CARDS:
    dataset(_of_one)(load)
