"""BIDS folders: known betas come back, nilearn gives the same, a real recording is what its own loader makes of it."""

import gc
import json
import os
import shutil
import warnings
from pathlib import Path

import nibabel
import numpy as np
import pandas as pd
import pytest
from nilearn.glm.first_level import FirstLevelModel
from nilearn.interfaces.fmriprep import load_confounds, load_confounds_strategy
from PIL import Image

import brodmann
from brodmann import UserError
from brodmann.brain_data import dataset_card
from brodmann.brain_data.catalogue import add_dataset, load_dataset
from brodmann.brain_data.datasets.haxby2001 import CATEGORIES, slice_runs
from brodmann.brain_data.formats.bids import Bids
from brodmann.brain_data.formats.recording import RECORDING_FORMATS, read_recording, recognized
from brodmann.brain_data.imported import ReadOptions
from brodmann.brain_data.importing import install_recording
from brodmann.brain_data.timeseries.block_patterns import bright_voxels, patterns
from brodmann.files import home

from .bids_folders import (
    AFFINE,
    GRID,
    N_SAMPLES,
    SPACE,
    START,
    TR,
    events_of,
    save_confounds,
    save_volumes,
    signal,
    write_root,
    write_run,
)

MASK = np.arange(24).reshape(GRID) % 3 > 0


def read(path, **options):
    return read_recording(Path(path), ReadOptions(**options), Bids())


def numbers(found):
    return np.asarray(found.values[:, :])


def rows_of(found, run, events):
    """The rows of a run in the order of its events."""
    keys = zip(found.presentations["run"], found.presentations["stimulus_id"], strict=True)
    place = {key: i for i, key in enumerate(keys)}
    return [place[run, name] for name in events["stim_file"]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two subjects, two runs each, written with known betas; pictures in stimuli/."""
    place = tmp_path_factory.mktemp("bids") / "study"
    betas = {(s, r): write_run(place, s, r) for s in ("01", "02") for r in (1, 2)}
    (place / "stimuli" / "images").mkdir(parents=True)
    for i in range(6):
        (place / "stimuli" / "images" / f"im{i}.png").write_bytes(b"a picture")
    return place, betas


def test_it_is_recognized_by_its_content(folder, tmp_path):
    assert recognized(folder[0]).name == "bids"
    assert recognized(folder[0] / "derivatives" / "fmriprep").name == "bids"
    (tmp_path / "sub-01" / "func").mkdir(parents=True)
    (tmp_path / "sub-01" / "func" / "sub-01_task-a_events.tsv").write_text("onset\tduration\n")
    (tmp_path / "sub-01" / "eeg").mkdir()
    (tmp_path / "dataset_description.json").write_text('{"Name": "a", "BIDSVersion": "1.9.0"}')
    assert not Bids().recognizes(tmp_path)
    assert not Bids().recognizes(tmp_path / "dataset_description.json")
    assert "bids" in RECORDING_FORMATS


def test_known_betas_come_back_on_the_clock_of_the_slices(folder):
    place, betas = folder
    found = read(place)
    assert found.kind == "trials"
    assert numbers(found).shape == (12, 32)
    assert found.presentations["run"].tolist() == ["run-1"] * 6 + ["run-2"] * 6
    assert found.presentations["repetition"].tolist() == [0] * 6 + [1] * 6
    assert found.neuroids["subject"].tolist() == ["sub-01"] * 16 + ["sub-02"] * 16
    assert found.neuroids["neuroid_id"].is_unique
    for (subject, run), expected in betas.items():
        columns = (found.neuroids["subject"] == f"sub-{subject}").to_numpy()
        there = numbers(found)[rows_of(found, f"run-{run}", events_of(run))][:, columns]
        np.testing.assert_allclose(there, expected, atol=2e-3)
    assert any("first sample at 0.98 s" in line for line in found.said)
    assert any("4 of 240 samples are not used" in line for line in found.said)


def test_samples_at_another_time_give_other_betas(folder, tmp_path):
    place, betas = folder
    shutil.copytree(place, tmp_path / "study")
    for path in (tmp_path / "study" / "derivatives").rglob("*_bold.json"):
        path.write_text(json.dumps({"RepetitionTime": TR}))
    found = read(tmp_path / "study", subject="01", run="1")
    wrong = np.abs(numbers(found)[rows_of(found, "run-1", events_of(1))] - betas["01", 1]).max()
    assert wrong > 0.05


def test_stimuli_are_the_pictures_of_stim_file(folder):
    found = read(folder[0])
    assert found.stimuli["stimulus_id"].nunique() == len(found.stimuli) == 6
    assert found.stimuli["filename"].tolist() == found.stimuli["stimulus_id"].tolist()
    kinds = dict(zip(found.stimuli["stimulus_id"], found.stimuli["trial_type"], strict=True))
    assert kinds["images/im0.png"] == "animal"
    assert kinds["images/im5.png"] == "tool"
    assert {name: path.read_bytes() for name, path in found.pictures.items()} == {
        f"images/im{i}.png": b"a picture" for i in range(6)
    }


def test_conditions_are_stimuli_where_they_are_asked_for(folder):
    found = read(folder[0], stimulus_column="trial_type", subject="01")
    assert sorted(found.stimuli["stimulus_id"]) == ["animal", "tool"]
    assert not found.pictures
    counts = found.presentations.groupby("stimulus_id")["repetition"].agg(list)
    assert counts.map(sorted).tolist() == [list(range(6))] * 2


def test_neuroids_are_where_the_mask_says(folder):
    found = read(folder[0], subject="02")
    expected = nibabel.affines.apply_affine(AFFINE, np.argwhere(MASK))
    np.testing.assert_allclose(found.neuroids[list("xyz")], expected)
    np.testing.assert_array_equal(found.neuroids[list("ijk")], np.argwhere(MASK))
    mask = nibabel.load(found.images["mask"])
    np.testing.assert_array_equal(np.asarray(mask.dataobj) > 0, MASK)
    np.testing.assert_allclose(mask.affine, AFFINE)
    assert found.about["space"] == SPACE.removeprefix("space-")
    assert found.about["license"] == "CC0"
    assert not read(folder[0]).images  # of two subjects there is no one image


def test_a_mask_of_ones_own(folder, tmp_path):
    mask = np.zeros(GRID, dtype=np.uint8)
    mask[1, 2, 1] = mask[3, 0, 0] = 1
    nibabel.save(nibabel.Nifti1Image(mask, AFFINE), tmp_path / "mask.nii.gz")
    whole = read(folder[0], subject="01")
    some = read(folder[0], subject="01", mask=str(tmp_path / "mask.nii.gz"), region="V1")
    assert some.neuroids["region"].tolist() == ["V1", "V1"]
    inside = np.flatnonzero(MASK.ravel()).tolist()
    columns = [inside.index(i) for i in np.flatnonzero(mask.ravel()) if i in inside]
    assert columns
    np.testing.assert_array_equal(numbers(some)[:, : len(columns)], numbers(whole)[:, columns])


def test_regions_of_an_atlas(folder, tmp_path):
    atlas = np.zeros(GRID, np.int16)
    atlas[:2], atlas[2:] = 1, 7
    atlas[0, 0] = 0
    nibabel.save(nibabel.Nifti1Image(atlas, AFFINE), tmp_path / "atlas.nii.gz")
    (tmp_path / "atlas.tsv").write_text("index\tname\n1\tV1\n7\tFFA\n")
    found = read(folder[0], atlas=str(tmp_path / "atlas.nii.gz"))
    inside = atlas[MASK]
    named = np.array(["", "V1", "", "", "", "", "", "FFA"])[inside[inside > 0]]
    assert found.neuroids["region"].tolist() == [*named, *named]
    assert found.left_out["voxels outside of every region"] == 2 * int((inside == 0).sum())
    whole = numbers(read(folder[0], subject="02"))
    kept = (found.neuroids["subject"] == "sub-02").to_numpy()
    np.testing.assert_array_equal(numbers(found)[:, kept], whole[:, inside > 0])
    one = read(folder[0], atlas=str(tmp_path / "atlas.nii.gz"), region="FFA", subject="02")
    np.testing.assert_array_equal(numbers(one), whole[:, inside == 7])
    np.testing.assert_array_equal(
        np.asarray(nibabel.load(one.images["mask"]).dataobj) > 0, MASK & (atlas == 7)
    )


def test_a_voxel_that_is_not_in_every_runs_brain_is_not_taken(tmp_path):
    write_run(tmp_path, "01", 1)
    smaller = MASK.copy()
    smaller[0, 0, 1] = False
    write_run(tmp_path, "01", 2, mask=smaller)
    assert len(read(tmp_path).neuroids) == 15


@pytest.mark.parametrize("series", ["no", "yes"])
def test_a_voxel_that_is_constant_or_nan_in_a_run_is_left_out_and_counted(tmp_path, series):
    write_run(tmp_path, "01", 1)
    write_run(tmp_path, "01", 2)
    whole = read(tmp_path, series=series)
    path = next((tmp_path / "derivatives").rglob("*run-2*_bold.nii.gz"))
    bold = nibabel.load(path).get_fdata().reshape(24, -1).T.astype(np.float32)
    bold[:, np.flatnonzero(MASK)[3]] = 500
    bold[7, np.flatnonzero(MASK)[5]] = np.nan
    save_volumes(path, bold)
    found = read(tmp_path, series=series)
    assert found.left_out == {"voxels or vertices that do not vary, or hold no number, in some run": 2}
    kept = [i for i in range(16) if i not in (3, 5)]
    np.testing.assert_array_equal(numbers(found), numbers(whole)[:, kept])
    assert found.neuroids["neuroid_id"].tolist() == whole.neuroids["neuroid_id"].iloc[kept].tolist()
    mask = np.asarray(nibabel.load(found.images["mask"]).dataobj) > 0
    np.testing.assert_array_equal(np.argwhere(mask), found.neuroids[list("ijk")])


def first_level(path, events, *, columns, confounds=None, sample_mask=None, drift="cosine", mask=MASK):
    """nilearn's own patterns, voxels in C order."""
    model = FirstLevelModel(
        t_r=TR, slice_time_ref=START / TR, mask_img=nibabel.Nifti1Image(mask.astype(np.uint8), AFFINE), hrf_model="spm",
        drift_model=drift, high_pass=1 / 128, noise_model="ar1", signal_scaling=0,
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        image = nibabel.load(path)  # in double precision, as ours
        model.fit(
            nibabel.Nifti1Image(image.get_fdata(), image.affine),
            events=events,
            confounds=confounds,
            sample_masks=sample_mask,
        )
        return np.array(
            [model.compute_contrast(one, output_type="effect_size").get_fdata()[mask] for one in columns]
        )


@pytest.mark.parametrize(
    ("said", "strategy", "drift"),
    [
        ("motion=basic,wm_csf", ("motion", "wm_csf"), "cosine"),
        ("high_pass,wm_csf", ("high_pass", "wm_csf"), None),
    ],
)
def test_betas_all_are_nilearns(test_signals, said, strategy, drift):
    """The folder of fMRIPrep's layout: confounds and dummy scans by load_confounds, samples at StartTime."""
    place = test_signals / "true-layouts" / "bids"
    found = read(place, subject="02", confounds=said, hrf="spm")
    func = place / "derivatives" / "fmriprep" / "sub-02" / "func"
    for run in (1, 2):
        path = func / f"sub-02_task-view_run-{run}_{SPACE}_desc-preproc_bold.nii.gz"
        mask = nibabel.load(str(path).replace("preproc_bold", "brain_mask")).get_fdata() > 0
        events = pd.read_csv(place / f"sub-02/func/sub-02_task-view_run-{run}_events.tsv", sep="\t")
        names = [f"e{i:02d}" for i in range(len(events))]
        table, sample_mask = load_confounds(str(path), strategy=strategy, motion="basic")
        assert len(sample_mask) == 54
        shown = events[["onset", "duration"]].assign(trial_type=names)
        expected = first_level(
            path, shown, columns=names, confounds=table, sample_mask=sample_mask, drift=drift, mask=mask
        )
        there = numbers(found)[(found.presentations["run"] == f"run-{run}").to_numpy()]
        np.testing.assert_allclose(there, expected, atol=1e-6, rtol=0)
    assert found.presentations["stimulus_id"].tolist() == events["stim_file"].tolist() * 2
    assert found.presentations["repetition"].tolist() == [0] * 8 + [1] * 8 + [2] * 8 + [3] * 8


def test_betas_separate_are_nilearns(folder):
    place, _ = folder
    found = read(place, subject="01", run="2", betas="separate", hrf="spm")
    events = events_of(2)
    path = next((place / "derivatives").rglob("sub-01*run-2*_bold.nii.gz"))
    _, sample_mask = load_confounds(str(path), strategy=("motion",), motion="basic")
    for i, row in enumerate(rows_of(found, "run-2", events)):
        names = ["this" if k == i else "others" for k in range(len(events))]
        shown = events[["onset", "duration"]].assign(trial_type=names)
        expected = first_level(path, shown, columns=["this"], sample_mask=sample_mask)
        np.testing.assert_allclose(numbers(found)[row], expected[0], atol=1e-6, rtol=0)


def haxby_folder(place, runs, affine, *, derivatives):
    """The real slice as BIDS: raw, or with the files of fMRIPrep."""
    inner = write_root(place)
    bold_json = {"RepetitionTime": 2.5, "TaskName": "view"}
    (place / "task-view_bold.json").write_text(json.dumps(bold_json))
    names = ["trans_x", "trans_y", "trans_z", "rot_x", "rot_y", "rot_z"]
    for number, run in enumerate(runs, 1):
        name = f"sub-1_task-view_run-{number:02d}"
        raw, func = place / "sub-1" / "func", inner / "sub-1" / "func"
        raw.mkdir(parents=True, exist_ok=True)
        run.events.to_csv(raw / f"{name}_events.tsv", sep="\t", index=False)
        image = nibabel.Nifti1Image(run.bold.astype(np.int16), affine)
        image.header.set_zooms((3.1, 3.75, 3.75, 2.5))
        image.header.set_xyzt_units("mm", "sec")
        if not derivatives:
            nibabel.save(image, raw / f"{name}_bold.nii.gz")
            continue
        func.mkdir(parents=True, exist_ok=True)
        nibabel.save(image, func / f"{name}_space-T1w_desc-preproc_bold.nii.gz")
        mask = nibabel.Nifti1Image(bright_voxels(runs).astype(np.uint8), affine)
        nibabel.save(mask, func / f"{name}_space-T1w_desc-brain_mask.nii.gz")
        table = pd.DataFrame(run.motion, columns=names)
        table.to_csv(func / f"{name}_desc-confounds_timeseries.tsv", sep="\t", index=False)
        (func / f"{name}_desc-confounds_timeseries.json").write_text("{}")
    if not derivatives:
        shutil.rmtree(place / "derivatives")
    return place


@pytest.fixture(scope="module")
def haxby(test_data):
    folder = brodmann.add_dataset("haxby2001-slice", test_data / "haxby2001-sub001")
    return slice_runs(dataset_card("haxby2001-slice"), folder)


def in_order(found):
    """(run, category, voxel) of what was read."""
    table = found.presentations.reset_index()
    order = table.pivot(index="run", columns="stimulus_id", values="index")[list(CATEGORIES)].to_numpy()
    return numbers(found)[order]


def test_the_haxby_slice_by_way_of_bids_is_what_its_loader_makes_of_it(haxby, tmp_path):
    runs, affine = haxby
    place = haxby_folder(tmp_path / "haxby", runs, affine, derivatives=True)
    found = read(place, confounds="motion=basic")
    loaded = brodmann.load_dataset("haxby2001-slice").responses
    np.testing.assert_allclose(in_order(found), loaded.values.reshape(12, 8, 459), atol=1e-6, rtol=0)
    for axis in "xyz":
        np.testing.assert_allclose(found.neuroids[axis], loaded[axis].values, atol=1e-5)
    assert found.presentations["repetition"].tolist() == loaded["repetition"].values.tolist()
    assert found.presentations["run"].tolist()[::8] == [f"run-{number:02d}" for number in range(1, 13)]


def test_the_raw_haxby_slice_is_read_as_such_and_says_so(haxby, tmp_path):
    runs, affine = haxby
    place = haxby_folder(tmp_path / "haxby", runs[:3], affine, derivatives=False)
    found = read(place)
    assert found.said[0].startswith("raw BOLD")
    assert any("above half the median brightness" in line for line in found.said)
    still = [type(run)(run.bold, run.events) for run in runs[:3]]
    expected = patterns(still, bright_voxels(still), affine, conditions=CATEGORIES, repetition_time=2.5)
    np.testing.assert_allclose(in_order(found), expected.values, atol=1e-6, rtol=0)
    with pytest.raises(UserError, match=r"no table of confounds beside .*: leave --confounds out"):
        read(place, confounds="motion")
    with pytest.raises(UserError, match="holds raw BOLD, which is in no space: leave --space out"):
        read(place, space="T1w")


def gifti_folder(place):
    """The run of volumes, its voxels dealt to the vertices of two hemispheres, and both once more as CIFTI."""
    inner = write_root(place)
    raw, func = place / "sub-01" / "func", inner / "sub-01" / "func"
    raw.mkdir(parents=True)
    func.mkdir(parents=True)
    name = "sub-01_task-view_run-1"
    events_of(1).to_csv(raw / f"{name}_events.tsv", sep="\t", index=False)
    series, betas = signal(events_of(1), 10 * np.random.default_rng(3).normal(size=(6, 24)))
    sidecar = json.dumps({"RepetitionTime": TR, "StartTime": START})
    for hemisphere, part in (("L", series[:, :14]), ("R", series[:, 14:])):
        arrays = [nibabel.gifti.GiftiDataArray(one, "NIFTI_INTENT_TIME_SERIES") for one in part]
        image = nibabel.GiftiImage(darrays=arrays)
        nibabel.save(image, func / f"{name}_hemi-{hemisphere}_space-fsaverage5_bold.func.gii")
        (func / f"{name}_hemi-{hemisphere}_space-fsaverage5_bold.json").write_text(sidecar)
    axes = nibabel.cifti2.cifti2_axes
    left = axes.BrainModelAxis.from_surface([0, 2, 3, 5, 7, 8, 9], 10, "CortexLeft")
    right = axes.BrainModelAxis.from_surface([1, 2, 4, 6, 7, 8, 9], 10, "CortexRight")
    mask = np.zeros((3, 3, 3))
    mask.flat[:10] = 1
    inside = axes.BrainModelAxis.from_mask(mask, "thalamus_left", AFFINE)
    header = (axes.SeriesAxis(START, TR, N_SAMPLES), left + right + inside)
    nibabel.save(nibabel.Cifti2Image(series, header), func / f"{name}_space-fsLR_den-91k_bold.dtseries.nii")
    (func / f"{name}_space-fsLR_den-91k_bold.json").write_text(sidecar)
    save_confounds(func / f"{name}_desc-confounds_timeseries.tsv", dummies=2)
    return betas


def save_mesh(path, points):
    triangles = np.array([[i, i + 1, i + 2] for i in range(len(points) - 2)], np.int32)
    arrays = [
        nibabel.gifti.GiftiDataArray(points.astype(np.float32), "NIFTI_INTENT_POINTSET"),
        nibabel.gifti.GiftiDataArray(triangles, "NIFTI_INTENT_TRIANGLE"),
    ]
    nibabel.save(nibabel.GiftiImage(darrays=arrays), path)


def test_betas_of_vertices_and_of_grayordinates(tmp_path):
    betas = gifti_folder(tmp_path / "study")
    with pytest.raises(UserError, match="in spaces fsLR:den-91k, fsaverage5: say which by --space"):
        read(tmp_path / "study")
    order = events_of(1)
    surface = read(tmp_path / "study", space="fsaverage5", confounds="wm_csf")
    np.testing.assert_allclose(numbers(surface)[rows_of(surface, "run-1", order)], betas, atol=2e-3)
    assert surface.neuroids["hemisphere"].tolist() == ["L"] * 14 + ["R"] * 10
    assert surface.neuroids["vertex"].tolist() == [*range(14), *range(10)]
    assert "x" not in surface.neuroids
    both = read(tmp_path / "study", space="fsLR")
    np.testing.assert_allclose(numbers(both)[rows_of(both, "run-1", order)], betas, atol=2e-3)
    assert (
        both.neuroids["region"].tolist()
        == ["cortex_left"] * 7 + ["cortex_right"] * 7 + ["thalamus_left"] * 10
    )
    assert both.neuroids["vertex"].tolist() == [0, 2, 3, 5, 7, 8, 9, 1, 2, 4, 6, 7, 8, 9] + [-1] * 10
    assert both.about["space"] == "fsLR:den-91k"
    right = read(tmp_path / "study", space="fsLR", region="cortex_right")
    np.testing.assert_array_equal(numbers(right), numbers(both)[:, 7:14])
    deep = read(tmp_path / "study", space="fsLR", region="thalamus_left")
    expected = nibabel.affines.apply_affine(AFFINE, np.argwhere(np.arange(27).reshape(3, 3, 3) < 10))
    np.testing.assert_allclose(deep.neuroids[list("xyz")], expected)
    with pytest.raises(UserError, match="unknown region of the recording 'V1'"):
        read(tmp_path / "study", space="fsLR", region="V1")


def test_positions_of_vertices_are_those_of_the_mesh(tmp_path):
    gifti_folder(tmp_path / "study")
    meshes = {
        "L": np.random.default_rng(0).normal(size=(14, 3)),
        "R": np.random.default_rng(1).normal(size=(10, 3)),
    }
    for hemisphere, points in meshes.items():
        save_mesh(tmp_path / f"{hemisphere}.surf.gii", points)
    said = ",".join(f"{one}={tmp_path / one}.surf.gii" for one in "LR")
    surface = read(tmp_path / "study", space="fsaverage5", surface=said)
    np.testing.assert_allclose(
        surface.neuroids[list("xyz")], np.concatenate(list(meshes.values())), rtol=1e-6
    )
    assert surface.surfaces == {one: tmp_path / f"{one}.surf.gii" for one in "LR"}
    cortex = read(tmp_path / "study", space="fsLR", region="cortex_right", surface=said.split(",")[1])
    np.testing.assert_allclose(cortex.neuroids[list("xyz")], meshes["R"][[1, 2, 4, 6, 7, 8, 9]], rtol=1e-6)
    with pytest.raises(UserError, match="the mesh of L has 10 vertices, and the recording 14"):
        read(tmp_path / "study", space="fsaverage5", surface=f"L={tmp_path / 'R.surf.gii'}")


def test_samples_in_time(folder):
    place, _ = folder
    found = read(place, series="yes", subject="01", confounds="motion=basic,wm_csf")
    path = place / f"derivatives/fmriprep/sub-01/func/sub-01_task-view_run-1_{SPACE}_desc-preproc_bold.nii.gz"
    expected = nibabel.load(path).get_fdata()[MASK].T
    assert found.kind == "series"
    assert found.tr == TR
    assert found.blocks == "run"
    np.testing.assert_array_equal(numbers(found)[:N_SAMPLES], expected)
    np.testing.assert_allclose(found.presentations["time"][:3], [START, START + TR, START + 2 * TR])
    assert found.good.tolist() == ([False] + [True] * (N_SAMPLES - 1)) * 2
    table, _ = load_confounds(str(path), strategy=("motion", "wm_csf"), motion="basic")
    pd.testing.assert_frame_equal(found.confounds[:N_SAMPLES][list(table.columns)], table, check_dtype=False)
    assert not found.confounds.isna().any(axis=None)
    words = found.stimuli[found.stimuli["story"] == "run-1"]
    np.testing.assert_allclose(words["onset"], events_of(1)["onset"])
    np.testing.assert_allclose(words["offset"] - words["onset"], 1.5)
    assert [found.pictures[one].name for one in words["stimulus_id"]] == [
        Path(one).name for one in events_of(1)["stim_file"]
    ]
    assert found.stimuli["stimulus_id"].is_unique


def test_words_are_texts_that_models_can_be_shown(tmp_path):
    words = ["the", "cat", "sat", "on", "the", "mat"]
    events = events_of(1).drop(columns="stim_file").assign(word=words, trial_type="word")
    write_run(tmp_path, "01", 1, events=events)
    found = read(tmp_path, stimulus_column="word")
    assert (
        found.stimuli["word"].tolist() == found.stimuli["stimulus_id"].tolist() == list(dict.fromkeys(words))
    )
    assert found.presentations["repetition"].tolist() == [0, 0, 0, 0, 1, 0]
    series = read(tmp_path, stimulus_column="word", series="yes")
    assert series.stimuli["word"].tolist() == words
    assert series.stimuli["stimulus_id"].tolist() == [f"run-1.{i}" for i in range(6)]
    assert (
        read(tmp_path, series="yes").stimuli["word"].tolist() == words
    )  # where trial_type names the stimulus


def test_a_run_of_one_row_is_a_story_on_its_own_clock_and_may_come_again(tmp_path):
    for run in (1, 2):
        story = pd.DataFrame({"onset": [10.0 + run], "duration": [100.0], "stim_file": ["stories/pie.wav"]})
        write_run(tmp_path, "01", run, session="a", events=story)
    found = read(tmp_path, series="yes")
    assert found.presentations["stimulus_id"].unique().tolist() == ["stories/pie.wav"]
    assert found.presentations["run"].unique().tolist() == ["ses-a_run-1", "ses-a_run-2"]
    assert found.presentations["repetition"].tolist() == [0] * N_SAMPLES + [1] * N_SAMPLES
    assert found.presentations["time"][0] == pytest.approx(START - 11)
    assert found.presentations["time"][N_SAMPLES] == pytest.approx(START - 12)
    assert found.presentations["session"].unique().tolist() == ["a"]
    assert found.stimuli[["story", "onset", "offset"]].to_numpy().tolist() == [
        ["stories/pie.wav", 0.0, 100.0]
    ]
    assert not found.pictures


def test_words_that_all_come_later_repeat_the_story_on_its_clock(tmp_path):
    """The scanner's trigger is not the sound's: the story begins a little later in each run."""
    events = events_of(1).assign(stim_file=[f"word{i}" for i in range(6)])
    apart = events["onset"] + np.linspace(0, TR, 6)
    runs = [events, events.assign(onset=events["onset"] + 0.7), events.assign(onset=apart)]
    for run, table in enumerate(runs, start=1):
        write_run(tmp_path, "01", run, events=table)
    found = read(tmp_path, series="yes")
    shown = found.presentations
    assert shown["stimulus_id"].tolist() == ["run-1"] * 2 * N_SAMPLES + ["run-3"] * N_SAMPLES
    assert shown["repetition"].tolist() == [0] * N_SAMPLES + [1] * N_SAMPLES + [0] * N_SAMPLES
    assert shown["time"][N_SAMPLES] == pytest.approx(START - 0.7)
    told = found.stimuli[found.stimuli["story"] == "run-1"]
    np.testing.assert_allclose(told["onset"], events["onset"])


def test_runs_without_events_are_not_repetitions_of_each_other(tmp_path):
    """Parts of one film are called alike: nothing says that the second run showed what the first did."""
    for run in (1, 2):
        write_run(tmp_path, "01", run)
    for table in tmp_path.rglob("*_events.tsv"):
        table.unlink()
    found = read(tmp_path, series="yes")
    assert found.stimuli["stimulus_id"].tolist() == ["view_run-1", "view_run-2"]
    assert set(found.presentations["repetition"]) == {0}
    one = read(tmp_path, series="yes", run="2")
    assert one.stimuli["stimulus_id"].tolist() == ["view_run-2"]


def test_a_table_says_more_of_the_stimuli_that_events_name(tmp_path):
    root = tmp_path / "study"
    for run in (1, 2):
        events = events_of(run).drop(columns="stim_file").assign(trial_type=[f"s{i}" for i in range(6)])
        write_run(root, "01", run, events=events)
    words = {"stimulus_id": [f"s{i}" for i in (5, 3, 1, 0, 2, 4, 9)], "sentence": list("fdbacex")}
    pd.DataFrame(words).to_csv(tmp_path / "said.csv", index=False)
    found = read(root, stimuli=str(tmp_path / "said.csv"))
    assert dict(zip(found.stimuli["stimulus_id"], found.stimuli["sentence"], strict=True)) == {
        f"s{i}": letter for i, letter in enumerate("abcdef")
    }
    with pytest.raises(UserError, match="they name none: words and frames are the rows"):
        read(root, stimuli=str(tmp_path / "said.csv"), series="yes")


def test_a_study_that_git_annex_keeps_enters(tmp_path):
    """Files are links into ``.git/annex`` of the study, those of derivatives, too."""
    for run in (1, 2):
        write_run(tmp_path, "01", run)
    plain = numbers(read(tmp_path))
    kept = tmp_path / ".git" / "annex" / "objects"
    kept.mkdir(parents=True)
    for i, path in enumerate(sorted(tmp_path.rglob("*.nii.gz"))):
        path.rename(kept / f"key-{i}.nii.gz")
        path.symlink_to(os.path.relpath(kept / f"key-{i}.nii.gz", path.parent))
    np.testing.assert_array_equal(numbers(read(tmp_path)), plain)


def test_few_conditions_in_sessions_enter_without_the_sessions(tmp_path, monkeypatch):
    monkeypatch.setenv("BRODMANN_HOME", str(tmp_path / "home"))
    for session in ("a", "b"):
        write_run(tmp_path / "study", "01", 1, session=session)
    add_dataset("localizer", tmp_path / "study", {"session": "ignore"})
    held = load_dataset("localizer").responses
    assert "session" not in held.coords
    assert sorted(set(held["run"].values)) == ["ses-a_run-1", "ses-b_run-1"]
    for columns, words in (
        ({"session": "visit"}, "session=ignore|NAME=ignore"),
        ({"block": "ignore"}, "'block'"),
    ):
        with pytest.raises(UserError, match=words):
            add_dataset("other", tmp_path / "study", columns)


def test_a_run_that_one_subject_lacks_is_counted_and_nothing_is_invented(tmp_path):
    for subject, runs in (("01", (1, 2, 3)), ("02", (1, 3))):
        for run in runs:
            write_run(tmp_path, subject, run)
    found = read(tmp_path)
    assert sorted(found.presentations["run"].unique()) == ["run-1", "run-3"]
    assert found.left_out == {"presentations of single subjects that not every subject has": 6}
    assert np.isfinite(numbers(found)).all()
    alone = read(tmp_path, subject="01")
    kept = alone.presentations["run"].isin(["run-1", "run-3"]).to_numpy()
    np.testing.assert_array_equal(numbers(alone)[kept], numbers(found)[:, :16])
    series = read(tmp_path, series="yes")
    assert series.left_out == {"runs of single subjects that not every subject has": 1}
    assert len(series.presentations) == 2 * N_SAMPLES


def test_subjects_without_a_common_presentation_are_refused(tmp_path):
    write_run(tmp_path, "01", 1)
    write_run(tmp_path, "02", 2)
    with pytest.raises(
        UserError, match="no presentation that every subject has .*one subject at a time by --subject"
    ):
        read(tmp_path)


def test_trials_that_their_run_does_not_show_and_events_without_a_stimulus_are_counted(tmp_path):
    events = events_of(1)
    late = events.iloc[[0]].assign(onset=START + TR * N_SAMPLES - 1.5, stim_file="images/late.png")
    button = events.iloc[[0]].assign(onset=7.0, duration=0.1, stim_file="n/a", trial_type="button")
    write_run(tmp_path, "01", 1)
    table = next(tmp_path.rglob("*_events.tsv"))
    pd.concat([events, late, button]).to_csv(table, sep="\t", index=False)
    found = read(tmp_path)
    assert found.left_out == {
        "events without a stimulus": 1,
        "trials too early or late in their run to be seen": 1,
    }
    assert sorted(found.stimuli["stimulus_id"]) == sorted(events["stim_file"])


def test_trials_without_a_duration_are_impulses_and_one_table_may_be_of_all_runs(tmp_path):
    for run in (1, 2):
        write_run(tmp_path / "study", "01", run, events=events_of(1))
    table = events_of(1).astype({"duration": object}).assign(duration=["n/a", "0", 1.5, 1.5, 1.5, 1.5])
    table.to_csv(tmp_path / "all.tsv", sep="\t", index=False)
    found = read(tmp_path / "study", events=str(tmp_path / "all.tsv"))
    assert "4 trials have no duration, and are modeled as impulses" in found.said
    assert f"events of every run: {tmp_path / 'all.tsv'}" in found.said
    assert found.presentations["stimulus_id"].tolist() == table["stim_file"].tolist() * 2
    with pytest.raises(UserError, match="--events nowhere.tsv: there is no such file or folder"):
        read(tmp_path / "study", events="nowhere.tsv")


def test_sessions_are_parts_of_the_runs_names_and_can_be_chosen(tmp_path):
    for session in ("01", "02"):
        write_run(tmp_path, "01", 1, session=session)
    found = read(tmp_path)
    assert found.presentations["run"].unique().tolist() == ["ses-01_run-1", "ses-02_run-1"]
    assert found.presentations["session"].tolist() == ["01"] * 6 + ["02"] * 6
    assert read(tmp_path, session="ses-02").presentations["run"].unique().tolist() == ["ses-02_run-1"]
    with pytest.raises(UserError, match="unknown session of the recording '03'"):
        read(tmp_path, session="03")


@pytest.mark.parametrize("table", ["test_desc-confounds_regressors", "test-v21_desc-confounds_timeseries"])
@pytest.mark.parametrize(
    "said", ["simple", "scrubbing", "compcor", "motion,wm_csf=full", "high_pass,compcor,n_compcor=2"]
)
def test_real_tables_of_fmriprep_old_and_new(test_signals, tmp_path, table, said):
    """nilearn's tables with n/a in their first rows, both endings; the same columns and samples as nilearn's."""
    real = test_signals / "realdata" / "nilearn-confounds"
    inner = write_root(tmp_path)
    func = inner / "sub-01" / "func"
    func.mkdir(parents=True)
    for ending in ("tsv", "json"):
        shutil.copyfile(
            real / f"{table}.{ending}", func / f"sub-01_task-view_{table.partition('_')[2]}.{ending}"
        )
    series = BOLD[:30]
    path = func / f"sub-01_task-view_{SPACE}_desc-preproc_bold.nii.gz"
    save_volumes(path, series)
    nibabel.save(
        nibabel.Nifti1Image(MASK.astype(np.uint8), AFFINE), str(path).replace("preproc_bold", "brain_mask")
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected, sample_mask = {
            "motion,wm_csf=full": lambda: load_confounds(
                str(path), strategy=("motion", "wm_csf"), wm_csf="full"
            ),
            "high_pass,compcor,n_compcor=2": lambda: load_confounds(
                str(path), strategy=("high_pass", "compcor"), n_compcor=2
            ),
        }.get(said, lambda: load_confounds_strategy(str(path), said))()
    if sample_mask is not None and not len(sample_mask):
        with pytest.raises(UserError, match="30 of 30 samples are to be left out: nothing is left"):
            read(tmp_path, series="yes", confounds=said)
        return
    found = read(tmp_path, series="yes", confounds=said)
    assert sorted(found.confounds) == sorted(expected)
    np.testing.assert_allclose(found.confounds[list(expected)], expected)
    kept = np.ones(30, dtype=bool) if sample_mask is None else np.isin(np.arange(30), sample_mask)
    np.testing.assert_array_equal(found.good, kept)


BOLD = signal(events_of(1), 10 * np.random.default_rng(3).normal(size=(6, 24)))[0]


@pytest.mark.parametrize(
    ("zoom", "unit", "said"),
    [
        (2.0, "sec", 2.0),
        (2000.0, "msec", 2.0),
        (2000.0, "unknown", 2.0),
        (1.0, "unknown", 2.0),
        (2.5, "sec", None),
    ],
)
def test_the_tr_is_the_sidecars_and_the_header_must_not_contradict(tmp_path, zoom, unit, said):
    write_run(tmp_path, "01", 1)
    path = next((tmp_path / "derivatives").rglob("*_bold.nii.gz"))
    save_volumes(path, BOLD, tr=zoom, unit=unit)
    if said is None:
        with pytest.raises(
            UserError, match=r"JSON files say a TR of 2 s and its header 2.5 s: say which by --tr"
        ):
            read(tmp_path, series="yes")
        assert read(tmp_path, series="yes", tr="2.5").tr == 2.5
        return
    assert read(tmp_path, series="yes").tr == said


def test_the_tr_is_inherited_from_above_and_the_nearest_file_counts(tmp_path):
    write_run(tmp_path, "01", 1)
    sidecar = next((tmp_path / "derivatives").rglob("*_bold.json"))
    sidecar.write_text(json.dumps({"StartTime": START}))
    assert read(tmp_path, series="yes").tr == TR  # of task-view_bold.json at the top of the raw folder
    (tmp_path / "sub-01" / "func" / "sub-01_task-view_run-1_bold.json").write_text('{"RepetitionTime": 3.0}')
    with pytest.raises(UserError, match="TR of 3 s and its header 2 s"):
        read(tmp_path)
    (tmp_path / "sub-01" / "func" / "sub-01_task-other_bold.json").write_text('{"RepetitionTime": 9.0}')
    (tmp_path / "sub-01" / "func" / "sub-01_task-view_run-1_bold.json").unlink()
    assert read(tmp_path, series="yes").tr == TR


def test_derivatives_apart_from_the_raw_folder(folder, tmp_path):
    place, _ = folder
    shutil.copytree(place / "derivatives" / "fmriprep", tmp_path / "fmriprep")
    with pytest.raises(
        UserError, match=r"no events of .*: name the raw BIDS folder, or a table, by --events"
    ):
        read(tmp_path / "fmriprep")
    found = read(tmp_path / "fmriprep", events=str(place), subject="01")
    np.testing.assert_array_equal(numbers(found), numbers(read(place, subject="01")))
    assert len(found.pictures) == 6


def test_the_responses_leave_the_disk_with_the_last_one_who_holds_them(folder):
    before = {path for path in home().rglob("*") if "haxby" not in str(path)}
    found = read(folder[0], subject="01")
    mask = found.images["mask"]
    assert mask.is_file()
    del found
    gc.collect()
    assert not mask.parent.exists()
    assert {path for path in home().rglob("*") if "haxby" not in str(path)} == before


@pytest.mark.parametrize("series", ["no", "yes"])
def test_it_becomes_a_data_set(folder, series, tmp_path):
    place = shutil.copytree(folder[0], tmp_path / "study")
    found = read(place, series=series, subject="01", confounds="wm_csf")
    for path in found.pictures.values():
        Image.new("RGB", (8, 8), (int(path.stem[2:]) * 40, 0, 0)).save(path)
    install_recording("tiny-study", found)
    dataset = brodmann.load_dataset("tiny-study")
    assert dataset.kind == found.kind
    np.testing.assert_array_equal(dataset.responses.values, numbers(found))
    assert dataset.responses["run"].values.tolist() == found.presentations["run"].tolist()
    assert dataset.responses["stimulus_id"].values.tolist() == found.presentations["stimulus_id"].tolist()
    np.testing.assert_allclose(dataset.responses["x"].values, found.neuroids["x"])
    np.testing.assert_array_equal(np.asarray(nibabel.load(dataset.mask).dataobj) > 0, MASK)
    if series == "yes":
        assert dataset.tr == TR
        np.testing.assert_allclose(dataset.responses["time"].values, found.presentations["time"])
        np.testing.assert_array_equal(dataset.good, found.good)
        np.testing.assert_allclose(dataset.confounds, found.confounds)
