"""Pictures decoded in processes of their own, for a card that is faster than Python's threads.

A worker is a fresh interpreter that imports this package alone and never the script that asks, which so needs no
``if __name__ == "__main__"``. It is told files and answers with numbers, through its pipes.
"""

import os
import pickle
import subprocess
import sys
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from queue import SimpleQueue
from typing import IO, Self

import torch
from torch import Tensor

from ...errors import UserError
from .decoding import Picture, Preprocess, received, send

WORTH = 4_000
"""Pictures from which on the seconds that processes take to start are saved again."""
_MOST = 16
_FEWEST_CORES = 4
_PIPE_BYTES = 1 << 20
_SERVE = "from brodmann.models.extraction.decoding import serve; serve()"


def are_worth(n_pictures: int, preprocess: object) -> bool:
    """Whether so many pictures are decoded sooner in processes, and the preprocessing can go there.

    What a script or notebook defines cannot be imported elsewhere, and stays with the threads.
    """
    if n_pictures < WORTH or (os.cpu_count() or 1) < _FEWEST_CORES:
        return False
    try:
        return b"__main__" not in pickle.dumps(preprocess)
    except Exception:  # a person's own object may refuse in any way
        return False


class Decoders:
    """Workers that decode pictures; they end with the block.

    Parameters
    ----------
    preprocess : callable
    identifier : str
        The model's, for messages.
    n_workers : int, optional
        As many as there are cores by default, at most 16.

    Raises
    ------
    EOFError
        Where the preprocessing cannot be imported in another process.
    """

    def __init__(self, preprocess: Preprocess, identifier: str, n_workers: int | None = None) -> None:
        n = n_workers or min(_MOST, os.cpu_count() or 1)
        told = pickle.dumps((preprocess, identifier))
        self._workers = [_started(told) for _ in range(n)]
        self._idle: SimpleQueue[subprocess.Popen[bytes]] = SimpleQueue()
        for one in self._workers:
            self._idle.put(one)
        self._threads = ThreadPoolExecutor(n)
        try:
            for one in self._workers:
                received(_pipe(one.stdout))
        except EOFError:
            self.__exit__()
            raise

    def submit(self, picture: Picture) -> "Future[Tensor]":
        """Have a picture decoded; see :func:`.decoding.decoded`."""
        return self._threads.submit(self._decoded, picture)

    def _decoded(self, picture: Picture) -> Tensor:
        worker = self._idle.get()
        try:
            return _answer(worker, picture)
        finally:
            self._idle.put(worker)

    def __enter__(self) -> Self:
        """The workers."""
        return self

    def __exit__(self, *_: object) -> None:
        """End them, whatever they are at."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        for one in self._workers:
            one.kill()
        self._threads.shutdown()
        for one in self._workers:
            with suppress(BrokenPipeError):
                one.communicate()


def _started(told: bytes) -> "subprocess.Popen[bytes]":
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    worker = subprocess.Popen(
        [sys.executable, "-c", _SERVE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
    )
    with suppress(ImportError, OSError, AttributeError):  # where a pipe cannot be widened, it is only slower
        import fcntl

        fcntl.fcntl(_pipe(worker.stdout), fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    send(_pipe(worker.stdin), told)
    return worker


def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
    assert stream is not None
    return stream


def _answer(worker: "subprocess.Popen[bytes]", picture: Picture) -> Tensor:
    answers = _pipe(worker.stdout)
    try:
        send(_pipe(worker.stdin), pickle.dumps(picture))
        problem, shape, dtype = pickle.loads(received(answers))
        if not problem:
            return torch.frombuffer(received(answers), dtype=dtype).reshape(shape)
    except (EOFError, OSError) as error:
        raise UserError(
            f"a process that decodes pictures ended at that of stimulus {picture.stimulus!r}: is memory short?"
        ) from error
    raise UserError(problem)
