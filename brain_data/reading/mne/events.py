"""Which stimulus each epoch or event of a recording showed: from metadata, names of events, annotations, or a table."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from ....errors import UserError, unknown
from ...arrays import as_names
from ...imported import ReadOptions
from ...recorded import is_blank
from ..tables.presentations import presentations_of
from ..tables.stimuli import read_stimulus_table
from ..tables.table import needed_file
from .files import Opened

_CODE = re.compile(
    r"\d+|(stimulus|response|comment)/\s*[a-z]?\s*\d+|(event|trigger|code|marker)[ _-]*\d+", re.IGNORECASE
)
"""What is the number of a trigger, as recorders write it: ``12``, ``Stimulus/S 12``."""
_NO_EVENT = ("bad", "edge", "new segment", "boundary")
EVENT_ID = "event_id"
Samples = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Events:
    """What was shown, and when.

    Attributes
    ----------
    trials : DataFrame
        ``stimulus_id`` and labels.
    onsets : array
        Sample of each, from the start of the file.
    lengths : array
        In samples; 0 where it is not known.
    said : tuple of str
    """

    trials: pd.DataFrame
    onsets: Samples
    lengths: Samples
    said: tuple[str, ...] = ()


def is_code(name: str) -> bool:
    """Whether a name of an event says no more than its number."""
    return bool(_CODE.fullmatch(name.strip()))


def of_epochs(one: Opened, options: ReadOptions) -> tuple[pd.DataFrame, str]:
    """The trials of a file of epochs, and where they were found.

    Raises
    ------
    UserError
        Where neither a table, nor metadata, nor names of events say which stimulus an epoch showed.
    """
    epochs, column, where = one.data, options.stimulus_column, one.path.name
    if options.events is not None:
        table, path = _table(options.events, one.path)
        kept = epochs.selection if len(table) == len(epochs.drop_log) else np.arange(len(epochs))
        if len(table) not in (len(epochs), len(epochs.drop_log)):
            raise UserError(
                f"{path.name} has {len(table)} rows, but {where} has {len(epochs)} epochs (of {len(epochs.drop_log)}): "
                "give one row an epoch"
            )
        return presentations_of(table.iloc[kept], column, path.name), f"trials: {path.name}, one row an epoch"
    metadata = epochs.metadata
    if metadata is not None and column != EVENT_ID:
        return presentations_of(
            metadata, column, f"metadata of {where}"
        ), "trials: the metadata of the epochs"
    if metadata is None and column not in (None, EVENT_ID):
        raise UserError(
            f"{where} has no metadata, so no column {column!r}: give a table with one row an epoch by --events FILE, "
            f"or take the names of events by --stimulus-column {EVENT_ID}"
        )
    names = {code: name for name, code in epochs.event_id.items()}
    shown = [names[code] for code in epochs.events[:, 2].tolist()]
    if all(map(is_code, shown)):
        raise UserError(
            f"{where} has no metadata, and event codes alone ({', '.join(dict.fromkeys(shown[:50]))[:60]}) are no "
            "stimulus ids: give a table with one row an epoch by --events FILE"
        )
    trials = pd.DataFrame({"stimulus_id": shown})
    rest = (
        metadata.reset_index(drop=True).drop(columns="stimulus_id", errors="ignore")
        if metadata is not None
        else None
    )
    whole = trials if rest is None else pd.concat([trials, rest], axis=1)
    return presentations_of(whole, "stimulus_id", where), "trials: the names of events (event_id)"


def of_continuous(one: Opened, options: ReadOptions) -> Events:
    """The events of a continuous recording: a table with onsets, or its annotations.

    Raises
    ------
    UserError
        Where there are none, where they are codes alone, or lie outside of the recording.
    """
    if options.events is not None:
        return _of_table(one, options)
    found = annotated(one)
    where = one.path.name
    if options.stimulus_column not in (None, "description"):
        raise UserError(
            f"{where}: --stimulus-column {options.stimulus_column} is of a table: give it by --events FILE"
        )
    ask = "give a table with the columns onset (s) and stimulus_id by --events FILE"
    if not len(found.trials):
        raise UserError(f"{where} has no annotations that say what was shown: {ask}")
    named = ~found.trials["stimulus_id"].map(is_code).to_numpy(bool)
    if not named.any():
        codes = ", ".join(dict.fromkeys(found.trials["stimulus_id"]))[:60]
        raise UserError(f"{where}: event codes alone ({codes}) are no stimulus ids: {ask}")
    n_codes = int((~named).sum())
    said = (f"events that are codes alone: {n_codes}, left out",) if n_codes else ()
    return Events(
        found.trials[named].reset_index(drop=True),
        found.onsets[named],
        found.lengths[named],
        ("trials: the annotations", *said),
    )


def annotated(one: Opened) -> Events:
    """Annotations but those of bad segments and of the recorder itself."""
    onsets, lengths, names = _annotations(one)
    kept = np.array([not name.lower().startswith(_NO_EVENT) for name in names], bool)
    trials = pd.DataFrame({"stimulus_id": np.array(names, object)[kept] if len(names) else []}, dtype=object)
    return Events(trials, onsets[kept], lengths[kept])


def bad_segments(one: Opened) -> list[tuple[int, int]]:
    """From and to, in samples, of what was marked bad."""
    if one.is_epochs:
        return []
    onsets, lengths, names = _annotations(one)
    return [
        (int(start), int(start + length))
        for start, length, name in zip(onsets, lengths, names, strict=True)
        if name.lower().startswith("bad")
    ]


def _annotations(one: Opened) -> tuple[Samples, Samples, list[str]]:
    found = one.data.annotations
    first = one.data.first_samp / one.rate
    onsets = np.rint((np.asarray(found.onset, float) - first) * one.rate).astype(np.int64)
    lengths = np.rint(np.asarray(found.duration, float) * one.rate).astype(np.int64)
    return onsets.reshape(-1), lengths.reshape(-1), [str(name) for name in found.description]


def _table(events: str, path: Path) -> tuple[pd.DataFrame, Path]:
    found = needed_file("events", events, path, "table")
    return read_stimulus_table(found), found


def _of_table(one: Opened, options: ReadOptions) -> Events:
    table, path = _table(options.events or "", one.path)
    table, lines = _of_this_file(table, one, path)
    clock = next((name for name in ("onset", "sample") if name in table.columns), None)
    if clock is None:
        raise unknown(f"column: {path.name} needs", "onset", map(str, table.columns))
    scale = one.rate if clock == "onset" else 1.0
    times = pd.to_numeric(table[clock], errors="coerce").to_numpy(float)
    if not np.isfinite(times).all():
        row = int(np.flatnonzero(~np.isfinite(times))[0])
        raise UserError(f"{path.name}: {clock} in row {row + 2} is {table[clock].iloc[row]!r}, not a number")
    onsets = np.rint(times * scale).astype(np.int64)
    outside = (onsets < 0) | (onsets >= one.data.n_times)
    if outside.any():
        raise UserError(
            f"{path.name}: {int(outside.sum())} of {len(table)} events lie outside of {one.path.name}, which lasts "
            f"from 0 to {one.data.n_times / one.rate:g} s (first: {clock} {times[outside][0]:g}): onsets are in s from "
            "its start"
        )
    lengths = np.zeros(len(table), np.int64)
    if "duration" in table.columns:
        durations = pd.to_numeric(table["duration"], errors="coerce").fillna(0).to_numpy(float)
        lengths = np.rint(durations * one.rate).astype(np.int64)
    column = options.stimulus_column
    if column is None and "stimulus_id" not in table.columns and "trial_type" in table.columns:
        raise UserError(
            f"{path.name} has no column stimulus_id: say which names the stimulus by --stimulus-column (there are "
            f"{', '.join(map(str, table.columns[:12]))})"
        )
    blank = is_blank(table[column].to_numpy()) if column in table.columns else np.zeros(len(table), bool)
    kept = np.flatnonzero(~blank)  # responses and breaks show nothing
    if not len(kept):
        raise UserError(f"{path.name}: the column {column!r} is empty")
    said = (f"events without {column}: {int(blank.sum())}, left out",) if blank.any() else ()
    trials = presentations_of(table.iloc[kept], column, path.name)
    return Events(trials, onsets[kept], lengths[kept], (f"trials: {path.name}", *lines, *said))


def _of_this_file(table: pd.DataFrame, one: Opened, path: Path) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """The rows of a table that are of one of several files, which its column ``run`` names."""
    if len(one.runs) < 2:
        return table, ()
    if "run" not in table.columns:
        return table, (f"{path.name} has no column run: it is taken for each of {len(one.runs)} files",)
    names = as_names(table["run"].to_numpy())
    for name in dict.fromkeys(names.tolist()):
        found = [run for run in one.runs if _is_called(run, name)]
        if len(found) != 1:
            many = "no file" if not found else f"{len(found)} files"
            raise UserError(
                f"{path.name}: run {name!r} is of {many}: call it as one of {', '.join(one.runs)}"
            )
    mine = np.array([_is_called(one.run, name) for name in names], bool)
    if not mine.any():
        raise UserError(f"{path.name} has no row of the run {one.run!r} ({one.path.name})")
    return table[mine].reset_index(drop=True).drop(columns="run"), ()


def _is_called(run: str, name: str) -> bool:
    """Whether a table's name of a run, such as ``1``, ``01`` or ``run-1``, is that of a file's."""
    bare = re.compile(r"(?:^|_)run-0*(?=.)")
    return name == run or bare.split(run)[-1] == bare.sub("", name).lstrip("0") != ""
