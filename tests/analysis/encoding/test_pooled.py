"""r pooled over folds, and predictions without a group of rows, against plain arithmetic and scikit-learn."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from brodmann.analysis import Splitter, nested_folds, nested_ridge
from brodmann.analysis.encoding.pooled import PooledFolds, predictions_without


def _fits(p, n=80, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, p))
    y = x[:, :10] @ rng.normal(size=(10, 5)) + 3 * rng.normal(size=(n, 5))
    return x, y, list(nested_ridge(x, y, nested_folds(n)))


def test_r_is_of_deviations_within_folds():
    _, y, fits = _fits(20)
    weights = np.random.default_rng(1).uniform(0.5, 2, len(y))
    found = PooledFolds([one.split.test for one in fits], y, weights).r([one.prediction for one in fits])
    deviations, predicted, each = [], [], []
    for one in fits:
        w = weights[one.split.test][:, None]
        for values, kept in ((y[one.split.test], deviations), (one.prediction, predicted)):
            kept.append(values - (w * values).sum(axis=0) / w.sum())
        each.append(w)
    a, b, w = (np.concatenate(parts) for parts in (deviations, predicted, each))
    expected = (w * a * b).sum(axis=0) / np.sqrt((w * a * a).sum(axis=0) * (w * b * b).sum(axis=0))
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_one_fold_gives_pearson_and_a_constant_gives_zero():
    rng = np.random.default_rng(0)
    y, prediction = rng.normal(size=(2, 30, 4))
    prediction[:, 2] = 1e9 / 3
    r = PooledFolds([np.arange(30)], y).r([prediction])
    expected = [np.corrcoef(y[:, k], prediction[:, k])[0, 1] for k in (0, 1, 3)]
    np.testing.assert_allclose(r[[0, 1, 3]], expected, rtol=1e-12)
    assert r[2] == 0


def test_means_of_folds_do_not_count():
    """Means of cross-validated predictions are anticorrelated with those of the targets: no features, r of -1."""
    y = np.random.default_rng(3).normal(size=(60, 2))
    tests = [split.test for split in Splitter(5).split(60)]
    shifted = [y[test] + 100 * k for k, test in enumerate(tests)]
    np.testing.assert_allclose(PooledFolds(tests, y).r(shifted), 1, rtol=1e-9)


@pytest.mark.parametrize("p", [20, 200])
def test_predictions_without_one_row_lie_between_those_with_it_and_those_of_a_fit_without_it(p):
    x, y, fits = _fits(p)
    fit = fits[0]
    train, test = fit.split.train, fit.split.test
    for row, without in zip(range(6), predictions_without(fit, y, np.arange(len(y))), strict=False):
        if row not in train:
            np.testing.assert_array_equal(without, fit.prediction)
            continue
        rest = train[train != row]
        for target in range(y.shape[1]):
            penalty = fit.alpha[target] * fit.basis.mean_eigenvalue
            again = Ridge(penalty, solver="cholesky").fit(x[rest], y[rest, target])
            centered = x[train] - x[train].mean(axis=0)
            inverse = np.linalg.inv(centered @ centered.T + penalty * np.eye(len(train)))
            place = np.flatnonzero(train == row)[0]
            leverage = 1 - penalty * inverse[place, place] + 1 / len(train)  # the mean is fitted, too
            moved = (again.predict(x[test]) - fit.prediction[:, target]) * np.sqrt(1 - leverage)
            np.testing.assert_allclose(without[:, target] - fit.prediction[:, target], moved, atol=2e-4)
