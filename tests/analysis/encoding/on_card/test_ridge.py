"""Ridge on a card, run on the processor by the very same code: the exact answer, however little memory there is."""

import numpy as np
import pytest
import torch
from ridge_problems import exact, folds_of, problem

from brodmann.analysis.encoding.cross_validation import Fold, Split
from brodmann.analysis.encoding.gram_eigen import DualFeatures, PrimalFeatures
from brodmann.analysis.encoding.nested_ridge import ALPHAS, nested_ridge
from brodmann.analysis.encoding.on_card import dual, ridge
from brodmann.analysis.encoding.on_card.products import Products
from brodmann.analysis.encoding.on_card.ridge import CardRidge
from brodmann.analysis.encoding.on_card.targets import Columns
from brodmann.correlation import pearson
from brodmann.errors import UserError
from brodmann.memory import NotEnoughMemory

CPU = torch.device("cpu")


def fits(x, y, folds, name="float32", **options):
    return list(CardRidge(x, folds, ALPHAS, CPU, Products(name)).fits(folds, Columns(y, CPU, **options)))


def compared(x, y, folds, found):
    """How often the penalty is the best one, what another one loses, and how far r is from that of the exact search."""
    same, lost, gaps = [], [], []
    for fold, one in zip(folds, found, strict=True):
        score, at_penalties = exact(x, y, fold)
        at, each = np.searchsorted(ALPHAS, one.alpha), np.arange(y.shape[1])
        np.testing.assert_allclose(
            one.inner_score, score[at, each], atol=5e-5
        )  # what penalties in between are off by
        same.append(at == score.argmax(axis=0))
        lost.append(score.max(axis=0) - score[at, each])
        truth = y[one.split.test]
        r, expected = pearson(one.prediction, truth), pearson(at_penalties[at, :, each].T, truth)
        gaps.append(np.abs(r - expected))
    return np.mean(same), np.max(lost), np.nanmax(gaps)


@pytest.mark.parametrize(("decay", "name"), [(0, "float32"), (1, "float32"), (1, "bf16x3"), (2, "float32")])
@pytest.mark.parametrize(("n", "p"), [(120, 400), (120, 120), (120, 75), (120, 40), (120, 8)])
def test_the_best_penalty_and_its_r_on_white_and_real_spectra(n, p, decay, name):
    x, y = problem(n, p, decay)
    folds = folds_of(n)
    same, lost, gap = compared(x, y, folds, fits(x, y, folds, name))
    assert same > 0.98
    assert lost < 2e-7
    assert gap < (1e-6 if 2 * p < n else 6e-5)


@pytest.mark.parametrize("decay", [0, 1, 2])
@pytest.mark.parametrize("p", [400, 120, 90, 40])
def test_hardly_any_noise(p, decay):
    """Where single precision is short of digits: as many features as training rows, and no penalty is best."""
    x, y = problem(120, p, decay, noise=0.01)
    folds = folds_of(120)
    same, lost, gap = compared(x, y, folds, fits(x, y, folds))
    assert same > 0.97
    assert lost < 5e-6
    assert gap < 6e-5


def test_what_is_missed_alone_would_not_do_where_features_are_as_many_as_training_rows(monkeypatch):
    x, y = problem(120, 90, noise=0.01)
    folds = folds_of(120)
    monkeypatch.setattr(dual, "SAFE", np.inf)
    with pytest.raises(AssertionError, match="Not equal to tolerance"):
        compared(x, y, folds, fits(x, y, folds))


def test_what_is_missed_alone_would_not_do_where_penalties_dwarf_the_spectrum(monkeypatch):
    x, y = problem(120, 400)
    folds = folds_of(120)
    monkeypatch.setattr(dual, "DWARFED", np.inf)
    with pytest.raises(AssertionError, match="Not equal to tolerance"):
        compared(x, y, folds, fits(x, y, folds))


@pytest.mark.parametrize("p", [300, 30])
def test_the_same_penalties_and_r_as_on_the_processor(p):
    x, y = problem(150, p, 1)
    folds = folds_of(150)
    for here, there in zip(nested_ridge(x, y, folds), fits(x, y, folds), strict=True):
        truth = y[here.split.test]
        assert (here.alpha == there.alpha).mean() > 0.98
        same = here.alpha == there.alpha
        gap = pearson(here.prediction, truth) - pearson(there.prediction, truth)
        assert np.abs(gap[same]).max() < 4e-5  # what the processor's own tolerance allows
        np.testing.assert_allclose(here.prediction[:, same], there.prediction[:, same], atol=1e-4 * y.std())


def test_uneven_groups():
    x, y = problem(130, 300, 1)
    groups = np.repeat(np.arange(9), [3, 40, 5, 20, 8, 25, 4, 18, 7])
    folds = folds_of(130, n_outer=3, n_inner=3, groups=groups)
    same, lost, gap = compared(x, y, folds, fits(x, y, folds))
    assert same > 0.98
    assert lost < 2e-7
    assert gap < 6e-5


@pytest.mark.parametrize("p", [300, 20])
def test_splits_that_leave_stimuli_out_of_both_sides(p):
    x, y = problem(100, p)
    split = Split(np.arange(0, 60), np.arange(70, 90))
    inner = [Split(np.arange(0, 30), np.arange(40, 55)), Split(np.arange(20, 60), np.arange(0, 15))]
    folds = [Fold(split, inner)]
    same, _, gap = compared(x, y, folds, fits(x, y, folds))
    assert same > 0.98
    assert gap < 6e-5


@pytest.mark.parametrize("p", [300, 20])
def test_a_constant_feature_and_a_constant_target(p):
    x, y = problem(100, p, 1)
    x[:, 3], y[:, 7] = 5.0, 4.0
    folds = folds_of(100)
    found = fits(x, y, folds)
    for one in found:
        np.testing.assert_allclose(one.prediction[:, 7], 4.0, atol=1e-6)
    others = np.arange(60) != 7
    assert compared(x, y[:, others], folds, fits(x, y[:, others], folds))[2] < 6e-5


@pytest.mark.parametrize("p", [150, 5])
def test_features_that_do_not_vary_predict_the_mean(p):
    _, y = problem(60, 5)
    folds = folds_of(60)
    for one in fits(np.full((60, p), 3.0), y, folds):
        expected = np.tile(y[one.split.train].mean(axis=0), (len(one.split.test), 1))
        np.testing.assert_allclose(one.prediction, expected, atol=1e-4)


@pytest.mark.parametrize("scale", [1e-15, 1e15])
@pytest.mark.parametrize("p", [200, 20])
def test_the_scale_of_features_changes_nothing(p, scale):
    x, y = problem(80, p, 1)
    folds = folds_of(80)
    for one, other in zip(fits(x, y, folds), fits(scale * x.astype(float), y, folds), strict=True):
        np.testing.assert_array_equal(one.alpha, other.alpha)
        np.testing.assert_allclose(one.prediction, other.prediction, atol=1e-4)


@pytest.mark.parametrize(("form", "p"), [(DualFeatures, 200), (PrimalFeatures, 20)])
def test_what_was_prepared_elsewhere(form, p):
    x, y = problem(80, p, 1)
    folds = folds_of(80)
    for one, other in zip(fits(x, y, folds), fits(form(x), y, folds), strict=True):
        np.testing.assert_array_equal(one.alpha, other.alpha)
        np.testing.assert_allclose(one.prediction, other.prediction, atol=1e-5)


@pytest.mark.parametrize("p", [200, 20])
def test_a_training_set_is_diagonalised_as_on_the_processor(p):
    x, y = problem(80, p, 1)
    folds = folds_of(80)
    here, there = next(nested_ridge(x, y, folds)).basis, fits(x, y, folds)[0].basis
    np.testing.assert_allclose(here.eigenvalues, there.eigenvalues, rtol=1e-6)
    assert here.mean_eigenvalue == pytest.approx(there.mean_eigenvalue, rel=1e-6)
    np.testing.assert_allclose(
        here.to_test @ here.from_train.T, there.to_test @ there.from_train.T, atol=1e-6 * here.eigenvalues[-1]
    )
    np.testing.assert_allclose(
        here.to_train @ here.from_train.T, there.to_train @ there.from_train.T, atol=1e-5
    )


@pytest.fixture
def reference():
    x, y = problem(100, 250, 1)
    folds = folds_of(100)
    return x, y, folds, fits(x, y, folds)


def assert_equal(found, expected):
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one.alpha, other.alpha)
        np.testing.assert_allclose(one.prediction, other.prediction, atol=1e-5)
        np.testing.assert_allclose(one.inner_score, other.inner_score, atol=1e-6)


def test_targets_that_do_not_stay_on_the_card(reference, monkeypatch):
    x, y, folds, expected = reference
    monkeypatch.setattr("brodmann.analysis.encoding.on_card.transfer.STAGED_BYTES", 8 * 100 * 7)
    monkeypatch.setattr(ridge, "_LARGEST_BLOCK", 13)
    assert_equal(fits(x, y, folds, resident=False), expected)


def test_features_and_targets_on_disk(reference, tmp_path):
    x, y, folds, expected = reference
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "y.npy", y)
    x, y = (np.load(tmp_path / name, mmap_mode="r") for name in ("x.npy", "y.npy"))
    assert_equal(fits(x, y, folds, resident=False), expected)


def test_one_fold_at_a_time_and_inverses_made_again_where_memory_is_short(reference, monkeypatch):
    x, y, folds, expected = reference
    engine = CardRidge(x, folds, ALPHAS, CPU, Products())
    made = []
    whole = engine._layer._inverse
    monkeypatch.setattr(engine._layer, "_inverse", lambda node: made.append(node) or whole(node))
    list(engine.fits(folds, Columns(y, CPU)))
    kept = len(made)
    monkeypatch.setattr(ridge, "_LARGEST_BLOCK", 25)
    engine._ready = None
    monkeypatch.setattr(ridge, "free_bytes", lambda device: engine._layer.solving_bytes() + 1)
    assert [len(group) for group, _ in engine._groups(folds)] == [1] * len(folds)
    assert not any(keep for _, keep in engine._groups(folds))
    monkeypatch.setattr(engine, "_block", lambda folds, n_targets: (25, 1))
    made.clear()
    assert_equal(list(engine.fits(folds, Columns(y, CPU))), expected)
    assert len(made) == len(folds) * (kept + 3 * len(engine._layer._missed))


@pytest.mark.parametrize("most", [2, 1])
def test_fewer_folds_at_a_time_where_memory_runs_out_on_what_is_prepared(reference, monkeypatch, most):
    x, y, folds, expected = reference
    engine = CardRidge(x, folds, ALPHAS, CPU, Products())
    whole, asked = engine._layer.prepare, []

    def short(folds, *, keep):
        asked.append(len(folds))
        if len(folds) > most:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return whole(folds, keep=keep)

    monkeypatch.setattr(engine._layer, "prepare", short)
    assert_equal(list(engine.fits(folds, Columns(y, CPU))), expected)
    assert asked == {2: [4, 2, 2], 1: [4, 2, 1, 1, 2, 1, 1]}[most]
    most = 0
    engine._ready = None
    with pytest.raises(UserError, match="nested ridge would take about"):
        list(engine.fits(folds, Columns(y, CPU)))


def test_what_is_prepared_serves_other_targets(reference, monkeypatch):
    x, y, folds, _ = reference
    engine = CardRidge(x, folds, ALPHAS, CPU, Products())
    list(engine.fits(folds, Columns(y, CPU)))
    monkeypatch.setattr(engine._layer, "prepare", None)
    other = y[::-1].copy()
    assert_equal(list(engine.fits(folds, Columns(other, CPU))), fits(x, other, folds))


def test_blocks_are_halved_where_memory_runs_out(reference, monkeypatch):
    x, y, folds, expected = reference
    engine = CardRidge(x, folds, ALPHAS, CPU, Products())
    whole, asked = engine._layer.shared, []

    def short(targets):
        asked.append(targets.shape[1])
        if targets.shape[1] > 20:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return whole(targets)

    monkeypatch.setattr(engine._layer, "shared", short)
    assert_equal(list(engine.fits(folds, Columns(y, CPU))), expected)
    assert asked == [60, 30, 15, 15, 15, 15]


def test_one_line_where_even_one_target_does_not_fit(reference, monkeypatch):
    x, y, folds, _ = reference
    engine = CardRidge(x, folds, ALPHAS, CPU, Products())

    def never(targets):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(engine._layer, "shared", never)
    with pytest.raises(UserError, match="even of one target, would take about .* of cpu") as caught:
        list(engine.fits(folds, Columns(y, CPU)))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("p", [250, 20])
def test_refused_before_anything_is_computed_where_the_card_is_too_small(p, monkeypatch):
    x, _ = problem(100, p)
    monkeypatch.setattr("brodmann.analysis.encoding.on_card.memory.available_bytes", lambda: 1000)
    monkeypatch.setattr(ridge, "gram", None)
    monkeypatch.setattr(ridge, "centered_columns", None)
    with pytest.raises(NotEnoughMemory, match="GiB are free"):
        CardRidge(x, folds_of(100), ALPHAS, CPU)


def test_values_that_are_not_finite_are_one_line():
    x, _ = problem(60, 100)
    for size in (100, 20):
        broken = x[:, :size].copy()
        broken[3, 4] = np.nan
        with pytest.raises(UserError, match="NaN or infinite"):
            CardRidge(broken, folds_of(60), ALPHAS, CPU)


def test_predictions_stay_where_they_are_until_they_are_asked_for(reference):
    x, y, folds, _ = reference
    one = fits(x, y, folds)[0]
    assert "prediction" not in vars(one)
    some = one.only(np.array([5, 2]))
    np.testing.assert_array_equal(some.prediction, one.prediction[:, [5, 2]])
    np.testing.assert_array_equal(some.alpha, one.alpha[[5, 2]])
    np.testing.assert_array_equal(some.inner_score, one.inner_score[[5, 2]])
