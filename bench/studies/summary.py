"""What came of a study: how every cell ended, and a table of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..results.record import Record, cells, public
from ..results.store import open_run
from .cells import Event
from .expansion import LeftOut

if TYPE_CHECKING:
    import pandas as pd


_OF_CELLS = ("model", "benchmark", "variant", "state", "error", "seconds")


@dataclass(frozen=True)
class Summary:
    """How every cell of a study ended.

    Attributes
    ----------
    name, run : str
        Of the study, and where its records are.
    ends : list of Event
        One a cell, in the order of the plan.
    left_out : list of LeftOut
    """

    name: str
    run: str
    ends: list[Event]
    left_out: list[LeftOut]

    def of(self, state: str) -> list[Event]:
        """The cells that ended so."""
        return [one for one in self.ends if one.state == state]

    @property
    def failed(self) -> list[Event]:
        """The cells without a score, with the line that says why."""
        return self.of("failed")

    @cached_property
    def records(self) -> list[Record]:
        """Of the cells that have a score, in their order."""
        paths = [Path(one.record) for one in self.ends if one.record]
        return list(open_run(self.run).records_of(paths))

    def table(self) -> "pd.DataFrame":
        """A row a cell: how it ended, then the columns of its score."""
        import pandas as pd

        records = iter(self.records)
        rows = []
        for one in self.ends:
            about = {
                "model": one.cell.model,
                "benchmark": one.cell.benchmark,
                "variant": one.cell.variant,
                "state": one.state,
                "error": one.error,
                "seconds": round(one.seconds, 3),
            }
            told = cells(public(next(records))) if one.record else {}
            rows.append(about | {name: value for name, value in told.items() if name not in about})
        table = pd.DataFrame(rows)
        return table[[*_OF_CELLS, *(name for name in table.columns if name not in _OF_CELLS)]]

    def as_json(self) -> dict[str, Any]:
        """What ``brodmann run --json`` prints."""
        return {
            "study": self.name,
            "run": self.run,
            "cells": [
                {**one.cell.as_json(), "state": one.state, "seconds": one.seconds, "score": one.score,
                 "record": one.record or None, "error": one.error or None}
                for one in self.ends
            ],
            "left_out": left_out_json(self.left_out),
        }  # fmt: skip


def left_out_json(left_out: Sequence[LeftOut]) -> list[dict[str, str]]:
    """As JSON."""
    return [one._asdict() for one in left_out]
