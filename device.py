"""Where networks and regressions are computed: the processor, a graphics card, several cards.

A device is called as torch calls it (``cpu``, ``cuda``, ``cuda:1``, ``mps``); ``cuda:all`` stands for every card that
is there.
"""

import os
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from difflib import get_close_matches
from queue import SimpleQueue
from typing import TypeVar

from .errors import UserError

VARIABLE = "BRODMANN_DEVICE"
"""The environment variable that names the device where nobody else does."""
PRODUCTS_VARIABLE = "BRODMANN_PRODUCTS"
"""The environment variable that names how regressions on a card multiply; by default as fast as float32 is exact."""
PRODUCTS = ("float32", "bf16x3", "tf32")
"""Float32; bfloat16 three times, as exact as float32; TF32, of 10 bits, which no default takes."""
_NAME = re.compile(r"cpu|mps|cuda(:(\d{1,3}|all))?")
_NAMES = ("cpu", "cuda", "cuda:1", "cuda:all", "mps")
_MEANT = {"gpu": "cuda", "nvidia": "cuda", "card": "cuda", "processor": "cpu", "metal": "mps", "apple": "mps"}
"""What else they are called."""
_IN_FORCE: ContextVar[str | None] = ContextVar("device", default=None)
Item = TypeVar("Item")
Result = TypeVar("Result")


def devices(name: str | None = None) -> list[str]:
    """The devices that a name stands for: one, or with ``cuda:all`` every card.

    Parameters
    ----------
    name : str, optional
        By default that in force (:func:`use`, else ``$BRODMANN_DEVICE``), else the first of cuda, mps, cpu that is
        there.

    Raises
    ------
    UserError
        For a name that is no device's, and for a device that is not there; in one line, with what is meant or here.
    """
    if name is None:
        name = _IN_FORCE.get()
    if name is None and (name := os.environ.get(VARIABLE) or None) is not None:
        try:
            return _named(name)
        except UserError as error:
            raise UserError(f"${VARIABLE}: {error}") from error
    return [_first()] if name is None else _named(str(name))


def device_of(name: str | None = None) -> str:
    """One device: the first of :func:`devices`."""
    return devices(name)[0]


@contextmanager
def use(name: str | None) -> Iterator[None]:
    """Put a device in force for the models and regressions of a block; None leaves things as they are.

    It holds in this thread: threads that the block starts are told their device.

    Parameters
    ----------
    name : str or None
        As :func:`devices` takes it.

    Raises
    ------
    UserError
        As there, when the block is entered.
    """
    if name is None:
        yield
        return
    devices(name)
    before = _IN_FORCE.set(name)
    try:
        yield
    finally:
        _IN_FORCE.reset(before)


def over(
    items: Iterable[Item], work: Callable[[Item, str], Result], where: list[str] | None = None
) -> Iterator[Result]:
    """Work on items on all devices in force, one item a device at a time; what is found comes in the items' order.

    On one device it is a loop in this thread, on several a thread a device: a card computes while the threads of
    others wait for theirs.

    Parameters
    ----------
    items : iterable
    work : callable
        (item, device) -> result.
    where : list of str, optional
        Those of :func:`devices` by default.
    """
    free = devices() if where is None else where
    if len(free) == 1:
        yield from (work(item, free[0]) for item in items)
        return
    idle: SimpleQueue[str] = SimpleQueue()
    for one in free:
        idle.put(one)

    def on_a_free_one(item: Item) -> Result:
        device = idle.get()
        try:
            _IN_FORCE.set(device)
            return work(item, device)
        finally:
            idle.put(device)

    waiting: deque[Future[Result]] = deque()
    pool = ThreadPoolExecutor(len(free))
    try:
        for item in items:
            waiting.append(pool.submit(on_a_free_one, item))
            if len(waiting) > len(free):
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def products_asked() -> str | None:
    """How a person asks regressions on a card to multiply, by ``$BRODMANN_PRODUCTS``: one of :data:`PRODUCTS`, or None.

    Raises
    ------
    UserError
        For another name.
    """
    name = os.environ.get(PRODUCTS_VARIABLE) or None
    if name is not None and name not in PRODUCTS:
        raise UserError(f"${PRODUCTS_VARIABLE}: {name[:40]!r} is not one of {', '.join(PRODUCTS)}")
    return name


def card_name(name: str) -> str:
    """What a graphics card is called by its maker; empty for what is none."""
    if not name.startswith("cuda"):
        return ""
    import torch

    return torch.cuda.get_device_name(name)


def _named(name: str) -> list[str]:
    match = _NAME.fullmatch(name)
    if match is None:
        raise _refused(name, f"it is no device's name: {_advice(name)}")
    number = match[2]
    if name == "cpu":
        return [name]
    if name == "mps":
        if _has_mps():
            return [name]
        raise _refused(name, f"this machine has {_here()}")
    n_cards = _n_cards()
    if n_cards == 0 or (number not in (None, "all") and int(number) >= n_cards):
        raise _refused(name, f"this machine has {_here()}")
    return [f"cuda:{i}" for i in range(n_cards)] if number == "all" else [name]


def _refused(name: str, why: str) -> UserError:
    return UserError(f"device {name[:40]!r} cannot be used here: {why}")


def _advice(name: str) -> str:
    meant = _MEANT.get(name.lower().partition(":")[0])
    close = [meant] if meant else get_close_matches(name.lower(), _NAMES, n=2, cutoff=0.6)
    if close:
        return f"did you mean {' or '.join(map(repr, close))}?"
    return f"devices are called {', '.join(_NAMES[:-1])} or {_NAMES[-1]}"


def _here() -> str:
    """What there is, in words."""
    cards = [f"cuda:{i}" for i in range(_n_cards())]
    return ", ".join(["cpu", *cards, *(["mps"] if _has_mps() else [])])


def _first() -> str:
    return "cuda" if _n_cards() else "mps" if _has_mps() else "cpu"


def _n_cards() -> int:
    import torch

    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def _has_mps() -> bool:
    import torch

    return torch.backends.mps.is_available()
