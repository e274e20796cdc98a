"""Held-out predictions put together over folds: r centred within each, and how it moves without some of the rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from .cross_validation import Indices, Split
from .fit import Fit
from .on_card.fit import CardFit
from .on_card.pooled import sums
from .on_card.targets import Columns, Reordered
from .on_card.without import predictions_without as without_on_card

Floats = npt.NDArray[np.float64]


class HeldOutRows(Protocol):
    """Predictions of the held-out rows of one split, by whatever method."""

    @property
    def split(self) -> Split:
        """The rows that were fitted and those that were held out."""

    @property
    def prediction(self) -> Floats:
        """Of the held-out rows, ``(n_test, n_targets)``."""


class PooledFolds:
    """Pearson's r of predictions and targets, pooled over folds and centred within each.

        r = sum_f <y_f, p_f> / sqrt(sum_f <y_f, y_f> sum_f <p_f, p_f>),

    with y_f, p_f less their (weighted) mean in fold f. Means of cross-validated predictions are anticorrelated with
    those of the targets, and the r of short folds is noise: so neither the r of all rows at once, nor the mean of r
    over folds.

    Parameters
    ----------
    tests : sequence of array of int
        The held-out rows of each fold.
    targets : array of shape (n_stimuli, n_targets)
    weights : array of shape (n_stimuli,), optional
        Of the rows; all alike by default.
    """

    def __init__(self, tests: Sequence[Indices], targets: Floats, weights: Floats | None = None) -> None:
        self.weights = np.ones(len(targets)) if weights is None else weights
        self.tests, self._targets = tests, targets
        self._there: Columns | None = None
        self.truth = [targets[test] for test in tests]

    def r(self, predictions: Sequence[Floats], rows: npt.NDArray[np.bool_] | None = None) -> Floats:
        """R of each target, over some of the rows; 0 where nothing varies.

        Parameters
        ----------
        predictions : sequence of array of shape (n_test, n_targets)
            One a fold.
        rows : array of shape (n_stimuli,), optional
            Which count.
        """
        return ratio(*self._sums(predictions, rows))

    def r_of(self, fits: Sequence[HeldOutRows]) -> Floats:
        """R of each target, computed where the predictions are.

        Parameters
        ----------
        fits : sequence
            One a fold.
        """
        on_card = [one for one in fits if isinstance(one, CardFit)]
        if len(on_card) < len(fits):
            return self.r([one.prediction for one in fits])
        if self._there is None or self._there.device != on_card[0].where:
            self._there = Columns(self._targets, on_card[0].where)
        return ratio(*sums(on_card, self._there, self.weights))

    def r2(self, predictions: Sequence[Floats], rows: npt.NDArray[np.bool_] | None = None) -> Floats:
        """1 - SSE / SST of each target, both centred within folds; negative where errors exceed the variance.

        Parameters
        ----------
        predictions, rows
            As in :meth:`r`.
        """
        return explained(*self._sums(predictions, rows))

    def product_score(self, parts: Sequence[Floats], predictions: Sequence[Floats]) -> Floats:
        """What one part p_k of the predictions p adds to r2: sum p_k (2 y - p) / sum y^2; over parts it sums to r2.

        Parameters
        ----------
        parts, predictions : sequence of array of shape (n_test, n_targets)
            One a fold.
        """
        of_y, _, sizes = self._sums(parts)
        of_p = self._sums(parts, truth=predictions)[0]
        return explained(of_y, of_p, sizes)

    def _sums(
        self,
        predictions: Sequence[Floats],
        rows: npt.NDArray[np.bool_] | None = None,
        truth: Sequence[Floats] | None = None,
    ) -> tuple[Floats, Floats, Floats]:
        """<y, p>, <p, p> and <y, y> of each target, added over folds."""
        products, squares, sizes = np.zeros((3, self.truth[0].shape[1]))
        for test, true, prediction in zip(self.tests, truth or self.truth, predictions, strict=True):
            known = self.weights[test] > 0 if rows is None else (self.weights > 0)[test] & rows[test]
            weights = self.weights[test][known]
            if len(weights) < 2:
                continue  # one row has no deviation from its own mean
            y, p = centered(true[known], weights), centered(prediction[known], weights)
            weighted = weights[:, None] * p
            products += (weighted * y).sum(axis=0)
            squares += (weighted * p).sum(axis=0)
            sizes += (weights[:, None] * y * y).sum(axis=0)
        return products, squares, sizes

    def r_of_draws(self, folds: Sequence[tuple[Floats, Floats]]) -> Floats:
        """R of many drawn predictions and truths, ``(n_draws, n_targets)``.

        Parameters
        ----------
        folds : sequence of (array, array)
            Predictions and truths of each fold's rows, ``(n_test, n_draws, n_targets)``.
        """
        return ratio(*self._sums_of_draws(folds))

    def r2_of_draws(self, folds: Sequence[tuple[Floats, Floats]]) -> Floats:
        """R2 of many drawn predictions and truths; as :meth:`r_of_draws`."""
        return explained(*self._sums_of_draws(folds))

    def r_of_orders(self, fits: Sequence[Fit], targets: Floats, orders: Indices) -> Floats:
        """R of predictions of targets in many orders of the stimuli, ``(n_orders, n_targets)``; where they are.

        Parameters
        ----------
        fits : sequence of Fit
            One a fold; target j in order k is its column ``k n_targets + j``.
        targets : array of shape (n_stimuli, n_targets)
        orders : array of int of shape (n_orders, n_stimuli)
        """
        on_card = [one for one in fits if isinstance(one, CardFit)]
        shape = len(orders), targets.shape[1]
        if len(on_card) == len(fits):
            there = Reordered(targets, orders, on_card[0].where)
            return ratio(*sums(on_card, there, self.weights)).reshape(shape)
        pairs = [(one.prediction.reshape(-1, *shape), targets[orders[:, one.split.test].T]) for one in fits]
        return self.r_of_draws(pairs)

    def _sums_of_draws(self, folds: Sequence[tuple[Floats, Floats]]) -> tuple[Floats, Floats, Floats]:
        products, squares, sizes = np.zeros((3, *folds[0][0].shape[1:]))
        for test, (prediction, truth) in zip(self.tests, folds, strict=True):
            known = self.weights[test] > 0
            weights = self.weights[test][known]
            if len(weights) < 2:
                continue
            y, p = centered(truth[known], weights), centered(prediction[known], weights)
            weighted = weights[:, None, None] * p
            products += (weighted * y).sum(axis=0)
            squares += (weighted * p).sum(axis=0)
            sizes += (weights[:, None, None] * y * y).sum(axis=0)
        return products, squares, sizes


def centered(values: Floats, weights: Floats) -> Floats:
    """Values less their weighted mean over the first axis."""
    mean = np.tensordot(weights / weights.sum(), values, axes=1)
    left: Floats = values - mean
    left[np.broadcast_to(np.abs(left).max(axis=0) <= 1e-13 * np.abs(mean), left.shape)] = 0.0
    return left


def ratio(products: npt.ArrayLike, squares: npt.ArrayLike, sizes: npt.ArrayLike) -> Floats:
    """Products over the root of squares and sizes; 0 where one of them is none."""
    below = np.sqrt(np.asarray(squares)) * np.sqrt(np.asarray(sizes))
    over = np.asarray(products)
    r: Floats = np.divide(over, below, out=np.zeros_like(below), where=below > 0)
    return r


def explained(products: Floats, squares: Floats, sizes: Floats) -> Floats:
    """(2 products - squares) / sizes; 0 where nothing varies."""
    found: Floats = np.divide(2 * products - squares, sizes, out=np.zeros_like(sizes), where=sizes > 0)
    return found


_KEPT = 1 << 30
"""Bytes of the bases of all folds from which on they are computed and let go one after the other."""


def each_without(
    fits: Sequence[Fit], targets: Floats, groups: npt.NDArray[np.intp]
) -> Iterator[tuple[Floats, ...]]:
    """Predictions of every fold without each group in turn, see :func:`predictions_without`.

    Parameters
    ----------
    fits, targets, groups
        One fit a fold.
    """
    found: list[Iterator[Floats]] = []
    for one in fits:
        without = predictions_without(one, targets, groups)
        if 8 * len(fits) * len(one.split.train) ** 2 > _KEPT:
            without = iter(list(without))
            one.__dict__.pop("basis", None)
        found.append(without)
    yield from zip(*found, strict=True)


def predictions_without(fit: Fit, targets: Floats, groups: npt.NDArray[np.intp]) -> Iterator[Floats]:
    """Predictions of the test rows as if each group of training rows had not been fitted, penalties kept.

        p - H_tg (I - H_gg)^(-1/2) (y_g - yhat_g),

    with H the hat matrix. The power -1 would be the exact removal, whose spread over few groups is too large for that
    of p; with -1/2 it is unbiased where residuals are independent (Bell & McCaffrey 2002, Surv. Methodol. 28:169).

    Parameters
    ----------
    fit : Fit
    targets : array of shape (n_stimuli, n_targets)
        Those of the fit.
    groups : array of shape (n_stimuli,)
        The number of each row's group, from 0; every group is left out in turn.
    """
    if isinstance(fit, CardFit):
        yield from without_on_card(fit, targets, groups)
        return
    basis, train = fit.basis, fit.split.train
    truth = targets[train]
    centered_truth = truth - truth.mean(axis=0)
    residuals = centered_truth - basis.to_train @ basis.shrink(basis.project(centered_truth), fit.alpha)
    members = groups[train]
    for group in range(int(groups.max()) + 1):
        rows = np.flatnonzero(members == group)
        if len(rows) in (0, len(train)):
            yield fit.prediction
            continue
        moved = fit.prediction.copy()
        for alpha in np.unique(fit.alpha):
            chosen = np.flatnonzero(fit.alpha == alpha)
            shrunk = 1 / (basis.eigenvalues + alpha * basis.mean_eigenvalue)
            ours = basis.from_train[rows]
            hat = (basis.to_train[rows] * shrunk) @ ours.T + 1 / len(train)
            values, vectors = np.linalg.eigh(np.eye(len(rows)) - (hat + hat.T) / 2)
            scaled = (
                vectors / np.sqrt(np.maximum(values, 1e-6)) @ (vectors.T @ residuals[np.ix_(rows, chosen)])
            )
            moved[:, chosen] -= basis.to_test @ (shrunk[:, None] * (ours.T @ scaled)) + scaled.mean(
                axis=0
            ) * len(rows) / len(train)
        yield moved
