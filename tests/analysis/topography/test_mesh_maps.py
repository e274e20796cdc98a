"""Maps on a mesh: real cortex against figures of other code, and surfaces whose truth is known."""

import json

import numpy as np
import pytest
import xarray as xr
from command_line import run_brodmann
from surface_files import octahedron, write_samples, write_surface
from typer.testing import CliRunner

from brodmann.analysis.spatial.morans_i import morans_i
from brodmann.analysis.spatial.patches import patches, unit_areas
from brodmann.analysis.spatial.smoothing import smooth
from brodmann.analysis.spatial.spatial_weights import SpatialWeights, mesh_distances
from brodmann.analysis.topography.analyze import region_report, regions_report
from brodmann.analysis.topography.contrasts import LayoutOptions
from brodmann.analysis.topography.mesh_maps import maps_report, mesh_weights
from brodmann.bench.cli.main import app
from brodmann.brain_data.dataset import Dataset
from brodmann.brain_data.formats.surface_maps import read_surface_maps
from brodmann.brain_data.meshes import Mesh, read_meshes
from brodmann.brain_data.stimulus_set import StimulusSet
from brodmann.errors import UserError

PLACES, FACES = octahedron(3)
N = len(PLACES)
SPHERE = Mesh(PLACES, FACES)
QUICK = LayoutOptions("mesh", permutations=99)
INDEPENDENT = {
    "t1wt2w": 0.98349435,
    "thickness": 0.98613237,
    "curvature": 0.94420916,
    "fc_gradient0": 0.99461575,
    "fc_gradient1": 0.99463732,
    "mpc_gradient0": 0.99441301,
}
"""Moran's I by scipy alone: row-standardised, vertices sharing an edge, cortex only."""


def test_the_command_gives_the_figure_of_real_cortex(test_data, tmp_path):
    """T1w/T2w of the left hemisphere, 29271 vertices of cortex, by one command."""
    maps = test_data / "conte69-maps"
    done = run_brodmann(
        "analyze", maps / "conte69_32k_t1wt2w.csv.gz", "--surface", f"L={maps / 'conte69_32k_lh.gii'}",
        "--permutations", 99, "--folder", tmp_path, "--json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["maps"]["conte69_32k_t1wt2w"]["morans_i"]["I"] == pytest.approx(0.98349435, abs=5e-9)
    assert (report["n_units"], report["left_out"]) == (29271, {"vertices without a number": 3221})
    assert report["said"] == [
        "64984 numbers, twice the vertices of L: taken as L, then R; the first half is looked at"
    ]
    kinds = sorted(path.suffix for path in tmp_path.iterdir())
    assert kinds == [".html", ".json", ".png"]


def test_every_real_map_has_the_figure_of_independent_code(test_data):
    folder = test_data / "conte69-maps"
    meshes = read_meshes({"L": folder / "conte69_32k_lh.gii"})
    values = {}
    for name in INDEPENDENT:
        found, _ = read_surface_maps(folder / f"conte69_32k_{name}.csv.gz", {"L": 32492})
        values[name] = next(iter(found.values()))["L"]
    mask, _ = read_surface_maps(folder / "conte69_32k_lh_mask.csv", {"L": 32492})
    inside = mask["conte69_32k_lh_mask"]["L"] > 0
    assert inside.sum() == 29271
    weights = mesh_weights(meshes, ["L"] * 29271, np.flatnonzero(inside))
    for name, expected in INDEPENDENT.items():
        assert (
            pytest.approx(expected, abs=5e-9) == morans_i(values[name][inside], weights, permutations=0).I
        ), name


def test_a_smooth_map_is_clustered_and_a_random_one_is_not():
    maps = {"gradient": {"L": PLACES[:, 0]}, "noise": {"L": np.random.default_rng(0).normal(size=N)}}
    report, arrays = maps_report(maps, {"L": SPHERE}, "sphere", QUICK)
    found = report["maps"]
    assert found["gradient"]["morans_i"]["verdict"] == "clustered"
    assert found["gradient"]["morans_i"]["I"] > 0.9
    assert found["gradient"]["gearys_c"]["C"] < 0.1
    assert found["noise"]["morans_i"]["verdict"] == "not clustered"
    assert abs(found["noise"]["morans_i"]["I"]) < 0.15
    assert report["n_links"] == 2 * 3 * (N - 2)  # Euler
    assert len(arrays["weights"]) == N
    with pytest.raises(UserError, match="all numbers of the map are the same"):
        maps_report({"flat": {"L": np.ones(N)}}, {"L": SPHERE}, "flat", QUICK)


def test_a_patch_has_the_area_of_its_part_of_the_sphere():
    """Half of a sphere of radius 50 mm, less what the flat triangles cut off."""
    weights = SpatialWeights.from_mesh(FACES, PLACES)
    area, unit = unit_areas(weights)
    whole = area.sum()
    assert unit == "mm^2"
    assert 0.95 * 4 * np.pi * 50**2 < whole < 4 * np.pi * 50**2
    found = patches(PLACES[:, 0], weights, 1e-9)
    assert len(found) == 1
    assert found["area"][0] == pytest.approx((whole - area[np.abs(PLACES[:, 0]) < 1e-9].sum()) / 2)


def test_two_hemispheres_are_no_neighbours():
    weights = mesh_weights({"L": SPHERE, "R": SPHERE}, ["L"] * N + ["R"] * N, [*range(N), *range(N)])
    dense = weights.matrix.toarray()
    assert not dense[:N, N:].any()
    np.testing.assert_array_equal(dense[:N, :N], dense[N:, N:])
    alone = SpatialWeights.from_mesh(FACES, PLACES)
    np.testing.assert_allclose(dense[:N, :N], alone.matrix.toarray())


def test_vertices_that_are_left_out_are_nobodys_neighbours():
    kept = np.flatnonzero(PLACES[:, 2] > -20)
    weights = SpatialWeights.from_mesh(FACES, PLACES, vertices=kept, isolates="keep")
    whole = SpatialWeights.from_mesh(FACES, PLACES, standardized=False).matrix.toarray()
    expected = whole[np.ix_(kept, kept)]
    np.testing.assert_allclose(weights.matrix.toarray(), expected / expected.sum(axis=1, keepdims=True))
    np.testing.assert_array_equal(weights.places, PLACES[kept])
    with pytest.raises(UserError, match="a unit lies on vertex 999, and the mesh has 258"):
        SpatialWeights.from_mesh(FACES, PLACES, vertices=[0, 999])


def test_neighbours_within_a_reach_are_those_of_a_longer_search():
    """Dijkstra over edges against Floyd and Warshall's, on a sphere."""
    from scipy.sparse.csgraph import floyd_warshall

    edges = mesh_distances(FACES, PLACES, longest=1e6)
    one_step = SpatialWeights.from_mesh(FACES, PLACES, standardized=False).matrix.toarray()
    lengths = np.where(one_step > 0, np.linalg.norm(PLACES[:, None] - PLACES[None], axis=2), 0)
    expected = floyd_warshall(lengths, directed=False)
    np.testing.assert_allclose(edges.toarray(), expected, rtol=1e-10)
    reach = 30.0
    near = SpatialWeights.from_mesh(FACES, PLACES, reach=reach, standardized=False).matrix.toarray()
    np.testing.assert_array_equal(near > 0, (expected <= reach) & (expected > 0))


def test_smoothing_on_a_mesh_does_not_jump_across_a_fold():
    """A strip folded in two, its halves .1 apart: a step between the halves stays, as it does not through space."""
    x = np.r_[np.arange(12.0), np.arange(11.0, -1, -1)]
    z = np.r_[np.zeros(12), np.full(12, 0.1)]
    places = np.concatenate([np.stack([x, np.full(24, y), z], axis=1) for y in (0.0, 1.0)])
    faces = np.array([[i, i + 1, i + 24] for i in range(23)] + [[i + 1, i + 25, i + 24] for i in range(23)])
    values = np.where(np.arange(48) % 24 < 12, 0.0, 1.0)
    along = smooth(values, SpatialWeights.from_mesh(faces, places), 3.0)
    through = smooth(values, places, 3.0)
    assert along[0] < 1e-6
    assert through[0] == pytest.approx(0.5, abs=0.01)
    np.testing.assert_allclose(smooth(np.ones(48), SpatialWeights.from_mesh(faces, places), 3.0), 1.0)


def test_a_dealt_layout_keeps_the_statistics_that_do_not_depend_on_order():
    weights = SpatialWeights.from_mesh(FACES, PLACES)
    order = np.random.default_rng(3).permutation(N)
    dealt = weights.permuted(order)
    values = PLACES[:, 0] + PLACES[:, 1]
    assert (
        pytest.approx(morans_i(values, weights, permutations=0).I)
        == morans_i(values[order], dealt, permutations=0).I
    )
    assert morans_i(values, dealt, permutations=0).I < 0.3
    np.testing.assert_array_equal(dealt.places, PLACES[order])
    np.testing.assert_allclose(
        smooth(values[order], dealt, 20.0), smooth(values, weights, 20.0)[order], atol=1e-9
    )


def on_sphere(n_subjects=1):
    """A made-up recording on the vertices of a sphere without its lower cap; faces answer on one side of it."""
    kept = np.flatnonzero(PLACES[:, 2] > -40)
    names = np.repeat(["face", "house"], 6)
    ids = np.array([f"s{i}" for i in range(12)], dtype=object)
    values = np.random.default_rng(0).normal(size=(12, len(kept)))
    values += np.where(names == "face", 2.0, 0.0)[:, None] * (PLACES[kept, 0] < -10)
    n = len(kept)
    responses = xr.DataArray(
        np.tile(values, n_subjects),
        dims=("presentation", "neuroid"),
        coords={
            "stimulus_id": ("presentation", ids),
            "neuroid_id": ("neuroid", np.arange(n * n_subjects)),
            "region": ("neuroid", np.tile(np.where(PLACES[kept, 1] > 0, "front", "back"), n_subjects)),
            "subject": ("neuroid", np.repeat([f"sub{i}" for i in range(n_subjects)], n)),
            "hemisphere": ("neuroid", ["L"] * n * n_subjects),
            "vertex": ("neuroid", np.tile(kept, n_subjects)),
        },
    )
    stimuli = StimulusSet({"stimulus_id": ids, "category": names})
    stimuli.identifier = "made-up"
    return Dataset("made-up", "vision", stimuli, responses, has_stimuli=False)


def test_recorded_vertices_have_the_mesh_for_neighbours():
    report, arrays = region_report(
        on_sphere(), "front", targets=["face"], options=QUICK, meshes={"L": SPHERE}
    )
    native = report["space"]["layouts"]["native"]
    assert native["weights"] == "mesh"
    assert native["morans_i"]["face"]["verdict"] == "clustered"
    permuted = report["space"]["layouts"]["permuted(0)"]["morans_i"]["face"]
    assert abs(permuted["I"]) < native["morans_i"]["face"]["I"] / 2
    kept = np.flatnonzero((PLACES[:, 2] > -40) & (PLACES[:, 1] > 0))
    weights = SpatialWeights.from_mesh(FACES, PLACES, vertices=kept, isolates="keep")
    assert native["morans_i"]["face"]["I"] == pytest.approx(
        morans_i(arrays["maps"]["face"], weights, permutations=0).I
    )
    both = regions_report(on_sphere(), targets=["face"], options=QUICK, meshes={"L": SPHERE})
    assert both["layers"][0]["morans_i"]["face"]["I"] > 0.2


def test_what_does_not_lie_on_the_mesh_ends_in_one_line():
    with pytest.raises(UserError, match="these units lie on no mesh: name it by --surface"):
        placed = on_sphere()
        axes = {
            axis: ("neuroid", PLACES[placed.responses["vertex"].values, i]) for i, axis in enumerate("xyz")
        }
        region_report(Dataset("m", "vision", placed.stimuli, placed.responses.assign_coords(axes), has_stimuli=False),
                      "front", targets=["face"], options=QUICK)  # fmt: skip
    with pytest.raises(UserError, match="2 subjects on one mesh: choose one .--subject sub0"):
        region_report(on_sphere(2), "front", targets=["face"], options=QUICK, meshes={"L": SPHERE})
    with pytest.raises(UserError, match="lie on no vertex of its mesh, which has 66"):
        region_report(
            on_sphere(), "front", targets=["face"], options=QUICK, meshes={"L": Mesh(*octahedron(2))}
        )
    with pytest.raises(UserError, match="lie on no mesh .first: hemisphere 'L'; meshes of R"):
        region_report(on_sphere(), "front", targets=["face"], options=QUICK, meshes={"R": SPHERE})


def refused(*words):
    found = CliRunner().invoke(app, ["analyze", *map(str, words)])
    assert isinstance(found.exception, UserError), (found.output, found.exception)
    said = str(found.exception)
    assert "\n" not in said
    return said


def test_maps_of_every_form_are_the_same_map_and_broken_ones_end_in_one_line(tmp_path):
    import nibabel

    mesh = write_surface(tmp_path / "lh.surf.gii", PLACES, FACES)
    values = PLACES[:, 0].astype(np.float32)
    write_samples(tmp_path / "lh.a.shape.gii", values[None])
    nibabel.freesurfer.write_morph_data(tmp_path / "lh.a", values)
    nibabel.save(nibabel.MGHImage(values[:, None, None], np.eye(4)), tmp_path / "lh.a.mgz")
    np.savetxt(tmp_path / "a.csv", values, header="height", comments="")
    np.savetxt(tmp_path / "a.txt.gz", values)
    np.save(tmp_path / "a.npy", values)
    for name in ("lh.a.shape.gii", "lh.a", "lh.a.mgz", "a.csv", "a.txt.gz", "a.npy"):
        maps, said = read_surface_maps(tmp_path / name, {"L": N})
        [found] = maps.values()
        np.testing.assert_allclose(found["L"], values, rtol=1e-6, err_msg=name)
        assert said == []
    surface = ("--surface", f"L={mesh}")
    np.save(tmp_path / "short.npy", values[:-1])
    np.save(tmp_path / "pickled.npy", np.array([{}], dtype=object))
    (tmp_path / "words.csv").write_text("1\n2\nthree\n")
    whole = mesh.read_bytes()
    (tmp_path / "cut.surf.gii").write_bytes(whole[:-200])
    assert "holds 257 numbers, and the mesh has 258 vertices of L" in refused(
        tmp_path / "short.npy", *surface
    )
    assert "cannot be read" in refused(tmp_path / "pickled.npy", *surface)
    assert "line 3 is no number: 'three'" in refused(tmp_path / "words.csv", *surface)
    assert "it is cut off" in refused(tmp_path / "a.npy", "--surface", f"L={tmp_path / 'cut.surf.gii'}")
    assert "holds a mesh, not a map" in refused(mesh, *surface)
    assert "a map of cortex needs its mesh, by --surface" in refused(tmp_path / "a.npy")
    assert "--layer is for networks and data sets" in refused(tmp_path / "a.npy", *surface, "--layer", "x")
    assert "--surface must be L=FILE" in refused(tmp_path / "a.npy", "--surface", mesh)
    assert "no installed data set and no file" in refused("random-convnet", "--weights", "mesh")
