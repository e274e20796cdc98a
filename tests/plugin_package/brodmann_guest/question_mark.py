"""A model: 1 for a question, -1 for anything else."""

import numpy as np

from brodmann.errors import unknown
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
        """The mark, and how long the text is."""
        return dict.fromkeys(self.asked(layers), 2)

    def extract(self, stimuli, layers=None, *, context="none"):
        """``(presentation, neuroid)``."""
        import xarray as xr

        from brodmann.models.extraction.language_model import text_of

        values = [[1.0 if text.endswith("?") else -1.0, len(text)] for text in text_of(stimuli)]
        coords = {
            "stimulus_id": ("presentation", stimuli["stimulus_id"].to_numpy()),
            "neuroid_id": ("neuroid", ["mark", "length"]),
            "layer": ("neuroid", ["mark", "mark"]),
        }
        features = xr.DataArray(np.array(values, np.float32), dims=("presentation", "neuroid"), coords=coords)
        return dict.fromkeys(self.asked(layers), features)

    def asked(self, layers):
        """The layers by name; all by default."""
        for name in layers or ():
            if name not in self.layers:
                raise unknown(f"layer of {self.identifier}", name, self.layers)
        return self.layers


@loads(
    ModelCard(
        QuestionMark.identifier, "whether a text asks", "language", "baseline", ("mark",), license="CC0"
    )
)
def question_mark(card):
    """The model; it has nothing to load."""
    return QuestionMark()
