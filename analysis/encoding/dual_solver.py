"""Linear maps from the targets of a training set to ridge predictions of its held-out rows.

With A = (X X' + a I)^-1 over all stimuli, less what a constant explains (A - A11'A / 1'A1), the prediction of
any rows V from the others T is -A_VV^-1 A_VT Y_T, and the same matrix without the rows V is
A_TT - A_TV A_VV^-1 A_VT. So one inverse a penalty serves every fold, outer and inner.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .cross_validation import Indices, Split
from .gram_eigen import DualFeatures, Features, Floats
from .penalty_grid import PenaltyInterpolation, span

if TYPE_CHECKING:
    from torch import Tensor

_WELL_CONDITIONED = 100.0
"""Condition number below which single precision keeps six digits of a map."""
_SPREAD = 1e-7
"""Smallest share of the largest eigenvalue that single precision finds again in the features themselves."""
KEPT_BYTES = 2 << 30
"""Most memory for inverses that wait for the next fold; beyond it they are made again."""


@dataclass(frozen=True)
class PredictionMap:
    """Predictions of held-out rows, less the training mean, at every penalty.

    At penalty j they are sum_s weights[j, s] basis[s] reduced(Y).

    Attributes
    ----------
    train, test : array of int
    basis : tensor of shape (rank, n_test, n_reduced), single precision
    weights : tensor of shape (n_alphas, rank), double precision
    reduction : tensors
        What the training targets are multiplied with first, one after the other; none keeps them.
    """

    train: Indices
    test: Indices
    basis: Tensor
    weights: Tensor
    reduction: tuple[Tensor, ...] = ()

    def reduced(self, columns: Tensor) -> tuple[Tensor, Tensor]:
        """Training targets, ``(n_targets, n_stimuli)`` -> ``(n_targets, n_reduced)``; and their means."""
        rows = columns[:, self.train]
        mean = rows.mean(dim=1, keepdim=True)
        for factor in self.reduction:
            rows = rows @ factor
        return rows, mean


def through_eigenvectors(features: Features, split: Split, alphas: Floats, device: str) -> PredictionMap:
    """The map of one training set, from its own eigenvectors: for few features, or no penalty."""
    import torch

    basis = features.diagonalize(split.train, split.test)
    functions, weights = span(basis.eigenvalues, alphas * basis.mean_eigenvalue)
    rows = basis.rows - basis.rows.mean(axis=0)
    size = basis.eigenvalues
    factors = [rows] if basis.rotation is None else [rows, basis.rotation]
    if basis.rotation is not None and len(size) and size[0] < _SPREAD * size[-1]:
        size = np.sqrt(size)
        factors = [rows @ basis.rotation / size]
    maps = (functions / size[:, None]).T[:, None, :] * basis.to_test
    return PredictionMap(
        split.train,
        split.test,
        torch.from_numpy(maps.astype(np.float32)).to(device),
        torch.from_numpy(weights).to(device),
        tuple(torch.from_numpy(factor.astype(np.float32)).to(device) for factor in factors),
    )


class LeaveOut:
    """The maps of every fold from one inverse a node.

    Parameters
    ----------
    features : DualFeatures
    training_sets : sequence of array of int
        Every training set, outer and inner, that maps will be asked for.
    alphas : array
        Positive penalties, relative to the mean eigenvalue of each training set.
    device : str
    """

    def __init__(
        self, features: DualFeatures, training_sets: Sequence[Indices], alphas: Floats, device: str
    ) -> None:
        import torch

        self._alphas, self._device = alphas, device
        low, self._high = features.spectrum()
        self._features = features
        means = self._means(training_sets)
        wanted = np.outer(np.linspace(means.min(), means.max(), 5), alphas)  # what lies between follows them
        self._nodes = PenaltyInterpolation(np.unique(wanted), (low, self._high))
        self._gram = torch.from_numpy(features.gram).to(device)
        b = self._nodes.penalties
        # where a penalty dwarfs the spectrum, a map is the small difference of large numbers
        self._single = ((self._high + b) / (low + b) < _WELL_CONDITIONED) & (b < 10 * self._high)
        self._kept: dict[int, Tensor] = {}

    def _means(self, training_sets: Sequence[Indices]) -> Floats:
        # a training set in which nothing varies still needs a penalty above nothing
        return np.maximum(self._features.mean_eigenvalues(training_sets), 1e-6 * self._high)

    def maps(self, outer: Split, inner: Sequence[Split]) -> tuple[PredictionMap, list[PredictionMap]]:
        """The map of an outer split, and those of the inner splits of its training rows."""
        import torch

        rows = np.sort(outer.train)
        places = [Split(np.searchsorted(rows, s.train), np.searchsorted(rows, s.test)) for s in inner]
        at_nodes: list[list[Tensor]] = [[] for _ in range(1 + len(inner))]
        for node in range(len(self._nodes.penalties)):
            inverse = self._inverse(node)
            prediction, across, solved = _predictions(inverse, Split(rows, outer.test))
            at_nodes[0].append(prediction)
            if node < self._nodes.n_compared:
                without = inverse[rows][:, rows] - across.T @ solved
                for found, place in zip(at_nodes[1:], places, strict=True):
                    found.append(_predictions(without, place)[0])
        splits = (Split(rows, outer.test), *inner)
        means = self._means([split.train for split in splits])
        maps = [
            PredictionMap(
                split.train,
                split.test,
                torch.stack(found),
                torch.from_numpy(self._nodes.weights(self._alphas * mean, len(found))).to(self._device),
            )
            for split, found, mean in zip(splits, at_nodes, means, strict=True)
        ]
        return maps[0], maps[1:]

    def _inverse(self, node: int) -> Tensor:
        import torch

        if node in self._kept:
            return self._kept[node]
        # the constant's own eigenvalue is zero; moved to the mean of the others it changes no prediction
        shifted = self._gram + self._gram.diagonal().mean() / len(self._gram)
        shifted.diagonal().add_(float(self._nodes.penalties[node]))
        shifted = shifted.float() if self._single[node] else shifted
        inverse = torch.cholesky_inverse(torch.linalg.cholesky(shifted))
        constant = inverse.sum(dim=1)
        inverse.addr_(constant, constant, alpha=-1 / float(constant.sum()))
        if len(self._nodes.penalties) * inverse.numel() * 8 <= KEPT_BYTES:
            self._kept[node] = inverse
        return inverse


def _predictions(inverse: Tensor, split: Split) -> tuple[Tensor, Tensor, Tensor]:
    """The map to the test rows, less the training mean; and the two factors of what leaves the others' inverse."""
    import torch

    held = np.setdiff1d(np.arange(len(inverse)), split.train)
    across = inverse[held][:, split.train]
    solved = torch.cholesky_inverse(torch.linalg.cholesky(inverse[held][:, held])) @ across
    asked = solved if np.array_equal(held, split.test) else solved[np.searchsorted(held, split.test)]
    return (-asked - 1 / len(split.train)).float(), across, solved
