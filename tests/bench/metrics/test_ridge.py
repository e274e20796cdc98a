"""Ridge: its interval against refitting without each group, its memory, and what a record says of penalties."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import Ridge

from brodmann.analysis.encoding.nested_ridge import ALPHAS, nested_ridge
from brodmann.analysis.encoding.pooled import PooledFolds
from brodmann.bench.metrics.base import ScoringOptions
from brodmann.bench.metrics.recording import Recording
from brodmann.bench.metrics.registries import METRICS

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
