"""The table of what was shown, a row a trial, and what is known of each stimulus."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from ....errors import UserError
from ...imported import ReadOptions
from ...text_columns import TEXT_COLUMNS
from .table import read_table

_TABLES = (".tsv", ".csv")
_USUAL = ("trials", "events")
_NOT_TRIALS = ("stimuli", "labels", "participants", "neuroids")
_PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp")
_MISSING = ("", "n/a", "na", "nan", "none")
_OF_TRIALS = ("stimulus_id", "repetition", "run", "session", "time")
SUBJECT = "subject"


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
        for path in (Path(options.events).expanduser(), folder / options.events):
            if path.is_file():
                return path
        raise UserError(
            f"no table of trials at {options.events} (nor in {folder}): --events names a .tsv or .csv"
        )
    tables = sorted(one for one in folder.iterdir() if one.suffix.lower() in _TABLES and one.is_file())
    usual = [one for one in tables if one.stem.lower() in _USUAL]
    others = usual or [one for one in tables if one.stem.lower() not in _NOT_TRIALS]
    if len(others) > 1:
        names = ", ".join(one.name for one in others[:8])
        raise UserError(f"{folder} holds the tables {names}: say by --events which is of the trials")
    return others[0] if others else None


def separator_of(path: Path) -> str:
    """What stands between the fields of a table, by its name."""
    return "\t" if path.suffix.lower() == ".tsv" else ","


def read_trials(path: Path, options: ReadOptions) -> Trials:
    """A table of trials.

    Raises
    ------
    UserError
        Where no column names the stimulus, or the trials are of several subjects.
    """
    column = options.stimulus_column or "stimulus_id"
    texts = (column, *_OF_TRIALS[2:4], SUBJECT, "filename", "stim_file", *TEXT_COLUMNS)
    table = read_table(path, texts, separator=separator_of(path), missing=_MISSING)
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
    if SUBJECT not in table.columns:
        return table
    people = list(dict.fromkeys(table[SUBJECT]))
    wanted = options.names("subject")
    if wanted is not None and len(wanted) == 1 and wanted[0] in people:
        return table[table[SUBJECT] == wanted[0]].reset_index(drop=True)
    if len(people) > 1:
        raise UserError(
            f"{path.name} is of the subjects {', '.join(people[:8])}: say which one's the images are by --subject"
        )
    return table


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
    if "session" in table:
        presentations["session"] = table["session"].str.strip()
    if "run" in table:
        presentations["run"] = _runs(table, said)
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
        stimuli = _with_table(stimuli, path)
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


def _runs(table: pd.DataFrame, said: list[str]) -> "pd.Series[str]":
    """Names of runs that are unique over the recording."""
    runs: pd.Series[str] = table["run"].str.strip()
    if "session" in table:
        sessions = table["session"].str.strip()
        if (sessions.groupby(runs).nunique() > 1).any():
            said.append("runs are counted anew in each session: called ses-SESSION_run-RUN")
            return "ses-" + sessions + "_run-" + runs
    return runs


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


def _with_table(stimuli: pd.DataFrame, path: Path) -> pd.DataFrame:
    table = read_table(
        path,
        ("stimulus_id", "filename", "category", *TEXT_COLUMNS),
        separator=separator_of(path),
        missing=_MISSING,
    )
    if "stimulus_id" not in table:
        raise UserError(
            f"{path.name} has no column stimulus_id; it has {', '.join(map(str, table.columns[:8]))}"
        )
    twice = table["stimulus_id"][table["stimulus_id"].duplicated()]
    if len(twice):
        raise UserError(f"{path.name} names the stimulus {twice.iloc[0]!r} twice")
    absent = [one for one in stimuli["stimulus_id"] if one not in set(table["stimulus_id"])]
    if absent:
        raise UserError(
            f"{path.name} lacks {len(absent)} of {len(stimuli)} stimuli of the trials (first: {absent[0]!r})"
        )
    rows = table.set_index("stimulus_id").loc[stimuli["stimulus_id"]].reset_index()
    extra = [column for column in stimuli.columns if column not in rows]
    return pd.concat([rows, stimuli[extra]], axis=1)


def _pictures(stimuli: pd.DataFrame, at: Path | None, folder: Path, said: list[str]) -> dict[str, Path]:
    """Stimulus id -> picture: by the column ``filename`` (or ``stim_file``), else by the id itself."""
    column = next((one for one in ("filename", "stim_file") if one in stimuli), None)
    if column is None and at is None:
        return {}
    root = (at or folder).resolve()
    if column is not None:
        names = stimuli[column].astype(str).tolist()
    else:
        names = _files_called(stimuli["stimulus_id"].tolist(), root)
        if not names:
            return {}
    found = {}
    for stimulus, name in zip(stimuli["stimulus_id"], names, strict=True):
        path = (root / name).resolve()
        if not path.is_relative_to(root):
            raise UserError(f"stimulus {stimulus!r}: {name!r} would leave the folder {root.name}/: refused")
        found[stimulus] = path
    absent = [path for path in found.values() if not path.is_file()]
    if absent:
        if at is None and len(absent) == len(found):
            said.append(f"pictures: not here ({column}); --stimuli names their folder")
            return {}
        raise UserError(f"{len(absent)} of {len(found)} pictures are not in {root} (first: {absent[0].name})")
    return found


def _files_called(ids: Sequence[str], root: Path) -> list[str]:
    """The picture named after each id; empty where there is none of any."""
    at_hand = {one.name: one for one in root.iterdir() if one.suffix.lower() in _PICTURES}
    by_stem: dict[str, list[str]] = {}
    for name in at_hand:
        by_stem.setdefault(Path(name).stem, []).append(name)
    names = []
    for one in ids:
        fitting = [one] if one in at_hand else by_stem.get(one, [])
        if len(fitting) > 1:
            raise UserError(
                f"stimulus {one!r} may be {' or '.join(sorted(fitting))}: name it in a column filename"
            )
        names.append(fitting[0] if fitting else "")
    if not any(names):
        return []
    lacking = [one for one, name in zip(ids, names, strict=True) if not name]
    if lacking:
        raise UserError(
            f"{len(lacking)} of {len(ids)} stimuli have no picture in {root} (first: {lacking[0]!r})"
        )
    return names
