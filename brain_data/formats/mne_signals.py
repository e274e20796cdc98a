"""Samples of field potentials around onsets, read where they lie, and amplitudes in a band, made once."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from tempfile import TemporaryFile
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ...errors import UserError
from ...progress import track
from ..imported import Computed, Numbers
from ..timeseries.field_potentials import band_amplitude, mean_in_bins
from .mne_files import Opened, quietly

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]

_PIECE = 1 << 27
"""Bytes of samples that are read at once."""
_IN_MEMORY = 1 << 28
"""Amplitudes that take more lie in a file until the process ends."""
_EPSILON = 1e-6


@dataclass(frozen=True)
class Band:
    """From and to, in Hz, and the frequency of the mains, if it is to be taken out."""

    hertz: tuple[float, float]
    line: float | None


@dataclass(frozen=True)
class Cuts:
    """Which samples of a file make the response of each trial.

    Attributes
    ----------
    one : Opened
    rows : array
        The trials that are taken: numbers of epochs, or of events.
    starts : array
        Of a continuous recording, the sample of each onset.
    first, last : array
        Of each bin, its samples ``first ... last - 1``, from the start of an epoch or from onset.
    left_out : dict of str to int
    """

    one: Opened
    rows: Indices
    starts: Indices
    first: Indices
    last: Indices
    left_out: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of_epochs(cls, one: Opened, bins: pd.DataFrame) -> "Cuts":
        """The bins of all epochs of a file.

        Raises
        ------
        UserError
            For a bin outside of the epochs, or without a sample.
        """
        times = one.data.times
        first, last = _samples(bins, one.rate, float(times[0]))
        if first[0] < 0 or last[-1] > len(times):
            raise UserError(
                f"{one.path.name}: {_called(bins)} leaves the epochs, which last from {1000 * times[0]:g} to "
                f"{1000 * times[-1]:g} ms"
            )
        rows = np.arange(len(one.data))
        return cls(one, rows, np.zeros(len(rows), np.intp), first, last)

    @classmethod
    def of_onsets(
        cls, one: Opened, bins: pd.DataFrame, onsets: npt.NDArray[Any], bad: Sequence[tuple[int, int]]
    ) -> "Cuts":
        """The bins after the onsets in a continuous recording; trials that it does not hold whole are left out."""
        first, last = _samples(bins, one.rate, 0.0)
        begin, end = onsets + first.min(), onsets + last.max()
        outside = (begin < 0) | (end > one.data.n_times)
        spoiled = np.zeros(len(onsets), bool)
        for a, b in bad:
            spoiled |= (begin < b) & (end > a)
        counts = {
            "trials whose window leaves the recording": int(outside.sum()),
            "trials in segments marked bad": int((spoiled & ~outside).sum()),
        }
        kept = np.flatnonzero(~outside & ~spoiled)
        return cls(
            one, kept, onsets[kept].astype(np.intp), first, last, {k: v for k, v in counts.items() if v}
        )

    def taking(self, rows: Indices) -> "Cuts":
        """Some of the trials."""
        return replace(self, rows=self.rows[rows], starts=self.starts[rows])


def _called(bins: pd.DataFrame) -> str:
    return f"the time from {bins['time_bin_start'].iloc[0]:g} to {bins['time_bin_end'].iloc[-1]:g} ms"


def _samples(bins: pd.DataFrame, rate: float, start: float) -> tuple[Indices, Indices]:
    """Samples whose time lies in [a, b) of each bin; `start` is the time of sample 0, in s."""
    edges = [
        np.ceil((bins[name].to_numpy(float) / 1000 - start) * rate - _EPSILON).astype(np.intp)
        for name in ("time_bin_start", "time_bin_end")
    ]
    if (edges[1] <= edges[0]).any():
        raise UserError(f"bins hold no sample: there is one every {1000 / rate:g} ms")
    return edges[0], edges[1]


def cut_epochs(cuts: Sequence[Cuts], picks: Sequence[int], *, is_window: bool, band: Band | None) -> Numbers:
    """Responses of epochs, read from their files as they are asked for; `band` is of continuous recordings."""
    del band
    chosen = np.asarray(picks)

    def read(one: Cuts, rows: Indices, channels: Indices) -> Floats:
        data = one.one.data
        step = max(1, _PIECE // (8 * len(data.ch_names) * len(data.times)))
        pieces = []
        for start in range(0, len(rows), step):
            with quietly(one.one.path):
                values = data.get_data(
                    picks=channels, item=one.rows[rows[start : start + step]], verbose="ERROR"
                )
            pieces.append(mean_in_bins(values, one.first, one.last))
        return np.concatenate(pieces)

    return _by_file(cuts, chosen, read, is_window=is_window)


def cut_continuous(
    cuts: Sequence[Cuts], picks: Sequence[int], *, is_window: bool, band: Band | None
) -> Numbers:
    """Responses after onsets in continuous recordings; amplitudes in a band are made before they are cut."""
    chosen = np.asarray(picks)
    if band is not None:
        shape = (sum(len(one.rows) for one in cuts), len(chosen), len(cuts[0].first))
        parts = [(one.one, _windows_of(one)) for one in cuts]
        return made_once(parts, chosen, band, shape, is_window=is_window)

    def read(one: Cuts, rows: Indices, channels: Indices) -> Floats:
        values = np.empty((len(rows), len(channels), len(one.first)))
        begin, end = int(one.first.min()), int(one.last.max())
        for place, row in enumerate(rows):
            onset = int(one.starts[row])
            signal = samples(one.one, channels, onset + begin, onset + end)
            values[place] = mean_in_bins(signal, one.first - begin, one.last - begin)
        return values

    return _by_file(cuts, chosen, read, is_window=is_window)


def samples(one: Opened, channels: Indices, start: int, stop: int) -> Floats:
    """Samples of some channels, (channel, sample)."""
    with quietly(one.path):
        read: Floats = one.data.get_data(picks=channels, start=start, stop=stop, verbose="ERROR")
    return read


def _windows_of(one: Cuts) -> Callable[[Floats], Floats]:
    """From the signal of a channel to its responses, (trial, bin)."""

    def cut(signal: Floats) -> Floats:
        sums = np.concatenate([[0.0], np.cumsum(signal)])
        begins, ends = one.starts[:, None] + one.first, one.starts[:, None] + one.last
        means: Floats = (sums[ends] - sums[begins]) / (ends - begins)
        return means

    return cut


def _by_file(
    cuts: Sequence[Cuts],
    chosen: Indices,
    read: Callable[[Cuts, Indices, Indices], Floats],
    *,
    is_window: bool,
) -> Computed:
    ends = np.cumsum([0, *(len(one.rows) for one in cuts)])
    n_bins = len(cuts[0].first)

    def get(rows: slice, neuroids: slice) -> npt.NDArray[np.float32]:
        asked, channels = np.arange(ends[-1])[rows], chosen[neuroids]
        values = np.empty((len(asked), len(channels), n_bins), np.float32)
        if not values.size:
            return values[..., 0] if is_window else values
        for one, (start, end) in zip(cuts, pairwise(ends), strict=True):
            mine = np.flatnonzero((asked >= start) & (asked < end))
            if len(mine):
                values[mine] = read(one, asked[mine] - start, channels)
        return values[..., 0] if is_window else values

    shape = (int(ends[-1]), len(chosen), *(() if is_window else (n_bins,)))
    return Computed(shape, get)


def made_once(
    parts: Sequence[tuple[Opened, Callable[[Floats], Floats]]],
    chosen: Indices,
    band: Band,
    shape: tuple[int, int, int],
    *,
    is_window: bool,
) -> Computed:
    """Amplitudes that are made when they are first asked for, of the whole signal of a channel at a time."""
    made: list[npt.NDArray[np.float32]] = []
    lock = Lock()

    def get(rows: slice, neuroids: slice) -> npt.NDArray[np.float32]:
        with lock:
            if not made:
                values = scratch(shape)
                start = 0
                for one, cut in parts:
                    width = 0
                    for place, amplitude in amplitudes(one, chosen, band):
                        found = cut(amplitude)
                        width = len(found)
                        values[start : start + width, place] = found
                    start += width
                made.append(values)
        block = np.array(made[0][rows, neuroids])
        return block[..., 0] if is_window else block

    return Computed(shape[:2] if is_window else shape, get)


def scratch(shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
    """Room for numbers: in memory, or where they are many in a file that goes with the process."""
    if 4 * np.prod(shape, dtype=np.int64) <= _IN_MEMORY:
        return np.empty(shape, np.float32)
    return np.memmap(TemporaryFile(), np.float32, "w+", shape=shape)


def amplitudes(one: Opened, chosen: Indices, band: Band) -> Iterator[tuple[int, Floats]]:
    """The place of each channel and its amplitude in the band, over the whole recording."""
    step = max(1, _PIECE // (8 * one.data.n_times))
    groups = [np.arange(start, min(start + step, len(chosen))) for start in range(0, len(chosen), step)]
    for group in track(groups, f"amplitude of {one.path.name}"):
        signals = samples(one, chosen[group], 0, one.data.n_times)
        for place, signal in zip(group.tolist(), signals, strict=True):
            yield place, band_amplitude(signal, one.rate, band.hertz, band.line)
