"""How long a text's words are, and how frequent: a language baseline without weights."""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ...errors import unknown
from ...files import digest_of
from ..catalogue import ModelCard, loads
from ..model import Context, Model

if TYPE_CHECKING:
    import xarray as xr

    from ...brain_data.stimulus_set import StimulusSet

FEATURES = (
    "n_words",
    "n_characters",
    "mean_word_length",
    "longest_word",
    "mean_log_frequency",
    "least_log_frequency",
)


class WordLengthFrequency(Model):
    """How long a text and its words are, and how frequent its words are within the stimulus set."""

    identifier = "word-length-frequency"
    modality = "language"
    digest = digest_of("word-length-frequency", FEATURES)

    @property
    def layers(self) -> list[str]:
        """One layer, ``features``."""
        return ["features"]

    def sizes(self, stimuli: "StimulusSet", layers: Sequence[str] | None = None) -> dict[str, int]:
        """Six units."""
        return {name: len(FEATURES) for name in self._asked(layers)}

    def extract(
        self, stimuli: "StimulusSet", layers: Sequence[str] | None = None, *, context: Context = "none"
    ) -> "dict[str, xr.DataArray]":
        """Six numbers a text; logarithms are natural, of a word's count in the stimulus set."""
        import xarray as xr

        from ..extraction.language_model import text_of

        del context  # a text's own words are all that counts
        words = [text.lower().split() for text in text_of(stimuli)]
        counts = Counter(word for text in words for word in text)
        rows = []
        for text in words:
            lengths = [len(word) for word in text]
            frequency = [np.log(counts[word]) for word in text]
            rows.append(
                [len(text), sum(lengths), np.mean(lengths), max(lengths), np.mean(frequency), min(frequency)]
            )
        features = xr.DataArray(
            np.array(rows, np.float32),
            dims=("presentation", "neuroid"),
            coords={
                "stimulus_id": ("presentation", stimuli["stimulus_id"].to_numpy()),
                "neuroid_id": ("neuroid", list(FEATURES)),
                "layer": ("neuroid", np.full(len(FEATURES), "features")),
            },
        )
        return dict.fromkeys(self._asked(layers), features)

    def _asked(self, layers: Sequence[str] | None) -> list[str]:
        for name in layers or ():
            if name != "features":
                raise unknown(f"layer of {self.identifier}", name, self.layers)
        return self.layers


@loads(
    ModelCard(
        WordLengthFrequency.identifier,
        "length and frequency of a text's words",
        WordLengthFrequency.modality,
        "baseline",
        ("features",),
    )
)
def word_length_frequency(card: ModelCard) -> Model:
    """The baseline; it has nothing to load."""
    del card
    return WordLengthFrequency()
