"""Which weighting of several kernels, and which penalty, predicts held-out rows best: for every target its own.

With K = sum_k g_k K_k the prediction of rows V from rows T is

    K_VT (K_TT + a I)^-1 Y_T.

Every weighting g of a list is tried with every penalty a. The score is minus the mean squared error of the held-out
rows, averaged over the splits, and of equal ones the larger penalty and the earlier weighting win: himalaya's random
search (Dupre la Tour et al. 2022), with its answers. Where all but one of the spaces have few features
(:mod:`.low_rank_bands`) the large products are made once for all weightings; else once a weighting, for the few
functions of the eigenvalues that all penalties are combinations of.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy.linalg import eigh

from .cross_validation import Split

if TYPE_CHECKING:
    import torch

Floats = npt.NDArray[np.float64]

_SLOPE = 1e-10
"""What a penalty's logarithm adds to its score: of equal ones the larger wins."""
_TOLERANCE = 1e-6
"""Largest error of a shrinkage factor, as a share of the penalty's largest."""
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
        self.score = np.full(n_targets, -np.inf)
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


def search(
    bands: Bands, targets: Floats, inner: Sequence[Split], weightings: Floats, alphas: Floats
) -> Choice:
    """Try every weighting with every penalty.

    Parameters
    ----------
    bands : Bands
        Less their means over the training set; nothing is centred within the splits.
    targets : array of shape (n_train, n_targets)
    inner : sequence of Split
        What weightings and penalties are compared on.
    weightings : array of shape (n_weightings, n_spaces)
        Positive.
    alphas : array of shape (n_alphas,)
        Positive, ascending.
    """
    from .low_rank_bands import LowRankSearch

    cheaper = LowRankSearch.of(bands, targets.shape[1], inner, weightings, alphas)
    choice = Choice(targets.shape[1], alphas)
    if cheaper is not None:
        cheaper.search(targets, choice)
    else:
        _search_mixtures(bands, targets, inner, weightings, alphas, choice)
    return choice


def _search_mixtures(
    bands: Bands, targets: Floats, inner: Sequence[Split], weightings: Floats, alphas: Floats, choice: Choice
) -> None:
    import torch

    n_targets = targets.shape[1]
    dtype = torch.float64 if n_targets <= FEW else torch.float32
    columns = torch.from_numpy(np.ascontiguousarray(targets.T)).to(dtype)
    for number, weighting in enumerate(weightings):
        mixed = bands.mixture(weighting)
        losses = np.zeros((len(alphas), n_targets))
        for split in inner:
            _add_losses(mixed, split, columns, alphas, losses)
        choice.offer(number, losses / len(inner), slice(None))


def _add_losses(mixed: Floats, split: Split, columns: torch.Tensor, alphas: Floats, losses: Floats) -> None:
    """Mean squared errors of one split at every penalty."""
    import torch

    n_test, kind = len(split.test), columns.dtype
    values, vectors = eigh(mixed[np.ix_(split.train, split.train)], overwrite_a=True, driver="evd")
    values = np.maximum(values, 0.0)
    tolerance = _TOLERANCE if kind == torch.float32 else _TOLERANCE**2
    shapes, weights = inverses(values, alphas, tolerance)
    rank = weights.shape[1]
    to_test = mixed[np.ix_(split.test, split.train)] @ vectors
    maps = torch.from_numpy((shapes.T[:, None, :] * to_test).reshape(rank * n_test, -1)).to(kind)
    rotation = torch.from_numpy(vectors).to(kind)
    train, test = torch.from_numpy(split.train), torch.from_numpy(split.test)
    mixing = torch.from_numpy(np.hstack([weights, -np.ones((len(weights), 1))]))
    for block in blocks_of(len(columns), kind.itemsize * (rank + 1) * n_test + kind.itemsize * len(train)):
        some = columns[block]
        room = torch.empty(len(some), rank + 1, n_test, dtype=kind)
        room[:, :rank] = (some[:, train] @ rotation @ maps.T).view(len(some), rank, n_test)
        room[:, rank] = some[:, test]
        sums = torch.bmm(room, room.transpose(1, 2)).double()
        losses[:, block] += (((mixing @ sums) * mixing).sum(dim=2) / n_test).numpy().T


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


def refit(bands: Bands, targets: Floats, choice: Choice, weightings: Floats, alphas: Floats) -> Floats:
    """A (K + a I)^-1 Y of every target at its own weighting and penalty, ``(n_train, n_targets)``.

    What space k adds to predictions is g_k / a times its kernel times this.
    """
    from .low_rank_bands import refit_low_rank

    if len(np.unique(choice.weighting)) > 1 and sum(one is None for one in bands.factors) <= 1:
        return refit_low_rank(bands, targets, choice, weightings, alphas)
    dual = np.empty_like(targets)
    for number in np.unique(choice.weighting):
        ours = np.flatnonzero(choice.weighting == number)
        values, vectors = eigh(bands.mixture(weightings[number]), overwrite_a=True, driver="evd")
        alpha = alphas[choice.penalty[ours]]
        shrunk = alpha / (np.maximum(values, 0.0)[:, None] + alpha)
        dual[:, ours] = vectors @ (shrunk * (vectors.T @ targets[:, ours]))
    return dual
