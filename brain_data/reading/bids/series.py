"""Samples in time of a BIDS recording: which story or film ran, and when."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from ....errors import UserError
from ....progress import track
from ...arrays import PICTURES
from ...imported import Imported, ReadOptions
from .events import check_inside, pictures_of, stimulus_column, trials_of
from .neuroids import neuroids_of
from .responses import empty_responses, living, means_of, samples_of
from .runs import Recording, Run
from .trials import stimulus_folder

_APART = 0.1
"""Share of a TR by which rows of a run that repeats another may lie elsewhere."""
_TAKEN = ("stimulus_id", "story", "onset", "offset", "duration", "filename", "subject")


def read_series(recording: Recording, options: ReadOptions) -> Imported:
    """The samples of all runs, one after the other.

    Raises
    ------
    UserError
        For runs of unlike TR, and subjects whose runs do not fit.
    """
    _check_tr(recording)
    left_out: Counter[str] = Counter()
    people = list(recording.by_subject.values())
    runs = _common(people, left_out)
    confounds = _confounds(people)
    column = _column(recording, options)
    words, shown = _stories(runs[0], column)
    _check_clocks(runs, column)
    if options.stimuli is not None and "filename" not in words:
        raise UserError(
            f"--stimuli {options.stimuli} is the folder of the pictures that events name, and they name none: words "
            "and frames are the rows of events.tsv, or of --events TABLE"
        )
    neuroids = neuroids_of(recording, options, left_out)
    presentations = _samples(runs[0], shown)
    values = empty_responses((len(presentations), len(neuroids.table)))
    dead = np.zeros(len(neuroids.table), dtype=bool)
    for subject in track(runs, "reading each subject"):
        start = 0
        for run in subject:
            place = neuroids.columns[run.files.subject]
            series = samples_of(run, neuroids)
            dead[place] |= ~means_of(series, run.confounds.kept)[1]
            values[start : start + run.image.n_samples, place] = series
            start += run.image.n_samples
    numbers, table, images = living(values, dead, recording, neuroids, left_out)
    pictures: dict[str, Path] = {}
    if column and "filename" in words:
        folder_of = stimulus_folder(recording, options)
        found, absent = pictures_of(list(dict.fromkeys(words["filename"])), folder_of)
        if absent or len(found) < words["filename"].nunique():
            words = words.drop(columns="filename")
            recording.said.append(
                f"{len(absent)} pictures are not in {folder_of}: name their folder by --stimuli"
            )
        else:
            pictures = {
                one: found[name] for one, name in zip(words["stimulus_id"], words["filename"], strict=True)
            }
    good = np.concatenate(
        [np.logical_and.reduce([one[i].confounds.kept for one in runs]) for i in range(len(runs[0]))]
    )
    n_stories = words["story"].nunique()
    return Imported(
        stimuli=words,
        values=numbers,
        presentations=presentations,
        neuroids=table,
        pictures=pictures,
        kind="series",
        tr=recording.runs[0].tr,
        confounds=confounds,
        good=good,
        blocks="run",
        about=recording.about | {"units": options.units or "as in the images"},
        surfaces=neuroids.surfaces,
        images=images,
        said=[
            *recording.said,
            f"{len(presentations)} samples in time of {len(runs[0])} runs, {n_stories} stories or films with "
            f"{len(words)} words or frames" + (f", which {column!r} names" if column else ""),
        ],
        left_out={reason: number for reason, number in left_out.items() if number},
    )


def _check_tr(recording: Recording) -> None:
    by_tr: dict[float, Run] = {}
    for run in recording.runs:
        by_tr.setdefault(round(run.tr, 6), run)
    if len(by_tr) > 1:
        (one, first), (two, second) = list(by_tr.items())[:2]
        raise UserError(
            f"runs are sampled every {one:g} s ({first.files.first.path.name}) and every {two:g} s "
            f"({second.files.first.path.name}): a series has one TR; choose runs by --task, --session or --run"
        )


def _common(people: Sequence[Sequence[Run]], left_out: Counter[str]) -> list[list[Run]]:
    """Of each subject the runs that all have, in one order."""
    named = [{run.name: run for run in runs} for runs in people]
    names = [name for name in named[0] if all(name in one for one in named)]
    if not names:
        raise UserError("there is no run that every subject has: add one subject at a time by --subject")
    left_out["runs of single subjects that not every subject has"] += sum(
        len(one) - len(names) for one in named
    )
    for name in names:
        lengths = {one[name].image.n_samples for one in named}
        if len(lengths) > 1:
            raise UserError(
                f"{name} has {' and '.join(map(str, sorted(lengths)))} samples, by subject: add one subject at a time "
                "by --subject"
            )
    return [[one[name] for name in names] for one in named]


def _confounds(people: Sequence[Sequence[Run]]) -> pd.DataFrame | None:
    """A row a sample; a column that a run has not is 0 in it."""
    tables = [run.confounds.table for run in people[0]]
    if all(one is None for one in tables):
        return None
    if len(people) > 1:
        raise UserError(
            "the confounds of a series are those of one subject: add one at a time by --subject, or take "
            "--confounds none"
        )
    filled = [
        pd.DataFrame(index=range(run.image.n_samples)) if one is None else one
        for run, one in zip(people[0], tables, strict=True)
    ]
    return pd.concat(filled, ignore_index=True).fillna(0.0)


def _column(recording: Recording, options: ReadOptions) -> str:
    """The column that names stimuli; nothing where there are no events at all."""
    tables = {
        f"sub-{run.files.subject} {run.name}": run.events for run in recording.runs if run.events is not None
    }
    if not tables:
        recording.said.append("there are no events: each run is one stimulus, named by its task and run")
        return ""
    lacking = [run for run in recording.runs if run.events is None]
    if lacking:
        raise UserError(f"there are no events of {lacking[0].files.first.path}, though other runs have them")
    return stimulus_column(tables, options.stimulus_column)


def _shown(run: Run, column: str) -> pd.DataFrame:
    """What a run showed, on its clock."""
    end = run.start + run.tr * run.image.n_samples
    if run.events is None or run.events_path is None:
        task = run.files.first.entities.get("task", "")
        named = (
            task if run.name == f"task-{task}" else run.name if "task-" in run.name else f"{task}_{run.name}"
        )
        return pd.DataFrame({"stimulus_id": [named], "onset": [0.0], "duration": [end]})
    found = trials_of(run.events, column)
    if found.empty:
        raise UserError(f"{run.events_path}: no row names a stimulus in column {column!r}")
    check_inside(found, end, run.events_path)
    return found


def _stories(runs: Sequence[Run], column: str) -> tuple[pd.DataFrame, list[tuple[str, int, float]]]:
    """The table of words or frames; of each run its story, how often that came before, and when it began in s.

    A run whose events are one row shows the story that the row names, from its onset on. Of several rows, the run's
    own name is the story, and runs with the same rows repeat it, on its clock, however much later they all begin.
    """
    words: list[pd.DataFrame] = []
    told: list[tuple[str, pd.DataFrame, float]] = []
    times: Counter[str] = Counter()
    shown = []
    for run in runs:
        table = _shown(run, column)
        again = next((one for one in told if _repeats(table, one[1], _APART * run.tr)), None)
        if again is None:
            alone = len(table) == 1
            name = str(table["stimulus_id"].iloc[0]) if alone else run.name
            again = name, table, float(table["onset"].iloc[0]) if alone else 0.0
            told.append(again)
            words.append(_words(table.assign(onset=table["onset"] - again[2]), name, column))
        name, first, began = again
        shown.append((name, times[name], began + float(_later(table, first).median())))
        times[name] += 1
    return pd.concat(words, ignore_index=True), shown


def _later(table: pd.DataFrame, first: pd.DataFrame) -> "pd.Series[float]":
    """How much later each row of the same stimuli begins, in s."""
    return table["onset"].reset_index(drop=True) - first["onset"].reset_index(drop=True)


def _repeats(table: pd.DataFrame, first: pd.DataFrame, apart: float) -> bool:
    """Whether two runs showed the same, at times that are as far apart but for so many seconds."""
    if table["stimulus_id"].tolist() != first["stimulus_id"].tolist():
        return False
    later = _later(table, first)
    lasts = np.abs(table["duration"].to_numpy() - first["duration"].to_numpy())
    return len(table) == 1 or bool(max(np.abs(later - later.median()).max(), lasts.max()) <= apart)


def _words(table: pd.DataFrame, story: str, column: str) -> pd.DataFrame:
    labels = [name for name in table.columns if name not in _TAKEN]
    ids = [story] if len(table) == 1 else [f"{story}.{i:0{len(str(len(table)))}d}" for i in range(len(table))]
    found = pd.DataFrame(
        {
            "stimulus_id": ids,
            "story": story,
            "onset": table["onset"],
            "offset": table["onset"] + table["duration"],
        }
    )
    if len(table) > 1:
        found[column] = table["stimulus_id"]
        if _are_pictures(table["stimulus_id"]):
            found["filename"] = table["stimulus_id"]
    found[labels] = table[labels]
    return found


def _are_pictures(names: "pd.Series[str]") -> bool:
    return bool(names.str.lower().str.endswith(PICTURES).all())


def _check_clocks(people: Sequence[Sequence[Run]], column: str) -> None:
    """Refuse subjects who saw other things, or at other times of the same samples."""
    for i, run in enumerate(people[0]):
        first = _shown(run, column)[["stimulus_id", "onset"]]
        for other in people[1:]:
            there = _shown(other[i], column)[["stimulus_id", "onset"]]
            same = len(there) == len(first) and (there["stimulus_id"] == first["stimulus_id"]).all()
            shift = (
                np.abs(there["onset"] - first["onset"]).max() + abs(other[i].start - run.start)
                if same
                else np.inf
            )
            if shift > run.tr / 100:
                why = f"{shift:g} s apart" if same else "of other stimuli"
                raise UserError(
                    f"{run.name}: the events of sub-{run.files.subject} and sub-{other[i].files.subject} are {why}, "
                    "and one row holds one sample of all: add one subject at a time by --subject"
                )


def _samples(runs: Sequence[Run], shown: Sequence[tuple[str, int, float]]) -> pd.DataFrame:
    tables = []
    for run, (story, repetition, began) in zip(runs, shown, strict=True):
        times: npt.NDArray[np.float64] = run.times - began
        table = pd.DataFrame({"stimulus_id": story, "repetition": repetition, "run": run.name, "time": times})
        if run.session:
            table["session"] = run.session
        tables.append(table)
    found = pd.concat(tables, ignore_index=True)
    return found if "session" not in found else found.fillna({"session": ""})
