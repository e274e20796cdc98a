"""Penalties far below the usual grid: exact to single precision, and tried where they are wanted."""

import numpy as np
import pytest

from brodmann.analysis.encoding.cross_validation import nested_folds
from brodmann.analysis.encoding.nested_ridge import (
    ALPHAS,
    LOWER,
    Fit,
    NestedRidge,
    Targets,
    nested_ridge,
    widened,
)


def useful_and_useless(n_features, smaller, n=200, seed=0, noise=0.0, n_useless=5):
    """Features of which those that matter are many times smaller than the others."""
    draw = np.random.default_rng(seed)
    useful, useless = draw.normal(size=(n, n_features)), draw.normal(size=(n, n_useless))
    y = useful @ draw.normal(size=(n_features, 6)) / np.sqrt(n_features) + noise * draw.normal(size=(n, 6))
    return np.concatenate([useful / smaller, useless], axis=1), y


def in_double_precision(x, y, train, test, alpha):
    """Ridge by the singular values of the centred features."""
    left, size, right = np.linalg.svd(x[train] - x[train].mean(axis=0), full_matrices=False)
    inside = size > size[0] * 1e-10
    left, size, right = left[:, inside], size[inside], right[inside]
    penalty = alpha * (size**2).sum() / min(len(train) - 1, x.shape[1])
    weights = right.T @ (
        (size / (size**2 + penalty))[:, None] * (left.T @ (y[train] - y[train].mean(axis=0)))
    )
    return (x[test] - x[train].mean(axis=0)) @ weights + y[train].mean(axis=0)


@pytest.mark.parametrize("n_features", [20, 400], ids=["few features", "many features"])
@pytest.mark.parametrize("smaller", [1, 1e3, 1e5])
@pytest.mark.parametrize("alpha", [1e-12, 1e-8, 1e-5])
def test_predictions_are_those_of_double_precision(n_features, smaller, alpha):
    x, y = useful_and_useless(n_features, smaller)
    folds = nested_folds(len(y))
    grid = np.concatenate([LOWER, ALPHAS])
    near = float(grid[np.abs(np.log(grid / alpha)).argmin()])
    for fold in folds[:2]:
        # alone, and beside all the others of the wide grid, from which predictions are put together
        for alphas in (np.array([near]), grid):
            engine = NestedRidge(x, folds, alphas)
            found = at_penalty(engine, fold, y, near)
            expected = in_double_precision(x, y, fold.split.train, fold.split.test, near)
            assert np.abs(found - expected).max() < 2e-4 * y.std()


def at_penalty(engine, fold, y, alpha):
    """Predictions at one penalty of the grid, whichever would be chosen."""
    columns = Targets(y).columns
    outer = next(engine._maps(fold, columns))
    reduced, mean = outer.reduced(columns)
    place = int(np.flatnonzero(engine._alphas == alpha)[0])
    weights = outer.weights[place].float()
    prediction = (weights[:, None, None] * outer.basis).sum(dim=0) @ reduced.T + mean.T
    return prediction.double().numpy() + Targets(y).mean


def fitted(x, y):
    folds, columns = nested_folds(len(y)), Targets(y)
    fits = list(nested_ridge(x, y, folds))
    return fits, list(widened(fits, x, folds, columns))


def mean_r(fits: list[Fit], y):
    return np.mean([np.corrcoef(one.prediction[:, 0], y[one.split.test, 0])[0, 1] for one in fits])


@pytest.mark.parametrize("n_useless", [5, 60])
@pytest.mark.parametrize("smaller", [1e3, 1e5])
def test_small_useful_features_are_found(n_useless, smaller):
    x, y = useful_and_useless(20, smaller, n_useless=n_useless, noise=0.01)
    before, after = fitted(x, y)
    assert mean_r(after, y) > 0.99
    if smaller == 1e5 or n_useless == 60:
        assert mean_r(before, y) < 0.5
        assert after[0].penalties[0] == LOWER[0]


def test_noise_asks_for_no_lower_penalties():
    x, _ = useful_and_useless(20, 1e3, n_useless=60)
    before, after = fitted(x, np.random.default_rng(5).normal(size=(200, 40)))
    assert after[0] is before[0]


@pytest.mark.parametrize("noise", [0.0, 1.0, 5.0])
@pytest.mark.parametrize("n_features", [20, 400])
def test_features_of_one_scale_keep_their_grid_and_their_digits(noise, n_features):
    x, y = useful_and_useless(n_features, 1, noise=noise)
    before, after = fitted(x, y)
    for one, other in zip(before, after, strict=True):
        assert one is other
        assert len(one.penalties) == len(ALPHAS)
