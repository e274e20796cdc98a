"""Layout reports of layers and regions: nilearn's and esda's numbers on real voxels, known maps, the commands."""

import json

import esda
import libpysal
import numpy as np
import pytest
import xarray as xr
from command_line import run_brodmann
from scipy import stats
from scipy.ndimage import gaussian_filter

import brodmann
from brodmann.analysis import brain_figure, surface_figure
from brodmann.analysis.topography.analyze import layer_report, layers_report, region_report
from brodmann.analysis.topography.contrasts import LayoutOptions, contrasts_of
from brodmann.analysis.topography.figure import layout_figure
from brodmann.analysis.topography.report import layout_report
from brodmann.analysis.topography.unit_responses import UnitResponses, of_subject, region_unit_responses
from brodmann.bench.cli.topography_text import report_text
from brodmann.bench.studies.dimensionality_vs_score import dimensions_against_scores, layer_scores
from brodmann.brain_data.dataset import Dataset
from brodmann.brain_data.stimuli.localizers import localizer
from brodmann.brain_data.stimulus_set import StimulusSet
from brodmann.errors import UserError
from brodmann.models import grid_sheet, load_model

QUICK = LayoutOptions(permutations=99)


@pytest.fixture(scope="module")
def haxby(test_data):
    brodmann.add_dataset("haxby2001-slice", test_data / "haxby2001-sub001")
    return brodmann.load_dataset("haxby2001-slice")


def test_houses_against_faces_on_real_voxels_by_one_run_brodmann(haxby, tmp_path):
    """The t values are scipy's on nilearn's patterns, Moran's I is esda's, far above permuted layouts and labels."""
    done = run_brodmann(
        "analyze", "haxby2001-slice", "--contrast", "house-face", "--folder", tmp_path, "--json"
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    found, space = report["selectivity"]["house-face"], report["space"]
    values = haxby.responses.values
    house, face = (values[(haxby.responses["stimulus_id"] == kind).values] for kind in ("house", "face"))
    expected = stats.ttest_ind(house, face, equal_var=False).statistic
    assert found["highest_t"] == pytest.approx(expected.max())
    assert found["highest_unit"] == expected.argmax()
    assert found["highest_t"] > 10  # the parahippocampal place area
    places = np.stack([haxby.responses["x"], haxby.responses["y"]], axis=1)
    steps = [np.diff(np.unique(np.round(places[:, i], 3))).min() for i in (0, 1)]
    index = np.round((places - places.min(axis=0)) / steps).astype(int)
    near = np.abs(index[:, None] - index).max(axis=2) == 1
    peer = libpysal.weights.W(
        {i: np.flatnonzero(row).tolist() for i, row in enumerate(near)}, silence_warnings=True
    )
    one = space["layouts"]["native"]["morans_i"]["house-face"]
    assert one["I"] == pytest.approx(esda.Moran(expected, peer, permutations=0).I, abs=1e-10)
    assert one["z"] > 10
    assert one["verdict"] == "clustered"
    shuffled = space["layouts"]["permuted(0)"]["morans_i"]["house-face"]
    assert shuffled["verdict"] == "not clustered"
    noise = space["labels_permuted"]["contrasts"]["house-face"]
    assert shuffled["I"] < noise["null_mean"] < one["I"]  # the recording's noise is smooth by itself
    assert noise["p"] <= 0.01
    low, high = space["samples_redrawn"]["intervals"]["house-face"]
    assert 0 < low < high < 0.8
    assert "presentations of every category" in space["samples_redrawn"]["resampled"]
    assert report["dimensionality"]["participation_ratio"] < 7
    assert "too few samples (8)" in report_text(report)
    assert "over repetitions, at most 7), of 459 units" in report_text(report)
    assert report["provenance"]["dataset"] == haxby.digest
    assert (tmp_path / "haxby2001-slice__house-face.png").stat().st_size > 50_000
    print(
        f"house-face: t {found['highest_t']:.1f}, I {one['I']:.3f} z {one['z']:.1f}, labels permuted "
        f"{noise['null_mean']:.3f}"
    )


def test_single_neurons_have_selectivity_and_no_space(test_data):
    brodmann.add_dataset("zhang2011", test_data / "zhang-desimone-it7" / "raw_mat")
    report, arrays = region_report(brodmann.load_dataset("zhang2011"), by="object", options=QUICK)
    assert report["space"] is None
    assert "no positions" in report["space_missing"]
    assert 0.05 < report["selectivity"]["couch"]["fraction_selective"] < 0.5
    assert report["selectivity"]["couch"]["reliability"] > 0.8
    size = report["dimensionality"]  # of 21 stimuli; single presentations have 132 units of noise besides
    assert 1 < size["interval"][0] < size["corrected"] < size["interval"][1] < 20
    assert (size["n_samples"], size["estimator"]) == (21, "cross-validated over repetitions")
    assert "(at most 20), of 132 units" in report_text(report)
    assert "these units have no positions" in report_text(report)
    assert layout_figure(report, arrays).axes


def patch_unit_responses(seed=0, fwhm=0.0):
    """16 x 16 units, of which a disc answers faces; noise elsewhere."""
    generator = np.random.default_rng(seed)
    sheet = grid_sheet("l", 256)
    disc = np.linalg.norm(sheet.positions - 7, axis=1) < 3.2
    labels = np.array(["face", "place", "object"] * 30, dtype=object)
    responses = generator.normal(size=(90, 256))
    responses[labels == "face"] += 2.0 * disc
    if fwhm:
        responses = gaussian_filter(responses.reshape(-1, 16, 16), (0, fwhm, fwhm)).reshape(90, -1)
    ids = np.array([f"s{i}" for i in range(90)], dtype=object)
    return UnitResponses("planted", responses, labels, ids, sheet, "stimuli", "units"), disc


def test_a_planted_patch_is_clustered_and_the_rest_is_not():
    unit_responses, disc = patch_unit_responses()
    report, arrays = layout_report(unit_responses, contrasts_of(unit_responses.labels), QUICK)
    face = report["space"]["contrasts"]["face"]
    assert report["space"]["layouts"]["row-major"]["morans_i"]["face"]["verdict"] == "clustered"
    assert face["patches"]["largest"][0]["n_units"] == pytest.approx(disc.sum(), abs=4)
    assert face["patches"]["largest_against_permuted"]["p"] == 0.01
    assert report["selectivity"]["face"]["fraction_selective"] == pytest.approx(disc.mean(), abs=0.02)
    assert report["space"]["layouts"]["permuted(0)"]["morans_i"]["face"]["verdict"] == "not clustered"
    text = report_text(report)
    assert "clustered" in text
    assert "null" in text
    assert len(layout_figure(report, arrays).axes) > 8


def test_smoothed_noise_is_said_to_be_not_clustered():
    """White noise under FWHM 2 on 28 x 28: I near 0.61, and its null too."""
    generator = np.random.default_rng(2)
    labels = np.array(["a", "b"] * 20, dtype=object)
    ids = np.array([f"s{i}" for i in range(40)], dtype=object)
    sheet = grid_sheet("l", 784)
    unit_responses = UnitResponses(
        "noise", generator.normal(size=(40, 784)), labels, ids, sheet, "stimuli", "units"
    )
    report, _ = layout_report(unit_responses, contrasts_of(labels), LayoutOptions(permutations=199, fwhm=2.0))
    one = report["space"]["layouts"]["row-major"]["morans_i"]["a"]
    assert one["I"] == pytest.approx(0.61, abs=0.06)
    assert abs(one["z"]) < 2.5
    assert one["verdict"] == "not clustered"
    assert "smoothed at FWHM 2 cell" in report_text(report)
    assert "not clustered" in report_text(report)


def test_a_fitted_layout_is_measured_with_stimuli_it_has_not_seen():
    """Noise has nothing that another half of the stimuli repeats: a layout fitted to it must not cluster."""
    generator = np.random.default_rng(0)
    labels = np.array(["a", "b"] * 50, dtype=object)
    ids = np.array([f"s{i}" for i in range(100)], dtype=object)
    unit_responses = UnitResponses(
        "noise", generator.normal(size=(100, 256)), labels, ids, grid_sheet("l", 256), "stimuli", "units"
    )
    report, _ = layout_report(unit_responses, contrasts_of(labels), QUICK)
    assert report["space"]["layouts"]["fitted(0)"]["morans_i"]["a"]["verdict"] == "not clustered"
    planted, _ = patch_unit_responses()
    shuffled = UnitResponses(**{**vars(planted), "places": grid_sheet("l", 256).permuted(3)})
    report, _ = layout_report(shuffled, contrasts_of(shuffled.labels, ["face"]), QUICK)
    layouts = report["space"]["layouts"]
    assert layouts["permuted(3)"]["morans_i"]["face"]["verdict"] == "not clustered"
    assert layouts["fitted(0)"]["morans_i"]["face"]["verdict"] == "clustered"


def test_contrasts_are_read():
    labels = np.array(["face", "house", "t-shirt", "scrambled"], dtype=object)
    names = {one.name: one for one in contrasts_of(labels)}
    assert names["face"].against == ("house", "t-shirt")  # scrambled pictures hold no object
    assert names["scrambled"].against == ("face", "house", "t-shirt")
    assert contrasts_of(labels, ["t-shirt-face"])[0].against == ("face",)
    assert [one.name for one in contrasts_of(np.array(["a", "b"], dtype=object))] == ["a"]
    with pytest.raises(UserError, match="unknown category 'huose': did you mean 'house'"):
        contrasts_of(labels, ["huose-face"])
    with pytest.raises(UserError, match="all stimuli are of one category, 'a'"):
        contrasts_of(np.array(["a", "a"], dtype=object))


def test_the_topographic_twin_clusters_and_its_baseline_does_not():
    stimuli = localizer("drawn-localizer")
    layer = "layer4.0.conv1"
    found = {
        kind: layer_report(load_model(f"twin-vision-{kind}"), layer, stimuli, options=QUICK)[0]["space"][
            "layouts"
        ]
        for kind in ("topographic", "baseline")
    }
    native = found["topographic"]["native"]["morans_i"]
    control = found["baseline"]["row-major"]["morans_i"]
    assert min(one["I"] for one in native.values()) > 0.6
    assert {one["verdict"] for one in native.values()} == {"clustered"}
    assert {one["verdict"] for one in control.values()} == {"not clustered"}
    fitted = found["baseline"]["fitted(0)"]["morans_i"]
    assert min(one["I"] for one in fitted.values()) > 0.3  # what any network can be laid out like


def test_gratings_and_wiring_of_a_twin():
    model = load_model("twin-vision-topographic")
    from brodmann.brain_data.stimuli.gratings import gratings

    report, _ = layer_report(model, "layer1.0.conv1", gratings(32), options=QUICK)
    assert report["space"]["smoothness"]["orientation"]["z"] > 3
    assert 0 < report["orientation"]["fraction_selective"] <= 1
    wired, arrays = layer_report(
        model, "layer4.0.conv1", localizer("drawn-categories").iloc[:60], ["face"], QUICK, "layer3.0.conv1"
    )
    assert wired["wiring"]["native"] < wired["wiring"]["permuted"]
    assert "changes of the signs" in wired["wiring"]["p_permuted"]
    assert len(arrays["wiring"]["native"]) == 60


def test_every_layer_and_every_region(tmp_path):
    found = layers_report(
        load_model("twin-vision-topographic"),
        localizer("drawn-localizer"),
        ["face"],
        QUICK,
        "simulated-cortex.IT-rsa",
        layer_scores,
    )
    by_name = {row["layer"]: row for row in found["layers"]}
    assert by_name["layer4.0.conv1"]["morans_i"]["face"]["clustered"]
    assert by_name["layer4.0"]["layout"] == "row-major"
    assert all(np.isfinite(row["score"]) for row in found["layers"])
    done = run_brodmann(
        "analyze", "simulated-cortex", "--contrast", "face", "--permutations", 99, "--folder", tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert "IT" in done.stdout
    assert (tmp_path / "simulated-cortex__regions__face.png").is_file()


def test_dimensions_against_scores_over_models(tmp_path):
    models = ["random-convnet", "twin-vision-baseline"]
    done = run_brodmann(
        "dimensions", *models, "--benchmark", "simulated-cortex.IT-rsa", "--localizer", "drawn-categories",
        "--folder", tmp_path, "--json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert [row["model"] for row in found["models"]] == models
    assert found["rank"] == {"r": None, "p": None, "n": 2, "permuted": "nothing"}
    assert all(row["low"] <= row["corrected"] <= row["high"] for row in found["models"])
    with pytest.raises(UserError, match="'simulated-truth' is no network"):
        dimensions_against_scores(
            ["simulated-truth"], "simulated-cortex.IT-rsa", lambda name: localizer("drawn-categories")
        )


def test_toxic_texts_by_one_run_brodmann(tmp_path):
    toxic, neutral = tmp_path / "toxic.txt", tmp_path / "neutral.txt"
    toxic.write_text("".join(f"you fool number {i}\n" for i in range(20)))
    neutral.write_text("".join(f"the kind person number {i}\n" for i in range(20)))
    done = run_brodmann(
        "analyze", "twin-language-topographic", "--layer", "transformer.h.1.mlp.c_fc", "--positive", toxic,
        "--negative", neutral, "--contrast", "toxic", "--permutations", 99, "--folder", tmp_path, "--json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["selectivity"]["toxic"]["n_on"] == 20
    assert report["space"]["layouts"]["native"]["morans_i"]["toxic"]["verdict"] == "clustered"


def standard(n_subjects=1):
    """A made-up recording in MNI space: 5 x 6 x 5 voxels of 4 mm."""
    generator = np.random.default_rng(0)
    places = np.indices((5, 6, 5)).reshape(3, -1).T * 4.0 - [40, 60, 10]
    names = np.repeat(["face", "house"], 6)
    ids = np.array([f"s{i}" for i in range(12)], dtype=object)
    values = generator.normal(size=(12, 150)) + np.where(names == "face", 2.0, 0.0)[:, None] * (
        places[:, 0] < -32
    )
    responses = xr.DataArray(
        np.tile(values, n_subjects),
        dims=("presentation", "neuroid"),
        coords={
            "stimulus_id": ("presentation", ids),
            "neuroid_id": ("neuroid", np.arange(150 * n_subjects)),
            "region": ("neuroid", ["VT"] * 150 * n_subjects),
            "subject": ("neuroid", np.repeat([f"sub{i}" for i in range(n_subjects)], 150)),
            **{axis: ("neuroid", np.tile(places[:, i], n_subjects)) for i, axis in enumerate("xyz")},
        },
        attrs={"space": "MNI152"} if n_subjects == 1 else {},
    )
    stimuli = StimulusSet({"stimulus_id": ids, "category": names})
    stimuli.identifier = "made-up"
    return Dataset("made-up", "vision", stimuli, responses, has_stimuli=False)


def test_voxels_in_a_standard_space_have_a_glass_brain():
    report, arrays = region_report(standard(), targets=["face"], options=QUICK)
    assert report["standard_space"] == "MNI152"
    assert report["space"]["layouts"]["native"]["morans_i"]["face"]["verdict"] == "clustered"
    figure = brain_figure(arrays["maps"]["face"], arrays["places"], "face (t)")
    assert len(figure.axes) >= 3


def test_vertices_have_a_surface():
    places = np.indices((6, 6)).reshape(2, -1).T.astype(float)
    places = np.column_stack([places, np.sin(places[:, 0])])
    faces = [[i, i + 1, i + 6] for i in range(30) if i % 6 < 5] + [
        [i + 1, i + 7, i + 6] for i in range(30) if i % 6 < 5
    ]
    assert surface_figure(np.arange(36.0), (places, np.array(faces)), "t").axes


def test_subjects_in_their_own_spaces_are_not_mixed():
    two = standard(2)
    with pytest.raises(
        UserError, match="2 subjects, each with positions of their own: choose one .--subject sub0"
    ):
        region_unit_responses(two)
    assert region_unit_responses(of_subject(two, "sub1")).responses.shape == (12, 150)
    with pytest.raises(UserError, match="unknown subject of made-up 'sub7'"):
        of_subject(two, "sub7")
    with pytest.raises(UserError, match="unknown column of labels of made-up 'colour'"):
        region_unit_responses(standard(), by="colour")


def test_voxels_land_on_the_hemisphere_that_they_lie_in():
    """Voxels of the left temporal lobe with a gradient from back to front: vertices there, with their values."""
    from nilearn.datasets import fetch_surf_fsaverage
    from nilearn.surface import load_surf_mesh

    from brodmann.analysis.topography.cortex_figure import cortical_surface_figure, on_surface

    places = np.indices((8, 12, 6)).reshape(3, -1).T * 4.0 + [-64, -60, -20]
    values = 5 + places[:, 1] / 20
    found = on_surface(values, places)
    inside = found["left"] != 0
    assert inside.sum() > 50
    assert not found["right"].any()
    where = load_surf_mesh(fetch_surf_fsaverage("fsaverage5")["pial_left"]).coordinates[inside]
    assert (where.min(axis=0) > places.min(axis=0) - 8).all()
    assert (where.max(axis=0) < places.max(axis=0) + 8).all()
    np.testing.assert_allclose(found["left"][inside], 5 + where[:, 1] / 20, atol=0.3)
    assert len(cortical_surface_figure(values, places, "planted").axes) >= 4
    with pytest.raises(UserError, match="x, y and z are needed"):
        on_surface(np.ones(3), np.ones((3, 2)))
