"""Patches, areas and wiring of maps that were planted."""

import numpy as np
import pytest

from brodmann.analysis import patches, wiring_length
from brodmann.analysis.spatial.patches import unit_areas
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
