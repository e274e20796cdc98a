"""Errors of inner held-out rows at every penalty, from one product a node that serves all folds.

With A as in :mod:`.dual_solver`, the residuals of rows S predicted from all others are A_SS^-1 (A Y)_S: nothing of
Y_S itself remains in them. A Y is the same for every S, and S, the rows that an inner split does not fit, are few
beside those it does, so that most of the work is done once for all folds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from .cross_validation import Fold, Indices, Split
from .dual_solver import FoldMaps, LeaveOut, PredictionMap, squared_errors
from .gram_eigen import Floats

if TYPE_CHECKING:
    from torch import Tensor

_AMPLIFIED = 100.0
"""Largest factor by which the error that single precision makes in A Y may grow in a residual."""
TARGETS = 512
"""Targets of a block."""


@dataclass(frozen=True)
class _Part:
    """One inner split, the rows that it does not fit, its map at every node, and how errors follow from them.

    A map takes (A Y)_S to residuals, or the training targets to predictions where the penalty dwarfs the spectrum.
    """

    split: Split
    left_out: Indices
    maps: list[Tensor]
    as_predicted: npt.NDArray[np.bool_]
    weights: Tensor


def n_products(n_stimuli: int, folds: Sequence[Fold]) -> tuple[int, int]:
    """Multiplications a target and a node: through shared residuals, and through each split's own map."""
    splits = [part for fold in folds for part in fold.parts()]
    shared = sum(len(one.test) * (n_stimuli - len(one.train)) for one in splits)
    return n_stimuli**2 + shared, sum(len(one.test) * len(one.train) for one in splits)


class SharedResiduals:
    """The errors of all folds at once, and the maps to their outer test rows.

    Parameters
    ----------
    leave_out : LeaveOut
    folds : sequence of Fold

    Attributes
    ----------
    outer : list of PredictionMap
        One a fold.
    accurate : bool
        Whether single precision keeps the digits of every residual; otherwise there is nothing else here.
    """

    def __init__(self, leave_out: LeaveOut, folds: Sequence[Fold]) -> None:
        self._inverses: list[Tensor | None] = []
        self._folds = [[_part(leave_out, split) for split in fold.parts()] for fold in folds]
        self._fitted = _averages([part.split for parts in self._folds for part in parts], leave_out)
        self.outer: list[PredictionMap] = []
        outer = [FoldMaps(fold.split, (), None) for fold in folds]
        self.accurate = all(self._add(leave_out, node, outer) for node in range(leave_out.n_nodes))
        if self.accurate:
            self.outer = [one.maps(leave_out.mixing)[0] for one in outer]  # type: ignore[misc]

    def _add(self, leave_out: LeaveOut, node: int, outer: Sequence[FoldMaps]) -> bool:
        """One node, and whether its residuals are accurate."""
        import torch

        inverse = leave_out.inverse(node)
        for one in outer:
            one.add(inverse, compared=False)
        if node >= leave_out.n_compared:
            return True
        direct = leave_out.dwarfing(node)
        self._inverses.append(None if direct else inverse.float())
        largest = float(inverse.diagonal().max())
        for part in (part for parts in self._folds for part in parts):
            block = inverse[part.left_out][:, part.left_out]
            solved = torch.cholesky_inverse(torch.linalg.cholesky(block))
            residuals = solved[np.searchsorted(part.left_out, part.split.test)]
            if direct:
                across = inverse[part.left_out][:, part.split.train]
                part.maps.append((-(residuals @ across) - 1 / len(part.split.train)).float())
            elif largest * float(solved.diagonal().max()) > _AMPLIFIED:
                return False
            else:
                part.maps.append(residuals.float())
        return True

    def errors(self, columns: Tensor) -> list[tuple[Floats, Floats]]:
        """Of every fold, ``(n_targets, n_alphas)``, and the squares of its truth, ``(n_targets,)``.

        Parameters
        ----------
        columns : tensor of shape (n_targets, n_stimuli)
        """
        blocks = [self._of_block(columns[i : i + TARGETS].T) for i in range(0, len(columns), TARGETS)]
        return [
            (np.concatenate([one[0] for one in fold]), np.concatenate([one[1] for one in fold]))
            for fold in zip(*blocks, strict=True)
        ]

    def _of_block(self, rows: Tensor) -> list[tuple[Floats, Floats]]:
        """The same of some targets, ``(n_stimuli, n_targets)``."""
        rows = rows.contiguous()
        products = [None if inverse is None else inverse @ rows for inverse in self._inverses]
        means = iter(self._fitted @ rows)
        return [_sum([_errors(part, rows, next(means), products) for part in parts]) for parts in self._folds]


def _part(leave_out: LeaveOut, split: Split) -> _Part:
    """Errors are combined from residuals, which are small, or where penalties are large from predictions, which are."""
    import torch

    left_out = np.setdiff1d(np.arange(leave_out.n_stimuli), split.train)
    weights = leave_out.mixing(split, leave_out.n_compared)
    as_predicted = leave_out.shrinking[: leave_out.n_compared]
    sign = torch.from_numpy(np.where(as_predicted, 1.0, -1.0)).to(weights.device)
    of_truth = torch.where(sign < 0, weights, 0.0).sum(dim=1, keepdim=True) - 1
    return _Part(split, left_out, [], as_predicted, torch.cat([weights * sign, of_truth], dim=1))


def _averages(splits: Sequence[Split], leave_out: LeaveOut) -> Tensor:
    """What takes targets to their means over each split's training rows."""
    import torch

    averages = np.zeros((len(splits), leave_out.n_stimuli), np.float32)
    for row, split in zip(averages, splits, strict=True):
        row[split.train] = 1 / len(split.train)
    return torch.from_numpy(averages).to(leave_out.device)


def _sum(parts: Sequence[tuple[Floats, Floats]]) -> tuple[Floats, Floats]:
    return np.sum([one[0] for one in parts], axis=0), np.sum([one[1] for one in parts], axis=0)


def _errors(
    part: _Part, rows: Tensor, mean: Tensor, products: Sequence[Tensor | None]
) -> tuple[Floats, Floats]:
    """Of one inner split."""
    import torch

    train, test, left_out = (
        torch.from_numpy(one).to(rows.device) for one in (part.split.train, part.split.test, part.left_out)
    )
    room = rows.new_empty(len(mean), len(products) + 1, len(test))
    room[:, -1] = (rows.index_select(0, test) - mean).T
    for node, (product, to_test) in enumerate(zip(products, part.maps, strict=True)):
        source = rows.index_select(0, train) if product is None else product.index_select(0, left_out)
        torch.mm(source.T, to_test.T, out=room[:, node])
        if product is not None and part.as_predicted[node]:
            torch.sub(room[:, -1], room[:, node], out=room[:, node])
    return squared_errors(room, part.weights)
