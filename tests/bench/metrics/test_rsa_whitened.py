"""Whitened RSA against rsatoolbox and known truths."""

import numpy as np
import pandas as pd
import pytest
import rsatoolbox

from brodmann.analysis.representation.rdm import correlation_rdm, pairs
from brodmann.bench.metrics.base import ScoringOptions
from brodmann.bench.metrics.recording import Recording
from brodmann.bench.metrics.registries import METRICS
from brodmann.bench.metrics.sampling import Sampling

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


@pytest.mark.parametrize(("n", "nearly_all", "half"), [(10, 9, 5), (21, 20, 10), (41, 39, 20)])
def test_subsets_hold_95_percent_of_the_groups_and_never_all_or_half_of_them(n, nearly_all, half):
    metric = METRICS["rsa_whitened"].make(recorded_of(subjects()[1]), {})
    alone = Sampling("independent", None, np.arange(n))
    for first_order, taken in ((True, nearly_all), (False, half)):
        weights, times = metric._drawn(alone, 30, 1, first_order=first_order)
        assert weights.shape == (30, n)
        assert (weights.sum(axis=1) == taken).all()
        assert times == pytest.approx(taken / (n - taken))
        assert len(np.unique(weights, axis=0)) > 5
        np.testing.assert_array_equal(weights, metric._drawn(alone, 30, 1, first_order=first_order)[0])
        groups = np.repeat(np.arange(n), 2)
        whole, _ = metric._drawn(
            Sampling("groups", groups, np.arange(2 * n), "story"), 30, 1, first_order=first_order
        )
        np.testing.assert_array_equal(whole, np.repeat(weights, 2, axis=1))


def test_agreement_of_a_subset_is_that_of_its_stimuli_alone():
    _, rdms = subjects(8, 3)
    metric = METRICS["rsa_whitened"].make(recorded_of(rdms), {})
    weights = np.array([[1, 1, 1, 1, 1, 0, 0, 0], [1, 1, 1, 0, 0, 0, 0, 0.0]])
    found = metric._among_redrawn(rdms, weights, None, first_order=True)
    some = rdms[:, :5, :5]
    expected = [np.mean([toolbox(some[i], some[j : j + 1])[0] for j in range(3) if j != i]) for i in range(3)]
    np.testing.assert_allclose(found[0], expected, atol=1e-6)
    assert np.isnan(found[1]).all()
    against = metric._redrawn(rdms[0], rdms[1:], weights, None, first_order=True)
    np.testing.assert_allclose(against[0], toolbox(some[0], some[1:]), atol=1e-6)
    assert np.isnan(against[1]).all()
