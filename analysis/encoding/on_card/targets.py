"""Responses on a card: single precision, less their mean over all stimuli, a block of columns at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..cross_validation import Indices
from .memory import free_bytes
from .transfer import column_blocks, lane, sendable, sent

if TYPE_CHECKING:
    import torch
    from torch import Tensor

_RESIDENT = 0.2
"""Most of the free memory for targets that stay; others are sent again, block by block, whenever they are needed."""


class Columns:
    """Targets as they were recorded.

    Parameters
    ----------
    values : array of shape (n_stimuli, n_targets)
        May be a memory map larger than memory.
    device : torch.device
    resident : bool, optional
        Whether they stay on the device; where a fifth of its free memory holds them, by default.

    Attributes
    ----------
    shape : (int, int)
    device : torch.device
    """

    def __init__(self, values: npt.ArrayLike, device: torch.device, *, resident: bool | None = None) -> None:
        self._values, self.device = sendable(values), device
        self.shape = (self._values.shape[0], self._values.shape[1])
        self._way = lane(device)
        self._whole: tuple[Tensor, Tensor] | None = None
        n_bytes = 4 * self._values.size
        if resident if resident is not None else n_bytes <= _RESIDENT * free_bytes(device):
            self._whole = self._sent(slice(0, self.shape[1]))

    def block(self, columns: slice) -> tuple[Tensor, Tensor]:
        """Some targets less their mean, ``(n_stimuli, n)`` in single precision, and the mean, ``(n,)`` in double."""
        if self._whole is None:
            return self._sent(columns)
        centered, mean = self._whole
        return centered[:, columns], mean[columns]

    def _sent(self, columns: slice) -> tuple[Tensor, Tensor]:
        import torch

        n = columns.stop - columns.start
        centered = torch.empty(len(self._values), n, device=self.device)
        mean = torch.empty(n, dtype=torch.float64, device=self.device)
        start = 0
        for part in sent(column_blocks(self._values, columns), self._way):
            double, place = part.double(), slice(start, start + part.shape[1])
            mean[place] = double.mean(dim=0)
            centered[:, place] = double.sub_(mean[place])
            start = place.stop
        return centered, mean


def columns_on(values: npt.ArrayLike, device: str) -> Columns:
    """Targets on a device that is called as torch calls it."""
    import torch

    return Columns(values, torch.device(device))


def reordered_on(values: npt.ArrayLike, orders: Indices, device: str) -> Reordered:
    """Targets in many orders on a device that is called as torch calls it."""
    import torch

    return Reordered(values, orders, torch.device(device))


class Reordered:
    """The same targets in many orders of the stimuli: column ``k n_targets + j`` is target j in order k.

    Parameters
    ----------
    values : array of shape (n_stimuli, n_targets)
        Few: they and the orders stay on the device, what follows from them is made a block at a time.
    orders : array of int of shape (n_orders, n_stimuli)
    device : torch.device
    """

    def __init__(self, values: npt.ArrayLike, orders: Indices, device: torch.device) -> None:
        import torch

        columns = Columns(values, device, resident=True)
        self._centered, self._mean = columns.block(slice(0, columns.shape[1]))
        self._orders = torch.from_numpy(np.ascontiguousarray(orders)).to(device)
        self.shape: tuple[int, int] = (columns.shape[0], len(orders) * columns.shape[1])

    def block(self, columns: slice) -> tuple[Tensor, Tensor]:
        """As of :class:`Columns`."""
        import torch

        place = torch.arange(columns.start, columns.stop, device=self._mean.device)
        n_targets = len(self._mean)
        order, target = place // n_targets, place % n_targets
        moved = self._centered[self._orders[order].T, target]
        return moved, self._mean[target]
