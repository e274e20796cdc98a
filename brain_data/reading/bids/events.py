"""Tables of events in BIDS: what was shown when, and which stimulus it was."""

from collections.abc import Mapping, Sequence
from csv import QUOTE_NONE
from pathlib import Path

import numpy as np
import pandas as pd

from ....errors import UserError, first_line
from ...arrays import PICTURES
from .files import checked

NOTHING = ("n/a", "")
"""How BIDS writes that there is nothing."""
_BEFORE_S = 24.0
"""Trials that begin earlier before the first sample are no trials of a run, as in nilearn."""


def read_events(path: Path, root: Path) -> pd.DataFrame:
    """A table of events: ``onset`` and ``duration`` in s, everything else as it is written.

    Raises
    ------
    UserError
        For what is no such table.
    """
    try:
        table = pd.read_csv(
            checked(path, root),
            sep="\t",
            dtype=str,
            keep_default_na=False,
            encoding="utf-8-sig",
            quoting=QUOTE_NONE,
        )
    except (ValueError, OSError, pd.errors.ParserError) as error:
        raise UserError(f"{path} is not a table with tabs between its cells ({first_line(error)})") from error
    if not {"onset", "duration"} <= set(table.columns):
        raise UserError(
            f"{path} has no columns 'onset' and 'duration', but {', '.join(map(repr, table.columns[:8]))}"
        )
    if table["onset"].map(lambda cell: not isinstance(cell, str)).any():
        raise UserError(f"{path} has a row with fewer cells than its header")
    table["onset"] = _numbers(table["onset"], path)
    table["duration"] = _numbers(table["duration"].replace("n/a", "0"), path)
    if (table["duration"] < 0).any():
        raise UserError(
            f"{path}: row {int((table['duration'] < 0).to_numpy().argmax()) + 1} has a negative duration"
        )
    return table.sort_values("onset", kind="stable").reset_index(drop=True)


def _numbers(cells: "pd.Series[str]", path: Path) -> "pd.Series[float]":
    numbers = pd.to_numeric(cells, errors="coerce").astype(float)
    wrong = ~np.isfinite(numbers.to_numpy())
    if wrong.any():
        place = int(wrong.argmax())
        raise UserError(
            f"{path}: {cells.name} in row {place + 1} is {cells.iloc[place]!r}, not a number of seconds"
        )
    return numbers


def check_inside(events: pd.DataFrame, end: float, path: Path) -> None:
    """Refuse trials that are outside of their run, and those of several that last longer than it.

    Parameters
    ----------
    events : DataFrame
    end : float
        When the run ends, in s.
    path : Path
        The table, for the message.
    """
    outside = (
        (events["onset"] >= end) | (events["onset"] + events["duration"] < 0) | (events["onset"] < -_BEFORE_S)
    ).to_numpy()
    if outside.any():
        onset = float(events["onset"].iloc[int(outside.argmax())])
        raise UserError(
            f"{path}: {int(outside.sum())} of {len(events)} events are outside of their run, which ends at {end:g} s "
            f"(first onset: {onset:g} s): is it the table of this run, and in seconds?"
        )
    longest = float(events["duration"].max())
    if len(events) > 1 and longest > end:
        raise UserError(
            f"{path}: an event lasts {longest:g} s, longer than its run of {end:g} s: are durations in seconds?"
        )


def stimulus_column(tables: Mapping[str, pd.DataFrame], said: str | None) -> str:
    """The column that names the stimulus: the one that was said, else ``stim_file``, else ``trial_type``.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        The events by run.
    said : str or None

    Raises
    ------
    UserError
        Where a table has no such column.
    """
    for name in (said,) if said is not None else ("stim_file", "trial_type"):
        having = [run for run, table in tables.items() if name in table.columns]
        if len(having) == len(tables) and (said or any(_says(table[name]) for table in tables.values())):
            return name
        if having or said:
            lacking = next((run for run in tables if run not in having), "")
            if lacking:
                there = ", ".join(tables[lacking].columns)
                raise UserError(
                    f"the events of {lacking} have no column {name!r}, but {there}: say which names the stimulus by "
                    "--stimulus-column"
                )
    there = ", ".join(next(iter(tables.values())).columns)
    raise UserError(
        f"the events have neither 'stim_file' nor 'trial_type', but {there}: say which names the stimulus by "
        "--stimulus-column"
    )


def _says(cells: "pd.Series[str]") -> bool:
    return bool((~cells.isin(NOTHING)).any())


def trials_of(events: pd.DataFrame, column: str) -> pd.DataFrame:
    """The rows that name a stimulus, with ``stimulus_id``."""
    rows = events[~events[column].isin(NOTHING)].reset_index(drop=True)
    return rows.rename(columns={column: "stimulus_id"})


def stimuli_of(trials: pd.DataFrame) -> pd.DataFrame:
    """A row a stimulus, with the columns of events that are one text a stimulus."""
    by_stimulus = trials.groupby("stimulus_id", sort=False)
    labels = [
        name
        for name in trials.columns
        if name not in ("stimulus_id", "onset", "duration") and by_stimulus[name].nunique().max() == 1
    ]
    return (
        by_stimulus[labels].first().reset_index()
        if labels
        else trials[["stimulus_id"]].drop_duplicates(ignore_index=True)
    )


def pictures_of(names: Sequence[str], folder: Path) -> tuple[dict[str, Path], list[str]]:
    """The pictures that ``stim_file`` names below a folder, and the names of pictures that are not there.

    Raises
    ------
    UserError
        For a name that leads out of the folder.
    """
    found, absent = {}, []
    for name in names:
        if not name.lower().endswith(PICTURES):
            continue
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise UserError(f"stim_file {name!r} leads out of {folder}: refused")
        path = folder / name
        if path.exists() or path.is_symlink():
            found[name] = checked(path, folder)
        else:
            absent.append(name)
    return found, absent
