"""RSA: bounds, layer choice, intervals and p values against known truths."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kstest, spearmanr

from brodmann import UserError
from brodmann.analysis.representation.rdm import correlation_rdm, pairs
from brodmann.bench.metrics.base import ScoringOptions
from brodmann.bench.metrics.recording import Recording, recording
from brodmann.bench.metrics.rsa import Similarity
from brodmann.brain_data.simulated_cortex import simulated_cortex

QUICK = ScoringOptions(n_bootstraps=200, n_permutations=199)


def subjects(n_stimuli=40, n_subjects=5, noise=1.0, seed=0):
    """RDMs of subjects who share a representation, each with its own noise."""
    rng = np.random.default_rng(seed)
    shared = rng.normal(size=(n_stimuli, 30))
    own = [
        correlation_rdm(np.hstack([shared, noise * rng.normal(size=(n_stimuli, 30))]))
        for _ in range(n_subjects)
    ]
    ids = np.arange(n_stimuli).astype(object)
    return shared, Recording("shared.IT", ids, None, np.array(own)[:, None], pd.DataFrame(), {})


def test_one_layer_scores_the_plain_mean_of_spearman_correlations():
    shared, recorded = subjects()
    rsa = Similarity()
    ceiling = rsa.ceiling(recorded)
    metric_result = rsa.evaluate({"layer": shared}, recorded, ceiling, QUICK)
    expected = [
        spearmanr(pairs(correlation_rdm(shared)), pairs(rdm)).statistic for rdm in recorded.rdms[:, 0]
    ]
    np.testing.assert_allclose(metric_result.per_unit, expected, atol=1e-10)
    assert metric_result.raw == pytest.approx(np.mean(expected))
    assert metric_result.value == pytest.approx(min(metric_result.raw / ceiling.upper, 1))
    assert metric_result.normalization == "r_over_ceiling"
    assert metric_result.p == pytest.approx(1 / 200)
    assert metric_result.ci[0] <= metric_result.value <= metric_result.ci[1]


def test_the_upper_bound_is_above_every_model_and_the_lower_below_it():
    shared, recorded = subjects()
    ceiling = Similarity().ceiling(recorded)
    assert ceiling.lower < ceiling.upper
    for noise in (0.0, 0.3, 1.0):
        features = shared + noise * np.random.default_rng(1).normal(size=shared.shape)
        assert Similarity().evaluate({"layer": features}, recorded, ceiling, QUICK).raw < ceiling.upper


def test_the_layer_is_chosen_on_the_other_half_of_the_stimuli():
    shared, recorded = subjects()
    rng = np.random.default_rng(2)
    layers = {f"noise{i}": rng.normal(size=shared.shape) for i in range(10)} | {"good": shared}
    metric_result = Similarity().evaluate(layers, recorded, Similarity().ceiling(recorded), QUICK)
    assert set(metric_result.layer_by_split) == {"good"}
    assert metric_result.raw == pytest.approx(metric_result.layers["good"], abs=0.03)


def test_p_of_a_model_that_knows_nothing_is_uniform():
    p = []
    for seed in range(100):
        _, recorded = subjects(n_stimuli=24, n_subjects=2, seed=seed)
        rng = np.random.default_rng(10**6 + seed)
        layers = {"one": rng.normal(size=(24, 20)), "other": rng.normal(size=(24, 20))}
        options = ScoringOptions(n_bootstraps=0, n_permutations=99)
        p.append(
            Similarity(n_repeats=2).evaluate(layers, recorded, Similarity().ceiling(recorded), options).p
        )
    assert kstest(p, "uniform").pvalue > 0.01


def test_one_rdm_has_no_ceiling_and_the_raw_value_stands():
    shared, recorded = subjects(n_subjects=1)
    ceiling = Similarity().ceiling(recorded)
    metric_result = Similarity().evaluate({"layer": shared}, recorded, ceiling, QUICK)
    assert ceiling.kind == "none"
    assert np.isnan(ceiling.value)
    assert metric_result.normalization == "none"
    assert metric_result.value == metric_result.raw


@pytest.mark.parametrize("distance", ["correlation", "crossnobis"])
def test_responses_give_an_rdm_and_a_ceiling_from_their_repetitions(distance):
    data = simulated_cortex(n_stimuli=100)
    recorded = recording(data, "IT")
    rsa = Similarity(distance=distance)
    ceiling = rsa.ceiling(recorded)
    assert ceiling.kind == "r_max"
    truth = rsa.evaluate({"truth": data.truth["signal"]["IT"]}, recorded, ceiling, QUICK)
    assert truth.raw > 0.75
    assert truth.raw < 1.05 * ceiling.value


def test_too_few_stimuli_are_refused():
    shared, recorded = subjects(n_stimuli=6)
    with pytest.raises(UserError, match="at least 8 stimuli, not 6"):
        Similarity().evaluate({"layer": shared}, recorded, Similarity().ceiling(recorded), QUICK)
