"""Ridge through the Gram matrix: one inverse and one product with the targets a node serve every fold.

With A = (X X' + b I)^-1 less what a constant explains (A - A11'A / 1'A1), rows S that are left out of the fit are
missed by

    e_S = A_SS^-1 (A Y)_S,

so A Y is made once for all folds, outer and inner. Where S is the union of the rows O of an outer fold and H of an
inner one, with F = A_TO A_OO^-1 and A' = A_TT - F A_OT the inverse without O,

    e_H = A'_HH^-1 ((A Y)_H - F_H (A Y)_O).

Where a penalty dwarfs the spectrum e is all of Y, and a prediction would be the small difference of large numbers;
and where there are about as many features as training rows and hardly a penalty, A_SS^-1 enlarges what single
precision leaves in A Y. There, and for outer rows, predictions are -A_OO^-1 A_OT Y_T. Everything is made in double
precision (or in single where that keeps six digits) and multiplied as exactly as float32.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..cross_validation import Fold, Indices, Split
from ..penalty_grid import PenaltyInterpolation
from .gram import mean_eigenvalues, spectrum
from .prepared import Part, complement, index, single
from .products import Products

if TYPE_CHECKING:
    import torch
    from torch import Tensor

Floats = npt.NDArray[np.float64]

_INVERSES_BYTES = 4 << 30
"""Of inverses that are worked on at once."""
_BATCHED = 512
"""Rows up to which many matrices are factorised at once."""
WELL_CONDITIONED = 100.0
"""Condition number below which single precision keeps six digits of an inverse."""
DWARFED = 10.0
"""Penalty, as a multiple of the largest eigenvalue, from which predictions are small differences."""
SAFE = 300.0
"""Variance that a training set leaves open, as a share of the least eigenvalue of what is inverted, up to which what
is missed keeps its digits."""


class DualLayer:
    """Features by their Gram matrix.

    Parameters
    ----------
    gram : tensor of shape (n_stimuli, n_stimuli), double precision
        Of centred features.
    n_features : int
    training_sets : sequence of array of int
        Every training set that there will be.
    alphas : array
        Positive penalties, relative to the mean eigenvalue of each training set.
    products : Products
    """

    def __init__(
        self,
        gram: Tensor,
        n_features: int,
        training_sets: Sequence[Indices],
        alphas: Floats,
        products: Products,
    ) -> None:
        low, high = spectrum(gram)
        self._gram, self._n_features = gram, n_features
        self._scale = (
            high  # what is inverted is in units of the largest eigenvalue, so that nothing overflows
        )
        self._alphas, self._products = alphas, products
        means = self._means(training_sets)
        wanted = np.outer(np.linspace(means.min(), means.max(), 5), alphas)  # what lies between follows them
        self._nodes = PenaltyInterpolation(np.unique(wanted), (low / high, 1.0))
        b = self._nodes.penalties
        self._least = low / high + b
        self._single = ((1 + b) / self._least < WELL_CONDITIONED) & (b < DWARFED)
        self.n_compared = self._nodes.n_compared
        compared = np.arange(self.n_compared)
        self._missed = compared[b[compared] < DWARFED]
        self._kept: list[Tensor] = []

    def _means(self, training_sets: Sequence[Indices]) -> Floats:
        # a training set in which nothing varies still needs a penalty above nothing
        return np.maximum(mean_eigenvalues(self._gram, training_sets, self._n_features) / self._scale, 1e-6)

    def prepare(self, folds: Sequence[Fold], *, keep: bool) -> list[DualFold]:
        """See :class:`.prepared.Layer`."""
        made = [self._fold(fold) for fold in folds]
        kept: dict[int, Tensor] = {}
        self._kept = []
        for nodes in self._together():
            inverses = self._inverses(nodes)
            for one in made:
                one.add(nodes, inverses)
            for node, inverse in zip(nodes, inverses, strict=True):
                if keep and node in self._missed:
                    kept[int(node)] = self._products.left(inverse)
            del inverses
        self._kept = [kept[int(node)] for node in self._missed] if keep else []
        for one in made:
            one.close()
        return made

    def _together(self) -> list[Indices]:
        """Nodes whose inverses are made and used at once, all of one precision: as many as take little memory."""
        most = max(1, _INVERSES_BYTES // (8 * len(self._gram) ** 2))
        return [
            nodes[start : start + most]
            for nodes in (np.flatnonzero(self._single), np.flatnonzero(~self._single))
            for start in range(0, len(nodes), most)
        ]

    def _inverses(self, nodes: Indices) -> Tensor:
        first = self._inverse(int(nodes[0]))
        found = first.new_empty(len(nodes), *first.shape)
        found[0] = first
        del first
        for out, node in zip(found[1:], nodes[1:], strict=True):
            out.copy_(self._inverse(int(node)))
        return found

    def _fold(self, fold: Fold) -> DualFold:
        splits = [fold.split, *fold.parts()]
        means = self._means([one.train for one in splits])
        counts = [len(self._nodes.penalties)] + [self.n_compared] * len(fold.inner)
        mixing = [
            self._nodes.weights(self._alphas * mean, count) for mean, count in zip(means, counts, strict=True)
        ]
        return DualFold(splits, mixing, self._limits(), self._gram, self._products)

    def _limits(self) -> Floats:
        """Variance up to which what is missed keeps its digits, at every node where penalties are compared."""
        return np.where(
            np.isin(np.arange(self.n_compared), self._missed), SAFE * self._least[: self.n_compared], 0.0
        )

    def _inverse(self, node: int) -> Tensor:
        import torch

        # the constant's own eigenvalue is zero; moved to the mean of the others it changes no prediction
        shifted = (self._gram + self._gram.diagonal().mean() / len(self._gram)).div_(self._scale)
        shifted.diagonal().add_(float(self._nodes.penalties[node]))
        factor = torch.linalg.cholesky(shifted.float() if self._single[node] else shifted)
        del shifted
        inverse = torch.cholesky_inverse(factor)
        del factor
        constant = inverse.sum(dim=1)
        inverse.addr_(constant, constant, alpha=-1 / float(constant.sum()))
        return inverse

    def shared(self, targets: Tensor) -> Tensor:
        """A Y at every node at which it serves, ``(n_nodes, n_stimuli, n_targets)``."""
        right = self._products.right(targets)
        found = targets.new_empty(len(self._missed), *targets.shape)
        for i, (node, out) in enumerate(zip(self._missed, found, strict=True)):
            left = self._kept[i] if self._kept else self._products.left(self._inverse(int(node)))
            self._products.multiply(left, right, out)
        return found

    def solving_bytes(self) -> int:
        """The Gram matrix, and what an inverse is made from."""
        square = 8 * len(self._gram) ** 2
        return 5 * square + max(square, _INVERSES_BYTES)

    def kept_bytes(self) -> int:
        """All inverses."""
        return self.n_compared * self._products.entry_bytes * len(self._gram) ** 2

    def fold_bytes(self, fold: Fold) -> int:
        """Maps of the outer rows, corrections of the inner ones, and what one node is made from."""
        n_train, entry = len(fold.split.train), self._products.entry_bytes
        n_out, n_maps = len(self._gram) - n_train, self.n_compared - len(self._missed)
        corrections = sum(len(one.test) * (n_out + n_train - len(one.train)) for one in fold.inner)
        maps = sum(len(one.test) * len(one.train) for one in fold.inner)
        to_test = 4 * len(self._alphas) * len(fold.split.test) * n_train
        return to_test + entry * (len(self._missed) * corrections + n_maps * maps)

    def target_bytes(self, folds: Sequence[Fold]) -> int:
        """A Y, what inner rows are missed by, and operands of both."""
        n, entry = len(self._gram), self._products.entry_bytes
        tested = max(sum(len(one.test) for one in fold.inner) for fold in folds)
        widest = max(n - len(one.split.train) for one in folds)
        return 4 * self.n_compared * (n + tested) + entry * (self.n_compared * widest + 2 * n)


class DualFold:
    """One fold, node by node and then closed; see :class:`.prepared.PreparedFold`."""

    def __init__(
        self,
        splits: Sequence[Split],
        mixing: Sequence[Floats],
        limits: Floats,
        gram: Tensor,
        products: Products,
    ) -> None:
        device, n = gram.device, len(gram)
        self.split, self._products, self._limits = splits[0], products, limits
        train = np.sort(self.split.train)
        out = complement(n, train)
        self.train, self._out = index(train, device), index(out, device)
        self._asked = index(np.searchsorted(out, self.split.test), device)
        self.maps = gram.new_zeros((len(mixing[0]), len(self._asked), len(train))).float()
        self._mixing = single(mixing[0], device)
        self._inner = [
            _Inner(split, one, train, device) for split, one in zip(splits[1:], mixing[1:], strict=True)
        ]
        self._far: dict[int, Tensor] = {}

    def add(self, nodes: Indices, inverses: Tensor) -> None:
        """Some nodes; the inner splits only where penalties are compared by them.

        Parameters
        ----------
        nodes : array of int
        inverses : tensor of shape (n_nodes, n_stimuli, n_stimuli)
        """
        import torch

        across = inverses[:, self._out]
        factor = _cholesky(across[:, :, self._out])
        across = across[:, :, self.train]
        solved = _solve(factor, across)
        to_test = (-solved[:, self._asked] - 1 / len(self.train)).float()
        self.maps.view(len(self.maps), -1).addmm_(
            self._mixing[:, index(nodes, self.maps.device)], to_test.flatten(1)
        )
        compared = nodes < len(self._limits)
        if not compared.any():
            return
        places = index(np.flatnonzero(compared), self.maps.device)
        nodes, inverses, across, solved = nodes[compared], inverses[places], across[places], solved[places]
        far = [self._add_inner(one, nodes, inverses, across, solved) for one in self._inner]
        served = self._limits[nodes] > 0
        for node, matrix in zip(nodes[served], torch.cat(far, dim=1)[torch.from_numpy(served)], strict=True):
            self._far[int(node)] = self._products.left(matrix)

    def _add_inner(
        self, one: _Inner, nodes: Indices, inverses: Tensor, across: Tensor, solved: Tensor
    ) -> Tensor:
        """What takes A Y of the outer rows from what is missed of the inner ones."""
        import torch

        held, place = one.held, one.place
        coupled = solved[:, :, place].transpose(1, 2)
        without = inverses[:, held][:, :, held].baddbmm_(coupled, across[:, :, place], alpha=-1)
        missed = _inverse_of(_cholesky(without))
        open_variance = missed.diagonal(dim1=1, dim2=2).amax(dim=1).cpu().numpy()
        safe = open_variance <= self._limits[nodes]
        missed = missed[:, one.asked]
        for i in np.flatnonzero(~safe):
            fitted = self.train[one.fitted]
            to_held = inverses[i, held][:, fitted].addmm_(coupled[i], across[i][:, one.fitted], alpha=-1)
            one.maps[int(nodes[i])] = self._products.left(-(missed[i] @ to_held) - 1 / len(fitted))
        missed *= torch.from_numpy(safe).to(missed.device)[:, None, None]
        for node, matrix in zip(nodes, missed, strict=True):
            one.near[int(node)] = self._products.left(matrix)
        return torch.bmm(missed, coupled).neg_()

    def close(self) -> None:
        """All nodes beside each other."""
        import torch

        shared = np.flatnonzero(self._limits)
        for one in self._inner:
            one.close(shared, len(self._limits))
        self.parts = [one.part for one in self._inner]
        self._all_far = torch.stack([self._far[int(node)] for node in shared]) if len(shared) else None
        self._far = {}

    def at_nodes(self, shared: Tensor, targets: Tensor) -> Iterator[Tensor]:
        """What every inner split misses the targets by or, where its own maps are used, what they predict."""
        n_tested = [len(one.asked) for one in self._inner]
        found = targets.new_empty(len(self._limits), sum(n_tested), targets.shape[1])
        missed = found[: len(shared)]
        if self._all_far is not None:
            self._products.multiply(self._all_far, self._products.right(shared[:, self._out]), missed)
        start = 0
        for one, n in zip(self._inner, n_tested, strict=True):
            place = slice(start, start + n)
            start += n
            if one.all_near is not None:
                right = self._products.right(shared[:, one.held])
                self._products.multiply(one.all_near, right, missed[:, place], add=True)
            if one.maps:
                right = self._products.right(targets[one.part.train])
                for row, to_test in one.rows.items():
                    self._products.multiply(to_test, right, found[row, place])
            yield found[:, place]

    def rows(self, targets: Tensor) -> Tensor:
        """The training targets."""
        return targets[self.train]


class _Inner:
    """An inner split of a fold: its rows, and what is made of them at every node."""

    def __init__(self, split: Split, mixing: Floats, train: Indices, device: torch.device) -> None:
        held = np.setdiff1d(train, split.train)
        self._split, self._weights, self._device = split, mixing, device
        self.held = index(held, device)
        self.place, self.asked = (
            index(np.searchsorted(*one), device) for one in ((train, held), (held, split.test))
        )
        self.fitted = index(np.searchsorted(train, split.train), device)
        self.near: dict[int, Tensor] = {}
        self.maps: dict[int, Tensor] = {}

    def close(self, shared: Indices, n_nodes: int) -> None:
        """The nodes that A Y serves first, then the others."""
        import torch

        order = [*shared, *np.setdiff1d(np.arange(n_nodes), shared)]
        self.rows = {order.index(node): one for node, one in self.maps.items()}
        kept = [self.near[int(node)] for node in shared]
        self.near, self.all_near = {}, torch.stack(kept) if kept else None
        # what is missed at the nodes adds up to what is missed, but for what the weights are not one together
        weights = self._weights[:, order] * np.where(np.isin(np.arange(n_nodes), list(self.rows)), -1, 1)
        missed = np.setdiff1d(np.arange(n_nodes), list(self.rows))
        rest = 1 - weights[:, missed].sum(axis=1)
        self.part = Part.of(self._split, np.column_stack([weights, rest]), self._device)


def _cholesky(matrices: Tensor) -> Tensor:
    """Of small matrices at once, of large ones each by itself, which is faster."""
    import torch

    if matrices.shape[1] <= _BATCHED:
        factors: Tensor = torch.linalg.cholesky(matrices)
        return factors
    found = torch.empty_like(matrices)
    for out, one in zip(found, matrices, strict=True):
        out.copy_(torch.linalg.cholesky(one))
    return found


def _solve(factor: Tensor, right: Tensor) -> Tensor:
    """(L L')^-1 times the right-hand side."""
    import torch

    half = torch.linalg.solve_triangular(factor, right, upper=False)
    found: Tensor = torch.linalg.solve_triangular(factor.transpose(1, 2), half, upper=True)
    return found


def _inverse_of(factor: Tensor) -> Tensor:
    """(L L')^-1."""
    import torch

    one = torch.eye(factor.shape[1], dtype=factor.dtype, device=factor.device).expand_as(factor)
    half: Tensor = torch.linalg.solve_triangular(factor, one, upper=False)
    return torch.bmm(half.transpose(1, 2), half)
