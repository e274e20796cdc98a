"""The local Moran's I by its definition, and its p over every layout of a few units."""

from itertools import permutations

import numpy as np
import pytest

from brodmann.analysis import SpatialWeights, local_morans_i
from brodmann.analysis.spatial.local_morans_i import _without_replacement
from brodmann.errors import UserError

PLACES = np.column_stack([np.arange(7), np.zeros(7)])
LINE = SpatialWeights.from_positions(PLACES, "rook", standardized=False)
VALUES = np.array([5.0, 6.0, -1.0, 0.0, -4.0, -6.0, 0.0])


def test_values_and_kinds_by_hand():
    """The mean is 0 and the sum of squares 114; neighbours' sums 6, 4, 6, -5, -6, -4, -6."""
    found = local_morans_i(VALUES, LINE, permutations=0)
    np.testing.assert_allclose(found["I"], 6 / 114 * VALUES * [6, 4, 6, -5, -6, -4, -6])
    assert found["kind"].tolist() == [
        "high", "high", "low among high", "low", "low", "low", "low",
    ]  # fmt: skip
    assert local_morans_i(-VALUES, LINE, permutations=0)["kind"][2] == "high among low"
    assert found["p"].isna().all()
    np.testing.assert_allclose(local_morans_i(VALUES + 3, LINE, permutations=0)["I"], found["I"])
    with pytest.raises(UserError, match=r"one map has the shape \(n_units,\), not \(1, 7\)"):
        local_morans_i(VALUES[None], LINE)


def test_p_is_that_of_all_neighbours_that_a_unit_could_have():
    """Twice the smaller tail: of what the two neighbours could be among the six others, in any order."""
    found = local_morans_i(VALUES, LINE, permutations=9999)
    for unit in (1, 3, 5):
        others = np.delete(VALUES, unit)
        null = np.array([VALUES[unit] * (a + b) for a, b in permutations(others, 2)])
        observed = VALUES[unit] * (VALUES[unit - 1] + VALUES[unit + 1])
        above = (null >= observed).mean()
        assert found["p"][unit] == pytest.approx(min(1, 2 * min(above, 1 - above)), abs=0.03)
    again = local_morans_i(VALUES, LINE, 9999, 0)
    assert found["p"].tolist() == again["p"].tolist()
    assert found["p"].tolist() != local_morans_i(VALUES, LINE, 9999, 1)["p"].tolist()
    one = local_morans_i(VALUES, LINE, permutations=1)["p"]
    assert (one == 1).all()
    assert local_morans_i(VALUES, LINE)["p"].min() >= 2 / 1000
    assert np.allclose(local_morans_i(VALUES, LINE)["p"] * 500 % 1, 0)


def test_a_unit_without_neighbours_has_no_p():
    places = np.vstack([PLACES, [50.0, 0.0]])
    weights = SpatialWeights.from_positions(places, "band", reach=1.5, isolates="keep")
    found = local_morans_i(np.r_[VALUES, 9.0], weights, permutations=19)
    assert found["p"].isna().tolist() == [False] * 7 + [True]
    assert found["I"][7] == 0
    assert found["q"].isna().tolist() == [False] * 7 + [True]


@pytest.mark.parametrize(("n", "k"), [(6, 2), (3, 2), (9, 3), (10, 3), (12, 8), (1, 1), (4, 4)])
def test_rows_hold_different_numbers_each_as_often(n, k):
    drawn = _without_replacement(np.random.default_rng(0), 6000, n, k)
    assert drawn.shape == (6000, k)
    assert (np.sort(drawn, axis=1)[:, 1:] > np.sort(drawn, axis=1)[:, :-1]).all()
    share = np.bincount(drawn.ravel(), minlength=n) / 6000
    np.testing.assert_allclose(share, k / n, atol=0.03)
