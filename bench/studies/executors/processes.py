"""Processes on this machine, which share its processors and its memory."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from ....errors import UserError
from ....memory import available_bytes
from ..cells import Batch, Event, Job
from .base import executor
from .messages import batch_json, event_of, greeting, remaining

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
_PROGRAM = "from brodmann.bench.studies.executors.worker import main; main()"
_MOST_SILENT = 3
"""Workers in a row that may end before they have begun a cell."""
_PATIENCE_S = 5.0


class Worker:
    """A process that does one batch after the other, and what it was given last.

    Parameters
    ----------
    job : Job
    environment : mapping
        Its environment variables.
    told : SimpleQueue
        Takes ``(worker, message)`` as messages come, and ``(worker, None)`` at its end.
    """

    def __init__(self, job: Job, environment: Mapping[str, str], told: "SimpleQueue[Told]") -> None:
        self.batch: Batch | None = None
        self.has_begun = False
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", _PROGRAM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=dict(environment),
            text=True,
            encoding="utf-8",
            start_new_session=True,  # an interrupt at the keyboard is the parent's, which stops its workers
        )
        threading.Thread(target=self._listen, args=(told,), daemon=True).start()
        self._say(job=asdict(job), greeting=greeting())

    def give(self, batch: Batch) -> None:
        """Hand it a batch."""
        self.batch = batch
        self._say(batch=batch_json(batch))

    def end(self) -> None:
        """Let it go where it has nothing to do, stop it with all that it started where it works."""
        if self.batch is None:
            self._say(end=True)
        else:
            self._signal(signal.SIGTERM)

    def wait(self) -> int:
        """Wait until it is gone, not for long; its exit status."""
        assert self._process.stdin is not None
        with suppress(OSError):
            self._process.stdin.close()
        try:
            return self._process.wait(_PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._signal(getattr(signal, "SIGKILL", signal.SIGTERM))
            return self._process.wait()

    def _say(self, **content: Any) -> None:
        assert self._process.stdin is not None
        with suppress(OSError):  # it is gone, which its end of output tells
            self._process.stdin.write(json.dumps(content) + "\n")
            self._process.stdin.flush()

    def _listen(self, told: "SimpleQueue[Told]") -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                if line.endswith("\n"):  # else it was lost in the middle of a word
                    told.put((self, json.loads(line)))
        told.put((self, None))

    def _signal(self, number: int) -> None:
        with suppress(ProcessLookupError):
            if hasattr(os, "killpg"):
                os.killpg(self._process.pid, number)
            else:
                self._process.send_signal(number)


Told = tuple[Worker, dict[str, Any] | None]


@executor(
    "processes",
    sentence="Processes on this machine, processes:N of them (half of the processors by default), which share its "
    "threads and its memory.",
)
def processes(batches: Sequence[Batch], job: Job, argument: str) -> Iterator[Event]:
    """Work through batches in several processes; what one leaves that is lost is done by another."""
    waiting, history, silent = list(batches), list[Event](), 0
    n = max(1, min(_number(argument), len(waiting)))
    environment, told, workers = shared_out(n), SimpleQueue[Told](), list[Worker]()
    try:
        while waiting or any(one.batch for one in workers):
            workers += [Worker(job, environment, told) for _ in range(min(n - len(workers), len(waiting)))]
            for worker in workers:
                if waiting and worker.batch is None:
                    worker.give(waiting.pop(0))
            worker, message = told.get()
            if message is None:
                workers.remove(worker)
                status = worker.wait()
                silent = 0 if worker.has_begun else silent + 1
                if silent == _MOST_SILENT:
                    raise UserError(
                        f"{silent} workers ended before they began a cell, with exit status {status}"
                    )
                if worker.batch is not None:
                    batch, failed = remaining(worker.batch, history)
                    yield from failed
                    waiting += [batch] if batch.cells else []
            elif "refused" in message:
                raise UserError(message["refused"])
            elif "done" in message:
                worker.batch = None
            else:
                event = event_of(message["event"])
                worker.has_begun = True
                history.append(event)
                yield event
    finally:
        for worker in workers:
            worker.end()
        for worker in workers:
            worker.wait()


def shared_out(n: int) -> dict[str, str]:
    """The environment of each of `n` workers: its share of the threads and of the memory of this machine."""
    share = max(1, n_processors() // n)
    own = {name: int(value) for name in THREADS if (value := os.environ.get(name, "")).isdecimal()}
    threads = {name: str(min(share, own.get(name) or share)) for name in THREADS}
    return {
        **os.environ,
        **threads,
        "BRODMANN_MEMORY_GB": f"{available_bytes() / n / 2**30:.3f}",
        "PYTHONPATH": os.pathsep.join(one or str(Path.cwd()) for one in sys.path),
    }


def n_processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _number(argument: str) -> int:
    if not argument:
        return max(1, n_processors() // 2)
    if not argument.isdecimal() or int(argument) < 1:
        raise UserError(f"processes:{argument}: how many? A whole number from 1, such as processes:4")
    return int(argument)
