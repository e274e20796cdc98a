"""What one predictor adds to a linear regression on others: partial r, and held-out likelihood.

    y = b0 + Z b + x c + e        against        y = b0 + Z b + e

Everything is computed from sums of products over groups of samples, so that leaving a group out costs nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.intp]

_COLLINEAR = 1e-10
"""Directions of the predictors with less of their variance are left out."""


@dataclass(frozen=True)
class AddedPredictor:
    """Sums of products of a predictor, of the others beside it, and of targets, over cells of samples.

    Attributes
    ----------
    moments : array of shape (n_cells, n_columns, n_columns)
        Of the columns 1, Z, x, Y, standardized over all samples.
    cells : array of shape (n_cells, 2)
        The fold and the group of each cell.
    n_targets : int
    """

    moments: Floats = field(repr=False)
    cells: Integers = field(repr=False)
    n_targets: int

    @classmethod
    def of(
        cls,
        x: npt.ArrayLike,
        y: npt.ArrayLike,
        nuisance: npt.ArrayLike,
        groups: npt.ArrayLike | None = None,
        folds: npt.ArrayLike | None = None,
    ) -> AddedPredictor:
        """Those of samples.

        Parameters
        ----------
        x : array of shape (n_samples,)
            The predictor that is added.
        y : array of shape (n_samples, n_targets)
        nuisance : array of shape (n_samples, n_nuisance)
            The others; an intercept comes to them.
        groups : array of int of shape (n_samples,), optional
            What is left out together, from 0.
        folds : array of int of shape (n_samples,), optional
            The fold in which each sample is held out, from 0.
        """
        targets = np.asarray(y, np.float64)
        n = len(targets)
        columns = [
            np.asarray(nuisance, np.float64).reshape(n, -1),
            np.asarray(x, np.float64)[:, None],
            targets,
        ]
        values = np.hstack([np.ones((n, 1)), _standardized(np.hstack(columns))])
        of_fold, of_group = (
            np.zeros(n, np.intp) if one is None else np.asarray(one, np.intp) for one in (folds, groups)
        )
        cells, member = np.unique(np.stack([of_fold, of_group], axis=1), axis=0, return_inverse=True)
        member = member.ravel()
        moments = [values[member == cell].T @ values[member == cell] for cell in range(len(cells))]
        return cls(np.array(moments), cells.astype(np.intp), targets.shape[1])

    @property
    def _without(self) -> list[npt.NDArray[np.bool_]]:
        """The cells that are kept: all, then all but those of each group."""
        groups = self.cells[:, 1]
        return [np.ones(len(groups), bool), *(groups != group for group in np.unique(groups))]

    def partial_r(self) -> Floats:
        """Pearson r of x and each target, both less what the others explain; 0 where nothing is left of either.

        Returns
        -------
        array of shape (1 + n_groups, n_targets)
            Of all samples, then without each group.
        """
        return np.array([self._partial(self.moments[kept].sum(axis=0)) for kept in self._without])

    def _partial(self, moments: Floats) -> Floats:
        left = _residual(moments, moments.shape[0] - self.n_targets - 1)
        own, cross, of_targets = left[0, 0], left[0, 1:], np.diagonal(left)[1:]
        total = np.diagonal(moments)[-self.n_targets - 1 :]
        some = (own > _COLLINEAR * total[0]) & (of_targets > _COLLINEAR * total[1:])
        size = np.sqrt(np.where(some, own * of_targets, 1.0))
        r: Floats = np.where(some, cross / size, 0.0)
        return r

    def log_likelihood(self) -> Floats:
        """How much more likely x makes held-out targets, nats a sample.

        Both regressions are fitted to the other folds, the variance of their Gaussian too (that of the residuals).

        Returns
        -------
        array of shape (1 + n_groups, n_targets)
            Of all samples, then without each group; NaN where a fold leaves nothing to fit.
        """
        return np.array([self._gained(kept) for kept in self._without])

    def _gained(self, kept: npt.NDArray[np.bool_]) -> Floats:
        n_predictors = self.moments.shape[1] - self.n_targets
        total, n = np.zeros(self.n_targets), 0.0
        for fold in np.unique(self.cells[kept, 0]):
            here = self.cells[:, 0] == fold
            train, test = (self.moments[kept & one].sum(axis=0) for one in (~here, here))
            if train[0, 0] <= n_predictors:
                return np.full(self.n_targets, np.nan)
            more, less = (
                _likelihood(train, test, k, self.n_targets) for k in (n_predictors, n_predictors - 1)
            )
            total += more - less
            n += test[0, 0]
        return total / n


def _standardized(values: Floats) -> Floats:
    centered = values - values.mean(axis=0)
    spread = centered.std(axis=0)
    still = spread <= 1e-13 * np.abs(values).max(axis=0, initial=0.0)
    standardized: Floats = np.where(still, 0.0, centered / np.where(still, 1.0, spread))
    return standardized


def _residual(moments: Floats, n_predictors: int) -> Floats:
    """Sums of products of the last columns, less what the first explain of them."""
    cross = moments[:n_predictors, n_predictors:]
    left: Floats = moments[n_predictors:, n_predictors:] - cross.T @ _solved(moments, n_predictors, cross)
    return left


def _solved(moments: Floats, n_predictors: int, cross: Floats) -> Floats:
    solved: Floats = np.linalg.lstsq(moments[:n_predictors, :n_predictors], cross, rcond=_COLLINEAR)[0]
    return solved


def _likelihood(train: Floats, test: Floats, n_predictors: int, n_targets: int) -> Floats:
    """Log likelihood of the held-out targets, less a constant that both regressions have."""
    weights = _solved(train, n_predictors, train[:n_predictors, -n_targets:])
    errors = [_errors(one, weights, n_predictors, n_targets) for one in (train, test)]
    variance = np.maximum(errors[0] / train[0, 0], 1e-300)
    found: Floats = -0.5 * (test[0, 0] * np.log(variance) + errors[1] / variance)
    return found


def _errors(moments: Floats, weights: Floats, n_predictors: int, n_targets: int) -> Floats:
    """Sum of squared errors of each target."""
    own, cross = moments[:n_predictors, :n_predictors], moments[:n_predictors, -n_targets:]
    explained = (weights * (own @ weights)).sum(axis=0) - 2 * (weights * cross).sum(axis=0)
    errors: Floats = np.diagonal(moments)[-n_targets:] + explained
    return errors


def permuted_partial_r(
    x: npt.ArrayLike, y: npt.ArrayLike, nuisance: npt.ArrayLike, orders: Integers
) -> Floats:
    """Partial r when what the others do not explain of x is put in other orders, and made free of them again.

    Parameters
    ----------
    x, y, nuisance
        As :meth:`AddedPredictor.of` takes them.
    orders : array of shape (n_draws, n_samples)

    Returns
    -------
    array of shape (n_draws, n_targets)
    """
    targets, predictor = np.asarray(y, np.float64), np.asarray(x, np.float64)[:, None]
    n = len(targets)
    others = np.hstack([np.ones((n, 1)), _standardized(np.asarray(nuisance, np.float64).reshape(n, -1))])
    u, size, _ = np.linalg.svd(others, full_matrices=False)
    basis = u[:, size > np.sqrt(_COLLINEAR) * size[0]]
    left, own = (_standardized(one) for one in (targets, predictor))
    left, own = (one - basis @ (basis.T @ one) for one in (left, own))
    length = np.linalg.norm(left, axis=0)
    found = np.empty((len(orders), targets.shape[1]))
    for draw, order in enumerate(orders):
        moved = own[order, 0]
        moved = moved - basis @ (basis.T @ moved)
        found[draw] = moved @ left / np.maximum(np.linalg.norm(moved) * length, 1e-300)
    return found
