"""MATLAB v7.3 comes back as MATLAB shows it, and as v5 of the same variables does."""

from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.io
import scipy.io.matlab

from brodmann import UserError
from brodmann.brain_data.formats.folder import load_folder
from brodmann.brain_data.formats.matlab import loaded
from brodmann.brain_data.formats.recording import RECORDING_FORMATS, read_recording, recognized
from brodmann.brain_data.imported import Imported, ReadOptions

from .matlab73_writer import Fields, Opaque, Sparse, Writer, save

N, T = 12, 5
VALUES = np.arange(N * T, dtype=float).reshape(N, T) / 7
IDS = [f"im{i % 4}" for i in range(N)]


def read(path: Path, **said: str) -> Imported:
    found = recognized(path)
    assert found is not None
    assert found.name == "matlab"
    return read_recording(path, ReadOptions(**said), found)


def refused(path: Path, message: str, **said: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        read_recording(path, ReadOptions(**said), RECORDING_FORMATS["matlab"]).values[0:2, 0:2]
    assert "\n" not in str(caught.value).strip()


def test_the_true_layout_enters_as_mat73_reads_it(test_signals):
    path = test_signals / "true-layouts" / "v73.mat"
    got = read(path)
    mat73 = pytest.importorskip("mat73")
    truth = mat73.loadmat(str(path))
    np.testing.assert_array_equal(got.values[:, :], truth["responses"])
    assert got.presentations["stimulus_id"].tolist() == [one for (one,) in truth["stimulus_id"]]
    assert (got.values.shape, len(got.stimuli)) == ((40, 16), 10)


def test_a_file_that_matlab_wrote(tmp_path):
    shipped = Path(scipy.io.matlab.__file__).parent / "tests" / "data" / "testhdf5_7.4_GLNX86.mat"
    if not shipped.is_file():
        pytest.skip("scipy came without its tests' files")
    np.testing.assert_allclose(loaded(shipped)["testdouble"], [np.arange(9) * np.pi / 4], atol=1e-12)


def test_every_class_comes_back_as_it_was(tmp_path):
    path = tmp_path / "a.mat"
    sparse = np.array([[0, 2.0, 0], [1, 0, 0]])
    save(
        path,
        d=VALUES,
        s=VALUES.astype(np.float32),
        i=np.arange(6, dtype=np.int16).reshape(2, 3),
        b=VALUES > 3,
        text="größe €",
        none="",
        empty=np.empty((0, 3)),
        cells=["a", 1.5, ["inner"]],
        one={"x": VALUES, "deep": {"y": "z"}},
        many=Fields(name=["a", "b", "c"], x=[1.0, 2.0, 3.0]),
        sp=Sparse(sparse),
        cube=np.arange(24.0).reshape(2, 3, 4),
    )
    got = loaded(path)
    np.testing.assert_array_equal(got["d"], VALUES)
    assert got["s"].dtype == np.float32
    np.testing.assert_array_equal(got["i"], np.arange(6).reshape(2, 3))
    assert got["b"].dtype == bool
    np.testing.assert_array_equal(got["b"], VALUES > 3)
    assert got["text"].tolist() == ["größe €"]
    assert got["none"].size == 0
    assert got["empty"].shape == (0, 3)
    assert (got["cells"][0, 0].tolist(), got["cells"][1, 0].item()) == (["a"], 1.5)
    assert got["cells"][2, 0][0, 0].tolist() == ["inner"]
    np.testing.assert_array_equal(got["one"]["x"][0, 0], VALUES)
    assert got["one"]["deep"][0, 0]["y"][0, 0].tolist() == ["z"]
    assert [one.item() for one in got["many"]["name"].ravel()] == ["a", "b", "c"]
    np.testing.assert_array_equal(got["sp"].toarray(), sparse)
    np.testing.assert_array_equal(got["cube"], np.arange(24.0).reshape(2, 3, 4))


def test_numbers_and_texts_are_what_mat73_reads(tmp_path):
    mat73 = pytest.importorskip("mat73")
    path = tmp_path / "a.mat"
    save(
        path,
        d=VALUES,
        b=VALUES > 3,
        text="größe €",
        one={"zeta": VALUES, "alpha": {"y": "z"}},
        names=["ab", "c"],
    )
    ours, theirs = loaded(path), mat73.loadmat(str(path))
    for name in ("d", "b"):
        np.testing.assert_array_equal(ours[name], theirs[name])
        assert ours[name].dtype == theirs[name].dtype
    assert ours["text"].tolist() == [theirs["text"]]
    assert ours["one"].dtype.names == ("zeta", "alpha")
    np.testing.assert_array_equal(ours["one"]["zeta"][0, 0], theirs["one"]["zeta"])
    assert ours["one"]["alpha"][0, 0]["y"][0, 0].tolist() == [theirs["one"]["alpha"]["y"]]
    assert [one.item() for one in ours["names"].ravel()] == np.ravel(theirs["names"]).tolist()


def test_both_versions_decode_to_the_same(tmp_path):
    """scipy writes v5; the same variables as v7.3."""
    variables = {"x": VALUES, "one": {"a": VALUES, "b": "text"}, "flag": VALUES > 2}
    cells = np.array([["ab"], ["c"], ["def"]], object)
    scipy.io.savemat(tmp_path / "a.mat", variables | {"cells": cells})
    save(tmp_path / "b.mat", **variables, cells=["ab", "c", "def"])
    old, new = loaded(tmp_path / "a.mat"), loaded(tmp_path / "b.mat")
    assert set(old) == set(new)
    np.testing.assert_array_equal(old["x"], new["x"])
    np.testing.assert_array_equal(old["flag"], new["flag"])
    np.testing.assert_array_equal(old["one"]["a"][0, 0], new["one"]["a"][0, 0])
    assert [one.item() for one in old["cells"].ravel()] == [one.item() for one in new["cells"].ravel()]


def test_a_folder_with_v73_is_a_data_set(tmp_path):
    pd.DataFrame({"stimulus_id": ["im0", "im1", "im2", "im3"], "sentence": list("abcd")}).to_csv(
        tmp_path / "stimuli.csv", index=False
    )
    save(
        tmp_path / "responses.mat",
        data={"responses": VALUES, "stimulus_id": IDS, "region": ["A", "A", "B", "B", "B"]},
    )
    responses = load_folder(tmp_path, "mine").responses
    np.testing.assert_array_equal(responses.values, VALUES)
    assert responses["stimulus_id"].values.tolist() == IDS
    assert responses["region"].values.tolist() == ["A", "A", "B", "B", "B"]
    save(tmp_path / "responses.mat", responses=VALUES, stimulus_id=Opaque("string"))
    with pytest.raises(UserError, match=r"stimulus_id is an object of MATLAB's \(string\).*cellstr"):
        load_folder(tmp_path, "mine")


@pytest.mark.parametrize("version", ["5", "7.3"])
def test_structs_and_cells_of_both_versions_enter(tmp_path, version):
    path = tmp_path / "a.mat"
    data = {
        "responses": VALUES,
        "image": IDS,
        "run": np.repeat([1.0, 2.0], N // 2)[:, None],
        "junk": np.zeros((3, 3)),
    }
    areas = ["V1", "V1", "V4", "V4", "IT"]
    if version == "5":
        as_cells = {"image": np.array(IDS, object)[:, None], "region": np.array(areas, object)[:, None]}
        scipy.io.savemat(path, {"data": data | as_cells, "other": np.eye(3)})
    else:
        save(path, data=data | {"region": areas}, other=np.eye(3))
    refused(
        path,
        r"which stimulus each trial of .*data.responses \(12 x 5\) shows is not said: .*--stimulus-column.*"
        r"data.image",
        array="data.responses",
    )
    got = read(path, array="data.responses", stimulus_column="image")
    np.testing.assert_array_equal(got.values[:, :], VALUES)
    assert got.presentations["stimulus_id"].tolist() == IDS
    assert got.presentations["run"].tolist() == ["1"] * 6 + ["2"] * 6
    assert got.neuroids["region"].tolist() == areas
    got = read(path, array="data.responses", events="data", stimulus_column="image", region="V4")
    np.testing.assert_array_equal(got.values[2:5, :], VALUES[2:5, 2:4])
    refused(
        path,
        r"data is a group, not an array; it holds .*data.responses \(12 x 5\)",
        array="data",
        stimulus_column="image",
    )
    refused(
        path, "data.image is an array of texts: --array must name an array of numbers", array="data.image"
    )
    refused(
        path, "unknown array of a.mat 'data.response': did you mean 'data.responses'", array="data.response"
    )


@pytest.mark.parametrize("version", ["5", "7.3"])
def test_an_array_of_structs_is_a_trial_each(tmp_path, version):
    path = tmp_path / "a.mat"
    if version == "5":
        made = np.empty((1, N), [("rate", object), ("image", object)])
        for i in range(N):
            made[0, i] = (VALUES[i], IDS[i])
        scipy.io.savemat(path, {"trials": made})
    else:
        save(path, trials=Fields(rate=list(VALUES), image=IDS))
    got = read(path, array="trials.rate", stimulus_column="image")
    np.testing.assert_array_equal(got.values[:, :], VALUES)
    assert got.presentations["stimulus_id"].tolist() == IDS


def test_large_matrices_stay_in_the_file(tmp_path):
    values = np.random.default_rng(0).normal(size=(600, 400))
    save(tmp_path / "a.mat", responses=values, stimulus_id=[f"s{i}" for i in range(600)])
    got = read(tmp_path / "a.mat")
    assert not isinstance(got.values, np.ndarray)
    np.testing.assert_array_equal(got.values[17:40, 3:9], values[17:40, 3:9])
    np.testing.assert_array_equal(got.values[:, :], values)


def test_a_transposed_matrix_is_turned_and_said(tmp_path):
    save(tmp_path / "a.mat", responses=VALUES.T, stimulus_id=IDS)
    got = read(tmp_path / "a.mat")
    np.testing.assert_array_equal(got.values[:, :], VALUES)
    assert any("turned round" in line for line in got.said)


def loops(path: Path) -> None:
    with Writer(path) as writer:
        cell = writer.file.create_dataset("stimulus_id", (1, N), h5py.ref_dtype)
        cell[0, :] = cell.ref
        writer.called(cell, "cell")
        writer.write(writer.file, "responses", VALUES)


def external(path: Path) -> None:
    with Writer(path) as writer:
        writer.write(writer.file, "stimulus_id", IDS)
        writer.file["responses"] = h5py.ExternalLink("/etc/passwd", "/x")


def elsewhere(path: Path) -> None:
    """Numbers that HDF5 would read out of another file."""
    (path.parent / "raw.bin").write_bytes(VALUES.T.tobytes())
    with Writer(path) as writer:
        writer.write(writer.file, "stimulus_id", IDS)
        made = writer.file.create_dataset(
            "responses", (T, N), "f8", external=[(str(path.parent / "raw.bin"), 0, 480)]
        )
        writer.called(made, "double")


def ragged(path: Path) -> None:
    save(path, trials=Fields(rate=[VALUES[0], VALUES[0, :3]], image=["a", "b"]), stimulus_id=IDS)


def torn(path: Path) -> None:
    save(path, responses=VALUES, stimulus_id=IDS)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])


def objects(path: Path) -> None:
    save(path, responses=Opaque("table"), stimulus_id=IDS)


def wrong_sparse(path: Path) -> None:
    with Writer(path) as writer:
        made = writer.write(writer.file, "responses", Sparse(VALUES))
        made["ir"][0] = 10**6
        writer.write(writer.file, "stimulus_id", IDS)


@pytest.mark.parametrize(
    ("make", "message", "said"),
    [
        (loops, r"stimulus_id\{1\} refers to itself", {}),
        (external, "/responses is a link into another file .*: refused", {}),
        (elsewhere, "has its numbers in other files: refused", {}),
        (ragged, "is cells of different kinds or lengths", {"array": "trials.rate"}),
        (torn, "a.mat is damaged or not an? .* file", {}),
        (objects, "is an object of MATLAB's own, which only MATLAB reads", {"array": "responses"}),
        (wrong_sparse, "the sparse matrix responses is damaged", {}),
    ],
)
def test_broken_files_are_one_line(tmp_path, make, message, said):
    make(tmp_path / "a.mat")
    refused(tmp_path / "a.mat", message, **said)


def test_what_many_refer_to_is_decoded_once(tmp_path):
    """Each of 1000 cells names the one before, eight times over: nothing on disk, 10^24 values if it were copied."""
    path = tmp_path / "a.mat"
    with Writer(path) as writer:
        inner = writer.reference("a")
        for level in range(8):
            made = writer.refs.create_dataset(f"level{level}", data=np.full((1, 1000), inner, h5py.ref_dtype))
            inner = writer.called(made, "cell").ref
        writer.called(writer.file.create_dataset("x", data=np.full((1, 1), inner, h5py.ref_dtype)), "cell")
    assert loaded(path)["x"].shape == (1, 1)
    refused(path, r"no array of numbers in two dimensions; it holds x \(cells of different kinds")


def test_a_list_with_an_empty_cell_is_named(tmp_path):
    """And not said to be unknown."""
    trials = np.zeros(N, dtype=[("rate", object), ("image", object)])
    for i in range(N):
        trials[i] = (VALUES[i], "" if i == 3 else IDS[i])
    scipy.io.savemat(tmp_path / "a.mat", {"trials": trials})
    said = {"array": "trials.rate", "stimulus_column": "image"}
    refused(
        tmp_path / "a.mat", "trials.image.* is no list of a text or a number a trial: is a cell empty", **said
    )
