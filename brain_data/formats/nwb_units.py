"""Sorted units of an NWB file: which, where, and their spikes in windows after onsets."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ...errors import UserError
from ..imported import Computed, ReadOptions
from ..timeseries.spikes import check_clock, rates, shaped
from ..timeseries.trials import text_of
from ..timeseries.units import chosen_units
from ..timeseries.windows import Bools, Floats, Windows, inside
from .nwb_file import Table, member, needed, opened
from .nwb_places import Places, with_region

_STEP = 1 << 13
"""Every so many spikes a time is remembered, so that a stretch of time is found without reading the rest."""
_PIECE = 1 << 20
"""Spikes that are looked at together."""
_ELECTRODES = "general/extracellular_ephys/electrodes"


def units_of(
    path: Path,
    file: Any,
    onsets: Floats,
    invalid: Bools,
    windows: Windows,
    options: ReadOptions,
    said: list[str],
    left_out: dict[str, int],
) -> tuple[Computed, pd.DataFrame, dict[str, str]]:
    """Rates of the chosen units in windows after onsets, the units, and what is known of them all.

    Parameters
    ----------
    path : Path
    file : h5py.File
    onsets : array of shape (n_presentations,)
        In s.
    invalid : array of bool of shape (n_presentations,)
        Presentations whose responses are not to be trusted.
    windows : Windows
    options : ReadOptions
    said, left_out
        Added to.

    Raises
    ------
    UserError
        For units without spikes, spikes that are not in order, or of another clock than the onsets.
    """
    place = f"{path.name}: units"
    table = Table(member(file, "units"), place)
    trains = SpikeTrains.found(table, place)
    labels = table.labels()
    kept = chosen_units(labels, options.quality, place, said, left_out)
    silent = kept & (trains.stops == trains.starts)
    if silent.any():
        left_out["units without a spike"] = int(silent.sum())
        kept = kept & ~silent
    neuroids, about = _neuroids(path, file, table, labels, options, said)
    kept = kept & with_region(neuroids, options.region, place, kept, said, left_out)
    units = np.flatnonzero(kept)
    heard, which = _heard(table, trains, units, onsets, windows, said)
    _count_unheard(heard, which, invalid, onsets, place, trains, left_out)
    heard = [one & ~invalid for one in heard]

    def get(rows: slice, neuroids: slice) -> npt.NDArray[Any]:
        times = onsets[rows]
        taken = units[neuroids]
        found = np.empty((len(times), len(taken), len(windows.starts)), np.float32)
        if not len(times):
            return shaped(found, windows)
        span = np.min(times) + windows.bounds[0], np.max(times) + windows.bounds[1]
        with opened(path) as again:
            stored = needed(again, "units/spike_times", place)
            for i, unit in enumerate(taken):
                found[:, i] = rates(trains.between(stored, unit, *span), times, windows)
                found[~heard[which[neuroids][i]][rows], i] = np.nan
        return shaped(found, windows)

    shape = (len(onsets), len(units)) + ((len(windows.starts),) if windows.in_time else ())
    said.append(
        f"{len(units)} of {len(table)} units, {int(trains.counts[units].sum())} spikes: spikes/s, {windows}"
    )
    return Computed(shape, get), neuroids[kept].reset_index(drop=True), about | {"units": "spikes/s"}


@dataclass(frozen=True)
class SpikeTrains:
    """Where each unit's spikes stand in the array of all, and an index of their times.

    Attributes
    ----------
    starts, stops : array of shape (n_units,)
    places, times : array
        Every so many spikes, its place in the array and its time in s.
    span : tuple of float
        The first and last spike of all units, s.
    """

    starts: npt.NDArray[np.int64]
    stops: npt.NDArray[np.int64]
    places: npt.NDArray[np.int64]
    times: Floats
    span: tuple[float, float]

    @property
    def counts(self) -> npt.NDArray[np.int64]:
        """Spikes of each unit."""
        return self.stops - self.starts

    @classmethod
    def found(cls, table: Table, place: str) -> "SpikeTrains":
        """Those of a table of units, once all were seen to be in order.

        Raises
        ------
        UserError
            For no spikes, spikes out of order, or numbers that are no times in s.
        """
        if "spike_times" not in table:
            names = ", ".join(table.names[:8]) or "no columns"
            raise UserError(f"{place} have no spike_times (they have {names}): there are no spikes to count")
        stored = needed(table.group, "spike_times", place)
        if stored.dtype.kind != "f":
            raise UserError(f"{place}: spike_times are {stored.dtype}: NWB keeps them in s, not in samples")
        stops = table.ends("spike_times")
        starts = np.r_[np.int64(0), stops[:-1]]
        if not len(stops) or not stored.shape[0]:
            raise UserError(f"{place}: none of {len(stops)} units has a spike")
        times, first, last = [], np.inf, -np.inf
        before = np.nan
        begins = np.unique(starts)
        for at in range(0, stored.shape[0], _PIECE):
            piece = np.asarray(stored[at : at + _PIECE], np.float64)
            step = np.diff(piece, prepend=before)
            opens = begins[(begins >= at) & (begins < at + len(piece))] - at
            step[opens] = 0
            wrong = np.flatnonzero(~((step >= 0) & np.isfinite(piece)))
            if len(wrong):
                spike = at + int(wrong[0])
                unit = int(np.searchsorted(stops, spike, side="right"))
                number = bool(np.isfinite(piece[wrong[0]]))
                said = f"follows one {-1000 * step[wrong[0]]:g} ms later" if number else "is no number"
                raise UserError(
                    f"{place}: spike_times of unit {table.ids[unit]} are not in order (spike {spike - starts[unit]}, "
                    f"{piece[wrong[0]]:g} s, {said}): sort them"
                )
            times.append(piece[(-at) % _STEP :: _STEP].copy())
            first, last = min(first, float(piece.min())), max(last, float(piece.max()))
            before = piece[-1]
        places = np.arange(0, stored.shape[0], _STEP)
        return cls(starts, stops, places, np.concatenate(times), (first, last))

    def between(self, stored: Any, unit: int, start: float, end: float) -> Floats:
        """The spikes of a unit from `start` to `end` s, and at most some before and after."""
        first, last = self.starts[unit], self.stops[unit]
        own = slice(*np.searchsorted(self.places, (first, last)))
        places, times = self.places[own], self.times[own]
        below, above = times < start - 1e-6, times > end + 1e-6
        first = max(first, places[below].max(initial=first))
        last = min(last, places[above].min(initial=last))
        found: Floats = stored[int(first) : int(last)].astype(np.float64)
        return found


def _heard(
    table: Table,
    trains: SpikeTrains,
    units: npt.NDArray[np.intp],
    onsets: Floats,
    windows: Windows,
    said: list[str],
) -> tuple[list[Bools], npt.NDArray[np.intp]]:
    """Which presentations fell into the time of recording, once for all units that share it; and whose is which."""
    if "obs_intervals" not in table:
        said.append(
            f"the recording is taken to last from its first spike to its last ({trains.span[0]:g} to "
            f"{trains.span[1]:g} s): no obs_intervals"
        )
        return [inside(onsets, windows, [trains.span])], np.zeros(len(units), np.intp)
    spans = table.ragged("obs_intervals")
    keys: dict[bytes, int] = {}
    heard: list[Bools] = []
    which = np.empty(len(units), np.intp)
    for i, unit in enumerate(units):
        span = np.asarray(spans[unit], np.float64).reshape(-1, 2)
        if not (span[:, 1] >= span[:, 0]).all():
            raise UserError(f"{table.place}: obs_intervals of unit {table.ids[unit]} end before they start")
        key = span.tobytes()
        if key not in keys:
            keys[key] = len(heard)
            heard.append(inside(onsets, windows, span))
        which[i] = keys[key]
    return heard, which


def _count_unheard(
    heard: list[Bools],
    which: npt.NDArray[np.intp],
    invalid: Bools,
    onsets: Floats,
    place: str,
    trains: SpikeTrains,
    left_out: dict[str, int],
) -> None:
    some = np.logical_or.reduce(heard)
    check_clock(some, onsets, trains.span, place)
    if n := int((~some).sum()):
        left_out["presentations outside the recording (NaN)"] = n
    each = np.bincount(which, minlength=len(heard))
    n = sum(int((some & ~one).sum()) * int(times) for one, times in zip(heard, each, strict=True))
    if n:
        left_out["responses of units outside their obs_intervals (NaN)"] = n
    if n := int((invalid & some).sum()):
        left_out["presentations in invalid_times (NaN)"] = n


def _neuroids(
    path: Path, file: Any, table: Table, labels: pd.DataFrame, options: ReadOptions, said: list[str]
) -> tuple[pd.DataFrame, dict[str, str]]:
    """All units, with their regions, positions and labels."""
    ids = [text_of(one) for one in table.ids.tolist()]
    if len(set(ids)) < len(ids):
        twice = next(one for i, one in enumerate(ids) if one in ids[:i])
        raise UserError(f"{table.place}: two units have the id {twice}")
    group = member(file, _ELECTRODES)
    electrodes = None if group is None else Table(group, f"{path.name}: electrodes")
    places = Places(table, labels, electrodes)
    neuroids = pd.DataFrame({"neuroid_id": ids})
    regions = places.regions(options.region_column, said)
    if regions is not None:
        neuroids["region"] = regions
    about = places.add_positions(neuroids, said)
    for name in labels:
        if name not in neuroids and name not in ("subject", "id"):
            neuroids[name] = labels[name]
    return neuroids, about
