"""How many words there are, how long and how frequent each is: the baselines of a story."""

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ...brain_data.timeseries import words
from ...files import digest_of
from ..catalogue import ModelCard, loads
from ..extraction.text_features import TextFeatures
from ..model import Model

if TYPE_CHECKING:
    from ...brain_data.stimulus_set import StimulusSet


class WordRate(TextFeatures):
    """1 a word of a story, so that its samples hold the rate of words; how many words other texts have."""

    identifier = "word-rate"
    layer = "rate"
    features = ("n_words",)
    digest = digest_of("word-rate", features)

    def values(self, stimuli: "StimulusSet") -> npt.NDArray[np.float64]:
        """One number a text."""
        return words.word_rate(stimuli)


class WordProperties(TextFeatures):
    """Rate, length in characters and log frequency; by a column of frequencies where there is one."""

    identifier = "word-properties"
    layer = "rate-length-frequency"
    features = ("n_words", "word_length", "log_frequency")
    digest = digest_of("word-properties", features)

    def values(self, stimuli: "StimulusSet") -> npt.NDArray[np.float64]:
        """Three numbers a text, the last two a mean over its words."""
        return np.hstack(
            [words.word_rate(stimuli), words.word_length(stimuli), words.word_frequency(stimuli)]
        )


@loads(
    ModelCard(
        "word-rate", "the number of words, or a story's rate of words", "language", "baseline", ("rate",)
    )
)
def word_rate(card: ModelCard) -> Model:
    """The baseline; it has nothing to load."""
    del card
    return WordRate()


@loads(
    ModelCard(
        "word-properties",
        "rate, length and log frequency of words",
        "language",
        "baseline",
        (WordProperties.layer,),
    )
)
def word_properties(card: ModelCard) -> Model:
    """The baseline; it has nothing to load."""
    del card
    return WordProperties()
