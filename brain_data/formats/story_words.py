"""The words or frames of the stories that a series was recorded to: ``--stimuli`` of a series."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from ...errors import UserError, unknown
from ..timeseries.textgrid import check_words, textgrid_words
from .stimuli_beside import read_stimulus_table


def story_words(said: str) -> pd.DataFrame:
    """A TextGrid, or a table with ``onset`` and ``offset`` (or ``duration``) in s; rows without an id are numbered.

    Raises
    ------
    UserError
        For no such file, a table without times, and times that words cannot have.
    """
    path = Path(said).expanduser()
    if not path.is_file():
        raise UserError(
            f"--stimuli {said}: of a series it is a table of words or frames, and there is no such file"
        )
    table = textgrid_words(path) if path.suffix.lower() == ".textgrid" else read_stimulus_table(path)
    if "offset" not in table.columns and {"onset", "duration"} <= set(table.columns):
        table["offset"] = pd.to_numeric(table["onset"], errors="coerce") + pd.to_numeric(
            table["duration"], errors="coerce"
        )
    for name in ("onset", "offset"):
        if name not in table.columns:
            raise unknown(f"column: {path.name} needs", name, map(str, table.columns))
        table[name] = pd.to_numeric(table[name], errors="coerce")
    if "word" in table.columns:
        table = check_words(table, str(path))
    if "stimulus_id" not in table.columns:
        table.insert(0, "stimulus_id", [f"{place:06d}" for place in range(len(table))])
    return table


def one_story(table: pd.DataFrame, story: str, said: str) -> tuple[pd.DataFrame, str]:
    """The rows of one story of a table, and its name: the one that `story` names, or the only one there is."""
    if "story" not in table.columns:
        return table.assign(story=story), story
    there: Sequence[str] = list(dict.fromkeys(table["story"].astype(str)))
    if story not in there and len(there) > 1:
        raise unknown(
            f"story of {said}",
            story,
            there,
            hint=f"there are {', '.join(there[:8])}: call the file after one",
        )
    chosen = story if story in there else there[0]
    return table[table["story"].astype(str) == chosen].reset_index(drop=True), chosen
