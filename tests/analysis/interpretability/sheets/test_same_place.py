"""The same places in two seeds: found under the flip that was made, absent where features were matched at random."""

import numpy as np
import pytest
from scipy.stats import kstest

from brodmann.analysis.interpretability.sheets.same_place import same_place, symmetries
from brodmann.errors import UserError
from brodmann.models.sheet import Sheet, grid_sheet

SHEET = grid_sheet("l", 144, shape=(12, 12))


def bumps(n, seed, shape=(12, 12)):
    generator = np.random.default_rng(seed)
    sheet = grid_sheet("l", shape[0] * shape[1], shape=shape)
    middle = generator.uniform(0, 12, (n, 2))
    mass = np.exp(-((sheet.positions[None] - middle[:, None]) ** 2).sum(axis=2) / 4)
    return mass / mass.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("which", range(8))
def test_a_sheet_that_was_flipped_and_turned_is_found_again(which):
    a = bumps(30, 0)
    turns, flipped, order = symmetries((12, 12))[which]
    b = np.empty_like(a)
    b[:, order] = a  # so that b in this order is a
    found = same_place(a, b, np.stack([np.arange(30)] * 2, axis=1), SHEET)
    assert found.r == pytest.approx(1)
    assert (found.turns, found.flipped) == (turns, flipped)
    assert found.p == 1 / (1 + found.n_shifts)
    assert np.sort(found.by_symmetry)[-2] < 0.6


def test_pairs_are_followed():
    a = bumps(20, 1)
    order = np.random.default_rng(2).permutation(20)
    pairs = np.stack([order, np.arange(20)], axis=1)
    assert same_place(a, a[order], pairs, SHEET, turned=False).r == pytest.approx(1)


def test_eight_ways_of_laying_a_square_and_four_of_a_rectangle():
    grids = [order.reshape(3, 3) for _, _, order in symmetries((3, 3))]
    assert len({grid.tobytes() for grid in grids}) == 8
    assert all(grid[1, 1] == 4 for grid in grids)
    assert len({order.tobytes() for _, _, order in symmetries((2, 5))}) == 4


def test_p_is_no_smaller_than_it_should_be_for_features_of_no_relation():
    """The best of eight symmetries is taken of shifts, too; a null that does not would be far too small."""
    ps = [
        same_place(
            bumps(12, [seed, 1]), bumps(12, [seed, 2]), np.stack([np.arange(12)] * 2, axis=1), SHEET,
            random_state=seed,
        ).p
        for seed in range(80)
    ]  # fmt: skip
    assert kstest(ps, "uniform", alternative="greater").pvalue > 0.01
    assert np.mean(np.array(ps) <= 0.05) <= 0.1


def test_p_is_no_smaller_where_units_were_dealt_at_random_and_features_share_them():
    """Features that overlap in A overlap in B, wherever their units lie: pairs are not independent."""
    a = bumps(60, 7)
    ps = [
        same_place(
            a,
            a[:, np.random.default_rng(seed).permutation(144)],
            np.stack([np.arange(60)] * 2, axis=1),
            SHEET,
        ).p
        for seed in range(60)
    ]
    assert kstest(ps, "uniform", alternative="greater").pvalue > 0.01
    assert np.mean(np.array(ps) <= 0.05) <= 0.1


def test_one_network_is_not_turned():
    a, b = bumps(12, 5), bumps(12, 6)
    pairs = np.stack([np.arange(12)] * 2, axis=1)
    assert len(same_place(a, b, pairs, SHEET, turned=False).by_symmetry) == 1


def test_what_cannot_be_compared_is_said():
    a = bumps(12, 5)
    pairs = np.stack([np.arange(12)] * 2, axis=1)
    with pytest.raises(UserError, match="no grid"):
        same_place(a, a, pairs, Sheet("l", SHEET.positions))
    with pytest.raises(UserError, match="matched twice"):
        same_place(a, a, np.zeros((4, 2), int), SHEET)
    with pytest.raises(UserError, match="at least 3"):
        same_place(a, a, pairs[:2], SHEET)
