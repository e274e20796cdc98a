"""Tables of words with their times."""

from pathlib import Path

import pandas as pd

from ...errors import UserError
from ..timeseries.textgrid import check_words
from .table import read_table


def read_words(path: Path) -> pd.DataFrame:
    """A table of words: ``word``, ``onset``, ``offset`` in s, and ``story`` where there are several.

    Parameters
    ----------
    path : Path
        Comma- or tab-separated; ``duration`` may stand for ``offset``.

    Raises
    ------
    UserError
        For a column that is missing, and times that are no seconds.
    """
    try:
        with path.open("rb") as stream:
            tabs = b"\t" in stream.readline(1 << 16)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from error
    table = read_table(path, ("word", "story", "stimulus_id"), separator="\t" if tabs else ",")
    if "offset" not in table.columns and {"onset", "duration"} <= set(table.columns):
        table["offset"] = pd.to_numeric(table["onset"]) + pd.to_numeric(table["duration"])
    absent = [name for name in ("word", "onset", "offset") if name not in table.columns]
    if absent:
        listed = ", ".join(map(str, table.columns[:8]))
        raise UserError(f"{path} has no column {absent[0]!r} (it has: {listed})")
    for name in ("onset", "offset"):
        table[name] = pd.to_numeric(table[name], errors="coerce")
    return check_words(table.reset_index(drop=True), str(path))
