"""Draws of held-out predictions that stay as they are, and which neuroids draws are computed for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...correlation import Floats, pearson, weighted_pearson

if TYPE_CHECKING:
    from ...analysis.encoding.cross_validation import Indices, Split
    from ...analysis.encoding.nested_ridge import Fit

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

    NaN for a fold of which a draw leaves fewer than two stimuli; 0 where nothing varies among more.
    """
    found = []
    for one in held_out:
        drawn = weights[:, one.split.test]
        r = np.nan_to_num(weighted_pearson(one.prediction, targets[one.split.test], drawn))
        r[(drawn > 0).sum(axis=1) < 2] = np.nan
        found.append(r)
    return np.stack(found, axis=1)


def permuted_split(held_out: HeldOut, targets: Floats, orders: Indices) -> Floats:
    """Pearson r of one split's predictions with its held-out responses permuted, ``(n_draws, n_targets)``.

    Exact for any method of fitting, since the split's training responses stay apart.
    """
    truth = targets[held_out.split.test]
    r = [np.nan_to_num(pearson(held_out.prediction, truth[order])) for order in orders]
    return np.array(r)


def subsample_targets(members: Sequence[Indices], seed: int, most: int = MOST_TESTED) -> Indices:
    """The neuroids, at most `most` in all but never fewer than 4 of a subject, that draws are computed for."""
    most = max(most // len(members), 4)
    generator = np.random.default_rng([seed, 7])
    some = [one if len(one) <= most else generator.choice(one, most, replace=False) for one in members]
    return np.sort(np.concatenate(some))


def select_targets(fit: Fit, chosen: Indices) -> Fit:
    """The same fit for some of its targets."""
    return fit.only(chosen)
