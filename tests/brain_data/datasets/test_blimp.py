"""blimp on the first hundred pairs of each paradigm, and on what goes for the whole release."""

import json

import pytest

import brodmann
from brodmann import UserError
from brodmann.errors import NotAvailableError


@pytest.fixture(scope="module")
def folder(test_data):
    return test_data / "blimp-subset"


def test_pairs_fields_and_paradigms(folder):
    brodmann.add_dataset("blimp", folder)
    data = brodmann.load_dataset("blimp")
    table = data.stimuli
    assert len(table) == 13400
    assert table["paradigm"].nunique() == 67
    assert set(table["field"]) == {"morphology", "semantics", "syntax", "syntax_semantics"}
    assert (table.groupby("pair").size() == 2).all()
    row = table["stimulus_id"].tolist().index("adjunct_island-0000-good")
    assert table["sentence"][row] == "Who should Derek hug after shocking Richard?"
    assert data.responses.values[row, 0] == 1
    assert data.responses.values.mean() == 0.5


def test_longer_files_of_the_same_beginning_are_the_release(folder, tmp_path):
    whole = tmp_path / "blimp" / "data"
    whole.mkdir(parents=True)
    for file in folder.glob("*.jsonl"):
        lines = file.read_text()
        (whole / file.name).write_text(lines + lines.splitlines()[3].replace("?", ".") + "\n")
    brodmann.add_dataset("blimp", tmp_path / "blimp")
    assert len(brodmann.load_dataset("blimp").stimuli) == 67 * 2 * 101


def test_other_pairs_fewer_files_and_no_folder_are_one_line(folder, tmp_path):
    for file in folder.glob("*.jsonl"):
        (tmp_path / file.name).write_text(file.read_text())
    entry = json.loads((tmp_path / "causative.jsonl").read_text().splitlines()[0])
    changed = (tmp_path / "causative.jsonl").read_text().replace(entry["sentence_good"], "Cats do.")
    (tmp_path / "causative.jsonl").write_text(changed)
    with pytest.raises(UserError, match="the first 100 pairs of .*causative.jsonl are not those of BLiMP"):
        brodmann.add_dataset("blimp", tmp_path)
    (tmp_path / "causative.jsonl").unlink()
    with pytest.raises(UserError, match="holds no causative.jsonl: expected the 67 files"):
        brodmann.add_dataset("blimp", tmp_path)
    with pytest.raises(NotAvailableError, match="is added from a folder"):
        brodmann.add_dataset("blimp")
