"""What Brain-Score's metrics do with small, noisy, dependent, shifted or tiny recordings."""

import numpy as np
import pandas as pd
import pytest

from brodmann import UserError
from brodmann.analysis.encoding.cross_validation import Split
from brodmann.bench.metrics.base import ScoringOptions
from brodmann.bench.metrics.brainscore_regression import internal_consistency
from brodmann.bench.metrics.recording import Recording
from brodmann.bench.metrics.registries import METRICS
from brodmann.bench.metrics.uncertainty import HeldOut, held_out_draws

REGRESSIONS = (
    "pls", "ridge1", "ridgecv", "linear_predictivity", "neuron_to_neuron", "language_linear", "language_ridge",
)  # fmt: skip
QUICK = ScoringOptions(n_bootstraps=60, n_permutations=59)
NONE = ScoringOptions(n_bootstraps=0, n_permutations=0)


def made(seed=0, n=100, *, n_features=10, n_neuroids=6, n_repetitions=4, signal=1.0, noise=1.0, **columns):
    """Features and a recording of which they explain all but noise."""
    draw = np.random.default_rng(seed)
    x = draw.normal(size=(n, n_features))
    y = signal * x @ draw.normal(size=(n_features, n_neuroids)) / np.sqrt(n_features)
    cube = y[:, None] + noise * draw.normal(size=(n, n_repetitions, n_neuroids))
    columns = {name: np.array(values, object) for name, values in columns.items()}
    return x, recorded(cube, columns)


def recorded(cube, columns=None, **neuroids):
    n = len(cube)
    table = pd.DataFrame({"neuroid_id": np.arange(cube.shape[2])} | neuroids)
    return Recording(
        "made.IT", np.arange(n).astype(object), cube, None, table, columns or {}, position=np.arange(n)
    )


def changed(one, cube, **neuroids):
    return recorded(cube, dict(one.columns), **neuroids)


def evaluated(name, x, one, options=QUICK, **settings):
    metric = METRICS[name].make(one, settings)
    return metric.evaluate({"layer": x}, one, metric.ceiling(one), options)


def stories(n, size=5):
    return [f"story{i // size:02d}" for i in range(n)]


@pytest.mark.parametrize("name", REGRESSIONS)
@pytest.mark.parametrize("option", ["group", "folds", "label", "least_reliability"])
def test_an_option_that_brainscore_has_not_is_refused(name, option):
    _, one = made(story=stories(100))
    with pytest.raises(UserError, match=option):
        METRICS[name].make(one, {option: "story"})


def test_a_column_that_cannot_be_balanced_is_refused_where_it_was_asked_for():
    _, one = made(kind=["rare", *["a", "b", "c"] * 33])
    with pytest.raises(UserError, match="cannot be stratified"):
        METRICS["pls"].make(one, {"stratify": "kind"})
    x, one = made(object_name=["rare", *["a", "b", "c"] * 33])
    assert "one stimulus" in evaluated("ridge1", x, one, NONE).methods["stratify"]


def test_splits_that_part_stories_are_said_and_change_no_digit():
    x, plain = made()
    _, one = made(story=stories(100))
    told, untold = (evaluated("ridge1", x, each) for each in (one, plain))
    assert told.raw == untold.raw
    assert "story" in told.methods["dependence"]
    assert "whole groups permuted" in told.methods["p"]
    assert "20 stimuli" not in untold.methods["interval"]
    assert "dependence" not in untold.methods
    assert "dependence" not in evaluated("language_ridge", x, one).methods


def test_a_leak_through_parted_neighbours_is_no_evidence():
    """Slow features and slow responses that are unrelated: r is far above 0, p is not small too often."""
    found = []
    for seed in range(20):
        draw = np.random.default_rng(seed)
        steps = draw.normal(size=(120, 14))
        for i in range(1, 120):
            steps[i] = 0.9 * steps[i - 1] + np.sqrt(1 - 0.81) * steps[i]
        one = recorded(steps[:, None, 10:])
        found.append(evaluated("ridge1", steps[:, :10], one))
    assert np.mean([one.raw for one in found]) > 0.2
    assert all(
        "neighbours" in one.methods["dependence"] or "order" in one.methods["dependence"] for one in found
    )
    assert np.mean([one.p <= 0.05 for one in found]) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 20)


@pytest.mark.parametrize("name", ["ridge1", "pls", "neuron_to_neuron"])
@pytest.mark.parametrize("n", [40, 100])
def test_p_of_unrelated_features_is_small_as_often_as_it_says(name, n):
    seeds = range(20)
    p = []
    for seed in seeds:
        x = np.random.default_rng([seed, 9]).normal(size=(n, 5))
        p.append(evaluated(name, x, made(seed, n)[1], ScoringOptions(n_bootstraps=0, n_permutations=19)).p)
    for level in (0.05, 0.2, 0.5):
        assert np.mean(np.array(p) <= level) <= level + 3 * np.sqrt(level * (1 - level) / len(seeds))


@pytest.mark.parametrize("name", ["pls", "ridge1", "linear_predictivity"])
@pytest.mark.parametrize("n", [12, 20])
def test_few_stimuli_have_a_p_over_all_splits(name, n):
    x, one = made(3, n, n_features=3, noise=0.1)
    found = evaluated(name, x, one)
    assert found.p == pytest.approx(found.methods["smallest_p"])
    assert found.p == pytest.approx(1 / 60)
    assert found.methods["held_out"].startswith("2 held-out stimuli")


def test_fewer_than_twelve_stimuli_are_refused():
    x, one = made(0, 11)
    with pytest.raises(UserError, match="at least 12 stimuli"):
        evaluated("ridge1", x, one)


def test_a_neuroid_that_misses_stimuli_takes_its_ceiling_from_nobody_else():
    _, one = made()
    whole, each = internal_consistency(one.responses[:, :, 1:])
    cube = one.responses.copy()
    cube[3, :3, 0] = np.nan
    value, per_neuroid = internal_consistency(cube)
    assert value == whole
    np.testing.assert_array_equal(per_neuroid[1:], each)
    assert np.isnan(per_neuroid[0])


@pytest.mark.parametrize("name", ["pls", "language_linear"])
def test_a_neuroid_without_a_ceiling_is_counted(name):
    x, one = made()
    cube = one.responses.copy()
    cube[:, 1:, 0] = np.nan
    found = evaluated(name, x, changed(one, cube), NONE)
    assert np.isfinite(found.value)
    assert found.left_out == {"neuroids without a ceiling (passed over by its median)": 1}


def test_noise_has_no_ceiling_and_keeps_its_sign():
    for seed in range(20):
        x, one = made(seed, signal=0.0, n_repetitions=2)
        ceiling = METRICS["pls"].make(one, {}).ceiling(one)
        if ceiling.kind == "none":
            assert "too noisy" in ceiling.note
        found = evaluated("pls", x, one, NONE)
        assert np.sign(found.value) == np.sign(found.raw)
        if ceiling.kind == "none":
            assert found.value == found.raw
            assert found.methods["ceiling"] == ceiling.note
    _, clear = made()
    assert METRICS["pls"].make(clear, {}).ceiling(clear).kind == "internal_consistency"


@pytest.mark.parametrize("name", [*REGRESSIONS, "cka", "cka_biased", "rdm"])
def test_a_recording_in_other_units_is_the_same_recording(name):
    x, one = made(**({"story": stories(100, 4)} if name == "language_ridge" else {}))
    plain = evaluated(name, x, one)
    tiny = evaluated(name, x, changed(one, 1e-13 * one.responses))
    for field in ("raw", "value", "p"):
        assert getattr(tiny, field) == pytest.approx(getattr(plain, field), abs=1e-9)
    assert tiny.ci == pytest.approx(plain.ci, abs=1e-9, nan_ok=True)  # none where all draws are alike


@pytest.mark.parametrize("name", ["linear_predictivity", "language_linear"])
def test_an_offset_of_the_recording_changes_no_least_squares(name):
    x, one = made(n=60, n_features=200, noise=0.1)
    plain = evaluated(name, x, one, NONE)
    shifted = evaluated(name, x, changed(one, one.responses + 1e4), NONE)
    assert shifted.raw == pytest.approx(plain.raw, abs=1e-6)


@pytest.mark.parametrize("name", ["cka", "cka_biased"])
@pytest.mark.parametrize("side", ["features", "responses"])
def test_cka_does_not_see_a_mean_of_three_thousand_standard_deviations(name, side):
    x, one = made()
    plain = evaluated(name, x, one, NONE)
    if side == "features":
        moved = evaluated(name, x + 3000.0, one, NONE)
    else:
        moved = evaluated(name, x, changed(one, one.responses + 3000.0), NONE)
    assert 0.1 < plain.raw < 0.99
    assert moved.raw == pytest.approx(plain.raw, abs=1e-9)


def test_a_draw_that_leaves_nothing_of_a_fold_is_left_out_and_not_zero():
    truth = np.random.default_rng(0).normal(size=(4, 3))
    halves = np.array([[0, 1], [2, 3]])
    folds = [HeldOut(Split(a, b), truth[b]) for a, b in (halves[::-1], halves)]
    r = held_out_draws(folds, truth, np.array([[1.0, 1, 1, 1], [2, 0, 1, 1], [4, 0, 0, 0]]))
    np.testing.assert_allclose(r[:, :, 0], [[1, 1], [np.nan, 1], [np.nan, np.nan]])
    x, one = made(1, 20, n_features=3, noise=0.01)
    found = evaluated("linear_predictivity", x, one)
    assert found.raw == pytest.approx(1.0)
    assert np.isnan(found.ci).all()  # every draw that is left gives 1: no width, no interval


def test_an_interval_says_for_whom_it_is():
    x, one = made(n_neuroids=12)
    several = changed(one, one.responses, subject=np.repeat(["s1", "s2", "s3"], 4))
    alone = changed(one, one.responses, subject=["s1"] * 12)
    found, of_one, unnamed = (evaluated("ridge1", x, each) for each in (several, alone, one))
    assert found.value == of_one.value == unnamed.value
    assert "3 subjects" in found.methods["interval"]
    assert "one subject: says nothing about other people" in of_one.methods["interval"]
    assert "subject" not in unnamed.methods["interval"]
    assert found.replicates.subjects.mean() == pytest.approx(found.value)
    assert found.ci[1] - found.ci[0] >= unnamed.ci[1] - unnamed.ci[0]


@pytest.mark.parametrize("name", ["cka", "rdm"])
def test_whole_stories_are_permuted_and_drawn_where_nothing_is_fitted(name):
    """Unrelated features and responses that are alike within a story: r is above 0, p is not small too often."""
    p, raw = [], []
    for seed in range(20):
        draw = np.random.default_rng(seed)
        x, y = (
            np.repeat(draw.normal(size=(10, k)), 6, axis=0) + 0.3 * draw.normal(size=(60, k)) for k in (5, 6)
        )
        found = evaluated(name, x, recorded(y[:, None], {"story": np.array(stories(60, 6), object)}))
        p.append(found.p)
        raw.append(found.raw)
        assert "10 whole groups permuted" in found.methods["p"]
        assert "of the groups" in found.methods["interval"]
        assert found.methods["smallest_p"] == pytest.approx(1 / 60)
    assert np.mean(raw) > 0.05
    assert np.mean(np.array(p) <= 0.05) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 20)
