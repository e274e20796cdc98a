"""Gaussian smoothing by its equation, on lines, around a torus, and for many maps at once."""

from dataclasses import replace

import numpy as np
import pytest

from brodmann.analysis.spatial.smoothing import smooth, smoothing_matrix
from brodmann.errors import UserError
from brodmann.models import grid_sheet

PLACES = np.array([[0.0, 0.0], [1.0, 0.0], [3.0, 0.0], [3.0, 2.0], [30.0, 0.0]])
VALUES = np.array([1.0, -2.0, 5.0, 7.0, 11.0])


def weighted(values, distances, fwhm, cut=4.0):
    """s_i by the equation, in a loop."""
    sigma = fwhm / 2.3548200450309493
    g = np.exp(-(distances**2) / (2 * sigma**2)) * (distances <= cut * sigma)
    return (g @ values) / g.sum(axis=1)


@pytest.mark.parametrize("fwhm", [0.7, 1.5, 4.0])
def test_a_smoothed_value_is_the_weighted_mean_of_those_around_it(fwhm):
    apart = np.linalg.norm(PLACES[:, None] - PLACES, axis=-1)
    np.testing.assert_allclose(smooth(VALUES, PLACES, fwhm), weighted(VALUES, apart, fwhm))
    np.testing.assert_allclose(smooth(VALUES, PLACES - [4e3, -2e3], fwhm), smooth(VALUES, PLACES, fwhm))
    np.testing.assert_allclose(smoothing_matrix(PLACES, fwhm).sum(axis=1), 1)


def test_many_maps_are_smoothed_each_by_itself():
    maps = np.arange(30.0).reshape(2, 3, 5) ** 2
    found = smooth(maps, PLACES, 2.0)
    assert found.shape == (2, 3, 5)
    for i in range(2):
        for j in range(3):
            np.testing.assert_allclose(found[i, j], smooth(maps[i, j], PLACES, 2.0))
    np.testing.assert_array_equal(smooth(maps, PLACES, 0), maps)
    assert smooth([1, 2], PLACES, 0).dtype == np.float64


def test_a_torus_is_smoothed_across_its_edges_up_to_half_of_it():
    grid = grid_sheet("l", 35, shape=(5, 7))
    torus = replace(grid, periodic=True)
    values = np.random.default_rng(0).normal(size=35)
    apart = np.abs(grid.positions[:, None] - grid.positions)
    apart = np.minimum(apart, np.array([7.0, 5.0]) - apart)
    lengths = np.sqrt((apart**2).sum(axis=-1))
    np.testing.assert_allclose(smooth(values, torus, 1.2), weighted(values, lengths, 1.2))
    sigma = 3.0 / 2.3548200450309493
    np.testing.assert_allclose(
        smooth(values, torus, 3.0), weighted(values, lengths, 3.0, cut=0.49 * 5 / sigma)
    )


def test_mistakes_name_the_shape_and_the_width():
    with pytest.raises(UserError, match=r"values of shape \(2, 4\) do not fit 5 positions"):
        smooth(np.ones((2, 4)), PLACES, 1.0)
    for width in (-1.0, float("nan"), float("inf")):
        with pytest.raises(
            UserError, match=rf"the width of smoothing \(FWHM\) must be above 0, not {width:g}"
        ):
            smooth(VALUES, PLACES, width)
    with pytest.raises(UserError, match="must be above 0, not 0"):
        smoothing_matrix(PLACES, 0)
