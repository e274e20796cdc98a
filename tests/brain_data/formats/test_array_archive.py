"""Arrays by name in one .npz: rows and columns are named by the arrays that fit, or that are said to."""

import numpy as np
import pytest

from brodmann.brain_data.formats.recording import RECORDING_FORMATS, read_recording, recognized
from brodmann.brain_data.imported import ReadOptions
from brodmann.errors import UserError

VALUES = np.arange(24.0).reshape(6, 4)
ROWS, COLUMNS = np.array(["a", "a", "b", "b", "c", "c"]), np.array(["V1", "V1", "IT", "IT"])


def read(path, **options):
    kind = recognized(path)
    assert kind is RECORDING_FORMATS["arrays"]
    return read_recording(path, ReadOptions(**options), kind)


def refused(path, words, **options):
    with pytest.raises(UserError, match=words) as caught:
        read(path, **options)
    assert "\n" not in str(caught.value)


def saved(folder, **arrays):
    np.savez(folder / "betas.npz", **arrays)
    return folder


def test_the_81_objects_enter_by_the_folder_alone(test_data):
    folder = test_data / "objects81-fmri"
    found = read(folder)
    stored = np.load(folder / "betas.npz")
    assert (np.asarray(found.values[slice(None), slice(None)]) == stored["betas"]).all()
    assert found.presentations["stimulus_id"].tolist() == stored["conds"].tolist()
    assert found.neuroids["region"].tolist() == stored["roi"].tolist()
    assert read(folder, region="FFA,PPA").values.shape == (81, 200)


def test_rows_and_columns(tmp_path):
    found = read(
        saved(tmp_path, betas=VALUES, conds=ROWS, roi=COLUMNS, run=[1, 2] * 3, x=[0.0, 1, 2, 3], note="hi")
    )
    assert found.presentations["repetition"].tolist() == [0, 1] * 3
    assert found.presentations["run"].tolist() == ["1", "2"] * 3
    assert found.stimuli["stimulus_id"].tolist() == ["a", "b", "c"]
    assert found.neuroids["x"].tolist() == [0, 1, 2, 3]
    assert found.said[-1] == "not read: note"


def test_a_region_is_chosen(tmp_path):
    found = read(saved(tmp_path, betas=VALUES, conds=ROWS, roi=COLUMNS), region="IT", subject="01")
    assert found.values[:, :].tolist() == VALUES[:, 2:].tolist()
    assert found.neuroids["subject"].tolist() == ["01", "01"]
    refused(tmp_path, "unknown region of betas.npz 'FFA'", region="FFA")


def test_several_matrices(tmp_path):
    saved(tmp_path, betas=VALUES, t=VALUES + 1, conds=ROWS)
    refused(tmp_path, r"several arrays: betas \(6 x 4\), t \(6 x 4\); say which are the responses by --array")
    assert np.asarray(read(tmp_path, array="t").values).tolist() == (VALUES + 1).tolist()
    refused(tmp_path, "unknown array of betas.npz 'z': known: betas, conds, t", array="z")


def test_several_names_of_rows(tmp_path):
    saved(tmp_path, betas=VALUES, one=ROWS, two=ROWS[::-1])
    refused(tmp_path, "one, two may name its rows: say which by --stimulus-column")
    assert read(tmp_path, stimulus_column="two").presentations["stimulus_id"][0] == "c"
    refused(tmp_path, "unknown list of betas.npz 'three': known: one, two", stimulus_column="three")


def test_no_names_of_rows(tmp_path):
    refused(
        saved(tmp_path, betas=VALUES, roi=COLUMNS),
        r"which stimulus each trial of betas \(6 x 4\) shows is not said",
    )


def test_as_many_rows_as_columns(tmp_path):
    saved(tmp_path, betas=VALUES[:4], labels=COLUMNS)
    refused(tmp_path, "'labels' may name rows or columns: say by --stimulus-column and --region-column")


def test_a_pickle(tmp_path):
    np.savez(tmp_path / "betas.npz", betas=np.array([{1: 2}], object), conds=ROWS)
    with pytest.raises(UserError):
        read(tmp_path)


def test_cut_off(tmp_path):
    path = saved(tmp_path, betas=VALUES, conds=ROWS) / "betas.npz"
    path.write_bytes(path.read_bytes()[:200])
    refused(tmp_path, "betas.npz is damaged")


def test_recordings_of_ones_own_and_other_layouts_are_not_of_this_kind(tmp_path):
    saved(tmp_path, betas=VALUES, conds=ROWS)
    (tmp_path / "stimuli.csv").write_text("stimulus_id\na\n")
    assert recognized(tmp_path) is None
