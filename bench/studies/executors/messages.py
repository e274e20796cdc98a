"""What parent and workers write to each other, and what is left to do of a batch whose worker was lost."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import asdict
from functools import cache
from typing import Any

from ....errors import UserError
from ....source_digest import whole_digest
from ...results.store import open_run
from ..cells import Batch, Cell, Event, Job

MOST_LOSSES = 2
"""Workers that a cell may take with it before it counts as failed."""


@cache
def greeting() -> str:
    """What both sides must be: the digest of the package's code as this process first saw it."""
    return whole_digest()


def check_greeting(expected: str, where: str) -> None:
    """Refuse to work for a parent of another brodmann.

    Raises
    ------
    UserError
        With the name of this machine.
    """
    if greeting() != expected:
        raise UserError(
            f"the worker {where} has another brodmann than this one (the digests of the code differ): "
            "install the same version on both"
        )


def batch_json(batch: Batch) -> dict[str, Any]:
    """A batch as JSON."""
    return {"cells": [cell.as_json() for cell in batch.cells]}


def batch_of(content: Mapping[str, Any]) -> Batch:
    """A batch from what :func:`batch_json` gave."""
    return Batch(tuple(map(Cell.from_json, content["cells"])))


def job_of(content: Mapping[str, Any]) -> Job:
    """A job from its fields."""
    return Job(**content)


def event_json(event: Event) -> dict[str, Any]:
    """An event as JSON."""
    return asdict(event) | {"cell": event.cell.as_json()}


def event_of(content: Mapping[str, Any]) -> Event:
    """An event from what :func:`event_json` gave."""
    return Event(**{**content, "cell": Cell.from_json(content["cell"])})


def alone(events: Iterable[Event], job: Job) -> Iterator[Event]:
    """The events of a batch, none of whose cells begins while another study does the same one into the same run."""
    run = open_run(job.run)
    with ExitStack() as held:
        for event in events:
            if event.has_ended:
                held.close()
            else:
                held.enter_context(run.claim(event.cell.identifier))
            yield event


def remaining(batch: Batch, told: Iterable[Event]) -> tuple[Batch, list[Event]]:
    """What is left to do of a batch after its worker was lost.

    Parameters
    ----------
    batch : Batch
    told : iterable of Event
        Everything that was told of its cells so far, by all workers that had it.

    Returns
    -------
    batch : Batch
        The cells that have not ended; those that were begun come last, so that others need not wait for them.
    failed : list of Event
        The ends of cells that took :data:`MOST_LOSSES` workers with them.
    """
    told = list(told)
    ended = {event.cell for event in told if event.has_ended}
    begun = Counter(event.cell for event in told if not event.has_ended)
    where = {event.cell: event.where for event in told}
    left = sorted((cell for cell in batch.cells if cell not in ended), key=begun.__getitem__)
    failed = [
        Event(
            cell,
            "failed",
            where[cell],
            error=f"{begun[cell]} workers were lost while they did it (killed, or out of memory), "
            f"the last at {where[cell]}: give it more memory, or fewer workers a machine",
        )
        for cell in left
        if begun[cell] >= MOST_LOSSES
    ]
    return Batch(tuple(cell for cell in left if begun[cell] < MOST_LOSSES)), failed
