"""Features on a card, of which any training set can be diagonalised there; see :class:`.gram_eigen.Features`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from ..cross_validation import Indices
from ..gram_eigen import Basis, positive
from .prepared import index

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class CardBasis:
    """One training set, diagonalised; see :class:`..gram_eigen.Basis`, whose attributes these are, on the card."""

    eigenvalues: Tensor
    to_test: Tensor
    rows: Tensor
    rotation: Tensor | None
    mean_eigenvalue: float

    @cached_property
    def from_train(self) -> Tensor:
        """What takes training targets into the basis, ``(n_train, k)``."""
        return self.rows if self.rotation is None else self.rows @ self.rotation

    @property
    def to_train(self) -> Tensor:
        """What takes the basis to fitted training rows, ``(n_train, k)``."""
        return self.from_train * self.eigenvalues if self.rotation is None else self.from_train

    def home(self) -> Basis:
        """In the memory of the machine."""
        rotation = None if self.rotation is None else _host(self.rotation)
        return Basis(
            _host(self.eigenvalues), _host(self.to_test), _host(self.rows), rotation, self.mean_eigenvalue
        )


class CardGram:
    """By their Gram matrix.

    Parameters
    ----------
    gram : tensor of shape (n_stimuli, n_stimuli), double precision
        Of centred features.
    n_features : int
    """

    def __init__(self, gram: Tensor, n_features: int) -> None:
        self.gram, self.n_features = gram, n_features

    def diagonalize(self, train: Indices, test: Indices) -> Basis:
        """In the memory of the machine."""
        return self.diagonalize_there(train, test).home()

    def diagonalize_there(self, train: Indices, test: Indices) -> CardBasis:
        """The eigenvectors of the training rows' centred X X'."""
        ours, asked = index(train, self.gram.device), index(test, self.gram.device)
        centered = self.gram[ours][:, ours]
        means = centered.mean(dim=0)
        centered -= means
        centered -= means[:, None]
        centered += means.mean()
        across = self.gram[asked][:, ours]
        across -= across.mean(dim=1, keepdim=True) + means - means.mean()
        values, vectors = _eigh(centered)
        mean = float(values.sum()) / min(len(train) - 1, self.n_features)
        return CardBasis(values, across @ vectors, vectors, None, mean)


class CardColumns:
    """Themselves: fewer features than stimuli.

    Parameters
    ----------
    columns : tensor of shape (n_stimuli, n_features), double precision
        Less their mean over all stimuli.
    """

    def __init__(self, columns: Tensor) -> None:
        self.columns, self.n_features = columns, columns.shape[1]

    def diagonalize(self, train: Indices, test: Indices) -> Basis:
        """In the memory of the machine."""
        return self.diagonalize_there(train, test).home()

    def diagonalize_there(self, train: Indices, test: Indices) -> CardBasis:
        """The eigenvectors of the training rows' centred X'X."""
        ours, asked = index(train, self.columns.device), index(test, self.columns.device)
        mean = self.columns[ours].mean(dim=0)
        x_train, x_test = self.columns[ours] - mean, self.columns[asked] - mean
        values, vectors = _eigh(x_train.T @ x_train)
        mean_value = float(values.sum()) / min(len(train) - 1, self.n_features)
        return CardBasis(values, x_test @ vectors, x_train, vectors, mean_value)


def _eigh(matrix: Tensor) -> tuple[Tensor, Tensor]:
    import torch

    values, vectors = torch.linalg.eigh(matrix)
    kept = index(np.flatnonzero(positive(_host(values))), matrix.device)
    return values[kept], vectors[:, kept]


def _host(tensor: Tensor) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    found: np.ndarray[tuple[int, ...], np.dtype[np.float64]] = tensor.cpu().numpy()
    return found
