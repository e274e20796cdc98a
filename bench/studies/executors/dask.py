"""Workers of dask.distributed, on this machine or on many."""

import sys
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import redirect_stdout, suppress
from dataclasses import asdict, replace
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from ....errors import UserError, first_line
from ..cells import Batch, Event, Job
from .base import executor
from .dask_cluster import connected
from .messages import (
    alone,
    batch_json,
    batch_of,
    check_greeting,
    event_json,
    event_of,
    greeting,
    job_of,
    remaining,
)

if TYPE_CHECKING:
    from distributed import Client, Future

_MOST_SILENT = 3
"""Times that a batch is handed in anew where nothing has been told of it since."""
_SEEN_S = 10.0
_WORKING = threading.Lock()
"""A process works through one batch at a time, however many threads it has: a score has the whole of its share."""


@executor(
    "dask",
    sentence="Workers of dask.distributed: dask:tcp://HOST:8786, dask:local:N, dask:slurm:N (pbs, sge) or "
    "dask:kubernetes:N.",
)
def dask(batches: Sequence[Batch], job: Job, argument: str) -> Iterator[Event]:
    """Work through batches on a cluster; the scheduler hands what a lost worker had to another."""
    with connected(argument) as client:
        yield from _worked(list(batches), _reachable(job), client)


class _Study:
    """The batches that are being worked through: what was told of each, and the future that it is."""

    def __init__(self, batches: list[Batch], job: Job, client: "Client") -> None:
        self.name = f"brodmann-{uuid.uuid4().hex}"
        self.batches, self.job, self.client = batches, job, client
        self.told: SimpleQueue[tuple[int, Any]] = SimpleQueue()
        self.history: list[list[Event]] = [[] for _ in batches]
        self.silent = [0] * len(batches)
        self.futures: dict[int, Future] = {}
        for number in range(len(batches)):
            client.subscribe_topic(self.topic(number), lambda event, at=number: self.told.put((at, event[1])))
            self.submit(number)

    def topic(self, number: int) -> str:
        return f"{self.name}-{number}"

    def submit(self, number: int) -> None:
        """Hand in what is left of a batch; the scheduler's log of its topic says what that is."""
        future = self.client.submit(
            work_batch,
            batch_json(self.batches[number]),
            asdict(self.job),
            greeting(),
            self.topic(number),
            self.name,
            key=f"{self.topic(number)}-{uuid.uuid4().hex[:8]}",
            priority=-number,
            pure=False,
        )
        self.futures[number] = future
        future.add_done_callback(lambda done, at=number: self.told.put((at, done)))

    def hear(self, number: int, message: dict[str, Any]) -> Iterator[Event]:
        """An event, unless the end of its cell was told before."""
        event, history = event_of(message), self.history[number]
        if not any(one.cell == event.cell and one.has_ended for one in history):
            self.silent[number] = 0
            history.append(event)
            yield event

    def end(self, number: int, future: "Future") -> Iterator[Event]:
        """What a batch ended with; it is handed in again where too many workers were lost meanwhile."""
        del self.futures[number]
        if future.cancelled():
            raise UserError(
                "the scheduler was lost, or forgot this study; what is finished is kept: run it again"
            )
        error = None if future.status == "finished" else future.exception()
        if error is None:
            for message in future.result():
                yield from self.hear(number, message)
            return
        if isinstance(error, UserError):
            raise error
        left, failed = remaining(self.batches[number], self.history[number])
        self.silent[number] += 1
        for event in failed:
            yield from self.hear(number, event_json(event))
        if type(error).__name__ != "KilledWorker" or self.silent[number] >= _MOST_SILENT:
            line = f"the cluster could not do it: {type(error).__name__}: {first_line(error)}"
            for cell in left.cells:
                yield from self.hear(number, event_json(Event(cell, "failed", error=line)))
        elif left.cells:
            self.submit(number)

    def stop(self) -> None:
        """Tell workers to begin nothing more, and forget the batches."""
        with suppress(Exception):  # the cluster may be what was lost
            if self.futures:
                self.client.log_event(self.name, "stop")
                self.client.cancel(list(self.futures.values()), force=True)
            for number in range(len(self.batches)):
                self.client.unsubscribe_topic(self.topic(number))


def _worked(batches: list[Batch], job: Job, client: "Client") -> Iterator[Event]:
    _check_workers(client)
    study = _Study(batches, job, client)
    try:
        while study.futures:
            number, message = study.told.get()
            if isinstance(message, dict):
                for event in study.hear(number, message):
                    _check_seen(event, job)
                    yield event
            elif message is study.futures.get(number):
                yield from study.end(number, message)
    finally:
        study.stop()


def work_batch(
    content: dict[str, Any], job: dict[str, Any], expected: str, topic: str, study: str
) -> list[dict[str, Any]]:
    """On a worker: go on with a batch where the worker before it was lost.

    Parameters
    ----------
    content, job : dict
        See :func:`~.messages.batch_json`.
    expected : str
        The parent's :func:`~.messages.greeting`.
    topic : str
        Takes the events. The scheduler keeps them, so that whoever has the batch next knows where this one was.
    study : str
        The topic where the parent says that it wants no more.

    Returns
    -------
    list of dict
        The events of this worker.
    """
    from distributed import get_client, get_worker

    from ..work import do

    check_greeting(expected, str(get_worker().address))
    client, made = get_client(), list[dict[str, Any]]()

    def tell(event: Event) -> None:
        made.append(event_json(event))
        client.log_event(topic, made[-1])  # it returns when the scheduler has it: a kill now loses nothing

    with (
        _WORKING,
        redirect_stdout(sys.stderr),
    ):  # a stranger's network may print; the parent's output stays clean
        batch, failed = remaining(batch_of(content), [event_of(one) for _, one in client.get_events(topic)])
        for event in failed:
            tell(event)
        for event in alone(do(batch, job_of(job)), job_of(job)) if batch.cells else ():
            if not event.has_ended and client.get_events(study):
                return made
            tell(event)
    return made


def _check_workers(client: "Client") -> None:
    """Refuse workers of another brodmann, or without one, before anything is begun."""
    try:
        found = client.run(greeting)
    except Exception as error:  # what a worker raises that has no brodmann, or another
        raise UserError(
            f"the workers cannot import this brodmann ({type(error).__name__}: {first_line(error)}): "
            "install the same version there"
        ) from None
    for where, code in found.items():
        check_greeting(code, where)
    for where, threads in client.nthreads().items():
        if threads > 1:
            raise UserError(
                f"the worker {where} has {threads} threads of dask's, and a score takes a whole process: start it with "
                "--nthreads 1 (what it computes with is OMP_NUM_THREADS)"
            )


def _reachable(job: Job) -> Job:
    """The job with its run as an absolute folder, where it is a folder: workers stand elsewhere."""
    from ...results.store import open_run

    return job if "://" in job.run else replace(job, run=str(open_run(job.run).folder.absolute()))


def _check_seen(event: Event, job: Job) -> None:
    """A record that a worker wrote must be seen from here; shared disks may take seconds."""
    if event.state != "scored" or "://" in job.run:
        return
    until = time.monotonic() + _SEEN_S
    while not Path(event.record).exists():
        if time.monotonic() > until:
            raise UserError(
                f"the worker {event.where} wrote {event.record}, which is not seen from here: "
                "give a run on a disk that all share, or s3://BUCKET/FOLDER"
            )
        time.sleep(0.2)
