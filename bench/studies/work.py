"""What a worker does with a batch of a study, wherever it is: its cells in turn, each of which may fail alone."""

import gc
import os
import socket
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ... import device
from ...analysis.shelf import Shelf
from ...errors import UserError, first_line
from ...memory import NotEnoughMemory, available_bytes
from ..score_key import BRAIN
from .cells import Batch, Cell, Event, Job, State

if TYPE_CHECKING:
    from ...models import Model
    from ..benchmark import Benchmark
    from ..scoring import Question

_MOST_SHELVED = 4 << 30
_MOST_RECORDED = 1 << 30


def do(batch: Batch, job: Job) -> Iterator[Event]:
    """Score the cells of a batch, and tell when each begins and how it ended.

    The model is opened once, its activations and what is made of them are kept as long as the batch takes, and a
    failing cell never stops the rest.

    Parameters
    ----------
    batch : Batch
    job : Job

    Yields
    ------
    Event
        ``running`` and then one of the other states, for every cell in turn.
    """
    if job.home is not None:
        os.environ["BRODMANN_HOME"] = job.home
    with device.use(job.device):
        yield from _events(batch, job)


def _events(batch: Batch, job: Job) -> Iterator[Event]:
    where, desk = f"{socket.gethostname()}:{os.getpid()}", _desk(job)
    desk.begin()
    try:
        for cell in batch.cells:
            yield Event(cell, "running", where)
            began = time.perf_counter()
            try:
                record = desk.record(cell, job, began)
            except UserError as error:
                line = " ".join(str(error).split())
                yield Event(cell, "failed", where, time.perf_counter() - began, error=line)
            # a stranger's network or metric may raise anything, or exit, and must not stop the cells of others
            except (Exception, SystemExit) as error:
                line = f"{type(error).__name__}: {first_line(error)}"
                yield Event(cell, "failed", where, time.perf_counter() - began, error=line)
            else:
                seconds = time.perf_counter() - began
                state: State = "stored" if record["cached"] else "scored"
                yield Event(cell, state, where, seconds, str(record["file"]), score=record["score"])
    finally:
        desk.shelf.clear()


class Desk:
    """What a worker has open: a model, the benchmarks of a study, and what was made of the model's layers."""

    def __init__(self) -> None:
        self.shelf = Shelf(0)
        self._recorded = Shelf(_MOST_RECORDED)
        self._reading: tuple[object, ...] | None = None
        self._opened: Model | UserError | None = None

    def begin(self) -> None:
        """Make room for what will be made of the next batch's layers: a quarter of what memory is free."""
        self.shelf = Shelf(min(_MOST_SHELVED, available_bytes() // 4))

    def record(self, cell: Cell, job: Job, began: float) -> dict[str, Any]:
        """Score a cell; where memory does not suffice, once more without what was kept."""
        try:
            return self._answered(cell, job, began)
        except NotEnoughMemory:
            if not len(self.shelf):
                raise
            self.shelf.clear()
            gc.collect()
            return self._answered(cell, job, began)

    def question(self, cell: Cell) -> "Question":
        """What a cell asks, as :func:`brodmann.score` does."""
        from ..scoring import question

        benchmark = self._benchmark(cell)
        return question(
            BRAIN if cell.model == BRAIN else self._model(cell),
            benchmark,
            cell.layers,
            seed=cell.seed,
            n_bootstraps=cell.bootstraps,
            n_permutations=cell.permutations,
            beyond=cell.beyond,
        )

    def _answered(self, cell: Cell, job: Job, began: float) -> dict[str, Any]:
        from ..results.store import open_run
        from ..scoring import answer

        store = self._recorded.once(("run", job.run), lambda: open_run(job.run), lambda _: 0)
        found = answer(self.question(cell), store, began, self.shelf)
        record: dict[str, Any] = found.attrs["record"]
        return record

    def _benchmark(self, cell: Cell) -> "Benchmark":
        from ..benchmark import benchmark_card, make_benchmark, with_folds

        card = benchmark_card(cell.benchmark)
        card = card if cell.folds is None else with_folds(card, cell.folds)
        return self._recorded.once(
            ("benchmark", card.identifier),
            lambda: make_benchmark(card, self._dataset(card.dataset)),
            lambda made: made.recording.responses.nbytes if made.recording.cube is not None else 0,
        )

    def _dataset(self, name: str) -> Any:
        from ...brain_data import load_dataset

        def size(made: Any) -> int:
            return 0 if made.responses is None else int(made.responses.nbytes)

        return self._recorded.once(("dataset", name), lambda: load_dataset(name), size)

    def _model(self, cell: Cell) -> "Model":
        """Opened once for cells in a row that read it alike; one that cannot be opened is not tried again."""
        from ...models.loading import load_view

        if cell.reading != self._reading:
            self._reading, self._opened = cell.reading, None
            try:
                self._opened = load_view(
                    cell.model, pool=cell.pool, project=cell.project, seed=cell.seed, half=cell.half,
                    text=cell.text, batch_size=cell.batch_size,
                )  # fmt: skip
            except UserError as error:
                self._opened = error
        if isinstance(self._opened, UserError):
            raise self._opened
        assert self._opened is not None  # one of the two it is
        return self._opened


_DESKS: dict[str, Desk] = {}
"""Of the study that this process works at."""


def _desk(job: Job) -> Desk:
    if job.study not in _DESKS:
        _DESKS.clear()
        _DESKS[job.study] = Desk()
    return _DESKS[job.study]


def let_go() -> None:
    """Close what this process has open for a study."""
    _DESKS.clear()
