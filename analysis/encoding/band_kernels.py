"""Several feature spaces as kernels of one training set, and the best weighting and penalty of every target."""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

_SLOPE = 1e-10
"""What a penalty's logarithm adds to its score: of equal ones the larger wins."""
_ROOM = 1 << 27
"""Bytes of predictions that are held at once."""
FEW = 32
"""Targets up to which everything is in double precision: there the products cost nothing."""


@dataclass(frozen=True)
class Bands:
    """Several feature spaces on one training set.

    Attributes
    ----------
    kernels : tuple of array of shape (n_train, n_train) or None
        Of spaces with many features, X X'.
    factors : tuple of array of shape (n_train, n_features) or None
        X itself, of the others.
    """

    kernels: tuple[Floats | None, ...]
    factors: tuple[Floats | None, ...]

    @property
    def n_rows(self) -> int:
        """Of the training set."""
        first = self.kernels[0] if self.factors[0] is None else self.factors[0]
        return len(first)  # type: ignore[arg-type]

    def kernel(self, which: int) -> Floats:
        """X X' of one space."""
        factor, kernel = self.factors[which], self.kernels[which]
        if factor is not None:
            made: Floats = factor @ factor.T
            return made
        assert kernel is not None
        return kernel

    def mixture(self, weighting: Floats) -> Floats:
        """sum_k g_k K_k."""
        mixed = np.zeros((self.n_rows, self.n_rows))
        for share, kernel in zip(weighting, self.kernels, strict=True):
            if kernel is not None:
                mixed += share * kernel
        small = [np.sqrt(g) * x for g, x in zip(weighting, self.factors, strict=True) if x is not None]
        if small:
            joined = np.hstack(small)
            mixed += joined @ joined.T
        return mixed


class Choice:
    """The best weighting and penalty of every target among those offered so far.

    Attributes
    ----------
    weighting, penalty : array of int of shape (n_targets,)
        Their places in the lists.
    score : array of shape (n_targets,)
        Minus the mean squared error of the inner held-out rows.
    """

    def __init__(self, n_targets: int, alphas: Floats) -> None:
        self.weighting, self.penalty = np.zeros((2, n_targets), np.intp)
        self.score: Floats = np.full(n_targets, -np.inf)
        self._slope = _SLOPE * np.log(alphas)[:, None]

    def only(self, targets: slice) -> Choice:
        """Of some of the targets."""
        some = copy(self)
        some.weighting, some.penalty = self.weighting[targets], self.penalty[targets]
        some.score = self.score[targets]
        return some

    def offer(self, weighting: int, losses: Floats, targets: slice) -> None:
        """One weighting: the losses at all penalties, ``(n_alphas, n_targets)``, of some of the targets."""
        scores = self._slope - losses
        best = scores.argmax(axis=0)
        found = np.take_along_axis(scores, best[None], axis=0)[0]
        score = self.score[targets]
        better = found > score + np.finfo(np.float64).eps
        score[better] = found[better]
        self.weighting[targets][better] = weighting
        self.penalty[targets][better] = best[better]


def inverses(values: Floats, alphas: Floats, tolerance: float) -> tuple[Floats, Floats]:
    """The fewest functions of the eigenvalues l that 1 / (l + a) is a combination of, at every penalty a.

    Returns
    -------
    functions : array of shape (n_eigenvalues, rank)
    weights : array of shape (n_alphas, rank)
    """
    top = values[-1] if values[-1] > 1e-200 else 1.0  # nothing varies: any scale does
    scaled = (top + alphas) / top / (values[:, None] + alphas)
    table = values[:, None] * scaled
    _, sizes, right = np.linalg.svd(table, full_matrices=False)
    sizes = np.maximum(sizes, max(1e-15 * sizes[0], 1e-200))
    left = table @ (right.T / sizes)
    for rank in range(1, len(alphas) + 1):
        weights = right[:rank].T * sizes[:rank]
        if np.abs(left[:, :rank] @ weights.T - table).max() < tolerance:
            break
    functions: Floats = scaled @ (right[:rank].T / sizes[:rank])
    return functions, weights * (top / (top + alphas))[:, None]


def blocks_of(n_targets: int, bytes_each: int) -> Iterator[slice]:
    """Blocks of targets of which at most so many bytes are held at once."""
    size = max(_ROOM // max(bytes_each, 1), 1)
    for start in range(0, n_targets, size):
        yield slice(start, min(start + size, n_targets))
