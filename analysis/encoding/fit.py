"""What ridge regression finds on one training set."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from .cross_validation import Indices, Split
from .gram_eigen import Basis, Features

Floats = npt.NDArray[np.float64]

ALPHAS: Floats = np.logspace(-5, 4.5, 20)
"""The penalties tried, as multiples of the training set's mean eigenvalue."""


@dataclass(frozen=True)
class Fit:
    """A layer fitted on one training set.

    Attributes
    ----------
    split : Split
    features : Features
    alpha : array of shape (n_targets,)
        The chosen penalty of each target, relative to the mean eigenvalue.
    prediction : array of shape (n_test, n_targets)
    inner_score : array of shape (n_targets,)
        Explained variance of the inner held-out rows at the chosen penalty, 1 - MSE / variance.
    penalties : array of shape (n_alphas,)
        Those that were tried.
    """

    split: Split
    features: Features = field(repr=False)
    alpha: Floats
    prediction: Floats
    inner_score: Floats
    penalties: Floats = field(default_factory=lambda: ALPHAS, repr=False)

    @cached_property
    def basis(self) -> Basis:
        """The training set, diagonalised: what intervals and p values are computed through."""
        return self.features.diagonalize(self.split.train, self.split.test)

    def only(self, chosen: Indices) -> Fit:
        """The same fit for some of its targets."""
        return replace(
            self,
            alpha=self.alpha[chosen],
            prediction=self.prediction[:, chosen],
            inner_score=self.inner_score[chosen],
        )
