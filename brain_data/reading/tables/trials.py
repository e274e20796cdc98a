"""The table of what was shown, a row a trial, and what is known of each stimulus."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from ....errors import UserError
from ...arrays import PICTURES
from ...imported import ReadOptions
from ...text_columns import TEXT_COLUMNS
from .pictures import check_there, named_pictures, pictures_called
from .presentations import SUBJECT, of_one_subject, with_own_runs
from .stimuli import check_listed, read_stimuli
from .table import needed_file, read_table

_TABLES = (".tsv", ".csv")
_USUAL = ("trials", "events")
_NOT_TRIALS = ("stimuli", "labels", "participants", "neuroids")
_MISSING = ("", "n/a", "na", "nan", "none")
_OF_TRIALS = ("stimulus_id", "repetition", "run", "session", "time")


@dataclass(frozen=True)
class Trials:
    """What was shown in each trial.

    Attributes
    ----------
    table : DataFrame
        One row a trial: ``stimulus_id`` (blank where the trial is to be left out), ``repetition``, and what else the
        table has, under its names.
    name : str
        Of the file.
    said : list of str
    """

    table: pd.DataFrame
    name: str
    said: list[str] = field(default_factory=list)

    @property
    def taken(self) -> pd.Series:
        """Whether each trial names its stimulus."""
        return ~self.table["stimulus_id"].str.strip().str.lower().isin(_MISSING)


@dataclass(frozen=True)
class Shown:
    """Stimuli and presentations, as :class:`.imported.Imported` has them."""

    stimuli: pd.DataFrame
    presentations: pd.DataFrame
    pictures: dict[str, Path]
    said: list[str]


def find_trials(folder: Path, options: ReadOptions) -> Path | None:
    """The table of trials by ``--events``, else the one in the folder; None where there is none.

    Raises
    ------
    UserError
        For a file that is not there, and where there are several.
    """
    if options.events is not None:
        return needed_file("events", options.events, folder, "table of trials")
    tables = sorted(one for one in folder.iterdir() if one.suffix.lower() in _TABLES and one.is_file())
    usual = [one for one in tables if one.stem.lower() in _USUAL]
    others = usual or [one for one in tables if one.stem.lower() not in _NOT_TRIALS]
    if len(others) > 1:
        names = ", ".join(one.name for one in others[:8])
        raise UserError(f"{folder} holds the tables {names}: say by --events which is of the trials")
    return others[0] if others else None


def read_trials(path: Path, options: ReadOptions) -> Trials:
    """A table of trials.

    Raises
    ------
    UserError
        Where no column names the stimulus, or the trials are of several subjects.
    """
    column = options.stimulus_column or "stimulus_id"
    texts = (column, *_OF_TRIALS[2:4], SUBJECT, "filename", "stim_file", *TEXT_COLUMNS)
    table = read_table(path, texts, missing=_MISSING)
    if column not in table.columns:
        has = ", ".join(map(str, table.columns[:10]))
        raise UserError(
            f"{path.name} has no column {column!r}: say which names the stimulus by --stimulus-column ({has})"
        )
    said = []
    if column != "stimulus_id":
        table = table.drop(columns="stimulus_id", errors="ignore").rename(columns={column: "stimulus_id"})
        said.append(f"the stimulus of a trial: column {column} of {path.name}")
    table = _of_subject(table, path, options)
    if not len(table):
        raise UserError(f"{path.name} has no rows: a row a trial is needed")
    trials = Trials(table, path.name, said)
    if not trials.taken.any():
        raise UserError(f"{path.name} names no stimulus in any row of {column}")
    return trials


def _of_subject(table: pd.DataFrame, path: Path, options: ReadOptions) -> pd.DataFrame:
    if SUBJECT not in table.columns or table[SUBJECT].nunique() < 2:
        return table
    wanted = options.names("subject")
    rows = of_one_subject(table, wanted[0] if wanted and len(wanted) == 1 else None, path.name)[1]
    return table.iloc[rows].reset_index(drop=True)


def subject_of(trials: Trials | None, options: ReadOptions, path: Path) -> str:
    """Who was recorded: by ``--subject``, the table, or a name such as ``sub-01_``; empty where nobody says.

    Raises
    ------
    UserError
        For several: an image is of one person.
    """
    wanted = options.names("subject")
    if wanted is not None:
        if len(wanted) != 1:
            raise UserError(f"--subject names the one person that {path.name} is of, not {options.subject!r}")
        return wanted[0]
    if trials is not None and SUBJECT in trials.table.columns:
        return str(trials.table[SUBJECT].iloc[0])
    parts = [one for one in (path.name.split("_")[0], path.parent.name) if one.startswith("sub-")]
    return parts[0].removeprefix("sub-") if parts else ""


def shown_in(trials: Trials, options: ReadOptions, folder: Path) -> Shown:
    """Stimuli and presentations of a table of trials, without the trials that name no stimulus.

    What is the same in all trials of a stimulus is said of the stimulus. ``--stimuli`` names a table of further
    columns, or the folder of their pictures; else ``stimuli.csv``, ``stimuli.tsv`` and ``stimuli/`` are looked for.

    Raises
    ------
    UserError
        For pictures that are not there, and tables that do not name all stimuli.
    """
    table = trials.table[trials.taken].reset_index(drop=True)
    ids = table["stimulus_id"].str.strip()
    said = [*trials.said]
    presentations = pd.DataFrame({"stimulus_id": ids})
    presentations["repetition"] = _repetitions(table, ids, trials.name, said)
    for column, labels in _runs(table, said).items():
        presentations[column] = labels
    names = list(dict.fromkeys(ids))
    stimuli = pd.DataFrame({"stimulus_id": names})
    for column in table.columns.difference([*_OF_TRIALS, SUBJECT], sort=False):
        of_each = table[column].groupby(ids, sort=False)
        if (of_each.nunique(dropna=False) <= 1).all():
            stimuli[column] = stimuli["stimulus_id"].map(of_each.first())
        else:
            presentations[column] = table[column]
    path, pictures_at = _stimuli_at(options, folder)
    if path is not None:
        stimuli = _with_table(stimuli, ids.tolist(), path)
        said.append(f"stimuli: {path.name}")
    pictures = _pictures(stimuli, pictures_at, folder, said)
    if pictures:
        stimuli["filename"] = [pictures[one].name for one in stimuli["stimulus_id"]]
    return Shown(
        stimuli.rename(columns={} if pictures else {"filename": "file"}), presentations, pictures, said
    )


def _repetitions(table: pd.DataFrame, ids: "pd.Series[str]", name: str, said: list[str]) -> "pd.Series[int]":
    counted: pd.Series[int] = ids.groupby(ids).cumcount()
    if "repetition" not in table:
        said.append("repetitions: counted in the order of the trials")
        return counted
    given = pd.to_numeric(table["repetition"], errors="coerce")
    if given.isna().any():
        raise UserError(f"{name}: {int(given.isna().sum())} rows have no number in the column repetition")
    if pd.DataFrame({"stimulus": ids, "repetition": given}).duplicated().any():
        said.append(
            f"repetitions: counted in the order of the trials, as {name} has the same number twice of a stimulus"
        )
        return counted
    return given.astype(int)


def _runs(table: pd.DataFrame, said: list[str]) -> pd.DataFrame:
    """Sessions, and runs with names that are unique over the recording."""
    given = pd.DataFrame({name: table[name].str.strip() for name in ("session", "run") if name in table})
    named = with_own_runs(given.copy())
    if "run" in named and (named["run"] != given["run"]).any():
        said.append("runs are counted anew in each session: called ses-SESSION_run-RUN")
    return named


def _stimuli_at(options: ReadOptions, folder: Path) -> tuple[Path | None, Path | None]:
    """The table of stimuli, and the folder of pictures."""
    if options.stimuli is None:
        tables = [one for suffix in _TABLES if (one := folder / f"stimuli{suffix}").is_file()]
        pictures = folder / "stimuli"
        return (tables[0] if tables else None), (pictures if pictures.is_dir() else None)
    for path in (Path(options.stimuli).expanduser(), folder / options.stimuli):
        if path.is_dir():
            return None, path
        if path.is_file():
            beside = path.parent / "stimuli"
            return path, beside if beside.is_dir() else path.parent
    raise UserError(
        f"no stimuli at {options.stimuli} (nor in {folder}): --stimuli names a table or a folder of pictures"
    )


def _with_table(stimuli: pd.DataFrame, ids: Sequence[str], path: Path) -> pd.DataFrame:
    table = read_stimuli(path, _MISSING)
    check_listed(ids, table, path.name)
    rows = table.set_index("stimulus_id").loc[stimuli["stimulus_id"]].reset_index()
    extra = [column for column in stimuli.columns if column not in rows]
    return pd.concat([rows, stimuli[extra]], axis=1)


def _pictures(stimuli: pd.DataFrame, at: Path | None, folder: Path, said: list[str]) -> dict[str, Path]:
    """Stimulus id -> picture: by the column ``filename`` (or ``stim_file``), else by the id itself."""
    column = next((one for one in ("filename", "stim_file") if one in stimuli), None)
    if column is None and at is None:
        return {}
    root = at or folder
    if column is None:
        files = [one for one in sorted(root.iterdir()) if one.suffix.lower() in PICTURES]
        return pictures_called(stimuli["stimulus_id"].tolist(), files, root)
    found = named_pictures(dict(zip(stimuli["stimulus_id"], stimuli[column].astype(str), strict=True)), root)
    if at is None and not any(path.is_file() for path in found.values()):
        said.append(f"pictures: not here ({column}); --stimuli names their folder")
        return {}
    check_there(found, root)
    return found
