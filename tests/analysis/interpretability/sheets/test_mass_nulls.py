"""Nulls of features on the sheet: right under the null, and what is clustered beside directions of the covariance."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from scipy.stats import kstest

from brodmann.analysis.interpretability.quality.controls import (
    covariance_matched_directions,
    isotropic_directions,
)
from brodmann.analysis.interpretability.sheets.mass_nulls import clustering_of_mean, mass_comparison
from brodmann.analysis.spatial.morans_i import morans_i_of_maps
from brodmann.analysis.spatial.spatial_weights import SpatialWeights
from brodmann.errors import UserError
from brodmann.models.sheet import grid_sheet

SHEET = grid_sheet("l", 256, shape=(16, 16))
QUEEN = SpatialWeights.from_positions(SHEET)


def smooth_rows(n=3000, seed=0):
    """Activations of a topographic layer: neighbours correlate."""
    generator = np.random.default_rng(seed)
    noise = generator.normal(size=(n, 16, 16))
    return gaussian_filter(noise, (0, 1.2, 1.2)).reshape(n, 256)


def test_the_mean_is_that_of_single_maps():
    maps = np.random.default_rng(0).normal(size=(30, 256)) ** 3
    found = clustering_of_mean(maps, QUEEN, permutations=9)
    assert pytest.approx(morans_i_of_maps(maps, QUEEN, 0)["I"].mean(), abs=1e-12) == found.I


def test_the_null_is_the_mean_of_maps_that_were_permuted_together():
    maps = np.random.default_rng(1).normal(size=(12, 256))
    found = clustering_of_mean(maps, QUEEN, permutations=2000)
    generator = np.random.default_rng(2)
    direct = [morans_i_of_maps(maps[:, generator.permutation(256)], QUEEN, 0)["I"].mean() for _ in range(300)]
    assert found.null_mean == pytest.approx(-1 / 255, abs=0.001)
    assert found.null_sd == pytest.approx(np.std(direct), rel=0.15)


@pytest.mark.parametrize("shared", [0.0, 3.0], ids=["apart", "sharing units"])
def test_p_of_the_mean_is_uniform_where_features_share_units(shared):
    """200 draws of features that are nowhere, the second kind with one map in common."""
    ps = []
    for seed in range(200):
        generator = np.random.default_rng([seed, 9])
        maps = generator.normal(size=(40, 256)) + shared * generator.normal(size=256)
        ps.append(clustering_of_mean(maps, QUEEN, permutations=199, random_state=seed).p)
    assert kstest(ps, "uniform").pvalue > 0.01
    assert np.mean(np.array(ps) <= 0.05) < 0.1


def test_p_values_of_single_features_mislead_where_the_mean_does_not():
    """Features that share one map: the share of small p swings from sheet to sheet, so it is no evidence."""
    shares = []
    for seed in range(40):
        generator = np.random.default_rng([seed, 10])
        maps = generator.normal(size=(40, 256)) + 3 * generator.normal(size=256)
        shares.append((morans_i_of_maps(maps, QUEEN, 0)["exact_p"] <= 0.05).mean())
    assert max(shares) > 0.4


def test_any_direction_is_smooth_where_neighbours_correlate():
    """Directions drawn with the covariance pass for clustered features against permuted layouts, not against others."""
    rows = smooth_rows()
    table = mass_comparison(
        covariance_matched_directions(rows, 100, random_state=77), rows, QUEEN, n_draws=19, permutations=99
    )
    assert table.loc["features", "signed_I"] > 0.4
    assert table.loc["features", "signed_p"] == 0.01
    matched = table.loc["covariance-matched"]
    assert matched["signed_I"] == pytest.approx(table.loc["features", "signed_I"], abs=0.03)
    assert matched["signed_beyond"] > 0.05
    assert abs(table.loc["isotropic", "signed_I"]) < 0.01
    assert table.loc["isotropic", "signed_beyond"] == 0.05


def test_features_that_are_clustered_exceed_directions_of_the_covariance():
    rows = smooth_rows()
    generator = np.random.default_rng(4)
    middle = generator.uniform(2, 13, (60, 2))
    bumps = np.exp(-((SHEET.positions[None] - middle[:, None]) ** 2).sum(axis=2) / 18)
    table = mass_comparison(bumps, rows, QUEEN, n_draws=19, permutations=99)
    assert table.loc["covariance-matched", ["signed_beyond", "mass_beyond"]].tolist() == [0.05, 0.05]
    assert table.loc["features", "spread"] < table.loc["covariance-matched", "spread"]
    assert table.attrs["n_features"] == 60
    assert table.attrs["weighting"] == "raw"


def test_what_does_not_fit_is_said():
    with pytest.raises(UserError, match="do not fit a sheet of 256"):
        mass_comparison(np.ones((4, 9)), np.ones((4, 9)), QUEEN)
    with pytest.raises(UserError, match="at least 2 permutations"):
        clustering_of_mean(isotropic_directions(4, 256, random_state=0), QUEEN, permutations=1)
    with pytest.raises(UserError, match="at least 2 rows"):
        mass_comparison(isotropic_directions(4, 256, random_state=0), np.ones((1, 256)), QUEEN)
