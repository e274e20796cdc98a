"""kriegeskorte2008: 92 object images, dissimilarities in human IT (fMRI) and monkey IT (single cells)."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...install import remember_folder
from ..card import DatasetCard, KnownFile, dataset

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import xarray as xr

    from ..dataset import Dataset
    from ..stimulus_set import StimulusSet

_DIMS = ("subject", "session", "stimulus", "stimulus_other")
_COMMIT = "f1f83cadb7243492a1aae7460466e0f0140b20ac"
_ADDRESS = f"https://raw.githubusercontent.com/rsagroup/rsatoolbox/{_COMMIT}/demos/92imageData"
_FILES = {
    "Kriegeskorte_Neuron2008_supplementalData.mat": "06f21214399a5d43dc264eed19a7f4b8daf11c8622a59eec3e106064ce5e3504",
    "92_brainRDMs.mat": "1743f90a15e895798a94318649e80e1123a7e5943a1703fa1dd7c31ea5780b7c",
}


@dataset(
    DatasetCard(
        "kriegeskorte2008",
        "92 object images: dissimilarities in human IT (4 subjects x 2 sessions) and monkey IT (674 cells)",
        modality="vision",
        species="human, macaque",
        technique="fMRI, single cells",
        regions=("hIT", "mIT"),
        n_subjects=4,
        n_stimuli=92,
        license="MIT (the repository's)",
        source=f"https://github.com/rsagroup/rsatoolbox, commit {_COMMIT}, demos/92imageData",
        units="1 - Pearson r",
        files=tuple(KnownFile(name, digest, f"{_ADDRESS}/{name}") for name, digest in _FILES.items()),
        bibtex="""@article{kriegeskorte2008,
  title = {Matching Categorical Object Representations in Inferior Temporal Cortex of Man and Monkey},
  author = {Kriegeskorte, Nikolaus and Mur, Marieke and Ruff, Douglas A. and Kiani, Roozbeh and Bodurka, Jerzy and \
Esteky, Hossein and Tanaka, Keiji and Bandettini, Peter A.},
  journal = {Neuron},
  volume = {60},
  number = {6},
  pages = {1126--1141},
  year = {2008},
  doi = {10.1016/j.neuron.2008.10.043}
}""",
    )
)
def load(card: DatasetCard, folder: Path) -> "Dataset":
    """The 92 images with the RDMs of two regions.

    - ``hIT``: 4 people x 2 sessions; the subjects' initials are the coordinate ``subject``.
    - ``mIT``: one RDM over 674 cells of two monkeys, pooled.

    Dissimilarity is 1 - Pearson r. Both are in the order of the images, which are written beside the installed
    files as PNG once.
    """
    import numpy as np
    from scipy.io import loadmat
    from scipy.spatial.distance import squareform

    from ..dataset import Dataset

    supplement = loadmat(folder / "Kriegeskorte_Neuron2008_supplementalData.mat", squeeze_me=True)
    human = loadmat(folder / "92_brainRDMs.mat", squeeze_me=True)["RDMs"]
    stimuli = _stimuli(supplement["stimuli_92objs"], folder / "derived" / "images")
    stimuli.identifier = card.identifier
    names = stimuli["stimulus_id"].to_numpy()
    pooled = {str(entry["name"]): entry["RDM"] for entry in supplement["RDMs_mIT_hIT_fig1"]}
    monkey = squareform(pooled["mIT_674neurons"])
    return Dataset(
        **card.about(),
        stimuli=stimuli,
        rdms={
            "hIT": _rdms(
                np.array([[one["RDM"] for one in sessions] for sessions in human], dtype=np.float64),
                [_subject(str(sessions[0]["name"])) for sessions in human],
                names,
            ),
            "mIT": _rdms(monkey[None, None], ["pooled"], names),
        },
    )


def _stimuli(entries: "npt.NDArray[Any]", images: Path) -> "StimulusSet":
    from PIL import Image

    from ..stimulus_set import StimulusSet

    ids = [f"object{number:02d}" for number in range(1, len(entries) + 1)]

    def draw(folder: Path) -> None:
        for name, entry in zip(ids, entries, strict=True):
            Image.fromarray(entry["image"]).save(folder / f"{name}.png")

    remember_folder(images, draw)
    table = {"stimulus_id": ids, "filename": [f"{name}.png" for name in ids]}
    table["category"] = [str(entry["category"]) for entry in entries]
    labels = {key: [bool(entry[key]) for entry in entries] for key in ("human", "face", "animal", "natural")}
    stimuli = StimulusSet(table | labels)
    stimuli.stimulus_paths = {name: images / f"{name}.png" for name in ids}
    return stimuli


def _subject(name: str) -> str:
    """``BE`` of ``hIT | BE | Session: 1``."""
    return name.split("|")[1].strip()


def _rdms(
    values: "npt.NDArray[np.float64]", subjects: list[str], names: "npt.NDArray[Any]"
) -> "xr.DataArray":
    import numpy as np
    import xarray as xr

    coords = {
        "subject": subjects,
        "session": np.arange(1, values.shape[1] + 1),
        "stimulus": names,
        "stimulus_other": names,
    }
    return xr.DataArray(values, dims=_DIMS, coords=coords)
