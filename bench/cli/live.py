"""How far a study is: a table that is drawn again where a person is looking, a line a cell everywhere else."""

import time
from collections import Counter
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from ...errors import printable
from ...progress import silent
from ..studies.cells import Cell, Event
from .common import say

if TYPE_CHECKING:
    from rich.table import Table


class Lines:
    """A line a cell that has ended.

    Parameters
    ----------
    cells : sequence of Cell
        All of the study.
    """

    def __init__(self, cells: Sequence[Cell]) -> None:
        self.cells, self.began = cells, time.monotonic()
        self.ended: list[Event] = []
        self.running: dict[Cell, Event] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is left behind."""

    def tell(self, event: Event) -> None:
        """Take what happened, and show it."""
        if event.has_ended:
            self.running.pop(event.cell, None)
            self.ended.append(event)
        else:
            self.running[event.cell] = event
        self.show(event)

    def show(self, event: Event) -> None:
        """Print a cell that has ended."""
        if event.has_ended:
            say(f"{len(self.ended)}/{len(self.cells)}  {ended_line(event)}", flush=True)

    @property
    def left(self) -> float | None:
        """Seconds that the rest will take at the rate so far; None before anything was computed."""
        computed = [one for one in self.ended if one.state != "stored"]
        if not computed:
            return None
        rate = (time.monotonic() - self.began) / len(computed)
        return rate * (len(self.cells) - len(self.ended))


class LiveTable(Lines):
    """Counts, what is running and what ended last, drawn again at every event and once a second."""

    _LAST = 8

    def __enter__(self) -> Self:
        """Take the terminal; other progress bars are silent meanwhile."""
        from rich.console import Console
        from rich.live import Live

        self._silence = silent()
        self._silence.__enter__()
        console = Console(highlight=False, markup=False)
        self._live: Any = Live(console=console, get_renderable=self._table, refresh_per_second=1)
        self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give the terminal back with the last table on it."""
        self._live.__exit__(kind, error, trace)
        self._silence.__exit__(kind, error, trace)

    def show(self, event: Event) -> None:
        """Draw the table again."""
        del event
        self._live.refresh()

    def _table(self) -> "Table":
        from rich.table import Table

        counts = Counter(one.state for one in self.ended)
        told = [f"{len(self.ended)} of {len(self.cells)} done"]
        told += [f"{counts[state]} {state}" for state in ("stored", "failed") if counts[state]]
        told += [f"{len(self.running)} running"] if self.running else []
        left = self.left
        told += [f"about {duration(left)} left"] if left is not None and self.running else []
        grid = Table.grid(padding=(0, 2))
        grid.add_row(", ".join(told))
        for one in self.ended[-self._LAST :]:
            grid.add_row(printable(ended_line(one)))
        for one in list(self.running.values()):  # drawn by a thread while events come
            grid.add_row(printable(f"running  {_name(one.cell)}  {one.where}"))
        return grid


def ended_line(event: Event) -> str:
    """What came of a cell."""
    if event.state == "failed":
        return f"failed  {_name(event.cell)}: {event.error}"
    score = "none" if event.score is None else f"{event.score:.3f}"
    return f"{event.state}  {_name(event.cell)}  {score}  {event.seconds:.1f} s"


def _name(cell: Cell) -> str:
    variant = f" ({cell.variant})" if cell.variant else ""
    return f"{cell.model} on {cell.benchmark}{variant}"


def duration(seconds: float) -> str:
    """``45 s``, ``12 min``, ``3.4 h``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
