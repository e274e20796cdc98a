"""Patches, areas and wiring of maps that were planted."""

import numpy as np
import pytest
from sklearn.cluster import KMeans

from brodmann.analysis import SpatialWeights, patches, wiring_length
from brodmann.analysis.spatial.patches import largest_patch, unit_areas
from brodmann.analysis.spatial.wiring import _clusters
from brodmann.errors import UserError
from brodmann.models import Sheet, grid_sheet


def discs(centers, radius, places):
    return max_over(
        [10 - np.linalg.norm(places - np.array(center), axis=1) * 5 / radius for center in centers]
    )


def max_over(parts):
    return np.max(parts, axis=0)


def test_planted_discs_are_found_with_area_peak_and_centre_over_200_seeds():
    """Three discs of radius 2 mm on a grid of 0.25 mm, their centres anywhere, with noise: pi r^2 each."""
    sheet = grid_sheet("l", 80 * 80, shape=(80, 80), unit="mm").scaled(0.25)
    areas, distances = [], []
    for seed in range(200):
        generator = np.random.default_rng(seed)
        centers = np.array([[4.0, 4], [15, 5], [9, 15]]) + generator.uniform(-1, 1, (3, 2))
        values = discs(centers, 2.0, sheet.positions) + generator.normal(0, 0.1, len(sheet))
        found = patches(values, sheet, threshold=5.0, smallest=20)
        assert len(found) == 3
        areas += found["area"].tolist()
        here = found[["centre_x", "centre_y"]].to_numpy()
        distances += np.linalg.norm(here[:, None] - centers, axis=2).min(axis=1).tolist()
    assert np.mean(areas) == pytest.approx(np.pi * 4, rel=0.01)
    assert np.std(areas) < 0.05 * np.pi * 4
    assert max(distances) < 0.1
    assert found.attrs["area_unit"] == "mm^2"
    print(
        f"area of a disc: {np.mean(areas):.3f} mm^2 (true {np.pi * 4:.3f}), sd {np.std(areas):.3f}, 600 discs"
    )


def test_a_patch_goes_on_around_a_torus():
    torus = grid_sheet("l", 100, shape=(10, 10), periodic=True)
    values = np.zeros((10, 10))
    values[:, [0, 9]] = 1
    values[0, 0] = 2
    found = patches(values.ravel(), torus, 0.5)
    assert found["n_units"].tolist() == [20]
    assert found["peak_unit"][0] == 0
    assert np.mod(found["centre_x"][0] - 4.5, 10) == pytest.approx(
        5, abs=0.6
    )  # between column 9 and column 0
    flat = patches(values.ravel(), grid_sheet("l", 100), 0.5)
    assert flat["n_units"].tolist() == [10, 10]


def test_small_patches_are_counted_and_smoothing_is_stated():
    values = np.zeros((9, 9))
    values[1, 1] = values[5:8, 5:8] = 3
    sheet = grid_sheet("l", 81)
    found = patches(values.ravel(), sheet, 1.0, smallest=2)
    assert found["n_units"].tolist() == [9]
    assert found.attrs["n_left_out"] == 1
    smoothed = patches(values.ravel(), sheet, 1.0, fwhm=2.0)
    assert len(smoothed) == 1
    assert smoothed.attrs["fwhm"] == 2.0
    assert patches(values.ravel(), sheet, 99.0).empty


def test_scattered_units_share_out_the_area():
    generator = np.random.default_rng(0)
    places = generator.uniform(0, 30, (900, 2))
    area, unit = unit_areas(Sheet("l", places, "mm"))
    assert unit == "mm^2"
    assert area.sum() == pytest.approx(900, rel=0.1)
    twice = np.concatenate([places, places[:1]])
    assert unit_areas(twice)[0][[0, -1]].sum() == pytest.approx(area[0], rel=0.05)


def test_voxels_have_a_volume():
    places = np.indices((4, 5, 3)).reshape(3, -1).T * [3.0, 3.5, 4.0]
    area, unit = unit_areas(places)
    assert unit == "mm^3"
    assert set(np.round(area, 9)) == {42.0}
    with pytest.raises(UserError, match="flattened surface"):
        unit_areas(np.random.default_rng(0).normal(size=(50, 3)))


def test_wiring_of_sheets_with_one_active_spot_is_the_distance_between_the_spots():
    """The target sheet lies left, right, above and below in turn, its spot always 10 away."""
    sheet = Sheet("l", np.stack(np.meshgrid(np.arange(11.0), np.arange(11.0)), axis=-1).reshape(-1, 2), "mm")
    responses = np.zeros((1, 121))
    responses[0, 3 * 11 + 5] = 1  # x 5, y 3
    found = wiring_length(responses, sheet, responses, sheet, active=1 / 121)
    assert found == pytest.approx([10.0])
    other = np.zeros((1, 121))
    other[0, 3 * 11 + 7] = 1  # 2 further right: 8, 12, and twice the diagonal
    found = wiring_length(responses, sheet, other, sheet, active=1 / 121)
    assert found == pytest.approx([(8 + 12 + 2 * np.hypot(2, 10)) / 4])


def test_scattered_activity_needs_more_fibres():
    sheet = grid_sheet("l", 900, unit="mm")
    spot = np.exp(-((sheet.positions - 10) ** 2).sum(axis=1) / 30)[None]
    shuffled = np.random.default_rng(0).permutation(spot[0])[None]
    near = wiring_length(spot, sheet, spot, sheet, active=0.03, within=3.0)
    far = wiring_length(shuffled, sheet, shuffled, sheet, active=0.03, within=3.0)
    assert far[0] > 3 * near[0]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda s: patches(np.ones(3), s, 1.0), r"\(3,\) values do not fit 16 positions"),
        (lambda s: patches(np.full(16, np.nan), s, 1.0), "16 values are NaN"),
        (lambda s: patches(np.ones(16), s, np.inf), "the threshold must be a number, not inf"),
        (lambda s: patches(np.ones(16), s, 1.0, smallest=0), "at least 1 unit, not 0"),
        (
            lambda s: wiring_length(np.ones((2, 9)), s, np.ones((2, 16)), s),
            r"\(2, 9\) do not fit a sheet of 16",
        ),
        (lambda s: wiring_length(np.ones((2, 16)), s, np.ones((3, 16)), s), "answer 2 and 3 stimuli"),
        (
            lambda s: wiring_length(np.ones((2, 16)), s, np.ones((2, 16)), grid_sheet("l", 16, unit="mm")),
            "one sheet is in cell, the other in mm",
        ),
    ],
)
def test_mistakes(call, message):
    with pytest.raises(UserError, match=message):
        call(grid_sheet("l", 16))


def test_every_number_of_a_patch_by_hand():
    """On a grid of 2 mm: a patch of an L of three units, one of two, and two single ones that are too small."""
    values = np.zeros((6, 7))
    values[0, 0], values[0, 1], values[1, 0] = 4.0, 2.0, 6.0
    values[4, 3], values[4, 4] = 9.0, 3.0
    values[2, 6] = values[5, 0] = 5.0
    sheet = grid_sheet("l", 42, shape=(6, 7), unit="mm").scaled(2.0)
    found = patches(values.ravel(), sheet, 1.0, smallest=2)
    assert found.columns.tolist() == [
        "n_units", "area", "peak", "peak_unit", "peak_x", "peak_y", "centre_x", "centre_y", "units",
    ]  # fmt: skip
    assert found.index.tolist() == [0, 1]
    low = sheet.positions.min(axis=0)
    first, second = found.iloc[0], found.iloc[1]
    assert (first["n_units"], first["area"], first["peak"], first["peak_unit"]) == (3, 12.0, 6.0, 7)
    assert (first["peak_x"] - low[0], first["peak_y"] - low[1]) == (0, 2)
    # heights above 1: 3, 1 and 5 at (0, 0), (2, 0) and (0, 2)
    assert first["centre_x"] - low[0] == pytest.approx(2 * 1 / 9)
    assert first["centre_y"] - low[1] == pytest.approx(2 * 5 / 9)
    assert sorted(first["units"]) == [0, 1, 7]
    assert (second["n_units"], second["area"], second["peak"], second["peak_unit"]) == (2, 8.0, 9.0, 31)
    assert found.attrs == {
        "threshold": 1.0, "fwhm": 0.0, "smallest": 2, "n_left_out": 2, "area_unit": "mm^2", "share": 7 / 42,
    }  # fmt: skip
    every = patches(values.ravel(), sheet, 1.0)
    assert every["n_units"].tolist() == [3, 2, 1, 1]
    assert every.attrs["n_left_out"] == 0
    assert patches(values.ravel(), sheet, 4.0)["n_units"].tolist() == [1, 1, 1, 1]  # above, not at
    assert patches(values.ravel(), sheet, 4.0)["peak"].tolist() == [9.0, 6.0, 5.0, 5.0]
    none = patches(values.ravel(), sheet, 9.0)
    assert none.columns.tolist() == found.columns.tolist()
    assert none.attrs["share"] == 0


def test_the_largest_patch_counts_its_units():
    weights = SpatialWeights.from_positions(grid_sheet("l", 16))
    values = np.zeros((4, 4))
    values[0, 0] = values[1, 1] = values[3, 3] = 2.0
    assert largest_patch(values.ravel(), weights, 1.0) == 2
    assert largest_patch(values.ravel(), weights, 2.0) == 0


def test_a_patch_of_voxels_has_its_place_in_space():
    index = np.indices((3, 4, 2)).reshape(3, -1).T
    values = ((index[:, 0] == 1) & (index[:, 1] < 2)).astype(float)
    found = patches(values, index * [3.0, 2.0, 4.0], 0.5).iloc[0]
    assert (found["n_units"], found["area"]) == (4, 4 * 24.0)
    assert (found["centre_x"], found["centre_y"], found["centre_z"]) == pytest.approx((3, 1, 2))


def test_a_grid_with_holes_has_cells_and_shared_places_have_none():
    grid = np.indices((5, 6)).reshape(2, -1).T * [1.5, 2.0]
    holes = np.delete(grid, [3, 7, 20], axis=0)
    area, unit = unit_areas(holes)
    assert set(area) == {3.0}
    assert unit == "mm^2"
    line, of_line = unit_areas(np.column_stack([np.arange(5) * 2.5, np.zeros(5)]))
    assert (set(line), of_line) == ({2.5}, "mm^1")
    assert unit_areas(grid_sheet("l", 9))[1] == "cell^2"
    # jittered by a hundredth of a step at most it is a grid, by more it is none
    jittered = grid + np.random.default_rng(0).uniform(-0.2, 0.2, grid.shape)
    assert len(set(np.round(unit_areas(jittered)[0], 6))) > 5
    # of two units at one place each has half
    twice = np.concatenate([grid, grid[:1]])
    shared = unit_areas(twice)[0]
    assert shared[0] == shared[-1]
    assert 2 * shared[0] == pytest.approx(shared[29], rel=0.05)  # the opposite corner


def test_scattered_units_own_what_is_nearest_up_to_twice_the_typical_distance():
    """Two far pairs: each unit owns half of two overlapping discs, of twice the distance within a pair."""
    places = np.array([[0.0, 0.0], [1.0, 0.0], [50.37, 0.3], [51.37, 0.3]])
    radius, half = 2.0, 0.5
    cap = radius**2 * np.arccos(half / radius) - half * np.sqrt(radius**2 - half**2)
    area, unit = unit_areas(places)
    assert unit == "mm^2"
    np.testing.assert_allclose(area, np.pi * radius**2 - cap, rtol=0.05)


def test_wiring_is_refused_where_its_settings_say_nothing():
    sheet, responses = grid_sheet("l", 16), np.random.default_rng(0).normal(size=(2, 16))
    for active, within in ((0.0, 1.0), (1.01, 1.0), (-0.1, 1.0), (0.5, 0.0), (0.5, float("nan"))):
        with pytest.raises(UserError, match=rf"is {active:g}; within is {within:g}"):
            wiring_length(responses, sheet, responses, sheet, active=active, within=within)
    everything = wiring_length(responses, sheet, responses, sheet, active=1.0, within=99.0)
    assert everything == pytest.approx([3.0, 3.0])  # one fibre a stimulus, a sheet's width long


def test_two_spots_need_two_fibres_or_one_where_they_are_close():
    """Spots at x 0 and 4: centres each 10 away on either side; as one cluster its centre is at 2."""
    sheet = Sheet("l", np.stack(np.meshgrid(np.arange(11.0), np.arange(11.0)), axis=-1).reshape(-1, 2), "mm")
    responses = np.zeros((2, 121))
    responses[:, [5 * 11, 5 * 11 + 4]] = 1.0
    responses[1, 5 * 11 + 4], responses[1, 5 * 11 + 1] = 0.0, 1.0  # the second stimulus: spots at 0 and 1
    found = wiring_length(responses, sheet, responses, sheet, active=2 / 121, within=1.0)
    # side by side the nearest ends are joined or each with its own: 10 each; one cluster: 10
    assert found == pytest.approx([20.0, 10.0])
    assert wiring_length(responses, sheet, responses, sheet, active=2 / 121, within=2.01)[0] == pytest.approx(
        10.0
    )
    assert wiring_length(responses, sheet, responses, sheet, active=2 / 121, within=1.99)[0] == pytest.approx(
        20.0
    )
    again = wiring_length(responses, sheet, responses, sheet, active=2 / 121, random_state=0)
    np.testing.assert_array_equal(found, again)


def test_sheets_of_other_sizes_lie_apart_by_the_larger():
    """A spot in the middle of 3 x 3 and of 11 x 5: centres at (1, 1) and (5, 2), moved by 10 in x and by 4 in y."""
    small = grid_sheet("l", 9, shape=(3, 3))
    wide = grid_sheet("l", 55, shape=(5, 11))
    one, other = np.zeros((1, 9)), np.zeros((1, 55))
    one[0, 4], other[0, 27] = 1, 1
    expected = np.mean([np.hypot(4 + dx, 1 + dy) for dx, dy in ((-10, 0), (10, 0), (0, -4), (0, 4))])
    assert wiring_length(one, small, other, wide, active=0.01) == pytest.approx([expected])
    assert wiring_length([[0, 0, 0, 0, 1, 0, 0, 0, 0]], small, other, wide) == pytest.approx([expected])


def test_a_wide_sheet_lies_its_own_width_and_height_beside_another():
    wide, small = grid_sheet("l", 55, shape=(5, 11)), grid_sheet("l", 9, shape=(3, 3))
    one, other = np.zeros((1, 55)), np.zeros((1, 9))
    one[0, 27], other[0, 4] = 1, 1
    expected = np.mean([np.hypot(dx - 4, dy - 1) for dx, dy in ((-10, 0), (10, 0), (0, -4), (0, 4))])
    assert wiring_length(one, wide, other, small) == pytest.approx([expected])


def test_clusters_of_scattered_activity_follow_from_the_seed():
    sheet = grid_sheet("l", 400, unit="mm")
    responses = np.random.default_rng(0).normal(size=(6, 400))
    default, same, other = (
        wiring_length(responses, sheet, responses[::-1], sheet, active=0.2, within=3.0, **seed)
        for seed in ({}, {"random_state": 0}, {"random_state": 1})
    )
    np.testing.assert_array_equal(default, same)
    assert (default != other).any()
    places = sheet.positions[:60] * [1.0, 3.0]
    best = min(KMeans(7, n_init=1, random_state=seed).fit(places).inertia_ for seed in range(3))
    assert _clusters(places, 7, 0)[1] <= 1.05 * best
    centers, inertia = _clusters(places, 7, 0)
    peer = KMeans(7, n_init=3, random_state=0).fit(places)
    np.testing.assert_allclose(centers, peer.cluster_centers_)
    assert inertia == pytest.approx(peer.inertia_)


def test_units_of_a_few_cells_that_share_places_are_no_grid():
    """A grid of 3 x 3 cells with 8 of its places, two of them twice, and one with a hundred times too many cells."""
    grid = np.indices((3, 3)).reshape(2, -1).T * 1.0
    assert unit_areas(grid[:8])[0].tolist() == [1.0] * 8
    assert unit_areas(np.concatenate([grid[:8], grid[:2]]))[0].std() > 0
    sparse = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 900.0], [0.0, 901.0]])
    assert unit_areas(sparse)[0].max() > 2
    dense = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 198.0], [0.0, 199.0]])
    assert unit_areas(dense)[0].tolist() == [1.0] * 4


def test_the_most_active_units_are_the_same_in_whole_numbers_without_a_sign():
    sheet = grid_sheet("l", 25, shape=(5, 5))
    spot = np.zeros((1, 25), np.uint8)
    spot[0, 7] = 200
    expected = wiring_length(spot * 1.0, sheet, spot * 1.0, sheet)
    for source, target in ((spot, spot * 1.0), (spot * 1.0, spot), (spot, spot)):
        np.testing.assert_array_equal(wiring_length(source, sheet, target, sheet), expected)


def test_of_units_that_are_as_active_the_first_are_taken():
    sheet = grid_sheet("l", 400, unit="mm")
    tied = (np.random.default_rng(1).random((2, 400)) < 0.5) * 1.0
    untied = tied - 1e-6 * np.arange(400)
    for source, target in ((tied, untied), (untied, tied)):
        found = wiring_length(source, sheet, target, sheet, active=0.1, within=2.0)
        np.testing.assert_array_equal(
            found, wiring_length(untied, sheet, untied, sheet, active=0.1, within=2.0)
        )
