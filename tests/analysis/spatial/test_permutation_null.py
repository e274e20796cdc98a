"""Nulls of permuted layouts, over every layout of a few units."""

from itertools import permutations

import numpy as np
import pytest

from brodmann.analysis.spatial.permutation_null import LayoutNull, layout_null, permuted_layouts
from brodmann.analysis.spatial.smoothing import smooth
from brodmann.errors import UserError

PLACES = np.column_stack([np.arange(5), np.zeros(5)])
VALUES = np.array([1.0, 2.0, 4.0, 8.0, 16.0])


def first_two(values):
    """10 values are possible, from 3 to 24, each as likely."""
    return float(values[0] + values[1])


@pytest.mark.parametrize(
    ("values", "tail", "share"),
    [
        (VALUES, "lower", 0.1),
        (VALUES, "upper", 1.0),
        (VALUES, "both", 0.2),
        (VALUES[::-1], "upper", 0.1),
        (VALUES[::-1], "lower", 1.0),
        (VALUES[::-1], "both", 0.2),
        (VALUES[[2, 3, 0, 1, 4]], "both", 1.0),
    ],
)
def test_p_is_the_share_of_layouts_as_far_out_on_the_tail(values, tail, share):
    found = layout_null(first_two, values, PLACES, permutations=2999, tail=tail)
    assert found.p == pytest.approx(share, abs=0.03)
    assert found.p * 3000 == pytest.approx(round(found.p * 3000))
    assert found.observed == values[0] + values[1]
    assert (found.tail, found.n, found.fwhm, found.random_state) == (tail, 2999, 0.0, 0)
    every = [sum(one[:2]) for one in permutations(VALUES)]
    assert found.mean == pytest.approx(np.mean(every), abs=0.5)
    assert found.sd == pytest.approx(np.std(every), rel=0.05)
    assert found.z == pytest.approx((found.observed - found.mean) / found.sd)


def test_what_no_layout_changes_is_reached_by_all():
    """Rounding makes a third of ten sums differ in the last digit; a tie is a tie."""
    values = np.array([0.1, 0.7, 1.3, 5e-3, 0.2])
    for tail in ("upper", "lower", "both"):
        found = layout_null(
            lambda one: float((one[0] + one[1]) + one[2] + one[3] + one[4]), values, PLACES, tail=tail
        )
        assert found.p == 1
    assert np.isnan(LayoutNull(1.0, 1.0, 0.0, 1.0, 9, "upper", 0.0, 0).z)


def test_layouts_are_smoothed_as_the_map_was():
    found = layout_null(np.max, VALUES, PLACES, fwhm=2.0, permutations=99)
    assert found.observed == pytest.approx(smooth(VALUES, PLACES, 2.0).max())
    assert found.mean < 14
    assert found.p < 0.6  # an extreme value at an edge keeps more of its height
    assert found.fwhm == 2.0


def test_the_default_is_199_layouts_of_seed_0_above():
    one = layout_null(first_two, VALUES, PLACES)
    assert one == layout_null(
        first_two, VALUES, PLACES, fwhm=0.0, permutations=199, random_state=0, tail="upper"
    )
    other = layout_null(first_two, VALUES, PLACES, random_state=1)
    assert other.mean != one.mean
    assert other.random_state == 1
    drawn = [block[:2].sum(axis=0) for block in permuted_layouts(VALUES[None], 199, 0)]
    assert one.mean == pytest.approx(np.concatenate(drawn).mean())
    assert one.sd == pytest.approx(np.concatenate(drawn).std(ddof=1))


def test_blocks_hold_every_map_in_the_same_order():
    maps = np.stack([VALUES, 100 * VALUES, -VALUES])
    blocks = list(permuted_layouts(maps, 400, 0))
    assert [block.shape for block in blocks] == [(5, 3 * 170), (5, 3 * 170), (5, 3 * 60)]
    layouts = np.concatenate([block.reshape(5, -1, 3) for block in blocks], axis=1)
    assert layouts.shape == (5, 400, 3)
    np.testing.assert_array_equal(layouts[..., 1], 100 * layouts[..., 0])
    np.testing.assert_array_equal(layouts[..., 2], -layouts[..., 0])
    np.testing.assert_array_equal(np.sort(layouts[..., 0], axis=0), np.repeat(VALUES[:, None], 400, axis=1))
    assert len(np.unique(layouts[..., 0], axis=1).T) > 100
    assert [one.shape for one in permuted_layouts(np.ones((600, 2)), 2, 0)] == [(2, 600), (2, 600)]


def test_mistakes_name_the_values():
    with pytest.raises(UserError, match=r"\(4,\) values do not fit 5 positions"):
        layout_null(first_two, VALUES[:4], PLACES)
    with pytest.raises(UserError, match="a null needs at least 2 permutations, not 1"):
        layout_null(first_two, VALUES, PLACES, permutations=1)
    assert layout_null(first_two, VALUES, PLACES, permutations=2).n == 2
