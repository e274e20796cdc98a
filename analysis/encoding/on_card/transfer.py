"""From the memory of the machine, or its disk, to that of a card: through two pinned buffers, on a stream of its own.

While one buffer is on its way the other is filled, and the card computes with what came before.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    Real = npt.NDArray[np.floating[Any]]

STAGED_BYTES = 1 << 26
"""Of one part that is sent."""


class Lane(Protocol):
    """A way to a device."""

    def buffer(self, n_bytes: int) -> Tensor:
        """Host memory that may be sent from."""

    def send(self, staged: Tensor) -> tuple[Tensor, Any]:
        """A copy on the device, and what tells when the buffer is free again."""

    def wait(self, ticket: Any) -> None:
        """Until the buffer is free."""


class PlainLane:
    """A copy, done when it returns."""

    def __init__(self, device: torch.device) -> None:
        self._device = device

    def buffer(self, n_bytes: int) -> Tensor:
        """Ordinary memory."""
        import torch

        return torch.empty(n_bytes, dtype=torch.uint8)

    def send(self, staged: Tensor) -> tuple[Tensor, Any]:
        """Copied at once."""
        return staged.to(self._device, copy=True), None

    def wait(self, ticket: Any) -> None:
        """Nothing to wait for."""


class CudaLane:
    """Pinned memory, copied on a stream of its own."""

    def __init__(self, device: torch.device) -> None:
        import torch

        self._device, self._stream = device, torch.cuda.Stream(device)  # type: ignore[no-untyped-call]

    def buffer(self, n_bytes: int) -> Tensor:
        """Pinned memory."""
        import torch

        return torch.empty(n_bytes, dtype=torch.uint8, pin_memory=True)

    def send(self, staged: Tensor) -> tuple[Tensor, Any]:
        """On its way; what the current stream does next waits for it."""
        import torch

        current = torch.cuda.current_stream(self._device)
        # its memory belongs to this stream: nothing before has to end first
        with torch.cuda.stream(self._stream):
            there = staged.to(self._device, non_blocking=True)
            arrived = self._stream.record_event()
        current.wait_event(arrived)
        there.record_stream(current)
        return there, arrived

    def wait(self, ticket: Any) -> None:
        """Until it has arrived."""
        ticket.synchronize()


def lane(device: torch.device) -> Lane:
    """The best way to a device."""
    return CudaLane(device) if device.type == "cuda" else PlainLane(device)


def sent(parts: Iterable[Real], way: Lane) -> Iterator[Tensor]:
    """Arrays, each copied to the device in its own dtype and C order; the first is the largest."""
    import torch

    buffers: list[Tensor] = []
    tickets: list[Any] = [None, None]
    for number, part in enumerate(parts):
        if not buffers:
            buffers = [way.buffer(part.nbytes) for _ in range(2)]
        which = number % 2
        if number >= 2:
            way.wait(tickets[which])
        dtype = torch.from_numpy(np.empty(0, part.dtype)).dtype
        staged = buffers[which][: part.nbytes].view(dtype).view(part.shape)
        np.copyto(staged.numpy(), part)
        there, tickets[which] = way.send(staged)
        yield there
    for ticket in tickets:
        if ticket is not None:
            way.wait(ticket)  # the buffers are let go


def column_blocks(values: Real, columns: slice) -> Iterator[Real]:
    """The columns of an array, as many at a time as one part may be."""
    step = max(STAGED_BYTES // max(len(values) * values.dtype.itemsize, 1), 1)
    for start in range(columns.start, columns.stop, step):
        yield values[:, start : min(start + step, columns.stop)]


def sendable(values: npt.ArrayLike) -> Real:
    """An array of a floating dtype that torch has; others in double precision."""
    found = np.asarray(values)
    known = found.dtype.kind == "f" and found.dtype.itemsize <= 8 and found.dtype.isnative
    return found if known else found.astype(np.float64)
