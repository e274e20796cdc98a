"""A model: 1 for a question, -1 for anything else."""

import numpy as np

from brodmann.models.catalogue import ModelCard, loads
from brodmann.models.model import Model


class QuestionMark(Model):
    """Reads the last character of a text."""

    identifier = "guest-question-mark"
    modality = "language"
    digest = "1" * 64

    @property
    def layers(self):
        """One."""
        return ["mark"]

    def sizes(self, stimuli, layers=None):
        """One unit."""
        return {"mark": 1}

    def extract(self, stimuli, layers=None, *, context="none"):
        """``(presentation, neuroid)``."""
        import xarray as xr

        marks = [[1.0 if text.endswith("?") else -1.0] for text in stimuli["sentence"]]
        coords = {
            "stimulus_id": ("presentation", stimuli["stimulus_id"].to_numpy()),
            "neuroid_id": ("neuroid", ["mark"]),
            "layer": ("neuroid", ["mark"]),
        }
        return {
            "mark": xr.DataArray(np.array(marks, np.float32), dims=("presentation", "neuroid"), coords=coords)
        }


@loads(
    ModelCard(
        QuestionMark.identifier, "whether a text asks", "language", "baseline", ("mark",), license="CC0"
    )
)
def question_mark(card):
    """The model; it has nothing to load."""
    return QuestionMark()
