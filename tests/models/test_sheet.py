"""Sheets: grids, tori, shuffles, and the positions that TopoLM and TDANN store."""

import numpy as np
import pytest
from torch import nn

from brodmann import UserError
from brodmann.models import ImagePreprocessing, VisionModel
from brodmann.models.sheet import Sheet, grid_shape, grid_sheet, interleaved_sheet, tdann_sheet


@pytest.mark.parametrize(
    ("n", "shape"),
    [(64, (8, 8)), (512, (16, 32)), (768, (24, 32)), (1000, (25, 40)), (3072, (48, 64)), (97, (1, 97))],
)
def test_grids_are_as_square_as_the_number_allows(n, shape):
    assert grid_shape(n) == shape


def test_units_fill_a_grid_row_by_row():
    sheet = grid_sheet("fc", 12, unit="mm").scaled(0.5)
    assert sheet.shape == (3, 4)
    np.testing.assert_array_equal(sheet.positions[5], [0.5, 0.5])
    assert sheet.distances()[0, 11] == pytest.approx(0.5 * np.hypot(3, 2))
    torus = grid_sheet("fc", 12, periodic=True)
    assert torus.distances()[0, 3] == 1
    assert torus.distances()[0, 8] == 1


def test_a_shuffle_keeps_the_places_and_repeats():
    sheet = grid_sheet("fc", 256)
    shuffled = sheet.permuted(3)
    np.testing.assert_array_equal(shuffled.positions, sheet.permuted(3).positions)
    assert not np.array_equal(shuffled.positions, sheet.positions)
    assert {tuple(p) for p in shuffled.positions} == {tuple(p) for p in sheet.positions}
    assert (shuffled.layout, shuffled.shape) == ("permuted(3)", None)


def test_channels_of_all_tnn_lie_inside_their_place():
    sheet = interleaved_sheet("layer", (4, 2, 3))
    assert len(sheet) == 24
    assert sheet.n_collisions == 0
    np.testing.assert_array_equal(sheet.positions[3 * 6], [1, 1])  # place (0, 0), last channel
    np.testing.assert_array_equal(sheet.positions[3], [0, 2])  # place (1, 0), first channel
    with pytest.raises(UserError, match="no square number"):
        interleaved_sheet("layer", (5, 2, 3))


def test_positions_in_tdanns_files(tmp_path):
    rng = np.random.default_rng(0)
    coordinates = rng.uniform(0, 70, size=(2 * 3 * 4, 2)).astype(np.float32)
    path = tmp_path / "layer4.1.npz"
    np.savez(path, name="layer4.1", dims=[2, 3, 4], coordinates=coordinates, neighborhood_width=2.0)
    sheet = tdann_sheet(path, "layer4.1")
    assert (sheet.unit, len(sheet)) == ("mm", 24)
    np.savez(path, name="layer4.1", dims=[2, 3, 5], coordinates=coordinates)
    with pytest.raises(UserError, match="24 positions for an output of 2 x 3 x 5"):
        tdann_sheet(path, "layer4.1")
    path.write_bytes(b"no archive")
    with pytest.raises(UserError, match="cannot read positions"):
        tdann_sheet(path, "layer4.1")


def test_real_positions_of_topolm_share_places(test_weights):
    folder = test_weights / "topolm-gpt2-positions"
    with np.load(folder / "positions_5-5.npz") as stored:
        counts = {name: Sheet(name, stored[name]).n_collisions for name in stored.files}
    assert len(counts) == 24
    assert all(60 < n < 90 for n in counts.values())
    with np.load(folder / "positions_5-5-noswap.npz") as stored:
        assert Sheet("layer.0.attn", stored["layer.0.attn"]).n_collisions == 0


@pytest.mark.parametrize("positions", [np.zeros((3, 3)), np.full((3, 2), np.nan), np.zeros(4)])
def test_places_that_are_none_are_named(positions):
    with pytest.raises(UserError, match="finite and of shape"):
        Sheet("fc", positions)
    with pytest.raises(UserError, match="has 5 positions, its grid 2 x 3"):
        Sheet("fc", np.zeros((5, 2)), shape=(2, 3))


def test_a_model_knows_the_sheets_of_its_layers():
    module = nn.Sequential(nn.Conv2d(3, 16, 3), nn.ReLU())
    sheet = grid_sheet("0", 16, reads="channel", layout="native")
    model = VisionModel(module, identifier="mine", preprocess=ImagePreprocessing(16), sheets=[sheet])
    assert model.sheet("0") is sheet
    assert model.sheet("1") is None
    with pytest.raises(UserError, match="unknown layer of mine '2'"):
        model.sheet("2")
    with pytest.raises(UserError, match="unknown layer of mine 'fc'"):
        VisionModel(
            module, identifier="mine", preprocess=ImagePreprocessing(16), sheets=[grid_sheet("fc", 4)]
        )
