"""tuckute2024: 1000 sentences, mean response of six regions of the left-hemisphere language network."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import xarray as xr
from brainscore_core.supported_data_standards.brainio.stimuli import StimulusSet

from ..dataset import Dataset

if TYPE_CHECKING:
    from ..card import DatasetCard

_PREFIX = "lang_LH_"


def load(card: "DatasetCard", folder: Path) -> Dataset:
    """The sentences and one response a sentence and region.

    The five participants' responses are averaged in the released file, so there is one presentation a
    sentence and no repetition to take a ceiling from: the network has the published one.

    Parameters
    ----------
    card : DatasetCard
    folder : Path
        The installed file.
    """
    table = pd.read_csv(folder / "bold_response_LH.csv")
    columns = [f"{_PREFIX}{region}" for region in card.regions]
    sentences = table["sentence"].astype(str)
    stimuli = StimulusSet(
        {
            "stimulus_id": table["item_id"].astype(str),
            "sentence": sentences,
            "n_words": sentences.str.split().str.len(),
        }
    )
    stimuli.identifier = card.identifier
    responses = xr.DataArray(
        table[columns].to_numpy(np.float64),
        dims=("presentation", "neuroid"),
        coords={
            "stimulus_id": ("presentation", stimuli["stimulus_id"].to_numpy()),
            "repetition": ("presentation", np.zeros(len(table), dtype=int)),
            "neuroid_id": ("neuroid", columns),
            "region": ("neuroid", list(card.regions)),
        },
    )
    return Dataset(**card.about(), stimuli=stimuli, responses=responses)
