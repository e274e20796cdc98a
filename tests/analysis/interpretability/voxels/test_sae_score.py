"""What learning adds: near 0 where features carry nothing, positive where voxels read them, never without a control."""

import numpy as np
import pytest
from few_stimuli import sae_of

from brodmann.analysis.interpretability.voxels.sae_score import sae_score
from brodmann.analysis.statistics.paired_tests import t_quantile
from brodmann.analysis.statistics.replicates import Replicates
from brodmann.errors import UserError


def replicates(value, samples):
    return Replicates(value, samples=np.asarray(samples, float), n_samples=len(samples))


def test_the_value_is_the_difference_from_the_mean_control():
    generator = np.random.default_rng(0)
    features = replicates(0.5, 0.5 + 0.01 * generator.normal(size=20))
    controls = [replicates(value, value + 0.01 * generator.normal(size=20)) for value in (0.3, 0.4)]
    found = sae_score(features, controls)
    assert found.value == pytest.approx(0.15)
    assert (found.score, found.control, found.n_controls, found.exceeded) == (0.5, pytest.approx(0.35), 2, 0)


def test_what_is_shared_with_the_controls_does_not_widen_the_interval():
    shared = 0.05 * np.random.default_rng(1).normal(size=30)
    small = 0.001 * np.random.default_rng(2).normal(size=30)
    features, control = replicates(0.4, 0.4 + shared + small), replicates(0.4, 0.4 + shared)
    low, high = sae_score(features, [control]).ci
    expected = 2 * t_quantile(0.975, 29) * small.std() * np.sqrt(29)
    assert high - low == pytest.approx(expected, rel=1e-6)


def test_controls_that_scatter_widen_it():
    generator = np.random.default_rng(3)
    noise = 0.002 * generator.normal(size=30)
    features = replicates(0.4, 0.4 + noise)
    alike = sae_score(features, [replicates(value, np.full(30, value)) for value in (0.3, 0.3, 0.3, 0.3)])
    apart = sae_score(features, [replicates(value, np.full(30, value)) for value in (0.2, 0.4, 0.3, 0.3)])
    assert alike.value == pytest.approx(apart.value)
    assert np.diff(apart.ci)[0] > 5 * np.diff(alike.ci)[0]
    assert apart.p > alike.p
    assert apart.exceeded == 1
    spread = np.std([0.2, 0.4, 0.3, 0.3], ddof=1)
    # nearly all of the error is that of a draw from them and of the mean of four: 3 degrees of freedom
    assert np.diff(apart.ci)[0] / 2 == pytest.approx(t_quantile(0.975, 3) * spread * np.sqrt(1.25), rel=0.05)


def test_without_a_control_there_is_no_score():
    with pytest.raises(UserError, match="needs one of untrained dictionaries"):
        sae_score(replicates(0.5, np.full(9, 0.5)), [])


def test_scores_without_an_interval_give_none():
    found = sae_score(Replicates(0.5), [Replicates(0.2), Replicates(0.4)])
    assert found.value == pytest.approx(0.2)
    assert np.isnan([*found.ci, found.p]).all()


def test_true_codes_are_worth_more_than_untrained_ones():
    found = sae_of(0, reads_codes=True)
    assert found.value > 0.3
    assert found.p < 0.05


@pytest.mark.slow
def test_its_interval_covers_and_its_p_holds_with_few_stimuli_in_groups():
    """24 groups of 5 stimuli; a learnt dictionary that is one more untrained one."""
    found = [sae_of(seed, reads_codes=False, learnt=7) for seed in range(150)]
    assert abs(np.mean([one.value for one in found])) < 0.02
    assert np.mean([one.p <= 0.05 for one in found]) <= 0.08
    assert np.mean([one.ci[0] <= 0 <= one.ci[1] for one in found]) >= 0.92
