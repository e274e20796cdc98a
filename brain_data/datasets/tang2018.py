"""tang2018: macaque V1, 4 neurons, 9500 binary patterns with their pictures."""

from pathlib import Path
from typing import TYPE_CHECKING

from ...files import unpack_zip
from ...install import remember_folder
from ..card import DatasetCard, KnownFile, dataset

if TYPE_CHECKING:
    from ..dataset import Dataset

_COMMIT = "345129ecbd94ae49d3985f79f83999b33f6398c4"
_ADDRESS = f"https://raw.githubusercontent.com/leelabcnbc/Fixed_Kernel_CNN/{_COMMIT}/data/neurons"
_NEURONS = {
    "neu75": "cda4d341bcd2a3f3e423912807fec98f68becc5af438bb9f3021193b2abb30ca",
    "neu255": "da6191a8179b6e97e08cb7a94d4d311c57e491bfb12c92ce8c5973c8810bc2bf",
    "neu381": "05836ccc35af679356da438c13eb3d1ee25d1a2d8f69405dd6d1b1bec024e19a",
    "neu504": "3f9c5ee7ec7a963fbc6e38091f5c1acc83f4a7921db51439b5dae79a40964316",
}
# The pictures lie there one by one (data/stimuli/pattern/1.png ... 9500.png); this is a zip of them.
_PICTURES = KnownFile(
    "stimuli_pattern_1to9500.zip", "6d00a4222876a653171a6c6b350f9ca708eb80da4c1df2480e54d266abd544e4"
)


@dataset(
    DatasetCard(
        "tang2018",
        "9500 binary patterns x 4 neurons of macaque V1, mean over trials",
        modality="vision",
        species="macaque",
        technique="two-photon calcium imaging",
        regions=("V1",),
        n_stimuli=9500,
        license="not stated (the repository asks to be cited)",
        source=f"https://github.com/leelabcnbc/Fixed_Kernel_CNN, commit {_COMMIT}",
        units="dF/F",
        files=(
            *(
                KnownFile(f"{name}.npy", digest, f"{_ADDRESS}/{name}.npy")
                for name, digest in _NEURONS.items()
            ),
            _PICTURES,
        ),
        bibtex="""@article{tang2018,
  title = {Complex Pattern Selectivity in Macaque Primary Visual Cortex Revealed by Large-Scale Two-Photon Imaging},
  author = {Tang, Shiming and Lee, Tai Sing and Li, Ming and Zhang, Yimeng and Xu, Yue and Liu, Fang and Teo, Benjamin \
and Jiang, Hongfei},
  journal = {Current Biology},
  volume = {28},
  number = {1},
  pages = {38--48.e3},
  year = {2018},
  doi = {10.1016/j.cub.2017.11.039}
}

@misc{wu2020,
  title = {Complex Sparse Code Priors Improve the Statistical Models of Neurons in Primate Primary Visual Cortex},
  author = {Wu, Ziniu and Rockwell, Harold and Zhang, Yimeng and Tang, Shiming and Lee, Tai Sing},
  year = {2020},
  eprint = {1911.08241},
  archivePrefix = {arXiv},
  primaryClass = {q-bio.QM}
}""",
    )
)
def load(card: DatasetCard, folder: Path) -> "Dataset":
    """The patterns and each neuron's mean response to them.

    Row i of a neuron's file belongs to picture i + 1. The responses are means over trials, so there is no
    repetition and no ceiling. The pictures are unpacked beside the installed files once.
    """
    import numpy as np
    import xarray as xr

    from ..dataset import Dataset
    from ..stimulus_set import StimulusSet

    values = np.concatenate(
        [np.load(folder / f"{neuron}.npy", allow_pickle=False) for neuron in _NEURONS], axis=1
    )

    archive = folder / _PICTURES.name
    images = remember_folder(folder / "derived" / "images", lambda target: unpack_zip(archive, target))
    numbers = range(1, len(values) + 1)
    ids = [f"pattern{number:04d}" for number in numbers]
    stimuli = StimulusSet({"stimulus_id": ids, "filename": [f"{number}.png" for number in numbers]})
    stimuli.identifier = card.identifier
    stimuli.stimulus_paths = {
        name: images / f"{number}.png" for name, number in zip(ids, numbers, strict=True)
    }
    responses = xr.DataArray(
        values.astype(np.float64),
        dims=("presentation", "neuroid"),
        coords={
            "stimulus_id": ("presentation", ids),
            "repetition": ("presentation", np.zeros(len(ids), dtype=int)),
            "neuroid_id": ("neuroid", list(_NEURONS)),
            "region": ("neuroid", ["V1"] * len(_NEURONS)),
        },
    )
    return Dataset(**card.about(), stimuli=stimuli, responses=responses)
