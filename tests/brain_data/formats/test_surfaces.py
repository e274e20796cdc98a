"""Recordings on surfaces: what was written is read back, a block at a time; broken ones end in one line."""

import gzip
import json

import nibabel
import numpy as np
import pandas as pd
import pytest
from nibabel.cifti2 import BrainModelAxis, Cifti2Image, ParcelsAxis, ScalarAxis, SeriesAxis
from surface_files import octahedron, write_labels, write_mgh, write_samples, write_surface
from typer.testing import CliRunner

from brodmann.bench.cli.main import app
from brodmann.brain_data.catalogue import load_dataset
from brodmann.brain_data.formats.recording import RECORDING_FORMATS, read_recording, recognized
from brodmann.brain_data.imported import ReadOptions
from brodmann.brain_data.importing import install_recording
from brodmann.brain_data.reading.surfaces.freesurfer_files import read_annotation, read_curvature
from brodmann.brain_data.reading.surfaces.meshes import read_meshes
from brodmann.brain_data.reading.surfaces.samples import run_of, side_of, without_side
from brodmann.errors import UserError

PLACES, FACES = octahedron()
N = len(PLACES)
RANDOM = np.random.default_rng(7)


def read(path, **options):
    given = ReadOptions(**{name: str(one) for name, one in options.items()})
    kind = recognized(path)
    assert kind is not None, path
    return read_recording(path, given, kind)


def numbers(imported):
    return imported.values[slice(0, imported.values.shape[0]), slice(0, imported.values.shape[1])]


def one_line(call, *parts):
    with pytest.raises(UserError) as caught:
        call()
    said = str(caught.value)
    assert "\n" not in said
    for part in parts:
        assert part in said, said


def table(folder, n, **columns):
    path = folder / "trials.tsv"
    kept = {
        "stimulus_id": [f"00{i % 4}" for i in range(n)],
        "category": ["face", "house"] * (n // 2),
    } | columns
    pd.DataFrame(kept).to_csv(path, sep="\t", index=False)
    return path


@pytest.fixture
def pair(tmp_path):
    """Two runs of both hemispheres as fMRIPrep names them, with meshes, an atlas, and their numbers."""
    folder, truth = tmp_path / "func", {}
    folder.mkdir()
    for run in (1, 2):
        for side in "LR":
            values = RANDOM.normal(size=(8, N)).astype(np.float32)
            truth[run, side] = values
            write_samples(
                folder / f"sub-03_ses-a_task-view_run-{run}_hemi-{side}_space-fsaverage5_bold.func.gii",
                values,
            )
    meshes = {
        side: write_surface(tmp_path / f"{side}.surf.gii", PLACES + (0 if side == "L" else 90), FACES)
        for side in "LR"
    }
    return folder, np.block([[truth[run, "L"], truth[run, "R"]] for run in (1, 2)]), meshes


def said_of(meshes):
    return ",".join(f"{side}={path}" for side, path in meshes.items())


def test_hemispheres_lie_side_by_side_and_runs_below_each_other(pair, tmp_path):
    folder, truth, meshes = pair
    found = read(folder, events=table(tmp_path, 16), surface=said_of(meshes))
    np.testing.assert_array_equal(numbers(found), truth)
    np.testing.assert_array_equal(found.values[slice(6, 11), slice(N - 3, N + 5)], truth[6:11, N - 3 : N + 5])
    assert (
        found.presentations["run"].tolist() == ["ses-a_task-view_run-1"] * 8 + ["ses-a_task-view_run-2"] * 8
    )
    assert found.presentations["stimulus_id"].tolist() == [f"00{i % 4}" for i in range(16)]
    assert found.stimuli["category"].tolist() == ["face", "house", "face", "house"]
    assert found.neuroids["hemisphere"].tolist() == ["L"] * N + ["R"] * N
    assert found.neuroids["vertex"].tolist() == [*range(N), *range(N)]
    assert set(found.neuroids["subject"]) == {"03"}
    np.testing.assert_allclose(
        found.neuroids[["x", "y", "z"]], np.concatenate([PLACES, PLACES + 90]), rtol=1e-5
    )
    assert found.surfaces == meshes
    assert found.about["space"] == "fsaverage5"
    assert "subject" not in found.presentations


def test_a_recording_on_meshes_is_added_and_analysed_on_them(pair, tmp_path):
    """By the commands: what is installed keeps its meshes, so that neighbours are those of the mesh."""
    folder, truth, meshes = pair
    words = tmp_path / "sentences.csv"
    pd.DataFrame(
        {"stimulus_id": [f"00{i}" for i in range(4)], "sentence": ["a b", "c", "d e f", "g"]}
    ).to_csv(words, index=False)
    options = {"events": str(table(tmp_path, 16)), "surface": said_of(meshes), "stimuli": str(words)}
    install_recording("on-meshes", read(folder, **options))
    dataset = load_dataset("on-meshes")
    np.testing.assert_allclose(dataset.responses.values, truth, rtol=1e-6)
    assert dataset.responses["vertex"].values.tolist() == [*range(N), *range(N)]
    kept = read_meshes(dataset.surfaces)
    assert sorted(kept) == ["L", "R"]
    np.testing.assert_array_equal(kept["R"].faces, FACES)
    done = CliRunner().invoke(
        app, ["analyze", "on-meshes", "--permutations", "99", "--folder", str(tmp_path / "out"), "--json"]
    )
    assert done.exit_code == 0, (done.output, done.exception)
    report = json.loads(done.stdout)
    native = report["space"]["layouts"]["native"]
    assert (native["weights"], report["n_units"]) == ("mesh", 2 * N)
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert [name for name in names if name.endswith(".html")] == ["on-meshes__cortex-face.html"]


def test_only_the_arrays_that_are_asked_for_are_unpacked(pair, tmp_path, monkeypatch):
    from brodmann.brain_data.reading.surfaces import gifti_arrays

    folder, truth, _ = pair
    found = read(folder, events=table(tmp_path, 16))
    places = []
    unpacked = gifti_arrays._decoded
    monkeypatch.setattr(gifti_arrays, "_decoded", lambda text, one: places.append(one) or unpacked(text, one))
    np.testing.assert_array_equal(found.values[slice(9, 11), slice(0, 5)], truth[9:11, :5])
    assert len(places) == 2


def test_regions_come_from_an_atlas_of_the_same_surface(pair, tmp_path):
    folder, truth, _ = pair
    numbered = np.arange(N) % 3
    left = write_labels(tmp_path / "lh.label.gii", numbered, {0: "unknown", 1: "V1", 2: "V2"})
    right = tmp_path / "rh.annot"
    colors = np.array([[0, 0, 0, 0, 0], [10, 20, 30, 0, 0], [40, 50, 60, 0, 0]])
    nibabel.freesurfer.write_annot(right, numbered, colors, [b"unknown", b"V1", b"V2"], fill_ctab=True)
    atlas = f"L={left},R={right}"
    found = read(folder, events=table(tmp_path, 16), atlas=atlas)
    names = np.array(["unknown", "V1", "V2"])[numbered]
    assert found.neuroids["region"].tolist() == [*names, *names]
    chosen = read(folder, events=table(tmp_path, 16), atlas=atlas, region="V2")
    np.testing.assert_array_equal(numbers(chosen), truth[:, np.tile(numbered == 2, 2)])
    np.testing.assert_array_equal(
        chosen.values[slice(3, 9), slice(4, 30)], truth[3:9][:, np.tile(numbered == 2, 2)][:, 4:30]
    )
    one_line(lambda: read(folder, events=table(tmp_path, 16), atlas=atlas, region="V3"), "V3", "V2")
    short = write_labels(tmp_path / "short.label.gii", numbered[:-1], {0: "a", 1: "b", 2: "c"})
    one_line(
        lambda: read(folder, events=table(tmp_path, 16), atlas=f"L={left},R={short}"),
        f"labels {N - 1} vertices, and R has {N}: an atlas of the same surface",
    )
    one_line(
        lambda: read(folder, events=table(tmp_path, 16), atlas=f"L={left}"), "--atlas names no file of R"
    )


def test_a_series_keeps_its_time_and_its_stories(pair, tmp_path):
    folder, truth, _ = pair
    for run in (1, 2):
        (folder / f"sub-03_ses-a_task-view_run-{run}_hemi-L_space-fsaverage5_bold.json").write_text(
            json.dumps({"RepetitionTime": 2.0, "StartTime": 1.0})
        )
    words = tmp_path / "words.csv"
    pd.DataFrame(
        {
            "story": ["run-1"] * 3 + ["run-2"] * 2,
            "word": list("abcde"),
            "onset": [0, 1, 2, 0, 5.0],
            "offset": 6.0,
        }
    ).to_csv(words, index=False)
    found = read(folder, series="yes", stimuli=words)
    assert (found.kind, found.tr, found.blocks) == ("series", 2.0, "run")
    np.testing.assert_array_equal(numbers(found), truth)
    assert found.presentations["time"].tolist() == [*np.arange(8) * 2.0 + 1, *np.arange(8) * 2.0 + 1]
    assert found.presentations["stimulus_id"].tolist() == ["run-1"] * 8 + ["run-2"] * 8
    one_line(lambda: read(folder, series="yes", stimuli=words, tr=1.5), "--tr 1.5 is not what", "2 s")
    pd.DataFrame({"story": "run-1", "word": ["a"], "onset": [40.0], "offset": 41.0}).to_csv(
        words, index=False
    )
    one_line(
        lambda: read(folder, series="yes", stimuli=words, run="1"), "onsets outside the run", "40 s", "17 s"
    )


def test_runs_are_in_the_order_of_their_numbers(tmp_path):
    """``run-10`` after ``run-2``, as people count, whether or not numbers are padded."""
    folder = tmp_path / "func"
    folder.mkdir()
    for run in (10, 2, 1):
        write_samples(
            folder / f"sub-01_task-view_run-{run}_hemi-L_bold.func.gii", np.full((4, N), run, np.float32)
        )
    found = read(folder, events=table(tmp_path, 12, run=[1] * 4 + [2] * 4 + [10] * 4))
    assert numbers(found)[:, 0].tolist() == [1] * 4 + [2] * 4 + [10] * 4
    assert list(dict.fromkeys(found.presentations["run"])) == [f"task-view_run-{run}" for run in (1, 2, 10)]
    frames = tmp_path / "frames"
    frames.mkdir()
    for session in (1, 2, 10):
        write_mgh(frames / f"lh.betas_session{session}.mgz", np.full((4, N), session, np.float32))
    assert numbers(read(frames, events=table(tmp_path, 12)))[:, 0].tolist() == [1] * 4 + [2] * 4 + [10] * 4


def test_a_series_has_one_clock_in_all_files(pair):
    folder, _, _ = pair
    name = "sub-03_ses-a_task-view_run-{}_hemi-{}_space-fsaverage5_bold.json"

    def clocks(*of):
        for (run, side), (tr, start) in zip([(1, "L"), (1, "R"), (2, "L"), (2, "R")], of, strict=True):
            said = {"RepetitionTime": tr, "StartTime": start}
            (folder / name.format(run, side)).write_text(json.dumps(said))

    clocks((2.0, 1.0), (2.0, 1.0), (2.0, 1.0), (2.0, 1.0))
    assert read(folder, series="yes").tr == 2.0
    for other in ((1.5, 1.0), (2.0, 0.0)):
        clocks((2.0, 1.0), (2.0, 1.0), (2.0, 1.0), other)
        one_line(lambda: read(folder, series="yes"), "a series has one clock", "choose by --run")
    clocks(*[(2000, 0.0)] * 4)
    one_line(lambda: read(folder, series="yes"), "hardly 2000 s: say --tr S")
    assert read(folder, series="yes", tr=2).tr == 2.0


def test_files_that_contradict_their_hemisphere_end_in_one_line(pair, tmp_path):
    folder, _, meshes = pair
    events = table(tmp_path, 16)
    right = nibabel.load(meshes["R"])
    right.meta["AnatomicalStructurePrimary"] = "CortexRight"
    (tmp_path / "mesh.surf.gii").write_bytes(right.to_bytes())
    one_line(
        lambda: read(folder, events=events, surface=f"L={tmp_path / 'mesh.surf.gii'},R={meshes['R']}"),
        "--surface says that",
        "is of L, and the file that it is of R",
    )
    swapped = f"L={meshes['R'].rename(tmp_path / 'rh.surf.gii')},R={meshes['L']}"
    one_line(lambda: read(folder, events=events, surface=swapped), "rh.surf.gii is of L", "of R")
    path = folder / "sub-03_ses-a_task-view_run-1_hemi-L_space-fsaverage5_bold.func.gii"
    image = nibabel.load(path)
    image.meta["AnatomicalStructurePrimary"] = "CortexRight"
    path.write_bytes(image.to_bytes())
    one_line(lambda: read(folder, events=events), "is L by its name, and R by what it says inside")


def test_options_that_say_nothing_of_a_recording_are_refused(pair, tmp_path):
    folder, _, _ = pair
    one_line(lambda: read(folder, events=table(tmp_path, 16), tr=2), "--tr is of samples in time")
    one_line(lambda: read(folder, series="yes", tr=2, events=table(tmp_path, 16)), "--events is of trials")
    one_line(lambda: read(folder, series="yes", tr=2, stimulus_column="word"), "--stimulus-column is of")
    path = tmp_path / "sub-05_task-film_run-1_bold.dtseries.nii"
    truth = cifti(path, SeriesAxis(0.5, 0.8, 12, "SECOND"))
    for option, value in (("subject", "06"), ("task", "view"), ("run", "2"), ("region", "V1")):
        one_line(lambda o=option, v=value: read(path, series="yes", **{o: v}), option, f"'{value}'")
    below = read(path, series="yes", region="thalamus_left", subject="05")
    np.testing.assert_array_equal(numbers(below), truth[:, -2:])


def test_broken_pairs_end_in_one_line(pair, tmp_path):
    folder, _, meshes = pair
    events = table(tmp_path, 16)
    name = "sub-03_ses-a_task-view_run-{}_hemi-{}_space-fsaverage5_bold.func.gii"
    one_line(lambda: read(folder), "holds 16 arrays and does not say what they are")
    one_line(
        lambda: read(folder, events=table(tmp_path, 14)), "has 14 rows", "holds 16 arrays: one row for each"
    )
    table(tmp_path, 16)
    one_line(lambda: read(folder, events=events, stimulus_column="image"), "image", "--stimulus-column")
    one_line(
        lambda: read(folder, events=events, surface=f"L={tmp_path / 'x.gii'}"), "--surface: there is no file"
    )
    wrong = write_surface(tmp_path / "other.surf.gii", *octahedron(1))
    one_line(
        lambda: read(folder, events=events, surface=f"L={wrong}"),
        "the mesh of L has 18 vertices, and the recording 66: they do not belong together",
    )
    one_line(lambda: read(folder, events=events, subject="04"), "subject", "'04'", "03")
    one_line(lambda: read(folder, series="yes"), "does not say how far apart its samples are: say --tr S")
    extra = write_samples(
        folder / name.format(1, "R").replace("space-fsaverage5", "space-fsnative"), np.ones((8, N), "f4")
    )
    one_line(
        lambda: read(folder, events=events), "several spaces (fsaverage5, fsnative): say which by --space"
    )
    extra.unlink()
    write_samples(folder / name.format(2, "R"), np.ones((7, N), "f4"))
    one_line(lambda: read(folder, events=events), "unlike numbers of samples: 8 of L and 7 of R")
    write_samples(folder / name.format(2, "R"), np.ones((8, N + 1), "f4"))
    one_line(lambda: read(folder, events=events), "has 67 vertices of R, and others have 66")
    (folder / name.format(2, "R")).unlink()
    one_line(lambda: read(folder, events=events), "has L, and others have L and R")
    write_samples(
        folder / "sub-03_ses-a_task-view_run-2_space-fsaverage5_bold.func.gii", np.ones((8, N), "f4")
    )
    one_line(lambda: read(folder, events=events), "does not say which hemisphere it is of")
    assert read(
        meshes["L"].parent / "func" / name.format(1, "L"), events=table(tmp_path, 8)
    ).values.shape == (8, N)


def test_a_file_whose_arrays_do_not_fit_ends_in_one_line(tmp_path):
    path, events = tmp_path / "lh.func.gii", table(tmp_path, 2)
    write_samples(path, [np.ones(N, "f4"), np.ones(N - 2, "f4")])
    one_line(lambda: read(path, events=events), "holds arrays of unlike surfaces: (64,), (66,)")
    write_samples(path, np.ones((1, N), "f4"))
    one_line(lambda: read(path, events=table(tmp_path, 2)), "holds one array: a static map is no recording")
    write_samples(path, np.ones((2, N, 3), "f4"))
    one_line(lambda: read(path, events=events), "shape (66, 3): one array a sample is read")
    write_surface(path, PLACES, FACES)
    one_line(lambda: read(path, events=events), "holds a mesh (--surface), not a recording")
    write_labels(path, np.zeros(N), {0: "a"})
    one_line(lambda: read(path, events=events), "holds labels (--atlas), not a recording")
    packed = write_samples(tmp_path / "lh.run.func.gii.gz", np.ones((2, N), "f4"))
    np.testing.assert_array_equal(numbers(read(packed, events=events)), np.ones((2, N)))
    packed.write_bytes(packed.read_bytes()[:-60])
    one_line(lambda: read(packed, events=events), "cannot be read")


def test_real_func_files_enter(test_signals, tmp_path):
    path = test_signals / "true-layouts/sub-01_hemi-L_space-fsaverage5_bold.func.gii"
    found = read(path, events=table(tmp_path, 30))
    np.testing.assert_array_equal(numbers(found), np.stack([one.data for one in nibabel.load(path).darrays]))
    assert (found.values.shape, found.neuroids["subject"][0]) == ((30, 64), "01")
    real = test_signals / "realdata/nibabel-functional/task.func.gii"
    one_line(
        lambda: read(real, events=table(tmp_path, 10)), "does not say which hemisphere", "--surface L=FILE"
    )
    mesh = write_surface(tmp_path / "L.surf.gii", *octahedron(3))
    one_line(
        lambda: read(real, events=table(tmp_path, 10), surface=f"L={mesh}"),
        "has 258 vertices, and the recording 642",
    )


# CIFTI


def cifti(path, rows, values=None, *, left=range(0, N, 2), right=range(1, N, 3)):
    """Vertices without a medial wall on both sides, and a few voxels."""
    voxels = np.zeros((4, 4, 4), bool)
    voxels[1, 1:3, 2] = True
    axis = (
        BrainModelAxis.from_surface(np.array(left), N, "CortexLeft")
        + BrainModelAxis.from_surface(np.array(right), N, "CortexRight")
        + BrainModelAxis.from_mask(voxels, "thalamus_left", np.diag([2.0, 2, 2, 1]))
    )
    values = RANDOM.normal(size=(len(rows), len(axis))).astype(np.float32) if values is None else values
    nibabel.save(Cifti2Image(values, (rows, axis)), path)
    return values


def test_grayordinates_keep_their_vertex_and_voxels_their_place(tmp_path):
    path = tmp_path / "sub-05_task-film_run-1_bold.dtseries.nii"
    truth = cifti(path, SeriesAxis(0.5, 0.8, 12, "SECOND"))
    mesh = write_surface(tmp_path / "L.surf.gii", PLACES, FACES)
    found = read(path, events=table(tmp_path, 12), surface=f"L={mesh}")
    np.testing.assert_array_equal(numbers(found), truth)
    np.testing.assert_array_equal(found.values[slice(2, 5), slice(30, 50)], truth[2:5, 30:50])
    left = found.neuroids[found.neuroids["hemisphere"] == "L"]
    assert left["vertex"].tolist() == list(range(0, N, 2))
    np.testing.assert_allclose(left[["x", "y", "z"]], PLACES[::2], rtol=1e-5)
    below = found.neuroids[found.neuroids["region"] == "thalamus_left"]
    assert below[["x", "y", "z"]].to_numpy().tolist() == [[2, 2, 4], [2, 4, 4]]
    assert below["vertex"].tolist() == [-1, -1]
    assert found.neuroids["neuroid_id"].is_unique
    assert "33 of 66 vertices of L" in " ".join(found.said)
    series = read(path, series="yes")
    assert series.tr == pytest.approx(0.8)
    np.testing.assert_allclose(series.presentations["time"], 0.5 + 0.8 * np.arange(12))


def test_maps_with_names_are_conditions_and_parcels_regions(tmp_path):
    path = tmp_path / "sub-05_betas.dscalar.nii"
    truth = cifti(path, ScalarAxis(["face", "house", "tool"]))
    found = read(path)
    assert found.presentations["stimulus_id"].tolist() == ["face", "house", "tool"]
    np.testing.assert_array_equal(numbers(found), truth)
    path = tmp_path / "sub-05_task-rest.ptseries.nii"
    parcels = ParcelsAxis.from_brain_models(
        [
            (name, BrainModelAxis.from_surface(np.array(here), N, "CortexLeft"))
            for name, here in (("V1", [0, 1]), ("V2", [5]))
        ]
    )
    truth = RANDOM.normal(size=(6, 2)).astype(np.float32)
    nibabel.save(Cifti2Image(truth, (SeriesAxis(0, 1.0, 6), parcels)), path)
    found = read(path, events=table(tmp_path, 6))
    assert found.neuroids["region"].tolist() == ["V1", "V2"]
    np.testing.assert_array_equal(numbers(found), truth)


def test_the_real_layout_of_a_dtseries_enters(test_signals):
    path = test_signals / "true-layouts/sub-01_task-movie_bold.dtseries.nii"
    found = read(path, series="yes")
    np.testing.assert_allclose(numbers(found), nibabel.load(path).get_fdata(), rtol=1e-6)
    assert (found.tr, found.values.shape) == (pytest.approx(0.72), (30, 64))


def test_broken_cifti_files_end_in_one_line(tmp_path):
    path, events = tmp_path / "a.dtseries.nii", table(tmp_path, 12)
    cifti(path, SeriesAxis(0, 0.8, 12))
    whole = path.read_bytes()
    path.write_bytes(whole[:-100])
    one_line(lambda: read(path, events=events), "a.dtseries.nii is cut off: by its header it has")
    path.write_bytes(whole[:300])
    one_line(
        lambda: RECORDING_FORMATS["cifti"].read(path, ReadOptions(events=str(events))),
        "is no CIFTI-2 file, or cut off",
    )
    path.write_bytes(whole.replace(b"CIFTI_STRUCTURE_CORTEX_LEFT", b"CIFTI_STRUCTURE_CORTEX_LOST"))
    one_line(lambda: read(path, events=events), "cannot be read as CIFTI")
    path.write_bytes(whole.replace(b'NumberOfSeriesPoints="12"', b'NumberOfSeriesPoints="13"'))
    one_line(lambda: read(path, events=events), "description is of 13 x")
    path.write_bytes(whole)
    one_line(lambda: read(path), "holds 12 samples and does not say what they are")
    mesh = write_surface(tmp_path / "other.surf.gii", *octahedron(1))
    one_line(lambda: read(path, events=events, surface=f"R={mesh}"), "the mesh of R has 18 vertices")
    cifti(path, SeriesAxis(0, 10.0, 12, "HERTZ"))
    one_line(lambda: read(path, series="yes"), "a series over hertz, not over seconds")
    cifti(path, SeriesAxis(0, 0.0, 12))
    one_line(lambda: read(path, series="yes"), "say --tr S")


# FreeSurfer


def test_frames_of_mgz_files_are_trials(tmp_path):
    folder = tmp_path / "betas"
    folder.mkdir()
    truth = {}
    for session in (1, 2):
        for side in ("lh", "rh"):
            truth[session, side] = RANDOM.normal(size=(6, N)).astype(np.float32)
            write_mgh(folder / f"{side}.betas_session0{session}.mgz", truth[session, side])
    found = read(folder, events=table(tmp_path, 12))
    expected = np.block([[truth[session, "lh"], truth[session, "rh"]] for session in (1, 2)])
    np.testing.assert_array_equal(numbers(found), expected)
    np.testing.assert_array_equal(found.values[slice(5, 8), slice(60, 70)], expected[5:8, 60:70])
    assert list(dict.fromkeys(found.presentations["run"])) == ["betas_session01", "betas_session02"]
    plain = write_mgh(tmp_path / "lh.betas.mgh", truth[1, "lh"])
    np.testing.assert_array_equal(numbers(read(plain, events=table(tmp_path, 6))), truth[1, "lh"])


def test_broken_freesurfer_files_end_in_one_line(tmp_path):
    path, events = tmp_path / "lh.betas.mgz", table(tmp_path, 6)
    whole = write_mgh(path, RANDOM.normal(size=(6, N))).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    one_line(lambda: read(path, events=events), "lh.betas.mgz is cut off or damaged")
    raw = bytearray(gzip.decompress(whole))
    raw[16:20] = (1 << 20).to_bytes(4, "big")  # frames
    path.write_bytes(gzip.compress(bytes(raw)))
    one_line(
        lambda: read(path, events=events), "is cut off: it says that it has 1048576 frames of 66 vertices"
    )
    path.write_bytes(gzip.compress(b"\0" * 300))
    one_line(lambda: read(path, events=events), "is no MGH file, or damaged")
    nibabel.save(nibabel.MGHImage(np.zeros((4, 4, 4, 6), np.float32), np.eye(4)), path)
    assert recognized(path) is None or recognized(path).name != "freesurfer"
    curved = tmp_path / "lh.thickness"
    nibabel.freesurfer.write_morph_data(curved, np.ones(N, np.float32))
    one_line(lambda: read(curved), "a static map is no recording of stimuli")
    np.testing.assert_array_equal(read_curvature(curved), np.ones(N))
    curved.write_bytes(curved.read_bytes()[:-3])
    one_line(lambda: read_curvature(curved), "is cut off or damaged: it says that it has 66 vertices")
    labels = tmp_path / "lh.annot"
    nibabel.freesurfer.write_annot(
        labels, np.zeros(N, int), np.array([[1, 2, 3, 0, 0]]), [b"V1"], fill_ctab=True
    )
    assert set(read_annotation(labels)) == {"V1"}
    kept = labels.read_bytes()
    for n in (3, 40, 8 * N + 2, len(kept) - 5):
        labels.write_bytes(kept[:n])
        one_line(lambda: read_annotation(labels), "lh.annot")


@pytest.mark.parametrize(
    ("name", "side", "alike"),
    [
        ("sub-01_hemi-L_space-fsaverage5_bold.func.gii", "L", "sub-01_space-fsaverage5_bold.func.gii"),
        ("rh.betas_session01.mgz", "R", "betas_session01.mgz"),
        ("100307.L.thickness.32k_fs_LR.shape.gii", "L", "100307.thickness.32k_fs_LR.shape.gii"),
        ("pial_left.gii.gz", "L", "pial.gii.gz"),
        ("task.func.gii", None, "task.func.gii"),
    ],
)
def test_the_hemisphere_stands_in_the_name(name, side, alike):
    assert (side_of(name), without_side(name)) == (side, alike)
    assert run_of("sub-1_ses-02_task-x_run-3_hemi-L_bold.func.gii") == "ses-02_task-x_run-3"
