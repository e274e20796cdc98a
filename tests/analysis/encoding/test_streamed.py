"""Maps that are multiplied with the targets as they are made, so that many stimuli fit in little memory."""

import numpy as np
import pytest

from brodmann.analysis.encoding import gram_eigen, nested_ridge, pooled
from brodmann.analysis.encoding.cross_validation import nested_folds
from brodmann.analysis.encoding.nested_ridge import ALPHAS, LOWER, Fit, ridge_memory


def fits(x, y, alphas):
    return list(nested_ridge.nested_ridge(x, y, nested_folds(len(x)), alphas))


@pytest.mark.parametrize("together", [0, 1 << 28], ids=["fold by fold", "all folds"])
@pytest.mark.parametrize("n_features", [20, 80, 300], ids=["few features", "half as many", "many"])
@pytest.mark.parametrize(
    "alphas", [ALPHAS, ALPHAS[:1] * 0, np.concatenate([LOWER, ALPHAS])], ids=["penalties", "none", "wide"]
)
def test_streamed_predictions_are_those_of_the_maps(n_features, alphas, together, monkeypatch):
    draw = np.random.default_rng(0)
    x = draw.normal(size=(120, n_features))
    y = x[:, :10] @ draw.normal(size=(10, 6)) + 2 * draw.normal(size=(120, 6))
    whole = fits(x, y, alphas)
    monkeypatch.setattr(nested_ridge, "STREAMED", 0)
    monkeypatch.setattr(nested_ridge, "_TOGETHER", together)
    streamed = fits(x, y, alphas)
    for one, other in zip(whole, streamed, strict=True):
        np.testing.assert_array_equal(one.alpha, other.alpha)
        np.testing.assert_allclose(one.prediction, other.prediction, atol=2e-6 * np.abs(y).max())
        np.testing.assert_allclose(one.inner_score, other.inner_score, atol=1e-5)


def test_a_gram_matrix_of_fewer_features_than_stimuli_predicts_the_same(monkeypatch):
    draw = np.random.default_rng(1)
    x = draw.normal(size=(150, 110))
    y = x[:, :10] @ draw.normal(size=(10, 6)) + 2 * draw.normal(size=(150, 6))
    primal = fits(x, y, ALPHAS)
    assert isinstance(primal[0].features, gram_eigen.PrimalFeatures)
    monkeypatch.setattr(gram_eigen, "_LARGE", 0)
    dual = fits(x, y, ALPHAS)
    assert isinstance(dual[0].features, gram_eigen.DualFeatures)
    for one, other in zip(primal, dual, strict=True):
        np.testing.assert_allclose(one.prediction, other.prediction, atol=1e-3 * y.std())


def test_bases_that_are_let_go_leave_the_same_replicates(monkeypatch):
    draw = np.random.default_rng(2)
    x = draw.normal(size=(60, 90))
    y = x[:, :4] @ draw.normal(size=(4, 3)) + draw.normal(size=(60, 3))
    groups = np.arange(60) % 7
    whole = list(pooled.each_without(fits(x, y, ALPHAS), y, groups))
    monkeypatch.setattr(pooled, "_KEPT", 0)
    made: list[Fit] = fits(x, y, ALPHAS)
    for one, other in zip(whole, pooled.each_without(made, y, groups), strict=True):
        for a, b in zip(one, other, strict=True):
            np.testing.assert_array_equal(a, b)
    assert not any("basis" in vars(one) for one in made)


def test_nine_thousand_stimuli_and_a_layer_of_sixteen_thousand_units_fit_in_four_gigabytes():
    for n_units in (1024, 4096, 8192, 16_384):
        assert 0.3 < max(ridge_memory(9500, n_units, n, 20, 5) for n in (4, 1000)) / 2**30 < 3.5
