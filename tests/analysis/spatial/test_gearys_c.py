"""Geary's C by its definition, over every layout of a few units, and under smoothing."""

from itertools import permutations

import numpy as np
import pytest
from scipy.stats import norm

from brodmann.analysis import SpatialWeights, gearys_c
from brodmann.analysis.spatial.gearys_c import GearysC
from brodmann.analysis.spatial.smoothing import smooth
from brodmann.errors import UserError

LINE = SpatialWeights.from_positions(np.column_stack([np.arange(6), np.zeros(6)]), "rook", standardized=False)
VALUES = np.array([0.0, 1.0, 3.0, 3.0, 7.0, 4.0])


def geary(values, matrix):
    apart = (matrix.toarray() * (values[:, None] - values) ** 2).sum()
    return (len(values) - 1) / (2 * matrix.sum()) * apart / ((values - values.mean()) ** 2).sum()


def test_exact_moments_are_those_over_all_layouts():
    """Ten neighbours that differ by 1, 2, 0, 4, 3: C = 5 / 20 * 60 / 30."""
    found = gearys_c(VALUES, LINE, permutations=0)
    assert pytest.approx(5 / 20 * 60 / 30) == found.C
    every = [geary(VALUES[list(order)], LINE.matrix) for order in permutations(range(6))]
    assert np.mean(every) == pytest.approx(1)
    assert found.exact_sd == pytest.approx(np.std(every))
    assert found.exact_p == pytest.approx(norm.cdf((found.C - 1) / found.exact_sd))
    assert found.n == 6
    assert np.isnan([found.p, found.null_mean, found.null_sd, found.z]).all()


def test_p_counts_layouts_that_are_as_low_and_the_observed_one():
    every = np.array([geary(VALUES[list(order)], LINE.matrix) for order in permutations(range(6))])
    found = gearys_c(VALUES, LINE, permutations=4000)
    share = (every <= found.C + 1e-9).mean()
    assert found.p == pytest.approx(share, abs=0.02)
    assert found.null_mean == pytest.approx(1, abs=0.02)
    assert found.null_sd == pytest.approx(found.exact_sd, rel=0.05)
    assert found.z == pytest.approx((found.C - found.null_mean) / found.null_sd)
    rising = gearys_c(np.arange(6.0), LINE, permutations=19)
    assert rising.p == 1 / 20
    assert gearys_c(VALUES, LINE).p == gearys_c(VALUES, LINE, 999, 0).p
    assert gearys_c(VALUES, LINE, 99, 1).null_mean != gearys_c(VALUES, LINE, 99).null_mean
    assert np.isnan(gearys_c(VALUES, LINE, 1).null_sd)
    assert np.isfinite(gearys_c(VALUES, LINE, 2).null_sd)


def test_a_smoothed_map_stands_against_smoothed_layouts():
    found = gearys_c(VALUES, LINE, permutations=1999, fwhm=2.0)
    assert pytest.approx(geary(smooth(VALUES, LINE, 2.0), LINE.matrix)) == found.C
    every = [geary(smooth(VALUES[list(order)], LINE, 2.0), LINE.matrix) for order in permutations(range(6))]
    assert found.null_mean == pytest.approx(np.mean(every), abs=0.03)
    assert found.null_mean < 0.6  # neighbours are alike by smoothing alone
    assert found.p == pytest.approx(np.mean(np.array(every) <= found.C + 1e-9), abs=0.01)
    assert np.isnan([found.exact_sd, found.exact_p]).all()


def test_four_units_have_exact_moments_and_three_have_none():
    three = SpatialWeights.from_positions(np.eye(3), "band", reach=2.0, standardized=False)
    found = gearys_c([1.0, 2.0, 6.0], three, permutations=9)
    assert (found.C, found.p) == (pytest.approx(1), 1)  # all are neighbours of all: no layout changes it
    assert np.isnan([found.exact_sd, found.exact_p]).all()
    values, places = np.array([1.0, 2.0, 6.0, 4.0]), np.column_stack([np.arange(4), np.zeros(4)])
    line = SpatialWeights.from_positions(places, "rook", standardized=False)
    every = [geary(values[list(order)], line.matrix) for order in permutations(range(4))]
    assert gearys_c(values, line, 9).exact_sd == pytest.approx(np.std(every))


def test_layouts_that_are_all_alike_have_no_z():
    assert np.isnan(GearysC(1.0, 1.0, 1.0, 0.0, 4).z)
    assert GearysC(0.5, 0.1, 1.0, 0.25, 4).z == -2


def test_one_map_is_one_dimensional():
    with pytest.raises(UserError, match=r"one map has the shape \(n_units,\), not \(1, 6\)"):
        gearys_c(VALUES[None], LINE)
