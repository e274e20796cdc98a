"""Ridge through the features themselves, where they are far fewer than the stimuli.

In coordinates in which all stimuli have unit variance, Z = X V L^-1/2 with X'X = V L V', ridge is
argmin_B |Y - Z B|^2 + b |L^-1/2 B|^2, so a training set T predicts rows V by

    Z_V (Z_T'Z_T + b L^-1)^-1 Z_T'Y_T,

through a Cholesky factor a penalty: in these coordinates single precision loses nothing by a wide spectrum.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..cross_validation import Fold, Split
from ..gram_eigen import positive
from .prepared import Part, index
from .products import Products

if TYPE_CHECKING:
    import torch
    from torch import Tensor

Floats = npt.NDArray[np.float64]


class PrimalLayer:
    """Features in whitened coordinates.

    Parameters
    ----------
    features : tensor of shape (n_stimuli, n_features), double precision
        Less their mean over all stimuli.
    alphas, products
        As of :class:`.dual.DualLayer`.
    """

    def __init__(self, features: Tensor, alphas: Floats, products: Products) -> None:
        import torch

        self._n_features = features.shape[1]
        values, vectors = torch.linalg.eigh(features.T @ features)
        kept = index(np.flatnonzero(positive(values.cpu().numpy())), features.device)
        values, vectors = values[kept], vectors[:, kept]
        self._rows = features @ vectors / values.sqrt()
        self._size = values / values[-1:]
        self._alphas, self._products, self.n_compared = alphas, products, len(alphas)

    def _centered(self, train: Tensor) -> tuple[Tensor, Tensor]:
        rows = self._rows[train]
        rows = rows - rows.mean(dim=0)
        return rows, rows.T @ rows

    def _mean(self, product: Tensor, n_train: int) -> float:
        total = float((product.diagonal() * self._size).sum())
        return max(total / min(n_train - 1, self._n_features), 1e-6)

    def prepare(self, folds: Sequence[Fold], *, keep: bool) -> list[PrimalFold]:
        """See :class:`.prepared.Layer`; nothing serves all folds here."""
        return [self._fold(fold) for fold in folds]

    def _fold(self, fold: Fold) -> PrimalFold:
        import torch

        device = self._rows.device
        # the error is what the prediction at the penalty misses
        mixing = np.concatenate([-np.eye(self.n_compared), np.ones((self.n_compared, 1))], axis=1)
        splits = (fold.split, *fold.parts())
        reductions, maps = [], []
        for split in splits:
            train, test = index(split.train, device), index(split.test, device)
            rows, product = self._centered(train)
            held = self._rows[test] - self._rows[train].mean(dim=0)
            mean = self._mean(product, len(train))
            found = torch.empty(len(self._alphas), len(test), rows.shape[1], device=device)
            for alpha, out in zip(self._alphas, found, strict=True):
                factor = torch.linalg.cholesky(product + torch.diag(float(alpha * mean) / self._size))
                out.copy_(torch.cholesky_solve(held.T, factor).T)
            reductions.append(self._products.left(rows.T))
            maps.append(found if split is fold.split else self._products.left(found.flatten(0, 1)))
        parts = [Part.of(split, mixing, device) for split in splits[1:]]
        return PrimalFold(fold.split, parts, reductions, maps, self._products, device)

    def shared(self, targets: Tensor) -> Tensor:
        """Nothing serves all folds."""
        return targets[:0]

    def solving_bytes(self) -> int:
        """Rows twice, and squares of features."""
        n_rows, n_columns = self._rows.shape
        return int(8 * 3 * n_columns * (n_rows + n_columns))

    def kept_bytes(self) -> int:
        """None."""
        return 0

    def fold_bytes(self, fold: Fold) -> int:
        """Maps and reductions of every split."""
        entry, k = self._products.entry_bytes, self._rows.shape[1]
        inner = sum(entry * (len(one.train) + self.n_compared * len(one.test)) for one in fold.inner)
        return int(k) * (inner + 4 * len(self._alphas) * len(fold.split.test) + entry * len(fold.split.train))

    def target_bytes(self, folds: Sequence[Fold]) -> int:
        """Predictions of an inner split at every penalty, and operands."""
        tested = max(len(one.test) for fold in folds for one in fold.inner)
        return 4 * self.n_compared * tested + 2 * self._products.entry_bytes * len(self._rows)


class PrimalFold:
    """One fold; see :class:`.prepared.PreparedFold`."""

    def __init__(
        self,
        split: Split,
        parts: Sequence[Part],
        reductions: Sequence[Tensor],
        maps: Sequence[Tensor],
        products: Products,
        device: torch.device,
    ) -> None:
        self.split, self.parts, self._products = split, parts, products
        self.train, self.maps = index(split.train, device), maps[0]
        self._reduction, self._inner = reductions[0], list(zip(reductions[1:], maps[1:], strict=True))

    def at_nodes(self, shared: Tensor, targets: Tensor) -> Iterator[Tensor]:
        """Predictions of every inner split, less the training mean."""
        for part, (reduction, maps) in zip(self.parts, self._inner, strict=True):
            reduced = self._reduced(reduction, targets[part.train])
            found = targets.new_empty(len(maps), targets.shape[1])
            self._products.multiply(maps, self._products.right(reduced), found)
            yield found.view(len(self.maps), -1, targets.shape[1])

    def _reduced(self, reduction: Tensor, targets: Tensor) -> Tensor:
        out = targets.new_empty(len(reduction), targets.shape[1])
        return self._products.multiply(reduction, self._products.right(targets), out)

    def rows(self, targets: Tensor) -> Tensor:
        """The training targets in the coordinates of the features."""
        return self._reduced(self._reduction, targets[self.train])
