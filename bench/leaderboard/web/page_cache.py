"""The newest state of a board and the pages made of it, kept until the board changes."""

import gzip
import hashlib
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from ..storage.board import Board
from ..storage.snapshot import Snapshot, read_snapshot

_LOOK_AGAIN_S = 0.25
_MOST_PAGES = 2_000
_MOST_BYTES = 128 << 20


@dataclass(frozen=True)
class Made:
    """A page or file as it is sent."""

    body: bytes
    packed: bytes
    tag: str


class Reader:
    """Answers from memory while a board stays as it is.

    Another process may change the board, so its revision is looked up again, at most four times a second; what this
    process changes is seen at once (:meth:`changed`).
    """

    def __init__(self, board: Board) -> None:
        self.board = board
        self._lock = threading.Lock()
        self._snapshot: Snapshot | None = None
        self._looked = -math.inf
        self._pages: OrderedDict[str, Made] = OrderedDict()
        self._bytes = 0

    def snapshot(self) -> Snapshot:
        """The newest state."""
        found = self._snapshot
        if found is not None and time.monotonic() - self._looked < _LOOK_AGAIN_S:
            return found
        with self._lock:
            return self._renewed()

    def changed(self) -> None:
        """The next question sees the change, also where the board is being read just now."""
        with self._lock:
            self._looked = -math.inf

    def page(self, key: str, make: Callable[[Snapshot], str]) -> Made:
        """The page of a key, made where it is not at hand."""
        snapshot = self.snapshot()
        name = f"{snapshot.revision} {key}"
        with self._lock:
            made = self._pages.get(name)
            if made is not None:
                self._pages.move_to_end(name)
                return made
        with self.board.reading():
            text = make(snapshot)
        made = packed(text.encode())
        with self._lock:
            if self._snapshot is snapshot and name not in self._pages:
                self._pages[name] = made
                self._bytes += _size(made)
                while len(self._pages) > _MOST_PAGES or self._bytes > _MOST_BYTES:
                    self._bytes -= _size(self._pages.popitem(last=False)[1])
        return made

    def _renewed(self) -> Snapshot:
        found = self._snapshot
        if found is not None and time.monotonic() - self._looked < _LOOK_AGAIN_S:
            return found
        looked = time.monotonic()
        revision = self.board.revision()
        if found is None or revision != found.revision:
            with self.board.reading():
                # the revision may have risen since; it is then read again at the next look
                found = read_snapshot(revision, found)
            self._pages.clear()
            self._bytes = 0
        self._snapshot, self._looked = found, looked
        return found


def packed(body: bytes) -> Made:
    """A body with its compressed form and its tag."""
    return Made(body, gzip.compress(body, 5, mtime=0), f'"{hashlib.sha256(body).hexdigest()[:32]}"')


def _size(made: Made) -> int:
    return len(made.body) + len(made.packed)
