"""A layer's features, ready for ridge regression on any training set.

For centred features X of a training set, everything ridge needs follows from X X' (more features than
stimuli: a block of one Gram matrix, centred in place) or from X'X (fewer). Features are read once, however
many folds, penalties and targets there are.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from scipy.linalg import eigh, eigvalsh

from ...errors import UserError
from ..representation.gram import gram
from ..shelf import once
from .cross_validation import Indices

Floats = npt.NDArray[np.float64]


class Features(Protocol):
    """Features of which any training set can be diagonalised."""

    n_features: int

    def diagonalize(self, train: Indices, test: Indices) -> "Basis":
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
        return projected / (self.eigenvalues[:, None] + np.asarray(alpha) * self.mean_eigenvalue)


class DualFeatures:
    """More features than stimuli: everything from the Gram matrix.

    Attributes
    ----------
    gram : array of shape (n_stimuli, n_stimuli)
        X X' of the features less their mean over all stimuli.
    """

    def __init__(self, features: npt.ArrayLike) -> None:
        self.gram, self.n_features = gram(features), np.shape(features)[1]
        check_finite(np.diag(self.gram))

    @property
    def n_bytes(self) -> int:
        """Of what is kept."""
        return self.gram.nbytes

    def mean_eigenvalues(self, training_sets: Sequence[Indices]) -> Floats:
        """The mean of the min(n_train - 1, n_features) eigenvalues of every training set."""
        member = np.zeros((len(training_sets), len(self.gram)))
        for row, train in zip(member, training_sets, strict=True):
            row[train] = 1
        size = member.sum(axis=1)
        total = member @ np.diag(self.gram) - ((member @ self.gram) * member).sum(axis=1) / size
        means: Floats = total / np.minimum(size - 1, self.n_features)
        return means

    def spectrum(self) -> tuple[float, float]:
        """An interval that holds every non-zero eigenvalue of every training set.

        A training set's eigenvalues lie between those of all stimuli, unless features depend on each other:
        then only the upper end is known.
        """
        values = eigvalsh(self.gram, check_finite=False, driver="evd")
        high = float(values[-1]) if values[-1] > 1e-200 else 1.0  # nothing varies: any scale does
        second = float(values[1]) if len(values) > 1 else 0.0  # the first belongs to the constant
        return max(second, 0.0), high

    def diagonalize(self, train: Indices, test: Indices) -> Basis:
        """The eigenvectors of the training rows' centred X X'."""
        centered = self.gram[np.ix_(train, train)]
        means = centered.mean(axis=0)
        centered -= means
        centered -= means[:, None]
        centered += means.mean()
        across = self.gram[np.ix_(test, train)]
        across = across - across.mean(axis=1, keepdims=True) - means + means.mean()
        values, vectors = _positive(*eigh(centered, overwrite_a=True, check_finite=False, driver="evd"))
        mean = float(values.sum()) / min(len(train) - 1, self.n_features)
        return Basis(values, across @ vectors, vectors, None, mean)


class MixedFeatures(DualFeatures):
    """Two bands of features under weights, from their Gram matrices.

    Parameters
    ----------
    first, second : array of shape (n_stimuli, n_stimuli)
        Of centred features.
    share : float
        Weight of the first; the second has 1 - share.
    n_features : int
        Of both.
    """

    def __init__(self, first: Floats, second: Floats, share: float, n_features: int) -> None:
        self._parts, self._share, self.n_features = (first, second), share, n_features

    @property
    def gram(self) -> Floats:  # type: ignore[override]
        """Added when it is asked for, so that many mixtures need no more memory than one."""
        first, second = self._parts
        return self._share * first + (1 - self._share) * second


class PrimalFeatures:
    """Fewer features than stimuli: everything from the features themselves.

    A training set's X'X is that of all stimuli less that of the others, which are fewer.

    Attributes
    ----------
    features : array of shape (n_stimuli, n_features)
        Less their mean over all stimuli.
    """

    def __init__(self, features: npt.ArrayLike) -> None:
        whole = np.asarray(features, np.float64)
        self.n_features = whole.shape[1]
        self.features = whole - whole.mean(axis=0)
        self._product: Floats = self.features.T @ self.features
        check_finite(np.diag(self._product))

    @property
    def n_bytes(self) -> int:
        """Of what is kept."""
        return int(self.features.nbytes + self._product.nbytes)

    def product(self, train: Indices) -> Floats:
        """X'X of the centred training rows."""
        others = np.delete(self.features, train, axis=0)
        mean = self.features[train].mean(axis=0)
        inside: Floats = self._product - others.T @ others - len(train) * np.outer(mean, mean)
        return inside

    def diagonalize(self, train: Indices, test: Indices) -> Basis:
        """The eigenvectors of the training rows' centred X'X."""
        mean = self.features[train].mean(axis=0)
        product = self.product(train)
        values, vectors = _positive(*eigh(product, overwrite_a=True, check_finite=False, driver="evd"))
        mean_value = float(values.sum()) / min(len(train) - 1, len(product))
        x_train, x_test = self.features[train] - mean, self.features[test] - mean
        return Basis(values, x_test @ vectors, x_train, vectors, mean_value)


def check_finite(squares: Floats) -> None:
    """Sums of squares show what single features would, and are few."""
    if not np.isfinite(squares).all():
        raise UserError(
            "the features have values that are NaN or infinite: leave these units, or this layer, out"
        )


_NOTHING = 10 * np.finfo(np.float64).eps


def positive(values: Floats) -> npt.NDArray[np.bool_]:
    """Which of sorted eigenvalues are not zero."""
    return values > max(float(values[-1]), 0.0) * len(values) * _NOTHING


def _positive(values: Floats, vectors: Floats) -> tuple[Floats, Floats]:
    keep = positive(values)
    return values[keep], vectors[:, keep]


_LARGE = 1 << 25


def through_gram(n_stimuli: int, n_features: int) -> bool:
    """Whether a Gram matrix is the cheaper form: one serves all folds, so of large ones features may be fewer."""
    large = n_stimuli * n_features > _LARGE
    return n_features >= (n_stimuli / 2 if large else n_stimuli)


def prepare(features: npt.ArrayLike | Features) -> DualFeatures | PrimalFeatures:
    """Choose the cheaper of the two forms for features of shape (n_stimuli, n_features); what is prepared stays."""
    if isinstance(features, (DualFeatures, PrimalFeatures)):
        return features
    given: Any = features
    return once(given, "prepared", lambda: _prepared(np.asarray(given)), lambda made: made.n_bytes)


def _prepared(values: npt.NDArray[Any]) -> DualFeatures | PrimalFeatures:
    return DualFeatures(values) if through_gram(*values.shape) else PrimalFeatures(values)
