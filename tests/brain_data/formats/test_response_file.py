"""One file of responses in place of a folder: .csv, .tsv, .npz, with the stimuli in a table or a folder."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from brodmann import UserError
from brodmann.brain_data.formats.recording import RECORDING_FORMATS, read_recording, recognized
from brodmann.brain_data.imported import Imported, ReadOptions

N, T = 12, 3
VALUES = np.arange(N * T, dtype=float).reshape(N, T) / 7
IDS = [f"im{i % 4}" for i in range(N)]


def read(path: Path, **said: str) -> Imported:
    found = recognized(path)
    assert found is not None
    assert found.name == "responses"
    return read_recording(path, ReadOptions(**said), found)


def refused(path: Path, message: str, **said: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        read_recording(path, ReadOptions(**said), RECORDING_FORMATS["responses"])
    assert "\n" not in str(caught.value).strip()


def table(**columns) -> pd.DataFrame:
    made = pd.DataFrame(VALUES, columns=["n0", "n1", "n2"])
    for place, (name, column) in enumerate(columns.items()):
        made.insert(place, name, column)
    return made


@pytest.mark.parametrize(("name", "separator"), [("a.csv", ","), ("a.tsv", "\t")])
def test_a_table_enters_with_its_stimuli_beside(tmp_path, name, separator):
    path = tmp_path / name
    table(image=IDS, run=["1"] * 6 + ["2"] * 6, rt=0.5, person="p1").to_csv(path, sep=separator, index=False)
    stimuli = pd.DataFrame({"stimulus_id": ["im0", "im1", "im2", "im3"], "sentence": list("abcd")})
    stimuli.to_csv(tmp_path / "stimuli.csv", index=False)
    got = read(path, stimulus_column="image", stimuli=str(tmp_path / "stimuli.csv"))
    np.testing.assert_allclose(got.values[:, :], VALUES)
    assert got.neuroids["neuroid_id"].tolist() == ["n0", "n1", "n2"]
    assert got.presentations["run"].tolist() == ["1"] * 6 + ["2"] * 6
    assert got.stimuli["sentence"].tolist() == list("abcd")
    assert any("of trials are run, rt, person" in line for line in got.said)
    got = read(path, stimulus_column="image", channels="n2,n0")
    np.testing.assert_allclose(got.values[:, :], VALUES[:, [2, 0]])
    refused(path, "which stimulus .* is not said")
    refused(path, "--channels n9 is no column of numbers", stimulus_column="image", channels="n9")
    stimuli.iloc[:3].to_csv(tmp_path / "stimuli.csv", index=False)
    refused(
        path,
        "3 presentations show stimuli that .* does not list \\(first: 'im3'",
        stimulus_column="image",
        stimuli=str(tmp_path / "stimuli.csv"),
    )


def test_arrays_by_name_and_pictures_in_a_folder(tmp_path):
    np.savez(tmp_path / "a.npz", responses=VALUES, stimulus_id=IDS, region=np.array(["V4", "V4", "IT"]))
    pictures = tmp_path / "shown"
    pictures.mkdir()
    for one in dict.fromkeys(IDS):
        Image.new("RGB", (4, 4)).save(pictures / f"{one}.png")
    got = read(tmp_path / "a.npz", stimuli=str(pictures))
    np.testing.assert_array_equal(got.values[:, :], VALUES)
    assert got.neuroids["region"].tolist() == ["V4", "V4", "IT"]
    assert set(got.pictures) == set(IDS)
    pd.DataFrame({"stimulus_id": sorted(set(IDS)), "filename": ["../secret.png"] * 4}).to_csv(
        pictures / "stimuli.csv", index=False
    )
    refused(tmp_path / "a.npz", "would leave the folder shown/: refused", stimuli=str(pictures))


def test_broken_files_are_one_line(tmp_path):
    (tmp_path / "a.csv").write_text("stimulus_id,n0\nim0,1,2\n")
    refused(tmp_path / "a.csv", "line 2 has 3 fields")
    (tmp_path / "b.csv").write_text("stimulus_id,note\nim0,x\n")
    refused(tmp_path / "b.csv", "has no column of numbers that may be a neuroid: name them by --channels")
    (tmp_path / "c.npz").write_bytes(b"PK\x03\x04 nothing")
    refused(tmp_path / "c.npz", "is damaged or not an .npz file")
    table(stimulus_id=[*IDS[:2], "", *IDS[3:]]).to_csv(tmp_path / "d.csv", index=False)
    refused(tmp_path / "d.csv", r"1 of 12 trials have no stimulus_id \(first: row 3\)")


def test_a_text_among_numbers_makes_no_label_of_a_neuroid(tmp_path):
    """It would be lost without a word; a column of texts is a label, as before."""
    made = table(stimulus_id=IDS, answer=["1", "yes", "no"] * 4).astype({"n1": object})
    made.loc[3, "n1"] = "oops"
    made.to_csv(tmp_path / "a.csv", index=False)
    refused(tmp_path / "a.csv", "'oops' in row 5, column 'n1', stands among numbers")
    got = read(tmp_path / "a.csv", channels="n0,n2")
    assert got.neuroids["neuroid_id"].tolist() == ["n0", "n2"]
    table(stimulus_id=IDS, answer=["1", "yes", "no"] * 4).to_csv(tmp_path / "a.csv", index=False)
    assert "answer" in read(tmp_path / "a.csv").presentations


def test_one_neuroid_is_a_recording(tmp_path):
    table(stimulus_id=IDS)[["stimulus_id", "n1"]].to_csv(tmp_path / "a.csv", index=False)
    got = read(tmp_path / "a.csv")
    np.testing.assert_allclose(got.values[:, :], VALUES[:, 1:2])


def test_ids_may_be_bytes(tmp_path):
    np.savez(tmp_path / "a.npz", responses=VALUES, stimulus_id=np.array(IDS, "S"))
    assert read(tmp_path / "a.npz").presentations["stimulus_id"].tolist() == IDS
