"""Nuisance spaces that need no model: where a sample stands in its sequence, how long its text is."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.ndimage import gaussian_filter1d

from ...brain_data.timeseries import words
from ...brain_data.timeseries.regressors import standardized
from ...errors import UserError
from .recording import Labels, Recording
from .registries import nuisance_space, word_space
from .sampling import Sampling

Floats = npt.NDArray[np.float64]

_WIDTHS = 1.0, 2.0
MOVEMENTS = ("trans_x", "trans_y", "trans_z", "rot_x", "rot_y", "rot_z")
"""Shifts and turns of the head, as BIDS calls them."""


@nuisance_space("position", "linear and quadratic position in the story or run, else in the order recorded")
def position(recorded: Recording, how: Sampling) -> Floats:
    """From -1 to 1 in each sequence, and its square; a sequence of one sample stands in the middle."""
    found = np.zeros((recorded.n_stimuli, 2))
    for rows in _sequences(recorded, how):
        place = np.linspace(-1, 1, len(rows)) if len(rows) > 1 else np.zeros(1)
        found[rows] = np.stack([place, place**2], axis=1)
    return found


@nuisance_space(
    "oasm", "orthogonal autocorrelated sequences: the order alone, smoothed within each story or run"
)
def oasm(recorded: Recording, how: Sampling) -> Floats:
    """Identity over the samples under Gaussians of 1 and 2 samples within each sequence.

    It sees no stimulus: what it predicts is what folds let through (Feghhi et al. 2024, arXiv:2406.01538).
    """
    n = recorded.n_stimuli
    found = np.zeros((n, n, len(_WIDTHS)))
    for rows in _sequences(recorded, how):
        for i, width in enumerate(_WIDTHS):
            smooth = gaussian_filter1d(np.eye(len(rows)), width, axis=0, mode="constant")
            found[rows[:, None], rows, i] = smooth
    return found.reshape(n, -1)


def _sequences(recorded: Recording, how: Sampling) -> Sequence[npt.NDArray[np.intp]]:
    """The rows of each run of a recording in time (or of each story, where some were heard again)."""
    if recorded.series is None:
        return how.sequences
    of_runs = recorded.columns.get("run", recorded.columns["story"])
    return [np.flatnonzero(of_runs == one) for one in dict.fromkeys(of_runs.tolist())]


word_space("word-rate", words.word_rate, "the number of words of a text; of a story, words a sample")
word_space("word-length", words.word_length, "characters of a word as written, the mean over a text's words")
word_space(
    "word-frequency",
    words.word_frequency,
    "log frequency of a word, the mean over a text's words: the column log_frequency or frequency, else counts within "
    "the stimuli",
)
word_space("word-duration", words.word_duration, "seconds from a word's onset to its offset")
word_space(
    "phoneme-rate", words.phoneme_rate, "phonemes of a word, by the column phonemes; of a story, a sample"
)


@nuisance_space("sound-power", "how loud it is, by the column sound_power of the words, or of the samples")
def sound_power(recorded: Recording, how: Sampling) -> Floats:
    """Of samples as it was measured; of words put at the samples."""
    del how
    if "sound_power" in recorded.columns:
        return words.sound_power(_table(recorded))
    return of_words(recorded, words.sound_power)


@nuisance_space(
    "head-motion",
    "the six movements of the head, standardized; of several subjects, their mean",
)
def head_motion(recorded: Recording, how: Sampling) -> Floats:
    """Three shifts and three turns of the head at each sample.

    Columns of the data set's confounds that BIDS calls ``trans_x`` to ``rot_z``, or the six of a table without names.
    A model has the same features for every neuroid, so that the movements of several subjects are standardized in each
    run and averaged: what they have in common. What one's own movements do is taken out of one's responses
    (``confounds = true``).

    Raises
    ------
    UserError
        Without confounds, or without movements among them.
    """
    del how
    confounds = None if recorded.series is None else recorded.series.confounds
    if confounds is None:
        raise UserError(
            f"{recorded.name}: there are no movements of the head: they are confounds of a recording in time, each of "
            "whose stories ran once"
        )
    by_subject: dict[str, list[str]] = {}
    for column in confounds.columns:
        by_subject.setdefault(str(column).rpartition(":")[0], []).append(column)
    people = [one for one in map(_movements, by_subject.values()) if one]
    if not people:
        raise UserError(
            f"{recorded.name}: none of the confounds are movements of the head: expected {', '.join(MOVEMENTS)}, or "
            "six columns without names"
        )
    each = [confounds[one].to_numpy(np.float64) for one in people]
    whole = [values for values in each if np.isfinite(values).all()]
    if not whole:
        raise UserError(f"{recorded.name}: the movements of nobody's head are known in all runs")
    runs = recorded.columns.get("run")
    mean: Floats = np.mean([standardized(values, runs) for values in whole], axis=0)
    return mean


def _movements(columns: Sequence[str]) -> list[str]:
    """The six movements among the confounds of a subject; none where they are not all there."""
    by_name = {str(one).rpartition(":")[2]: one for one in columns}
    named = (MOVEMENTS, [f"motion{i}" for i in range(1, 7)])
    unnamed = [[str(i) for i in range(6)]] if len(by_name) == 6 else []
    found = next((names for names in (*named, *unnamed) if set(names) <= set(by_name)), ())
    return [by_name[one] for one in found]


def of_words(recorded: Recording, found: Callable[[pd.DataFrame], Floats]) -> Floats:
    """What a function finds for a table of stimuli; of a recording in time for its words, put at the samples."""
    series = recorded.series
    try:
        if series is not None:
            return series.regressors(found(series.words))
        return found(_table(recorded))
    except UserError as error:
        raise UserError(f"{recorded.name}: {error}") from error


def _table(recorded: Recording) -> pd.DataFrame:
    return pd.DataFrame({"stimulus_id": recorded.stimulus_ids, **recorded.columns})


def of_column(recorded: Recording, name: str) -> Floats:
    """A column of the stimuli: numbers as they are; anything else one indicator a value.

    A column of the words of a recording in time is put at its samples.

    Raises
    ------
    UserError
        For missing values, or values of which every stimulus has its own.
    """
    if name in recorded.columns:
        return _of_values(recorded.columns[name], name, recorded.name)
    return of_words(recorded, lambda words: _of_values(words[name].to_numpy(object), name, recorded.name))


def _of_values(values: Labels, name: str, owner: str) -> Floats:
    missing = UserError(f"{owner}: the column {name!r} has missing values, so it is no nuisance space")
    if pd.isna(values).any():
        raise missing
    try:
        numbers = values.astype(np.float64)
    except (TypeError, ValueError):
        kinds, member = np.unique(values.astype(str), return_inverse=True)
        if len(kinds) == len(values):
            raise UserError(
                f"{owner}: every stimulus has its own {name!r}, so it is no nuisance space"
            ) from None
        indicators: Floats = np.eye(len(kinds))[member]
        return indicators
    if not np.isfinite(numbers).all():
        raise missing
    return numbers[:, None]
