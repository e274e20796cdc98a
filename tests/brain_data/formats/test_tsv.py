"""Tables as BIDS writes them."""

import numpy as np
import pytest

import brodmann
from brodmann import UserError
from brodmann.brain_data.formats.base import FORMATS


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "stimuli.csv").write_text("stimulus_id,word\n001,dog\nnull,cat\n")
    return tmp_path


def test_tabs_part_the_columns_and_commas_and_spaces_stay_in_names(folder):
    (folder / "responses.tsv").write_text(
        "stimulus_id\trun\tV1, left\tIT\n001\t1\t0.1\t-2e-3\nnull\t2\t3\t4\n"
    )
    responses = brodmann.load_dataset(folder).responses
    assert responses.values.tolist() == [[0.1, -2e-3], [3.0, 4.0]]
    assert responses["neuroid_id"].values.tolist() == ["V1, left", "IT"]
    assert responses["stimulus_id"].values.tolist() == ["001", "null"]
    assert responses["run"].values.tolist() == ["1", "2"]


def test_what_was_not_measured_is_written_and_read_as_bids_says(tmp_path):
    path = tmp_path / "responses.tsv"
    parts = {
        "stimulus_id": np.array(["n/a", "b"]),
        "neuroid_id": np.array(["v0", "v1"]),
        "responses": np.array([[1.5, np.nan], [2.0, 3.0]]),
    }
    FORMATS["tsv"].write(path, parts)
    assert path.read_text() == "stimulus_id\tv0\tv1\nn/a\t1.5\tn/a\nb\t2.0\t3.0\n"
    found = FORMATS["tsv"].read(path)
    np.testing.assert_array_equal(found["responses"], parts["responses"])
    assert found["stimulus_id"].tolist() == ["n/a", "b"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("stimulus_id,v0\n001,1\n", "not separated by tabs .*: save it with tabs"),
        ("stimulus_id\tv0\n001\tfast\n", "'fast' in row 2, column 'v0' is not a number"),
        ("stimulus_id\tv0\tv0\n001\t1\t2\n", r"1 columns appear more than once \(first: 'v0'\)"),
    ],
)
def test_a_mistake_is_named(folder, text, message):
    (folder / "responses.tsv").write_text(text)
    with pytest.raises(UserError, match=message):
        brodmann.load_dataset(folder)
