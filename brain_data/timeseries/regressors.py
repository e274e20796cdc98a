"""From words or frames with times to one row a sample: haemodynamic response, down-sampling, delays, drifts, ends."""

from collections.abc import Sequence
from math import factorial
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from ...errors import UserError, unknown
from .drifts import drifts, without

if TYPE_CHECKING:
    from scipy.sparse import csc_matrix

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]
Downsampling = Literal["lanczos", "mean", "sum", "last", "hrf"]

_GRID, _LENGTH, _LOBES = 0.1, 32.0, 3
"""Steps of the grid of impulses and the length of the response, in s; lobes of Lanczos' window."""
_WORDS = 4096
"""Whose features are in float64 at once."""


def haemodynamic_response(step: float = _GRID) -> Floats:
    """The response to an impulse, h(t) = t^5 e^-t / 5! - t^15 e^-t / (6 x 15!), t = 0 to 32 s, of sum 1.

    Parameters
    ----------
    step : float
        In s.

    Returns
    -------
    array of shape (n_steps,)

    References
    ----------
    .. [1] Friston et al. (1998), NeuroImage 7:30-40: the form and constants of SPM.
    """
    t = np.arange(0, _LENGTH, step)
    h = np.exp(-t) * (t**5 / factorial(5) - t**15 / (6 * factorial(15)))
    response: Floats = h / h.sum()
    return response


def at_samples(
    features: npt.ArrayLike,
    onsets: npt.ArrayLike,
    offsets: npt.ArrayLike,
    samples: npt.ArrayLike,
    tr: float,
    method: Downsampling = "lanczos",
) -> Floats:
    """Features of words or frames at the times of samples.

    With u_i = (onset + offset) / 2 of word i, and t_j the time of sample j, X_j is

    - ``lanczos``: sum_i L((t_j - u_i) / TR) v_i, L(x) = 3 sin(pi x) sin(pi x / 3) / (pi x)^2 for abs(x) < 3, L(0) = 1.
      It is not normalized: a constant feature becomes the rate of words, in words a sample;
    - ``mean``, ``sum``, ``last``: of the words with u_i in [t_j, t_j + TR), 0 where there is none. As a mean, a
      constant feature has no variance;
    - ``hrf``: impulses v_i at the offsets on a grid of 0.1 s, convolved with the haemodynamic response, at t_j. Then no
      delays are needed.

    Parameters
    ----------
    features : array of shape (n_words,) or (n_words, n_features)
        Of any precision; a memory map is read a few thousand words at a time.
    onsets, offsets : array of shape (n_words,)
        In s.
    samples : array of shape (n_samples,)
        In s, on the same clock.
    tr : float
        Seconds from sample to sample.
    method : {"lanczos", "mean", "sum", "last", "hrf"}

    Returns
    -------
    array of shape (n_samples, n_features)
        In float64. Beside it a weight is kept for each word and each of its few samples alone.

    Raises
    ------
    UserError
        For a method that is not known, or arrays that do not fit.

    References
    ----------
    .. [1] Huth et al. (2016), Nature 532:453-458: the down-sampling by Lanczos' window.
    """
    values = np.asarray(features)
    values = values[:, None] if values.ndim == 1 else values
    begin, end, times = (np.asarray(one, np.float64) for one in (onsets, offsets, samples))
    if method not in get_args(Downsampling):
        raise unknown("way of down-sampling", method, get_args(Downsampling))
    if not len(values) == len(begin) == len(end):
        raise UserError(
            f"there are {len(values)} rows of features, but {len(begin)} onsets and {len(end)} offsets"
        )
    found = np.zeros((len(times), values.shape[1]))
    if not len(values) or not len(times):
        return found
    order = np.argsort(times, kind="stable")
    inside = _weights(begin, end, times[order], tr, method)
    for first in range(0, len(values), _WORDS):
        some = slice(first, first + _WORDS)
        part = inside[:, some].tocsr()
        reached = np.flatnonzero(np.diff(part.indptr))
        found[order[reached]] += part[reached] @ np.asarray(values[some], np.float64)
    return found


def _weights(begin: Floats, end: Floats, times: Floats, tr: float, method: Downsampling) -> "csc_matrix":
    """How much of each word is in each sample, (n_samples, n_words): a few samples a word, so that most are absent."""
    if method == "hrf":
        start = np.floor(min(end.min(), times.min()) / _GRID) * _GRID
        ends, at = (np.round((one - start) / _GRID).astype(np.intp) for one in (end, times))
        response = haemodynamic_response()
        word, sample = _pairs(np.searchsorted(at, ends), np.searchsorted(at, ends + len(response)))
        return _sparse(response[at[sample] - ends[word]], word, sample, len(end), len(times))
    middle = (begin + end) / 2
    if method == "lanczos":
        reach = _LOBES * tr
        word, sample = _pairs(np.searchsorted(times, middle - reach), np.searchsorted(times, middle + reach))
        x = (times[sample] - middle[word]) / tr
        window = np.where(np.abs(x) < _LOBES, np.sinc(x) * np.sinc(x / _LOBES), 0.0)
        return _sparse(window, word, sample, len(end), len(times))
    sample = np.searchsorted(times, middle, side="right") - 1
    word = np.flatnonzero((sample >= 0) & (middle < times[sample] + tr))
    sample = sample[word]
    if method == "last":  # of several words of a sample
        sample, place = np.unique(sample[::-1], return_index=True)
        word = word[::-1][place]
    counts = np.bincount(sample, minlength=1)[sample] if method == "mean" else np.ones(len(word))
    return _sparse(1 / counts, word, sample, len(end), len(times))


def _pairs(first: Indices, behind: Indices) -> tuple[Indices, Indices]:
    """Each word with each of its samples, which stand side by side."""
    counts = behind - first
    word = np.repeat(np.arange(len(first)), counts)
    return word, np.arange(len(word)) - np.repeat(np.cumsum(counts) - counts - first, counts)


def _sparse(weights: Floats, word: Indices, sample: Indices, n_words: int, n_samples: int) -> "csc_matrix":
    from scipy.sparse import csc_matrix

    return csc_matrix((weights, (sample, word)), shape=(n_samples, n_words))


def delayed(
    features: npt.ArrayLike,
    delays: Sequence[int],
    runs: npt.ArrayLike | None = None,
    dtype: npt.DTypeLike = np.float64,
) -> npt.NDArray[Any]:
    """Copies of features that come so many samples later, side by side: [X_(j - d1), X_(j - d2), ...].

    Rows that look back beyond the start of their run are 0: nothing crosses from one run to the next.

    Parameters
    ----------
    features : array of shape (n_samples, n_features)
    delays : sequence of int
        In samples; negative ones look ahead.
    runs : array of shape (n_samples,), optional
        The run of each sample; rows of a run stand together.
    dtype : dtype
        Of what is made: float32 takes half of the room.

    Returns
    -------
    array of shape (n_samples, n_delays x n_features)
    """
    values = np.asarray(features)
    copies = np.zeros((len(values), len(delays), values.shape[1]), dtype)
    for rows in _parts(runs, len(values)):
        n = len(rows)
        for i, delay in enumerate(delays):
            if abs(delay) < n:
                copies[rows[max(delay, 0) : n + min(delay, 0)], i] = values[
                    rows[max(-delay, 0) : n - max(delay, 0)]
                ]
    return copies.reshape(len(values), -1)


def delays_of(seconds: Sequence[float], tr: float) -> list[int]:
    """Delays in s as whole samples.

    Raises
    ------
    UserError
        Where two of them are the same sample.
    """
    samples = [round(one / tr) for one in seconds]
    if len(set(samples)) < len(samples):
        listed = ", ".join(f"{one:g}" for one in seconds)
        raise UserError(f"delays of {listed} s are not different samples at a TR of {tr:g} s")
    return samples


def without_drift(
    values: npt.ArrayLike, tr: float, runs: npt.ArrayLike | None = None, order: int | None = None
) -> Floats:
    """The same without polynomials of the samples' order, run by run, by least squares.

    Parameters
    ----------
    values : array of shape (n_samples, n_columns)
    tr : float
    runs : array of shape (n_samples,), optional
    order : int, optional
        1 + half the minutes of the run, rounded down, by default.
    """
    found = np.array(values, np.float64)
    for rows in _parts(runs, len(found)):
        found[rows] = without(found[rows], drifts(len(rows), tr, "polynomial" if order is None else order))
    return found


def standardized(values: npt.ArrayLike, runs: npt.ArrayLike | None = None) -> Floats:
    """The same with mean 0 and standard deviation 1 of every column in every run; a constant becomes 0."""
    found = np.array(values, np.float64)
    for rows in _parts(runs, len(found)):
        part = found[rows] - found[rows].mean(axis=0)
        spread = part.std(axis=0)
        found[rows] = np.divide(part, spread, out=np.zeros_like(part), where=spread > 1e-12)
    return found


def kept(n_samples: int, trim: tuple[int, int], runs: npt.ArrayLike | None = None) -> npt.NDArray[np.bool_]:
    """Which samples are left when so many are cut from the start and from the end of every run.

    Raises
    ------
    UserError
        Where nothing is left of a run.
    """
    found = np.zeros(n_samples, bool)
    for rows in _parts(runs, n_samples):
        inner = rows[trim[0] : len(rows) - trim[1]]
        if not len(inner):
            raise UserError(
                f"a run of {len(rows)} samples has none left without its first {trim[0]} and last {trim[1]}"
            )
        found[inner] = True
    return found


def _parts(runs: npt.ArrayLike | None, n: int) -> list[npt.NDArray[np.intp]]:
    """The rows of each run, in order."""
    if runs is None:
        return [np.arange(n)]
    named = np.asarray(runs)
    if named.shape != (n,):
        raise UserError(f"there are {n} samples, but runs of {len(named)}")
    _, member = np.unique(named, return_inverse=True)
    return [np.flatnonzero(member == one) for one in range(int(member.max()) + 1)]


def timing(
    mean_response: npt.ArrayLike,
    onsets: npt.ArrayLike,
    offsets: npt.ArrayLike,
    samples: npt.ArrayLike,
    tr: float,
    reach: int = 4,
) -> dict[int, float]:
    """How well the rate of words agrees with the mean response, were the recording so many samples later.

    The rate is convolved with the haemodynamic response; both are without drifts. At a true clock the correlation is
    highest at a shift of 0.

    Parameters
    ----------
    mean_response : array of shape (n_samples,)
        Of one run, over neuroids.
    onsets, offsets : array of shape (n_words,)
    samples : array of shape (n_samples,)
    tr : float
    reach : int
        The largest shift, in samples.

    Returns
    -------
    dict of int to float
        Shift -> Pearson's r.
    """
    response = without_drift(np.asarray(mean_response, np.float64)[:, None], tr)[:, 0]
    times = np.asarray(samples, np.float64)
    ones = np.ones(len(np.asarray(onsets)))
    found = {}
    for shift in range(-reach, reach + 1):
        rate = without_drift(at_samples(ones, onsets, offsets, times + shift * tr, tr, "hrf"), tr)[:, 0]
        spread = rate.std() * response.std()
        found[shift] = float((rate * response).mean() / spread) if spread > 0 else float("nan")
    return found
