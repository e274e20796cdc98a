"""Windows of time after an onset: one for a mean response, or many for a response in time."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from ...errors import UserError
from ..read_options import ReadOptions

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

WINDOW = (70.0, 170.0)
"""ms after onset of one mean response."""
PSTH = (-100.0, 300.0, 10.0)
"""First and last ms, and width of a bin, of responses in time."""
NANOSECOND = 1e-9
"""A border in s, added up from decimal numbers, is early or late by less."""
_LEAST = 1.0
"""ms: a shorter window is one in s."""
_MOST = 10_000


@dataclass(frozen=True)
class Windows:
    """Windows [start, end) in ms after an onset.

    Attributes
    ----------
    starts, ends : array of shape (n_windows,)
    in_time : bool
        Whether they are bins side by side, of a response in time; else there is one, whose response has no time.
    """

    starts: Floats
    ends: Floats
    in_time: bool = False

    @property
    def seconds(self) -> Floats:
        """Their lengths in s."""
        return (self.ends - self.starts) / 1000

    @property
    def bounds(self) -> tuple[float, float]:
        """Start of the first and end of the last, in s after onset."""
        return float(self.starts.min()) / 1000, float(self.ends.max()) / 1000

    @property
    def table(self) -> pd.DataFrame | None:
        """``time_bin_start`` and ``time_bin_end`` in ms; None for one response without time."""
        if not self.in_time:
            return None
        return pd.DataFrame({"time_bin_start": self.starts, "time_bin_end": self.ends})

    def __str__(self) -> str:
        first, last = self.starts.min(), self.ends.max()
        if not self.in_time:
            return f"{first:g} to {last:g} ms after onset"
        width = self.ends[0] - self.starts[0]
        return f"{len(self.starts)} bins of {width:g} ms from {first:g} to {last:g} ms after onset"


def window(start: float = WINDOW[0], end: float = WINDOW[1]) -> Windows:
    """One window.

    Raises
    ------
    UserError
        Where it ends before it starts.
    """
    if not end > start:
        raise UserError(f"--window {start:g},{end:g}: it must end after it starts (ms after onset)")
    if end - start < _LEAST:
        raise UserError(f"--window {start:g},{end:g}: it is in ms after onset, or are these s?")
    return Windows(np.array([start]), np.array([end]))


def bins(first: float = PSTH[0], last: float = PSTH[1], width: float = PSTH[2]) -> Windows:
    """Bins side by side.

    Raises
    ------
    UserError
        Where a whole number of them does not fit.
    """
    said = f"--bins {first:g},{last:g},{width:g}"
    if not last > first:
        raise UserError(f"{said}: the last must end after the first starts (ms after onset)")
    if not width > 0:
        raise UserError(f"{said}: a bin must be longer than 0 ms")
    n = (last - first) / width
    if n < 1 - 1e-9:
        raise UserError(f"{said}: the window of {last - first:g} ms is shorter than a bin of {width:g} ms")
    if n > _MOST:
        raise UserError(f"{said}: {n:.0f} bins, and at most {_MOST} are read: make them wider")
    if abs(n - round(n)) > 1e-6:
        raise UserError(f"{said}: {last - first:g} ms are no whole number of bins of {width:g} ms")
    borders = first + width * np.arange(round(n) + 1)
    return Windows(borders[:-1], borders[1:], in_time=True)


def windows_of(options: ReadOptions, default: Windows | None) -> Windows:
    """What ``--window`` or ``--bins`` say; ``--bins default`` are 10 ms from -100 to 300 ms.

    Raises
    ------
    UserError
        Where both were said, or neither and there is no default.
    """
    if options.window is not None and options.bins is not None:
        raise UserError("--window gives one response a trial and --bins responses in time: say one of them")
    if options.bins == "default":
        return bins()
    if (asked := options.numbers("bins", 3)) is not None:
        return bins(*asked)
    if (between := options.numbers("window", 2)) is not None:
        return window(*between)
    if default is None:
        raise UserError(
            "say the window of a response by --window A,B or its bins by --bins A,B,WIDTH (ms after onset)"
        )
    return default


def borders_of(onsets: npt.ArrayLike, edges: Floats) -> Floats:
    """Times in s, (onset, edge), of edges in ms after each onset."""
    return np.asarray(onsets, np.float64)[:, None] + edges / 1000 - NANOSECOND


def inside(onsets: npt.ArrayLike, windows: Windows, intervals: npt.ArrayLike) -> Bools:
    """Which onsets have all of their windows within one of some intervals.

    Parameters
    ----------
    onsets : array of shape (n_onsets,)
        In s; NaN lies nowhere.
    windows : Windows
    intervals : array of shape (n_intervals, 2)
        In s, of the same clock, in any order; those that touch or overlap are one.
    """
    first, last = windows.bounds
    times = np.asarray(onsets, np.float64)
    spans = _joined(np.asarray(intervals, np.float64).reshape(-1, 2))
    if not len(spans):
        return np.zeros(len(times), bool)
    which = np.searchsorted(spans[:, 0], times + first + NANOSECOND, side="right") - 1
    fits: Bools = (which >= 0) & (times + last - NANOSECOND <= spans[which, 1])
    return fits


def overlaps(onsets: npt.ArrayLike, windows: Windows, intervals: npt.ArrayLike) -> Bools:
    """Which onsets have a window that shares time with one of some intervals."""
    first, last = windows.bounds
    times = np.asarray(onsets, np.float64)
    spans = _joined(np.asarray(intervals, np.float64).reshape(-1, 2))
    if not len(spans):
        return np.zeros(len(times), bool)
    which = np.searchsorted(spans[:, 0], times + last - NANOSECOND, side="left") - 1
    shares: Bools = (which >= 0) & (spans[which, 1] > times + first + NANOSECOND)
    return shares


def _joined(intervals: Floats) -> Floats:
    """Intervals in order, those that touch or overlap made one."""
    found: list[list[float]] = []
    for start, end in intervals[np.argsort(intervals[:, 0], kind="stable")].tolist():
        if found and start <= found[-1][1] + NANOSECOND:
            found[-1][1] = max(found[-1][1], end)
        else:
            found.append([start, end])
    return np.array(found, np.float64).reshape(-1, 2)
