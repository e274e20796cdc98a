"""Intervals and p values of cross-validated predictions, without fitting anything again.

Resampling the held-out stimuli under fixed predictions sees only half of what moves a cross-validated
score when the model is no good: every pair of stimuli in different folds enters twice, once as held-out
and training, once as training and held-out. So two draws are added here: one resamples held-out stimuli,
the other perturbs the training stimuli through the hat matrix; and permuted responses are predicted anew,
through the same matrix, rather than compared with the old predictions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import numpy.typing as npt

from ...analysis.statistics.resampling import ENTRIES
from ...correlation import Floats, pearson, weighted_pearson

if TYPE_CHECKING:
    from ...analysis.encoding.cross_validation import Indices, Split
    from ...analysis.encoding.nested_ridge import Fit

N = TypeVar("N", bound=np.generic)

MOST_TESTED = 128
"""Neuroids, drawn at random from the seed, that permutations and training draws are computed for."""


@dataclass(frozen=True)
class HeldOut:
    """Predictions of the held-out rows of one split, by whatever method.

    Attributes
    ----------
    split : Split
    prediction : array of shape (n_test, n_targets)
    """

    split: Split
    prediction: Floats


def held_out_draws(held_out: Sequence[HeldOut | Fit], targets: Floats, weights: Floats) -> Floats:
    """Pearson r under bootstrap weights of the held-out stimuli, ``(n_draws, n_splits, n_targets)``.

    A fold in which a draw leaves nothing that varies counts as r = 0.
    """
    r = [
        weighted_pearson(one.prediction, targets[one.split.test], weights[:, one.split.test])
        for one in held_out
    ]
    return np.nan_to_num(np.stack(r, axis=1))


def training_draws(fits: Sequence[Fit], targets: Floats, weights: Floats) -> Floats:
    """Pearson r when the training stimuli are drawn anew, to first order, ``(n_draws, n_splits, n_targets)``.

    The prediction moves by H diag(w - 1) e, with H the hat matrix and e the leave-one-out residuals.
    """
    draws = []
    for fit in fits:
        residuals = fit.basis.left_out_residuals(targets[fit.split.train], fit.alpha)
        change = weights[:, fit.split.train, None] - 1
        truth = targets[fit.split.test][:, None]
        parts = [
            pearson(fit.prediction[:, None] + moved, truth)
            for moved in _through_hat(
                fit, (block * residuals for block in _blocks(change, residuals.size)), len(change)
            )
        ]
        draws.append(np.concatenate(parts))
    return np.nan_to_num(np.stack(draws, axis=1))


def permuted_draws(fits: Sequence[Fit], targets: Floats, orders: Indices) -> Floats:
    """Pearson r of permuted responses, predicted anew at the chosen penalties, ``(n_draws, n_splits, n_targets)``."""
    draws = []
    for fit in fits:
        train, test = orders[:, fit.split.train], orders[:, fit.split.test]
        parts, done = [], 0
        blocks = (targets[block] for block in _blocks(train, train.shape[1] * targets.shape[1]))
        for moved in _through_hat(fit, blocks, len(train)):
            truth = targets[test[done : done + moved.shape[1]]].transpose(1, 0, 2)
            parts.append(pearson(moved, truth))
            done += moved.shape[1]
        draws.append(np.concatenate(parts))
    return np.nan_to_num(np.stack(draws, axis=1))


def permuted_first_split(held_out: HeldOut, targets: Floats, orders: Indices) -> Floats:
    """Pearson r of one split's predictions with its held-out responses permuted, ``(n_draws, 1, n_targets)``.

    Exact for any method of fitting, since the split's training responses stay apart.
    """
    truth = targets[held_out.split.test]
    r = [np.nan_to_num(pearson(held_out.prediction, truth[order])) for order in orders]
    return np.array(r)[:, None]


def _blocks(rows: npt.NDArray[N], n_entries: int) -> Iterator[npt.NDArray[N]]:
    step = max(1, ENTRIES // max(n_entries, 1))
    for start in range(0, len(rows), step):
        yield rows[start : start + step]


def _through_hat(fit: Fit, training: Iterator[Floats], n_draws: int) -> Iterator[Floats]:
    """Take blocks of training rows, (n_draws, n_train, n_targets), to the test rows, (n_test, n_draws, n_targets)."""
    basis = fit.basis
    n_test, n_train, rank = len(fit.split.test), len(fit.split.train), len(basis.eigenvalues)
    maps = {}
    for alpha in np.unique(fit.alpha):
        members = np.flatnonzero(fit.alpha == alpha)
        to_test = (basis.to_test / (basis.eigenvalues + alpha * basis.mean_eigenvalue)).astype(np.float32)
        parts = [basis.from_train.T.astype(np.float32), to_test]
        n_columns = n_draws * len(members)
        if n_test * n_train * (rank + n_columns) < n_columns * rank * (n_test + n_train):
            parts = [
                parts[1] @ parts[0]
            ]  # the hat matrix itself: one product a draw instead of two thin ones
        maps[alpha] = members, parts
    for block in training:
        moved = np.empty((n_test, len(block), block.shape[2]))
        for members, parts in maps.values():
            rows = block[:, :, members].astype(np.float32).transpose(1, 0, 2).reshape(n_train, -1)
            for part in parts:
                rows = part @ rows
            moved[:, :, members] = rows.reshape(n_test, len(block), -1)
        yield moved


def subsample_targets(n_targets: int, seed: int) -> Indices:
    """The neuroids, at most ``MOST_TESTED``, that permutations and training draws are computed for."""
    if n_targets <= MOST_TESTED:
        return np.arange(n_targets)
    return np.sort(np.random.default_rng([seed, 7]).choice(n_targets, MOST_TESTED, replace=False))


def select_targets(fit: Fit, chosen: Indices) -> Fit:
    """The same fit for some of its targets."""
    return replace(
        fit,
        alpha=fit.alpha[chosen],
        prediction=fit.prediction[:, chosen],
        inner_score=fit.inner_score[chosen],
    )


def combine_draws(held_out: Floats, training: Floats) -> Floats:
    """Held-out draws, each moved by what a training draw changes; their quantiles are the interval.

    Parameters
    ----------
    held_out : array of shape (n_draws,)
        Headlines with the held-out stimuli drawn anew.
    training : array of shape (n_training_draws,)
        Headlines with the training stimuli drawn anew; only their spread is used.

    Returns
    -------
    array of shape (n_draws,)
    """
    draws: Floats = held_out + np.resize(training - training.mean(), held_out.shape)
    return draws
