"""Ceilings against known truths and rsatoolbox."""

import numpy as np
import pytest
import rsatoolbox
from hypothesis import given, settings
from hypothesis import strategies as st
from rsatoolbox.inference import boot_noise_ceiling

from brodmann import UserError
from brodmann.brain_data.noise_ceiling import (
    extrapolated_ceiling,
    rdm_ceiling,
    reliability,
    variance_reliability,
)


def noisy_cube(n_stimuli, n_repetitions, n_neuroids, noise, seed=0):
    rng = np.random.default_rng(seed)
    signal = rng.normal(size=(n_stimuli, 1, n_neuroids))
    return signal + noise * rng.normal(size=(n_stimuli, n_repetitions, n_neuroids))


@pytest.mark.parametrize(("n_repetitions", "noise"), [(2, 1.0), (3, 1.0), (5, 2.0), (8, 3.0)])
def test_reliability_is_the_share_of_signal_in_the_mean(n_repetitions, noise):
    cube = noisy_cube(800, n_repetitions, 60, noise)
    truth = 1 / (1 + noise**2 / n_repetitions)
    assert reliability(cube).mean() == pytest.approx(truth, abs=0.02)
    assert variance_reliability(cube).mean() == pytest.approx(truth, abs=0.02)


def test_reliability_of_noise_is_zero_and_of_a_constant_is_undefined():
    cube = np.random.default_rng(0).normal(size=(800, 6, 40))
    cube[:, :, 0] = 1.0
    found = reliability(cube)
    assert np.isnan(found[0])
    assert found[1:].mean() == pytest.approx(0, abs=0.05)


def test_missing_repetitions_are_left_out():
    cube = noisy_cube(500, 6, 30, 1.5)
    whole = reliability(cube).mean()
    cube[::3, 5] = np.nan
    assert reliability(cube).mean() == pytest.approx(whole, abs=0.03)


def test_variance_reliability_follows_bootstrap_weights():
    cube = noisy_cube(60, 4, 5, 1.0)
    weights = np.random.default_rng(1).multinomial(60, np.full(60, 1 / 60), size=3).astype(float)
    for draw, found in zip(weights, variance_reliability(cube, weights), strict=True):
        resampled = np.repeat(cube, draw.astype(int), axis=0)
        np.testing.assert_allclose(found, variance_reliability(resampled), atol=1e-10)


@settings(deadline=None, max_examples=20)
@given(st.integers(2, 8), st.integers(0, 1000))
def test_rdm_ceiling_is_rsatoolboxs(n_subjects, seed):
    rng = np.random.default_rng(seed)
    rdms = rng.random(66) + rng.random((n_subjects, 66))
    lower, upper, by_lower, by_upper = rdm_ceiling(rdms)
    expected = boot_noise_ceiling(rsatoolbox.rdm.RDMs(rdms), method="spearman")
    assert (lower, upper) == pytest.approx(expected, abs=1e-10)
    assert lower == pytest.approx(by_lower.mean())
    assert upper == pytest.approx(by_upper.mean())
    assert (by_lower <= by_upper).all()


def test_too_little_for_a_ceiling_is_said():
    with pytest.raises(UserError, match="at least 2 repetitions"):
        reliability(np.zeros((10, 1, 3)))
    with pytest.raises(UserError, match="at least 2 of them, not 1"):
        rdm_ceiling(np.zeros((1, 10)))
    with pytest.raises(UserError, match="at least 3 of them, not 2"):
        extrapolated_ceiling([np.zeros((5, 2))] * 2, lambda x, y: y.mean(axis=0))


def test_extrapolation_finds_the_asymptote_of_a_known_curve():
    def predict(features, targets):
        k = features.shape[1]
        return np.full(targets.shape[1], 0.6 * (1 - np.exp(-k / 1.5)))

    found = extrapolated_ceiling([np.zeros((5, 1))] * 7, predict, n_bootstraps=10)
    np.testing.assert_allclose(found, 0.6, atol=0.01)
