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
        def __init__(self, *args):
            made.append(args)
            super().__init__(*args)

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


def test_other_targets_folds_and_penalties_are_other_questions(made, n_engines):
    x, y, folds = made
    layer = on_shelf(x, Shelf(1 << 26))
    fits(layer, y, folds)
    other = y.copy()
    other[3, 2] += 1e-6
    for n, asked in enumerate(
        [(other, folds), (y, folds[::-1]), (y, folds, ALPHAS[1:]), (y[:, ::-1], folds)], 2
    ):
        found, expected = fits(layer, *asked), fits(x, *asked)
        assert n_engines() == 2 * n - 1
        np.testing.assert_array_equal(found[0].prediction, expected[0].prediction)


def test_what_does_not_fit_is_made_again(made, n_engines):
    x, y, folds = made
    layer = on_shelf(x, Shelf(100))
    for n in (1, 2):
        fits(layer, y, folds)
        assert n_engines() == n
