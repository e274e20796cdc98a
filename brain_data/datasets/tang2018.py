"""tang2018: macaque V1, 4 neurons, 9500 binary patterns with their pictures."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from brainscore_core.supported_data_standards.brainio.stimuli import StimulusSet

from ...files import unpack_zip
from ...install import remember_folder
from ..dataset import Dataset

if TYPE_CHECKING:
    from ..card import DatasetCard

_NEURONS = ("neu75", "neu255", "neu381", "neu504")


def load(card: "DatasetCard", folder: Path) -> Dataset:
    """The patterns and each neuron's mean response to them.

    Row i of a neuron's file belongs to picture i + 1. The responses are means over trials, so there is no
    repetition and no ceiling.

    Parameters
    ----------
    card : DatasetCard
    folder : Path
        The installed files; the pictures are unpacked beside them once.
    """
    values = np.concatenate(
        [np.load(folder / f"{neuron}.npy", allow_pickle=False) for neuron in _NEURONS], axis=1
    )
    archive = folder / "stimuli_pattern_1to9500.zip"
    images = remember_folder(folder / "derived" / "images", lambda temporary: _unpack(archive, temporary))
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


def _unpack(archive: Path, folder: Path) -> None:
    unpack_zip(archive, folder)
