"""A card is used wherever ridge is, and the numbers are those of the processor; here the processor plays the card."""

import numpy as np
import pytest
from ridge_problems import folds_of, problem

from brodmann.analysis.encoding import pooled as pooled_module
from brodmann.analysis.encoding.nested_ridge import (
    ALPHAS,
    LOWER,
    NestedRidge,
    Reordered,
    Targets,
    nested_ridge,
    widened,
)
from brodmann.analysis.encoding.on_card import ridge
from brodmann.analysis.encoding.on_card.fit import CardFit
from brodmann.analysis.encoding.pooled import PooledFolds


@pytest.fixture
def processor_as_card(monkeypatch):
    monkeypatch.setattr(ridge, "serves", lambda device: True)


def test_only_cards_with_double_precision_serve():
    import torch

    assert [ridge.serves(torch.device(name)) for name in ("cuda", "cuda:1", "cpu", "mps")] == [
        True,
        True,
        False,
        False,
    ]
    assert ridge.card_ridge(np.ones((4, 4)), [], ALPHAS, "cpu") is None


def test_penalties_below_the_usual_grid_are_taken_from_eigenvectors(processor_as_card):
    x, y = problem(60, 90)
    folds = folds_of(60)
    for alphas in (np.zeros(1), LOWER):
        assert not isinstance(next(nested_ridge(x, y, folds, alphas)), CardFit)


def test_predictions_and_r(processor_as_card, monkeypatch):
    x, y = problem(100, 150, 1)
    folds = folds_of(100)
    there = list(nested_ridge(x, y, folds))
    monkeypatch.setattr(ridge, "serves", lambda device: False)
    here = list(nested_ridge(x, y, folds))
    assert all(isinstance(one, CardFit) for one in there)
    PooledFolds([fold.split.test for fold in folds], y).r_of(there)
    assert not any("prediction" in vars(one) for one in there)
    for one, other in zip(here, there, strict=True):
        np.testing.assert_array_equal(one.alpha, other.alpha)
        np.testing.assert_allclose(one.prediction, other.prediction, atol=2e-4)
    weights = np.random.default_rng(0).integers(0, 3, 100).astype(float)
    for given in (None, weights):
        pooled = PooledFolds([fold.split.test for fold in folds], y, given)
        found = pooled.r_of(there)
        np.testing.assert_allclose(found, pooled.r([one.prediction for one in there]), atol=1e-6)
        np.testing.assert_allclose(pooled.r_of(here), found, atol=5e-5)


def test_r_where_nothing_varies(processor_as_card):
    x, y = problem(60, 90)
    y[:, 3] = 2.0
    folds = folds_of(60)
    pooled = PooledFolds([fold.split.test for fold in folds], y)
    fits = list(nested_ridge(x, y, folds))
    assert pooled.r_of(fits)[3] == 0
    few = np.zeros(60)
    few[folds[0].split.test[:1]] = 1
    assert (PooledFolds([fold.split.test for fold in folds], y, few).r_of(fits) == 0).all()


def test_r_of_targets_in_other_orders(processor_as_card, monkeypatch):
    x, y = problem(80, 120, 1, n_targets=5)
    folds = folds_of(80)
    rng = np.random.default_rng(0)
    orders = np.array([rng.permutation(80) for _ in range(7)])
    pooled = PooledFolds([fold.split.test for fold in folds], y)

    def fits():
        columns, engine = Reordered(y, orders), NestedRidge(x, folds)
        return [engine.fit(fold, columns) for fold in folds]

    there = pooled.r_of_orders(fits(), y, orders)
    monkeypatch.setattr(ridge, "serves", lambda device: False)
    here = pooled.r_of_orders(fits(), y, orders)
    assert there.shape == (7, 5)
    np.testing.assert_allclose(there, here, atol=5e-5)
    first = Targets(y[orders[3]])
    engine = NestedRidge(x, folds)
    np.testing.assert_allclose(
        pooled_module.PooledFolds(pooled.tests, y[orders[3]]).r_of(
            [engine.fit(fold, first) for fold in folds]
        ),
        here[3],
        atol=1e-6,
    )


def test_the_folds_of_the_same_targets_are_made_together(processor_as_card, monkeypatch):
    x, y = problem(60, 90)
    folds = folds_of(60)
    engine, columns = NestedRidge(x, folds), Targets(y)
    calls = []
    whole = engine._card.fits
    monkeypatch.setattr(engine._card, "fits", lambda *given: calls.append(1) or whole(*given))
    assert [engine.fit(fold, columns).split for fold in folds] == [fold.split for fold in folds]
    assert len(calls) == 1
    engine.fit(folds[1], Targets(y))
    assert len(calls) == 2


def test_a_grid_that_is_too_high_is_widened_as_on_the_processor(processor_as_card):
    rng = np.random.default_rng(0)
    hidden = 1e-5 * rng.normal(size=(80, 100))
    x = np.hstack([hidden, np.tile(rng.normal(size=(80, 1)), 30)])
    y = hidden @ rng.normal(size=(100, 12)) * 1e5
    folds, columns = folds_of(80), Targets(y)
    engine = NestedRidge(x, folds)
    fits = widened([engine.fit(fold, columns) for fold in folds], x, folds, columns)
    assert fits[0].penalties[0] == LOWER[0]
