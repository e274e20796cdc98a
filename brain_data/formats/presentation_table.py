"""A stranger's table of trials as presentations: ids as texts, runs with names of their own, one subject."""

from pathlib import Path

import numpy as np
import pandas as pd

from ...errors import UserError, unknown
from ..arrays import as_names
from ..recorded import is_blank

SUBJECT = "subject"


def presentations_of(table: pd.DataFrame, column: str | None, where: str) -> pd.DataFrame:
    """One row a presentation, ``stimulus_id`` first; the other columns are kept.

    Parameters
    ----------
    table : DataFrame
    column : str or None
        The column that names the stimulus; None: ``stimulus_id``.
    where : str
        What the table is called in messages.

    Raises
    ------
    UserError
        Where there is no such column, or it is empty somewhere.
    """
    table = table.reset_index(drop=True).rename(columns=str)
    chosen = column or "stimulus_id"
    if chosen not in table.columns:
        names = ", ".join(map(str, table.columns[:12])) or "none"
        raise (
            UserError(
                f"{where}: no column {chosen!r} names the stimulus of each trial: say which by --stimulus-column "
                f"(there are {names})"
            )
            if column is None
            else unknown(f"column of {where}", chosen, map(str, table.columns))
        )
    blank = is_blank(table[chosen].to_numpy())
    if blank.any():
        raise UserError(
            f"{where}: {int(blank.sum())} of {len(table)} trials have no {chosen} "
            f"(first: row {int(blank.argmax()) + 1})"
        )
    rest = table.drop(columns=[one for one in ("stimulus_id",) if one in table.columns])
    ids = pd.Series(as_names(table[chosen].to_numpy()), index=table.index, name="stimulus_id", dtype=object)
    return with_own_runs(pd.concat([ids, rest], axis=1))


def with_own_runs(trials: pd.DataFrame) -> pd.DataFrame:
    """``run`` and ``session`` as texts; runs that are numbered anew in every session get its name."""
    for name in {"run", "session"} & set(trials.columns):
        trials[name] = as_names(trials[name].to_numpy())
    if {"run", "session"} <= set(trials.columns):
        sessions_of = trials.groupby("run")["session"].nunique()
        if (sessions_of > 1).any():
            trials["run"] = "ses-" + trials["session"] + "_run-" + trials["run"]
    return trials


def of_one_subject(
    trials: pd.DataFrame, wanted: str | None, where: str
) -> tuple[pd.DataFrame, np.ndarray[tuple[int], np.dtype[np.intp]], str | None]:
    """Presentations without their column ``subject``, which rows they were, and the subject.

    Raises
    ------
    UserError
        Where there are several subjects and it is not said which to take, or one that is not there.
    """
    rows = np.arange(len(trials))
    if SUBJECT not in trials.columns:
        return trials, rows, wanted
    names = as_names(trials[SUBJECT].to_numpy())
    there = list(dict.fromkeys(names.tolist()))
    if wanted is not None and wanted not in there:
        raise unknown(f"subject of {where}", wanted, there)
    if wanted is None and len(there) > 1:
        raise UserError(
            f"{where} has rows of {len(there)} subjects ({', '.join(there[:6])}): say which by --subject, and add the "
            "others as data sets of their own"
        )
    rows = np.flatnonzero(names == (wanted or there[0]))
    return trials.drop(columns=SUBJECT).iloc[rows].reset_index(drop=True), rows, wanted or there[0]


def file_beside(said: str, path: Path) -> Path | None:
    """The file that a person names, from where they are or from beside the recording."""
    places = (Path(said), (path if path.is_dir() else path.parent) / said)
    return next((one for one in places if one.is_file()), None)
