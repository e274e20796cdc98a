"""The stimuli of a recording: from a table, from a folder of pictures, or what its trials say of them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from ....bounded import check_plain
from ....errors import UserError, unknown
from ...arrays import PICTURES
from ...recorded import is_blank
from ...text_columns import TEXT_COLUMNS
from .pictures import check_there, named_pictures, pictures_called
from .table import read_table

_AS_WRITTEN = ("stimulus_id", "filename", "story", "category", *TEXT_COLUMNS)


@dataclass(frozen=True)
class Beside:
    """Stimuli that are not inside the recording.

    Attributes
    ----------
    stimuli : DataFrame
        One row a stimulus, ``stimulus_id`` first.
    pictures : dict of str to Path
    said : tuple of str
        For people.
    """

    stimuli: pd.DataFrame
    pictures: dict[str, Path] = field(default_factory=dict)
    said: tuple[str, ...] = ()


def stimuli_beside(ids: Sequence[str], said: str | None, trials: pd.DataFrame | None = None) -> Beside:
    """The stimuli that a recording shows.

    Parameters
    ----------
    ids : sequence of str
        Stimulus of each presentation.
    said : str or None
        ``--stimuli``: a table (CSV or TSV with ``stimulus_id``, and ``filename``, ``sentence`` or ``word``), or a
        folder that holds one called ``stimuli.csv``, or pictures that are called as the stimuli are.
    trials : DataFrame, optional
        What is known of each presentation; of it, texts that are the same in all presentations of a stimulus are
        the stimulus' where `said` is None.

    Raises
    ------
    UserError
        For what is not there, or does not name every stimulus.
    """
    if said is None:
        return Beside(_of_trials(ids, trials))
    path = Path(said)
    if path.is_dir():
        check_plain(path)
        tables = [path / name for name in ("stimuli.csv", "stimuli.tsv") if (path / name).is_file()]
        found = _of_table(tables[0]) if tables else _of_pictures(path, ids)
    elif path.is_file():
        found = _of_table(path)
    else:
        raise UserError(f"--stimuli {said}: there is no such file or folder")
    check_listed(ids, found.stimuli, said)
    return found


def read_stimulus_table(
    path: Path, as_written: Sequence[str] = _AS_WRITTEN, missing: Collection[str] = ()
) -> pd.DataFrame:
    """A table separated by commas, or by tabs where it ends in ``.tsv``; ids and texts stay as they are written."""
    return read_table(
        path, as_written, missing=missing or (("n/a",) if path.suffix.lower() == ".tsv" else ())
    )


def read_stimuli(path: Path, missing: Collection[str] = ()) -> pd.DataFrame:
    """A table with a row a stimulus, each with a ``stimulus_id`` of its own; `missing` as in :func:`.read_table`."""
    table = read_stimulus_table(path, missing=missing)
    if "stimulus_id" not in table.columns:
        raise unknown(f"column: {path.name} needs", "stimulus_id", map(str, table.columns))
    blank = is_blank(table["stimulus_id"].to_numpy())
    twice = table["stimulus_id"][table["stimulus_id"].duplicated()]
    if blank.any() or len(twice):
        what = f"{int(blank.sum())} rows without" if blank.any() else f"{len(twice)} rows that repeat"
        raise UserError(f"{path.name} has {what} a stimulus_id: give each stimulus one row and a name")
    return table


def check_listed(ids: Sequence[str], stimuli: pd.DataFrame, name: str) -> None:
    """Raise a UserError where a table of stimuli lacks one that is shown."""
    known = set(stimuli["stimulus_id"])
    absent = [one for one in ids if one not in known]
    if absent:
        raise UserError(
            f"{len(absent)} presentations show stimuli that {name} does not list (first: {absent[0]!r}; it lists "
            f"{next(iter(known), 'none')!r} and so on): they must be called alike"
        )


def _of_trials(ids: Sequence[str], trials: pd.DataFrame | None) -> pd.DataFrame:
    stimuli = pd.DataFrame({"stimulus_id": list(dict.fromkeys(ids))})
    for name in TEXT_COLUMNS if trials is not None else ():
        if trials is None or name not in trials.columns or trials[name].dtype.kind not in "OU":
            continue
        texts = trials[name].groupby(list(ids), sort=False).unique()
        if (texts.map(len) == 1).all() and not is_blank(trials[name].to_numpy()).any():
            stimuli[name] = [str(texts[one][0]) for one in stimuli["stimulus_id"]]
    return stimuli


def _of_table(path: Path) -> Beside:
    table = read_stimuli(path)
    if "filename" not in table.columns:
        return Beside(table)
    root = path.parent
    pictures = named_pictures(
        dict(zip(table["stimulus_id"], table["filename"].astype(str), strict=True)), root, root / "stimuli"
    )
    check_there(pictures, root / "stimuli" if (root / "stimuli").is_dir() else root)
    return Beside(table, pictures)


def _of_pictures(folder: Path, ids: Sequence[str]) -> Beside:
    files = [one for one in sorted(folder.rglob("*")) if one.suffix.lower() in PICTURES]
    if not files:
        raise UserError(f"{folder} holds neither stimuli.csv nor pictures ({', '.join(PICTURES)})")
    pictures = pictures_called(ids, files, folder)
    if not pictures:
        raise UserError(f"{folder}: no picture is called {ids[0]!r} (there are {files[0].name} and so on)")
    table = pd.DataFrame({"stimulus_id": list(pictures), "filename": [one.name for one in pictures.values()]})
    twice = table["filename"].duplicated(keep=False)
    if twice.any():
        table["filename"] = [one.relative_to(folder).as_posix() for one in pictures.values()]
    n_more = len(files) - len(pictures)
    return Beside(table, pictures, (f"pictures that no trial shows: {n_more}",) if n_more else ())
