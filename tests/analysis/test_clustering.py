"""Moran's I against esda, against maps whose I is known, and on sheets of every kind."""

import esda
import libpysal
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from brodmann.analysis import morans_i
from brodmann.analysis.clustering import neighbours
from brodmann.brain_data.simulated import simulated_cortex
from brodmann.errors import UserError
from brodmann.models import Sheet, grid_sheet


@pytest.fixture
def smooth():
    generator = np.random.default_rng(0)
    return gaussian_filter(generator.normal(size=(9, 14)), 1.0).ravel()


SHEET = grid_sheet("l", 9 * 14, shape=(9, 14))


@pytest.mark.parametrize("standardised", [True, False])
@pytest.mark.parametrize("weights", ["queen", "rook"])
def test_the_value_on_a_grid_is_esdas(smooth, weights, standardised):
    lattice = libpysal.weights.lat2W(9, 14, rook=weights == "rook")
    expected = esda.Moran(smooth, lattice, transformation="r" if standardised else "b", permutations=0).I
    found = morans_i(smooth, SHEET, weights, permutations=9, standardised=standardised)
    assert pytest.approx(expected, abs=1e-12) == found.I
    assert found.expected == pytest.approx(-1 / 125)


@pytest.mark.parametrize("weights", ["nearest", "band"])
def test_the_value_by_distance_is_esdas(weights):
    generator = np.random.default_rng(1)
    places = generator.uniform(0, 10, (80, 2))
    values = np.sin(places[:, 0]) + generator.normal(size=80)
    if weights == "nearest":
        peer, reach = libpysal.weights.KNN(places, k=5), 5
    else:
        peer, reach = libpysal.weights.DistanceBand(places, 2.5, silence_warnings=True), 2.5
    expected = esda.Moran(values, peer, permutations=0).I
    assert pytest.approx(expected, abs=1e-12) == morans_i(values, places, weights, 9, reach=reach).I


def test_the_null_is_that_of_random_layouts(smooth):
    found = morans_i(smooth, SHEET, permutations=999)
    assert found.null_mean == pytest.approx(found.expected, abs=0.01)
    assert found.p == 1 / 1000
    assert found.z > 5
    white = np.random.default_rng(3).normal(size=126)
    p = [morans_i(np.random.default_rng(i).permutation(white), SHEET, permutations=199).p for i in range(100)]
    assert 0.35 < np.mean(p) < 0.65  # uniform


def test_smoothed_noise_has_the_known_value():
    """Noise under a Gaussian of FWHM 2 on 28 x 28: 0.61 by queen, measured with esda."""
    generator = np.random.default_rng(0)
    values = [
        morans_i(gaussian_filter(generator.normal(size=(28, 28)), 2 / np.sqrt(8 * np.log(2))).ravel(),
                 grid_sheet("l", 784), permutations=0).I
        for _ in range(20)
    ]  # fmt: skip
    assert np.mean(values) == pytest.approx(0.61, abs=0.03)


def test_a_simulated_cortex_has_the_value_that_it_was_made_with():
    found = []
    for seed in range(4):
        data = simulated_cortex(seed=seed, n_stimuli=20)
        here = data.responses.isel(neuroid=(data.responses["region"] == "IT").values)
        places = np.stack([here["x"], here["y"]], axis=1)
        found += [
            morans_i(one, places, permutations=0, standardised=False).I for one in data.truth["maps"]["IT"]
        ]
    assert np.mean(found) == pytest.approx(
        data.truth["morans_i"], abs=3 * np.std(found) / np.sqrt(len(found))
    )


def test_a_torus_has_neighbours_across_its_edges():
    torus = grid_sheet("l", 30, shape=(5, 6), periodic=True)
    assert set(np.asarray(neighbours(torus, "queen").sum(axis=1)).ravel()) == {8}
    assert set(np.asarray(neighbours(torus, "rook").sum(axis=1)).ravel()) == {4}
    unit = grid_sheet("l", 36, pitch=1 / 6, periodic=True)
    assert set(np.asarray(neighbours(unit, "rook").sum(axis=1)).ravel()) == {4}


def test_a_permuted_sheet_is_the_null():
    generator = np.random.default_rng(0)
    values = gaussian_filter(generator.normal(size=(16, 16)), 2).ravel()
    sheet = grid_sheet("l", 256)
    assert morans_i(values, sheet).I > 0.7
    assert abs(np.mean([morans_i(values, sheet.permuted(i), permutations=0).I for i in range(20)])) < 0.03


@pytest.mark.parametrize(
    ("values", "positions", "options", "message"),
    [
        (np.arange(4.0), np.zeros((4, 2)), {}, "all units lie on one place"),
        (
            np.arange(4.0),
            np.array([[0, 0], [0, 1], [0, 1], [1, 1.0]]),
            {},
            "1 units share a place: use weights=",
        ),
        (np.arange(3.0), np.array([[0, 0], [0, 1], [0.3, 1.7]]), {}, "no square grid"),
        (np.ones(4), np.indices((2, 2)).reshape(2, -1).T, {}, "all values are the same"),
        (np.array([1, 2, np.nan, 3]), np.indices((2, 2)).reshape(2, -1).T, {}, "1 values are NaN"),
        (np.arange(4.0), np.indices((2, 2)).reshape(2, -1).T, {"weights": "kings"}, "not 'kings'"),
        (np.arange(4.0), np.indices((2, 2)).reshape(2, -1).T, {"weights": "band"}, "need a reach"),
        (np.arange(4.0), np.indices((2, 2)).reshape(2, -1).T, {"weights": "nearest"}, "8 nearest neighbours"),
        (np.arange(5.0), np.indices((2, 2)).reshape(2, -1).T, {}, "do not fit 4 positions"),
    ],
)
def test_mistakes(values, positions, options, message):
    with pytest.raises(UserError, match=message):
        morans_i(values, positions, **options)


def test_positions_may_be_a_sheet_in_any_unit():
    values = np.arange(12.0)
    plain = grid_sheet("l", 12)
    in_mm = Sheet("l", 0.35 * plain.positions + 3, "mm")
    assert (
        pytest.approx(morans_i(values, plain, permutations=0).I) == morans_i(values, in_mm, permutations=0).I
    )


def test_the_tuning_of_the_authors_network_clusters_after_training_and_not_before(test_weights):
    """The network that the TopoNets authors trained: selectivity for handwritten digits on its 16 x 16 sheets."""
    import torch
    from safetensors.torch import load_file
    from sklearn.datasets import load_digits

    from brodmann.analysis import category_selectivity

    digits = load_digits()
    pictures = torch.from_numpy(digits.images / 16).float()[:, None]
    pictures = torch.nn.functional.interpolate(pictures, size=(20, 20), mode="bilinear", align_corners=False)
    x = (torch.nn.functional.pad(pictures, (4, 4, 4, 4)).flatten(1) - 0.1307) / 0.3081
    found = {}
    for stage in ("000_initial", "001_dataset-1x", "002_dataset-5x"):
        state = load_file(test_weights / "topo-mlp-mnist" / f"{stage}.safetensors")
        hidden = x
        for layer in (0, 2):
            hidden = torch.nn.functional.linear(
                hidden.relu() if layer else hidden, state[f"net.{layer}.weight"], state[f"net.{layer}.bias"]
            )
            maps = [category_selectivity(hidden.numpy(), digits.target, d)["dprime"] for d in range(10)]
            found[stage, layer] = [morans_i(one, grid_sheet("l", 256)) for one in maps]
    for (stage, layer), values in found.items():
        print(
            f"{stage} net.{layer}: Moran's I of the tuning {np.mean([v.I for v in values]):.2f} (10 digits, "
            f"{min(v.I for v in values):.2f} to {max(v.I for v in values):.2f}), permuted layouts "
            f"{np.mean([v.null_mean for v in values]):.3f} sd {np.mean([v.null_sd for v in values]):.3f}, "
            f"p {max(v.p for v in values):.3f} at most"
        )
    for layer in (0, 2):
        before, after = found["000_initial", layer], found["002_dataset-5x", layer]
        assert abs(np.mean([v.z for v in before])) < 1
        assert min(v.z for v in after) > 10
        assert max(v.p for v in after) == 1 / 1000
