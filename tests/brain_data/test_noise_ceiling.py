"""Ceilings against known truths and rsatoolbox."""

from itertools import combinations

import numpy as np
import pytest
import rsatoolbox
from hypothesis import given, settings
from hypothesis import strategies as st
from rsatoolbox.inference import boot_noise_ceiling
from scipy.stats import f_oneway, pearsonr

from brodmann import UserError
from brodmann.brain_data.noise_ceiling import (
    extrapolated_ceiling,
    noise_variance,
    rdm_ceiling,
    reliability,
    reliability_within,
    repetition_weights,
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


def spearman_brown(r, k):
    return k * r / (1 + (k - 1) * r)


def halves_correlation(cube, first, second):
    """Pearson r over stimuli between the means of two sets of repetitions, by scipy."""
    one, other = cube[:, list(first)].mean(axis=1), cube[:, list(second)].mean(axis=1)
    return np.array([pearsonr(a, b).statistic for a, b in zip(one.T, other.T, strict=True)])


@pytest.mark.parametrize(("n_repetitions", "n_halves"), [(2, 100), (3, 100), (4, 100), (5, 3000)])
def test_reliability_is_the_median_over_all_halvings(n_repetitions, n_halves):
    """With halves of equal size, one neuroid's second repetition is turned over: its reliability is below zero."""
    cube = noisy_cube(12, n_repetitions, 3, 0.7)
    cube[:, 1, 2] *= 1.0 if n_repetitions % 2 else -0.8
    half = n_repetitions // 2
    every = [
        (first, second)
        for first in combinations(range(n_repetitions), half)
        for second in combinations(sorted(set(range(n_repetitions)) - set(first)), half)
        if first < second
    ]
    r = np.array([halves_correlation(cube, *one) for one in every])
    expected = np.median(spearman_brown(r, n_repetitions / half), axis=0)
    np.testing.assert_allclose(reliability(cube, n_halves=n_halves), expected, rtol=1e-9)


@pytest.mark.parametrize("n_repetitions", [2, 3])
def test_a_half_that_is_the_other_turned_over_has_a_finite_reliability(n_repetitions):
    cube = noisy_cube(50, 1, 1, 0.0) * np.array([1.0, -1.0, -1.0])[:n_repetitions, None]
    found = reliability(cube, n_halves=1)[0] if n_repetitions == 2 else reliability(cube, n_halves=40)[0]
    assert -2000 < found < -1000


def test_halvings_are_drawn_from_the_seed():
    cube = noisy_cube(10, 6, 4, 2.0)
    given = reliability(cube, n_halves=100, random_state=0)
    np.testing.assert_array_equal(reliability(cube), given)
    assert (reliability(cube, random_state=1) != given).any()
    assert (reliability(cube, n_halves=101) != given).any()
    np.testing.assert_array_equal(reliability(cube, random_state=1), reliability(cube, random_state=1))


def test_a_stimulus_that_one_half_lacks_is_left_out_of_both():
    cube = noisy_cube(20, 2, 3, 1.0)
    cube[4, 0, 1] = cube[9, 1, 2] = np.nan
    whole = np.delete(cube, [4, 9], axis=0)
    np.testing.assert_allclose(reliability(cube), reliability(whole))
    cube = noisy_cube(5, 2, 3, 1.0)
    cube[0, 0], cube[1, 1, 0] = np.nan, np.nan
    assert np.isfinite(reliability(cube)).all()
    cube[2, 0, 2] = np.nan
    with pytest.raises(
        UserError,
        match="in both halves of the repetitions: too few for a reliability$",
    ):
        reliability(cube)
    with pytest.raises(UserError, match="needs at least 3 of them, not 2"):
        reliability(cube[:2])
    assert np.isfinite(reliability(noisy_cube(3, 2, 3, 1.0))).all()


def test_a_half_is_the_mean_of_the_repetitions_that_are_there():
    cube = noisy_cube(30, 4, 2, 1.0)
    missing = cube.copy()
    missing[:15, 3] = np.nan
    filled = cube.copy()
    means = [
        [np.nanmean(missing[:, list(half)], axis=1) for half in (first, set(range(4)) - set(first))]
        for first in [(0, 1), (0, 2), (0, 3)]
    ]
    r = [[pearsonr(one[:, i], other[:, i]).statistic for i in range(2)] for one, other in means]
    np.testing.assert_allclose(
        reliability(missing), np.median(spearman_brown(np.array(r), 2), axis=0), rtol=1e-9
    )
    np.testing.assert_array_equal(cube, filled)


def test_variance_reliability_is_one_less_the_inverse_of_the_f_of_an_anova():
    cube = noisy_cube(9, 4, 5, 1.0)
    f = np.array([f_oneway(*cube[:, :, i]).statistic for i in range(5)])
    np.testing.assert_allclose(variance_reliability(cube), 1 - 1 / f)
    assert variance_reliability(cube, np.ones((3, 9))).shape == (3, 5)
    two = noisy_cube(9, 2, 5, 1.0)
    f = np.array([f_oneway(*two[:, :, i]).statistic for i in range(5)])
    np.testing.assert_allclose(variance_reliability(two), 1 - 1 / f)


def test_variance_reliability_weighs_each_stimulus_by_its_own_repetitions():
    cube = noisy_cube(12, 4, 3, 1.0)
    cube[:5, 3] = np.nan
    counted = np.where(np.arange(12) < 5, 3, 4)[:, None]
    noise = (np.nanvar(cube, axis=1, ddof=1) / counted).mean(axis=0)
    expected = 1 - noise / np.nanmean(cube, axis=1).var(axis=0, ddof=1)
    np.testing.assert_allclose(variance_reliability(cube), expected)
    single = np.concatenate([cube, np.full((1, 4, 3), np.nan)])
    single[-1, 0] = 50.0  # one presentation tells nothing about the noise
    np.testing.assert_allclose(variance_reliability(single), expected)
    still = np.repeat(cube[:, :1], 4, axis=1)
    np.testing.assert_allclose(variance_reliability(still), 1.0)
    assert np.isnan(variance_reliability(np.ones((6, 3, 1)))).all()
    no_signal = np.tile([[-1.0], [1.0]], (6, 1, 1))  # repetitions differ, their means do not
    assert (variance_reliability(no_signal) == -np.inf).all()
    far = cube + np.array([0.0, 1e8, -1e8])
    np.testing.assert_allclose(variance_reliability(far), expected, rtol=1e-5)


def test_extrapolation_pools_every_set_of_others_and_at_most_ten_of_a_size():
    subjects = [np.full((5, 2), float(i)) for i in range(7)]
    asked = []

    def predict(features, targets):
        asked.append((int(targets[0, 0]), tuple(np.unique(features[0]).astype(int))))
        assert features.shape == (5, 2 * len(asked[-1][1]))
        return np.full(2, 0.5 * (1 - np.exp(-len(asked[-1][1]))))

    np.testing.assert_allclose(extrapolated_ceiling(subjects, predict, n_bootstraps=1), 0.5, rtol=1e-4)
    for target in range(7):
        sets = [others for one, others in asked if one == target]
        assert len(set(sets)) == len(sets)
        assert all(target not in others for others in sets)
        assert [sum(len(others) == k for others in sets) for k in range(1, 7)] == [6, 10, 10, 10, 6, 1]


@pytest.mark.parametrize(("asymptote", "tau"), [(0.95, 4.0), (0.3, 0.5), (0.6, 1.5)])
def test_an_exact_curve_is_found_exactly(asymptote, tau):
    def predict(features, targets):
        return np.full(targets.shape[1], asymptote * (1 - np.exp(-features.shape[1] / tau)))

    found = extrapolated_ceiling([np.zeros((5, 1))] * 6, predict, n_bootstraps=3)
    np.testing.assert_allclose(found, asymptote, rtol=1e-3)


def noisy_curve(asymptote):
    """Scores of the first subject on a rising curve, with noise; the others cannot be predicted."""

    def predict(features, targets):
        if targets[0, 0] > 1:
            return np.array([np.nan])
        rng = np.random.default_rng(int(features[0].sum()))
        return asymptote * (1 - np.exp(-features.shape[1] / 1.5)) + 0.05 * rng.normal(size=1)

    return predict, [np.full((5, 1), float(2**i)) for i in range(4)]


def test_no_extrapolated_ceiling_is_above_1():
    predict, subjects = noisy_curve(1.6)
    found = extrapolated_ceiling(subjects, predict, n_bootstraps=5)
    np.testing.assert_allclose(found, [1.0, np.nan, np.nan, np.nan], atol=1e-6)


def test_a_hundred_curves_are_drawn_from_the_seed():
    predict, subjects = noisy_curve(0.6)
    default = extrapolated_ceiling(subjects, predict)
    given = extrapolated_ceiling(subjects, predict, n_subsets=10, n_bootstraps=100, random_state=0)
    np.testing.assert_array_equal(default, given)
    one, same, other = (
        extrapolated_ceiling(subjects, predict, n_bootstraps=1, random_state=seed)[0] for seed in (4, 4, 5)
    )
    assert one == same
    assert one != other


def test_scores_that_are_missing_are_left_out_of_the_curve():
    """Of three subjects' pairs one is not defined: curves are drawn from the others."""

    def predict(features, targets):
        pair_is_missing = features[0].tolist() == [1.0 if targets[0, 0] != 1 else 0.0]
        value = np.nan if pair_is_missing else 0.6 * (1 - np.exp(-features.shape[1] / 1.5))
        return np.array([value, np.nan, 0.6 * (1 - np.exp(-features.shape[1] / 1.5))])

    subjects = [np.full((5, 1), float(i)) for i in range(3)]
    for seed in range(4):
        found = extrapolated_ceiling(subjects, predict, n_bootstraps=5, random_state=seed).reshape(3, 3)
        assert np.isnan(found[:, 1]).all()
        np.testing.assert_allclose(found[:, 2], 0.6, rtol=1e-3)
        assert np.isfinite(found[:, 0]).all()


def test_no_ceiling_is_made_of_scores_with_one_number_of_others():
    """A level that is known at one size alone goes with any asymptote above it: the curve is not known, nor fitted."""

    def predict(features, targets):
        return np.array([0.4 if features.shape[1] == 1 else np.nan])

    found = extrapolated_ceiling([np.full((5, 1), float(i)) for i in range(4)], predict, n_bootstraps=5)
    assert np.isnan(found).all()


def test_the_noise_is_the_mean_square_within_stimuli_of_an_anova():
    """By hand: (1 + 1 + 4 + 4) / (1 + 1) and (1 + 1 + 0) / 2; a stimulus shown once says nothing."""
    cube = np.array(
        [
            [[1.0, 0.0], [3.0, 1.0], [np.nan, 2.0]],
            [[0.0, 5.0], [4.0, np.nan], [np.nan, np.nan]],
            [[7.0, 1.0], [np.nan, np.nan], [np.nan, np.nan]],
        ]
    )
    np.testing.assert_allclose(noise_variance(cube), [5.0, 1.0])
    np.testing.assert_array_equal(np.isnan(noise_variance(cube[:, :1])), [True, True])
    once = np.stack([cube[..., 0], np.where(np.arange(3) == 0, cube[..., 0], np.nan)], axis=2)
    np.testing.assert_array_equal(np.isnan(noise_variance(once)), [False, True])


def test_stimuli_weigh_by_the_inverse_variance_of_their_means():
    """Signal variance 1, noise 4: a mean of n presentations has the variance 1 + 4 / n."""
    cube = noisy_cube(3000, 8, 9, 2.0, seed=3)
    cube[:1000, 2:], cube[1000:2000, 1:] = np.nan, np.nan
    counts = np.repeat([2, 1, 8], 1000)
    expected = 1 / (1 + 4 / counts)
    found = repetition_weights(cube)
    assert found.mean() == pytest.approx(1)
    np.testing.assert_allclose(found, expected / expected.mean(), rtol=0.03)
    np.testing.assert_array_equal(repetition_weights(cube[2000:]), np.ones(1000))


def test_weights_follow_the_share_of_signal_by_hand():
    """Means 0, 2, 7 of 2, 2, 1 presentations, noise 2: signal 13 - 2 x 2/3, its share 35/41."""
    cube = np.array([[[-1.0], [1.0]], [[1.0], [3.0]], [[7.0], [np.nan]]])
    share = (35 / 3) / (35 / 3 + 2)
    raw = 1 / (share + (1 - share) / np.array([2, 2, 1]))
    np.testing.assert_allclose(repetition_weights(cube), raw / raw.mean())
    constant = np.concatenate([cube, np.where(np.isnan(cube), np.nan, 4.0)], axis=2)
    np.testing.assert_allclose(repetition_weights(constant), repetition_weights(cube))  # it has no share
    still = np.where(np.isnan(cube), np.nan, 1.0)
    np.testing.assert_array_equal(repetition_weights(still), np.ones(3))
    noise_alone = cube.copy()
    noise_alone[:2, :, 0], noise_alone[2] = [-3.0, 3.0], [[0.0], [np.nan]]
    np.testing.assert_allclose(repetition_weights(noise_alone), np.array([2, 2, 1]) * 3 / 5)
    # a stimulus that only some neuroids answered was shown
    partly = np.concatenate([cube, cube], axis=2)
    partly[0, 1, 0] = np.nan
    assert repetition_weights(partly)[0] == pytest.approx(repetition_weights(partly)[1])


def test_reliability_within_parts_is_one_less_expected_noise_over_what_is_measured():
    """Means 0, 4 with weights 1, 3: mean 3, squares 12, noise (3/4)/1 + 3 (1/4)/2 = 9/8; the second has 2 and 1/2."""
    mean = np.array([[0.0, 1.0], [4.0, 1.0], [10.0, 1.0], [12.0, 1.0], [99.0, 1.0]])
    counts, weights = np.array([1.0, 2.0, 2.0, 2.0, 1.0]), np.array([1.0, 3.0, 1.0, 1.0, 1.0])
    parts = [np.array([0, 1]), np.array([2, 3]), np.array([4])]
    found = reliability_within(mean, np.array([4.0, 1.0]), counts, parts, weights)
    assert found[0] == pytest.approx(1 - 4 * (9 / 8 + 1 / 2) / (12 + 2))
    assert np.isnan(found[1])
    whole = reliability_within(mean[:, :1], np.array([4.0]), counts, [np.arange(5)], np.ones(5))
    spread = ((mean[:, 0] - 25) ** 2).sum()
    assert whole[0] == pytest.approx(1 - 4 * 0.8 * (1 / counts).sum() / spread)
    noisy = reliability_within(mean[:2, :1], np.array([100.0]), counts[:2], [np.arange(2)], np.ones(2))
    assert noisy[0] == pytest.approx(1 - 100 * 0.75 / 8)
