"""Model RDMs against data RDMs: rsatoolbox's values on the same draws, whitening, paired differences."""

import numpy as np
import pytest
from rsatoolbox.rdm import RDMs, compare
from scipy.spatial.distance import squareform

from brodmann import UserError
from brodmann.analysis import (
    bootstrap_correlations,
    bootstrap_cosines,
    compare_models,
    correlation_rdm,
    whitened_correlation,
    whitened_cosine,
)
from brodmann.analysis.representation.rdm_comparison import centered, standardized, whitened
from brodmann.analysis.statistics.resampling import bootstrap_weights


def problem(n=25, n_models=4, seed=0):
    """Models from nearest to the data to unrelated."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=(n, 40))
    data = correlation_rdm(truth + 0.5 * rng.normal(size=(n, 40)))
    models = [correlation_rdm(truth + 2.0 * i * rng.normal(size=(n, 40))) for i in range(n_models)]
    return np.array(models), data


@pytest.mark.parametrize(
    ("ours", "method"), [(bootstrap_correlations, "corr"), (bootstrap_cosines, "cosine")]
)
def test_each_draw_is_rsatoolboxs(ours, method):
    models, data = problem()
    weights = bootstrap_weights(25, 20, random_state=3)
    found = ours(models, data, weights)
    for draw, w in enumerate(weights):
        chosen = np.repeat(np.arange(25), w.astype(int))
        resampled = [RDMs(squareform(m)[None]).subsample_pattern("index", chosen) for m in (*models, data)]
        expected = [compare(m, resampled[-1], method=method)[0, 0] for m in resampled[:-1]]
        np.testing.assert_allclose(found[draw], expected, atol=1e-9)


@pytest.mark.parametrize(
    ("ours", "method"), [(whitened_cosine, "cosine_cov"), (whitened_correlation, "corr_cov")]
)
def test_whitening_without_the_matrix_of_all_pairs_is_rsatoolboxs(ours, method):
    models, data = problem()
    vectors = RDMs(np.array([squareform(m, checks=False) for m in models]))
    expected = compare(vectors, RDMs(squareform(data, checks=False)[None]), method=method)[:, 0]
    np.testing.assert_allclose(ours(models, data), expected, atol=1e-6)


def test_whitened_cosine_is_its_definition():
    """With V = (CC') o (CC') written out."""
    models, data = problem(n=8)
    first, second = np.triu_indices(8, k=1)
    contrasts = np.zeros((len(first), 8))
    contrasts[np.arange(len(first)), first], contrasts[np.arange(len(first)), second] = 1, -1
    inverse = np.linalg.inv((contrasts @ contrasts.T) ** 2)
    a, b = models[1][first, second], data[first, second]
    expected = a @ inverse @ b / np.sqrt((a @ inverse @ a) * (b @ inverse @ b))
    assert whitened_cosine(models[1:2], data)[0] == pytest.approx(expected)


def test_models_that_differ_are_told_apart_and_equal_ones_are_not():
    rng = np.random.default_rng(5)
    truth = rng.normal(size=(40, 40))
    data = correlation_rdm(truth + 0.5 * rng.normal(size=(40, 40)))
    near, far = (correlation_rdm(truth + noise * rng.normal(size=(40, 40))) for noise in (0.3, 3.0))
    also_near = correlation_rdm(truth + 0.3 * rng.normal(size=(40, 40)))
    found = compare_models([near, also_near, far], data, bootstrap_weights(40, 500, random_state=1))
    assert found.q[0, 2] < 0.01
    assert found.p[0, 1] > 0.05
    assert (found.interval[:, 0] < found.r).all()
    assert (found.r < found.interval[:, 1]).all()
    assert np.isnan(np.diag(found.p)).all()


def test_a_draw_in_which_nothing_varies_is_nan_and_shapes_are_named():
    models, data = problem(n=6)
    weights = np.zeros((1, 6))
    weights[0, :2] = 3
    assert np.isnan(bootstrap_correlations(models, data, weights)).all()
    with pytest.raises(UserError, match=r"\(1, 5\) do not fit 6 stimuli"):
        bootstrap_correlations(models, data, np.ones((1, 5)))
    with pytest.raises(UserError, match="do not fit"):
        whitened_cosine(models[0], data)
    data[1, 2] = np.nan
    with pytest.raises(UserError, match="missing"):
        bootstrap_cosines(models, data, weights)


def weighted_r(a, b, counts):
    """Pearson r over pairs i < j, each counted so often."""
    rows = np.triu_indices(len(a), 1)
    x, y, w = a[rows], b[rows], counts[rows]
    x, y = x - np.average(x, weights=w), y - np.average(y, weights=w)
    return (w * x * y).sum() / np.sqrt((w * x * x).sum() * (w * y * y).sum())


def test_pairs_of_groups_count_as_often_as_their_group_was_drawn():
    models, data = problem(n=8, n_models=2)
    groups = np.array(["a", "a", "b", "b", "b", "c", "d", "d"])
    weights = bootstrap_weights(8, 6, random_state=0, groups=groups)
    found = bootstrap_correlations(models, data, weights, groups=groups)
    same = groups[:, None] == groups
    for draw, w in zip(found, weights, strict=True):
        counts = np.where(same, w[:, None], np.outer(w, w))
        np.testing.assert_allclose(draw, [weighted_r(m, data, counts) for m in models])
    alone = bootstrap_correlations(models, data, weights, groups=np.arange(8))
    np.testing.assert_allclose(alone, bootstrap_correlations(models, data, weights))


def test_first_order_counts_what_single_stimuli_do():
    models, data = problem(n=9, n_models=2)
    weights = 1 + 0.2 * np.random.default_rng(0).random((4, 9))
    found = bootstrap_correlations(models, data, weights, first_order=True)
    for draw, w in zip(found, weights, strict=True):
        counts = w[:, None] + w - 1
        np.testing.assert_allclose(draw, [weighted_r(m, data, counts) for m in models])
    groups = np.repeat([0, 1, 2], 3)
    weights = np.repeat(weights[:, :3], 3, axis=1)
    found = bootstrap_correlations(models, data, weights, groups=groups, first_order=True)
    for draw, w in zip(found, weights, strict=True):
        counts = np.where(groups[:, None] == groups, w[:, None], w[:, None] + w - 1)
        np.testing.assert_allclose(draw, [weighted_r(m, data, counts) for m in models])


def test_products_of_standardized_and_of_whitened_rdms_are_correlations():
    models, data = problem(n=10)
    unit = standardized(np.concatenate([models, data[None]]))
    np.testing.assert_allclose((unit**2).sum(axis=(1, 2)), 1)
    expected = bootstrap_correlations(models, data, np.ones((1, 10)))[0]
    np.testing.assert_allclose((unit[:-1] * unit[-1]).sum(axis=(1, 2)), expected)
    white = whitened(np.concatenate([models, data[None]]))
    np.testing.assert_allclose(
        (white[:-1] * white[-1]).sum(axis=(1, 2)), whitened_correlation(models, data), atol=1e-12
    )
    flat = 3 * (1 - np.eye(10))[None]
    assert np.abs(standardized(flat)).max() == np.abs(whitened(flat)).max() == 0
    less = centered(models)
    assert (np.diagonal(less, axis1=1, axis2=2) == 0).all()
    np.testing.assert_allclose(less.sum(axis=(1, 2)), 0, atol=1e-10)
    rows = np.triu_indices(10, 1)
    np.testing.assert_allclose(less[0][rows], models[0][rows] - models[0][rows].mean())


def test_p_counts_the_draws_that_go_the_other_way():
    models, data = problem(n=12, n_models=3)
    weights = bootstrap_weights(12, 40, random_state=1)
    found = compare_models(models, data, weights, level=0.8)
    draws = bootstrap_correlations(models, data, weights)
    np.testing.assert_allclose(found.r, bootstrap_correlations(models, data, np.ones((1, 12)))[0])
    np.testing.assert_allclose(found.interval, np.quantile(draws, [0.1, 0.9], axis=0).T)
    for i, j in ((0, 1), (0, 2), (1, 2)):
        difference = draws[:, i] - draws[:, j]
        expected = min(1, 2 * min((1 + (difference <= 0).sum()) / 41, (1 + (difference >= 0).sum()) / 41))
        assert found.p[i, j] == found.p[j, i] == pytest.approx(expected)
    assert np.isnan(np.diag(found.p)).all()
    assert (found.n_draws, found.n_stimuli) == (40, 12)
    np.testing.assert_allclose(
        compare_models(models, data, weights).interval, np.quantile(draws, [0.025, 0.975], axis=0).T
    )
