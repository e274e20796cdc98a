"""What the encoding models of :mod:`.estimators` share: validation, folds, prediction, score."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.model_selection import check_cv
from sklearn.utils.validation import check_array, check_consistent_length, check_is_fitted, validate_data

from ...correlation import Floats, pearson
from ...errors import UserError
from ..masks import unmasked
from .cross_validation import Fold, Split, Splitter

OUTER = 5
"""Folds that :meth:`cross_validate` holds out by default."""


class SklearnSplitter(Protocol):
    """What scikit-learn's splitters are: ``KFold``, ``LeaveOneGroupOut``, ..."""

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Any:
        """Pairs of training and test rows."""


Cv = int | Splitter | SklearnSplitter


@dataclass(frozen=True)
class CrossValidated:
    """Predictions of rows that neither the weights nor the choice of alphas has seen.

    Attributes
    ----------
    splits : list of Split
    predictions : list of array of shape (n_test, n_targets)
        Of the test rows of each split.
    r : array of shape (n_splits, n_targets)
        Pearson r of predictions and truth; 0 where either is constant.
    """

    splits: list[Split]
    predictions: list[Floats]
    r: Floats


class EncodingModel(MultiOutputMixin, RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """What all encoding models share: validation, shapes, prediction, score."""

    coef_: Floats
    intercept_: Floats | float

    @unmasked
    def fit(self, X: npt.ArrayLike, y: npt.ArrayLike, groups: npt.ArrayLike | None = None) -> Any:
        """Fit on all rows.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
        y : array of shape (n_samples,) or (n_samples, n_targets)
        groups : array of shape (n_samples,), optional
            Stories or runs that the inner folds hold together.
        """
        x, truth, columns, held_together = self._validated(X, y, groups)
        centered, mean = centered_columns(x)
        coef = self._fit(centered, columns, self._inner(columns, held_together))
        intercept = columns.mean(axis=0) - mean @ coef
        single = truth.ndim == 1
        self.coef_, self.intercept_ = (coef[:, 0], float(intercept[0])) if single else (coef.T, intercept)
        if single:
            for name in self._PER_TARGET:
                setattr(self, name, getattr(self, name)[..., 0])
        return self

    @unmasked
    def predict(self, X: npt.ArrayLike) -> Floats:
        """Predicted responses, ``(n_samples,)`` or ``(n_samples, n_targets)`` as in `y`."""
        check_is_fitted(self)
        x = validate_data(self, X, reset=False, order="C")
        predicted: Floats = x @ self.coef_.T + self.intercept_
        return predicted

    @unmasked
    def score(self, X: npt.ArrayLike, y: npt.ArrayLike) -> float:
        """Pearson r of prediction and response, averaged over targets.

        What encoding models are compared by; where either is constant r counts as 0. For R^2, use
        ``scoring="r2"``.
        """
        predicted, truth = self.predict(X), check_array(y, ensure_2d=False, dtype=np.float64)
        check_consistent_length(predicted, truth)
        return float(_r(_columns(predicted), _columns(truth)).mean())

    @unmasked
    def cross_validate(
        self, X: npt.ArrayLike, y: npt.ArrayLike, groups: npt.ArrayLike | None = None, *, cv: Cv = OUTER
    ) -> CrossValidated:
        """Nested cross-validation: predict every outer test part with what is chosen within its training part.

        Leaves the estimator as it is, but for ``n_features_in_``.

        Parameters
        ----------
        X, y, groups
            As for :meth:`fit`; groups are held together by the outer and by the inner folds.
        cv : int, Splitter or scikit-learn splitter
            The outer folds; the parameter `cv` of the estimator makes the inner ones.
        """
        x, _, columns, held_together = self._validated(X, y, groups)
        splits = _splits(cv, columns, held_together, seed=1)
        folds = [
            Fold(split, self._inner(columns[train], None if groups is None else held_together[train]))
            for split in splits
            for train in [split.train]
        ]
        predictions = self._predict_folds(x, columns, folds)
        r = [_r(one, columns[split.test]) for one, split in zip(predictions, splits, strict=True)]
        return CrossValidated(splits, predictions, np.array(r))

    _PER_TARGET: tuple[str, ...] = ()

    def _validated(self, X: npt.ArrayLike, y: npt.ArrayLike, groups: npt.ArrayLike | None) -> Any:
        # in rows, so that a data frame, which holds columns together, has the same answer to the digit
        x, truth = validate_data(
            self, X, y, multi_output=True, y_numeric=True, ensure_min_samples=2, order="C"
        )
        truth = np.asarray(truth, np.float64)
        if groups is not None:
            groups = np.asarray(groups)
            check_consistent_length(x, groups)
        return x, truth, _columns(truth), groups

    def _inner(self, y: Floats, groups: Any) -> list[Split]:
        return _splits(self.cv, y, groups, seed=2)

    def _fit(self, x: Any, y: Floats, inner: list[Split]) -> Floats:
        """Coefficients of centred features, ``(n_features, n_targets)``; sets what was chosen."""
        raise NotImplementedError

    def _predict_folds(self, x: Any, y: Floats, folds: list[Fold]) -> list[Floats]:
        raise NotImplementedError


def _splits(cv: Cv, y: Floats, groups: Any, *, seed: int) -> list[Split]:
    """The divisions that a number, our splitter, or one of scikit-learn makes."""
    if isinstance(cv, (int, np.integer)):
        cv = Splitter(n_splits=int(cv), seed=seed)
    if isinstance(cv, Splitter):
        if groups is not None and cv.kind == "shuffles":
            raise UserError("shuffles tear groups apart: give a Splitter of folds, or GroupShuffleSplit")
        return cv.split(len(y), groups=groups)
    pairs = check_cv(cv).split(np.zeros((len(y), 1)), y, groups)
    return [Split(np.sort(train), np.sort(test)) for train, test in pairs]


def centered_columns(x: Any) -> tuple[Floats, Floats]:
    """Features less their mean, and the mean; what only rounding moves becomes 0."""
    mean = x.mean(axis=0, dtype=np.float64)
    centered: Floats = x - mean
    centered[:, np.abs(centered).max(axis=0) <= 1e-14 * len(x) * np.abs(mean)] = 0.0
    return centered, mean


def _columns(values: Floats) -> Floats:
    return values.reshape(len(values), -1)


def _r(predicted: Floats, truth: Floats) -> Floats:
    return np.nan_to_num(pearson(predicted, truth))
