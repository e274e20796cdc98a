"""Ridge: the same answer as scikit-learn's nested search on the same folds."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LinearRegression, Ridge

from brodmann.analysis.encoding import penalty_grid
from brodmann.analysis.encoding.cross_validation import Fold, Split, Splitter, nested_folds
from brodmann.analysis.encoding.nested_ridge import ALPHAS, NestedRidge, Targets, held_out_r, nested_ridge
from brodmann.analysis.encoding.penalty_grid import FINE, TOLERANCE, PenaltyInterpolation, shrinkage
from brodmann.analysis.encoding.shared_residuals import SharedResiduals
from brodmann.analysis.representation.gram import gram


def problem(n, p, n_targets=6, noise=2.0, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, p)) * np.logspace(0, -1, p)
    y = x @ rng.normal(size=(p, n_targets)) + noise * rng.normal(size=(n, n_targets))
    return x, y + 3.0


def fit(x, y, split, inner, alphas=ALPHAS):
    return next(nested_ridge(x, y, [Fold(split, inner)], alphas))


def nested_search(x, y, split, inner):
    """The straightforward way: scikit-learn's Ridge for every penalty and inner fold."""

    def penalty(alpha, rows):
        centered = x[rows] - x[rows].mean(axis=0)
        return alpha * (centered**2).sum() / min(len(rows) - 1, x.shape[1])

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
        found = fit(x, y, split, inner)
        prediction, chosen = nested_search(x, y, split, inner)
        np.testing.assert_allclose(found.alpha, chosen)
        np.testing.assert_allclose(found.prediction, prediction, atol=1e-4 * y.std())


def test_linear_regression_is_ridge_without_a_penalty():
    x, y = problem(100, 20)
    split = Splitter().split(100)[0]
    found = fit(x, y, split, Splitter().split(len(split.train)), np.zeros(1))
    expected = LinearRegression().fit(x[split.train], y[split.train]).predict(x[split.test])
    np.testing.assert_allclose(found.prediction, expected, atol=1e-5 * y.std())


def test_tall_and_wide_forms_agree():
    x, y = problem(90, 40)
    wide = np.hstack([x, np.zeros((90, 100))])
    split = Splitter().split(90)[0]
    inner = Splitter().split(len(split.train))
    # the penalty is relative to the mean eigenvalue, whose count differs between the two forms
    scale = min(len(split.train) - 1, 140) / 40
    tall = fit(x, y, split, inner, np.array([1.0]))
    other = fit(wide, y, split, inner, np.array([scale]))
    np.testing.assert_allclose(tall.prediction, other.prediction, atol=1e-5 * y.std())


@pytest.mark.parametrize("decay", [0.0, 0.5, 1.0])
def test_few_maps_give_the_penalties_and_predictions_of_an_exact_search(decay):
    """Against plain double precision, one penalty at a time, for flat and steep spectra, on every fold."""
    rng = np.random.default_rng(1)
    x = (rng.normal(size=(150, 400)) * np.arange(1.0, 401) ** -decay).astype(np.float32)
    y = x @ rng.normal(size=(400, 50)) + 5 * rng.normal(size=(150, 50))
    folds = [Fold(split, Splitter(n_splits=4).split(len(split.train))) for split in Splitter().split(150)]
    for fold, found in zip(folds, nested_ridge(x, y, folds), strict=True):
        prediction, chosen = nested_search(x.astype(float), y, fold.split, fold.inner)
        same = found.alpha == chosen
        assert same.mean() >= 0.98
        np.testing.assert_allclose(found.prediction[:, same], prediction[:, same], atol=2e-4 * y.std())


def test_nodes_span_every_penalty_within_the_tolerance():
    wanted = np.concatenate([ALPHAS * scale for scale in (0.97, 1.0, 1.04)])
    for spectrum in ((0.1, 3.0), (0.0, 50.0), (1e-3, 1e3)):
        nodes = PenaltyInterpolation(wanted, spectrum)
        inside = np.geomspace(max(spectrum[0], 1e-9), spectrum[1], 1001)
        exact = shrinkage(inside, wanted)
        for n_nodes, tolerance in ((nodes.n_compared, TOLERANCE), (len(nodes.penalties), FINE)):
            again = shrinkage(inside, nodes.penalties[:n_nodes]) @ nodes.weights(wanted, n_nodes).T
            assert (np.abs(again - exact) / exact.max(axis=0)).max() < 2 * tolerance
    assert PenaltyInterpolation(wanted, (0.1, 3.0)).n_compared < len(ALPHAS) / 2


@pytest.mark.parametrize("n_worst", [100, 3])
def test_what_a_moved_penalty_misses_is_bounded_without_a_factorization(n_worst, monkeypatch):
    monkeypatch.setattr(penalty_grid, "_WORST", n_worst)
    eigenvalues, nodes = np.geomspace(1e-4, 1, 200), np.geomspace(1e-3, 1e2, 9)
    target, shapes = shrinkage(eigenvalues, ALPHAS), shrinkage(eigenvalues, nodes)
    which = np.repeat(np.arange(9), 2)
    moved = shrinkage(eigenvalues, nodes[which] * np.tile([1.6, 1 / 1.6], 9))
    found = penalty_grid._Inside(shapes, target).errors_at_least(which, moved)
    exact = []
    for place, column in zip(which, moved.T, strict=True):
        basis = np.linalg.qr(np.column_stack([np.delete(shapes, place, axis=1), column]))[0]
        exact.append(np.abs(target - basis @ (basis.T @ target)).max())
    assert (found < exact).all()
    if n_worst == 100:
        np.testing.assert_allclose(found, exact, rtol=2e-6)


def test_shuffle_splits_that_leave_stimuli_out_of_both_sides():
    x, y = problem(100, 300)
    split = Split(np.arange(0, 60), np.arange(70, 90))
    inner = [Split(np.arange(0, 30), np.arange(40, 55)), Split(np.arange(20, 60), np.arange(0, 15))]
    found = fit(x, y, split, inner)
    prediction, chosen = nested_search(x, y, split, inner)
    np.testing.assert_allclose(found.alpha, chosen)
    np.testing.assert_allclose(found.prediction, prediction, atol=1e-4 * y.std())


def test_order_of_folds_changes_nothing():
    x, y = problem(90, 200)
    folds = [Fold(split, Splitter(n_splits=3).split(len(split.train))) for split in Splitter().split(90)]
    one = list(nested_ridge(x, y, folds))
    other = list(nested_ridge(x, y, [*folds[::-1], folds[0]]))
    for a, b in zip(one, other[-2::-1], strict=True):
        np.testing.assert_array_equal(a.alpha, b.alpha)
        np.testing.assert_allclose(a.prediction, b.prediction, atol=1e-5 * y.std())
    np.testing.assert_allclose(other[-1].prediction, one[0].prediction, atol=1e-5 * y.std())


@pytest.mark.parametrize("p", [40, 300])
def test_rank_deficient_features(p):
    x, y = problem(100, 20)
    again = x @ np.random.default_rng(3).normal(size=(20, p))
    found = fit(again, y, *_one_split(100))
    split, inner = _one_split(100)
    prediction, _ = nested_search(again, y, split, inner)
    np.testing.assert_allclose(found.prediction, prediction, atol=2e-2 * y.std())
    assert np.isfinite(found.prediction).all()


@pytest.mark.parametrize("p", [5, 100])
@pytest.mark.parametrize("alphas", [ALPHAS, np.zeros(1)])
def test_features_that_do_not_vary_predict_the_mean(p, alphas):
    x, y = np.full((60, p), 3.0), problem(60, 5)[1]
    split, inner = _one_split(60)
    found = fit(x, y, split, inner, alphas)
    np.testing.assert_allclose(
        found.prediction, np.tile(y[split.train].mean(axis=0), (12, 1)), atol=1e-4 * y.std()
    )


def test_inverses_are_made_again_where_they_do_not_fit_in_memory(monkeypatch):
    x, y = problem(80, 200)
    folds = [Fold(split, Splitter(n_splits=3).split(len(split.train))) for split in Splitter().split(80)]
    kept = list(nested_ridge(x, y, folds))
    monkeypatch.setattr("brodmann.analysis.encoding.dual_solver.KEPT_BYTES", 0)
    for a, b in zip(kept, nested_ridge(x, y, folds), strict=True):
        np.testing.assert_array_equal(a.prediction, b.prediction)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_graphics_card_gives_the_same_answer():
    x, y = problem(150, 400)
    folds = [Fold(*_one_split(150))]
    here = next(nested_ridge(x, y, folds))
    there = next(nested_ridge(x, y, folds, device="cuda"))
    np.testing.assert_array_equal(here.alpha, there.alpha)
    np.testing.assert_allclose(here.prediction, there.prediction, atol=1e-4 * y.std())


def test_gram_is_read_in_blocks_without_changing_the_product(monkeypatch):
    x = np.random.default_rng(0).normal(5, 1, size=(30, 100)).astype(np.float32)
    monkeypatch.setattr("brodmann.analysis.representation.gram._BLOCK", 7)
    centered = x.astype(float) - x.astype(float).mean(axis=0)
    np.testing.assert_allclose(gram(x), centered @ centered.T, rtol=1e-10)


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 2**31), st.booleans(), st.floats(0.01, 100))
def test_order_of_stimuli_and_scale_of_features_change_nothing(seed, wide, scale):
    x, y = problem(40, 60 if wide else 10, n_targets=2, seed=seed)
    split = Splitter(n_splits=4).split(40)[0]
    inner = Splitter(n_splits=3).split(len(split.train))
    order = np.random.default_rng(seed).permutation(40)
    place = np.argsort(order)
    moved = Split(place[split.train], place[split.test])
    one = fit(x, y, split, inner)
    other = fit(scale * x[order], y[order], moved, inner)
    same = one.alpha == other.alpha  # two penalties may be equally good to the last digit
    assert same.any()
    np.testing.assert_allclose(
        one.prediction[:, same], other.prediction[:, same], atol=1e-5 * np.abs(y).max()
    )


def test_duplicate_columns_and_a_constant_target_are_no_trouble():
    x, y = problem(60, 10)
    y[:, 2] = 4.0
    found = fit(np.hstack([x, x]), y, *_one_split(60))
    assert np.isfinite(found.prediction).all()
    np.testing.assert_allclose(found.prediction[:, 2], 4.0)
    assert np.isnan(held_out_r([found], y)[0, 2])


def test_one_target():
    x, y = problem(60, 10, n_targets=1)
    found = fit(x, y, *_one_split(60))
    assert found.prediction.shape == (12, 1)
    assert held_out_r([found], y)[0, 0] > 0.3


def _one_split(n):
    split = Splitter().split(n)[0]
    return split, Splitter().split(len(split.train))


@pytest.mark.parametrize("decay", [0, 1, 2])
def test_residuals_that_all_folds_share_give_what_a_map_of_each_split_does(decay, monkeypatch):
    draw = np.random.default_rng(decay)
    x = draw.normal(size=(300, 400)) * np.arange(1, 401) ** (-decay / 2)
    y = x @ draw.normal(size=(400, 40)) + np.geomspace(0.1, 30, 40) * draw.normal(size=(300, 40))
    folds = nested_folds(300, outer=Splitter(n_splits=10), inner=Splitter(seed=2))
    engine, targets = NestedRidge(x, folds), Targets(y)
    residuals = SharedResiduals(engine._leave_out, folds)
    assert residuals.accurate
    monkeypatch.setattr(NestedRidge, "_shared", residuals)
    shared = [engine.fit(fold, targets) for fold in folds]
    monkeypatch.setattr(NestedRidge, "_shared", None)
    own = [NestedRidge(x, folds).fit(fold, targets) for fold in folds]
    assert np.mean([one.alpha == two.alpha for one, two in zip(shared, own, strict=True)]) > 0.99
    for one, two in zip(shared, own, strict=True):
        np.testing.assert_allclose(one.inner_score, two.inner_score, atol=2e-5)
        same = one.alpha == two.alpha
        np.testing.assert_allclose(one.prediction[:, same], two.prediction[:, same], atol=1e-5 * y.std())
