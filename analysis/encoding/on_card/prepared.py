"""What a layer and the folds give, whatever the targets are: products with targets are all that is left to do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from ..cross_validation import Fold, Indices, Split

if TYPE_CHECKING:
    import torch
    from torch import Tensor

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Part:
    """An inner split.

    Attributes
    ----------
    train, test : tensor of int
    mixing : tensor of shape (n_alphas, n_nodes + 1)
        The error at every penalty from what is known at the nodes and, the last, from the truth.
    """

    train: Tensor
    test: Tensor
    mixing: Tensor

    @classmethod
    def of(cls, split: Split, mixing: Floats, device: torch.device) -> Part:
        """On a device."""
        return cls(index(split.train, device), index(split.test, device), single(mixing, device))


class PreparedFold(Protocol):
    """One outer split and its inner ones, for any targets."""

    split: Split
    train: Tensor

    @property
    def parts(self) -> Sequence[Part]:
        """The inner splits."""

    def at_nodes(self, shared: Tensor, targets: Tensor) -> Iterator[Tensor]:
        """For each inner split, of every node what `mixing` is for, ``(n_nodes, n_test, n_targets)``."""

    def rows(self, targets: Tensor) -> Tensor:
        """What `maps` are multiplied with, ``(n_rows, n_targets)``."""

    @property
    def maps(self) -> Tensor:
        """To the held-out rows at every penalty, less the training mean, ``(n_alphas, n_test, n_rows)``."""


class Layer(Protocol):
    """Features, ready for folds."""

    n_compared: int

    def prepare(self, folds: Sequence[Fold], *, keep: bool) -> Sequence[PreparedFold]:
        """Of every fold; what serves all of them is kept for the targets, or made again for each block of them."""

    def shared(self, targets: Tensor) -> Tensor:
        """What serves all folds, of a block of targets."""

    def solving_bytes(self) -> int:
        """That preparing takes beside what it leaves."""

    def kept_bytes(self) -> int:
        """Of what serves all folds, if it is kept."""

    def fold_bytes(self, fold: Fold) -> int:
        """That a prepared fold takes."""

    def target_bytes(self, folds: Sequence[Fold]) -> int:
        """That one target takes while its block is worked on."""


def index(rows: Indices, device: torch.device) -> Tensor:
    """Rows, on the device."""
    import torch

    return torch.from_numpy(np.ascontiguousarray(rows)).to(device)


def complement(n: int, rows: Indices) -> Indices:
    """All other rows of n."""
    others: Indices = np.setdiff1d(np.arange(n), rows)
    return others


def single(values: Floats, device: torch.device) -> Tensor:
    """Numbers in single precision, on the device."""
    import torch

    return torch.from_numpy(values).float().to(device)
