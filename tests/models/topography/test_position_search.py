"""Swapping positions: the loss falls, no place is lost, and a scrambled map comes back."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from brodmann.analysis import morans_i
from brodmann.errors import UserError
from brodmann.models import grid_sheet, spatial_correlation_loss
from brodmann.models.topography.position_search import _swapped, swapped_positions


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
