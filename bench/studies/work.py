"""What a worker does with a batch of a study, wherever it is: its cells in turn, each of which may fail alone."""

import os
import socket
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ...errors import UserError, first_line
from .cells import Batch, Cell, Event, Job

if TYPE_CHECKING:
    from ...models import Model


def do(batch: Batch, job: Job) -> Iterator[Event]:
    """Score the cells of a batch, and tell when each begins and how it ended.

    The model is opened once, its activations are kept as long as the batch takes, and a failing cell never stops the
    rest.

    Parameters
    ----------
    batch : Batch
    job : Job

    Yields
    ------
    Event
        ``running`` and then one of the other states, for every cell in turn.
    """
    where = f"{socket.gethostname()}:{os.getpid()}"
    model: Model | None = None
    for cell in batch.cells:
        yield Event(cell, "running", where)
        began = time.perf_counter()
        try:
            model = _opened(cell) if model is None else model
            record = _scored(cell, model, job)
        except UserError as error:
            yield Event(
                cell, "failed", where, time.perf_counter() - began, error=" ".join(str(error).split())
            )
        # a stranger's network or metric may raise anything, and must not stop the cells of others
        except Exception as error:
            line = f"{type(error).__name__}: {first_line(error)}"
            yield Event(cell, "failed", where, time.perf_counter() - began, error=line)
        else:
            state = "stored" if record["cached"] else "scored"
            seconds = time.perf_counter() - began
            yield Event(cell, state, where, seconds, record["file"], score=record["score"])


def _opened(cell: Cell) -> "Model":
    raise NotImplementedError


def _scored(cell: Cell, model: "Model", job: Job) -> dict[str, Any]:
    raise NotImplementedError
