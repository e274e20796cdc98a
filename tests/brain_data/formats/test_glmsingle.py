"""GLMsingle's betas: Python's and MATLAB's layout give the same voxels, and its pickles are refused."""

import h5py
import nibabel
import numpy as np
import pandas as pd
import pytest

from brodmann.brain_data.formats.glmsingle import ncsnr_of
from brodmann.brain_data.formats.recording import RECORDING_FORMATS, read_recording, recognized
from brodmann.brain_data.imported import ReadOptions
from brodmann.errors import UserError

AFFINE = np.diag([2.0, 2, 2, 1])
SHAPE, TRIALS = (5, 4, 3), 12
PYTHON, MATLAB = "TYPED_FITHRF_GLMDENOISE_RR.hdf5", "TYPED_FITHRF_GLMDENOISE_RR.mat"
ORDER = np.array([2, 0, 1, 3] * 3)


@pytest.fixture
def values():
    return np.random.default_rng(0).normal(size=(*SHAPE, TRIALS)).astype(np.float32)


@pytest.fixture
def inside():
    mask = np.zeros(SHAPE, bool)
    mask[1:4, 1:3, :2] = True
    return mask


def write(path, **arrays):
    """As GLMsingle's Python does; a ``.mat`` has every axis turned around, as MATLAB's v7.3 has."""
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            file.create_dataset(name, data=np.asarray(array).T if path.suffix == ".mat" else array)
        file.create_dataset("pcregressors", data=h5py.Empty("f"))
    return path


@pytest.fixture
def folder(tmp_path, values, inside):
    write(tmp_path / PYTHON, betasmd=values, R2=values[..., 0], meanvol=values[..., 1])
    nibabel.save(nibabel.Nifti1Image(inside.astype(np.uint8), AFFINE), tmp_path / "mask.nii.gz")
    pd.DataFrame({"stimulus_id": [f"im{one}" for one in ORDER]}).to_csv(tmp_path / "trials.csv", index=False)
    return tmp_path


def read(path, **options):
    kind = recognized(path)
    assert kind is RECORDING_FORMATS["glmsingle"]
    return read_recording(path, ReadOptions(**options), kind)


def everything(imported):
    return np.asarray(imported.values[slice(None), slice(None)])


def refused(path, words, **options):
    with pytest.raises(UserError, match=words) as caught:
        read(path, **options)
    assert "\n" not in str(caught.value)


def test_every_beta_is_where_it_was_written(folder, values, inside):
    found = read(folder)
    assert everything(found).tolist() == values[inside].T.tolist()
    assert found.neuroids[["i", "j", "k"]].to_numpy().tolist() == np.argwhere(inside).tolist()
    assert found.neuroids[["x", "y", "z"]].to_numpy().tolist() == (2.0 * np.argwhere(inside)).tolist()
    assert found.neuroids["R2"].tolist() == values[inside][:, 0].tolist()
    assert found.presentations["stimulus_id"].tolist() == [f"im{one}" for one in ORDER]
    assert found.presentations["repetition"].tolist() == [0] * 4 + [1] * 4 + [2] * 4
    assert (np.asarray(nibabel.load(found.images["mask"]).dataobj) == inside).all()


def test_matlab_gives_the_same(folder, values, inside):
    python = everything(read(folder))
    (folder / PYTHON).unlink()
    write(folder / MATLAB, modelmd=values, R2=values[..., 0])
    found = read(folder)
    assert everything(found).tolist() == python.tolist()
    assert found.neuroids["R2"].tolist() == values[inside][:, 0].tolist()


def test_the_true_layout_enters(test_signals):
    layouts = test_signals / "true-layouts"
    found = read(
        layouts / "glmsingle",
        events=str(layouts / "betas" / "trials.tsv"),
        mask=str(layouts / "betas" / "mask.nii.gz"),
    )
    mask = nibabel.load(layouts / "betas" / "mask.nii.gz").get_fdata() > 0
    with h5py.File(layouts / "glmsingle" / PYTHON) as file:
        assert (everything(found) == file["betasmd"][()][mask].T).all()
    refused(layouts / "glmsingle" / PYTHON.replace("hdf5", "npy"), "pickled dictionary.* wanthdf5 = 1")


@pytest.mark.parametrize("is_matlab", [False, True])
def test_voxels_that_were_given_as_a_list_are_those_of_the_mask(folder, values, inside, is_matlab):
    (folder / PYTHON).unlink()
    if is_matlab:  # data(mask) goes down the columns
        order = np.argsort(np.ravel_multi_index(np.nonzero(inside), SHAPE, order="F"))
        write(folder / MATLAB, modelmd=values[inside][order])
    else:
        write(folder / PYTHON, betasmd=values[inside][:, None, None, :])
    found = read(folder)
    assert everything(found).tolist() == values[inside].T.tolist()
    assert any("order of" in line for line in found.said)


def test_without_a_mask_voxels_have_no_positions_and_those_outside_the_brain_are_left_out(
    folder, values, inside
):
    (folder / "mask.nii.gz").unlink()
    values[~inside] = np.nan  # as GLMsingle leaves them
    write(folder / PYTHON, betasmd=values)
    found = read(folder)
    assert everything(found).tolist() == values[inside].T.tolist()
    assert not {"x", "y", "z"} & set(found.neuroids)
    assert found.left_out == {"voxels without a number (NaN) in any volume": int((~inside).sum())}


@pytest.mark.parametrize("ending", [".txt", ".npy", ".hdf5", ".mat"])
@pytest.mark.parametrize("is_matlab", [False, True])
def test_the_order_of_conditions_stands_for_a_table(folder, values, ending, is_matlab):
    (folder / "trials.csv").unlink()
    (folder / PYTHON).unlink()
    first = int(is_matlab)  # MATLAB counts from 1
    write(folder / MATLAB, modelmd=values) if is_matlab else write(folder / PYTHON, betasmd=values)
    path = folder / f"DESIGNINFO{ending}"
    if ending == ".txt":
        np.savetxt(path, ORDER + first, "%d")
    elif ending == ".npy":
        np.save(path, ORDER + first)
    else:
        write(path, stimorder=(ORDER + first)[None], numtrialrun=np.array([[5, 7]]))
    said = {"events": path.name} if ending in (".txt", ".npy") else {}
    plain = read(folder, **said)
    assert plain.presentations["stimulus_id"].tolist() == [f"condition-{one + first}" for one in ORDER]
    pd.DataFrame({"stimulus_id": ["a", "b", "c", "d"], "word": list("wxyz")}).to_csv(
        folder / "stimuli.csv", index=False
    )
    named = read(folder, **said)
    assert named.presentations["stimulus_id"].tolist() == [["a", "b", "c", "d"][one] for one in ORDER]
    assert set(named.stimuli["word"]) == set("wxyz")
    if ending in (".hdf5", ".mat"):
        assert named.presentations["run"].tolist() == ["run-1"] * 5 + ["run-2"] * 7


def test_the_best_of_the_models_is_taken_and_another_when_asked(folder, values, inside):
    write(folder / "TYPEB_FITHRF.hdf5", betasmd=values + 1)
    found = read(folder)
    assert everything(found).tolist() == values[inside].T.tolist()
    assert any("TYPED_FITHRF_GLMDENOISE_RR.hdf5 of 2 models" in line for line in found.said)
    assert everything(read(folder, array="TYPEB")).tolist() == (values + 1)[inside].T.tolist()


def test_ncsnr_is_the_ratio_by_which_the_values_were_made():
    rng = np.random.default_rng(0)
    signal = np.array([0.0, 0.5, 1.0, 2.0])
    stimuli = np.repeat(np.arange(2000), 3)
    made = rng.normal(size=(2000, 4))[stimuli] * signal + rng.normal(size=(6000, 4))
    assert ncsnr_of(made, stimuli) == pytest.approx(signal, abs=0.06)
    assert ncsnr_of(made, np.arange(6000)) is None


class TestBroken:
    """One line each."""

    def test_a_pickle(self, folder):
        (folder / PYTHON).unlink()
        np.save(folder / PYTHON.replace("hdf5", "npy"), {"betasmd": 1}, allow_pickle=True)
        refused(
            folder,
            "is a pickled dictionary, which may run any code: refused; run GLMsingle with wanthdf5 = 1",
        )

    def test_a_pickled_design(self, folder):
        (folder / "trials.csv").unlink()
        np.save(folder / "DESIGNINFO.npy", {"stimorder": [1]}, allow_pickle=True)
        refused(
            folder, "no table of trials: .* DESIGNINFO.npy is a pickled dictionary, .* --events stimorder.txt"
        )
        refused(folder, r"does not say the order of conditions \(a pickle\)", events="DESIGNINFO.npy")

    def test_cut_off(self, folder):
        path = folder / PYTHON
        path.write_bytes(path.read_bytes()[:900])
        refused(folder, "is not a readable HDF5 file .*: copy it again")

    def test_no_betas(self, folder, values):
        write(folder / PYTHON, R2=values[..., 0])
        refused(folder, r"holds no betasmd \(Python\) or modelmd \(MATLAB\), but R2")

    def test_a_table_of_another_length(self, folder):
        pd.DataFrame({"stimulus_id": ["a"] * 3}).to_csv(folder / "trials.csv", index=False)
        refused(folder, "trials.csv has 3 rows, and there are 12 trials")

    def test_an_order_of_another_length(self, folder):
        np.savetxt(folder / "order.txt", ORDER[:-1], "%d")
        refused(folder, "order.txt has 11 trials, and the betas 12", events="order.txt")

    def test_a_condition_without_a_name(self, folder):
        np.savetxt(folder / "order.txt", ORDER, "%d")
        pd.DataFrame({"stimulus_id": ["a", "b"]}).to_csv(folder / "stimuli.csv", index=False)
        refused(folder, "stimuli.csv has 2 rows, and there is a condition 3", events="order.txt")

    def test_a_mask_of_another_shape(self, folder, inside):
        nibabel.save(nibabel.Nifti1Image(inside[:-1].astype(np.uint8), AFFINE), folder / "mask.nii.gz")
        refused(folder, "mask.nii.gz is of shape 4 x 4 x 3, and TYPED.* of 5 x 4 x 3")

    def test_a_list_of_another_length_than_the_mask(self, folder, values, inside):
        write(folder / PYTHON, betasmd=values[inside][:-1, None, None, :])
        refused(folder, "mask.nii.gz has 12 voxels, and TYPED.* 11: which are they")

    def test_betas_of_three_dims(self, folder, values):
        write(folder / PYTHON, betasmd=values[..., 0])
        refused(folder, r"betasmd is 5 x 4 x 3, and \(x, y, z, trial\) or \(voxel, trial\) is needed")

    def test_a_trial_of_nan(self, folder, values):
        values[..., 3] = np.nan
        write(folder / PYTHON, betasmd=values)
        refused(folder, r"1 of 12 volumes hold nothing but NaN inside the mask \(first: volume 4\)")

    def test_an_array_that_lies_elsewhere(self, folder, tmp_path_factory, values):
        other = write(tmp_path_factory.mktemp("elsewhere") / "secret.hdf5", betasmd=values)
        with h5py.File(folder / PYTHON, "w") as file:
            file["betasmd"] = h5py.ExternalLink(str(other), "betasmd")
        refused(folder, "betasmd is a link to elsewhere: refused")

    def test_an_array_in_another_file(self, folder, tmp_path_factory):
        other = tmp_path_factory.mktemp("elsewhere") / "secret.raw"
        other.write_bytes(bytes(4 * 60 * TRIALS))
        with h5py.File(folder / PYTHON, "w") as file:
            file.create_dataset(
                "betasmd", (*SHAPE, TRIALS), "f4", external=[(str(other), 0, h5py.h5f.UNLIMITED)]
            )
        refused(folder, "betasmd has its numbers in other files: refused")

    def test_a_bomb(self, folder):
        with h5py.File(folder / PYTHON, "w") as file:
            file.create_dataset(
                "betasmd", (900, 900, 900, 3000), "f4", chunks=(1, 10, 10, 10), compression="gzip"
            )
        refused(folder, "would unpack from 0 to 8,748,000,000,000 bytes: refused")
