"""What a table says of its words besides their meaning: how many, how long, how frequent, how many sounds they have."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from ...errors import UserError
from ..text_columns import text_column

Floats = npt.NDArray[np.float64]

_MARKS = ".,;:!?\"'()[]{}*_-" + "“”‘’«»–—…"
"""What stands around a word and is none of it where words are counted."""


def word_rate(words: pd.DataFrame) -> Floats:
    """How many words a text has, ``(n, 1)``: 1 a word of a story, so that samples hold the rate of words."""
    return np.array([[float(len(text.split()))] for text in _texts(words)])


def word_length(words: pd.DataFrame) -> Floats:
    """Characters of a word as it is written, ``(n, 1)``; the mean over a text's words."""
    return np.array([[np.mean([len(word) for word in text.split()] or [0])] for text in _texts(words)])


def word_frequency(words: pd.DataFrame) -> Floats:
    """Natural logarithm of a word's frequency, ``(n, 1)``; the mean over a text's words.

    From the column ``log_frequency`` as it is, or ``frequency``; without them a word's count in the texts of the whole
    table, in small letters and without the marks around it.

    Raises
    ------
    UserError
        For a frequency that is missing or not above 0.
    """
    if "log_frequency" in words:
        return _numbers(words, "log_frequency")
    if "frequency" in words:
        given = _numbers(words, "frequency")
        if (given <= 0).any():
            raise UserError(
                f"the column 'frequency' has {int((given <= 0).sum())} values that are not above 0: add what was "
                "counted plus one, or a column log_frequency"
            )
        return np.log(given)
    spoken = [[bare(word) for word in text.split()] for text in _texts(words)]
    counts = Counter(word for text in spoken for word in text)
    return np.array([[np.mean([np.log(counts[word]) for word in text] or [0.0])] for text in spoken])


def word_duration(words: pd.DataFrame) -> Floats:
    """Seconds from onset to offset, ``(n, 1)``."""
    return _numbers(words, "offset") - _numbers(words, "onset")


def sound_power(words: pd.DataFrame) -> Floats:
    """The column ``sound_power``, ``(n, 1)``: how loud each word is, on the scale of the table."""
    return _numbers(words, "sound_power")


def phoneme_rate(words: pd.DataFrame) -> Floats:
    """How many phonemes a word has, ``(n, 1)``: the column ``phonemes``, a number or the phonemes between blanks."""
    if "phonemes" in words and not pd.api.types.is_numeric_dtype(words["phonemes"]):
        spelled = [
            isinstance(one, str) and not one.strip().replace(".", "").isdigit() for one in words["phonemes"]
        ]
        if any(spelled):
            return np.array([[float(len(str(one).split()))] for one in words["phonemes"]])
    return _numbers(words, "phonemes")


def bare(word: str) -> str:
    """A word in small letters, without the marks around it."""
    return word.casefold().strip(_MARKS) or word.casefold()


def _texts(words: pd.DataFrame) -> Sequence[str]:
    column = text_column(words)
    if column is None:
        raise UserError("the stimuli have no text whose words could be counted")
    return [str(one) for one in words[column]]


def _numbers(words: pd.DataFrame, column: str) -> Floats:
    """A column as numbers; a UserError where it is not there, or one of them is missing."""
    if column not in words:
        raise UserError(f"the stimuli have no column {column!r}")
    values: Floats = pd.to_numeric(words[column], errors="coerce").to_numpy(np.float64)
    bad = np.flatnonzero(~np.isfinite(values))
    if len(bad):
        first = words["stimulus_id"].iloc[bad[0]] if "stimulus_id" in words else f"row {bad[0] + 1}"
        raise UserError(
            f"the column {column!r} has no number for {len(bad)} of {len(values)} stimuli (first: {first})"
        )
    return values[:, None]
