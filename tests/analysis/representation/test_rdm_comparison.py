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
