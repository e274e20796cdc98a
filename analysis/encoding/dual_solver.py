"""Linear maps from the targets of a training set to ridge predictions of its held-out rows.

With A = (X X' + a I)^-1 over all stimuli, less what a constant explains (A - A11'A / 1'A1), the prediction of
any rows V from the others T is -A_VV^-1 A_VT Y_T, and the same matrix without the rows V is
A_TT - A_TV A_VV^-1 A_VT. So one inverse a penalty serves every fold, outer and inner.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

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
        import torch

        rows = columns.index_select(1, torch.from_numpy(self.train).to(columns.device))
        mean = rows.mean(dim=1, keepdim=True)
        for factor in self.reduction:
            rows = rows @ factor
        return rows, mean

    def each(self, columns: Tensor, block: slice, out: Tensor) -> Tensor:
        """Predictions of a block of targets by every basis map, into ``(n_targets, rank, n_test)``; their means."""
        import torch

        reduced, mean = self.reduced(columns[block])
        torch.mm(reduced, self.basis.flatten(0, 1).T, out=out.flatten(1))
        return mean

    def at(self, columns: Tensor, block: slice) -> Callable[[int, Tensor], Tensor]:
        """What predicts some targets of a block at a penalty, ``(n_test, n_members)``."""
        import torch

        reduced, mean = self.reduced(columns[block])

        def predicted(penalty: int, members: Tensor) -> Tensor:
            at_penalty = torch.tensordot(self.weights[penalty].float(), self.basis, dims=1)
            at_test: Tensor = at_penalty @ reduced[members].T
            return at_test + mean[members].T

        return predicted


@dataclass(frozen=True)
class Predicted:
    """What a :class:`PredictionMap` says of given targets, where the map itself would need more memory.

    Attributes
    ----------
    test : array of int
    values : tensor of shape (rank, n_targets, n_test), single precision
    mean : tensor of shape (n_targets, 1)
    weights : tensor of shape (n_alphas, rank), double precision
    """

    test: Indices
    values: Tensor
    mean: Tensor
    weights: Tensor

    def each(self, columns: Tensor, block: slice, out: Tensor) -> Tensor:
        """As of the map; `columns` are those that it was made for."""
        out.copy_(self.values[:, block].transpose(0, 1))
        return self.mean[block]

    def at(self, columns: Tensor, block: slice) -> Callable[[int, Tensor], Tensor]:
        """As of the map."""
        import torch

        def predicted(penalty: int, members: Tensor) -> Tensor:
            some = self.values[:, block][:, members]
            mixed: Tensor = torch.tensordot(self.weights[penalty].float(), some, dims=1)
            mixed += self.mean[block][members]
            return mixed.T

        return predicted


def squared_errors(room: Tensor, weights: Tensor) -> tuple[Floats, Floats]:
    """Squared error of every target at every penalty, (n_targets, n_alphas), and its squares, (n_targets,).

    Parameters
    ----------
    room : tensor of shape (n_targets, rank + 1, n_test), single precision
        What is predicted by every basis map, then the truth, both less the training mean.
    weights : tensor of shape (n_alphas, rank + 1), double precision
        How these make an error, up to its sign.
    """
    import torch

    # every sum over held-out rows at once: of two basis predictions, of one and the truth, of the truth
    sums = torch.bmm(room, room.transpose(1, 2)).double()
    pairs = (weights[:, :, None] * weights[:, None, :]).flatten(1)
    errors = sums.flatten(1) @ pairs.T
    return errors.cpu().numpy(), sums[:, -1, -1].cpu().numpy()


def through_eigenvectors(
    features: Features, split: Split, alphas: Floats, device: str, columns: Tensor | None = None
) -> PredictionMap | Predicted:
    """The map of one training set, from its own eigenvectors: for few features, or no penalty.

    With targets ``(n_targets, n_stimuli)`` only what it says of them.
    """
    import torch

    basis = features.diagonalize(split.train, split.test)
    functions, weights = span(basis.eigenvalues, alphas * basis.mean_eigenvalue)
    rows = basis.rows - basis.rows.mean(axis=0)
    size = basis.eigenvalues
    factors = [rows] if basis.rotation is None else [rows, basis.rotation]
    if basis.rotation is not None and len(size) and size[0] < _SPREAD * size[-1]:
        size = np.sqrt(size)
        factors = [rows @ basis.rotation / size]
    shapes, mixing = (functions / size[:, None]).T, torch.from_numpy(weights).to(device)
    if columns is not None:
        ours = columns[:, split.train]
        mean = ours.mean(dim=1, keepdim=True)
        for factor in factors:
            ours = ours @ torch.from_numpy(factor.astype(np.float32)).to(device)
        values = torch.empty(len(shapes), len(ours), len(split.test), device=device)
        for one, shape in zip(values, shapes, strict=True):
            to_test = torch.from_numpy((shape * basis.to_test).astype(np.float32)).to(device)
            torch.mm(ours, to_test.T, out=one)
        return Predicted(split.test, values, mean, mixing)
    maps = shapes[:, None, :] * basis.to_test
    return PredictionMap(
        split.train,
        split.test,
        torch.from_numpy(maps.astype(np.float32)).to(device),
        mixing,
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

        self._alphas, self.device = alphas, device
        low, self._high = features.spectrum()
        self._features = features
        means = self._means(training_sets)
        wanted = np.outer(np.linspace(means.min(), means.max(), 5), alphas)  # what lies between follows them
        self._nodes = PenaltyInterpolation(np.unique(wanted), (low, self._high))
        self._gram = torch.from_numpy(features.gram).to(device)
        b = self._nodes.penalties
        # where a penalty dwarfs the spectrum, a map is the small difference of large numbers
        self._dwarfing = b >= 10 * self._high
        self._single = ((self._high + b) / (low + b) < _WELL_CONDITIONED) & ~self._dwarfing
        self._kept: dict[int, Tensor] = {}

    def _means(self, training_sets: Sequence[Indices]) -> Floats:
        # a training set in which nothing varies still needs a penalty above nothing
        return np.maximum(self._features.mean_eigenvalues(training_sets), 1e-6 * self._high)

    @property
    def n_nodes(self) -> int:
        """Penalties at which maps are made."""
        return len(self._nodes.penalties)

    @property
    def n_compared(self) -> int:
        """How many of them, from the first, compare penalties."""
        return self._nodes.n_compared

    def dwarfing(self, node: int) -> bool:
        """Whether a node's penalty is so far above the spectrum that residuals hide the predictions."""
        return bool(self._dwarfing[node])

    @property
    def shrinking(self) -> npt.NDArray[np.bool_]:
        """Of every node whether its penalty exceeds the spectrum."""
        shrinking: npt.NDArray[np.bool_] = self._nodes.penalties > self._high
        return shrinking

    @property
    def n_stimuli(self) -> int:
        """Of the features."""
        return len(self._gram)

    def maps(
        self, folds: Sequence[tuple[Split, Sequence[Split]]], columns: Tensor | None = None
    ) -> list[list[PredictionMap | Predicted]]:
        """Of every fold the map of its outer split, then those of the inner splits of its training rows.

        With targets ``(n_targets, n_stimuli)`` only what the maps say of them, which is kept instead.
        """
        found = [FoldMaps(outer, inner, columns) for outer, inner in folds]
        for node in range(self.n_nodes):
            inverse = self._kept[node] if node in self._kept else self.inverse(node)
            if self.n_nodes * inverse.numel() * 8 <= KEPT_BYTES:
                self._kept[node] = inverse
            for one in found:
                one.add(inverse, compared=node < self.n_compared)
            del inverse
        return [one.maps(self.mixing) for one in found]

    def mixing(self, split: Split, n_nodes: int) -> Tensor:
        """How maps at the first nodes combine into those of one split at every penalty, ``(n_alphas, n_nodes)``."""
        import torch

        mean = float(self._means([split.train])[0])
        return torch.from_numpy(self._nodes.weights(self._alphas * mean, n_nodes)).to(self.device)

    def inverse(self, node: int) -> Tensor:
        """A at a node, ``(n_stimuli, n_stimuli)``."""
        import torch

        # the constant's own eigenvalue is zero; moved to the mean of the others it changes no prediction
        shifted = self._gram + self._gram.diagonal().mean() / len(self._gram)
        shifted.diagonal().add_(float(self._nodes.penalties[node]))
        shifted = shifted.float() if self._single[node] else shifted
        factor = torch.linalg.cholesky(shifted)
        del shifted
        inverse = torch.cholesky_inverse(factor)
        del factor
        constant = inverse.sum(dim=1)
        return inverse.addr_(constant, constant, alpha=-1 / float(constant.sum()))


class FoldMaps:
    """The maps of one fold, or what they say of some targets, node by node."""

    def __init__(self, outer: Split, inner: Sequence[Split], columns: Tensor | None) -> None:
        self._rows = np.sort(outer.train)
        self._splits = (Split(self._rows, outer.test), *inner)
        self._columns = columns
        self._found: list[list[Tensor]] = [[] for _ in self._splits]

    def add(self, inverse: Tensor, *, compared: bool) -> None:
        """One node; the inner splits only where penalties are compared by it."""
        prediction, across, solved = _predictions(inverse, self._splits[0])
        self._keep(0, prediction)
        if compared:
            without = inverse[self._rows][:, self._rows]
            without -= across.T @ solved
            del across, solved
            for i, split in enumerate(self._splits[1:], 1):
                place = Split(*(np.searchsorted(self._rows, one) for one in (split.train, split.test)))
                self._keep(i, _predictions(without, place)[0])

    def _keep(self, which: int, prediction: Tensor) -> None:
        columns, train = self._columns, self._splits[which].train
        self._found[which].append(prediction if columns is None else columns[:, train] @ prediction.T)

    def maps(self, mixing: Callable[[Split, int], Tensor]) -> list[PredictionMap | Predicted]:
        """All of them; every node's part is let go as it is put beside the others."""
        import torch

        made: list[PredictionMap | Predicted] = []
        for split in self._splits:
            parts = self._found.pop(0)
            weights, whole = mixing(split, len(parts)), torch.stack(parts)
            if self._columns is None:
                made.append(PredictionMap(split.train, split.test, whole, weights))
            else:
                mean = self._columns[:, split.train].mean(dim=1, keepdim=True)
                made.append(Predicted(split.test, whole, mean, weights))
        return made


def _predictions(inverse: Tensor, split: Split) -> tuple[Tensor, Tensor, Tensor]:
    """The map to the test rows, less the training mean; and the two factors of what leaves the others' inverse."""
    import torch

    held = np.setdiff1d(np.arange(len(inverse)), split.train)
    across = inverse[held][:, split.train]
    solved = torch.cholesky_inverse(torch.linalg.cholesky(inverse[held][:, held])) @ across
    asked = solved if np.array_equal(held, split.test) else solved[np.searchsorted(held, split.test)]
    return (-asked - 1 / len(split.train)).float(), across, solved
