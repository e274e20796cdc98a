"""What Brain-Score's regressions are made of, by closed forms, loops and the scikit-learn that they name."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import pearsonr
from sklearn.cross_decomposition import PLSRegression
from sklearn.model_selection import ShuffleSplit

from brodmann import UserError
from brodmann.analysis.encoding.cross_validation import Split, Splitter
from brodmann.bench.metrics import brainscore_regression as module
from brodmann.bench.metrics.base import Ceiling, ScoringOptions
from brodmann.bench.metrics.brainscore_regression import (
    BrainScoreRegression,
    generalized_ridge,
    generalized_ridge_draws,
    internal_consistency,
    on_every_split,
    ordinary_least_squares,
)
from brodmann.bench.metrics.language_ridge import PENALTIES as LANGUAGE_PENALTIES
from brodmann.bench.metrics.recording import Recording
from brodmann.bench.metrics.registries import METRICS
from brodmann.bench.metrics.ridge1 import fixed_ridge
from brodmann.bench.metrics.ridgecv import PENALTIES as VISION_PENALTIES
from brodmann.bench.metrics.uncertainty import HeldOut

NO_DRAWS = ScoringOptions(n_bootstraps=0, n_permutations=0)
NONE = Ceiling("none", float("nan"))


def recorded(cube, columns=None, r_max=None, **neuroids):
    n = len(cube)
    table = pd.DataFrame({"neuroid_id": np.arange(cube.shape[2])} | neuroids)
    columns = {name: np.array(list(values), object) for name, values in (columns or {}).items()}
    return Recording(
        "made.IT", np.arange(n).astype(object), cube, None, table, columns, r_max=r_max, position=np.arange(n)
    )


def given(n=40, n_features=5, n_neuroids=4, repetitions=3, noise=1.0, seed=0, **more):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, n_features))
    y = x @ rng.normal(size=(n_features, n_neuroids))
    return x, recorded(y[:, None] + noise * rng.normal(size=(n, repetitions, n_neuroids)), **more)


def metric_of(name, one, **options):
    return METRICS[name].make(one, options)


def ridge(x, y, x_test, penalty):
    """About the means, which have no penalty."""
    inner = x - x.mean(axis=0)
    weights = np.linalg.solve(inner.T @ inner + penalty * np.eye(x.shape[1]), inner.T @ (y - y.mean(axis=0)))
    return (x_test - x.mean(axis=0)) @ weights + y.mean(axis=0)


def left_out_error(x, y, penalty):
    """Residuals over 1 - h, which are those of leaving each stimulus out."""
    inner = x - x.mean(axis=0)
    hat = 1 / len(x) + inner @ np.linalg.solve(inner.T @ inner + penalty * np.eye(x.shape[1]), inner.T)
    return np.mean(((y - hat @ y) / (1 - np.diag(hat))[:, None]) ** 2)


def loo_ridge(x, y, x_test, penalties):
    """With the penalty of the least left-out error."""
    return ridge(x, y, x_test, min(penalties, key=lambda penalty: left_out_error(x, y, penalty)))


def test_least_squares_is_that_of_the_smallest_weights():
    x, one = given()
    found = ordinary_least_squares(x[:30], one.mean[:30], x[30:])
    design = np.column_stack([np.ones(40), x])
    weights = np.linalg.solve(design[:30].T @ design[:30], design[:30].T @ one.mean[:30])
    np.testing.assert_allclose(found, design[30:] @ weights)
    wide = np.random.default_rng(1).normal(size=(40, 90))
    inner, mean = wide[:30] - wide[:30].mean(axis=0), one.mean[:30].mean(axis=0)
    expected = (wide[30:] - wide[:30].mean(axis=0)) @ np.linalg.pinv(inner) @ (one.mean[:30] - mean) + mean
    np.testing.assert_allclose(ordinary_least_squares(wide[:30], one.mean[:30], wide[30:]), expected)


def test_the_ridge_of_a_fixed_penalty_is_that_of_one():
    x, one = given()
    inner, mean = x[:30] - x[:30].mean(axis=0), one.mean[:30].mean(axis=0)
    weights = np.linalg.solve(inner.T @ inner + np.eye(5), inner.T @ (one.mean[:30] - mean))
    found = fixed_ridge(x[:30], one.mean[:30], x[30:])
    np.testing.assert_allclose(found, (x[30:] - x[:30].mean(axis=0)) @ weights + mean)
    assert fixed_ridge(x[:30], one.mean[:30, :1], x[30:]).shape == (10, 1)


@pytest.mark.parametrize("noise", [0.1, 3.0, 30.0])
def test_the_penalty_of_all_neuroids_is_that_of_the_least_left_out_error(noise):
    x, one = given(noise=noise, repetitions=1)
    y = one.mean
    penalties = np.array([0.1, 1.0, 10.0, 100.0, 1e4])
    rows = np.arange(30)
    for penalty in penalties:
        each = [ridge(x[:30][rows != i], y[:30][rows != i], x[i : i + 1], penalty) - y[i] for i in rows]
        assert left_out_error(x[:30], y[:30], penalty) == pytest.approx(np.mean(np.square(each)))
    expected = loo_ridge(x[:30], y[:30], x[30:], penalties)
    np.testing.assert_allclose(generalized_ridge(x[:30], y[:30], x[30:], penalties=penalties), expected)
    draws = np.array([y[:30], y[:30][::-1]])
    found = generalized_ridge_draws(x[:30], draws, x[30:], penalties=penalties)
    np.testing.assert_allclose(found[0], expected)
    np.testing.assert_allclose(found[1], loo_ridge(x[:30], y[:30][::-1], x[30:], penalties))
    assert generalized_ridge(x[:30], y[:30, :1], x[30:], penalties=penalties).shape == (10, 1)


def test_a_feature_twice_over_changes_the_ridge_of_draws_as_a_feature_of_twice_the_weight():
    x, one = given(noise=3.0)
    twice, longer = np.hstack([x, x]), np.sqrt(2) * x
    y, penalties = one.mean[None, :30], np.array([0.5, 5.0])
    np.testing.assert_allclose(
        generalized_ridge_draws(twice[:30], y, twice[30:], penalties=penalties),
        generalized_ridge_draws(longer[:30], y, longer[30:], penalties=penalties),
    )


def test_penalties_are_those_of_brainscore():
    np.testing.assert_allclose(LANGUAGE_PENALTIES, [1e-3, 1e-2, 0.1, 1, 10, 100, 1000])
    assert len(VISION_PENALTIES) == 99
    np.testing.assert_allclose(VISION_PENALTIES[:10], [0.01, 0.1, 0.5, 1, 10, 32.5, 55, 77.5, 100, 150])
    np.testing.assert_allclose(VISION_PENALTIES[[25, 26, 27, 80, 81, 98]], [950, 1e3, 1500, 1e6, 1.5e6, 1e7])
    assert (np.diff(VISION_PENALTIES) > 0).all()


@pytest.mark.parametrize("name", ["pls", "ridge1", "ridgecv", "linear_predictivity", "neuron_to_neuron"])
def test_a_score_of_vision_is_the_mean_over_ten_shuffles_of_the_median_r(name):
    """Each metric's own fit in a loop over scikit-learn's shuffles, r squared over the squared ceiling."""
    x, one = given(n_features=30, noise=2.0)
    y = one.mean
    fits = {
        "pls": lambda a, b, c: (
            PLSRegression(25, scale=False, tol=1e-12, max_iter=20_000).fit(a, b).predict(c)
        ),
        "ridge1": fixed_ridge,
        "ridgecv": lambda a, b, c: loo_ridge(a, b, c, VISION_PENALTIES),
        "linear_predictivity": ordinary_least_squares,
        "neuron_to_neuron": best_neuron,
    }
    metric = metric_of(name, one)
    splits = [Split(*pair) for pair in ShuffleSplit(10, train_size=0.9, random_state=1).split(y)]
    found = metric.evaluate(
        {"layer": x}, one, Ceiling("internal_consistency", 0.9, np.full(4, 0.9)), NO_DRAWS
    )
    r = np.array(
        [
            [pearsonr(fits[name](x[s.train], y[s.train], x[s.test])[:, j], y[s.test, j])[0] for j in range(4)]
            for s in splits
        ]
    )
    medians = np.median(r, axis=1)
    assert found.raw == found.layers["layer"] == pytest.approx(medians.mean(), abs=1e-4)
    np.testing.assert_allclose(found.per_unit, r.mean(axis=0), atol=1e-4)
    assert found.normalization == "r2_over_ceiling"
    assert found.methods["error"] == pytest.approx(medians.std() / np.sqrt(10), abs=1e-4)
    assert (found.methods["splits"], found.methods["stratify"], found.methods["group"]) == (10, None, None)
    assert found.value == pytest.approx(min(medians.mean() ** 2 / 0.9, 1), abs=2e-4)
    assert "held_out" not in found.methods
    assert (found.layer, found.layer_by_split, found.unit) == ("layer", ["layer"] * 10, "neuroid")
    assert (found.n_stimuli, found.n_neuroids) == (40, 4)
    assert metric.name == name


def best_neuron(a, b, c):
    """The feature of the largest r in training, and its line."""
    out = []
    for y in b.T:
        r = [pearsonr(one, y)[0] for one in a.T]
        i = int(np.nanargmax(r))
        slope = pearsonr(a[:, i], y)[0] * y.std() / a[:, i].std()
        out.append(y.mean() + slope * (c[:, i] - a[:, i].mean()))
    return np.array(out).T


def test_scores_of_language_are_r_over_the_ceiling_on_shuffles_or_stories():
    x, one = given(n=60, noise=4.0, columns={"story": [f"s{i // 4:02d}" for i in range(60)]})
    y = one.mean
    linear = metric_of("language_linear", one)
    found = linear.evaluate({"layer": x}, one, Ceiling("r_max", 0.95), NO_DRAWS)
    splits = [Split(*pair) for pair in ShuffleSplit(10, train_size=0.9, random_state=1).split(y)]
    assert found.raw == pytest.approx(mean_r(splits, x, y, ordinary_least_squares))
    assert found.value == pytest.approx(found.raw / 0.95)
    assert found.normalization == "r_over_ceiling"
    assert linear.name == "language_linear"
    assert (linear.together, linear.rotates, linear.of_draws) == (False, True, None)
    ridge = metric_of("language_ridge", one)
    stories = np.array([f"s{i // 4:02d}" for i in range(60)])
    splits = ridge.splitter.split(60, groups=one.columns["story"])
    assert len(splits) == 10
    for split in splits:
        assert not set(stories[split.test]) & set(stories[split.train])
    found = ridge.evaluate({"layer": x}, one, Ceiling("r_max", 0.95), NO_DRAWS)
    assert found.raw == pytest.approx(
        mean_r(splits, x, y, lambda a, b, c: loo_ridge(a, b, c, LANGUAGE_PENALTIES))
    )
    assert (found.value, found.normalization) == (pytest.approx(found.raw / 0.95), "r_over_ceiling")
    assert found.methods["group"] == "story"
    assert (ridge.name, ridge.together, ridge.splitter.seed) == ("language_ridge", True, 1234)
    a, b = (
        ridge.of_draws(x[:50], y[None, :50], x[50:])[0],
        loo_ridge(x[:50], y[:50], x[50:], LANGUAGE_PENALTIES),
    )
    np.testing.assert_allclose(a, b)


def mean_r(splits, x, y, fit):
    return np.mean(
        [
            np.median(
                [
                    pearsonr(fit(x[s.train], y[s.train], x[s.test])[:, j], y[s.test, j])[0]
                    for j in range(y.shape[1])
                ]
            )
            for s in splits
        ]
    )


def test_what_is_fitted_together_and_what_counts_of_the_features():
    x, one = given()
    made = {
        name: metric_of(name, one)
        for name in ("pls", "ridge1", "ridgecv", "linear_predictivity", "neuron_to_neuron")
    }
    assert {name: metric.together for name, metric in made.items()} == {
        "pls": True, "ridge1": False, "ridgecv": True, "linear_predictivity": False, "neuron_to_neuron": False,
    }  # fmt: skip
    assert {name for name, metric in made.items() if metric.rotates} == set(made) - {"neuron_to_neuron"}
    assert {name for name, metric in made.items() if metric.of_draws} == {"ridgecv"}
    found = made["ridgecv"].of_draws(x[:30], one.mean[None, :30], x[30:])[0]
    np.testing.assert_allclose(found, loo_ridge(x[:30], one.mean[:30], x[30:], VISION_PENALTIES))


def test_the_ceiling_is_published_or_of_halves_or_none():
    _, one = given(noise=0.1)
    metric = metric_of("ridge1", one)
    published = metric.ceiling(replace(one, r_max=0.3))
    assert (published.kind, published.value) == ("r_max", 0.3)
    assert metric.ceiling(recorded(one.cube[:, :1])).kind == "none"
    found = metric.ceiling(recorded(one.cube[:, :2]))
    each = [pearsonr(one.cube[:, 0, j], one.cube[:, 1, j])[0] for j in range(4)]
    expected = 2 * np.array(each) / (1 + np.array(each))
    assert (found.kind, found.value) == ("internal_consistency", pytest.approx(np.median(expected)))
    np.testing.assert_allclose(found.per_neuroid, expected)
    noise = recorded(np.random.default_rng(0).normal(size=(400, 2, 5)))
    noisy = metric.ceiling(noise)
    assert noisy.kind == "none"
    assert np.isnan(noisy.value)
    assert noisy.note.startswith("none: too noisy, internal consistency ")
    assert noisy.note.endswith(" of at least 0.1; the raw value stands")
    assert noisy.per_neuroid.shape == (5,)


def test_consistency_of_four_repetitions_is_a_mean_over_ten_halvings():
    rng = np.random.default_rng(2)
    cube = rng.normal(size=(50, 1, 5)) + rng.normal(size=(50, 4, 5))
    table = []
    for first, second in ShuffleSplit(10, train_size=0.5, random_state=1).split(np.zeros(4)):
        one, other = cube[:, first].mean(axis=1), cube[:, second].mean(axis=1)
        r = np.array([pearsonr(one[:, j], other[:, j])[0] for j in range(5)])
        table.append(2 * r / (1 + r))
    value, each = internal_consistency(cube)
    assert value == pytest.approx(np.median(table, axis=1).mean())
    np.testing.assert_allclose(each, np.mean(table, axis=0))
    still = cube.copy()
    still[:, :, 1] = 4.0
    value, each = internal_consistency(still)
    assert value == pytest.approx(np.median(np.delete(table, 1, axis=1), axis=1).mean())
    assert np.isnan(each).tolist() == [False, True, False, False, False]


def test_memory_grows_with_units_neuroids_and_what_is_permuted():
    _, one = given()
    metric = metric_of("pls", one)
    assert metric.memory(one, 100) == 8 * (3 * 40 * 100 + 2 * 100 * 4 + 4 * 1000 * 40 * 4)
    large = recorded(np.zeros((2000, 1, 50)))
    assert metric.memory(large, 10) == 8 * (3 * 2000 * 10 + 2 * 10 * 50 + 4 * 2**24)


def test_a_layer_is_chosen_on_a_tenth_of_each_training_set():
    """A layer that answers by the tenth's own responses there, and by noise elsewhere, is chosen and scores nothing."""
    asked = []

    def remembered(x, y, x_test):
        asked.append((len(x), len(x_test)))
        return ordinary_least_squares(x, y, x_test)

    x, one = given(n=100)
    metric = BrainScoreRegression(
        "mine", on_every_split(remembered), Splitter(n_splits=10, kind="shuffles", seed=1)
    )
    found = metric.evaluate({"noise": x[::-1].copy(), "good": x}, one, NONE, NO_DRAWS)
    assert asked == ([(90, 10)] * 10 + [(81, 9)] * 10) * 2
    assert found.layer_by_split == ["good"] * 10
    assert found.raw == found.value == found.layers["good"] > 0.8 > found.layers["noise"]
    parts = metric._on_training(x, one.mean, [Split(np.arange(10, 100), np.arange(10))])
    train, test = next(ShuffleSplit(1, train_size=0.9, random_state=1).split(np.arange(90)))
    fitted = ordinary_least_squares(x[10 + train], one.mean[10 + train], x[10 + test])
    expected = np.median([pearsonr(fitted[:, j], one.mean[10 + test, j])[0] for j in range(4)])
    assert parts == [pytest.approx(expected)]


def test_splits_that_are_empty_in_a_draw_are_passed_over():
    headline = module._headline(module.none, np.asarray(1.0))
    r = np.array([[0.1, 0.3, 0.2], [np.nan, 0.5, 0.5], [0.6, 0.6, 0.9]])
    assert headline(r) == pytest.approx((0.2 + 0.6) / 2)
    assert headline(r[[0, 2]]) == pytest.approx(0.4)
    assert np.isnan(headline(r[1:2]))
    assert headline(r[:2]) == pytest.approx(0.2)
    np.testing.assert_allclose(headline(np.stack([r, r + 0.1])), [0.4, 0.5])
    halved = module._headline(module.r2_over_ceiling, np.asarray(0.5))
    assert halved(r[[0, 2]]) == pytest.approx(0.4**2 / 0.5)


def test_subjects_move_the_headline_by_what_is_missing_without_them():
    x, one = given(n_neuroids=6, subject=["a", "a", "b", "b", "c", "c"])
    metric = metric_of("ridge1", one)
    found = metric.evaluate({"layer": x}, one, NONE, ScoringOptions(n_bootstraps=20, n_permutations=0))
    y, splits = (
        one.mean,
        [Split(*pair) for pair in ShuffleSplit(10, train_size=0.9, random_state=1).split(one.mean)],
    )
    without = [
        mean_r(splits, x, np.delete(y, rows, axis=1), fixed_ridge) for rows in ([0, 1], [2, 3], [4, 5])
    ]
    expected = found.value - 2 * (np.array(without) - np.mean(without))
    np.testing.assert_allclose(found.replicates.subjects, expected)
    assert found.replicates.subjects.mean() == pytest.approx(found.value)
    assert found.replicates.samples.shape == (20,)
    single = recorded(one.cube, subject=["a"] * 6)
    alone = metric.evaluate({"layer": x}, single, NONE, ScoringOptions(n_bootstraps=20, n_permutations=0))
    assert alone.replicates.subjects.tolist() == [alone.value]


def test_few_stimuli_rare_labels_and_constant_predictions_are_told():
    x, one = given(n=12)
    metric = metric_of("ridge1", one)
    found = metric.evaluate({"layer": x}, one, NONE, NO_DRAWS)
    assert found.methods["held_out"] == "2 held-out stimuli a split: their r is -1, 0 or 1"
    with pytest.raises(UserError, match="^made.IT: ridge1 needs at least 12 stimuli, not 11$"):
        metric.evaluate({"layer": x[:11]}, recorded(one.cube[:11]), NONE, NO_DRAWS)
    _, labeled = given(n=40, columns={"object_name": ["one", *["a", "b", "c"] * 13]})
    x40, _ = given(n=40)
    found = metric_of("ridge1", labeled).evaluate({"layer": x40}, labeled, NONE, NO_DRAWS)
    assert found.methods["stratify"] == "not by object_name: a value has one stimulus"
    _, balanced = given(n=40, columns={"object_name": ["a", "b"] * 20})
    assert metric_of("ridge1", balanced).evaluate({"layer": x40}, balanced, NONE, NO_DRAWS).methods[
        "stratify"
    ] == ("object_name")
    flat = metric_of("ridge1", one).evaluate({"layer": np.ones((12, 2))}, one, NONE, NO_DRAWS)
    assert flat.raw == 0
    assert dict(flat.left_out) == {"neuroids predicted as a constant in some split (counted as r = 0)": 4}
    each = np.array([0.5, np.nan, 0.5, np.nan])
    found = metric.evaluate({"layer": x}, one, Ceiling("internal_consistency", 0.5, each), NO_DRAWS)
    assert found.left_out["neuroids without a ceiling (passed over by its median)"] == 2


def test_held_out_r_is_that_of_each_neuroid():
    _, one = given()
    split = Split(np.arange(10, 40), np.arange(10))
    prediction = np.random.default_rng(3).normal(size=(10, 4))
    found = module._r([HeldOut(split, prediction)], one.mean)
    np.testing.assert_allclose(found, [[pearsonr(prediction[:, j], one.mean[:10, j])[0] for j in range(4)]])


@pytest.mark.parametrize(
    "name", ["pls", "ridge1", "ridgecv", "linear_predictivity", "neuron_to_neuron", "language_linear"]
)
def test_splits_are_balanced_by_a_column_that_can_be_and_no_other(name):
    kind, own = ["a", "b"] * 20, [f"k{i}" for i in range(40)]
    _, one = given(columns={"kind": kind, "own": own})
    metric = metric_of(name, one, stratify="kind")
    assert metric.splitter.stratify == "kind"
    for split in metric.splitter.split(40, labels=one.columns["kind"]):
        assert sum(kind[i] == "a" for i in split.test) == 2
    with pytest.raises(UserError, match="own.*cannot be stratified|cannot be stratified.*own"):
        metric_of(name, one, stratify="own")
    with pytest.raises(UserError, match="unknown stimulus column of made.IT 'nothing'"):
        metric_of(name, one, stratify="nothing")
    assert metric_of(name, one).splitter.stratify == (None if name.startswith("language") else "object_name")
