"""How layers leave a graphics card: through a ring of pinned buffers on a stream of its own, while it goes on.

A copy into fresh pageable memory waits for the card and for every page; into buffers that stay pinned it runs at the
rate of the bus, beside the next pass.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ...memory import available_bytes

Rows = npt.NDArray[np.intp]
Arrays = dict[str, npt.NDArray[Any]]
SLOTS = 3
"""Batches in flight: one that is written, one that waits to be, one that is copied."""
_SHARE = 4
"""At most this part of what memory is free is pinned."""


class Bus(Protocol):
    """What copies from a device into memory of the host, and is waited for."""

    def buffer(self, n_bytes: int) -> Tensor:
        """Bytes on the host that stay where they are."""

    def copy(self, pairs: list[tuple[Tensor, Tensor]]) -> Callable[[], None]:
        """Begin to copy each first tensor into the second; the answer waits until all is there."""


class CardBus:
    """Asynchronous copies from one graphics card on a stream of their own.

    Parameters
    ----------
    device : torch.device
    """

    def __init__(self, device: torch.device) -> None:
        self._device, self._stream = device, torch.cuda.Stream(device)  # type: ignore[no-untyped-call]

    def buffer(self, n_bytes: int) -> Tensor:
        """Pinned memory."""
        return torch.empty(n_bytes, dtype=torch.uint8, pin_memory=True)

    def copy(self, pairs: list[tuple[Tensor, Tensor]]) -> Callable[[], None]:
        """After what the card has been asked to compute so far."""
        self._stream.wait_stream(torch.cuda.current_stream(self._device))
        with torch.cuda.stream(self._stream):
            for values, place in pairs:
                place.copy_(values, non_blocking=True)
                values.record_stream(self._stream)  # its memory is not given away before
        event = torch.cuda.Event()  # type: ignore[no-untyped-call]
        event.record(self._stream)
        return event.synchronize


def on_the_host(
    batches: Iterable[tuple[Rows, Mapping[str, Tensor]]], device: torch.device
) -> Iterator[tuple[Rows, Arrays]]:
    """The batches as arrays, each good until the next but one is asked for.

    Parameters
    ----------
    batches : iterable of (rows, mapping of str to tensor)
        Tensors of one shape but for their first axis.
    device : torch.device
        Where they lie.
    """
    if device.type == "cuda":
        yield from through_ring(batches, CardBus(device), available_bytes() // _SHARE)
        return
    for rows, tensors in batches:
        arrays = {name: values.cpu().numpy() for name, values in tensors.items()}
        del tensors  # before the next pass, which needs the room
        yield rows, arrays
        del arrays


def through_ring(
    batches: Iterable[tuple[Rows, Mapping[str, Tensor]]], bus: Bus, most_bytes: int
) -> Iterator[tuple[Rows, Arrays]]:
    """The same, copied by a bus one batch behind what is computed.

    Parameters
    ----------
    batches
        As :func:`on_the_host` takes them.
    bus : Bus
    most_bytes : int
        That all buffers may take; larger batches are copied into pageable memory, one at a time.
    """
    ring: list[dict[str, Tensor]] = [{} for _ in range(SLOTS)]
    waiting: tuple[Rows, Arrays, Callable[[], None]] | None = None
    for number, (rows, tensors) in enumerate(batches):
        if SLOTS * sum(one.nbytes for one in tensors.values()) > most_bytes:
            copied = rows, {name: one.cpu().numpy() for name, one in tensors.items()}, _nothing
        else:
            places = _places(ring[number % SLOTS], tensors, bus)
            arrived = bus.copy([(tensors[name], place) for name, place in places.items()])
            copied = rows, {name: place.numpy() for name, place in places.items()}, arrived
        del tensors
        if waiting is not None:
            waiting[2]()
            yield waiting[:2]
        waiting = copied
    if waiting is not None:
        waiting[2]()
        yield waiting[:2]


def _places(slot: dict[str, Tensor], tensors: Mapping[str, Tensor], bus: Bus) -> dict[str, Tensor]:
    """A part of the slot's buffers for each tensor."""
    for name, values in tensors.items():
        if name not in slot or slot[name].nbytes < values.nbytes:
            slot[name] = bus.buffer(values.nbytes)
    return {
        name: slot[name][: values.nbytes].view(values.dtype).view(values.shape)
        for name, values in tensors.items()
    }


def _nothing() -> None:
    """Nothing to wait for."""
