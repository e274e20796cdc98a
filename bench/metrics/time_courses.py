"""What figures of a recording in time need of a score: predicted and recorded courses of a few neuroids, and delays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ...analysis.encoding.delay_profile import delay_products, delay_profile, ridge_weights
from ...analysis.encoding.nested_ridge import Fit
from .subjects import FEWEST

if TYPE_CHECKING:
    from .recording import Recording
    from .samples import Series

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]
Arrays = dict[str, npt.NDArray[Any]]

SHARES = (0.95, 0.75, 0.5, 0.25)
"""Quantiles of r whose neuroids are shown."""
_MOST_ROWS = 2000
"""Samples of which courses are kept."""
_WORDS_S = 60.0
"""Stretch whose words are kept."""
_LONGEST = 20
"""Letters of a word."""
_MOST_SOLVED = 4000
"""Features or samples, whichever are fewer, from which on weights are not made again."""


def time_courses(
    recorded: Recording, series: Series, tests: Sequence[Indices], predictions: Sequence[Floats], r: Floats
) -> Arrays:
    """Held-out predictions and responses of a few neuroids, less their mean in each fold, of sd 1.

    The mean product of the two, over all rows that were held out, is a neuroid's r where all were heard as often. Of
    long recordings the first 2000 samples are kept.

    Parameters
    ----------
    recorded : Recording
    series : Series
        Its own.
    tests : sequence of array of int
        Held-out rows of each fold.
    predictions : sequence of array of shape (n_test, n_neuroids)
    r : array of shape (n_neuroids,)
        NaN for neuroids that do not count; those nearest to the quantiles :data:`SHARES` of the others are kept.

    Returns
    -------
    dict
        ``course_neuroid`` and ``course_quantile`` (n_chosen,); ``course_observed`` and ``course_predicted`` (n_chosen,
        n_rows); ``course_time`` (s), ``course_story`` (a row of ``course_stories``) and ``course_fold`` (n_rows,);
        ``course_stretch``, a minute (from, to) of the longest story, ``course_stretch_of``: about the first border of
        folds, or the first one; its ``course_word`` and ``course_onset``.
    """
    chosen, quantiles = _typical(r)
    order = np.argsort(np.concatenate(tests), kind="stable")
    rows = np.concatenate(tests)[order][:_MOST_ROWS]
    folds = np.repeat(np.arange(len(tests)), [len(one) for one in tests])[order][:_MOST_ROWS]
    observed = _standardized([recorded.mean[np.ix_(test, chosen)] for test in tests])[order][:_MOST_ROWS]
    predicted = _standardized([one[:, chosen] for one in predictions])[order][:_MOST_ROWS]
    names, story = np.unique(np.asarray(recorded.columns["story"], str)[rows], return_inverse=True)
    time = np.asarray(recorded.columns["time"], np.float64)[rows]
    longest = int(np.bincount(story).argmax())
    found: Arrays = {
        "course_neuroid": chosen,
        "course_quantile": quantiles,
        "course_observed": observed.T.astype(np.float32),
        "course_predicted": predicted.T.astype(np.float32),
        "course_time": time,
        "course_story": story.astype(np.int16),
        "course_stories": names,
        "course_fold": folds.astype(np.int16),
    }
    here = np.flatnonzero(story == longest)
    borders = time[here[1:]][np.diff(folds[here]) != 0]
    start = max(time[here[0]], borders[0] - _WORDS_S / 2) if len(borders) else time[here[0]]
    return found | {"course_stretch_of": names[[longest]]} | _words(series, str(names[longest]), float(start))


def _typical(r: Floats) -> tuple[Indices, Floats]:
    """The neuroids whose r is nearest to each of the quantiles, every one once."""
    known = np.flatnonzero(np.isfinite(r))
    chosen: dict[int, float] = {}
    for share, value in zip(SHARES, np.quantile(r[known], SHARES), strict=True):
        chosen.setdefault(int(known[np.abs(r[known] - value).argmin()]), share)
    return np.array(list(chosen), np.intp), np.array(list(chosen.values()))


def _standardized(parts: Sequence[Floats]) -> Floats:
    whole = np.concatenate([one - one.mean(axis=0) for one in parts])
    spread = np.sqrt((whole**2).mean(axis=0))
    found: Floats = np.divide(whole, spread, out=np.zeros_like(whole), where=spread > 0)
    return found


def _words(series: Series, story: str, start: float) -> Arrays:
    """The words that are heard in the stretch; none of frames."""
    end = start + _WORDS_S
    found: Arrays = {"course_stretch": np.array([start, end])}
    if "word" not in series.words:
        return found
    table = series.words[series.words["story"].astype(str) == story]
    table = table[(table["onset"] >= start) & (table["onset"] < end)]
    words = [str(one)[:_LONGEST] for one in table["word"]]
    return found | {
        "course_word": np.array(words, str),
        "course_onset": table["onset"].to_numpy(np.float64),
    }


def delay_courses(
    features: Sequence[npt.ArrayLike],
    fits: Sequence[Fit],
    targets: Floats,
    members: Sequence[Indices],
    delays_s: Sequence[float],
    *,
    of_others: bool = False,
) -> Arrays:
    """The course over delays that the weights of all neuroids have in common, and the same without each part.

    Parameters
    ----------
    features : sequence of array of shape (n_rows, n_delays x n_features)
        Of the layer of each fold.
    fits : sequence of Fit
        One a fold.
    targets : array of shape (n_rows, n_neuroids)
        What they were fitted to.
    members : sequence of array of int
        The neuroids of each subject.
    delays_s : sequence of float
        In s.
    of_others : bool
        Whether each subject's targets are the mean of the other subjects: then what is fitted for one is what all say
        without that one.

    Returns
    -------
    dict
        ``delay_s`` and ``delay_profile`` (n_delays,); ``delay_without_fold`` (n_folds, n_delays), where a fold's fit is
        the one that has not seen it; ``delay_without_subject`` (n_subjects, n_delays), of four or more;
        ``delay_explained`` (1,). Nothing for one delay, or where weights would cost too much.
    """
    n_delays = len(delays_s)
    if n_delays < 2 or min(len(fits[0].split.train), np.shape(features[0])[1]) > _MOST_SOLVED:
        return {}
    products = np.zeros((len(fits), len(members), n_delays, n_delays))
    for fold, (one, given) in enumerate(zip(fits, features, strict=True)):
        x = np.asarray(given, np.float64)
        of_each = delay_products(x, ridge_weights(one, x, targets), n_delays)
        products[fold] = [of_each[neuroids].sum(axis=0) for neuroids in members]
    profile, explained = delay_profile(products.sum(axis=(0, 1)))
    found = {
        "delay_s": np.array(delays_s, np.float64),
        "delay_profile": profile,
        "delay_without_fold": delay_profile(products.sum(axis=1))[0],
        "delay_explained": np.array([explained]),
    }
    if len(members) >= FEWEST:
        own = products.sum(axis=0)
        found["delay_without_subject"] = delay_profile(own if of_others else own.sum(axis=0) - own)[0]
    return found
