"""Whitened RSA against rsatoolbox and known truths."""

import numpy as np
import pandas as pd
import pytest
import rsatoolbox

from brodmann.analysis.representation.rdm import correlation_rdm, pairs
from brodmann.bench.metrics.base import ScoringOptions
from brodmann.bench.metrics.recording import Recording
from brodmann.bench.metrics.registries import METRICS

QUICK = ScoringOptions(n_bootstraps=100, n_permutations=99)
NONE = ScoringOptions(n_bootstraps=0, n_permutations=0)


def recorded_of(rdms):
    ids = np.arange(rdms.shape[-1]).astype(object)
    return Recording("made.IT", ids, None, rdms[:, None], pd.DataFrame(), {})


def subjects(n_stimuli=24, n_subjects=4, seed=0):
    """Features, and RDMs of subjects who share them, each with its own noise."""
    rng = np.random.default_rng(seed)
    shared = rng.normal(size=(n_stimuli, 20))
    own = [correlation_rdm(np.hstack([shared, rng.normal(size=(n_stimuli, 20))])) for _ in range(n_subjects)]
    return shared, np.array(own)


def evaluated(layers, rdms, options=NONE):
    recorded = recorded_of(rdms)
    metric = METRICS["rsa_whitened"].make(recorded, {})
    ceiling = metric.ceiling(recorded)
    return metric.evaluate(layers, recorded, ceiling, options), ceiling


def toolbox(one, others):
    one, others = (rsatoolbox.rdm.RDMs(pairs(rdms)) for rdms in (one[None], others))
    return rsatoolbox.rdm.compare(one, others, method="corr_cov")[0]


def test_the_value_is_rsatoolboxs():
    shared, rdms = subjects()
    result, ceiling = evaluated({"layer": shared}, rdms)
    expected = toolbox(correlation_rdm(shared), rdms)
    np.testing.assert_allclose(result.per_unit, expected, atol=1e-8)
    assert result.raw == pytest.approx(expected.mean(), abs=1e-8)
    assert result.value == pytest.approx(result.raw / ceiling.value)
    pairwise = np.mean([toolbox(rdms[i], rdms[i + 1 :]).sum() for i in range(3)]) / 2
    assert ceiling.value == pytest.approx(np.sqrt(pairwise), abs=1e-8)
    assert result.methods["compare"] == "whitened correlation"


def test_no_rdm_agrees_better_with_all_subjects_than_the_upper_bound():
    _, rdms = subjects()
    _, ceiling = evaluated({"layer": np.eye(24)}, rdms)
    assert 0 < ceiling.lower < ceiling.upper < 1
    rng = np.random.default_rng(1)
    best = -1.0
    for _ in range(300):
        mixed = np.tensordot(rng.dirichlet(np.full(4, 50.0)), rdms, axes=1)
        best = max(best, toolbox(mixed, rdms).mean())
    assert ceiling.upper - 1e-3 < best <= ceiling.upper + 1e-9


def test_each_lower_bound_is_the_agreement_with_the_other_subjects():
    """Of two subjects, the others are the other one."""
    _, rdms = subjects(n_subjects=2)
    _, ceiling = evaluated({"layer": np.eye(24)}, rdms)
    np.testing.assert_allclose(ceiling.per_subject["lower"], toolbox(rdms[0], rdms[1:])[0], atol=1e-8)


def test_the_layer_is_chosen_on_other_stimuli_and_a_good_one_is_certain():
    shared, rdms = subjects()
    noise = np.random.default_rng(2).normal(size=(3, *shared.shape))
    layers = {f"noise{i}": one for i, one in enumerate(noise)} | {"good": shared}
    result, _ = evaluated(layers, rdms, QUICK)
    assert set(result.layer_by_split) == {"good"}
    assert result.p == pytest.approx(1 / 100)
    assert result.ci[0] <= result.value <= result.ci[1]


def test_the_spread_of_the_draws_is_that_over_new_stimuli_or_somewhat_wider():
    values, spreads = [], []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        shared = rng.normal(size=(60, 12))
        rdm = correlation_rdm(shared + 1.5 * rng.normal(size=shared.shape))
        result, ceiling = evaluated({"layer": shared}, rdm[None], QUICK)
        assert ceiling.kind == "none"
        values.append(result.raw)
        spreads.append(result.replicates.error_of_samples)
    assert 0.95 < np.mean(spreads) / np.std(values, ddof=1) < 1.5
