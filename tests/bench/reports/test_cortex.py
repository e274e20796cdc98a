"""Scores on cortex, out again: vertices where they lie, voxels projected, pages that need no network, GIFTI."""

import re
import tempfile
import time

import nibabel
import numpy as np
import pandas as pd
import pytest
from chromium import Chromium
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from records import record, world
from surface_files import octahedron, write_surface

from brodmann.bench.reports.collect import Comparison
from brodmann.bench.reports.cortex import (
    Cortex,
    cortex_figure,
    cortex_of_scores,
    fsaverage5,
    gifti_bytes,
    of_vertices,
    of_voxels,
)
from brodmann.bench.reports.cortex_pages import cortex_page, files_of, scores_on_cortex, volume_page
from brodmann.bench.reports.flat_cortex import flat_figure, flat_fsaverage5, of_faces
from brodmann.bench.reports.html import write_report
from brodmann.bench.reports.panel import PANELS
from brodmann.brain_data.reading.surfaces.meshes import Mesh
from brodmann.errors import UserError

PLACES, FACES = octahedron(3)
N = len(PLACES)
SPHERES = {"L": Mesh(PLACES, FACES), "R": Mesh(PLACES, FACES)}
HOSTILE = "T1w/T2w </script><script>document.title='run'</script>"


def both(title="height", **changes):
    values = {"L": PLACES[:, 2].copy(), "R": PLACES[:, 0].copy()}
    values["L"][:5] = np.nan
    return Cortex(SPHERES, values, title, "mm", **changes)


def voxels():
    """A block of voxels over the left occipital lobe, with a gradient."""
    places = np.indices((10, 10, 12)).reshape(3, -1).T * 4.0 + [-44, -104, -20]
    return 0.2 + places[:, 2] / 200, places


def test_each_vertex_has_the_mean_of_its_neuroids():
    values = np.array([1.0, 3.0, 5.0, 7.0, np.nan])
    found = of_vertices(values, ["L", "L", "R", "", "L"], [4, 4, 9, -1, 7], SPHERES, "t", "r")
    assert found.values["L"][4] == 2.0
    assert found.values["R"][9] == 5.0
    assert [int(np.isfinite(found.values[side]).sum()) for side in "LR"] == [1, 1]
    with pytest.raises(UserError, match="lies on vertex 999 of L, and the mesh has 258"):
        of_vertices([1.0], ["L"], [999], SPHERES, "t", "r")
    with pytest.raises(UserError, match="no vertex has a number"):
        Cortex(SPHERES, {"L": np.full(N, np.nan)}, "t")


def test_voxels_lie_on_fsaverage5_with_their_values():
    values, places = voxels()
    found = of_voxels(values, places, "t", "r")
    assert found.sides == ["L"]
    seen = np.isfinite(found.values["L"])
    assert seen.sum() > 300
    pial = fsaverage5(inflated=False)[0]["L"].positions[seen]
    expected = 0.2 + pial[:, 2] / 200
    assert np.abs(found.values["L"][seen] - expected).max() < 0.03  # 3 mm around a vertex, 4 mm voxels
    with pytest.raises(UserError, match="no vertex of fsaverage5 has a voxel within 3 mm"):
        of_voxels(values, places + 500, "t", "r")


def test_a_figure_shows_both_sides_of_each_hemisphere():
    figure = cortex_figure(both())
    assert isinstance(figure, Figure)
    assert len(figure.axes) == 5
    low, high, colors = both().limits
    assert (low, colors) == (-high, "RdBu_r")
    one_sign = Cortex({"L": SPHERES["L"]}, {"L": PLACES[:, 2] + 100}, "t")
    assert one_sign.limits[2] == "cividis"
    assert len(cortex_figure(one_sign, dark=True).axes) == 3


def test_gifti_is_read_back_as_it_was(tmp_path):
    path = tmp_path / "x.L.shape.gii"
    path.write_bytes(gifti_bytes(both(), "L"))
    image = nibabel.load(path)
    np.testing.assert_array_equal(image.darrays[0].data, both().values["L"].astype(np.float32))
    assert image.meta["AnatomicalStructurePrimary"] == "CortexLeft"
    assert sorted(files_of(both())) == ["L.shape.gii", "R.shape.gii", "html"]


@pytest.mark.skipif(not Chromium.is_here(), reason="no Chromium")
def test_pages_turn_without_a_network_and_run_nothing_of_a_title(tmp_path):
    values, places = voxels()
    pages = {"surface": cortex_page(both(HOSTILE)), "slices": volume_page(values, places, HOSTILE)}
    for name, page in pages.items():
        assert re.findall(r"<(?:script|link|iframe)\b[^>]*\b(?:src|href)=\"([^\"]*)\"", page) == ["data:,"], (
            name
        )
        (tmp_path / f"{name}.html").write_text(page)
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, Chromium(folder) as browser:
            browser.size(900, 700)
            browser.open(f"file://{tmp_path}/{name}.html")
            time.sleep(0.5)
            asked = [
                event["params"]["request"]["url"]
                for event in browser.events
                if event.get("method") == "Network.requestWillBeSent"
            ]
            assert {url.split(":")[0] for url in asked} <= {"file", "data"}, asked
            assert [said for said in browser.complaints() if "WebGL" not in said] == []
            assert browser.run("document.title") == HOSTILE
            if name == "surface":
                still = browser.run("document.getElementById('cortex').toDataURL()")
                browser.run("document.getElementById('cortex').focus()")
                browser.press("ArrowRight", 3)
                assert browser.run("document.getElementById('cortex').toDataURL()") != still
                said = set()
                for x in range(300, 600, 10):
                    browser.ask("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=340)
                    said.add(browser.run("document.getElementById('said').textContent"))
                named = [re.fullmatch(r"(left|right), vertex (\d+): (.+)", one) for one in said - {""}]
                assert len(named) > 2
                for side, vertex, value in (one.groups() for one in named):
                    true = both().values["L" if side == "left" else "R"][int(vertex)]
                    assert value == "no number" or float(value) == pytest.approx(true, abs=0.05)
                browser.run("document.querySelectorAll('[data-side]').forEach(one => one.click())")
                blank = browser.run(
                    "(() => {const c = document.getElementById('cortex'), g = c.getContext('webgl2'); const p = new "
                    "Uint8Array(4 * c.width * c.height); g.readPixels(0, 0, c.width, c.height, g.RGBA, "
                    "g.UNSIGNED_BYTE, p); return p.every(one => one === 0)})()"
                )
                assert blank  # both hemispheres are switched off


def scored_vertices(**changes):
    values = {
        "raw": np.linspace(0, 1, 40),
        "neuroid_hemisphere": np.repeat(["L", "R"], 20),
        "neuroid_vertex": np.arange(40),
    }
    return record("alpha", **changes), values


def test_scores_are_written_where_their_vertices_are(tmp_path, monkeypatch):
    one, kept = scored_vertices(space="fsaverage5")
    monkeypatch.setattr("brodmann.bench.results.store.arrays_of", lambda record: kept)
    paths = scores_on_cortex(one, tmp_path / "s.shape.gii")
    assert [path.name for path in paths] == ["s.L.shape.gii", "s.R.shape.gii"]
    right = nibabel.load(paths[1]).darrays[0].data
    assert right.shape == (10242,)
    np.testing.assert_allclose(right[20:40], kept["raw"][20:], rtol=1e-6)
    assert np.isnan(right[:20]).all()
    [page] = scores_on_cortex(one, tmp_path / "s.html")
    assert page.stat().st_size > 100_000
    own = write_surface(tmp_path / "own.surf.gii", PLACES, FACES)
    paths = scores_on_cortex(one, tmp_path / "o.shape.gii", surface=f"L={own}")
    assert [path.name for path in paths] == ["o.L.shape.gii"]
    assert nibabel.load(paths[0]).darrays[0].data.shape == (N,)
    with pytest.raises(UserError, match="has no places on cortex"):
        scores_on_cortex(record("alpha", space="T1w"), tmp_path / "s.html")
    kept["neuroid_subject"] = np.repeat(["s1", "s2"], 20)
    with pytest.raises(UserError, match="neuroids of the subjects s1, s2: say whose by --subject"):
        scores_on_cortex(one, tmp_path / "s.html")
    assert [path.name for path in scores_on_cortex(one, tmp_path / "p.shape.gii", subject="s2")] == [
        "p.R.shape.gii"
    ]


def test_neuroids_without_a_place_have_no_cortex():
    table = pd.DataFrame({"raw": [0.1, 0.2], "hemisphere": ["", ""], "vertex": [-1, -1]})
    assert cortex_of_scores(table, "fsaverage5", "t") is None
    table = pd.DataFrame({"raw": [0.1, 0.2], "hemisphere": ["L", "L"], "vertex": [1, 2]})
    assert cortex_of_scores(table, "fsnative", "t") is None


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:.*Starting in version")
def test_a_report_has_the_surface_and_what_lies_beside_it(tmp_path):
    records, arrays = world(("alpha",), ("data.V1-ridge",))
    one, kept = scored_vertices(space="fsaverage5")
    arrays[0] = {name: values for name, values in arrays[0].items() if not name.startswith("neuroid_")} | kept
    records[0]["space"] = one["space"]
    paths = write_report(
        Comparison(records, arrays, sources=["run"]), tmp_path, "brodmann compare", vector=False
    )
    stem = "cortex-alpha-data.V1-ridge"
    beside = [f"figures/{stem}.{ending}" for ending in ("html", "L.shape.gii", "R.shape.gii")]
    page = (tmp_path / "report.html").read_text()
    for name in beside:
        assert f'href="{name}"' in page
        assert tmp_path / name in paths
        assert (tmp_path / name).is_file()
    assert f"figure-{stem}" in page


def test_a_triangle_has_the_mean_of_those_corners_that_have_a_number():
    faces = np.array([[0, 1, 2], [1, 2, 3], [3, 4, 5]])
    found = of_faces(np.array([1.0, 2.0, 6.0, np.nan, np.nan, np.nan]), faces)
    np.testing.assert_array_equal(found, [3.0, 4.0, np.nan])


def test_flat_patches_are_those_of_the_same_vertices_without_overlap():
    """Neighbours on the inflated surface are neighbours on the patch, and no triangle is turned over."""
    inflated = fsaverage5()[0]
    for side, mesh in flat_fsaverage5().items():
        assert len(mesh) == len(inflated[side]) == 10242
        known = {frozenset(one) for one in inflated[side].faces.tolist()}
        assert np.mean([frozenset(one) in known for one in mesh.faces.tolist()]) > 0.999
        a, b, c = (mesh.positions[mesh.faces[:, i], :2] for i in range(3))
        area = np.cross(b - a, c - a)
        assert max((area > 0).mean(), (area < 0).mean()) > 0.99


def test_a_flat_map_shows_numbers_where_their_vertices_lie():
    mesh = flat_fsaverage5()["L"]
    chosen = np.unique(mesh.faces[mesh.positions[mesh.faces][:, :, 0].max(axis=1) < 0])
    meshes, depths = fsaverage5()
    values = np.linspace(0.1, 0.5, len(chosen))
    figure = flat_figure(of_vertices(values, ["L"] * len(chosen), chosen, meshes, "t", "r", depths))
    assert [one.get_title() for one in figure.axes[:-1]] == ["left, flat"]
    [patch] = figure.axes[0].collections
    greys = [to_rgba(one) for one in ("#D9D9D9", "#BDBDBD")]  # of gyri and sulci without a number
    empty = np.any([np.isclose(patch.get_facecolors(), one).all(axis=1) for one in greys], axis=0)
    corners = mesh.positions[mesh.faces][:, :, 0]
    assert not empty[corners.max(axis=1) < 0].any()
    assert empty[corners.min(axis=1) > 0].all()


def test_scores_in_time_of_vertices_have_maps_of_r_and_of_ceilings():
    """A score of samples goes the way of any other: r and the root of what subjects share, inflated and flat."""
    one, kept = scored_vertices(
        space="fsaverage5", ceiling_kind="between_subjects", ceiling=0.16, n_stimuli=347, methods={"tr": 2.0}
    )
    kept["ceiling"] = np.linspace(0.04, 0.36, 40)
    shown = {panel.name: panel for panel in PANELS["cortex"].panels(Comparison([one], [kept]))}
    end = "alpha-data.V1-ridge"
    starts = ("cortex", "flat-cortex", "cortex-ceiling", "flat-cortex-ceiling")
    assert list(shown) == [f"{start}-{end}" for start in starts]
    table = shown[f"cortex-ceiling-{end}"].table
    np.testing.assert_allclose(table["best"], np.sqrt(kept["ceiling"]))
    np.testing.assert_allclose(table["raw"], kept["raw"])
    assert all(panel.n.startswith("347 samples") for panel in shown.values())
    assert "Best reachable raw value of 40 neuroids on L and R" in shown[f"cortex-ceiling-{end}"].alt
    kept["ceiling"][:] = np.nan
    assert len(PANELS["cortex"].panels(Comparison([one], [kept]))) == 2
