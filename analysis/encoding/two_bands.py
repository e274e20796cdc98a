"""Ridge regression on two bands of features, each target with a weighting and a penalty of its own.

The features are sqrt(g) F | sqrt(1 - g) S of a first band F and a second one S, both scaled so that their Gram
matrices have a mean diagonal of 1: a grid of weightings g and penalties alpha is one of penalties alpha / g and
alpha / (1 - g) of the two bands. Both are chosen per target in the inner folds of the training rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ..representation.gram import gram
from .cross_validation import Fold, Indices, Split
from .gram_eigen import Features, MixedFeatures, PrimalFeatures, prepare
from .nested_ridge import Fit, NestedRidge, Targets
from .pooled import predictions_without

Floats = npt.NDArray[np.float64]

SHARES: Floats = np.array([0.0, 0.02, 0.1, 0.3, 0.6, 0.85, 0.97])
"""The weightings of the first band that are tried, beside 1, which is the first band alone."""


class Band:
    """One or more feature spaces, each scaled by the root of the mean diagonal of its Gram matrix.

    Parameters
    ----------
    spaces : sequence of array of shape (n_stimuli, n_features)
        Every one of which varies.
    """

    def __init__(self, spaces: Sequence[npt.ArrayLike]) -> None:
        self.n_features = sum(np.shape(one)[1] for one in spaces)
        n_stimuli = np.shape(spaces[0])[0]
        self.features: Floats | None = None
        if self.n_features < n_stimuli:
            self.features = np.hstack([_scaled(np.asarray(one, np.float64)) for one in spaces])
            self.features /= np.sqrt(len(spaces))
        else:
            products = [gram(one) for one in spaces]
            self._gram = np.mean([one / (np.trace(one) / n_stimuli) for one in products], axis=0)

    @cached_property
    def gram(self) -> Floats:
        """Of the centred and scaled features."""
        products: Floats = self._gram if self.features is None else self.features @ self.features.T
        return products

    def prepared(self) -> Features:
        """The band by itself."""
        if self.features is not None:
            return prepare(self.features)
        return MixedFeatures(self.gram, self.gram, 1.0, self.n_features)

    def mixed(self, other: Band, share: float) -> Features:
        """Of this band under the weight `share`, beside another under the rest."""
        if share in (0, 1):
            return (self if share else other).prepared()
        n_features = self.n_features + other.n_features
        if self.features is not None and other.features is not None and n_features < len(self.features):
            parts = np.sqrt(share) * self.features, np.sqrt(1 - share) * other.features
            return PrimalFeatures(np.hstack(parts))
        return MixedFeatures(self.gram, other.gram, share, n_features)


def _scaled(features: Floats) -> Floats:
    centered = features - features.mean(axis=0)
    scaled: Floats = centered / np.sqrt((centered**2).sum() / len(centered))
    return scaled


class Part(NamedTuple):
    """Targets of one weighting of the first band: their places among those asked for, and their fit."""

    share: float
    places: Indices
    fit: Fit


@dataclass
class JointFit:
    """Two bands on one training set, at the best of the weightings tried so far.

    Attributes
    ----------
    split : Split
    first, second : Band
    share, alpha, inner_score : array of shape (n_targets,)
        The chosen weighting of the first band, the penalty, and the explained variance of inner held-out rows.
    prediction : array of shape (n_test, n_targets)
    """

    split: Split
    first: Band
    second: Band
    share: Floats
    alpha: Floats
    inner_score: Floats
    prediction: Floats

    def offer(self, share: float, fit: Fit) -> None:
        """Take another weighting for the targets that it is better for."""
        better = fit.inner_score > self.inner_score
        self.share[better] = share
        for name in ("alpha", "inner_score"):
            getattr(self, name)[better] = getattr(fit, name)[better]
        self.prediction[:, better] = fit.prediction[:, better]

    def parts(self, targets: Indices) -> list[Part]:
        """Some of the targets, by their weighting."""
        found = []
        for share in np.unique(self.share[targets]):
            places = np.flatnonzero(self.share[targets] == share)
            one = targets[places]
            features = self.first.mixed(self.second, float(share))
            kept = self.alpha[one], self.prediction[:, one], self.inner_score[one]
            found.append(Part(float(share), places, Fit(self.split, features, *kept)))
        return found


def joint_without(parts: Sequence[Part], targets: Floats, groups: Indices) -> Iterator[Floats]:
    """Predictions without each group of training rows; as :func:`predictions_without`, of targets by their weighting.

    Parameters
    ----------
    parts
        As :meth:`JointFit.parts` gives them.
    targets : array of shape (n_stimuli, n_targets)
    groups : array of shape (n_stimuli,)
    """
    each = [predictions_without(one.fit, targets[:, one.places], groups) for one in parts]
    for found in zip(*each, strict=True):
        moved = np.empty((len(found[0]), targets.shape[1]))
        for part, one in zip(parts, found, strict=True):
            moved[:, part.places] = one
        yield moved


def first_part(joint: JointFit, parts: Sequence[Part], targets: Floats) -> Floats:
    """What the first band adds to the predictions of the test rows, ``(n_test, n_targets)``.

    Parameters
    ----------
    joint : JointFit
    parts, targets
        As for :func:`joint_without`.
    """
    train, test = joint.split.train, joint.split.test
    block = joint.first.gram[:, train]
    across = block[test] - block[train].mean(axis=0)
    across -= across.mean(axis=1, keepdims=True)
    found = np.empty((len(test), targets.shape[1]))
    for share, places, fit in parts:
        basis, truth = fit.basis, targets[np.ix_(train, places)]
        weights = basis.shrink(basis.project(truth - truth.mean(axis=0)), fit.alpha)
        found[:, places] = share * (across @ ((basis.to_train / basis.eigenvalues) @ weights))
    return found


def joint_fits(
    second: Band,
    first: Band,
    alone: Sequence[Fit],
    folds: Sequence[Fold],
    columns: Targets,
    *,
    alphas: Floats,
    device: str = "cpu",
) -> list[JointFit]:
    """Fit two bands on every fold.

    Parameters
    ----------
    second, first : Band
    alone : sequence of Fit
        Of the first band by itself, one a fold.
    folds : sequence of Fold
    columns : Targets
    alphas : array
        Penalties, relative to the mean eigenvalue of each training set; without any, weightings change nothing, and
        both bands are always used.
    device : str
    """
    free = bool((alphas > 0).all())
    found = []
    for fit in alone:
        kept = np.ones(len(fit.alpha)), fit.alpha.copy(), fit.inner_score.copy(), fit.prediction.copy()
        found.append(JointFit(fit.split, first, second, *kept))
        if not free:
            found[-1].inner_score[:] = -np.inf
    for share in SHARES if free else [0.5]:
        engine = NestedRidge(first.mixed(second, float(share)), folds, alphas, device)
        for one, fold in zip(found, folds, strict=True):
            one.offer(float(share), engine.fit(fold, columns))
    return found
