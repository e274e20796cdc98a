"""Spike times and onsets, on one clock, to spike counts and rates in windows after each onset."""

from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import UserError
from .windows import NANOSECOND, Bools, Floats, Windows, borders_of, inside, window

Counts = npt.NDArray[np.int64]


def counts(spike_times: npt.ArrayLike, onsets: npt.ArrayLike, windows: Windows | None = None) -> Counts:
    """Spikes of one unit in windows [onset + start, onset + end).

    n = #{t < onset + end} - #{t < onset + start}, by binary search. A spike on a border, to a nanosecond, belongs to
    the window that starts there, however decimal numbers add up.

    Parameters
    ----------
    spike_times : array of shape (n_spikes,)
        In s, ascending.
    onsets : array of shape (n_onsets,)
        In s, of the same clock.
    windows : Windows, optional
        By default one of 70 to 170 ms.

    Returns
    -------
    array of shape (n_onsets, n_windows)
    """
    windows = windows or window()
    spikes, starts = np.asarray(spike_times, np.float64), np.asarray(onsets, np.float64)
    if windows.in_time:
        first, stop = np.searchsorted(
            spikes, borders_of(starts, 1000 * np.array(windows.bounds, np.float64))
        ).T
        if (stop - first).sum() < starts.size * len(windows.starts):  # spikes are fewer than borders
            return _sorted_into_bins(spikes, starts, windows, first, stop)
    edges, places = np.unique(np.r_[windows.starts, windows.ends], return_inverse=True)
    before = np.searchsorted(spikes, borders_of(starts, edges))
    n = len(windows.starts)
    found: Counts = before[:, places[n:]] - before[:, places[:n]]
    return found


def _sorted_into_bins(
    spikes: Floats, onsets: Floats, windows: Windows, first: Counts, stop: Counts
) -> Counts:
    """Counts in bins side by side, of spikes `first` to `stop` around each onset."""
    n, n_bins = stop - first, len(windows.starts)
    owners = np.repeat(np.arange(len(onsets)), n)
    places = np.arange(len(owners)) + np.repeat(first - np.cumsum(n) + n, n)
    after = spikes[places] - onsets[owners]
    bins = np.searchsorted(windows.ends[:-1] / 1000 - NANOSECOND, after, side="right")
    found: Counts = np.bincount(owners * n_bins + bins, minlength=len(onsets) * n_bins).reshape(-1, n_bins)
    return found


def rates(
    spike_times: npt.ArrayLike,
    onsets: npt.ArrayLike,
    windows: Windows | None = None,
    recorded: npt.ArrayLike | None = None,
) -> Floats:
    """Spikes/s of one unit in windows after each onset: counts over the windows' lengths.

    Parameters
    ----------
    spike_times, onsets, windows
        As of :func:`counts`.
    recorded : array of shape (n_intervals, 2), optional
        When the unit was recorded, in s: an onset with a window that is not wholly within one interval is NaN.

    Returns
    -------
    array of shape (n_onsets, n_windows)
    """
    windows = windows or window()
    found = counts(spike_times, onsets, windows) / windows.seconds
    if recorded is not None:
        found[~inside(onsets, windows, recorded)] = np.nan
    return found


def shaped(values: npt.NDArray[Any], windows: Windows) -> npt.NDArray[Any]:
    """(presentation, neuroid, window) without its last axis where there is one response without time."""
    return values if windows.in_time else values[:, :, 0]


def check_clock(heard: Bools, onsets: Floats, span: tuple[float, float], place: str) -> None:
    """Raise a UserError where no presentation lies within the recording.

    Parameters
    ----------
    heard : array of bool of shape (n_onsets,)
    onsets : array of shape (n_onsets,)
        In s.
    span : tuple of float
        First and last s of the recording.
    place : str
    """
    if not heard.any():
        raise UserError(
            f"{place}: all {len(onsets)} presentations (onsets from {np.nanmin(onsets):g} to {np.nanmax(onsets):g} s) "
            f"lie outside the recording ({span[0]:g} to {span[1]:g} s): are both in s, and of one clock?"
        )
