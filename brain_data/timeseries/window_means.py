"""A sampled signal, on its own times, to its means in windows after onsets; read in stretches."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ...errors import UserError
from ..imported import Computed, Numbers
from .windows import Floats, Windows, borders_of

_NUMBERS = 1 << 22
"""Numbers that are read together."""


def samples_in(times: Floats, onsets: Floats, windows: Windows) -> npt.NDArray[np.int64]:
    """First sample, and the one after the last, with onset + start <= time < onset + end.

    Returns
    -------
    array of shape (2, n_onsets, n_windows)
    """
    found = [np.searchsorted(times, borders_of(onsets, edges)) for edges in (windows.starts, windows.ends)]
    return np.stack(found).astype(np.int64)


def check_samples(times: Floats, windows: Windows, place: str) -> float:
    """The time from sample to sample, in s.

    Raises
    ------
    UserError
        For times that do not ascend, or windows shorter than a sample.
    """
    if len(times) < 2 or not np.isfinite(times).all():
        raise UserError(f"{place} has no two samples whose times are known")
    steps = np.diff(times)
    if not (steps > 0).all():
        i = int(np.flatnonzero(~(steps > 0))[0])
        raise UserError(
            f"{place}: its times do not ascend (sample {i + 1}, {times[i + 1]:g} s after {times[i]:g} s)"
        )
    step = float(np.median(steps))
    if windows.seconds.min() < step * (1 - 1e-6):
        raise UserError(
            f"{place}: a window of {windows.seconds.min() * 1000:g} ms is shorter than a sample of {step * 1000:g} ms"
        )
    return step


def window_means(stored: Any, bounds: npt.NDArray[np.int64], columns: npt.NDArray[np.intp]) -> Floats:
    """Means of stretches of samples; NaN where a stretch is empty.

    Parameters
    ----------
    stored : array of shape (n_samples, n_columns)
        In memory or in a file.
    bounds : array of shape (2, n_onsets, n_windows)
        As of :func:`samples_in`.
    columns : array of int, ascending

    Returns
    -------
    array of shape (n_onsets, len(columns), n_windows)
    """
    starts, stops = (one.ravel() for one in bounds)
    found = np.full((len(starts), len(columns)), np.nan)
    if not len(columns):
        return found.reshape(*bounds.shape[1:], 0).transpose(0, 2, 1)
    across = slice(int(columns[0]), int(columns[-1]) + 1)
    budget = max(1, _NUMBERS // (across.stop - across.start))
    order = np.argsort(starts, kind="stable")
    order = order[(stops > starts)[order]]
    at = 0
    while at < len(order):
        first = starts[order[at]]
        ends = np.maximum.accumulate(stops[order[at : at + budget]])
        n = max(1, int(np.searchsorted(ends, first + budget, side="right")))
        block = np.asarray(stored[int(first) : int(ends[n - 1]), across], np.float64)[
            :, columns - across.start
        ]
        for i in order[at : at + n]:
            found[i] = block[starts[i] - first : stops[i] - first].mean(axis=0)
        at += n
    return found.reshape(*bounds.shape[1:], len(columns)).transpose(0, 2, 1)


def mean_of_bins(
    values: Numbers, bins: pd.DataFrame, start: float, end: float, place: str
) -> tuple[Computed, str]:
    """One response a trial: the mean of the time bins that lie from `start` to `end` in ms, and a line that says so.

    Each bin weighs as much as it is wide.

    Raises
    ------
    UserError
        Where none lies within.
    """
    first, last = (bins[name].to_numpy(np.float64) for name in ("time_bin_start", "time_bin_end"))
    inside = (first >= start - 1e-6) & (last <= end + 1e-6)
    if not inside.any():
        raise UserError(
            f"{place}: no time bin lies within --window {start:g},{end:g}: they go from {first.min():g} to "
            f"{last.max():g} ms by {(last - first).min():g}"
        )
    weights = (last - first)[inside] / (last - first)[inside].sum()

    def get(rows: slice, neuroids: slice) -> Floats:
        held: Floats = np.asarray(values[rows, neuroids], np.float64)[..., inside]
        mean: Floats = held @ weights
        return mean

    line = f"response: the mean of {int(inside.sum())} time bins, {first[inside].min():g} to {last[inside].max():g} ms"
    return Computed((values.shape[0], values.shape[1]), get, np.dtype(np.float64)), line
