"""What reading and brain responses depend on without any model: a word's length, frequency and place."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from ...brain_data.text_columns import POSITION, say_order, text_column
from ...errors import UserError, unknown
from .recording import Recording

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.intp]

LENGTH, FREQUENCY = "length", "log_frequency"
PUNCTUATION, SENTENCE_END = "punctuation", "sentence_end"
CARRIED = (LENGTH, FREQUENCY, PUNCTUATION, SENTENCE_END)
"""What of the words before is a predictor, too."""
_TARGET = "target"
_SENTENCE_END = re.compile(r"""[.?!…。？！]["')\]”’»」』）]*$""")
_BEHIND = re.compile(r"[^\w\s]$")
_CLINGING = re.compile(r"^\W+|\W+$")


@dataclass(frozen=True)
class WordPredictors:
    """Predictors of words.

    Attributes
    ----------
    values : mapping of str to array of shape (n_stimuli,)
        NaN where a word has none.
    said : mapping of str to str
        Where each comes from.
    """

    values: dict[str, Floats]
    said: dict[str, str]


def word_predictors(recorded: Recording, names: tuple[str, ...], sequence: Integers) -> WordPredictors:
    """The named predictors: those of this module by name, and columns of the stimuli that hold numbers.

    Parameters
    ----------
    recorded : Recording
    names : tuple of str
    sequence : array of int of shape (n_stimuli,)
        The story or sentence of each word.

    Raises
    ------
    UserError
        For a name that is none of them, a column that holds no numbers, or stimuli without words.
    """
    values: dict[str, Floats] = {}
    said: dict[str, str] = {}
    for name in names:
        if name == LENGTH:
            values[name] = np.array([float(len(word)) for word in plain_words(recorded)])
            said[name] = "letters of the word, without punctuation around it"
        elif name in recorded.columns:
            values[name] = _numbers(recorded, name)
            said[name] = f"the column {name!r}"
        elif name == FREQUENCY:
            words = plain_words(recorded)
            counts = Counter(words)
            values[name] = np.log([counts[word] for word in words])
            said[name] = f"ln of the word's count among these {len(words)} words, whatever its case"
        elif name in (PUNCTUATION, SENTENCE_END):
            ends = [bool(_SENTENCE_END.search(word)) for word in _as_read(recorded)]
            behind = [bool(_BEHIND.search(word)) for word in _as_read(recorded)]
            marked = ends if name == SENTENCE_END else np.greater(behind, ends)
            values[name] = np.asarray(marked, np.float64)
            what = "a full stop, question or exclamation mark" if name == SENTENCE_END else "another mark"
            said[name] = f"whether {what} clings to the word's end"
        elif name == POSITION:
            values[name] = _places(recorded, sequence)
            said[name] = "place among the recorded words of its story or sentence"
        else:
            raise unknown(f"nuisance of {recorded.name}", name, [*CARRIED, POSITION, *recorded.columns])
    return WordPredictors(values, said)


def plain_words(recorded: Recording) -> list[str]:
    """What was read, in small letters and without punctuation around it; punctuation alone as it is."""
    words = [word.lower() for word in _as_read(recorded)]
    return [_CLINGING.sub("", word) or word for word in words]


def _as_read(recorded: Recording) -> list[str]:
    column = _TARGET if _TARGET in recorded.columns else text_column(recorded.columns)
    if column is None:
        raise UserError(f"{recorded.name}: the stimuli have no words to count letters of")
    return [str(word).strip() for word in recorded.columns[column]]


def previous(recorded: Recording, sequence: Integers) -> Integers:
    """The row of the word before each, in its story or sentence; -1 for none.

    With a column ``position`` of numbers, the word before is the one whose position is one less; where positions
    begin anew with every sentence of a story, the one before it in the table as well.
    """
    order = np.lexsort((_position(recorded, sequence), sequence))
    found = np.full(recorded.n_stimuli, -1, np.intp)
    follows = sequence[order[1:]] == sequence[order[:-1]]
    if POSITION in recorded.columns:
        place = _numbers(recorded, POSITION)[order]
        follows &= np.isclose(np.diff(place), 1)
    found[order[1:][follows]] = order[:-1][follows]
    return found


def before(values: Floats, row_before: Integers, steps: int) -> Floats:
    """The values of the words so many steps before; NaN for none."""
    found = values
    for _ in range(steps):
        found = np.where(row_before >= 0, found[row_before], np.nan)
    return found


def _position(recorded: Recording, sequence: Integers) -> Floats:
    if POSITION in recorded.columns:
        place = _numbers(recorded, POSITION)
        if all(say_order(place[sequence == one].tolist()) for one in np.unique(sequence)):
            return place
    n = recorded.n_stimuli
    return (recorded.position if len(recorded.position) else np.arange(n)).astype(np.float64)


def _places(recorded: Recording, sequence: Integers) -> Floats:
    order = np.lexsort((_position(recorded, sequence), sequence))
    places = pd.Series(sequence[order]).groupby(sequence[order]).cumcount().to_numpy()
    found = np.empty(len(order))
    found[order] = places + 1
    return found


def _numbers(recorded: Recording, name: str) -> Floats:
    try:
        values = recorded.columns[name].astype(np.float64)
    except (TypeError, ValueError) as error:
        raise UserError(f"{recorded.name}: the column {name!r} holds no numbers") from error
    numbers: Floats = np.where(np.isfinite(values), values, np.nan)
    return numbers
