"""r pooled over folds, and predictions without a group of rows, against plain arithmetic and scikit-learn."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from brodmann.analysis import Splitter, nested_folds, nested_ridge
from brodmann.analysis.encoding import pooled
from brodmann.analysis.encoding.pooled import PooledFolds, centered, each_without, predictions_without


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


TESTS = [np.array([0, 2, 4]), np.array([1, 3]), np.array([5])]
Y = np.array([[1.0, 2.0], [5.0, 0.0], [2.0, 2.0], [9.0, 1.0], [6.0, 2.0], [99.0, 7.0]])
P = [
    np.array([[0.0, 1.0], [3.0, 1.0], [3.0, 4.0]]),
    np.array([[4.0, 2.0], [6.0, 3.0]]),
    np.array([[3.0, 5.0]]),
]
"""First target: deviations -2, -1, 3 and -2, 2 with predictions -2, 1, 1 and -1, 1; a fold of one row has none."""


def test_the_sums_of_two_folds_by_hand():
    folds = PooledFolds(TESTS, Y)
    products, squares, sizes = (4 - 1 + 3) + (2 + 2), (4 + 1 + 1) + 2, (4 + 1 + 9) + 8
    r, r2 = folds.r(P), folds.r2(P)
    assert r[0] == pytest.approx(products / np.sqrt(squares * sizes))
    assert (
        r2[0]
        == pytest.approx(1 - ((0 + 4 + 4) + (1 + 1)) / sizes)
        == pytest.approx((2 * products - squares) / sizes)
    )
    # the second target varies in the second fold alone
    assert r[1] == pytest.approx(0.5 / np.sqrt((0 + 0 + 6 + 0.5) * 0.5))
    assert r2[1] == pytest.approx((2 * 0.5 - 6.5) / 0.5)
    flat = PooledFolds(TESTS, np.ones((6, 2)))
    assert flat.r(P).tolist() == flat.r2(P).tolist() == [0, 0]


def test_rows_that_do_not_count_are_left_out_of_sums_and_means():
    rows = np.array([True, True, True, True, False, True])
    found = PooledFolds(TESTS, Y).r2(P, rows)[0]
    products, squares, sizes = 0.5 * 1.5 * 2 + 4, 2 * 1.5**2 + 2, 0.5 + 8
    assert found == pytest.approx((2 * products - squares) / sizes)
    weighted = PooledFolds(TESTS, Y, rows.astype(float))
    assert weighted.r2(P)[0] == pytest.approx(found)
    assert weighted.r2(P, np.ones(6, bool))[0] == pytest.approx(found)
    assert weighted.r(P, ~rows).tolist() == [0, 0]
    alone = np.isin(np.arange(6), [0, 1, 3])
    assert PooledFolds(TESTS, Y).r(P, alone)[0] == pytest.approx(1)  # of the first fold one row is left


def test_parts_of_a_prediction_add_up_to_what_all_of_it_explains():
    rng = np.random.default_rng(0)
    weights = rng.uniform(0.5, 2, 6)
    folds = PooledFolds(TESTS, Y, weights)
    parts = [rng.normal(size=one.shape) for one in P]
    others = [whole - part for whole, part in zip(P, parts, strict=True)]
    first, second = folds.product_score(parts, P), folds.product_score(others, P)
    np.testing.assert_allclose(first + second, folds.r2(P))
    np.testing.assert_allclose(folds.product_score(P, P), folds.r2(P))
    np.testing.assert_allclose(folds.product_score([0 * one for one in P], P), 0)


def test_many_draws_at_once_are_as_one_after_the_other():
    rng = np.random.default_rng(1)
    weights = np.array([1.0, 2.0, 0.0, 1.0, 3.0, 1.0])
    folds = PooledFolds(TESTS, Y, weights)
    draws = [(rng.normal(size=(len(t), 4, 2)), rng.normal(size=(len(t), 4, 2))) for t in TESTS]
    r, r2 = folds.r_of_draws(draws), folds.r2_of_draws(draws)
    assert r.shape == r2.shape == (4, 2)
    for k in range(4):
        truth = np.zeros((6, 2))
        for test, (_, drawn) in zip(TESTS, draws, strict=True):
            truth[test] = drawn[:, k]
        one = PooledFolds(TESTS, truth, weights)
        np.testing.assert_allclose(r[k], one.r([drawn[:, k] for drawn, _ in draws]))
        np.testing.assert_allclose(r2[k], one.r2([drawn[:, k] for drawn, _ in draws]))


def test_a_constant_in_any_unit_has_no_deviation():
    for unit in (1e-200, 1.0, 1e200):
        values = unit * np.array([[1 / 3, 1.0], [1 / 3, 2.0], [1 / 3, 3.0]])
        found = centered(values, np.array([1.0, 2.0, 4.0]))
        assert (found[:, 0] == 0).all()
        np.testing.assert_allclose(found[:, 1], unit * (np.array([1, 2, 3]) - 17 / 7))


def test_every_group_is_left_out_in_turn_and_one_that_is_all_or_nothing_changes_nothing():
    _, y, fits = _fits(20)
    groups = np.arange(80) // 20
    found = list(predictions_without(fits[0], y, groups))
    assert len(found) == 4
    assert all((one != fits[0].prediction).any() for one in found)
    gaps = list(predictions_without(fits[0], y, 2 * groups))
    assert len(gaps) == 7
    for place in (1, 3, 5):
        np.testing.assert_array_equal(gaps[place], fits[0].prediction)
    for place in range(4):
        np.testing.assert_allclose(gaps[2 * place], found[place])
    (everything,) = predictions_without(fits[0], y, np.zeros(80, int))
    np.testing.assert_array_equal(everything, fits[0].prediction)
    together = list(each_without(fits, y, groups))
    assert len(together) == 4
    np.testing.assert_allclose(together[2][0], found[2])
    assert len(together[0]) == len(fits)


def test_bases_are_let_go_from_a_gigabyte_on(monkeypatch):
    """The bytes of all folds' bases are 8 n_folds n_train^2; what is predicted is the same either way."""
    groups = np.arange(80) // 8
    _, y, fits = _fits(20)
    kept = [np.array(one) for one in zip(*pooled.each_without(fits, y, groups), strict=True)]
    assert all("basis" in vars(one) for one in fits)
    assert pooled._KEPT == 2**30
    size = 8 * len(fits) * len(fits[0].split.train) ** 2
    monkeypatch.setattr(pooled, "_KEPT", size)
    list(pooled.each_without(fits, y, groups))
    assert all("basis" in vars(one) for one in fits)
    monkeypatch.setattr(pooled, "_KEPT", size - 1)
    found = [np.array(one) for one in zip(*pooled.each_without(fits, y, groups), strict=True)]
    assert not any("basis" in vars(one) for one in fits)
    for one, other in zip(kept, found, strict=True):
        assert len(one) == 10
        np.testing.assert_array_equal(one, other)
