"""A table of trials, one row a presentation, to onsets, presentations and the stimuli that they show."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ...errors import UserError, unknown

Floats = npt.NDArray[np.float64]

ONSETS = ("start_time", "onset")
_ENDS = ("stop_time", "offset", "end_time")
_STIMULUS = (
    "stimulus_id",
    "stimulus",
    "image_id",
    "image",
    "image_name",
    "picture",
    "sentence",
    "word",
    "frame",
)
"""What a column that names the stimulus is called; the first is taken before all others."""
_OURS = ("stimulus_id", "repetition", "time", "subject", "presentation")
_OF_NEUROIDS = (
    "neuroid", "neuroid_id", "region", "x", "y", "z", "hemisphere", "vertex", "ncsnr", "good", "time_bin",
    "time_bin_start", "time_bin_end",
)  # fmt: skip
"""What has a meaning of its own beside responses, so that a column of trials is called something else."""
_OF_PRESENTATIONS = ("run", "session")
_MOST_NAMED = 8


@dataclass(frozen=True)
class Trials:
    """Presentations in the order of the table.

    Attributes
    ----------
    onsets : array of shape (n_presentations,)
        In s.
    presentations : DataFrame
        ``stimulus_id``, ``repetition`` in the order of time, ``time`` in s, and what varies within a stimulus.
    stimuli : DataFrame
        ``stimulus_id``, and what every presentation of a stimulus says alike.
    said : list of str
    left_out : dict of str to int
    """

    onsets: Floats
    presentations: pd.DataFrame
    stimuli: pd.DataFrame
    said: list[str]
    left_out: dict[str, int]

    def of_stimuli(self, ids: Collection[str]) -> "Trials":
        """Those that show one of some stimuli."""
        rows = self.presentations["stimulus_id"].isin(list(ids)).to_numpy()
        known = self.stimuli["stimulus_id"].isin(list(ids))
        return replace(
            self,
            onsets=self.onsets[rows],
            presentations=self.presentations[rows].reset_index(drop=True),
            stimuli=self.stimuli[known].reset_index(drop=True),
        )


def trials_of(
    table: pd.DataFrame, place: str, *, stimulus_column: str | None = None, where: str | None = None
) -> Trials:
    """The presentations of a table.

    Parameters
    ----------
    table : DataFrame
        ``start_time`` or ``onset`` in s; if known ``stop_time``, ``offset`` or ``duration``; what names the stimulus.
    place : str
        What messages call the table.
    stimulus_column : str, optional
        The column that names the stimulus, or several with commas between them whose values together do.
    where : str, optional
        ``COLUMN=VALUE,...``: the rows to take; several values of one column are each enough. ``COLUMN!=VALUE`` leaves
        rows out.

    Raises
    ------
    UserError
        For a table without onsets, one whose stimulus is not clear, negative durations, or rows that none are left of.
    """
    if not len(table):
        raise UserError(f"{place} has no rows: no presentations")
    left_out: dict[str, int] = {}
    said: list[str] = []
    onset = next((name for name in ONSETS if name in table), None)
    if onset is None:
        raise UserError(f"{place} has no column {' or '.join(ONSETS)} (s): it has {_named(table.columns)}")
    _check_durations(table, onset, place)
    columns = _stimulus_columns(table, place, stimulus_column, said)
    kept = _asked_for(table, place, where, left_out)
    onsets = _numbers(table[onset], place)
    ids = _ids(table, columns)
    for reason, lacking in (
        ("presentations without an onset", np.isnan(onsets)),
        ("presentations without a stimulus", ids == ""),
    ):
        if n := int((kept & lacking).sum()):
            left_out[reason] = n
        kept &= ~lacking
    if not kept.any():
        raise UserError(f"{place}: no presentation is left of {len(table)} ({_counted(left_out)})")
    table, onsets, ids = table[kept].reset_index(drop=True), onsets[kept], ids[kept]
    _tell_of_invalid(table, said)
    labels = table.drop(columns=[name for name in (*ONSETS, *_ENDS, *_OURS) if name in table])
    if "subject" in table:
        people = [one for one in dict.fromkeys(table["subject"].map(text_of)) if one]
        if len(people) > 1:
            raise UserError(
                f"{place} has presentations to {len(people)} subjects ({', '.join(people[:6])}), and a recording is of "
                f"one: take its own by --where subject={people[0]}"
            )
        said.append(f"{place}: the column subject is left out (subjects are those of the neuroids)")
    order = np.argsort(onsets, kind="stable")
    counted = pd.Series(ids[order]).groupby(ids[order], sort=False).cumcount().to_numpy()
    repetition = np.empty(len(ids), np.int64)
    repetition[order] = counted
    presentations = pd.DataFrame({"stimulus_id": ids, "repetition": repetition, "time": onsets})
    stimuli = pd.DataFrame({"stimulus_id": sorted(set(ids.tolist()), key=_natural)})
    first = pd.Series(np.arange(len(ids))).groupby(ids).first()
    for name in labels:
        texts = labels[name].map(text_of)
        if name not in _OF_PRESENTATIONS and texts.groupby(ids).nunique().max() == 1:
            stimuli[name] = labels[name].iloc[first[stimuli["stimulus_id"]].to_numpy()].to_numpy()
        else:
            presentations[f"trial_{name}" if name in _OF_NEUROIDS else name] = labels[name].to_numpy()
    return Trials(onsets, presentations, stimuli, said, left_out)


def apart_from(presentations: pd.DataFrame, neuroids: pd.DataFrame) -> pd.DataFrame:
    """Neuroids whose labels have no name of a column of presentations: ``quality`` becomes ``unit_quality``."""
    taken = {*presentations, "presentation", "time_bin", "time_bin_start", "time_bin_end"}
    return neuroids.rename(columns={name: f"unit_{name}" for name in neuroids if name in taken})


def text_of(value: Any) -> str:
    """A cell as a text: whole numbers without a point, nothing where it is missing."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, (float, np.floating)):
        if np.isnan(value):
            return ""
        return str(int(value)) if float(value).is_integer() else str(value)
    return "" if value is None or value is pd.NA else str(value).strip()


def _natural(text: str) -> tuple[bool, float, str]:
    """Numbers before texts, in their order."""
    try:
        return (False, float(text), text)
    except ValueError:
        return (True, 0.0, text)


def _stimulus_columns(table: pd.DataFrame, place: str, asked: str | None, said: list[str]) -> list[str]:
    if asked is not None:
        columns = [asked] if asked in table else [one.strip() for one in asked.split(",")]
        for name in columns:
            if name not in table:
                raise unknown(f"column of {place}", name, map(str, table.columns))
        return columns
    there = [name for name in _STIMULUS if name in table]
    if there[:1] == ["stimulus_id"] or len(there) == 1:
        said.append(f"the stimulus is named by the column {there[0]} of {place}")
        return there[:1]
    free = [str(name) for name in table.columns if name not in (*ONSETS, *_ENDS, "duration")]
    raise UserError(
        f"{place}: say which column names the stimulus by --stimulus-column: it has {_named(free) or 'none'}"
    )


def _ids(table: pd.DataFrame, columns: Sequence[str]) -> npt.NDArray[np.object_]:
    if len(columns) == 1:
        return table[columns[0]].map(text_of).to_numpy(object)
    texts = np.stack([table[name].map(text_of).to_numpy(object) for name in columns], axis=1)
    joined = [
        "_".join(f"{name}-{one}" for name, one in zip(columns, row, strict=True)) for row in texts.tolist()
    ]
    return np.where((texts == "").any(axis=1), "", np.array(joined, object))


def _asked_for(
    table: pd.DataFrame, place: str, where: str | None, left_out: dict[str, int]
) -> npt.NDArray[np.bool_]:
    kept = np.ones(len(table), bool)
    asked: dict[tuple[str, bool], set[str]] = {}
    for part in [] if where is None else where.split(","):
        name, sign, value = (one.strip() for one in part.partition("="))
        unlike, name = name.endswith("!"), name.removesuffix("!").strip()
        if not (name and sign):
            raise UserError(
                f"--where must be COLUMN=VALUE or COLUMN!=VALUE with commas between them, not {where!r}"
            )
        if name not in table:
            raise unknown(f"column of {place}", name, map(str, table.columns))
        asked.setdefault((name, unlike), set()).add(value.lower())
    for (name, unlike), values in asked.items():
        texts = table[name].map(text_of).str.lower()
        for value in sorted(values - set(texts)):
            raise unknown(f"value of {name} in {place}", value, texts)
        kept &= texts.isin(values).to_numpy() != unlike
    if n := int((~kept).sum()):
        left_out[f"presentations not asked for (--where {where})"] = n
    return kept


def _numbers(column: pd.Series, place: str) -> Floats:
    blank = column.map(text_of).isin(["", "n/a"])
    numbers = pd.to_numeric(column.mask(blank), errors="coerce").to_numpy(np.float64)
    wrong = np.flatnonzero(~np.isfinite(numbers) & ~blank.to_numpy())
    if len(wrong):
        raise UserError(
            f"{place}: {column.name} of row {wrong[0]} is {column.iloc[wrong[0]]!r}, not a number of s"
        )
    return numbers


def _check_durations(table: pd.DataFrame, onset: str, place: str) -> None:
    starts = _numbers(table[onset], place)
    for name in (*_ENDS, "duration"):
        if name not in table:
            continue
        lasts = _numbers(table[name], place) - (0 if name == "duration" else starts)
        if (lasts < 0).any():
            row = int(np.flatnonzero(lasts < 0)[0])
            raise UserError(
                f"{place}: {int((lasts < 0).sum())} presentations end before they start (first: row {row}, "
                f"{onset} {starts[row]:g} s, {lasts[row]:g} s long)"
            )


def _tell_of_invalid(table: pd.DataFrame, said: list[str]) -> None:
    if "valid" not in table:
        return
    texts = table["valid"].map(text_of).str.lower()
    n = int(texts.isin(["false", "0"]).sum())
    if n:
        said.append(
            f"'valid' is false of {n} of {len(table)} presentations, which are in; without them: --where valid=true"
        )


def _named(columns: Any) -> str:
    names = [str(name) for name in columns]
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more


def _counted(left_out: dict[str, int]) -> str:
    return ", ".join(f"{n} {reason}" for reason, n in left_out.items())
