"""A recording out of one file that names its arrays: which are the responses, which the stimuli, which way they lie."""

from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ....errors import UserError, unknown
from ...arrays import as_names
from ...columns import NEUROID, TIMED
from ...imported import Computed, Imported, Numbers, ReadOptions
from ...timeseries.window_means import mean_of_bins
from ..tables.presentations import of_one_subject, presentations_of, with_own_runs
from ..tables.stimuli import read_stimulus_table, stimuli_beside
from ..tables.table import file_beside, needed_file
from ..tables.words import numbered, one_story, read_words
from .named import Branch, Held, array_of, columns_at, find, held_in, listed

TAKES = (
    "array", "events", "stimuli", "stimulus_column", "region", "region_column", "subject", "bins", "window", "series",
    "tr", "units",
)  # fmt: skip
"""The options of every such file."""
_PIECE = 1 << 26
"""Bytes that are read at once where rows or columns are picked out."""
_OF_NEUROIDS = {*NEUROID, "subject", "hemisphere", "vertex", "ncsnr", "hemi", "roi"}
_BINS = ("time_bin_start", "time_bin_end")
_SAYS_NOTHING = {
    "tr": "is of samples in time: say --series yes with it",
    "bins": "is of a dimension of time, and {} has two",
    "window": "is of a dimension of time, and {} has two",
}
_OF_TRIALS = ("events", "stimulus_column", "bins", "window")
_OF_ONE_STORY = ("run", "session", "stimulus_id", "story")
_RENAMED = {"subject_id": "subject", "roi": "region", "hemi": "hemisphere"}
Columns = dict[str, npt.NDArray[Any]]
Lists = dict[str, Held]


@dataclass
class _File:
    """A file, its arrays, and what is said of them while they are read."""

    tree: Branch
    path: Path
    options: ReadOptions
    said: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.path.name


def recording_of(tree: Branch, path: Path, options: ReadOptions) -> Imported:
    """The recording that a file's arrays hold.

    Raises
    ------
    UserError
        For what is missing, does not fit, or may be read in several ways; the line names the option that settles it.
    """
    file = _File(tree, path, options)
    branch, held, named = array_of(tree, options.array, path)
    if not 2 <= len(held.shape) <= 3 or not prod(held.shape):
        raise UserError(
            f"{path.name}: {held} must be responses (trial, neuroid) or (trial, neuroid, time), not of "
            f"{len(held.shape)} dimensions or empty"
        )
    assert held.numbers is not None
    numbers = held.numbers()
    file.said.append(f"responses: {held}{'' if named else ', the only ones'}")
    if options.is_series():
        return _series(file, branch, held, numbers)
    for option, missing in (("tr", True), ("bins", len(held.shape) == 2), ("window", len(held.shape) == 2)):
        if getattr(options, option) is not None and missing:
            raise UserError(f"{path.name}: --{option} {_SAYS_NOTHING[option].format(held)}")
    trials, beside = _trials(file, branch, held)
    bins = _bins(file, branch)
    order = _order(file, held, len(trials), bins)
    values = _turned(numbers, order)
    n_neuroids = values.shape[1]
    if len(values.shape) == 3 and (bins is None or len(bins) != values.shape[2]):
        raise UserError(
            f"{path.name}: {held} has {values.shape[2]} time bins, and {0 if bins is None else len(bins)} are said"
        )
    if (asked := options.numbers("window", 2)) is not None and bins is not None:
        values, line = mean_of_bins(values, bins, asked[0], asked[1], path.name)
        file.said.append(line)
    beside = {name: one for name, one in beside.items() if name not in trials.columns and one is not held}
    of_trials, of_neuroids = _sorted_columns(file, beside, len(trials), n_neuroids)
    trials = with_own_runs(pd.concat([trials, pd.DataFrame(of_trials, index=trials.index)], axis=1))
    trials, rows, subject = of_one_subject(
        trials, options.subject if SUBJECT_OF not in of_neuroids else None, path.name
    )
    neuroids, columns = _neuroids(file, of_neuroids, n_neuroids, subject)
    shown = stimuli_beside(trials["stimulus_id"].tolist(), options.stimuli, trials)
    return Imported(
        shown.stimuli,
        picked(values, rows, columns),
        trials,
        neuroids,
        time_bins=bins if len(values.shape) == 3 else None,
        pictures=shown.pictures,
        about=_about(file),
        said=(*file.said, *shown.said),
    )


SUBJECT_OF = "subject"


def _about(file: _File) -> dict[str, str]:
    units = {} if file.options.units is None else {"units": file.options.units}
    return {"source": str(file.path), **units}


def _trials(file: _File, branch: Branch, held: Held) -> tuple[pd.DataFrame, Lists]:
    """The presentations, and the lists beside the responses that are not of them yet."""
    beside = _lists(branch)
    events, column = file.options.events, file.options.stimulus_column
    if events is not None:
        table = _events(file, events)
        trials = presentations_of(table, column or _only(table), f"{file.name}: {events}")
        return trials, beside
    wanted = column or "stimulus_id"
    for where in (beside, _lists(file.tree)):
        if wanted in where:
            ids = pd.DataFrame({wanted: where[wanted].column()})
            return presentations_of(ids, wanted, file.name), {k: v for k, v in beside.items() if k != wanted}
    node = find(file.tree, wanted)
    if isinstance(node, Held) and node.length is not None:
        return presentations_of(pd.DataFrame({wanted: node.column()}), wanted, file.name), beside
    lists = [one for _, _, one in held_in(file.tree) if one.length in held.shape or one.kind == "table"]
    odd = next((one[wanted] for one in (branch, file.tree) if isinstance(one.get(wanted), Held)), None)
    if odd is not None:
        raise UserError(f"{file.name}: {odd} is no list of a text or a number a trial: is a cell empty?")
    if column is not None:
        raise unknown(f"list of {file.name}", column, [one.place for one in lists])
    raise UserError(
        f"{file.name}: which stimulus each trial of {held} shows is not said: name the list of stimuli by "
        f"--stimulus-column, or the table of trials by --events (a file, or inside; there are {listed(lists)}); "
        "of samples in time say --series yes"
    )


def _only(table: pd.DataFrame) -> str | None:
    """The column of a table that has no other."""
    return str(table.columns[0]) if len(table.columns) == 1 else None


def _lists(branch: Branch) -> Lists:
    """Lists of a branch by name, not read yet: they may be long."""
    return {name: one for name, one in branch.items() if isinstance(one, Held) and one.length is not None}


def _events(file: _File, events: str) -> pd.DataFrame:
    node = find(file.tree, events)
    if node is None:
        path = file_beside(events, file.path)
        if path is None:
            raise unknown(
                f"table (neither inside {file.name} nor a file)",
                events,
                [one.place for _, _, one in held_in(file.tree)],
            )
        return read_stimulus_table(path)
    columns = columns_at(node, events, file.path, file.options.stimulus_column or "stimulus_id")
    lengths = {len(one) for one in columns.values()}
    if len(lengths) > 1:
        raise UserError(
            f"{file.name}: the lists of {events} are of different lengths ({', '.join(map(str, sorted(lengths)))}): "
            f"say which names the stimulus of each trial by --stimulus-column (there are {', '.join(columns)})"
        )
    return pd.DataFrame(columns)


def _bins(file: _File, branch: Branch) -> pd.DataFrame | None:
    """Time bins in ms: as a person says them, or as they stand beside the responses."""
    said = file.options.numbers("bins", 3)
    if said is not None:
        return time_bins(*said)
    lists = _lists({name: branch[name] for name in _BINS if name in branch})
    if len(lists) == 2 and lists[_BINS[0]].length == lists[_BINS[1]].length:
        return pd.DataFrame({name: one.column() for name, one in lists.items()})
    return None


def time_bins(start: float, end: float, width: float) -> pd.DataFrame:
    """Bins of `width` from `start` to `end`, all in ms.

    Raises
    ------
    UserError
        Where they do not fill the time.
    """
    count = (end - start) / width if width > 0 else 0
    if count < 1 - 1e-9 or abs(count - round(count)) > 1e-6:
        raise UserError(
            f"--bins {start:g},{end:g},{width:g}: bins of {width:g} ms do not fill {start:g} to {end:g} ms"
        )
    edges = start + width * np.arange(round(count) + 1)
    return pd.DataFrame({_BINS[0]: edges[:-1], _BINS[1]: edges[1:]})


def _order(file: _File, held: Held, n_trials: int, bins: pd.DataFrame | None) -> tuple[int, ...]:
    """Which dimension is of trials, of neuroids, and of time."""
    shape = held.shape
    of_trials = [place for place, size in enumerate(shape) if size == n_trials]
    if not of_trials:
        raise UserError(
            f"{file.name}: {held} has no dimension of {n_trials}, the number of trials that have a stimulus: name the "
            "list of the same trials by --events or --stimulus-column"
        )
    first = of_trials[0]
    rest = [place for place in range(len(shape)) if place != first]
    if len(shape) == 3:
        if bins is None:
            raise UserError(
                f"{file.name}: {held} has a dimension of time: say its bins by --bins A,B,WIDTH in ms after onset"
            )
        of_time = [place for place in rest if shape[place] == len(bins)]
        if not of_time:
            raise UserError(
                f"{file.name}: {held} has no dimension of {len(bins)}, the number of bins of --bins"
            )
        time = of_time[0 if first == 2 else -1]  # MATLAB's order, turned round as h5py sees it
        if len(of_time) > 1:
            file.said.append(f"dimension {time + 1} of {held.place} is taken as time, since two are as long")
        rest = [place for place in rest if place != time] + [time]
    order = (first, *rest)
    names = ("trials", "neuroids", "time")[: len(order)]
    if len(of_trials) > 1:
        file.said.append(f"dimension {first + 1} of {held.place} is taken as trials, since two are as long")
    if order != tuple(range(len(order))):
        inverse = [names[order.index(place)] for place in range(len(order))]
        file.said.append(f"{held.place} lies as ({', '.join(inverse)}): turned round")
    return order


def _turned(numbers: Numbers, order: tuple[int, ...]) -> Numbers:
    """Numbers with their dimensions as (trial, neuroid, time); read where they lie."""
    if order == tuple(range(len(order))):
        return numbers

    def get(rows: slice, neuroids: slice) -> npt.NDArray[Any]:
        wanted = (rows, neuroids, slice(None))
        key = tuple(wanted[order.index(place)] for place in range(len(order)))
        return np.asarray(numbers[key]).transpose(order)

    return Computed(tuple(numbers.shape[place] for place in order), get, numbers.dtype)


def picked(values: Numbers, rows: npt.NDArray[np.intp], columns: npt.NDArray[np.intp]) -> Numbers:
    """Some rows and columns of numbers that stay where they are; indices grow."""
    n_rows, n_columns = values.shape[:2]
    if len(rows) == n_rows and len(columns) == n_columns:
        return values
    width = prod(values.shape[2:]) * max(values.dtype.itemsize, 1)

    def get(some_rows: slice, some_columns: slice) -> npt.NDArray[Any]:
        r, c = rows[some_rows], columns[some_columns]
        found = np.empty((len(r), len(c), *values.shape[2:]), values.dtype)
        if not found.size:
            return found
        low, high = int(c.min()), int(c.max()) + 1
        step = max(1, _PIECE // ((high - low) * width))
        for start in range(0, len(r), step):
            for run in np.split(
                r[start : start + step], np.flatnonzero(np.diff(r[start : start + step]) != 1) + 1
            ):
                place = int(np.searchsorted(r, run[0]))
                block = np.asarray(values[int(run[0]) : int(run[-1]) + 1, low:high])
                found[place : place + len(run)] = block[:, c - low]
        return found

    return Computed((len(rows), len(columns), *values.shape[2:]), get, values.dtype)


def _sorted_columns(file: _File, beside: Lists, n_trials: int, n_neuroids: int) -> tuple[Columns, Columns]:
    """Lists beside the responses: of trials, of neuroids, and the others, which are named."""
    trials: Columns = {}
    neuroids: Columns = {}
    left = []
    for name, one in beside.items():
        is_neuroid = name in _OF_NEUROIDS or name == file.options.region_column
        if one.length == n_neuroids and (is_neuroid or (n_neuroids != n_trials and name not in TIMED[:2])):
            neuroids[name] = one.column()
        elif one.length == n_trials and (n_neuroids != n_trials or name in TIMED):
            trials[name] = one.column()
        elif name == SUBJECT_OF and one.length == 1:
            neuroids[name] = np.repeat(one.column(), n_neuroids)
        elif name not in _BINS:
            left.append(name)
    if left:
        more = f" and {len(left) - 6} more" if len(left) > 6 else ""
        file.said.append(
            f"not read, being lists neither of trials nor of neuroids: {', '.join(left[:6])}{more}"
        )
    return trials, neuroids


def _neuroids(
    file: _File, known: Columns, n_neuroids: int, subject: str | None
) -> tuple[pd.DataFrame, npt.NDArray[np.intp]]:
    """The table of neuroids, and which of them are taken."""
    options = file.options
    table = pd.DataFrame(known, index=range(n_neuroids))
    if options.region_column is not None:
        if options.region_column not in table.columns:
            raise unknown(f"list of neuroids of {file.name}", options.region_column, map(str, table.columns))
        table["region"] = table[options.region_column]
    table = table.rename(columns={old: new for old, new in _RENAMED.items() if new not in table.columns})
    if "neuroid_id" not in table.columns:
        table.insert(0, "neuroid_id", [f"n{place}" for place in range(n_neuroids)])
    if subject is not None and SUBJECT_OF not in table.columns:
        table[SUBJECT_OF] = subject
    for name in {"neuroid_id", "region", SUBJECT_OF} & set(table.columns):
        table[name] = as_names(table[name].to_numpy())
    taken = np.ones(n_neuroids, bool)
    for name, wanted in ((SUBJECT_OF, options.names("subject")), ("region", options.names("region"))):
        if wanted is None:
            continue
        if name == "region" and name not in table.columns:
            table[name] = ",".join(wanted)
            continue
        there = list(dict.fromkeys(table[name]))
        for one in wanted:
            if one not in there:
                raise unknown(f"{name} of {file.name}", one, there)
        taken &= table[name].isin(wanted).to_numpy()
    places = np.flatnonzero(taken)
    if not len(places):
        raise UserError(f"{file.name}: no neuroid is of the region and subject that are asked for")
    return table.iloc[places].reset_index(drop=True), places


def _series(file: _File, branch: Branch, held: Held, numbers: Numbers) -> Imported:
    """Samples in time: one story or film, which the file is called after unless the stimuli name it."""
    options = file.options
    if len(held.shape) != 2:
        raise UserError(f"{file.name}: {held} must be (sample, neuroid) for --series")
    for option in _OF_TRIALS:
        if getattr(options, option) is not None:
            raise UserError(
                f"--{option.replace('_', '-')} is of trials, and --series yes keeps samples in time"
            )
    step = options.numbers("tr", 1)
    if step is None or step[0] <= 0:
        raise UserError(f"{file.name} does not say the time from sample to sample: say it by --tr, in s")
    n_samples, n_neuroids = held.shape
    lists = _lists(branch)
    clock = next(
        (name for name in ("neuroid_id", "region", "x") if name in lists and lists[name].length == n_samples),
        None,
    )
    if clock is not None and n_samples != n_neuroids:
        numbers, n_samples, n_neuroids = _turned(numbers, (1, 0)), n_neuroids, n_samples
        file.said.append(f"{held.place} lies as (neuroids, samples): turned round")
    else:
        file.said.append(f"rows of {held.place} are taken as samples in time")
    beside = {
        name: one for name, one in lists.items() if one.length == n_samples != n_neuroids and one is not held
    }
    times = _clock(file, beside, step[0], n_samples)
    stimuli, story = _stories(file)
    rows = pd.DataFrame({"stimulus_id": story, "time": times, "run": story}, index=range(n_samples))
    if options.stimuli is None:
        stimuli["offset"] = times[-1] + step[0]
    of_neuroids = {name: one.column() for name, one in lists.items() if one.length == n_neuroids != n_samples}
    neuroids, columns = _neuroids(file, of_neuroids, n_neuroids, options.subject)
    return Imported(
        stimuli, picked(numbers, np.arange(n_samples), columns), rows, neuroids, kind="series", tr=step[0],
        blocks="run", about=_about(file), said=tuple(file.said),
    )  # fmt: skip


def _clock(file: _File, beside: Lists, step: float, n_samples: int) -> npt.NDArray[np.float64]:
    """When each sample was taken: as ``time`` beside the samples says, else from 0 s; the other lists are looked at."""
    for name in _OF_ONE_STORY:
        values = list(dict.fromkeys(as_names(beside[name].column()))) if name in beside else []
        if len(values) > 1:
            raise UserError(
                f"{file.name}: {name} of the samples is {', '.join(values[:4])}: a file is one run of one story here; "
                "save each by itself, and say in a dataset.toml which they are (a folder of time courses)"
            )
    left = [name for name in beside if name not in (*_OF_ONE_STORY, "time")]
    if left:
        file.said.append(f"not read, lists of the samples: {', '.join(left[:6])}")
    first = 0.0
    if "time" in beside:
        times = pd.to_numeric(beside["time"].column(), errors="coerce").astype(np.float64)
        first = float(times[0])
        if not np.allclose(times, first + step * np.arange(n_samples), rtol=0, atol=0.01 * step):
            raise UserError(f"{file.name}: time of the samples does not go on by --tr {step:g} s")
    file.said.append(f"time of the first sample: {first:g} s")
    return first + step * np.arange(n_samples)


def _stories(file: _File) -> tuple[pd.DataFrame, str]:
    story = file.path.name.split(".")[0]
    if file.options.stimuli is None:
        return pd.DataFrame({"stimulus_id": [story], "story": [story], "onset": [0.0]}), story
    words = numbered(read_words(needed_file("stimuli", file.options.stimuli, file.path)))
    return one_story(words, story, file.options.stimuli)
