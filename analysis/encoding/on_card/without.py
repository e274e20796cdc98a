"""Held-out predictions without some of the training rows, on a card; see :func:`..pooled.predictions_without`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..cross_validation import Indices
from .fit import CardFit
from .memory import in_blocks, require_on
from .prepared import index

if TYPE_CHECKING:
    from torch import Tensor

Floats = npt.NDArray[np.float64]

_BLOCK = 4096
"""Targets at once."""
_HATS_BYTES = 1 << 29
"""Of the hat matrices, and what they are made from, of several penalties at once."""
_LEAST = 1e-6
"""Of an eigenvalue of I - H."""


def predictions_without(fit: CardFit, targets: Floats, groups: Indices) -> Iterator[Floats]:
    """As :func:`..pooled.predictions_without`, in double precision on the card.

    Raises
    ------
    NotEnoughMemory
        Before anything is computed, where the card would not hold what it takes.
    """
    n_train, n_test, n_targets = len(fit.split.train), len(fit.split.test), len(fit.alpha)
    # a training set, its eigenvectors, and what they are made in
    squares = 8 * n_train * (5 * n_train + n_test)
    kept = 8 * n_targets * (n_train + n_test) + _HATS_BYTES
    require_on(fit.where, squares + kept, "the training part of intervals")
    members = groups[fit.split.train]
    fitted = _Fitted(fit, targets)
    for group in range(int(groups.max()) + 1):
        rows = np.flatnonzero(members == group)
        if len(rows) in (0, n_train):
            yield fit.prediction
        else:
            yield fit.prediction - fitted.owed_to(rows).cpu().numpy()


class _Fitted:
    """One training set and what every penalty leaves of its targets."""

    def __init__(self, fit: CardFit, targets: Floats) -> None:
        import torch

        self._device = device = fit.where
        self._n_train, self._n_targets = len(fit.split.train), len(fit.alpha)
        self._basis = basis = fit.features.diagonalize_there(fit.split.train, fit.split.test)
        alphas, which = np.unique(fit.alpha, return_inverse=True)
        penalties = torch.from_numpy(alphas * basis.mean_eigenvalue).to(device)
        self._shrunk = 1 / (basis.eigenvalues + penalties[:, None])
        self._which = index(which, device)
        self._members = [index(np.flatnonzero(which == i), device) for i in range(len(alphas))]
        residuals = torch.from_numpy(np.asarray(targets[fit.split.train], np.float64)).to(device)
        residuals -= residuals.mean(dim=0)
        to_train = basis.to_train

        def work(block: slice) -> None:
            # in place at the end only: where memory runs out, a part is worked on again
            inside = basis.from_train.T @ residuals[:, block]
            residuals[:, block] -= to_train @ inside.mul_(self._shrunk_of(block))

        self._residuals = residuals
        self._each_block(work)

    def _each_block(self, work: Callable[[slice], None]) -> None:
        one = 8 * 3 * self._n_train
        in_blocks(self._n_targets, _BLOCK, work, self._device, "the training part of intervals", one)

    def _shrunk_of(self, block: slice) -> Tensor:
        """Of every target at its own penalty, ``(k, n_targets)``."""
        return self._shrunk[self._which[block]].T

    def owed_to(self, rows: Indices) -> Tensor:
        """What is taken from the predictions of the test rows, ``(n_test, n_targets)``."""
        there = index(rows, self._device)
        ours, residuals = self._basis.from_train[there], self._residuals[there]
        scaled = residuals.new_empty(residuals.shape)
        for root, members in zip(self._inverse_roots(there), self._members, strict=True):
            scaled[:, members] = root @ residuals[:, members]
        constant = scaled.sum(dim=0) / self._n_train
        owed = scaled.new_empty(len(self._basis.to_test), self._n_targets)

        def work(block: slice) -> None:
            inside = (ours.T @ scaled[:, block]).mul_(self._shrunk_of(block))
            owed[:, block] = self._basis.to_test @ inside + constant[block]

        self._each_block(work)
        return owed

    def _inverse_roots(self, rows: Tensor) -> Iterator[Tensor]:
        """(I - H)^(-1/2) of some rows at every penalty, as many at once as take little memory."""
        import torch

        ours = self._basis.from_train[rows]
        theirs = ours * self._basis.eigenvalues if self._basis.rotation is None else ours
        one = torch.eye(len(rows), dtype=ours.dtype, device=ours.device)
        step = max(1, _HATS_BYTES // (8 * len(rows) * (ours.shape[1] + 4 * len(rows))))
        for start in range(0, len(self._shrunk), step):
            hats = (theirs * self._shrunk[start : start + step, None]) @ ours.T + 1 / self._n_train
            values, vectors = torch.linalg.eigh(one - (hats + hats.transpose(1, 2)) / 2)
            yield from (vectors / values.clamp(min=_LEAST).sqrt()[:, None]) @ vectors.transpose(1, 2)
