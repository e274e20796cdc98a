"""What was shown while vertices were sampled: a trial a sample, or samples in time of stories and films."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ....errors import UserError
from ...imported import Imported, ReadOptions
from ..tables.trials import Trials, find_trials, read_trials, shown_in
from ..tables.words import stories_of
from ..volumes.repetition_time import LONGEST_TR, SHORTEST_TR, check_options
from .samples import Sampled, in_region, picked


def as_imported(sampled: Sampled, options: ReadOptions) -> Imported:
    """The samples with what was shown: a trial each, or a series.

    Raises
    ------
    UserError
        Where it is not said which, or the table does not fit.
    """
    if options.is_series():
        check_options(options, in_time=True)
        return _series(sampled, options)
    check_options(options, in_time=False)
    folder = _folder(sampled.path)
    table = find_trials(folder, options) if options.events or sampled.path.is_dir() else None
    if table is None and not sampled.names:
        raise UserError(
            f"{sampled.path} holds {sampled.n} {sampled.what}s and does not say what they are: say --events FILE (a "
            "row of the table for each, with stimulus_id), or --series yes (samples in time, of --stimuli FILE)"
        )
    if sampled.n < 2:
        raise UserError(
            f"{sampled.path} holds one {sampled.what}: a static map is no recording of stimuli; look at it with "
            "brodmann analyze FILE --surface L=MESH"
        )
    if table is None:
        names = pd.DataFrame({"stimulus_id": list(sampled.names)})
        trials = Trials(names, sampled.path.name, [f"stimuli: the names of the {sampled.what}s"])
    else:
        trials = read_trials(table, options)
    return _trials(sampled, trials, options)


def _folder(path: Path) -> Path:
    return path if path.is_dir() else path.parent


def _made(
    sampled: Sampled, options: ReadOptions, said: Sequence[str], rows: Any = None, **parts: Any
) -> Imported:
    columns = in_region(sampled.neuroids, options)
    return Imported(
        values=picked(sampled.values, columns, rows),
        neuroids=sampled.neuroids.iloc[columns].reset_index(drop=True),
        about=dict(sampled.about) | ({"units": options.units} if options.units else {}),
        surfaces=sampled.surfaces,
        said=[*sampled.said, *said],
        **parts,
    )


def _trials(sampled: Sampled, trials: Trials, options: ReadOptions) -> Imported:
    if len(trials.table) != sampled.n:
        raise UserError(
            f"{trials.name} has {len(trials.table)} rows, and {sampled.path} holds {sampled.n} {sampled.what}s: one "
            "row for each is needed (samples in time are read with --series yes)"
        )
    if len(sampled.runs) > 1:
        trials = replace(trials, table=_with_runs(trials, sampled))
    shown = shown_in(trials, options, _folder(sampled.path))
    rows = np.flatnonzero(trials.taken)
    left_out = {"trials without a stimulus": sampled.n - len(rows)} if len(rows) < sampled.n else {}
    said = [f"{len(rows)} {sampled.what}s, a trial each, by {trials.name}", *shown.said]
    return _made(
        sampled, options, said, rows, stimuli=shown.stimuli, presentations=shown.presentations,
        pictures=shown.pictures, left_out=dict(sampled.left_out) | left_out,
    )  # fmt: skip


def _with_runs(trials: Trials, sampled: Sampled) -> pd.DataFrame:
    """The table with the runs of the files; where it names runs of its own, they must be as many rows each."""
    names = np.repeat(list(sampled.runs), list(sampled.runs.values()))
    if "run" in trials.table:
        pairs = pd.DataFrame({"file": names, "said": trials.table["run"].astype(str)})
        if "session" in trials.table:
            pairs["said"] = trials.table["session"].astype(str) + " " + pairs["said"]
        pairs = pairs.drop_duplicates()
        if pairs["file"].duplicated().any():
            first = pairs["file"][pairs["file"].duplicated()].iloc[0]
            lengths = ", ".join(f"{run}: {n}" for run, n in sampled.runs.items())
            raise UserError(
                f"{trials.name}: the rows of the run {first!r} name several runs: its rows must stand in the order of "
                f"the files ({lengths})"
            )
    return trials.table.assign(run=names)


def _series(sampled: Sampled, options: ReadOptions) -> Imported:
    tr = _tr(sampled, options)
    runs, lengths = list(sampled.runs), [n * tr for n in sampled.runs.values()]
    table, stories, said = stories_of(runs, lengths, _folder(sampled.path), options)
    for run, story, length in zip(runs, stories, lengths, strict=True):
        late = float(table.loc[table["story"] == story, "onset"].max())
        if late > sampled.start + length + tr:
            raise UserError(
                f"onsets outside the run: {story!r} goes on until {late:g} s, and {run} ends at "
                f"{sampled.start + length:g} s ({sampled.runs[run]} {sampled.what}s, TR {tr:g} s)"
            )
    rows = [
        pd.DataFrame({"stimulus_id": story, "run": run, "time": sampled.start + np.arange(n) * tr})
        for (run, n), story in zip(sampled.runs.items(), stories, strict=True)
    ]
    said = [
        f"{sampled.n} samples in time of {len(runs)} runs, TR {tr:g} s, the first of a run at {sampled.start:g} s",
        *said,
    ]
    return _made(
        sampled, options, said, stimuli=table, presentations=pd.concat(rows, ignore_index=True), kind="series", tr=tr,
        blocks="run", left_out=dict(sampled.left_out),
    )  # fmt: skip


def _tr(sampled: Sampled, options: ReadOptions) -> float:
    said = options.numbers("tr", 1)
    if said is None and sampled.tr is None:
        raise UserError(f"{sampled.path} does not say how far apart its samples are: say --tr S")
    tr = float(sampled.tr if said is None else said[0])  # type: ignore[arg-type]
    if not SHORTEST_TR <= tr <= LONGEST_TR:
        raise UserError(
            f"{sampled.path}: samples are {SHORTEST_TR:g} to {LONGEST_TR:g} s apart, and hardly {tr:g} s: say --tr S"
        )
    if sampled.tr is not None and 1e-3 * sampled.tr < abs(tr - sampled.tr) and sampled.tr <= LONGEST_TR:
        raise UserError(f"--tr {tr:g} is not what {sampled.path} says: {sampled.tr:g} s")
    return tr
