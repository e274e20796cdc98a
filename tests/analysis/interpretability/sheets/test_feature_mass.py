"""Features whose place on the sheet is known: blobs, single units, rings around a torus."""

import numpy as np
import pytest

from brodmann.analysis.interpretability.quality.controls import isotropic_directions
from brodmann.analysis.interpretability.sheets.feature_mass import (
    centers,
    decoder_mass,
    effective_units,
    largest_shares,
    mass_table,
    spreads,
    units_of_share,
)
from brodmann.analysis.spatial.patches import patches
from brodmann.analysis.spatial.spatial_weights import SpatialWeights
from brodmann.errors import UserError
from brodmann.models.sheet import grid_sheet

SHEET = grid_sheet("l", 256, shape=(16, 16))
QUEEN = SpatialWeights.from_positions(SHEET)


def blobs(n=200, sd=1.5, seed=0, sheet=SHEET):
    """Decoder rows whose mass is a Gaussian bump, signs at random."""
    generator = np.random.default_rng(seed)
    middle = generator.uniform(3, 12, (n, 2))
    squared = ((sheet.positions[None] - middle[:, None]) ** 2).sum(axis=2)
    return np.exp(-squared / (4 * sd**2)) * generator.choice([-1, 1], squared.shape), middle


def test_bumps_lie_where_they_were_put_and_spread_as_wide():
    rows, middle = blobs(sd=1.0)
    table = mass_table(rows, QUEEN)
    np.testing.assert_allclose(table[["center_x", "center_y"]], middle, atol=0.02)
    np.testing.assert_allclose(table["spread"], np.sqrt(2), rtol=0.01)
    # 1 / sum m^2 of a Gaussian density is 4 pi sd^2
    np.testing.assert_allclose(table["effective_units"], 4 * np.pi, rtol=0.01)
    assert (table["largest_share"] > 0.9).all()


def test_bumps_are_clustered_and_their_permuted_selves_are_not():
    rows, _ = blobs()
    table = mass_table(rows, QUEEN)
    assert (table["mass_I"] > 0.6).all()
    order = np.random.default_rng(1).permutation(256)
    permuted = mass_table(rows[:, order], QUEEN)
    assert abs(permuted["mass_I"].mean()) < 0.01
    np.testing.assert_allclose(permuted["effective_units"], table["effective_units"])
    # signs at random: the signed row of a bump does not cluster, its mass does
    assert abs(table["signed_I"].mean()) < 0.05


def test_random_directions_lie_all_over_the_sheet():
    table = mass_table(isotropic_directions(2000, 256, random_state=0), QUEEN)
    # chi-square of one degree of freedom: sum m^2 = 3 / (n + 2)
    assert table["effective_units"].mean() == pytest.approx(258 / 3, rel=0.03)
    assert table["spread"].mean() == pytest.approx(6.50, abs=0.03)
    assert abs(table["signed_I"].mean()) < 0.01


def test_the_largest_patch_is_that_of_the_units_above_the_mean():
    mass = decoder_mass(isotropic_directions(20, 256, random_state=3))
    expected = []
    for one in mass:
        found = patches(one, QUEEN, 1 / 256)
        expected.append(max(one[units].sum() for units in found["units"]))
    np.testing.assert_allclose(largest_shares(mass, QUEEN), expected)


def test_two_islands_count_apart():
    row = np.zeros((1, 256))
    row[0, [0, 1, 16]] = 1.0
    row[0, [255, 254]] = 1.2
    share = largest_shares(decoder_mass(row), QUEEN)
    assert share[0] == pytest.approx(3 / (3 + 2 * 1.44))


def test_mass_over_the_edge_of_a_torus_is_one_bump():
    torus = grid_sheet("l", 256, shape=(16, 16), periodic=True)
    row = np.zeros((1, 256))
    row[0, [15, 0, 14, 1]] = 1.0
    mass = decoder_mass(row)
    assert centers(mass, torus)[0, 0] == pytest.approx(15.5)
    assert spreads(mass, torus)[0] == pytest.approx(np.sqrt((0.5**2 + 1.5**2) / 2))
    assert spreads(mass, SHEET)[0] > 6


def test_standardized_mass_does_not_follow_variance():
    generator = np.random.default_rng(5)
    sd = np.exp(generator.normal(size=256))
    rows = generator.normal(size=(50, 256)) * sd
    raw, standardized = decoder_mass(rows).mean(axis=0), decoder_mass(rows, sd).mean(axis=0)
    assert np.corrcoef(raw, sd**2)[0, 1] > 0.9
    assert abs(np.corrcoef(standardized, sd**2)[0, 1]) < 0.2
    silent = sd.copy()
    silent[7] = 0
    assert (decoder_mass(rows, silent)[:, 7] == 0).all()


def test_half_of_the_mass_is_held_by_the_fewest_units():
    mass = np.array([0.1, 0.4, 0.3, 0.2])
    assert units_of_share(mass).tolist() == [1, 2]
    assert units_of_share(mass, 0.4).tolist() == [1]
    assert units_of_share(mass, 1.0).tolist() == [1, 2, 3, 0]
    rows, _ = blobs(20)
    table = mass_table(rows, QUEEN)
    assert table["half_units"].tolist() == [len(units_of_share(one)) for one in decoder_mass(rows)]


def test_what_writes_nothing_has_no_place():
    rows = np.ones((3, 256))
    rows[1] = 0
    with pytest.raises(UserError, match="feature 1 writes nothing"):
        decoder_mass(rows)
    with pytest.raises(UserError, match="standard deviations"):
        decoder_mass(np.ones((3, 256)), np.ones(4))
    with pytest.raises(UserError, match="share of the mass"):
        units_of_share(np.ones(4), 0)


def test_effective_units_of_one_and_of_all():
    assert effective_units(decoder_mass(np.eye(5)))[0] == 1
    assert effective_units(decoder_mass(np.ones((1, 5))))[0] == pytest.approx(5)
