"""haxby2001 on the real slice: nilearn's numbers, real category patterns, and chance where it must be."""

import gzip
import os
import shutil
import warnings
from dataclasses import replace
from itertools import combinations

import nibabel
import numpy as np
import pandas as pd
import pytest
from nilearn.glm.first_level import FirstLevelModel

import brodmann
from brodmann import UserError
from brodmann.brain_data import dataset_card
from brodmann.brain_data.datasets.haxby2001 import CATEGORIES, TR, slice_runs
from brodmann.brain_data.timeseries.block_patterns import bright_voxels, patterns

GLM = {"conditions": CATEGORIES, "repetition_time": TR}


@pytest.fixture(scope="module")
def folder(test_data):
    return brodmann.add_dataset("haxby2001-slice", test_data / "haxby2001-sub001")


@pytest.fixture(scope="module")
def dataset(folder):
    return brodmann.load_dataset("haxby2001-slice")


@pytest.fixture(scope="module")
def runs(folder):
    return slice_runs(dataset_card("haxby2001-slice"), folder)


def identification(values):
    """Haxby's test: share of category pairs told apart by correlating mean patterns of even and odd runs."""
    even, odd = values[1::2].mean(axis=0), values[::2].mean(axis=0)
    r = np.corrcoef(even - even.mean(axis=0), odd - odd.mean(axis=0))[:8, 8:]
    return np.mean([r[i, i] + r[j, j] > r[i, j] + r[j, i] for i, j in combinations(range(8), 2)])


def test_what_is_there(dataset):
    responses = dataset.responses
    assert dataset.regions == ["posterior"]
    assert not dataset.has_stimuli
    assert dataset.stimuli["stimulus_id"].tolist() == list(CATEGORIES)
    assert responses.shape == (96, 459)
    assert responses.attrs["left_out"] == {"voxels outside the brain": 800 - 459}
    for run in range(1, 13):
        shown = responses["stimulus_id"].values[responses["run"].values == run]
        assert sorted(shown) == sorted(CATEGORIES)


def test_voxels_are_where_the_image_says(dataset, runs, folder):
    image = nibabel.load(folder / "sub001/BOLD/task001_run001/bold_1slice.nii.gz")
    mask = bright_voxels(runs[0])
    expected = nibabel.affines.apply_affine(image.affine, np.argwhere(mask))
    np.testing.assert_allclose(np.stack([dataset.responses[axis].values for axis in "xyz"], axis=1), expected)
    steps = np.diff(np.unique(dataset.responses["x"].values))
    np.testing.assert_allclose(steps, 3.1, atol=1e-4)


def test_the_patterns_are_those_of_nilearns_first_level_model(dataset, folder):
    mask = np.zeros((40, 20, 1), dtype=np.uint8)
    runs = slice_runs(dataset_card("haxby2001-slice"), folder)[0]
    mask[bright_voxels(runs)] = 1
    for number in (1, 12):
        where = folder / f"sub001/BOLD/task001_run{number:03d}"
        image = nibabel.load(where / "bold_1slice.nii.gz")
        model = FirstLevelModel(
            t_r=2.5,
            mask_img=nibabel.Nifti1Image(mask, image.affine),
            hrf_model="glover",
            drift_model="cosine",
            high_pass=1 / 128,
            noise_model="ar1",
            signal_scaling=0,
        )
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*Given mask will be used", RuntimeWarning)
            model.fit(
                image,
                events=pd.read_csv(where / "bold_events.tsv", sep="\t"),
                confounds=pd.DataFrame(np.loadtxt(where / "bold_moest.txt")).add_prefix("motion"),
            )
        ours = dataset.responses.values[(dataset.responses["run"] == number).values]
        for category, pattern in zip(CATEGORIES, ours, strict=True):
            theirs = model.compute_contrast(category, output_type="effect_size").get_fdata()[mask > 0]
            np.testing.assert_allclose(pattern, theirs, rtol=1e-4, atol=1e-4)


def test_categories_are_identified_across_odd_and_even_runs(dataset):
    assert identification(dataset.responses.values.reshape(12, 8, -1)) > 0.9


def test_wrongly_paired_events_fall_to_chance(runs, dataset):
    recorded, affine = runs
    mask = bright_voxels(recorded)
    accuracies = []
    for seed in range(8):
        generator = np.random.default_rng(seed)
        wrong = [
            replace(run, events=run.events.assign(trial_type=generator.permutation(run.events["trial_type"])))
            for run in recorded
        ]
        accuracies.append(identification(patterns(wrong, mask, affine, **GLM).values))
    assert np.mean(accuracies) == pytest.approx(0.5, abs=0.15)
    assert max(accuracies) < identification(dataset.responses.values.reshape(12, 8, -1))


def test_a_run_without_a_category_is_refused(runs):
    recorded, affine = runs
    events = recorded[0].events
    lacking = replace(recorded[0], events=events[events["trial_type"] != "face"])
    with pytest.raises(UserError, match="a run shows no 'face'"):
        patterns([lacking], bright_voxels(recorded), affine, **GLM)


def test_a_voxel_that_is_constant_in_a_run_is_left_out_and_counted(runs):
    recorded, affine = runs
    bold = recorded[1].bold.copy()
    bold[tuple(np.argwhere(bright_voxels(recorded))[5])] = 1000
    found = patterns([recorded[0], replace(recorded[1], bold=bold)], bright_voxels(recorded), affine, **GLM)
    assert found.n_constant == 1
    assert found.values.shape == (2, 8, 458)


@pytest.fixture(scope="module")
def nilearn_folder(runs, tmp_path_factory):
    """What fetch_haxby leaves, made of the real slice: six people, the fifth without labels in run 8."""
    recorded, affine = runs
    folder = tmp_path_factory.mktemp("nilearn")
    bold = np.concatenate([run.bold for run in recorded], axis=-1).astype(np.int16)
    labels = np.full((12, 121), "rest", dtype="<U12")
    for row, run in zip(labels, recorded, strict=True):
        for onset, duration, name in run.events.itertuples(index=False):
            row[round(onset / TR) : round((onset + duration) / TR)] = name
    bright = np.argwhere(bright_voxels(recorded))
    for number in range(1, 7):
        where = folder / "haxby2001" / f"subj{number}"
        where.mkdir(parents=True)
        mask = np.zeros(bold.shape[:3], dtype=np.uint8)
        mask[tuple(bright[number::40].T)] = 1
        nibabel.save(nibabel.Nifti1Image(bold, affine), where / "bold.nii.gz")
        nibabel.save(nibabel.Nifti1Image(mask, affine), where / "mask4_vt.nii.gz")
        shown = labels.copy()
        if number == 5:
            shown[7] = "rest"
        table = pd.DataFrame({"labels": shown.ravel(), "chunks": np.repeat(np.arange(12), 121)})
        table.to_csv(where / "labels.txt", sep=" ", index=False)
    pictures = folder / "haxby2001" / "stimuli" / "bottles"
    pictures.mkdir(parents=True)
    (pictures / "Bottle1.jpg").write_bytes(b"a picture")
    return folder


def test_the_full_data_set_comes_from_nilearns_folder_by_the_same_glm(nilearn_folder, runs):
    recorded, affine = runs
    brodmann.add_dataset("haxby2001", nilearn_folder)
    full = brodmann.load_dataset("haxby2001")
    assert full.regions == ["VT"]
    assert full.responses.sizes["presentation"] == 11 * 8
    assert full.responses.attrs["left_out"] == {"runs": 5}
    assert dict(zip(full.stimuli["stimulus_id"], full.stimuli["images"], strict=True))["bottle"].endswith(
        "stimuli/bottles/Bottle1.jpg"
    )
    mask = np.zeros((40, 20, 1), dtype=bool)
    mask[tuple(np.argwhere(bright_voxels(recorded))[5::40].T)] = True
    labeled = [replace(run, motion=None) for number, run in enumerate(recorded) if number != 7]
    expected = patterns(labeled, mask, affine, **GLM)
    fifth = full.responses[:, (full.responses["subject"] == "subj5").values]
    np.testing.assert_allclose(fifth.values.reshape(11, 8, -1), expected.values)
    np.testing.assert_allclose(fifth["x"].values, expected.positions[:, 0])


@pytest.mark.parametrize(
    "spoil", [lambda raw: raw[:5000], lambda raw: raw[:5000] + bytes(5000) + raw[10_000:]]
)
def test_a_damaged_image_is_said_in_one_line(nilearn_folder, spoil):
    folder = brodmann.add_dataset("haxby2001", nilearn_folder)
    image = folder / "subj2" / "bold.nii.gz"
    image.write_bytes(spoil(image.read_bytes()))
    with pytest.raises(UserError, match=r"subj2/bold.nii.gz is not a readable NIfTI image") as caught:
        brodmann.load_dataset("haxby2001")
    assert "\n" not in str(caught.value)


def test_a_folder_that_nilearn_did_not_fill_is_refused(nilearn_folder, tmp_path):
    (tmp_path / "haxby2001" / "subj1").mkdir(parents=True)
    with pytest.raises(UserError, match="holds 0 of the 18 files .*first missing: subj1/bold.nii.gz"):
        brodmann.add_dataset("haxby2001", tmp_path)


def image_out_of_the_folder(folder):
    (folder / "subj1" / "bold.nii.gz").rename(folder.parent / "bold.nii.gz")
    (folder / "subj1" / "bold.nii.gz").symlink_to(folder.parent / "bold.nii.gz")


def pictures_out_of_the_folder(folder):
    (folder / "stimuli" / "faces").symlink_to("/etc")


def pipe(folder):
    os.mkfifo(folder / "stimuli" / "bottles" / "Bottle2.jpg")


def giant_image(folder):
    """Ten thousand volumes of 1024 x 1024 x 1024 in 400 bytes."""
    header = nibabel.Nifti1Header()
    header.set_data_dtype(np.int16)
    header.set_data_shape((1024, 1024, 1024, 10_000))
    (folder / "subj6" / "bold.nii.gz").write_bytes(gzip.compress(header.binaryblock + bytes(4)))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (image_out_of_the_folder, "subj1/bold.nii.gz is a link out of its folder"),
        (pictures_out_of_the_folder, "faces is a link out of its folder"),
        (pipe, r"Bottle2.jpg is a pipe \(FIFO\)"),
        (giant_image, "reading bold.nii.gz would take about .* GiB of memory"),
    ],
)
def test_what_is_no_plain_file_or_larger_than_memory_is_not_installed(
    nilearn_folder, tmp_path, monkeypatch, spoil, message
):
    monkeypatch.setenv("BRODMANN_HOME", str(tmp_path / "home"))
    shutil.copytree(nilearn_folder, tmp_path / "nilearn")
    spoil(tmp_path / "nilearn" / "haxby2001")
    with pytest.raises(UserError, match=message) as caught:
        brodmann.add_dataset("haxby2001", tmp_path / "nilearn")
    assert "\n" not in str(caught.value)
    assert not list((tmp_path / "home").rglob("*.nii.gz"))
