"""Partial least squares: what scikit-learn converges to, for every split at once."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.cross_decomposition import PLSRegression
from sklearn.model_selection import ShuffleSplit

from brodmann.analysis.encoding.cross_validation import Split
from brodmann.analysis.encoding.pls import coefficients, held_out_predictions
from brodmann.correlation import pearson


def problem(n, p, n_targets, seed=0):
    rng = np.random.default_rng(seed)
    latent = rng.normal(size=(n, 12)) * np.exp(-np.arange(12) / 6)
    x = latent @ rng.normal(size=(12, p)) + 0.3 * rng.normal(size=(n, p)) + 5.0
    y = latent @ rng.normal(size=(12, n_targets)) + rng.normal(size=(n, n_targets)) - 2.0
    splits = [
        Split(np.sort(a), np.sort(b)) for a, b in ShuffleSplit(4, train_size=0.9, random_state=1).split(x)
    ]
    return x, y, splits


def converged(x, y, split, n_components):
    model = PLSRegression(n_components, scale=False, tol=1e-14, max_iter=100_000)
    return model.fit(x[split.train], y[split.train]).predict(x[split.test]).reshape(len(split.test), -1)


@pytest.mark.parametrize(
    ("n", "p", "n_targets", "n_components"),
    [
        (120, 40, 8, 25),
        (100, 300, 8, 10),
        (100, 100, 5, 10),
        (90, 20, 60, 10),
        (120, 40, 1, 10),
        (80, 400, 1, 10),
    ],
)
def test_agrees_with_scikit_learns_converged_solution(n, p, n_targets, n_components):
    x, y, splits = problem(n, p, n_targets)
    found = held_out_predictions(x, y, splits, n_components=n_components)
    for split, ours in zip(splits, found, strict=True):
        theirs = converged(x, y, split, n_components)
        np.testing.assert_allclose(ours, theirs, atol=1e-4 * y.std())
        np.testing.assert_allclose(pearson(ours, y[split.test]), pearson(theirs, y[split.test]), atol=1e-4)


def test_more_features_than_stimuli_give_the_answer_of_the_features_themselves():
    x, y, splits = problem(100, 60, 6)
    wide = held_out_predictions(np.hstack([x, np.zeros((100, 200))]), y, splits)
    for one, other in zip(held_out_predictions(x, y, splits), wide, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6 * y.std())


@pytest.mark.parametrize("p", [5, 300])
def test_components_that_the_features_do_not_carry_add_nothing(p):
    """Three dimensions: all components together are least squares on them."""
    rng = np.random.default_rng(2)
    x = rng.normal(size=(100, 3)) @ rng.normal(size=(3, p))
    y = x[:, :2] @ rng.normal(size=(2, 4)) + 0.1 * rng.normal(size=(100, 4))
    split = Split(np.arange(80), np.arange(80, 100))
    found = held_out_predictions(x, y, [split])[0]
    centered = x[:80] - x[:80].mean(axis=0)
    weights = np.linalg.lstsq(centered, y[:80] - y[:80].mean(axis=0), rcond=1e-10)[0]
    np.testing.assert_allclose(
        found, (x[80:] - x[:80].mean(axis=0)) @ weights + y[:80].mean(axis=0), atol=1e-6
    )


def test_a_constant_target_and_constant_features_are_predicted_by_the_mean():
    x, y, splits = problem(60, 20, 3)
    y[:, 1] = 7.0
    for ours in held_out_predictions(x, y, splits):
        np.testing.assert_allclose(ours[:, 1], 7.0)
    for split, ours in zip(splits, held_out_predictions(np.ones((60, 90)), y, splits), strict=True):
        np.testing.assert_allclose(ours, np.tile(y[split.train].mean(axis=0), (len(ours), 1)), atol=1e-9)


def test_every_split_gets_what_it_gets_alone():
    x, y, splits = problem(80, 150, 5)
    together = held_out_predictions(x, y, splits)
    for split, ours in zip(splits, together, strict=True):
        np.testing.assert_allclose(held_out_predictions(x, y, [split])[0], ours, atol=1e-8 * y.std())


@settings(deadline=None, max_examples=10)
@given(st.integers(0, 2**31), st.booleans(), st.floats(0.01, 100))
def test_order_of_stimuli_and_scale_of_features_change_nothing(seed, wide, scale):
    x, y, splits = problem(50, 80 if wide else 15, 4, seed=seed)
    order = np.random.default_rng(seed).permutation(50)
    place = np.argsort(order)
    moved = [Split(place[s.train], place[s.test]) for s in splits]
    one = held_out_predictions(x, y, splits, n_components=6)
    other = held_out_predictions(scale * x[order], y[order], moved, n_components=6)
    for a, b in zip(one, other, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6 * y.std())


@pytest.mark.parametrize(
    ("n", "p", "n_targets", "n_components"),
    [(120, 40, 8, 6), (80, 200, 5, 6), (120, 40, 1, 5), (90, 20, 60, 8)],
)
def test_coefficients_are_those_of_scikit_learn(n, p, n_targets, n_components):
    x, y, _ = problem(n, p, n_targets)
    model = PLSRegression(n_components, scale=False, tol=1e-14, max_iter=100_000).fit(x, y)
    found = coefficients(x, y, n_components=n_components)
    assert found.shape == (p, n_targets)
    np.testing.assert_allclose(found, model.coef_.T, atol=1e-5 * np.abs(model.coef_).max())
    everyone = [Split(np.arange(n), np.arange(n))]
    predicted = held_out_predictions(x, y, everyone, n_components=n_components)[0]
    np.testing.assert_allclose((x - x.mean(axis=0)) @ found + y.mean(axis=0), predicted, atol=1e-8 * y.std())


def test_coefficients_of_all_components_are_least_squares_of_as_many_as_there_are():
    """25 components by default, of which three features carry three; a constant target has none."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=(60, 3))
    y = np.column_stack([x @ [1.0, -2, 3] + 4, np.full(60, 7.0), rng.normal(size=60)])
    found = coefficients(x, y)
    np.testing.assert_allclose(found[:, 0], [1, -2, 3], atol=1e-6)
    np.testing.assert_allclose(found[:, 1], 0, atol=1e-9)
    expected = np.linalg.lstsq(x - x.mean(axis=0), y[:, 2] - y[:, 2].mean(), rcond=None)[0]
    np.testing.assert_allclose(found[:, 2], expected, atol=1e-6)
    wide, targets, _ = problem(80, 200, 5)
    np.testing.assert_array_equal(coefficients(wide, targets), coefficients(wide, targets, n_components=25))
    assert (coefficients(wide, targets, n_components=24) != coefficients(wide, targets)).any()


def test_coefficients_of_features_in_single_precision_far_from_zero():
    x, y, _ = problem(80, 30, 4)
    single = (x + 3000).astype(np.float32)
    double = single.astype(np.float64)
    one, other = (coefficients(some, y, n_components=5) for some in (single, double))
    np.testing.assert_allclose(one, other, atol=1e-9 * np.abs(other).max())
    before = y.copy()
    coefficients(x, y)
    np.testing.assert_array_equal(y, before)
