"""Recordings in time of several people: their runs one below the other, their neuroids side by side."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ...errors import UserError
from ..imported import Computed

Read = Callable[[int, int, slice], npt.NDArray[Any]]
"""``read(first, last, neuroids)``: samples of one person's run."""


@dataclass(frozen=True)
class Run:
    """A story or film as it was heard or seen once, by everybody.

    Attributes
    ----------
    name, story : str
    repetition : int
    n : int
        Samples.
    first_s : float
        The time of the first sample on the story's clock.
    read : sequence of callable
        A person each.
    session : str
        Empty where people were not recorded in the same session.
    """

    name: str
    story: str
    repetition: int
    n: int
    first_s: float
    read: Sequence[Read]
    session: str = ""


def stacked(runs: Sequence[Run], n_neuroids: Sequence[int]) -> Computed:
    """(sample, neuroid) of all runs and people; what was not recorded is NaN."""
    row_ends, column_ends = np.cumsum([one.n for one in runs]), np.cumsum(n_neuroids)

    def get(rows: slice, neuroids: slice) -> npt.NDArray[np.float32]:
        r0, r1, r_step = rows.indices(int(row_ends[-1]))
        c0, c1, c_step = neuroids.indices(int(column_ends[-1]))
        taken = np.empty((max(r1 - r0, 0), max(c1 - c0, 0)), np.float32)
        for run, row_end in zip(runs, row_ends.tolist(), strict=True):
            first, last = max(r0 - row_end + run.n, 0), min(r1 - row_end + run.n, run.n)
            if first >= last:
                continue
            row = row_end - run.n + first - r0
            for read, column_end, n in zip(run.read, column_ends.tolist(), n_neuroids, strict=True):
                left, right = max(c0 - column_end + n, 0), min(c1 - column_end + n, n)
                if left < right:
                    column = column_end - n + left - c0
                    place = (slice(row, row + last - first), slice(column, column + right - left))
                    taken[place] = read(first, last, slice(left, right))
        return taken[::r_step, ::c_step]

    return Computed((int(row_ends[-1]), int(column_ends[-1])), get)


def presentations(runs: Sequence[Run], tr: float) -> pd.DataFrame:
    """One row a sample: ``stimulus_id`` (the story), ``time``, ``run``, ``repetition``, ``session`` where known."""
    parts = [
        pd.DataFrame(
            {
                "stimulus_id": run.story,
                "time": run.first_s + tr * np.arange(run.n),
                "run": run.name,
                "repetition": run.repetition,
                **({"session": run.session} if all(one.session for one in runs) else {}),
            }
        )
        for run in runs
    ]
    return pd.concat(parts, ignore_index=True)


def stories_table(words: Mapping[str, pd.DataFrame], runs: Sequence[Run], tr: float) -> pd.DataFrame:
    """One row a word; of a story without words, one row for the whole of it."""
    parts = []
    for run in {one.story: one for one in runs}.values():
        if run.story in words:
            table = words[run.story].reset_index(drop=True)
            names = [f"{run.story}-{number:05d}" for number in range(len(table))]
            parts.append(table.assign(stimulus_id=names, story=run.story))
        else:
            end = run.first_s + tr * run.n
            whole = {"stimulus_id": [run.story], "story": [run.story], "onset": [0.0], "offset": [end]}
            parts.append(pd.DataFrame(whole))
    columns = ["stimulus_id", "story", *(["word"] if words else []), "onset", "offset"]
    return pd.concat(parts, ignore_index=True)[columns]


def last_word_before_end(words: pd.DataFrame, run: Run, tr: float, place: str, slack_s: float) -> None:
    """Raise a UserError where words are spoken long after the last sample: another story, or a run cut short."""
    end = run.first_s + tr * run.n
    last = float(words["onset"].iloc[-1])
    if last > end + slack_s:
        raise UserError(
            f"{place}: its last word begins at {last:.1f} s, and the {run.n} samples of {run.story} end at {end:.1f} s"
        )
