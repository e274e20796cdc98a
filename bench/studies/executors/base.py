"""The registry of executors: ways to work through the batches of a study."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ....registry import Registry
from ..cells import Batch, Event, Job

Work = Callable[[Sequence[Batch], Job, str], Iterator[Event]]
"""(batches, job, what stood behind the colon) -> what happens, as it happens; every cell ends exactly once.

Closing the iterator (an interrupt) stops the workers; what is finished is kept.
"""


@dataclass(frozen=True)
class Executor:
    """A way to work through batches.

    Attributes
    ----------
    name : str
        What ``--on NAME`` or ``--on NAME:ARGUMENT`` takes.
    sentence : str
        Where the work is done, and what the argument is.
    work : callable
        See :data:`Work`.
    """

    name: str
    sentence: str
    work: Work


EXECUTORS: Registry[Executor] = Registry(
    "executor",
    "brodmann.bench.studies.executors",
    "brodmann.executors",
    hint="brodmann list executors shows them",
)


def executor(name: str, *, sentence: str) -> Callable[[Work], Work]:
    """Register a function as an executor.

    Parameters
    ----------
    name, sentence
        See :class:`Executor`.
    """

    def add(work: Work) -> Work:
        EXECUTORS.register(name, Executor(name, sentence, work), work.__module__)
        return work

    return add
