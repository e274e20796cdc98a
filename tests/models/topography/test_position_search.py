"""Swapping positions: the loss falls, no place is lost, and a scrambled map comes back."""

import inspect
from itertools import combinations

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from brodmann.analysis import morans_i
from brodmann.errors import UserError
from brodmann.models import grid_sheet, spatial_correlation_loss
from brodmann.models.topography import position_search
from brodmann.models.topography.position_search import (
    _in_strips,
    _swapped,
    fitted_positions,
    swapped_positions,
)


@pytest.fixture
def scrambled():
    """Responses of 144 units with smooth tuning on 12 x 12, whose places were dealt at random."""
    generator = np.random.default_rng(0)
    maps = np.stack([gaussian_filter(generator.normal(size=(12, 12)), 2).ravel() for _ in range(6)])
    maps /= maps.std(axis=1, keepdims=True)
    responses = generator.normal(size=(80, 6)) @ maps + 0.2 * generator.normal(size=(80, 144))
    return grid_sheet("l", 144).permuted(1), responses, maps


def loss(sheet, responses):
    return float(spatial_correlation_loss(torch.from_numpy(responses), torch.from_numpy(sheet.distances())))


def test_the_loss_falls_and_no_place_is_lost(scrambled):
    sheet, responses, maps = scrambled
    found = swapped_positions(sheet, responses, n_neighborhoods=400)
    assert loss(found, responses) < loss(sheet, responses) - 0.1
    before, after = (np.sort(one.positions.view("f8,f8").ravel()) for one in (sheet, found))
    np.testing.assert_array_equal(before, after)
    assert found.layout == "fitted(0)"
    tuning = [np.mean([morans_i(m, one, permutations=0).I for m in maps]) for one in (sheet, found)]
    print(f"Moran's I of the tuning: {tuning[0]:.2f} scrambled, {tuning[1]:.2f} after swapping")
    assert tuning[0] < 0.1
    assert tuning[1] > 0.4


def test_one_swap_adds_what_the_equation_says():
    generator = np.random.default_rng(1)
    units = generator.normal(size=(30, 9))
    units = (units - units.mean(axis=0)) / np.linalg.norm(units - units.mean(axis=0), axis=0)
    places = generator.uniform(0, 5, (9, 2))
    distances = np.hypot(*(places[:, None] - places).transpose(2, 0, 1))
    similar, nearness = units.T @ units, 1 / (1 + distances)
    inside = ~np.eye(9, dtype=bool)

    def total(order):
        return (similar * nearness[np.ix_(order, order)])[inside].sum()

    best = max(
        (total(np.array([j if k == i else i if k == j else k for k in range(9)])) for i in range(9) for j in range(i)),
    )  # fmt: skip
    assert total(_swapped(units, distances, swaps=1)) == pytest.approx(max(best, total(np.arange(9))))


def test_it_follows_from_its_seed(scrambled):
    sheet, responses, _ = scrambled
    one, same, other = (
        swapped_positions(sheet, responses, n_neighborhoods=30, random_state=seed).positions
        for seed in (3, 3, 4)
    )
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()


def test_a_layout_that_is_best_already_stays():
    sheet = grid_sheet("l", 9)
    x = sheet.positions[:, 0]
    responses = np.exp(-((np.arange(-2, 5, 0.25)[:, None] - x) ** 2))  # similarity falls with distance
    found = swapped_positions(sheet, responses, n_neighborhoods=20)
    assert loss(found, responses) <= loss(sheet, responses) + 1e-9


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"responses": np.zeros((10, 5))}, "do not fit a sheet of 144 units"),
        ({"responses": np.zeros((2, 144))}, "2 stimuli"),
        ({"neighborhood_size": 2}, "at least 1, 1 and 3"),
    ],
)
def test_mistakes(scrambled, change, message):
    sheet, responses, _ = scrambled
    given = {"responses": responses} | change
    with pytest.raises(UserError, match=message):
        swapped_positions(sheet, **given)


def test_a_fitted_layout_sorts_units_into_strips_of_their_principal_axes():
    """Units that answer by a place on 12 x 8 get it back, but for mirrors, from any order."""
    rng = np.random.default_rng(2)
    grid = grid_sheet("l", 96, shape=(8, 12))
    places = grid.positions - grid.positions.mean(axis=0)
    drive = rng.normal(size=(300, 2))
    drive, _ = np.linalg.qr(drive - drive.mean(axis=0))
    responses = drive @ places.T
    dealt = rng.permutation(96)
    found = fitted_positions(grid, responses[:, dealt], n_neighborhoods=1)
    axes = np.abs(np.corrcoef(found.positions.T, places[dealt].T)[:2, 2:])
    assert np.sort(axes.max(axis=1))[0] > 0.8
    assert found.layout == "fitted(0)"
    assert found.shape is None
    assert swapped_positions(grid, responses, n_neighborhoods=1).shape is None
    before, after = (np.sort(one.positions.view("f8,f8").ravel()) for one in (grid, found))
    np.testing.assert_array_equal(before, after)
    assert loss(found, responses[:, dealt]) < loss(grid, responses[:, dealt]) - 0.2


def test_a_fitted_layout_is_swapped_from_its_seed(scrambled):
    sheet, responses, _ = scrambled
    placed, swapped, same, other = (
        fitted_positions(sheet, responses, n_neighborhoods=n, random_state=seed)
        for n, seed in ((1, 0), (40, 0), (40, 0), (40, 5))
    )
    np.testing.assert_array_equal(swapped.positions, same.positions)
    assert (swapped.positions != other.positions).any()
    assert other.layout == "fitted(5)"
    assert loss(swapped, responses) <= loss(placed, responses) + 1e-9
    assert loss(placed, responses) < loss(sheet, responses) - 0.05


def test_as_many_neighbourhoods_as_units_and_at_most_2000(monkeypatch):
    asked = []
    monkeypatch.setattr(position_search, "swapped_positions", lambda *args, **given: asked.append(given))
    for n in (9, 2401):
        fitted_positions(grid_sheet("l", n), np.random.default_rng(0).normal(size=(5, n)))
    assert [one["n_neighborhoods"] for one in asked] == [9, 2000]
    fitted_positions(grid_sheet("l", 9), np.random.default_rng(0).normal(size=(5, 9)), random_state=3)
    assert asked[-1]["random_state"] == 3
    fitted_positions(grid_sheet("l", 9), np.random.default_rng(0).normal(size=(5, 9)), n_neighborhoods=4)
    assert asked[-1]["n_neighborhoods"] == 4


def test_strips_are_by_one_axis_and_sorted_by_the_other():
    points = np.array([[3.0, 1], [0, 5], [1, 2], [2, 9], [5, 0], [0, 1], [9, 9]])
    # by the first axis 5, 1, 2 | 3, 0, 4 | 6; within each by the second
    assert _in_strips(points, 3).tolist() == [5, 2, 1, 4, 0, 3, 6]


def test_units_of_which_one_alone_varies_are_placed():
    sheet = grid_sheet("l", 9)
    responses = np.zeros((3, 9))
    responses[:, 4] = [1.0, 2.0, 4.0]
    found = fitted_positions(sheet, responses, n_neighborhoods=3)
    before, after = (np.sort(one.positions.view("f8,f8").ravel()) for one in (sheet, found))
    np.testing.assert_array_equal(before, after)


def test_the_smallest_settings_are_taken_and_the_defaults_are_1000_64_and_8(scrambled):
    sheet, responses, _ = scrambled
    swapped_positions(sheet, responses[:3], n_neighborhoods=1, neighborhood_size=3, swaps=1)
    for change in ({"n_neighborhoods": 0}, {"swaps": 0}):
        with pytest.raises(
            UserError, match="^neighbourhoods, swaps and their size must be at least 1, 1 and 3$"
        ):
            swapped_positions(sheet, responses, **change)
    gaps = responses.copy()
    gaps[0, 0] = np.inf
    with pytest.raises(UserError, match="80 stimuli, or values that are not finite: at least 3"):
        swapped_positions(sheet, gaps)
    given = inspect.signature(swapped_positions).parameters
    defaults = [
        given[name].default for name in ("n_neighborhoods", "neighborhood_size", "swaps", "random_state")
    ]
    assert defaults == [1000, 64, 8, 0]


def test_swaps_are_the_best_that_are_left_one_after_the_other():
    generator = np.random.default_rng(4)
    units = generator.normal(size=(30, 8))
    units = (units - units.mean(axis=0)) / np.linalg.norm(units - units.mean(axis=0), axis=0)
    places = generator.uniform(0, 5, (8, 2))
    distances = np.hypot(*(places[:, None] - places).transpose(2, 0, 1))
    order = np.arange(8)
    for _ in range(3):
        step = _swapped(units, distances[np.ix_(order, order)], 1)
        order = order[step]
    np.testing.assert_array_equal(_swapped(units, distances, 3), order)
    np.testing.assert_array_equal(_swapped(units, distances, 0), np.arange(8))


def test_two_units_that_answer_alike_change_places_although_the_middle_of_a_line_is_free():
    """On a line 0 1 5 units 0 and 2 answer alike: the gain of each swap by the loss itself."""
    shared = np.array([1.0, -1, 0, 0]) / np.sqrt(2)
    units = np.column_stack([shared, np.array([0, 0, 1.0, -1]) / np.sqrt(2), shared])
    places = np.array([0.0, 1, 5])
    order = _swapped(units, np.abs(places[:, None] - places), 1)
    near = np.abs(places[order][0] - places[order][2])
    assert near == 1
    # units that answer alike gain nothing by changing places with each other
    assert _swapped(
        np.column_stack([shared, shared, shared]), np.abs(places[:, None] - places), 5
    ).tolist() == [0, 1, 2]


def test_opposite_units_are_parted_as_every_order_shows():
    """The best of all 720 orders is never lost by a swap, and every swap lowers the loss."""
    generator = np.random.default_rng(6)
    for _ in range(30):
        units = generator.normal(size=(4, 6))
        units = (units - units.mean(axis=0)) / np.linalg.norm(units - units.mean(axis=0), axis=0)
        places = generator.uniform(0, 3, (6, 2))
        distances = np.hypot(*(places[:, None] - places).transpose(2, 0, 1))
        similar, inside = units.T @ units, ~np.eye(6, dtype=bool)

        def total(order, similar=similar, distances=distances, inside=inside):
            return (similar / (1 + distances[np.ix_(order, order)]))[inside].sum()

        orders = [np.arange(6)]
        for i, j in combinations(range(6), 2):
            order = np.arange(6)
            order[[i, j]] = j, i
            orders.append(order)
        expected = max(orders, key=total)
        np.testing.assert_array_equal(_swapped(units, distances, 1), expected)


def test_whole_numbers_and_units_that_never_vary_are_taken_as_they_are():
    """A silent unit is alike to none: its column is 0, and responses in whole numbers are not divided as such."""
    responses = np.array([[0, 5, 2], [10, 5, 4], [2, 5, 9]])
    sheet = grid_sheet("l", 3, shape=(1, 3))
    found = position_search._standardized(sheet, responses.tolist())
    centered = responses - responses.mean(axis=0)
    expected = centered[:, [0, 2]] / np.sqrt((centered[:, [0, 2]] ** 2).sum(axis=0))
    np.testing.assert_allclose(found[:, [0, 2]], expected)
    assert (found[:, 1] == 0).all()
    assert found.dtype == np.float64
    half = position_search._standardized(sheet, responses.astype(np.float16) / np.float16(3))
    assert half.dtype == np.float64
    np.testing.assert_allclose(position_search._standardized(sheet, responses * 1e-9), found)
    small = position_search._standardized(sheet, responses * 1e-14)
    assert (small == 0).all()


def test_asked_for_nothing_else_it_swaps_8_units_at_most_in_each_of_1000_neighbourhoods_of_64(monkeypatch):
    drawn, asked = [], []
    monkeypatch.setattr(
        position_search, "track", lambda steps, what: drawn.append((len(steps), what)) or steps[:1]
    )
    monkeypatch.setattr(
        position_search,
        "_swapped",
        lambda units, distances, swaps: asked.append((units.shape, distances.shape, swaps)) or np.arange(64),
    )
    sheet = grid_sheet("l", 100)
    swapped_positions(sheet, np.random.default_rng(0).normal(size=(5, 100)))
    assert drawn == [(1000, "swapping units")]
    assert asked == [((5, 64), (64, 64), 8)]
