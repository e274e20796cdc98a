"""What came of a study: a table of all its cells, the report of its scores, and a submission of them."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import UserError
from ...files import write_bytes
from ..results.record import Record, cells, public
from ..results.store import arrays_of, open_run
from .cells import Event
from .expansion import LeftOut

if TYPE_CHECKING:
    import pandas as pd

    from ..leaderboard.storage.board import Receipt
    from ..reports.collect import Comparison

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

    def comparison(self) -> "Comparison":
        """Its scores for tables, figures and a submission; ``MODEL@VARIANT`` where a model is there more than once."""
        from ..reports.collect import Comparison

        scored = [one.cell for one in self.ends if one.record]
        variants = [(cell.model, cell.benchmark) for cell in scored]
        named: list[Record] = []
        for cell, record in zip(scored, self.records, strict=True):
            several = variants.count((cell.model, cell.benchmark)) > 1 and cell.variant
            named.append({**record, "model": f"{record['model']}@{cell.variant}"} if several else record)
        order = sorted(range(len(named)), key=lambda i: (named[i]["model"], named[i]["benchmark"]))
        records = [named[i] for i in order]
        notes = [f"{one.cell.model} on {one.cell.benchmark} failed: {one.error}" for one in self.failed]
        return Comparison(
            records, [arrays_of(one) for one in records], sources=[f"the study {self.name}"], notes=notes
        )

    def write(self, folder: Path, *, command: str = "brodmann run", vector: bool = True) -> list[Path]:
        """Write ``study.csv``, and the report with its figures where there are scores.

        Parameters
        ----------
        folder : Path
        command : str
            Shown at the end of the report.
        vector : bool
            Whether figures are made as PDF, too.

        Returns
        -------
        list of Path
            ``study.csv``, then ``report.html``, then the rest.
        """
        from ..reports.html import write_report

        stream = io.StringIO()
        self.table().to_csv(stream, index=False)
        path = folder / "study.csv"
        write_bytes(path, stream.getvalue().encode())
        if not self.records:
            return [path]
        title = f"Study {self.name}"
        return [path, *write_report(self.comparison(), folder, command, vector=vector, title=title)]

    def submit(
        self, leaderboard: str | Path | None = None, *, cards: Path | None = None, who: str | None = None
    ) -> "tuple[Receipt, list[str]]":
        """Submit all scores to a leaderboard at once; what it answered, and what was left out.

        Parameters
        ----------
        leaderboard, cards, who
            As :func:`brodmann.submit` takes them.

        Raises
        ------
        UserError
            Where there is nothing to submit, and for what the leaderboard answered.
        """
        from ..leaderboard.submission.build import document_of
        from ..leaderboard.submit import renamed, send

        if not self.records:
            raise UserError(f"the study {self.name} has no score to submit")
        document, notes = document_of(self.comparison(), cards=cards, title=self.name)
        return send(renamed(document, {}), leaderboard, who=who), notes

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
