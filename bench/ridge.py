"""Ridge regression with its penalty chosen per target by inner cross-validation.

For centred features X and centred targets Y of a training set,

    B = argmin_B |Y - X B|^2 + alpha |B|^2.

One eigendecomposition of X X' (or of X'X where there are fewer features than stimuli) serves every penalty
and every target. A training set's X X' is a block of one Gram matrix, centred in place, so features are
read once however many folds there are.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
import numpy.typing as npt
from scipy.linalg import eigh

from ..correlation import pearson
from .splits import Indices, Split

Floats = npt.NDArray[np.float64]

ALPHAS: Floats = np.logspace(-5, 4.5, 20)
"""The penalties tried, as multiples of the training set's mean eigenvalue."""
_BLOCK = 1 << 14


class Features(Protocol):
    """Features of which any training set can be diagonalised."""

    def diagonalise(self, train: Indices, test: Indices) -> "Basis":
        """The basis of one training set."""


@dataclass(frozen=True)
class Basis:
    """One training set, diagonalised: a prediction at any penalty costs two thin products.

    prediction of the test rows = mean(Y) + to_test diag(1 / (eigenvalues + alpha)) from_train' Y

    Attributes
    ----------
    eigenvalues : array of shape (k,)
        The non-zero eigenvalues of X X'.
    to_test : array of shape (n_test, k)
    rows : array of shape (n_train, k) or (n_train, n_features)
        The eigenvectors of X X', or X itself where there are fewer features than stimuli.
    rotation : array of shape (n_features, k) or None
        The eigenvectors of X'X, where `rows` is X.
    mean_eigenvalue : float
        Over min(n_train - 1, n_features) eigenvalues, so that penalties mean the same for every layer.
    """

    eigenvalues: Floats
    to_test: Floats
    rows: Floats
    rotation: Floats | None
    mean_eigenvalue: float

    @cached_property
    def from_train(self) -> Floats:
        """What takes training targets into the basis, ``(n_train, k)``."""
        return self.rows if self.rotation is None else self.rows @ self.rotation

    @property
    def to_train(self) -> Floats:
        """What takes the basis to fitted training rows, ``(n_train, k)``."""
        return self.from_train * self.eigenvalues if self.rotation is None else self.from_train

    def project(self, targets: Floats) -> Floats:
        """from_train' Y, ``(k, n_targets)``."""
        inside: Floats = self.rows.T @ targets
        return inside if self.rotation is None else self.rotation.T @ inside

    def shrink(self, projected: Floats, alpha: npt.ArrayLike) -> Floats:
        """Divide by eigenvalue + penalty, the penalty one number or one a target."""
        shrunk: Floats = projected / (self.eigenvalues[:, None] + np.asarray(alpha) * self.mean_eigenvalue)
        return shrunk

    def left_out_residuals(self, targets: Floats, alpha: npt.ArrayLike) -> Floats:
        """Leave-one-out residuals of the training rows, e_i / (1 - h_ii), per target at its penalty."""
        centred = targets - targets.mean(axis=0)
        fitted = self.to_train @ self.shrink(self.project(centred), alpha)
        leverage = (self.to_train * self.from_train) @ self.shrink(np.ones((len(self.eigenvalues), 1)), alpha)
        residuals: Floats = (centred - fitted) / np.maximum(1 - leverage - 1 / len(targets), 1e-3)
        return residuals


class _Wide:
    """More features than stimuli: everything from the Gram matrix."""

    def __init__(self, features: npt.ArrayLike) -> None:
        self._gram, self._n_features = gram(features), np.shape(features)[1]

    def diagonalise(self, train: Indices, test: Indices) -> Basis:
        block = self._gram[np.ix_(train, train)]
        means = block.mean(axis=0)
        centred = block - means - means[:, None] + means.mean()
        across = self._gram[np.ix_(test, train)]
        across = across - across.mean(axis=1, keepdims=True) - means + means.mean()
        values, vectors = _positive(*eigh(centred, overwrite_a=True, check_finite=False))
        mean = float(values.sum()) / min(len(train) - 1, self._n_features)
        return Basis(values, across @ vectors, vectors, None, mean)


class _Tall:
    """Fewer features than stimuli: everything from the features themselves.

    A training set's X'X is that of all stimuli less that of the others, which are fewer.
    """

    def __init__(self, features: npt.ArrayLike) -> None:
        whole = np.asarray(features, np.float64)
        self._features = whole - whole.mean(axis=0)
        self._product = self._features.T @ self._features

    def diagonalise(self, train: Indices, test: Indices) -> Basis:
        others = np.delete(self._features, train, axis=0)
        mean = self._features[train].mean(axis=0)
        product = self._product - others.T @ others - len(train) * np.outer(mean, mean)
        values, vectors = _positive(*eigh(product, overwrite_a=True, check_finite=False))
        mean_value = float(values.sum()) / min(len(train) - 1, len(product))
        x_train, x_test = self._features[train] - mean, self._features[test] - mean
        return Basis(values, x_test @ vectors, x_train, vectors, mean_value)


def _positive(values: Floats, vectors: Floats) -> tuple[Floats, Floats]:
    keep = values > max(float(values[-1]), 0.0) * len(values) * np.finfo(np.float64).eps * 10
    return values[keep], vectors[:, keep]


def gram(features: npt.ArrayLike) -> Floats:
    """X X' of the features centred by their mean over all rows, read a block of columns at a time.

    Parameters
    ----------
    features : array of shape (n_stimuli, n_features)
        May be a memory map larger than memory.
    """
    source = np.asarray(features)
    total = np.zeros((len(source), len(source)))
    for start in range(0, source.shape[1], _BLOCK):
        part = source[:, start : start + _BLOCK].astype(np.float64)
        part -= part.mean(axis=0)
        total += part @ part.T
    return total


def prepare(features: npt.ArrayLike) -> Features:
    """Choose the cheaper of the two forms for features of shape (n_stimuli, n_features)."""
    n_stimuli, n_features = np.shape(features)
    return _Tall(features) if n_features < n_stimuli else _Wide(features)


@dataclass(frozen=True)
class Fit:
    """A layer fitted on one training set.

    Attributes
    ----------
    split : Split
    basis : Basis
    alpha : array of shape (n_targets,)
        The chosen penalty of each target, relative to the mean eigenvalue.
    prediction : array of shape (n_test, n_targets)
    inner_score : array of shape (n_targets,)
        Explained variance of the inner held-out rows at the chosen penalty, 1 - MSE / variance.
    """

    split: Split
    basis: Basis
    alpha: Floats
    prediction: Floats
    inner_score: Floats


def fit(
    features: Features, targets: Floats, split: Split, inner: Sequence[Split], alphas: Floats = ALPHAS
) -> Fit:
    """Choose each target's penalty on the inner splits of the training rows, then predict the test rows.

    Parameters
    ----------
    features : Features
        From :func:`prepare`.
    targets : array of shape (n_stimuli, n_targets)
    split : Split
        The training and held-out rows.
    inner : sequence of Split
        Divisions of ``split.train``, as positions within it.
    alphas : array
        Penalties, relative to the mean eigenvalue of each training set.
    """
    errors = np.zeros((len(alphas), targets.shape[1]))
    variance = np.zeros(targets.shape[1])
    for part in inner:
        train, held_out = split.train[part.train], split.train[part.test]
        basis = features.diagonalise(train, held_out)
        truth = targets[held_out] - targets[train].mean(axis=0)
        projected = basis.project(targets[train] - targets[train].mean(axis=0))
        for i, alpha in enumerate(alphas):
            errors[i] += ((truth - basis.to_test @ basis.shrink(projected, alpha)) ** 2).sum(axis=0)
        variance += (truth**2).sum(axis=0)
    chosen = errors.argmin(axis=0)
    basis = features.diagonalise(split.train, split.test)
    mean = targets[split.train].mean(axis=0)
    shrunk = basis.shrink(basis.project(targets[split.train] - mean), alphas[chosen])
    inner_score = 1 - errors.min(axis=0) / np.maximum(variance, 1e-300)
    return Fit(split, basis, alphas[chosen], basis.to_test @ shrunk + mean, inner_score)


def held_out_r(fits: Sequence[Fit], targets: Floats) -> Floats:
    """Pearson r of predictions and targets on the held-out rows, ``(n_splits, n_targets)``."""
    return np.array([pearson(one.prediction, targets[one.split.test]) for one in fits])
