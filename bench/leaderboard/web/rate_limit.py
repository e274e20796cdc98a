"""How much one sender may ask: buckets that fill again with time, and the most bytes of a request."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from ..submission.errors import Refused
from ..submission.schema import MAX_BYTES

_MOST_SENDERS = 50_000


@dataclass(frozen=True)
class Limits:
    """What a server allows.

    Attributes
    ----------
    reads_per_minute : int
        Requests of one address.
    writes_per_minute : int
        Submissions and withdrawals of one token.
    failures_per_minute : int
        Tokens that were not valid, of one address.
    max_bytes : int
        Of a submission.
    """

    reads_per_minute: int = 6_000
    writes_per_minute: int = 60
    failures_per_minute: int = 20
    max_bytes: int = MAX_BYTES


class Rate:
    """At most so many in a minute for every sender, evenly or at once.

    Parameters
    ----------
    per_minute : int
    what : str
        Of what there are too many, for the message.
    clock : callable
        Seconds.
    """

    def __init__(self, per_minute: int, what: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._most, self._what, self._clock = per_minute, what, clock
        self._left: dict[str, tuple[float, float]] = {}
        self._lock = threading.Lock()

    def check(self, sender: str) -> None:
        """Raise where a sender has nothing left; take nothing.

        Raises
        ------
        Refused
            429.
        """
        if self._now(sender) < 1:
            raise Refused(f"too many {self._what}: at most {self._most} a minute; wait a little", 429)

    def take(self, sender: str) -> None:
        """Count one.

        Raises
        ------
        Refused
            429 where there were too many before.
        """
        with self._lock:
            left = self._refilled(sender)
            if left >= 1:
                self._left[sender] = left - 1, self._clock()
                return
        raise Refused(f"too many {self._what}: at most {self._most} a minute; wait a little", 429)

    def _now(self, sender: str) -> float:
        with self._lock:
            return self._refilled(sender)

    def _refilled(self, sender: str) -> float:
        if len(self._left) > _MOST_SENDERS:
            self._forget()
        left, since = self._left.get(sender, (float(self._most), self._clock()))
        return min(left + (self._clock() - since) * self._most / 60, self._most)

    def _forget(self) -> None:
        """Let go of senders whose bucket is full again."""
        now = self._clock()
        self._left = {name: one for name, one in self._left.items() if now - one[1] < 60}
