"""How long a text's words are, and how frequent: a language baseline without weights."""

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ...files import digest_of
from ..catalogue import ModelCard, loads
from ..extraction.text_features import TextFeatures
from ..model import Model

if TYPE_CHECKING:
    from ...brain_data.stimulus_set import StimulusSet

FEATURES = (
    "n_words",
    "n_characters",
    "mean_word_length",
    "longest_word",
    "mean_log_frequency",
    "least_log_frequency",
)


class WordLengthFrequency(TextFeatures):
    """How long a text and its words are, and how frequent its words are within the stimulus set."""

    identifier = "word-length-frequency"
    digest = digest_of("word-length-frequency", FEATURES)
    features = FEATURES

    def values(self, stimuli: "StimulusSet") -> npt.NDArray[np.float64]:
        """Six numbers a text; logarithms are natural, of a word's count in the stimulus set."""
        from ..extraction.texts import text_of

        words = [text.lower().split() for text in text_of(stimuli)]
        counts = Counter(word for text in words for word in text)
        rows = []
        for text in words:
            lengths = [len(word) for word in text]
            frequency = [np.log(counts[word]) for word in text]
            rows.append(
                [len(text), sum(lengths), np.mean(lengths), max(lengths), np.mean(frequency), min(frequency)]
            )
        return np.array(rows, np.float64)


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
