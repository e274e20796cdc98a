"""The words or frames that ran while a series was recorded, and the stories that they tell."""

import re
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from ....errors import UserError, unknown
from ...imported import ReadOptions
from ...text_columns import TEXT_COLUMNS
from ...timeseries.textgrid import check_words, textgrid_words
from .table import needed_file, read_table, separator_of

_AS_WRITTEN = ("stimulus_id", "story", "filename", "category", *TEXT_COLUMNS)
_SHOWN = 8


def read_words(path: Path, needed: Sequence[str] = (), tier: str | None = None) -> pd.DataFrame:
    """Words or frames with ``onset`` and ``offset`` in s, and ``story`` where there are several.

    Parameters
    ----------
    path : Path
        A TextGrid, or a table separated by commas or tabs; ``duration`` may stand for ``offset``.
    needed : sequence of str
        Further columns that a table must have.
    tier : str, optional
        Of a TextGrid: the one that holds the words.

    Raises
    ------
    UserError
        For a column that is missing, and times that are no seconds.
    """
    if path.suffix.lower() == ".textgrid":
        return textgrid_words(path, tier)
    missing = ("n/a",) if path.suffix.lower() == ".tsv" else ()
    table = read_table(
        path, _AS_WRITTEN, separator=separator_of(path, by_content=True), missing=missing
    ).reset_index(drop=True)
    for name in ("onset", "offset", "duration"):
        if name in table.columns:
            table[name] = pd.to_numeric(table[name], errors="coerce").astype(float)
    if "offset" not in table.columns and {"onset", "duration"} <= set(table.columns):
        table["offset"] = table["onset"] + table["duration"]
    absent = [name for name in (*needed, "onset", "offset") if name not in table.columns]
    if absent:
        listed = ", ".join(map(str, table.columns[:_SHOWN]))
        raise UserError(f"{path} has no column {absent[0]!r} (it has: {listed})")
    return check_words(table, str(path))


def numbered(table: pd.DataFrame) -> pd.DataFrame:
    """Words or frames with a ``stimulus_id``: their number, where the table has none."""
    if "stimulus_id" not in table.columns:
        table.insert(0, "stimulus_id", [f"{place:06d}" for place in range(len(table))])
    return table


def without_words(stories: Sequence[str], lengths: Sequence[float]) -> pd.DataFrame:
    """One stimulus a story, where nothing is known of its words."""
    return pd.DataFrame({"stimulus_id": stories, "story": stories, "onset": 0.0, "offset": lengths})


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
            hint=f"there are {', '.join(there[:_SHOWN])}: call the file after one",
        )
    chosen = story if story in there else there[0]
    return table[table["story"].astype(str) == chosen].reset_index(drop=True), chosen


def stories_of(
    runs: Sequence[str], lengths: Sequence[float], folder: Path, options: ReadOptions
) -> tuple[pd.DataFrame, list[str], list[str]]:
    """The table of words or frames, the story of each run, and what to say."""
    if options.stimuli is None:
        return (
            without_words(runs, lengths),
            list(runs),
            ["no table of words or frames (--stimuli): one stimulus a run, of its own name"],
        )
    path = needed_file("stimuli", options.stimuli, folder)
    table = read_words(path, () if len(runs) == 1 else ("story",))
    if "story" not in table:
        table["story"] = runs[0]
    if "stimulus_id" not in table:
        table.insert(0, "stimulus_id", [f"{one}-{i:06d}" for i, one in enumerate(table["story"])])
    known = list(dict.fromkeys(table["story"]))
    if len(runs) == 1 and len(known) == 1:
        return table, known, [f"{path.name}: the run is of {known[0]}"]
    stories = []
    for run in runs:
        fitting = [one for one in known if one == run or re.search(rf"(^|[_-]){re.escape(one)}([_-]|$)", run)]
        if len(fitting) != 1:
            raise UserError(
                f"which story of {path.name} ran in {run} is not clear: name the image after one of "
                f"{', '.join(known[:_SHOWN])}"
            )
        stories.append(fitting[0])
    told = table[table["story"].isin(stories)].reset_index(drop=True)
    return told, stories, [f"{path.name}: stories by the names of the images"]
