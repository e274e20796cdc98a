"""Onsets of presentations in a table of their own."""

from pathlib import Path

import pandas as pd

from ...errors import UserError
from .table import read_table

_SUFFIXES = (".csv", ".tsv", ".txt")


def named_file(events: str | None) -> Path | None:
    """The file that ``--events`` names; None where it names a table inside the recording.

    Raises
    ------
    UserError
        For the name of a file that is not there.
    """
    if events is None:
        return None
    path = Path(events)
    if path.is_file():
        return path
    if path.suffix.lower() in _SUFFIXES:
        raise UserError(f"--events {events}: there is no such file")
    return None


def onsets_in(path: Path) -> pd.DataFrame:
    """The rows of a ``.csv`` or ``.tsv`` file; ids and texts stay as they are written.

    Raises
    ------
    UserError
        For what is no table.
    """
    separator = "\t" if path.suffix.lower() == ".tsv" else ","
    return read_table(path, ("stimulus_id",), separator=separator, missing=("n/a",))
