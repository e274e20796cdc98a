"""How much memory a card has free, and blocks that are halved where it does not suffice."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ....memory import NotEnoughMemory, available_bytes

if TYPE_CHECKING:
    import torch

_SHARE = 0.9
"""Of what is free; the rest is for what libraries take and for memory in pieces."""


def free_bytes(device: torch.device) -> int:
    """Memory that may be used: of a card what it has free, else what the machine has."""
    import torch

    if device.type != "cuda":
        return available_bytes()
    unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return int(_SHARE * (torch.cuda.mem_get_info(device)[0] + unused))


def require_on(device: torch.device, n_bytes: int, what: str) -> None:
    """Refuse, before anything is computed, what a card would not hold.

    Raises
    ------
    NotEnoughMemory
        With the estimate, what is free, and what to do.
    """
    free = free_bytes(device)
    if n_bytes > free:
        raise too_little(device, what, n_bytes)


def too_little(device: torch.device, what: str, n_bytes: int) -> NotEnoughMemory:
    """What a device does not hold, in one line."""
    return NotEnoughMemory(
        f"{what} would take about {n_bytes / 2**30:.1f} GiB of the memory of {device} and "
        f"{free_bytes(device) / 2**30:.1f} GiB are free: use a larger card, or --device cpu"
    )


def in_blocks(
    n: int, size: int, work: Callable[[slice], None], device: torch.device, what: str, one_bytes: int
) -> int:
    """Do work on blocks of n things, halved where memory runs out; the size that sufficed.

    Parameters
    ----------
    n, size : int
        How many there are, and in a block at first.
    work : callable
        Of a block; may be called again on part of a block on which memory ran out.
    device : torch.device
    what : str
        The work, for the message.
    one_bytes : int
        About what one thing takes, for the message.

    Raises
    ------
    NotEnoughMemory
        Where even one thing does not fit.
    """
    import torch

    start = 0
    while start < n:
        try:
            work(slice(start, min(start + size, n)))
        except torch.OutOfMemoryError:
            done = False
        else:
            done = True
        if done:
            start += size
            continue
        if size == 1:
            raise too_little(device, f"{what}, even of one target,", one_bytes)
        size = (min(size, n) + 1) // 2
        if device.type == "cuda":
            torch.cuda.empty_cache()
    return size
