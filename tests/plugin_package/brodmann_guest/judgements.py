"""A data set: one simulated neuroid, shown questions and statements twice."""

from pathlib import Path
from typing import TYPE_CHECKING

from brodmann.brain_data.card import DatasetCard, dataset

if TYPE_CHECKING:
    from brodmann.brain_data import Dataset


@dataset(
    DatasetCard(
        "guest-judgements",
        "Simulated responses to 40 questions and statements, each read twice",
        modality="language",
        species="none (simulated)",
        technique="simulation",
        regions=("judge",),
        n_subjects=1,
        n_stimuli=40,
        license="CC0",
        source="written by hand for brodmann-guest",
        simulated=True,
        units="a.u. (simulated)",
    )
)
def load(card: DatasetCard, folder: Path) -> "Dataset":
    """The table beside this module: a row a sentence, a column a presentation."""
    import pandas as pd

    from brodmann.brain_data import Dataset

    table = pd.read_csv(Path(__file__).with_suffix(".csv"))
    responses = table[["first", "second"]].to_numpy(float)[:, :, None]
    stimuli = table[["stimulus_id", "sentence"]]
    return Dataset.from_arrays(responses=responses, stimuli=stimuli, region="judge", **card.about())
