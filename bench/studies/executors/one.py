"""Everything in this process, one batch after the other."""

from collections.abc import Iterator, Sequence

from ..cells import Batch, Event, Job
from ..work import do
from .base import executor
from .messages import alone


@executor("one", sentence="In this process, one cell after the other; the default.")
def one(batches: Sequence[Batch], job: Job, _argument: str) -> Iterator[Event]:
    """Work through batches in their order."""
    for batch in batches:
        yield from alone(do(batch, job), job)
