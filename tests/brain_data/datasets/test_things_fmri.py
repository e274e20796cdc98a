"""THINGS-fMRI's tables: the true small ones, and ones written with a known truth."""

import h5py
import nibabel
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from brodmann import UserError
from brodmann.brain_data.formats.recording import RECORDING_FORMATS, read_recording, recognized
from brodmann.brain_data.imported import ReadOptions

N_VOXELS, TRAIN, TEST = 30, 40, 5
VALUES = np.random.default_rng(0).normal(size=(N_VOXELS, TRAIN + 12 * TEST + 3)).astype(np.float32)


def trials():
    """Train pictures once, test pictures 12 times, three catch trials; over two sessions of two runs."""
    names = [f"object{one // 4:02d}_{one % 4:02d}s.jpg" for one in range(TRAIN)]
    names += [f"thing{one:02d}_00s.jpg" for one in range(TEST)] * 12 + ["catch.jpg"] * 3
    kinds = ["train"] * TRAIN + ["test"] * 12 * TEST + ["catch"] * 3
    order = np.random.default_rng(1).permutation(len(names))
    n = len(names)
    table = pd.DataFrame(
        {"stimulus": names, "concept": [one.rsplit("_", 1)[0] for one in names], "trial_type": kinds}
    )
    table = table.iloc[order].reset_index(drop=True)
    return table.assign(
        session=np.arange(n) * 2 // n + 1, run=np.arange(n) * 4 // n % 2 + 1, subject_id=1, trial_id=range(n)
    )


def voxels():
    number = np.arange(N_VOXELS)
    table = pd.DataFrame(
        {"voxel_id": number, "voxel_x": number % 5, "voxel_y": number // 5 % 3, "voxel_z": number // 15}
    )
    table["nc_singletrial"], table["nc_testset"] = number * 1.5, number * 3.0
    return table.assign(V1=(number < 10).astype(int), V2=(number % 3 == 0).astype(int), empty=0)


def frame(path, values=VALUES, ids=None):
    """pandas' fixed format as PyTables writes it; the names of the columns are pickled there, and are not here."""
    with h5py.File(path, "w") as file:
        group = file.create_group("ResponseData")
        group.attrs["pandas_type"] = np.bytes_("frame")
        group["axis1"] = np.arange(len(values))
        group["block0_values"] = values
        group["block1_values"] = np.arange(len(values))[:, None] if ids is None else ids
    return path


@pytest.fixture
def things(tmp_path):
    folder = tmp_path / "things" / "betas_csv"
    folder.mkdir(parents=True)
    frame(folder / "sub-01_ResponseData.h5")
    trials().to_csv(folder / "sub-01_StimulusMetadata.csv")
    voxels().to_csv(folder / "sub-01_VoxelMetadata.csv")
    return folder.parent


def read(root, region="V1", **options):
    return read_recording(root, ReadOptions(region=region, **options), RECORDING_FORMATS["things-fmri"])


def numbers(imported):
    return np.asarray(imported.values[slice(None), slice(None)])


def test_it_is_recognized_above_and_in_its_folder(things, test_signals):
    true = test_signals / "true-layouts" / "things"
    assert {recognized(one).name for one in (things, things / "betas_csv", true)} == {"things-fmri"}
    assert not RECORDING_FORMATS["things-fmri"].recognizes(things.parent)


def test_a_trial_is_a_column_and_a_voxel_a_row(things):
    found = read(things)
    table = trials()
    shown = np.flatnonzero(table["trial_type"] != "catch")
    np.testing.assert_array_equal(numbers(found), VALUES[:10, shown].T)
    np.testing.assert_array_equal(found.values[slice(3, 9), slice(2, 4)], VALUES[2:4, shown[3:9]].T)
    assert found.presentations["stimulus_id"].tolist() == [one[:-4] for one in table["stimulus"][shown]]
    assert found.left_out == {"trials that show no object": 3}


def test_test_pictures_have_twelve_repetitions_and_train_pictures_one(things):
    found = read(things)
    counts = found.presentations["stimulus_id"].value_counts()
    split = dict(zip(found.stimuli["stimulus_id"], found.stimuli["split"], strict=True))
    assert {(split[one], n) for one, n in counts.items()} == {("test", 12), ("train", 1)}
    one = found.presentations[found.presentations["stimulus_id"] == "thing00_00s"]
    assert one["repetition"].tolist() == list(range(12))
    assert set(found.presentations["run"]) == {f"ses-{s:02d}_run-{r:02d}" for s in (1, 2) for r in (1, 2)}
    only = read(things, events="test")
    assert set(only.stimuli["split"]) == {"test"}
    assert len(only.presentations) == 12 * TEST


def test_the_first_region_that_holds_a_voxel_names_it_and_the_others_are_counted(things):
    found = read(things, region="V1,V2")
    table = voxels()
    assert found.neuroids["region"].tolist() == ["V1"] * 10 + ["V2"] * int(
        ((table["V2"] == 1) & (table["V1"] == 0)).sum()
    )
    assert any("4 voxels are in several" in line for line in found.said)
    assert len(read(things, region="all").neuroids) == N_VOXELS


def test_the_noise_ceiling_in_percent_is_a_ratio_of_signal_to_noise(things):
    found = read(things)
    ratio, percent = found.neuroids["ncsnr"].to_numpy(), found.neuroids["nc_singletrial"].to_numpy()
    np.testing.assert_allclose(100 * ratio**2 / (ratio**2 + 1), percent, atol=1e-9)
    assert {"nc_testset", "voxel_x"} <= set(found.neuroids.columns)
    assert "x" not in found.neuroids.columns


def test_positions_in_mm_come_with_the_image_whose_voxels_they_are(things, tmp_path):
    affine = np.diag([2.0, 2, 2, 1])
    affine[:3, 3] = (-10, 5, 1)
    nibabel.save(nibabel.Nifti1Image(np.ones((5, 3, 2), np.uint8), affine), tmp_path / "mask.nii.gz")
    found = read(things, mask=str(tmp_path / "mask.nii.gz"))
    expected = voxels().iloc[:10][["voxel_x", "voxel_y", "voxel_z"]].to_numpy() * 2 + [-10, 5, 1]
    np.testing.assert_allclose(found.neuroids[["x", "y", "z"]], expected)
    nibabel.save(nibabel.Nifti1Image(np.ones((4, 3, 2), np.uint8), affine), tmp_path / "other.nii.gz")
    with pytest.raises(UserError, match=r"other.nii.gz has shape \(4, 3, 2\): voxels lie outside it"):
        read(things, mask=str(tmp_path / "other.nii.gz"))


def test_pictures_are_those_of_the_folder_by_concept(things, tmp_path):
    for name in trials()["stimulus"].unique():
        place = tmp_path / "pictures" / name.rsplit("_", 1)[0]
        place.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 4), (9, 9, 9)).save(place / name)
    found = read(things, stimuli=str(tmp_path / "pictures"))
    assert set(found.pictures) == set(found.stimuli["stimulus_id"])
    assert found.pictures["thing00_00s"] == tmp_path / "pictures" / "thing00" / "thing00_00s.jpg"
    (tmp_path / "pictures" / "thing00" / "thing00_00s.jpg").unlink()
    with pytest.raises(UserError, match=r"1 of 45 pictures are not in .* \(first: thing00_00s.jpg\)"):
        read(things, stimuli=str(tmp_path / "pictures"))


def test_zscored_within_session_where_it_is_asked_for(things):
    plain, scored = read(things), read(things, zscore="session")
    sessions = plain.presentations["session"].to_numpy()
    for session in ("ses-01", "ses-02"):
        values = numbers(plain)[sessions == session]
        expected = (values - values.mean(0)) / values.std(0)
        np.testing.assert_allclose(numbers(scored)[sessions == session], expected, atol=1e-5)


def test_the_true_layout_has_the_numbers_of_its_file(test_signals):
    root = test_signals / "true-layouts" / "things"
    found = read(root)
    with h5py.File(root / "sub-01_ResponseData.h5") as file:
        np.testing.assert_array_equal(numbers(found), file["ResponseData/block0_values"][:8].T)
    assert found.stimuli["split"].value_counts().to_dict() == {"train": 15, "test": 5}


def table_edit(name, edit):
    def spoil(folder):
        path = folder / f"sub-01_{name}Metadata.csv"
        edit(pd.read_csv(path, index_col=0)).to_csv(path)

    return spoil


def halved(folder):
    path = folder / "sub-01_ResponseData.h5"
    path.write_bytes(path.read_bytes()[:1500])


def as_table(folder):
    with h5py.File(folder / "sub-01_ResponseData.h5", "a") as file:
        file["ResponseData"].attrs["pandas_type"] = np.bytes_("frame_table")


BROKEN = {
    "cut short": (halved, "sub-01_ResponseData.h5 is no HDF5 file, or not all of one"),
    "fewer trials": (
        table_edit("Stimulus", lambda t: t[:-1]),
        "has 103 trials, and StimulusMetadata.csv lists 102|in another",
    ),
    "more trials": (
        table_edit("Stimulus", lambda t: pd.concat([t, t])),
        "has 103 trials, and StimulusMetadata.csv lists 206",
    ),
    "fewer voxels": (table_edit("Voxel", lambda t: t[:-1]), "has 30 voxels, and VoxelMetadata.csv lists 29"),
    "voxels in another order": (table_edit("Voxel", lambda t: t[::-1]), "list their voxels in another order"),
    "trials in another order": (
        table_edit("Stimulus", lambda t: t[::-1]),
        "are not in the order of the responses",
    ),
    "no stimulus column": (
        table_edit("Stimulus", lambda t: t.drop(columns="stimulus")),
        "has no column 'stimulus'",
    ),
    "no table": (
        lambda folder: (folder / "sub-01_VoxelMetadata.csv").unlink(),
        "sub-01_VoxelMetadata.csv is missing",
    ),
    "another format of HDF": (
        as_table,
        r"PyTables' table format: save it again by to_hdf\(..., format='fixed'\)",
    ),
    "a ceiling that is no percentage": (
        table_edit("Voxel", lambda t: t.assign(nc_singletrial=130.0)),
        "nc_singletrial of sub-01 must be a percentage of variance, not 130",
    ),
    "no frame": (
        lambda folder: h5py.File(folder / "sub-01_ResponseData.h5", "w").close(),
        "holds nothing: not one data frame",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_folder_is_one_line(name, things):
    spoil, message = BROKEN[name]
    spoil(things / "betas_csv")
    with pytest.raises(UserError, match=message) as caught:
        numbers(read(things))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"region": None},
            "sub-01 has the regions V1, V2, empty: say which by --region; 'all' takes all 30 voxels",
        ),
        ({"region": "V9"}, "unknown region 'V9': did you mean"),
        ({"region": "empty"}, "no voxel of sub-01 is in empty"),
        ({"subject": "02"}, "unknown subject 'sub-02': did you mean 'sub-01'"),
        ({"events": "valid"}, "unknown kind of trials 'valid'"),
        ({"session": "4"}, "unknown session '4'"),
    ],
)
def test_what_has_to_be_said_is_said_with_its_choices(options, message, things):
    with pytest.raises(UserError, match=message):
        read(things, **options)
