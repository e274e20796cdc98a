"""Smoothness and length scales against maps whose truth is known by construction."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from brodmann.analysis import correlation_by_distance, smoothness
from brodmann.analysis.spatial.correlogram import difference_curve
from brodmann.analysis.spatial.permutation_null import layout_null
from brodmann.errors import UserError
from brodmann.models import grid_sheet

SHEET = grid_sheet("l", 144, shape=(12, 12), periodic=True)


def fields(sigma, n_stimuli, seed):
    """Responses whose correlation at distance d is exp(-d^2 / (4 sigma^2)): smoothed noise on a torus."""
    noise = np.random.default_rng(seed).normal(size=(n_stimuli, 12, 12))
    return gaussian_filter(noise, (0, sigma, sigma), mode="wrap").reshape(n_stimuli, -1)


def test_the_length_scale_is_recovered_within_its_interval_over_200_seeds():
    """The correlation falls to 1/e at 2 sigma."""
    sigma = 1.1
    inside, found = 0, []
    for seed in range(200):
        one = correlation_by_distance(fields(sigma, 80, seed), SHEET, n_bootstraps=60, random_state=seed)
        inside += one.interval[0] <= 2 * sigma <= one.interval[1]
        found.append(one.length_scale)
    print(f"length scale {np.mean(found):.3f} (true {2 * sigma}), in the 95 % interval {inside} of 200 times")
    assert np.mean(found) == pytest.approx(2 * sigma, rel=0.03)
    assert inside >= 180


def test_the_shape_of_the_fall_is_told():
    generator = np.random.default_rng(0)
    places = generator.uniform(0, 20, (150, 2))
    apart = np.linalg.norm(places[:, None] - places, axis=2)
    for shape, covariance in (("exponential", np.exp(-apart / 3)), ("gaussian", np.exp(-((apart / 3) ** 2)))):
        root = np.linalg.cholesky(covariance + 1e-8 * np.eye(150))
        found = correlation_by_distance(generator.normal(size=(3000, 150)) @ root.T, places, n_bootstraps=0)
        assert found.shape == shape
        assert found.length_scale == pytest.approx(3, rel=0.1)
        assert found.height == pytest.approx(1, abs=0.15)


def test_noise_of_single_units_lowers_the_height_and_not_the_scale():
    quiet = fields(1.1, 2000, 0)
    noisy = quiet + quiet.std() * np.random.default_rng(1).normal(size=quiet.shape)
    found = correlation_by_distance(noisy, SHEET, n_bootstraps=0)
    assert found.height == pytest.approx(0.5, abs=0.05)
    assert found.length_scale == pytest.approx(2.2, rel=0.06)


def test_white_noise_has_no_length_scale_nor_has_a_map_smoother_than_its_sheet():
    positions = np.indices((20, 20)).reshape(2, -1).T
    noise = [np.random.default_rng(seed).normal(size=(60, 20, 20)) for seed in range(20)]
    found = [correlation_by_distance(one.reshape(60, -1), positions, n_bootstraps=60) for one in noise]
    assert sum(np.isfinite(one.length_scale) for one in found) <= 3
    assert all(
        one.interval[1] == np.inf or one.interval[0] == 0 for one in found if np.isnan(one.length_scale)
    )
    smooth = gaussian_filter(noise[0], (0, 12, 12)).reshape(60, -1)
    assert np.isnan(correlation_by_distance(smooth, positions, n_bootstraps=60).length_scale)
    fitting = gaussian_filter(noise[0], (0, 2, 2)).reshape(60, -1)
    for scaled in (fitting, 1e-13 * fitting, 1e13 * fitting):
        one = correlation_by_distance(scaled, positions, n_bootstraps=60)
        assert one.length_scale == pytest.approx(3.85, abs=0.05)
        assert 3 < one.interval[0] < one.length_scale < one.interval[1] < 5


def test_smoothness_by_hand():
    """Units in a row with values 0, 0, 3, 3; bins of width 9/7: |v_i - v_j| is 1 at distance 1, 3 at distance 2."""
    places = np.stack([np.arange(4.0), np.zeros(4)], axis=1)
    curve = difference_curve([0, 0, 3, 3], places)
    np.testing.assert_allclose(curve.value, [1, 3])
    assert smoothness([0, 0, 3, 3], places) == pytest.approx(2 / 3)
    assert smoothness([1, 1, 1, 1], places) == 1


def test_smoothness_of_a_gradient_and_of_noise():
    sheet = grid_sheet("l", 784)
    gradient = sheet.positions[:, 0]
    noise = np.random.default_rng(0).normal(size=784)
    assert smoothness(gradient, sheet) > 0.8
    assert smoothness(noise, sheet) < 0.05
    null = layout_null(lambda one: smoothness(one, sheet), noise, sheet, permutations=49)
    assert abs(null.z) < 3
    assert layout_null(lambda one: smoothness(one, sheet), gradient, sheet, permutations=49).z > 20


def test_orientations_go_around():
    sheet = grid_sheet("l", 400)
    angle = np.mod(sheet.positions[:, 0] * 18, 180)  # one period over 10 units
    assert smoothness(angle, sheet, period=180) > smoothness(
        np.random.default_rng(0).permutation(angle), sheet, period=180
    )
    turned = smoothness(np.mod(angle + 90, 180), sheet, period=180)
    assert turned == pytest.approx(smoothness(angle, sheet, period=180))


def test_large_sheets_are_sampled_with_the_same_result():
    sheet = grid_sheet("l", 2500, periodic=True)
    values = np.sin(2 * np.pi * sheet.positions[:, 0] / 50)
    whole = difference_curve(values, sheet).value
    expected = (np.nanmax(whole) - whole[0]) / np.nanmax(whole)
    assert smoothness(values, sheet) == pytest.approx(expected, abs=0.03)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: smoothness(np.ones(5), SHEET), r"\(5,\) values do not fit 144 positions"),
        (lambda: smoothness(np.full(144, np.nan), SHEET), "144 values are NaN"),
        (lambda: smoothness(np.ones(4), np.ones((4, 2))), "all units lie on one place"),
        (lambda: correlation_by_distance(np.ones((3, 144)), SHEET), "at least 4 stimuli, not 3"),
        (lambda: correlation_by_distance(np.ones((9, 144)), SHEET), "only 0 units vary"),
        (lambda: correlation_by_distance(np.ones((9, 5)), SHEET), r"\(9, 5\) do not fit 144 positions"),
    ],
)
def test_mistakes(call, message):
    with pytest.raises(UserError, match=message):
        call()
