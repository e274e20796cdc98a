"""How much one sender may ask: buckets that fill again with time, and the most bytes of a request."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address, ip_network

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

    Of each sender it knows one number, when its bucket is full again; a question takes the same time however many
    there are, and those who asked longest ago are forgotten.

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
        self._full: OrderedDict[str, float] = OrderedDict()
        self._lock = threading.Lock()

    def check(self, sender: str) -> None:
        """Raise where a sender has nothing left; take nothing.

        Raises
        ------
        Refused
            429.
        """
        self._ask(sender, taken=0)

    def take(self, sender: str) -> None:
        """Count one.

        Raises
        ------
        Refused
            429 where there were too many before.
        """
        self._ask(sender, taken=1)

    def _ask(self, sender: str, *, taken: int) -> None:
        now, one = self._clock(), 60 / self._most
        with self._lock:
            full = max(self._full.get(sender, now), now) + one
            if full - now > 60 + one / 1000:
                raise Refused(f"too many {self._what}: at most {self._most} a minute; wait a little", 429)
            if taken:
                self._full[sender] = full
                self._full.move_to_end(sender)
                if len(self._full) > _MOST_SENDERS:
                    self._full.popitem(last=False)


def sender_of(client: tuple[str, int] | None) -> str:
    """Who counts as one sender: an address, or the network of 64 bits that one subscriber has in IPv6."""
    host = client[0] if client else "nobody"
    try:
        found = ip_address(host)
    except ValueError:
        return host[:64]
    if found.version == 4:
        return host
    return str(found.ipv4_mapped or ip_network((int(found), 64), strict=False))
