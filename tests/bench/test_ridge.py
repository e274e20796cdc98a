"""Ridge: the same answer as scikit-learn's nested search on the same folds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LinearRegression, Ridge

from brodmann.bench.ridge import ALPHAS, fit, gram, held_out_r, prepare
from brodmann.bench.splits import Split, Splitter


def problem(n, p, n_targets=6, noise=2.0, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, p)) * np.logspace(0, -1, p)
    y = x @ rng.normal(size=(p, n_targets)) + noise * rng.normal(size=(n, n_targets))
    return x, y + 3.0


def nested_search(x, y, split, inner):
    """The straightforward way: scikit-learn's Ridge for every penalty and inner fold."""

    def penalty(alpha, rows):
        centred = x[rows] - x[rows].mean(axis=0)
        return alpha * (centred**2).sum() / min(len(rows) - 1, x.shape[1])

    errors = np.zeros((len(ALPHAS), y.shape[1]))
    for part in inner:
        train, test = split.train[part.train], split.train[part.test]
        for i, alpha in enumerate(ALPHAS):
            model = Ridge(penalty(alpha, train), solver="cholesky").fit(x[train], y[train])
            errors[i] += ((model.predict(x[test]) - y[test]) ** 2).sum(axis=0)
    chosen = ALPHAS[errors.argmin(axis=0)]
    columns = [
        Ridge(penalty(alpha, split.train), solver="svd")
        .fit(x[split.train], y[split.train, i])
        .predict(x[split.test])
        for i, alpha in enumerate(chosen)
    ]
    return np.stack(columns, axis=1), chosen


@pytest.mark.parametrize(("n", "p"), [(120, 30), (60, 200), (80, 79), (80, 80)])
def test_agrees_with_scikit_learns_nested_search(n, p):
    x, y = problem(n, p)
    splitter = Splitter()
    for split in splitter.split(n):
        inner = splitter.split(len(split.train))
        found = fit(prepare(x), y, split, inner)
        prediction, chosen = nested_search(x, y, split, inner)
        np.testing.assert_allclose(found.alpha, chosen)
        np.testing.assert_allclose(found.prediction, prediction, atol=1e-4 * y.std())


def test_linear_regression_is_ridge_without_a_penalty():
    x, y = problem(100, 20)
    split = Splitter().split(100)[0]
    found = fit(prepare(x), y, split, Splitter().split(len(split.train)), np.zeros(1))
    expected = LinearRegression().fit(x[split.train], y[split.train]).predict(x[split.test])
    np.testing.assert_allclose(found.prediction, expected, atol=1e-8)


def test_tall_and_wide_forms_agree():
    x, y = problem(90, 40)
    wide = np.hstack([x, np.zeros((90, 100))])
    split = Splitter().split(90)[0]
    inner = Splitter().split(len(split.train))
    # the penalty is relative to the mean eigenvalue, whose count differs between the two forms
    scale = min(len(split.train) - 1, 140) / 40
    tall = fit(prepare(x), y, split, inner, np.array([1.0]))
    other = fit(prepare(wide), y, split, inner, np.array([scale]))
    np.testing.assert_allclose(tall.prediction, other.prediction, atol=1e-9)


def test_gram_is_read_in_blocks_without_changing_the_product(monkeypatch):
    x = np.random.default_rng(0).normal(5, 1, size=(30, 100)).astype(np.float32)
    monkeypatch.setattr("brodmann.bench.ridge._BLOCK", 7)
    centred = x.astype(float) - x.astype(float).mean(axis=0)
    np.testing.assert_allclose(gram(x), centred @ centred.T, rtol=1e-10)


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 2**31), st.booleans(), st.floats(0.01, 100))
def test_order_of_stimuli_and_scale_of_features_change_nothing(seed, wide, scale):
    x, y = problem(40, 60 if wide else 10, n_targets=2, seed=seed)
    split = Splitter(n_splits=4).split(40)[0]
    inner = Splitter(n_splits=3).split(len(split.train))
    order = np.random.default_rng(seed).permutation(40)
    place = np.argsort(order)
    moved = Split(place[split.train], place[split.test])
    one = fit(prepare(x), y, split, inner)
    other = fit(prepare(scale * x[order]), y[order], moved, inner)
    np.testing.assert_allclose(one.prediction, other.prediction, atol=1e-6 * np.abs(y).max())


def test_duplicate_columns_and_a_constant_target_are_no_trouble():
    x, y = problem(60, 10)
    y[:, 2] = 4.0
    found = fit(prepare(np.hstack([x, x])), y, *_one_split(60))
    assert np.isfinite(found.prediction).all()
    np.testing.assert_allclose(found.prediction[:, 2], 4.0)
    assert np.isnan(held_out_r([found], y)[0, 2])


def test_one_target():
    x, y = problem(60, 10, n_targets=1)
    found = fit(prepare(x), y, *_one_split(60))
    assert found.prediction.shape == (12, 1)
    assert held_out_r([found], y)[0, 0] > 0.3


def _one_split(n):
    split = Splitter().split(n)[0]
    return split, Splitter().split(len(split.train))
