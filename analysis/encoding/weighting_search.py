"""Which weighting of several kernels, and which penalty, predicts held-out rows best: for every target its own.

With K = sum_k g_k K_k the prediction of rows V from rows T is

    K_VT (K_TT + a I)^-1 Y_T.

Every weighting g of a list is tried with every penalty a. The score is minus the mean squared error of the held-out
rows, averaged over the splits, and of equal ones the larger penalty and the earlier weighting win: himalaya's random
search (Dupre la Tour et al. 2022), with its answers. Where all but one of the spaces have few features
(:mod:`.low_rank_bands`) the large products are made once for all weightings; else once a weighting, for the few
functions of the eigenvalues that all penalties are combinations of. Of more than 32 targets the products are in single
precision: scores have six digits, and of two weightings that agree in these either may be chosen.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy.linalg import eigh

from .band_kernels import FEW, Bands, Choice, blocks_of, inverses
from .cross_validation import Split

if TYPE_CHECKING:
    import torch

Floats = npt.NDArray[np.float64]

_TOLERANCE = 1e-6
"""Largest error of a shrinkage factor, as a share of the penalty's largest."""


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
