"""Moran's I against esda, against maps whose I is known, and on sheets of every kind."""

from itertools import permutations

import esda
import libpysal
import numpy as np
import pytest
from scipy import sparse
from scipy.ndimage import gaussian_filter
from scipy.stats import false_discovery_control, norm

from brodmann.analysis import SpatialWeights, gearys_c, local_morans_i, morans_i, morans_i_of_maps
from brodmann.analysis.spatial.permutation_null import layout_null, permuted_layouts
from brodmann.analysis.spatial.smoothing import smooth, smoothing_matrix
from brodmann.analysis.spatial.spatial_weights import mesh_distances
from brodmann.brain_data.simulated_cortex import simulated_cortex
from brodmann.errors import UserError
from brodmann.models import Sheet, grid_sheet


@pytest.fixture
def smooth_map():
    generator = np.random.default_rng(0)
    return gaussian_filter(generator.normal(size=(9, 14)), 1.0).ravel()


SHEET = grid_sheet("l", 9 * 14, shape=(9, 14))
QUEEN = SpatialWeights.from_positions(SHEET)


@pytest.mark.parametrize("standardized", [True, False])
@pytest.mark.parametrize("weights", ["queen", "rook"])
def test_the_value_on_a_grid_is_esdas(smooth_map, weights, standardized):
    lattice = libpysal.weights.lat2W(9, 14, rook=weights == "rook")
    expected = esda.Moran(smooth_map, lattice, transformation="r" if standardized else "b", permutations=0).I
    made = SpatialWeights.from_positions(SHEET, weights, standardized=standardized)
    found = morans_i(smooth_map, made, permutations=9)
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
    made = SpatialWeights.from_positions(places, weights, standardized=standardized, isolates="keep")
    found = morans_i(values, made, permutations=0)
    assert pytest.approx(expected.I, abs=1e-10) == found.I


def test_isolates_are_refused_or_kept_as_esda_keeps_them():
    places = np.array([[0, 0], [1, 0], [2, 0], [0, 1], [1, 1], [7, 7.0]])
    values = np.array([1.0, 2, 4, 3, 5, 9])
    with pytest.raises(UserError, match="1 of 6 units have no neighbour .first: unit 5.: leave them out"):
        morans_i(values, places)
    kept = SpatialWeights.from_positions(places, isolates="keep")
    found = morans_i(values, kept, permutations=0)
    peer = lattice_weights(places, np.inf)
    assert pytest.approx(esda.Moran(values, peer, permutations=0).I, abs=1e-12) == found.I
    assert found.n_isolates == 1
    assert kept.isolates.tolist() == peer.islands == [5]


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
    made = SpatialWeights.from_positions(
        used, weights, reach=reach, standardized=standardized, isolates="keep"
    )
    ours, contiguity = morans_i(values, made, permutations=0), gearys_c(values, made, 9)
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
    table = morans_i_of_maps(maps, QUEEN, permutations=499)
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
    ours = morans_i_of_maps(maps, QUEEN, permutations=999)["p"].to_numpy()
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
    found = local_morans_i(smooth_map, QUEEN)
    np.testing.assert_allclose(found["I"], expected.Is, atol=1e-12)
    kinds = {1: "high", 2: "low among high", 3: "low", 4: "high among low"}
    assert found["kind"].tolist() == [kinds[q] for q in expected.q]
    assert np.corrcoef(found["p"], np.minimum(1, 2 * expected.p_sim))[0, 1] > 0.99


def test_local_values_find_the_planted_patch():
    values = np.random.default_rng(0).normal(size=(9, 14))
    values[2:6, 3:8] += 4
    found = local_morans_i(values.ravel(), QUEEN)
    inside = np.zeros((9, 14), bool)
    inside[3:5, 4:7] = True
    assert ((found["q"] < 0.05) & (found["kind"] == "high"))[inside.ravel()].all()


def touching(places, kernel):
    """1 for neighbours, 0 else."""
    return SpatialWeights.from_positions(places, kernel, standardized=False).matrix


def test_voxels_have_26_neighbours_and_steps_of_their_own():
    index = np.indices((5, 6, 4)).reshape(3, -1).T
    places = index * [3.1, 3.75, 4.0] + [-20.0, 7, 1]
    inner = ((index > 0) & (index < np.array([4, 5, 3]))).all(axis=1)
    assert set(np.asarray(touching(places, "queen").sum(axis=1)).ravel()[inner]) == {26}
    assert set(np.asarray(touching(places, "rook").sum(axis=1)).ravel()[inner]) == {6}


def test_neighbours_on_a_mesh_share_an_edge_or_lie_within_a_geodesic_distance():
    """A strip of triangles folded in two: the sheets lie 0.1 apart in space and far along the surface."""
    x = np.r_[np.arange(6.0), np.arange(5.0, -1, -1)]
    z = np.r_[np.zeros(6), np.full(6, 0.1)]
    places = np.concatenate([np.stack([x, np.full(12, y), z], axis=1) for y in (0.0, 1.0)])
    faces = [[i, i + 1, i + 12] for i in range(11)] + [[i + 1, i + 13, i + 12] for i in range(11)]
    edges = SpatialWeights.from_mesh(np.array(faces), places)
    assert edges.matrix[[0]].indices.tolist() == [1, 12]
    near = SpatialWeights.from_mesh(np.array(faces), places, reach=2.1).matrix
    assert 11 not in near[[0]].indices  # 0.1 away in space
    assert 2 in near[[0]].indices
    assert mesh_distances(np.array(faces), places, longest=20)[0, 11] == pytest.approx(10.1)
    values = np.arange(24.0)
    assert morans_i(values, edges, permutations=99).I > 0
    with pytest.raises(UserError, match="a face names vertex 30, and there are 24"):
        SpatialWeights.from_mesh(np.array([[0, 1, 30]]), places)


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
    weights = SpatialWeights.from_positions(grid_sheet("l", 784))
    table = morans_i_of_maps(maps, weights, permutations=199, fwhm=2.0)
    assert table["I"].mean() == pytest.approx(0.61, abs=0.01)
    assert abs(table["z"].mean()) < 3 / np.sqrt(100)
    assert 0.8 < table["z"].std() < 1.2
    assert not table["clustered"].any()
    print(f"smoothed noise: I {table['I'].mean():.3f}, z {table['z'].mean():.2f} sd {table['z'].std():.2f}")


def test_any_statistic_has_a_null_of_permuted_layouts(smooth_map):
    matrix = touching(SHEET, "queen")
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
        weights = SpatialWeights.from_positions(places, standardized=False)
        found += [morans_i(one, weights, permutations=0).I for one in data.truth["maps"]["IT"]]
    assert np.mean(found) == pytest.approx(
        data.truth["morans_i"], abs=3 * np.std(found) / np.sqrt(len(found))
    )


def test_a_torus_has_neighbours_across_its_edges():
    torus = grid_sheet("l", 30, shape=(5, 6), periodic=True)
    assert set(np.asarray(touching(torus, "queen").sum(axis=1)).ravel()) == {8}
    assert set(np.asarray(touching(torus, "rook").sum(axis=1)).ravel()) == {4}
    unit = grid_sheet("l", 36, periodic=True).scaled(1 / 6)
    assert set(np.asarray(touching(unit, "rook").sum(axis=1)).ravel()) == {4}


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


def permuted_values(values, permutations, seed):
    """The values under every layout of the null, (permutations, n_units)."""
    return np.concatenate([block.T for block in permuted_layouts(values[None], permutations, seed)])


@pytest.mark.parametrize("fwhm", [0.0, 1.5])
def test_the_null_is_the_statistic_of_every_permuted_layout(fwhm):
    """More layouts than one block holds; values smoothed and permuted values smoothed likewise."""
    values = np.random.default_rng(4).exponential(size=20)
    sheet = grid_sheet("l", 20, shape=(4, 5))
    found = morans_i(values, sheet, permutations=600, random_state=7, fwhm=fwhm)

    lattice = libpysal.weights.lat2W(4, 5, rook=False)
    lattice.transform = "r"

    def plain(maps):
        maps = np.stack([smooth(map_, sheet, fwhm) for map_ in maps]) if fwhm else maps
        z = maps - maps.mean(axis=1, keepdims=True)
        return ((z @ lattice.full()[0]) * z).sum(axis=1) / (z**2).sum(axis=1)

    null = plain(permuted_values(values, 600, 7))
    observed = smooth(values, sheet, fwhm) if fwhm else values
    assert pytest.approx(esda.Moran(observed, lattice, permutations=0).I) == found.I
    assert plain(values[None]) == pytest.approx(found.I)
    assert found.null_mean == pytest.approx(null.mean())
    assert found.null_sd == pytest.approx(null.std(ddof=1))
    assert found.p == (1 + (null >= found.I).sum()) / 601
    assert 0.01 < found.p < 0.99
    assert found.z == pytest.approx((found.I - null.mean()) / null.std(ddof=1))
    assert found.n == 20
    assert found.n_isolates == 0
    assert np.isnan(found.exact_sd) == np.isnan(found.exact_p) == np.isnan(found.exact_z) == (fwhm > 0)


@pytest.mark.parametrize("standardized", [True, False])
def test_many_maps_have_the_null_of_each(standardized):
    maps = np.random.default_rng(4).exponential(size=(3, 20))
    sheet = grid_sheet("l", 20, shape=(4, 5))
    options = {"permutations": 300, "random_state": 7}
    for fwhm, *kind in ((0.0,), (1.0,), (0.0, "band", 2.0)):
        reach = {"reach": kind[1]} if kind else {}
        weights = SpatialWeights.from_positions(sheet, *kind[:1], standardized=standardized, **reach)
        table = morans_i_of_maps(maps, weights, **options, fwhm=fwhm)
        assert table.columns.tolist() == [
            "I", "p", "q", "z", "null_mean", "null_sd", "exact_z", "exact_p", "clustered",
        ]  # fmt: skip
        for row, map_ in zip(table.itertuples(), maps, strict=True):
            one = morans_i(map_, weights, **options, fwhm=fwhm)
            for name in ("I", "p", "z", "null_mean", "null_sd", "exact_z", "exact_p"):
                assert getattr(row, name) == pytest.approx(getattr(one, name), nan_ok=True)
        np.testing.assert_allclose(table["q"], false_discovery_control(table["p"]))
        assert table.attrs == {
            "permuted": "the places of the units, shared by the maps",
            "permutations": 300,
            "random_state": 7,
            "fwhm": fwhm,
            "n_units": 20,
            "n_isolates": 0,
        }


def test_without_permutations_p_is_the_exact_one(smooth_map):
    noise = np.random.default_rng(0).normal(size=126)
    table = morans_i_of_maps(np.stack([smooth_map, noise]), QUEEN, permutations=0)
    np.testing.assert_array_equal(table["p"], table["exact_p"])
    assert table["clustered"].tolist() == [True, False]
    assert table[["z", "null_mean", "null_sd"]].isna().all(axis=None)
    smoothed = morans_i_of_maps(np.stack([smooth_map, noise]), QUEEN, permutations=0, fwhm=2.0)
    assert smoothed[["p", "q", "exact_z", "exact_p"]].isna().all(axis=None)
    one = morans_i(smooth_map, SHEET, permutations=0)
    assert np.isnan([one.p, one.null_mean, one.null_sd, one.z]).all()
    lone = morans_i(smooth_map, SHEET, permutations=1)
    assert np.isfinite(lone.null_mean)
    assert np.isnan([lone.null_sd, lone.z]).all()
    two = morans_i(smooth_map, SHEET, permutations=2)
    assert two.null_sd > 0


def test_what_is_not_said_is_queen_neighbours_and_999_layouts_of_seed_0(smooth_map):
    options = {"weights": "queen", "permutations": 999, "random_state": 0}
    assert morans_i(smooth_map, SHEET) == morans_i(smooth_map, SHEET, **options)
    assert morans_i(smooth_map, SHEET) == morans_i(smooth_map, QUEEN)
    said = SpatialWeights.from_positions(SHEET, "queen", standardized=True)
    table = morans_i_of_maps(smooth_map[None], QUEEN)
    assert table.equals(morans_i_of_maps(smooth_map[None], said, 999, 0, fwhm=0.0))
    assert table.attrs["permutations"] == 999
    assert table.attrs["random_state"] == 0
    assert morans_i(smooth_map, SHEET, random_state=1).null_mean != morans_i(smooth_map, SHEET).null_mean


def test_layouts_are_permutations_that_maps_share_and_the_seed_decides():
    maps = np.stack([np.arange(12.0), 100 + np.arange(12.0), -np.arange(12.0)])
    blocks = list(permuted_layouts(maps, 400, 3))
    assert all(block.shape[0] == 12 for block in blocks)
    layouts = np.concatenate([block.reshape(12, -1, 3) for block in blocks], axis=1)
    assert layouts.shape == (12, 400, 3)
    np.testing.assert_array_equal(np.sort(layouts[:, :, 0], axis=0), np.repeat(maps[0][:, None], 400, axis=1))
    np.testing.assert_array_equal(layouts[:, :, 1], 100 + layouts[:, :, 0])
    np.testing.assert_array_equal(layouts[:, :, 2], -layouts[:, :, 0])
    assert len({tuple(layout) for layout in layouts[:, :, 0].T}) == 400
    np.testing.assert_allclose(layouts[:, :, 0].mean(axis=1), 5.5, atol=0.7)
    again = np.concatenate([b.reshape(12, -1, 3) for b in permuted_layouts(maps, 400, 3)], axis=1)
    np.testing.assert_array_equal(layouts, again)
    other = np.concatenate([b.reshape(12, -1, 3) for b in permuted_layouts(maps, 400, 4)], axis=1)
    assert (other != layouts).any()
    assert max(block.shape[1] for block in blocks) <= 512
    first = next(permuted_layouts(maps[:1], 1, 0))[:, 0]  # the same in every version
    np.testing.assert_array_equal(first, np.random.default_rng([0, 41]).permutation(12))
    many = list(permuted_layouts(np.ones((600, 4)), 3, 0))
    assert [block.shape for block in many] == [(4, 600)] * 3


def test_the_sums_of_weights_are_libpysals():
    places = irregular()
    peer = libpysal.weights.KNN(
        places + np.random.default_rng(0).normal(0, 1e-3, places.shape), k=3, silence_warnings=True
    )
    found = SpatialWeights.from_positions(places, sparse.csr_array(peer.sparse), standardized=False)
    assert (found.s0, found.s1, found.s2) == pytest.approx((peer.s0, peer.s1, peer.s2))


def test_four_units_have_exact_moments_and_three_have_none():
    """Against all 24 layouts of four units on a square, whose moments are counted."""
    values = np.array([1.0, 2.0, 4.0, 9.0])
    square = np.indices((2, 2)).reshape(2, -1).T
    found = morans_i(values, square, "rook", permutations=0)
    every = [morans_i(np.array(one), square, "rook", permutations=0).I for one in permutations(values)]
    assert np.mean(every) == pytest.approx(found.expected)
    assert np.std(every) == pytest.approx(found.exact_sd)
    assert found.exact_z == pytest.approx((found.I + 1 / 3) / np.std(every))
    assert found.exact_p == pytest.approx(norm.sf(found.exact_z))
    three = morans_i(values[:3], np.array([[0, 0], [1, 0], [2, 0.0]]), permutations=0)
    assert np.isnan([three.exact_sd, three.exact_p, three.exact_z]).all()


def test_offset_and_scale_change_nothing(smooth_map):
    expected = morans_i(smooth_map, SHEET, permutations=19)
    for other in (1e-20 * smooth_map, 1e20 * smooth_map, smooth_map + 1e3, -smooth_map):
        found = morans_i(other, SHEET, permutations=19)
        assert (found.I, found.exact_z, found.null_mean, found.p) == pytest.approx(
            (expected.I, expected.exact_z, expected.null_mean, expected.p), rel=1e-6
        )


def test_maps_of_very_different_sizes_stand_side_by_side_and_single_precision_is_enough(smooth_map):
    table = morans_i_of_maps(np.stack([smooth_map, 1e-20 * smooth_map]), QUEEN, permutations=9)
    assert table["I"][0] == pytest.approx(table["I"][1])
    single = smooth_map.astype(np.float32)
    one = morans_i(single, SHEET, permutations=9)
    assert pytest.approx(morans_i(single.astype(float), SHEET, permutations=9).I, rel=1e-13) == one.I
    table = morans_i_of_maps(single[None], QUEEN, permutations=9)
    assert table["I"][0] == pytest.approx(one.I, rel=1e-13)


def test_two_units_have_one_layout_and_no_z():
    table = morans_i_of_maps(
        np.array([[1.0, 2.0]]), SpatialWeights.from_positions(np.array([[0, 0], [1, 0.0]])), permutations=9
    )
    assert table["I"][0] == pytest.approx(-1)
    assert table["p"][0] == 1
    assert table[["z", "exact_z", "exact_p"]].isna().all(axis=None)


def test_ties_with_the_observed_layout_count_as_reached():
    """A layout without any order: every permuted one has the same I."""
    whole = sparse.csr_array(np.ones((6, 6)) - np.eye(6))
    found = morans_i(np.arange(6.0), np.arange(12.0).reshape(6, 2), whole, permutations=49)
    assert pytest.approx(-1 / 5) == found.I
    assert found.p == 1
    assert np.isnan(found.exact_z) or abs(found.exact_z) < 1e6


def test_weights_of_ones_own_are_checked(smooth_map):
    call, matrix = morans_i, SpatialWeights.from_positions(SHEET, standardized=False).matrix
    with pytest.raises(UserError, match=r"weights of shape \(3, 3\) do not fit 126 positions"):
        call(smooth_map, SHEET, sparse.csr_array(np.ones((3, 3))))
    with pytest.raises(UserError, match="the weights are all 0"):
        call(smooth_map, SHEET, sparse.csr_array((126, 126)))
    with pytest.raises(UserError, match="a unit is its own neighbour"):
        call(smooth_map, SHEET, matrix + sparse.csr_array(np.diag(np.eye(126)[3])))
    alone = matrix.tolil()
    alone[5], alone[:, 5] = 0, 0
    with pytest.raises(UserError, match="1 of 126 units have no neighbour"):
        call(smooth_map, SHEET, alone.tocsr())
    with pytest.raises(UserError, match=r"\(126,\) values do not fit 125 positions"):
        call(smooth_map, SHEET.positions[1:])
    broken = smooth_map.copy()
    broken[[3, 9]] = np.inf, np.nan
    with pytest.raises(UserError, match="2 values are NaN or infinite"):
        call(broken, SHEET)


def test_integers_count_as_weights_and_kept_islands_are_counted(smooth_map):
    matrix = SpatialWeights.from_positions(SHEET, standardized=False).matrix
    assert morans_i(smooth_map, SHEET, (matrix != 0).astype(int), 9) == morans_i(
        smooth_map, SHEET, "queen", 9
    )
    plain = morans_i(smooth_map, SpatialWeights.from_positions(SHEET, matrix, standardized=False), 9)
    for factor in (2, 1e-6):
        times = SpatialWeights.from_positions(SHEET, factor * matrix, standardized=False)
        assert times.s0 == pytest.approx(factor * matrix.sum())
        scaled = morans_i(smooth_map, times, permutations=9)
        assert (scaled.I, scaled.exact_p) == pytest.approx((plain.I, plain.exact_p))
    alone = matrix.tolil()
    alone[5], alone[:, 5] = 0, 0
    kept = SpatialWeights.from_positions(SHEET, alone.tocsr(), isolates="keep")
    table = morans_i_of_maps(smooth_map[None], kept, 9)
    assert table.attrs["n_isolates"] == 1


def test_maps_of_another_shape_and_maps_that_do_not_vary_are_named(smooth_map):
    with pytest.raises(UserError, match=r"one map has the shape \(n_units,\), not \(1, 126\)"):
        morans_i(smooth_map[None], SHEET)
    with pytest.raises(UserError, match=r"maps have the shape \(n_maps, n_units\), not \(126,\)"):
        morans_i_of_maps(smooth_map, QUEEN)
    for still in (0.0, 0.1, 1e9 / 3):
        with pytest.raises(UserError, match="all values of map 1 are the same"):
            morans_i_of_maps(np.stack([smooth_map, np.full(126, still)]), QUEEN)
        with pytest.raises(UserError, match="all values are the same"):
            morans_i_of_maps(np.full((1, 126), still), QUEEN)
