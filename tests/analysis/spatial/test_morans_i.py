"""Moran's I against esda, against maps whose I is known, and on sheets of every kind."""

import esda
import libpysal
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from brodmann.analysis import gearys_c, local_morans_i, morans_i, morans_i_of_maps
from brodmann.analysis.spatial.permutation_null import layout_null
from brodmann.analysis.spatial.smoothing import smooth, smoothing_matrix
from brodmann.analysis.spatial.spatial_weights import mesh_distances, mesh_neighbors, neighbors
from brodmann.brain_data.simulated_cortex import simulated_cortex
from brodmann.errors import UserError
from brodmann.models import Sheet, grid_sheet


@pytest.fixture
def smooth_map():
    generator = np.random.default_rng(0)
    return gaussian_filter(generator.normal(size=(9, 14)), 1.0).ravel()


SHEET = grid_sheet("l", 9 * 14, shape=(9, 14))


@pytest.mark.parametrize("standardized", [True, False])
@pytest.mark.parametrize("weights", ["queen", "rook"])
def test_the_value_on_a_grid_is_esdas(smooth_map, weights, standardized):
    lattice = libpysal.weights.lat2W(9, 14, rook=weights == "rook")
    expected = esda.Moran(smooth_map, lattice, transformation="r" if standardized else "b", permutations=0).I
    found = morans_i(smooth_map, SHEET, weights, permutations=9, standardized=standardized)
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


def test_the_null_is_that_of_random_layouts(smooth_map):
    found = morans_i(smooth_map, SHEET, permutations=999)
    assert found.null_mean == pytest.approx(found.expected, abs=0.01)
    assert found.p == 1 / 1000
    assert found.z > 5
    white = np.random.default_rng(3).normal(size=126)
    p = [morans_i(np.random.default_rng(i).permutation(white), SHEET, permutations=199).p for i in range(100)]
    assert 0.35 < np.mean(p) < 0.65  # uniform


def irregular():
    """A mask with holes and a ragged edge, as a grid of 12 x 15 places; no unit is alone."""
    generator = np.random.default_rng(5)
    mask = gaussian_filter(generator.normal(size=(12, 15)), 1.2) > -0.12
    return np.argwhere(mask)[:, ::-1].astype(float)


def lattice_weights(places, norm):
    """Libpysal's weights of the same neighbours, from pairs listed one by one."""
    pairs = {
        i: [j for j in range(len(places)) if j != i and np.linalg.norm(places[i] - places[j], ord=norm) < 1.1]
        for i in range(len(places))
    }
    return libpysal.weights.W(pairs, silence_warnings=True)


@pytest.mark.parametrize("standardized", [True, False])
@pytest.mark.parametrize(("weights", "norm"), [("queen", np.inf), ("rook", 1)])
def test_the_value_on_an_irregular_mask_is_esdas(weights, norm, standardized):
    places = irregular()
    values = np.random.default_rng(2).normal(size=len(places)) + places[:, 0]
    peer = lattice_weights(places, norm)
    expected = esda.Moran(values, peer, transformation="r" if standardized else "b", permutations=0)
    found = morans_i(values, places, weights, 0, standardized=standardized, islands="keep")
    assert pytest.approx(expected.I, abs=1e-10) == found.I


def test_islands_are_refused_or_kept_as_esda_keeps_them():
    places = np.array([[0, 0], [1, 0], [2, 0], [0, 1], [1, 1], [7, 7.0]])
    values = np.array([1.0, 2, 4, 3, 5, 9])
    with pytest.raises(UserError, match="1 of 6 units have no neighbour .first: unit 5.: leave them out"):
        morans_i(values, places)
    found = morans_i(values, places, permutations=0, islands="keep")
    peer = lattice_weights(places, np.inf)
    assert pytest.approx(esda.Moran(values, peer, permutations=0).I, abs=1e-12) == found.I
    assert found.n_islands == 1


@pytest.mark.parametrize("standardized", [True, False])
@pytest.mark.parametrize("weights", ["queen", "rook", "nearest", "band"])
def test_the_exact_moments_are_esdas(weights, standardized):
    places, reach = irregular(), {"nearest": 5, "band": 2.3}.get(weights)
    values = np.random.default_rng(3).exponential(size=len(places)) + 0.2 * places[:, 1]
    peer = {
        "queen": lambda: lattice_weights(places, np.inf),
        "rook": lambda: lattice_weights(places, 1),
        "nearest": lambda: libpysal.weights.KNN(
            np.random.default_rng(9).normal(0, 1e-3, places.shape) + places, k=5
        ),
        "band": lambda: libpysal.weights.DistanceBand(places, 2.3, silence_warnings=True),
    }[weights]()
    used = np.random.default_rng(9).normal(0, 1e-3, places.shape) + places if weights == "nearest" else places
    change = "r" if standardized else "b"
    moran = esda.Moran(values, peer, transformation=change, permutations=0, two_tailed=False)
    geary = esda.Geary(values, peer, transformation=change, permutations=0)
    ours = morans_i(values, used, weights, 0, reach=reach, standardized=standardized, islands="keep")
    contiguity = gearys_c(values, used, weights, 9, reach=reach, standardized=standardized, islands="keep")
    np.testing.assert_allclose(
        [ours.I, ours.exact_z, ours.exact_p], [moran.I, moran.z_rand, moran.p_rand], rtol=1e-10, atol=1e-10
    )
    np.testing.assert_allclose(
        [contiguity.C, contiguity.exact_sd**2, contiguity.exact_p], [geary.C, geary.VC_rand, geary.p_rand],
        rtol=1e-9, atol=1e-10,
    )  # fmt: skip


def test_many_maps_are_as_one_map_each():
    generator = np.random.default_rng(0)
    maps = gaussian_filter(generator.normal(size=(40, 9, 14)), (0, 0.4, 0.4)).reshape(40, -1)
    table = morans_i_of_maps(maps, SHEET, permutations=499)
    for i in (0, 17, 39):
        one = morans_i(maps[i], SHEET, permutations=499, random_state=3)
        assert table["I"][i] == pytest.approx(one.I, abs=1e-12)
        assert table["null_sd"][i] == pytest.approx(one.null_sd, rel=0.15)
    assert table["z"].corr(table["exact_z"]) > 0.98
    assert table.attrs["permuted"] == "the places of the units, shared by the maps"


def test_p_values_are_distributed_as_esdas():
    """One-sided p of weakly clustered maps: the same by our shared permutations and esda's own of every map."""
    generator = np.random.default_rng(1)
    maps = gaussian_filter(generator.normal(size=(60, 9, 14)), (0, 0.3, 0.3)).reshape(60, -1)
    ours = morans_i_of_maps(maps, SHEET, permutations=999)["p"].to_numpy()
    peer = libpysal.weights.lat2W(9, 14, rook=False)
    np.random.seed(0)  # noqa: NPY002  esda draws from numpy's global generator
    found = [esda.Moran(one, peer, permutations=999) for one in maps]
    theirs = np.array([((one.sim >= one.I).sum() + 1) / 1000 for one in found])
    assert np.abs(ours - theirs).max() < 0.08
    assert np.abs(ours - theirs).mean() < 0.02


@pytest.mark.filterwarnings("ignore:The alternative hypothesis:DeprecationWarning")
def test_local_values_are_esdas(smooth_map):
    peer = libpysal.weights.lat2W(9, 14, rook=False)
    expected = esda.Moran_Local(smooth_map, peer, permutations=999, seed=1)
    found = local_morans_i(smooth_map, SHEET)
    np.testing.assert_allclose(found["I"], expected.Is, atol=1e-12)
    kinds = {1: "high", 2: "low among high", 3: "low", 4: "high among low"}
    assert found["kind"].tolist() == [kinds[q] for q in expected.q]
    assert np.corrcoef(found["p"], np.minimum(1, 2 * expected.p_sim))[0, 1] > 0.99


def test_local_values_find_the_planted_patch():
    values = np.random.default_rng(0).normal(size=(9, 14))
    values[2:6, 3:8] += 4
    found = local_morans_i(values.ravel(), SHEET)
    inside = np.zeros((9, 14), bool)
    inside[3:5, 4:7] = True
    assert ((found["q"] < 0.05) & (found["kind"] == "high"))[inside.ravel()].all()


def test_voxels_have_26_neighbours_and_steps_of_their_own():
    index = np.indices((5, 6, 4)).reshape(3, -1).T
    places = index * [3.1, 3.75, 4.0] + [-20.0, 7, 1]
    inner = ((index > 0) & (index < np.array([4, 5, 3]))).all(axis=1)
    assert set(np.asarray(neighbors(places, "queen").sum(axis=1)).ravel()[inner]) == {26}
    assert set(np.asarray(neighbors(places, "rook").sum(axis=1)).ravel()[inner]) == {6}


def test_neighbours_on_a_mesh_share_an_edge_or_lie_within_a_geodesic_distance():
    """A strip of triangles folded in two: the sheets lie 0.1 apart in space and far along the surface."""
    x = np.r_[np.arange(6.0), np.arange(5.0, -1, -1)]
    z = np.r_[np.zeros(6), np.full(6, 0.1)]
    places = np.concatenate([np.stack([x, np.full(12, y), z], axis=1) for y in (0.0, 1.0)])
    faces = [[i, i + 1, i + 12] for i in range(11)] + [[i + 1, i + 13, i + 12] for i in range(11)]
    edges = mesh_neighbors(np.array(faces), places)
    assert edges[[0]].indices.tolist() == [1, 12]
    near = mesh_neighbors(np.array(faces), places, reach=2.1)
    assert 11 not in near[[0]].indices  # 0.1 away in space
    assert 2 in near[[0]].indices
    assert mesh_distances(np.array(faces), places, longest=20)[0, 11] == pytest.approx(10.1)
    values = np.arange(24.0)
    assert morans_i(values, places, edges, 99).I > 0
    with pytest.raises(UserError, match="a face names vertex 30, and there are 24"):
        mesh_neighbors(np.array([[0, 1, 30]]), places)


def test_smoothing_keeps_the_level_at_edges_and_has_the_asked_width():
    sheet = grid_sheet("l", 41 * 41, shape=(41, 41))
    np.testing.assert_allclose(smooth(np.ones(41 * 41), sheet, 3.0), 1.0)
    point = np.zeros((41, 41))
    point[20, 20] = 1
    kernel = smooth(point.ravel(), sheet, 6.0).reshape(41, 41)[20]
    assert kernel[23] / kernel[20] == pytest.approx(0.5, abs=1e-6)  # half the height at half the width
    assert smoothing_matrix(sheet, 2.0).diagonal().min() > 0
    torus = grid_sheet("l", 400, shape=(20, 20), periodic=True)
    wrapped = smooth(np.eye(400)[0], torus, 2.0).reshape(20, 20)
    assert wrapped[0, 1] == pytest.approx(wrapped[0, 19]) == pytest.approx(wrapped[19, 0])
    with pytest.raises(UserError, match=r"must be above 0, not -1"):
        smooth(np.ones(4), np.indices((2, 2)).reshape(2, -1).T, -1.0)


def test_noise_that_was_smoothed_is_not_clustered_against_its_own_null():
    """FWHM 2 on 28 x 28: I is 0.61, and so is the null's, so z is near 0 and p is uniform."""
    maps = np.random.default_rng(0).normal(size=(100, 784))
    table = morans_i_of_maps(maps, grid_sheet("l", 784), permutations=199, fwhm=2.0)
    assert table["I"].mean() == pytest.approx(0.61, abs=0.01)
    assert abs(table["z"].mean()) < 3 / np.sqrt(100)
    assert 0.8 < table["z"].std() < 1.2
    assert not table["clustered"].any()
    print(f"smoothed noise: I {table['I'].mean():.3f}, z {table['z'].mean():.2f} sd {table['z'].std():.2f}")


def test_any_statistic_has_a_null_of_permuted_layouts(smooth_map):
    matrix = neighbors(SHEET, "queen")
    found = layout_null(lambda one: float(one @ (matrix @ one)), smooth_map, SHEET, permutations=99)
    assert found.p == 1 / 100
    assert found.z > 5
    assert (
        layout_null(lambda one: float(one.max()), smooth_map, SHEET, permutations=9).p == 1
    )  # no layout changes it
    with pytest.raises(UserError, match="'upper', 'lower' or 'both', not 'left'"):
        layout_null(np.mean, smooth_map, SHEET, tail="left")


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
            morans_i(one, places, permutations=0, standardized=False).I for one in data.truth["maps"]["IT"]
        ]
    assert np.mean(found) == pytest.approx(
        data.truth["morans_i"], abs=3 * np.std(found) / np.sqrt(len(found))
    )


def test_a_torus_has_neighbours_across_its_edges():
    torus = grid_sheet("l", 30, shape=(5, 6), periodic=True)
    assert set(np.asarray(neighbors(torus, "queen").sum(axis=1)).ravel()) == {8}
    assert set(np.asarray(neighbors(torus, "rook").sum(axis=1)).ravel()) == {4}
    unit = grid_sheet("l", 36, pitch=1 / 6, periodic=True)
    assert set(np.asarray(neighbors(unit, "rook").sum(axis=1)).ravel()) == {4}


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
