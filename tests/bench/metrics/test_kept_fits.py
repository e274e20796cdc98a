"""Fits that were made before are those that would be made again, and nobody else's."""

import numpy as np
import pytest

from brodmann.analysis.encoding.cross_validation import Fold, Splitter
from brodmann.analysis.encoding.nested_ridge import ALPHAS, NestedRidge, Targets
from brodmann.analysis.shelf import Shelf, on_shelf
from brodmann.bench.metrics import kept_fits
from brodmann.bench.metrics.kept_fits import KeptRidge

N, P, T = 60, 90, 7


@pytest.fixture
def made():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((N, P)).astype(np.float32)
    y = x[:, :5] @ rng.standard_normal((5, T)) + rng.standard_normal((N, T))
    folds = [
        Fold(one, Splitter(n_splits=3, seed=1).split(len(one.train))) for one in Splitter(n_splits=4).split(N)
    ]
    return x, y, folds


@pytest.fixture
def n_engines(monkeypatch):
    made = []

    class Counted(NestedRidge):
        def __init__(self, *args, **options):
            made.append(args)
            super().__init__(*args, **options)

    monkeypatch.setattr(kept_fits, "NestedRidge", Counted)
    return lambda: len(made)


def fits(features, y, folds, alphas=ALPHAS, device="cpu"):
    ridge = KeptRidge(features, folds, alphas, device, Targets(y))
    return ridge.widened([ridge.fit(i) for i in range(len(folds))])


def test_the_same_question_is_answered_from_the_shelf_to_the_digit(made, n_engines):
    x, y, folds = made
    alone = fits(x, y, folds)
    layer = on_shelf(x, Shelf(1 << 26))
    first, again = fits(layer, y, folds), fits(layer, y.copy(), folds)
    assert n_engines() == 2
    for one, kept, plain in zip(first, again, alone, strict=True):
        assert kept is one
        np.testing.assert_array_equal(one.prediction, plain.prediction)
        np.testing.assert_array_equal(one.alpha, plain.alpha)


QUESTIONS = {
    "other responses": (lambda y, folds: (y + np.eye(N, T) * 1e-6, folds), 1),
    "responses in another order": (lambda y, folds: (y[:, ::-1], folds), 1),
    "as many responses as need other maps": (lambda y, folds: (np.repeat(y, 9, axis=1), folds), 1),
    "folds in another order": (lambda y, folds: (y, folds[::-1]), 2),
    "other penalties": (lambda y, folds: (y, folds, ALPHAS[1:]), 2),
}


@pytest.mark.parametrize(("asked", "n_made"), QUESTIONS.values(), ids=QUESTIONS)
def test_another_question_is_answered_anew_from_the_maps_of_its_folds(made, n_engines, asked, n_made):
    x, y, folds = made
    layer = on_shelf(x, Shelf(1 << 26))
    fits(layer, y, folds)
    found = fits(layer, *asked(y, folds))
    assert n_engines() == n_made
    for one, alone in zip(found, fits(x, *asked(y, folds)), strict=True):
        np.testing.assert_array_equal(one.prediction, alone.prediction)
        np.testing.assert_array_equal(one.alpha, alone.alpha)
        np.testing.assert_array_equal(one.split.test, alone.split.test)


def test_what_does_not_fit_is_made_again(made, n_engines):
    x, y, folds = made
    layer = on_shelf(x, Shelf(100))
    for n in (1, 2):
        fits(layer, y, folds)
        assert n_engines() == n
