"""The stimuli of a recording: from a table, from a folder of pictures, or what its trials say of them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from ...bounded import check_plain
from ...errors import UserError, unknown
from ..recorded import is_blank
from ..text_columns import TEXT_COLUMNS
from .table import read_table

_PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp")
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
    known = set(found.stimuli["stimulus_id"])
    absent = [one for one in ids if one not in known]
    if absent:
        raise UserError(
            f"{len(absent)} presentations show stimuli that {said} does not list (first: {absent[0]!r}; it lists "
            f"{next(iter(known), 'none')!r} and so on): they must be called alike"
        )
    return found


def read_stimulus_table(path: Path, as_written: Sequence[str] = _AS_WRITTEN) -> pd.DataFrame:
    """A table separated by commas, or by tabs where it ends in ``.tsv``; ids and texts stay as they are written."""
    return read_table(
        path,
        as_written,
        separator="\t" if path.suffix.lower() == ".tsv" else ",",
        missing=("n/a",) if path.suffix.lower() == ".tsv" else (),
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
    table = read_stimulus_table(path)
    if "stimulus_id" not in table.columns:
        raise unknown(f"column: {path.name} needs", "stimulus_id", map(str, table.columns))
    blank = is_blank(table["stimulus_id"].to_numpy())
    twice = table["stimulus_id"][table["stimulus_id"].duplicated()]
    if blank.any() or len(twice):
        what = f"{int(blank.sum())} rows without" if blank.any() else f"{len(twice)} rows that repeat"
        raise UserError(f"{path.name} has {what} a stimulus_id: give each stimulus one row and a name")
    if "filename" not in table.columns:
        return Beside(table)
    return Beside(table, _named_pictures(path, table))


def _named_pictures(path: Path, table: pd.DataFrame) -> dict[str, Path]:
    """The files that a table names, beside it or in ``stimuli/``; never outside of its folder."""
    root = path.parent.resolve()
    folder = root / "stimuli" if (root / "stimuli").is_dir() else root
    pictures = {}
    for one, name in zip(table["stimulus_id"], map(str, table["filename"]), strict=True):
        place = folder / name if (folder / name).is_file() else root / name
        if not place.resolve().is_relative_to(root):
            raise UserError(f"stimulus {one!r}: {name!r} would leave the folder of {path.name}: refused")
        pictures[one] = place
    absent = [place for place in pictures.values() if not place.is_file()]
    if absent:
        raise UserError(
            f"{len(absent)} of {len(pictures)} pictures are not in {folder} (first: {absent[0].name})"
        )
    return pictures


def _of_pictures(folder: Path, ids: Sequence[str]) -> Beside:
    files = [one for one in sorted(folder.rglob("*")) if one.suffix.lower() in _PICTURES]
    if not files:
        raise UserError(f"{folder} holds neither stimuli.csv nor pictures ({', '.join(_PICTURES)})")
    by_name: dict[str, list[Path]] = {}
    for one in files:
        for name in {one.relative_to(folder).as_posix(), one.name, one.stem}:
            by_name.setdefault(name, []).append(one)
    pictures = {}
    for stimulus in dict.fromkeys(ids):
        found = by_name.get(stimulus, [])
        if len(found) != 1:
            many = f"{len(found)} pictures are" if found else "no picture is"
            raise UserError(f"{folder}: {many} called {stimulus!r} (there are {files[0].name} and so on)")
        pictures[stimulus] = found[0]
    table = pd.DataFrame({"stimulus_id": list(pictures), "filename": [one.name for one in pictures.values()]})
    twice = table["filename"].duplicated(keep=False)
    if twice.any():
        table["filename"] = [one.relative_to(folder).as_posix() for one in pictures.values()]
    n_more = len(files) - len(pictures)
    return Beside(table, pictures, (f"pictures that no trial shows: {n_more}",) if n_more else ())
