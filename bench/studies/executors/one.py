"""Everything in this process, one batch after the other."""

from collections.abc import Iterator, Sequence

from ....errors import UserError
from ..cells import Batch, Event, Job
from ..work import do
from .base import executor
from .messages import alone


@executor("one", sentence="In this process, one cell after the other; the default.")
def one(batches: Sequence[Batch], job: Job, argument: str) -> Iterator[Event]:
    """Work through batches in their order."""
    if argument:
        raise UserError(f"--on one takes no :{argument}: did you mean processes:{argument}?")
    for batch in batches:
        yield from alone(do(batch, job), job)
