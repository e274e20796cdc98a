"""Ridge: its interval against refitting without each group, its memory, and what a record says of penalties."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import Ridge

from brodmann import UserError
from brodmann.analysis.encoding.nested_ridge import ALPHAS, nested_ridge
from brodmann.analysis.encoding.on_card import ridge as on_card
from brodmann.analysis.encoding.pooled import PooledFolds
from brodmann.bench.metrics import kept_fits, ridge
from brodmann.bench.metrics.base import ScoringOptions
from brodmann.bench.metrics.recording import Recording
from brodmann.bench.metrics.registries import METRICS
from brodmann.bench.metrics.uncertainty import MOST_TESTED

N, N_GROUPS, N_NEUROIDS = 60, 10, 9


def world(seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(N, 4))
    y = x @ rng.normal(size=(4, N_NEUROIDS)) + 2 * rng.normal(size=(N, N_NEUROIDS))
    story = np.array([f"s{i % N_GROUPS}" for i in range(N)], object)
    table = pd.DataFrame({"neuroid_id": np.arange(N_NEUROIDS)})
    one = Recording(
        "made", np.arange(N).astype(object), y[:, None], None, table, {"story": story}, position=np.arange(N)
    )
    return x, y, one


@pytest.fixture(scope="module")
def scored():
    x, y, one = world()
    metric = METRICS["ridge"].make(one, {})
    options = ScoringOptions(n_bootstraps=1, n_permutations=0)
    return x, y, one, metric, metric.evaluate({"x": x}, one, metric.ceiling(one), options)


def test_without_ceiling_the_headline_is_the_median_r_of_pooled_folds(scored):
    x, y, _, metric, result = scored
    fits = list(nested_ridge(x, y, metric.sampling.folds))
    r = PooledFolds(metric.sampling.tests, y).r([one.prediction for one in fits])
    np.testing.assert_allclose(result.per_unit, r, atol=1e-6)
    assert result.value == result.raw == pytest.approx(np.median(r), abs=1e-6)
    assert result.layers == {"x": pytest.approx(result.raw)}
    assert (result.n_stimuli, result.n_neuroids, dict(result.left_out)) == (N, N_NEUROIDS, {})


def test_the_jackknife_moves_as_refitting_without_each_group_does(scored):
    """Each group of stimuli is neither fitted nor held out; penalties stay. Half of the move of training by design."""
    x, y, _, metric, result = scored
    groups = metric.sampling.jackknife_groups
    assert sorted(set(groups)) == list(range(N_GROUPS))
    fits = list(nested_ridge(x, y, metric.sampling.folds))
    brute = []
    for group in range(N_GROUPS):
        predictions = []
        for fit in fits:
            train = fit.split.train[groups[fit.split.train] != group]
            columns = [
                Ridge(fit.alpha[k] * fit.basis.mean_eigenvalue)
                .fit(x[train], y[train, k])
                .predict(x[fit.split.test])
                for k in range(N_NEUROIDS)
            ]
            predictions.append(np.stack(columns, axis=1))
        r = PooledFolds(metric.sampling.tests, y).r(predictions, groups != group)
        whole = result.per_unit
        middle = (whole >= np.quantile(whole, 0.25)) & (whole <= np.quantile(whole, 0.75))
        brute.append(np.median(whole) + (r - whole)[middle].mean())
    ours = result.replicates
    assert (ours.kind, ours.n_samples) == ("jackknife", N_GROUPS)
    assert np.corrcoef(ours.samples, brute)[0, 1] > 0.9
    assert np.std(ours.samples) == pytest.approx(np.std(brute), rel=0.35)
    assert result.ci == ours.interval()
    assert result.methods["interval"].startswith("95% jackknife over 10 groups of stimuli")


def test_memory_grows_with_units_stimuli_and_permuted_neuroids():
    _, _, one = world()
    metric = METRICS["ridge"].make(one, {})
    small, large = metric.memory(one, 3), metric.memory(one, 1_000)
    assert 0 < small < large
    assert isinstance(small, int)
    wide = Recording(
        "wide", one.stimulus_ids, np.tile(one.cube, (1, 1, 40)), None,
        pd.DataFrame({"neuroid_id": np.arange(40 * N_NEUROIDS)}), one.columns, position=one.position,
    )  # fmt: skip
    assert METRICS["ridge"].make(wide, {}).memory(wide, 100) > small


def test_a_record_says_which_penalties_were_chosen(scored):
    *_, result = scored
    said = result.methods
    assert said["penalty_chosen"] in ALPHAS
    assert len(said["penalties_chosen"]) == 5
    assert said["penalties_chosen"] == sorted(said["penalties_chosen"])
    assert said["penalties_chosen"][2] == pytest.approx(said["penalty_chosen"], rel=10)
    assert (said["folds"], said["inner_folds"], said["group"], said["n_groups"]) == (5, 5, "story", N_GROUPS)


def test_a_record_says_by_which_products_a_card_made_it(scored, monkeypatch):
    x, _, one, metric, result = scored
    assert "products" not in result.methods
    monkeypatch.setattr(on_card, "serves", lambda device: True)
    options = ScoringOptions(n_bootstraps=1, n_permutations=0)
    there = metric.evaluate({"x": x}, one, metric.ceiling(one), options)
    assert there.methods["products"] == "float32"
    assert there.value == pytest.approx(result.value, abs=1e-4)
    monkeypatch.setenv("BRODMANN_PRODUCTS", "tf32")
    options = ScoringOptions(n_bootstraps=0, n_permutations=0)
    assert metric.evaluate({"x": x}, one, metric.ceiling(one), options).methods["products"] == "tf32"


def test_a_layer_of_noise_is_not_chosen_and_stands_in_the_curve(scored):
    x, _, one, metric, alone = scored
    noise = np.random.default_rng(1).normal(size=(N, 6))
    options = ScoringOptions(n_bootstraps=0, n_permutations=0)
    result = metric.evaluate({"noise": noise, "x": x}, one, metric.ceiling(one), options)
    assert (result.layer, list(result.layer_by_split)) == ("x", ["x"] * 5)
    assert list(result.layers) == ["noise", "x"]
    assert result.layers["noise"] < 0.2 < result.layers["x"]
    assert result.value == pytest.approx(alone.value)
    assert result.arrays["layer_units"].shape == (2, N_NEUROIDS)
    np.testing.assert_allclose(result.arrays["layer_units"][1], result.per_unit, rtol=1e-5)
    flat = metric.evaluate({"flat": np.ones((N, 3))}, one, metric.ceiling(one), options)
    assert flat.value == 0
    assert dict(flat.left_out) == {"neuroids predicted as a constant (counted as r = 0)": N_NEUROIDS}


def shared(noise, n=120, n_neuroids=8, seed=3, columns=None, **more):
    """Responses that hold two independent sources in equal parts, shown four times."""
    rng = np.random.default_rng(seed)
    first, second = rng.normal(size=(2, n, 3))
    weights = rng.normal(size=(2, 3, n_neuroids))
    weights /= np.linalg.norm(weights, axis=1, keepdims=True)
    y = first @ weights[0] + second @ weights[1]
    cube = y[:, None] + noise * rng.normal(size=(n, 4, n_neuroids))
    neuroids = pd.DataFrame({"neuroid_id": np.arange(n_neuroids)})
    one = Recording(
        "made.IT", np.arange(n).astype(object), cube, None, neuroids, columns or {}, position=np.arange(n),
        blocks="none", **more,
    )  # fmt: skip
    return first, second, one


def test_beyond_a_half_a_layer_adds_the_other_half():
    first, second, one = shared(np.full(8, 0.1))
    metric = METRICS["ridge"].make(one, {})
    options = ScoringOptions(n_bootstraps=1, n_permutations=19)
    found = metric.beyond(
        {"layer": second}, ["layer"] * 5, {"known": [first]}, one, metric.ceiling(one), options
    )
    assert found.beyond == pytest.approx(0.5, abs=0.08)
    assert found.beyond_p == pytest.approx(0.05)
    assert list(found.beyond_spaces) == ["known"]
    assert found.beyond_ci[0] < found.beyond < found.beyond_ci[1]
    quiet = ScoringOptions(n_bootstraps=0, n_permutations=0)
    nothing = metric.beyond(
        {"layer": first}, ["layer"] * 5, {"known": [first]}, one, metric.ceiling(one), quiet
    )
    assert nothing.beyond == pytest.approx(0, abs=0.02)


def test_neuroids_are_chosen_on_half_of_the_stimuli_and_scored_on_the_other():
    first, second, one = shared(np.array([0.1, 50.0] * 4))
    metric = METRICS["ridge"].make(one, {"least_reliability": 0.5})
    weights, kept = metric.chosen(one)
    assert kept.tolist() == [0, 2, 4, 6]
    assert 0.3 < np.mean(weights == 0) < 0.7
    options = ScoringOptions(n_bootstraps=0, n_permutations=0)
    found = metric.evaluate({"both": np.hstack([first, second])}, one, metric.ceiling(one), options)
    assert found.n_neuroids == 4
    assert found.n_stimuli == (weights > 0).sum()
    assert found.left_out["stimuli that only chose neuroids"] == (weights == 0).sum()
    unreliable = "neuroids with a reliability below 0.5 on the other half of the stimuli"
    assert found.left_out[unreliable] == 4
    assert np.isnan(found.per_unit).tolist() == [False, True] * 4
    assert found.raw == pytest.approx(1, abs=0.01)
    plain = METRICS["ridge"].make(one, {})
    weights, kept = plain.chosen(one)
    assert (weights.tolist(), kept.tolist()) == ([1.0] * 120, list(range(8)))
    noise = shared(np.full(8, 100.0))[2]
    with pytest.raises(
        UserError, match="^made.IT: none of 8 neuroids has a reliability of at least 0.9 on half"
    ):
        METRICS["ridge"].make(noise, {"least_reliability": 0.9}).chosen(noise)


def test_a_reliability_that_chooses_nothing_is_refused():
    _, _, one = shared(np.full(8, 1.0))
    for given in (-0.1, 1, "much", None):
        with pytest.raises(UserError, match=f"must be a number from 0 on and below 1, not {given!r}"):
            METRICS["ridge"].make(one, {"least_reliability": given})
    assert METRICS["ridge"].make(one, {"least_reliability": "0.25"}).least_reliability == 0.25
    once = shared(np.full(8, 1.0))[2]
    published = replace(once, r_max=0.5)
    with pytest.raises(UserError, match="its ceiling was published, so least_reliability = 0.2 has nothing"):
        METRICS["ridge"].make(published, {"least_reliability": 0.2})
    single = replace(once, cube=once.cube[:, :1])
    with pytest.raises(
        UserError, match="every stimulus was shown once, so least_reliability = 0.2 has nothing"
    ):
        METRICS["ridge"].make(single, {"least_reliability": 0.2})
    assert METRICS["ridge"].make(single, {"least_reliability": 0}).least_reliability == 0


def test_of_many_neuroids_some_make_the_interval_and_a_quality_of_ones_own_makes_the_curve():
    n_neuroids = MOST_TESTED + 1
    first, second, one = shared(np.full(n_neuroids, 1.0), n=40, n_neuroids=n_neuroids)
    metric = METRICS["ridge"].make(one, {})
    layers = {"both": np.hstack([first, second])}
    options = ScoringOptions(n_bootstraps=1, n_permutations=0)
    found = metric.evaluate(layers, one, metric.ceiling(one), options)
    assert found.methods["interval"].endswith(
        f"; without each group over {MOST_TESTED} of {n_neuroids} neuroids"
    )
    none = metric.evaluate(layers, one, metric.ceiling(one), replace(options, n_bootstraps=0))
    assert none.methods["interval"] == "not asked for"
    asked = []
    curve, best = metric.sweep(layers, one, quality=lambda fits: asked.append(len(fits)) or 7.0)
    assert curve == {"both": 7.0}
    assert asked == [5]
    assert [layer for layer, _ in best] == ["both"] * 5
    units = {}
    curve, _ = metric.sweep(layers, one, units=units)
    assert curve["both"] == pytest.approx(np.median(units["both"]))
    assert units["both"].shape == (n_neuroids,)


def test_linear_is_ridge_without_a_penalty():
    first, second, one = shared(np.full(8, 1.0))
    metric = METRICS["linear"].make(one, {"folds": 4})
    assert (metric.name, metric.alphas.tolist(), metric.sampling.n_splits) == ("linear", [0.0], 4)
    x = np.hstack([first, second])
    found = metric.evaluate(
        {"x": x}, one, metric.ceiling(one), ScoringOptions(n_bootstraps=0, n_permutations=0)
    )
    predictions = [
        np.column_stack([np.ones(len(s.test)), x[s.test]])
        @ np.linalg.lstsq(
            np.column_stack([np.ones(len(s.train)), x[s.train]]), one.mean[s.train], rcond=None
        )[0]
        for s in (fold.split for fold in metric.sampling.folds)
    ]
    expected = PooledFolds(metric.sampling.tests, one.mean).r(predictions)
    np.testing.assert_allclose(found.per_unit, expected, atol=1e-9)
    assert "penalty_chosen" not in found.methods
    assert found.methods["penalties"] == [0.0]


def test_layers_are_split_over_cards_and_give_the_same_numbers(monkeypatch):
    """The processor under two names stands for two cards."""
    x, _, one = world()
    layers = {f"layer{i}": x + i * np.random.default_rng(i).normal(size=x.shape) for i in range(5)}
    metric = METRICS["ridge"].make(one, {})
    used = set()

    class Seen(kept_fits.NestedRidge):
        def __init__(self, features, folds, alphas, device, **options):
            used.add(device)
            super().__init__(features, folds, alphas, device, **options)

    monkeypatch.setattr(kept_fits, "NestedRidge", Seen)
    found = []
    for cards in (["cpu"], ["cpu", "cpu:0"]):
        monkeypatch.setattr(ridge, "products_devices", lambda cards=cards: cards)
        found.append(metric.sweep(layers, one))
    assert used == {"cpu", "cpu:0"}
    (curve, best), (curve_of_two, best_of_two) = found
    assert list(curve) == list(curve_of_two) == list(layers)
    assert curve == curve_of_two
    assert [layer for layer, _ in best] == [layer for layer, _ in best_of_two]
    for (_, fit), (_, other) in zip(best, best_of_two, strict=True):
        np.testing.assert_array_equal(fit.prediction, other.prediction)
