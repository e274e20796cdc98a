"""From words or frames with times to one row a sample: haemodynamic response, down-sampling, delays, drifts, ends."""

from collections.abc import Sequence
from math import factorial
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from ...errors import UserError, unknown

Floats = npt.NDArray[np.float64]
Downsampling = Literal["lanczos", "mean", "sum", "last", "hrf"]

_GRID, _LENGTH, _LOBES = 0.1, 32.0, 3
"""Steps of the grid of impulses and the length of the response, in s; lobes of Lanczos' window."""


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

    Raises
    ------
    UserError
        For a method that is not known, or arrays that do not fit.

    References
    ----------
    .. [1] Huth et al. (2016), Nature 532:453-458: the down-sampling by Lanczos' window.
    """
    values = np.asarray(features, np.float64)
    values = values[:, None] if values.ndim == 1 else values
    begin, end, times = (np.asarray(one, np.float64) for one in (onsets, offsets, samples))
    if method not in get_args(Downsampling):
        raise unknown("way of down-sampling", method, get_args(Downsampling))
    if not len(values) == len(begin) == len(end):
        raise UserError(
            f"there are {len(values)} rows of features, but {len(begin)} onsets and {len(end)} offsets"
        )
    middle = (begin + end) / 2
    if method == "hrf":
        return _convolved(values, end, times)
    if method == "lanczos":
        return _lanczos(values, middle, times, tr)
    member = np.searchsorted(times, middle, side="right") - 1
    inside = (member >= 0) & (member < len(times))
    inside[inside] = middle[inside] < times[member[inside]] + tr
    if method == "last":
        found = np.zeros((len(times), values.shape[1]))
        found[member[inside]] = values[inside]  # of several words the last one stays
        return found
    summed = np.zeros((len(times), values.shape[1]))
    np.add.at(summed, member[inside], values[inside])
    if method == "mean":
        summed /= np.maximum(np.bincount(member[inside], minlength=len(times)), 1)[:, None]
    return summed


def _lanczos(values: Floats, middle: Floats, times: Floats, tr: float) -> Floats:
    x = (times[:, None] - middle[None]) / tr
    weights = np.where(np.abs(x) < _LOBES, np.sinc(x) * np.sinc(x / _LOBES), 0.0)
    mixed: Floats = weights @ values
    return mixed


def _convolved(values: Floats, offsets: Floats, times: Floats) -> Floats:
    first = np.floor(min(float(offsets.min()), float(times.min())) / _GRID) * _GRID
    n = int(np.ceil((max(float(offsets.max()), float(times.max())) - first) / _GRID)) + 2
    impulses = np.zeros((n, values.shape[1]))
    np.add.at(impulses, np.round((offsets - first) / _GRID).astype(int), values)
    response = haemodynamic_response()
    size = n + len(response) - 1
    spectrum = np.fft.rfft(impulses, size, axis=0) * np.fft.rfft(response, size)[:, None]
    convolved: Floats = np.fft.irfft(spectrum, size, axis=0)[np.round((times - first) / _GRID).astype(int)]
    return convolved


def delayed(features: npt.ArrayLike, delays: Sequence[int], runs: npt.ArrayLike | None = None) -> Floats:
    """Copies of features that come so many samples later, side by side: [X_(j - d1), X_(j - d2), ...].

    Rows that look back beyond the start of their run are 0: nothing crosses from one run to the next.

    Parameters
    ----------
    features : array of shape (n_samples, n_features)
    delays : sequence of int
        In samples; negative ones look ahead.
    runs : array of shape (n_samples,), optional
        The run of each sample; rows of a run stand together.

    Returns
    -------
    array of shape (n_samples, n_delays x n_features)
    """
    values = np.asarray(features, np.float64)
    copies = np.zeros((len(values), len(delays), values.shape[1]))
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
        highest = max(1, 1 + int(len(rows) * tr / 120)) if order is None else order
        basis: Floats = np.vander(np.linspace(-1, 1, len(rows)), highest + 1)
        found[rows] -= basis @ np.linalg.lstsq(basis, found[rows], rcond=None)[0]
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
