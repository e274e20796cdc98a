"""In which batches a study is worked through; what of it is stored, and what the rest takes."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from statistics import median
from typing import Any, Literal

from ...errors import UserError
from ...memory import OVERHEAD
from ..benchmark import benchmark_card
from ..results.store import Run, open_run
from .cells import Batch, Cell
from .expansion import Expansion, LeftOut

Status = Literal["to do", "stored", "refused"]


@dataclass(frozen=True)
class Planned:
    """A cell, and what is known of it before it is scored.

    Attributes
    ----------
    cell : Cell
    status : {"to do", "stored", "refused"}
    seconds : float or None
        That it is expected to take; None where nothing like it was scored before.
    n_bytes : int
        That comparing takes.
    why : str
        Where it is refused.
    """

    cell: Cell
    status: Status
    seconds: float | None = None
    n_bytes: int = 0
    why: str = ""


@dataclass(frozen=True)
class Plan:
    """What there is to do.

    Attributes
    ----------
    cells : list of Planned
    left_out : list of LeftOut
    """

    cells: list[Planned]
    left_out: list[LeftOut]

    def of(self, status: Status) -> list[Planned]:
        """The cells of a status."""
        return [one for one in self.cells if one.status == status]

    @property
    def seconds(self) -> float | None:
        """Of all that is to do, in one process; None where too little was scored before to say."""
        known = [one.seconds for one in self.of("to do") if one.seconds is not None]
        unknown = len(self.of("to do")) - len(known)
        return sum(known) + unknown * median(known) if known else None

    @property
    def n_unknown(self) -> int:
        """Cells to do that nothing like was scored before."""
        return sum(one.seconds is None for one in self.of("to do"))

    @property
    def n_bytes(self) -> int:
        """Most memory that a cell takes, libraries included."""
        return max((one.n_bytes for one in self.of("to do")), default=0) + OVERHEAD


def batches(cells: Sequence[Cell]) -> list[Batch]:
    """Cells of one reading and one data set together, reading by reading, so that a model is opened once."""
    grouped: dict[tuple[object, ...], dict[str, list[Cell]]] = {}
    for cell in cells:
        dataset = benchmark_card(cell.benchmark).dataset
        grouped.setdefault(cell.reading, {}).setdefault(dataset, []).append(cell)
    return [Batch(tuple(one)) for by_dataset in grouped.values() for one in by_dataset.values()]


def plan(found: Expansion, run: str) -> Plan:
    """Open models and benchmarks one after the other, and look each cell up by its key.

    Parameters
    ----------
    found : Expansion
    run : str
        Whose records count.
    """
    known = _Known(run)
    surveyed = {one.cell: one for batch in batches(found.cells) for one in _surveyed(batch, run, known)}
    return Plan([surveyed[cell] for cell in found.cells], found.left_out)


def _surveyed(batch: Batch, run: str, known: "_Known") -> Iterator[Planned]:
    from ..layer_comparison import memory_needed
    from .work import Desk

    store, desk = open_run(run), Desk()
    for cell in batch.cells:
        try:
            asked = desk.question(cell)
            if asked.stored(store) is not None:
                yield Planned(cell, "stored")
                continue
            n_bytes = 0
            if asked.model is not None:
                beyond = bool(asked.nuisance)
                n_bytes = memory_needed(asked.model, asked.benchmark, asked.layers, beyond=beyond)[1]
        except UserError as error:
            yield Planned(cell, "refused", why=" ".join(str(error).split()))
        else:
            yield Planned(cell, "to do", known.seconds(cell), n_bytes)


class _Known:
    """Seconds of records that are stored, of this run and of the default one."""

    def __init__(self, run: str) -> None:
        self._records: list[Mapping[str, Any]] = [*_records(run), *_records(None)]

    def seconds(self, cell: Cell) -> float | None:
        """The median of those most like it: of the model on the benchmark, of the benchmark, of the metric."""
        metric = benchmark_card(cell.benchmark).metric
        alike = (
            {"model": cell.model, "benchmark": cell.benchmark},
            {"benchmark": cell.benchmark},
            {"metric": metric},
        )
        for wanted in alike:
            found = [
                float(one["seconds"])
                for one in self._records
                if one["seconds"] is not None and all(one[name] == value for name, value in wanted.items())
            ]
            if found:
                return median(found)
        return None


def _records(run: str | None) -> Iterable[Mapping[str, Any]]:
    """Those of a run that can be read."""
    store = open_run(run)
    with suppress(UserError):  # there is no run yet
        for path in sorted(store.opened().glob("*.json")):
            with suppress(UserError):  # one that is damaged is to do again
                yield from Run.records_of(store, [path])  # of a store, it was brought here by opened
