"""Betas and samples in NIfTI volumes: what is read is what was written, and what is broken is said in one line."""

import gzip
import json
import tracemalloc

import nibabel
import numpy as np
import pandas as pd
import pytest

from brodmann.brain_data.catalogue import add_dataset, load_dataset
from brodmann.brain_data.formats.folder import is_own_layout
from brodmann.brain_data.formats.recording import RECORDING_FORMATS, read_recording, recognized
from brodmann.brain_data.imported import ReadOptions
from brodmann.errors import UserError

AFFINE = np.array([[-3.0, 0, 0, 30], [0, 3, 0, -40], [0, 0, 3, -20], [0, 0, 0, 1]])
SHAPE, TRIALS = (5, 4, 3), 12


def save(path, values, affine=AFFINE, code=2, tr=None, dtype=None):
    image = nibabel.Nifti1Image(np.asarray(values, dtype or np.asarray(values).dtype), affine)
    image.set_sform(affine, code)
    image.header.set_xyzt_units("mm", "sec")
    if tr is not None:
        image.header.set_zooms((*image.header.get_zooms()[:3], tr))
    nibabel.save(image, path)
    return path


def table(folder, n=TRIALS, name="trials.tsv", **columns):
    rows = {
        "stimulus_id": [f"im{i // 3:03d}" for i in range(n)],
        "run": [i % 3 + 1 for i in range(n)],
    } | columns
    pd.DataFrame(rows).to_csv(folder / name, sep="\t", index=False)


@pytest.fixture
def values():
    return np.random.default_rng(0).normal(size=(*SHAPE, TRIALS)).astype(np.float32)


@pytest.fixture
def inside():
    mask = np.zeros(SHAPE, np.uint8)
    mask[1:4, 1:3, :2] = 1
    return mask


@pytest.fixture
def folder(tmp_path, values, inside):
    """Betas, a mask and a table, as a laboratory has them."""
    save(tmp_path / "betas.nii.gz", values)
    save(tmp_path / "mask.nii.gz", inside)
    table(tmp_path)
    return tmp_path


def read(path, **options):
    kind = recognized(path)
    assert kind is RECORDING_FORMATS["nifti"]
    return read_recording(path, ReadOptions(**options), kind)


def everything(imported):
    return np.asarray(imported.values[slice(None), slice(None)])


def refused(path, words, **options):
    with pytest.raises(UserError, match=words) as caught:
        imported = read(path, **options)
        everything(imported)
    assert "\n" not in str(caught.value)


def test_every_number_is_where_it_was_written(folder, values, inside):
    found = read(folder)
    where = np.argwhere(inside)
    assert everything(found).tolist() == values[inside.astype(bool)].T.tolist()
    assert found.neuroids[["i", "j", "k"]].to_numpy().tolist() == where.tolist()
    assert np.allclose(found.neuroids[["x", "y", "z"]], where @ AFFINE[:3, :3].T + AFFINE[:3, 3])
    assert found.presentations["stimulus_id"].tolist()[:4] == ["im000", "im000", "im000", "im001"]
    assert found.presentations["repetition"].tolist()[:4] == [0, 1, 2, 0]
    assert found.presentations["run"].tolist()[:4] == ["1", "2", "3", "1"]
    assert found.stimuli["stimulus_id"].tolist() == ["im000", "im001", "im002", "im003"]
    assert not found.left_out
    mask = nibabel.load(found.images["mask"])
    assert (np.asarray(mask.dataobj) == inside).all()
    assert np.allclose(mask.affine, AFFINE)


def test_the_true_layout_enters(test_signals):
    folder = test_signals / "true-layouts" / "betas"
    found = read(folder)
    betas, mask = (nibabel.load(folder / f"{one}.nii.gz") for one in ("betas", "mask"))
    assert (everything(found) == betas.get_fdata()[mask.get_fdata() > 0].T.astype(np.float32)).all()
    assert len(found.neuroids) == 32
    assert len(found.stimuli) == 10


def test_the_real_series_enters(test_signals):
    path = test_signals / "realdata" / "nibabel-functional" / "functional.nii"
    found = read(path, series="yes")
    data = nibabel.load(path).get_fdata()
    assert np.allclose(everything(found), data.reshape(-1, 20).T, rtol=1e-6)
    assert (found.kind, found.tr) == ("series", 2.0)
    assert found.presentations["time"].tolist() == [2.0 * i for i in range(20)]
    assert found.presentations["run"].tolist() == ["functional"] * 20
    assert found.stimuli[["story", "onset", "offset"]].to_numpy().tolist() == [["functional", 0.0, 40.0]]
    assert found.neuroids[["x", "y", "z"]].iloc[0].tolist() == [32.0, -40.0, 0.0]


@pytest.mark.parametrize(
    ("dtype", "slope"), [(np.int16, 0.25), (np.int16, None), (np.float64, None), (">f4", None)]
)
@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
def test_numbers_of_every_kind_mean_what_nibabel_says(tmp_path, inside, dtype, slope, ending):
    stored = np.random.default_rng(1).integers(-900, 900, (*SHAPE, TRIALS))
    header = nibabel.Nifti1Header(endianness=">" if str(dtype).startswith(">") else "<")
    header.set_data_dtype(dtype)
    image = nibabel.Nifti1Image(stored.astype(dtype), AFFINE, header)
    if slope is not None:
        image.header.set_slope_inter(slope, 3.0)
    nibabel.save(image, tmp_path / f"betas{ending}")
    save(tmp_path / "mask.nii", inside)
    table(tmp_path)
    known = nibabel.load(tmp_path / f"betas{ending}").get_fdata()[inside > 0].T
    assert np.allclose(everything(read(tmp_path)), known, rtol=1e-6)


def test_blocks_are_what_they_are_in_the_whole(folder, values, inside):
    nibabel.save(nibabel.load(folder / "betas.nii.gz"), folder / "betas.nii")
    (folder / "betas.nii.gz").unlink()
    found = read(folder)
    whole = values[inside > 0].T
    for rows, columns in (
        (slice(2, 7), slice(3, 9)),
        (slice(0, 1), slice(None)),
        (slice(11, 12), slice(0, 1)),
    ):
        assert np.asarray(found.values[rows, columns]).tolist() == whole[rows, columns].tolist()


def test_a_large_image_stays_on_disk(tmp_path):
    shape = (64, 64, 20, 100)  # 31 MiB of float32
    header = nibabel.Nifti1Header()
    header.set_data_shape(shape)
    header.set_data_dtype(np.float32)
    header.set_sform(AFFINE, 2)
    volume = np.random.default_rng(0).normal(size=shape[:3]).astype(np.float32)
    with (tmp_path / "betas.nii").open("wb") as stream:
        header["vox_offset"] = 352
        stream.write(header.binaryblock + b"\0" * 4)
        for number in range(shape[3]):
            stream.write((volume + number).tobytes(order="F"))
    table(tmp_path, 100)
    tracemalloc.start()
    found = read(tmp_path)
    block = np.asarray(found.values[slice(10, 12), slice(0, 50)])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert np.allclose(block, volume.reshape(-1)[:50] + np.array([[10], [11]]))
    assert peak < 26e6 < 4 * np.prod(shape)


def test_what_is_packed_and_large_is_unpacked_once_to_a_file_without_a_name(
    folder, values, inside, monkeypatch
):
    monkeypatch.setattr("brodmann.brain_data.reading.volumes.masked._IN_MEMORY", 0)
    found = read(folder)
    (folder / "betas.nii.gz").unlink()
    assert everything(found).tolist() == values[inside > 0].T.tolist()


def test_one_image_a_trial_in_the_order_of_their_names(tmp_path, values, inside):
    for trial in range(TRIALS):
        save(tmp_path / f"beta_{trial + 1}.nii.gz", values[..., trial])  # beta_10 comes after beta_9
    save(tmp_path / "brain_mask.nii.gz", inside)
    table(tmp_path)
    found = read(tmp_path)
    assert everything(found).tolist() == values[inside > 0].T.tolist()
    assert "images in the order of their names" in found.said


def test_one_image_a_trial_as_the_table_names_them(tmp_path, values, inside):
    order = np.random.default_rng(3).permutation(TRIALS)
    for trial in range(TRIALS):
        save(tmp_path / f"beta_{trial:02d}.nii", values[..., trial])
    save(tmp_path / "mask.nii", inside)
    table(tmp_path, image=[f"some/where/beta_{trial:02d}.nii" for trial in order])
    found = read(tmp_path)
    assert everything(found).tolist() == values[inside > 0].T[order].tolist()
    assert "images by the column image" in found.said


def test_stimuli_may_be_named_by_a_table_beside_the_betas(
    folder, values, inside, tmp_path_factory, monkeypatch
):
    """By the commands: ``stimuli.csv`` does not make a folder of betas one of the own layout."""
    monkeypatch.setenv("BRODMANN_HOME", str(tmp_path_factory.mktemp("home")))
    rows = {"stimulus_id": [f"im{i:03d}" for i in range(4)], "sentence": ["a b", "c", "d e f", "g"]}
    pd.DataFrame(rows).to_csv(folder / "stimuli.csv", index=False)
    assert not is_own_layout(folder)
    dataset = load_dataset(add_dataset("betas-beside", folder).name)
    np.testing.assert_array_equal(dataset.responses.values, values[inside > 0].T)
    assert dataset.stimuli["sentence"].tolist() == rows["sentence"]
    (folder / "responses.csv").write_text("stimulus_id,a\nim000,1\n")
    assert is_own_layout(folder)


def test_images_of_two_people_are_not_joined(tmp_path, values):
    for person in ("01", "02"):
        save(tmp_path / f"sub-{person}_betas.nii.gz", values)
    table(tmp_path)
    refused(tmp_path, "of sub-01, sub-02: take those of one by --array 'sub-01", array="sub-*")
    assert set(read(tmp_path, array="sub-01*").neuroids["subject"]) == {"01"}


def test_runs_in_files_of_their_own_are_joined_when_asked(tmp_path, values, inside):
    for run in range(3):
        save(tmp_path / f"run-{run + 1}.nii.gz", values[..., 4 * run : 4 * run + 4])
    save(tmp_path / "mask.nii.gz", inside)
    table(tmp_path)
    refused(tmp_path, "several 4D images .*run-1.nii.gz.*: say by --array which")
    assert everything(read(tmp_path, array="run-*")).tolist() == values[inside > 0].T.tolist()


def test_what_has_no_number_or_is_zero_is_left_out_and_counted(folder, values, inside):
    values[1, 1, 0] = np.nan
    values[1, 1, 1, 4] = np.nan
    values[1, 2, 0] = 0
    save(folder / "betas.nii.gz", values)
    found = read(folder)
    assert found.left_out == {
        "voxels without a number (NaN) in any volume": 1,
        "voxels without a number (NaN) in some volumes": 1,
        "voxels that are 0 in every volume": 1,
    }
    assert found.values.shape == (TRIALS, int(inside.sum()) - 3)
    kept = inside.astype(bool)
    kept[1, 1], kept[1, 2, 0] = False, False
    assert everything(found).tolist() == values[kept].T.tolist()
    assert (np.asarray(nibabel.load(found.images["mask"]).dataobj) == kept).all()


def test_without_a_mask_all_voxels_that_vary_are_taken(folder, values):
    values[0, 0, 0], values[0, 0, 1] = 7, 0
    save(folder / "betas.nii.gz", values)
    (folder / "mask.nii.gz").unlink()
    found = read(folder)
    assert found.values.shape == (TRIALS, np.prod(SHAPE) - 2)
    assert found.left_out == {"voxels that are 0 in every volume": 1, "voxels that never vary": 1}
    assert "no mask: all voxels that vary" in found.said


def test_a_trial_without_a_stimulus_is_left_out(folder, values, inside):
    ids = [f"im{i // 3}" for i in range(TRIALS)]
    ids[4] = "n/a"
    table(folder, stimulus_id=ids)
    values[..., 4] = np.nan  # and its volume may hold nothing
    save(folder / "betas.nii.gz", values)
    found = read(folder)
    assert everything(found).tolist() == np.delete(values[inside > 0].T, 4, axis=0).tolist()
    assert found.left_out == {"trials without a stimulus in the table": 1}


def test_runs_that_are_counted_anew_in_each_session_get_names_of_their_own(folder):
    table(folder, session=[1 + i // 6 for i in range(TRIALS)])
    found = read(folder)
    assert set(found.presentations["run"]) == {f"ses-{s}_run-{r}" for s in (1, 2) for r in (1, 2, 3)}
    assert found.presentations["session"].tolist() == ["1"] * 6 + ["2"] * 6


def test_what_is_the_same_in_all_trials_of_a_stimulus_is_said_of_the_stimulus(folder):
    table(folder, category=["face", "house"] * 2 * 3, kind=[str(i // 3 % 2) for i in range(TRIALS)])
    found = read(folder)
    assert found.stimuli["kind"].tolist() == [0, 1, 0, 1]
    assert "kind" not in found.presentations
    assert "category" in found.presentations
    assert "category" not in found.stimuli


def test_pictures_are_found_by_their_column_and_by_the_ids(folder, tmp_path_factory):
    place = tmp_path_factory.mktemp("pictures")
    for i in range(4):
        (place / f"im{i:03d}.png").write_bytes(b"x")
    found = read(folder, stimuli=str(place))
    assert {name: path.name for name, path in found.pictures.items()} == {
        f"im{i:03d}": f"im{i:03d}.png" for i in range(4)
    }
    assert found.stimuli["filename"].tolist() == [f"im{i:03d}.png" for i in range(4)]
    (place / "im002.png").unlink()
    refused(folder, "1 of 4 stimuli have no picture .*'im002'", stimuli=str(place))


def test_another_column_names_the_stimulus(folder):
    table(folder, stimulus_id=["x"] * TRIALS, image=[f"{i % 2}" for i in range(TRIALS)])
    found = read(folder, stimulus_column="image")
    assert found.stimuli["stimulus_id"].tolist() == ["0", "1"]


@pytest.mark.parametrize(
    ("code", "name", "said", "space"),
    [
        (4, "betas", {}, "MNI152"),
        (1, "betas", {}, ""),
        (1, "sub-07_space-MNI152NLin2009cAsym_betas", {}, "MNI152NLin2009cAsym"),
        (1, "betas", {"space": "T1w"}, "T1w"),
    ],
)
def test_the_space_of_the_positions(folder, values, code, name, said, space):
    (folder / "betas.nii.gz").unlink()
    save(folder / f"{name}.nii.gz", values, code=code)
    found = read(folder / f"{name}.nii.gz", **said)
    assert found.about.get("space", "") == space
    if name.startswith("sub-"):
        assert set(found.neuroids["subject"]) == {"07"}


def test_positions_are_in_mm_whatever_the_header_counts_in(folder, values):
    metres = AFFINE.copy()
    metres[:3] /= 1000
    image = nibabel.Nifti1Image(values, metres)
    image.header.set_xyzt_units("meter")
    nibabel.save(image, folder / "betas.nii.gz")
    found = read(folder)  # the mask, in mm, lies on the same grid
    assert found.neuroids[["x", "y", "z"]].iloc[0].tolist() == pytest.approx([27, -37, -20])


def test_a_mask_on_another_grid_is_taken_when_asked(folder, inside):
    fine = np.kron(inside, np.ones((2, 2, 2), np.uint8))
    affine = AFFINE.copy()
    affine[:3, :3] /= 2
    affine[:3, 3] += AFFINE[:3, :3] @ [-0.25, -0.25, -0.25]
    save(folder / "mask.nii.gz", fine, affine)
    refused(folder, "mask.nii.gz is of shape 10 x 8 x 6, and betas.nii.gz of 5 x 4 x 3: --resample nearest")
    found = read(folder, resample="nearest")
    assert found.neuroids[["i", "j", "k"]].to_numpy().tolist() == np.argwhere(inside).tolist()


def test_a_series_of_several_runs_with_the_words_that_were_heard(tmp_path, values, inside):
    for run in ("alice", "bob"):
        save(tmp_path / f"task-{run}_bold.nii.gz", values, tr=1.5)
    save(tmp_path / "mask.nii.gz", inside)
    words = {
        "story": ["alice", "alice", "bob"],
        "word": ["a", "b", "c"],
        "onset": [0, 1, 2],
        "offset": [1, 2, 3],
    }
    pd.DataFrame(words).to_csv(tmp_path / "words.csv", index=False)
    found = read(tmp_path, series="yes", array="task-*", stimuli="words.csv")
    assert found.tr == 1.5
    assert found.presentations["stimulus_id"].tolist() == ["alice"] * TRIALS + ["bob"] * TRIALS
    assert found.presentations["time"].tolist() == [1.5 * i for i in range(TRIALS)] * 2
    assert found.presentations["run"].nunique() == 2
    assert found.stimuli["word"].tolist() == ["a", "b", "c"]


class TestBroken:
    """One line each."""

    def test_cut_off(self, folder, values):
        save(folder / "betas.nii", values)
        (folder / "betas.nii.gz").unlink()
        whole = (folder / "betas.nii").read_bytes()
        (folder / "betas.nii").write_bytes(whole[:-500])
        refused(folder, r"betas.nii is cut off: its header says 3,232 bytes, and it has 2,732")

    def test_packed_and_cut_off(self, folder):
        path = folder / "betas.nii.gz"
        path.write_bytes(path.read_bytes()[:-700])
        refused(folder, "betas.nii.gz (ends within volume|is damaged)")

    def test_packed_and_spoiled(self, folder):
        path = folder / "betas.nii.gz"
        spoiled = bytearray(path.read_bytes())
        spoiled[1500] ^= 255
        path.write_bytes(bytes(spoiled))
        refused(folder, "betas.nii.gz (is damaged|ends within)")

    def test_packed_and_fewer_volumes_than_it_says(self, folder):
        path = folder / "betas.nii.gz"
        path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes())[:-100]))
        refused(folder, "ends within volume 12 of 12: it is cut off")

    def test_no_image(self, folder):
        (folder / "betas.nii.gz").write_bytes(gzip.compress(b"hello" * 200))
        refused(folder, r"betas.nii.gz is not a readable NIfTI image \(it does not begin as one\)")

    def test_not_packed_at_all(self, folder):
        (folder / "betas.nii.gz").write_bytes(b"hello" * 200)
        refused(folder, "betas.nii.gz is not a readable NIfTI image .*gzip")

    def test_another_affine(self, folder, inside):
        moved = AFFINE.copy()
        moved[0, 3] += 1
        save(folder / "mask.nii.gz", inside, moved)
        refused(
            folder,
            "mask.nii.gz lies elsewhere than betas.nii.gz: their affines differ by up to 1: --resample",
        )

    def test_almost_the_same_affine_is_the_same(self, folder, inside):
        moved = AFFINE.copy()
        moved[0, 3] += 5e-4
        save(folder / "mask.nii.gz", inside, moved)
        assert read(folder).values.shape == (TRIALS, int(inside.sum()))

    def test_another_shape(self, folder, inside):
        save(folder / "mask.nii.gz", inside[:-1])
        refused(folder, "mask.nii.gz is of shape 4 x 4 x 3, and betas.nii.gz of 5 x 4 x 3")

    def test_volumes_of_nan(self, folder, values):
        values[..., [3, 5]] = np.nan
        save(folder / "betas.nii.gz", values)
        refused(folder, r"2 of 12 volumes hold nothing but NaN inside the mask \(first: volume 4\)")

    def test_nothing_but_nan(self, folder, values):
        save(folder / "betas.nii.gz", values * np.nan)
        refused(folder, "betas.nii.gz: every volume holds nothing but NaN inside the mask")

    def test_volumes_of_zeros(self, folder, values):
        values[..., 7] = 0
        save(folder / "betas.nii.gz", values)
        refused(folder, r"1 of 12 volumes hold nothing but 0 inside the mask \(first: volume 8\)")

    def test_no_voxel_left(self, folder, values):
        values[..., 0] = np.where(np.arange(values[..., 0].size).reshape(SHAPE) % 2, np.nan, 1)
        values[..., 1] = np.where(np.arange(values[..., 0].size).reshape(SHAPE) % 2, 1, np.nan)
        save(folder / "betas.nii.gz", values)
        refused(folder, r"no voxel is left \(12 voxels without a number \(NaN\) in some volumes\)")

    def test_a_table_of_another_length(self, folder):
        table(folder, TRIALS - 1)
        refused(folder, "trials.tsv has 11 rows, and betas.nii.gz 12 volumes: a row a volume is needed")

    def test_no_table(self, folder):
        (folder / "trials.tsv").unlink()
        refused(folder, "betas.nii.gz has 12 volumes and no table of trials beside it: name one by --events")

    def test_two_tables(self, folder):
        (folder / "trials.tsv").rename(folder / "a.tsv")
        table(folder, name="b.tsv")
        refused(folder, "holds the tables a.tsv, b.tsv: say by --events which")
        assert read(folder, events="b.tsv").values.shape[0] == TRIALS

    def test_a_table_without_stimuli(self, folder):
        pd.DataFrame({"picture": range(TRIALS), "rt": 1}).to_csv(folder / "trials.tsv", sep="\t", index=False)
        refused(folder, r"trials.tsv has no column 'stimulus_id': .* --stimulus-column \(picture, rt\)")

    def test_a_table_of_two_people(self, folder):
        table(folder, subject=["a", "b"] * 6)
        refused(folder, r"trials.tsv has rows of 2 subjects \(a, b\): say which by --subject")
        refused(folder, "trials.tsv has 6 rows, and betas.nii.gz 12 volumes", subject="b")

    def test_an_empty_mask(self, folder, inside):
        save(folder / "mask.nii.gz", inside * 0)
        refused(folder, "mask.nii.gz is an empty mask")

    def test_an_atlas_as_a_mask(self, folder, inside):
        save(folder / "mask.nii.gz", np.cumsum(inside.ravel()).reshape(SHAPE).astype(np.int16))
        refused(folder, "mask.nii.gz holds 13 different numbers, .* regions by number are given by --atlas")

    def test_two_masks(self, folder, inside):
        save(folder / "other_mask.nii.gz", inside)
        refused(folder, "holds the masks mask.nii.gz, other_mask.nii.gz: say which by --mask")
        assert read(folder, mask="mask.nii.gz").values.shape == (TRIALS, int(inside.sum()))

    def test_five_dims(self, folder, values):
        save(folder / "betas.nii.gz", np.stack([values, values], axis=-1))
        refused(folder, r"betas.nii.gz has 5 dims \(5 x 4 x 3 x 12 x 2\): 3 are needed, or 4")

    def test_colors(self, folder):
        kind = np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")])
        nibabel.save(nibabel.Nifti1Image(np.zeros((*SHAPE, TRIALS), kind), AFFINE), folder / "betas.nii.gz")
        refused(folder, "its numbers are colors or complex")

    def test_a_bomb(self, folder):
        header = nibabel.Nifti1Header()
        header.set_data_shape((700, 700, 700, 30_000))
        header.set_data_dtype(np.float64)
        header["vox_offset"] = 352
        (folder / "betas.nii.gz").write_bytes(gzip.compress(header.binaryblock + b"\0" * 1_000_000))
        refused(
            folder, "would unpack from [0-9,]+ to 82,320,000,000,352 bytes, which no recording does: refused"
        )

    def test_a_small_header_before_an_endless_file(self, folder):
        path = folder / "betas.nii.gz"
        path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()) + bytes(1 << 25)))
        refused(folder, "betas.nii.gz holds more than its header says: refused")

    def test_voxels_of_no_size(self, folder, values):
        raw = bytearray(gzip.decompress((folder / "betas.nii.gz").read_bytes()))
        raw[280:296] = bytes(16)  # the first row of the affine
        (folder / "betas.nii.gz").write_bytes(gzip.compress(bytes(raw)))
        refused(folder, "its affine is damaged: voxels of no size")

    def test_cifti(self, folder, values, test_signals):
        (folder / "betas.nii.gz").unlink()
        path = test_signals / "true-layouts" / "sub-01_task-movie_bold.dtseries.nii"
        assert recognized(path) is not RECORDING_FORMATS["nifti"]

    def test_masks_alone(self, folder):
        (folder / "betas.nii.gz").unlink()
        refused(folder, "holds no image but masks: betas are 4D, or one image a trial")

    def test_a_series_without_a_tr(self, tmp_path, values):
        path = save(tmp_path / "bold.nii", values, tr=0)
        refused(
            path,
            "bold.nii says nothing of the time from volume to volume: say it by --tr, in s",
            series="yes",
        )
        assert read(path, series="yes", tr="2").tr == 2.0

    def test_a_tr_that_nobody_set(self, tmp_path, values):
        """nibabel's own 1 without a unit is what a header says before anyone has said anything."""
        nibabel.save(nibabel.Nifti1Image(values, AFFINE), tmp_path / "bold.nii")
        refused(tmp_path / "bold.nii", "says nothing of the time from volume to volume", series="yes")
        assert read(tmp_path / "bold.nii", series="yes", tr="1").tr == 1.0

    def test_options_of_the_other_kind(self, folder):
        refused(folder, "--tr is of samples in time", tr="2")
        refused(folder, "--events is of trials", series="yes", tr="2", events="trials.tsv")

    def test_a_tr_that_the_files_do_not_agree_on(self, tmp_path, values):
        path = save(tmp_path / "bold.nii", values, tr=2)
        (tmp_path / "bold.json").write_text(json.dumps({"RepetitionTime": 1.5}))
        refused(path, r"bold.nii says 2 s .* and the .json beside it 1.5: say which by --tr", series="yes")

    def test_runs_of_different_trs(self, tmp_path, values):
        save(tmp_path / "run-1.nii", values, tr=2)
        save(tmp_path / "run-2.nii", values, tr=1.5)
        refused(tmp_path, r"the runs have different TRs \(1.5, 2 s\)", series="yes", array="run-*")

    def test_an_option_that_it_has_not(self, folder):
        with pytest.raises(UserError, match="unknown option of nifti '--quality'"):
            read(folder, quality="good")
