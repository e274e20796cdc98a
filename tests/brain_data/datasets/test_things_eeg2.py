"""THINGS-EEG2: pickled files in the authors' layout with a known truth; refused unasked, and nothing in them is run."""

import os
import pickle

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from brodmann import UserError
from brodmann.bench.cli.main import app
from brodmann.brain_data.catalogue import add_dataset, load_dataset
from brodmann.brain_data.formats.recording import RECORDING_FORMATS, read_recording, recognized
from brodmann.brain_data.imported import ReadOptions

rng = np.random.default_rng(5)
CHANNELS = ["Pz", "O1", "Oz"]
TIMES = np.round(np.linspace(-0.2, 0.79, 100), 2)
EPOCHS = {"training": rng.normal(size=(6, 4, 3, 100)), "test": rng.normal(size=(2, 80, 3, 100))}
FILES = {
    "train": [(f"{i:05d}_animal{i}", f"animal{i}_01b.jpg") for i in range(1, 7)],
    "test": [(f"{i:05d}_tool{i}", f"tool{i}_06s.jpg") for i in range(1, 3)],
}


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("BRODMANN_HOME", str(tmp_path / "home"))


def content(name, **changes):
    return {"preprocessed_eeg_data": EPOCHS[name], "ch_names": CHANNELS, "times": TIMES} | changes


@pytest.fixture
def folder(tmp_path):
    """One person: the training file a pickle, the test file an .npy with one inside, as both are found."""
    person = tmp_path / "eeg" / "preprocessed_data" / "sub-01"
    person.mkdir(parents=True)
    with (person / "preprocessed_eeg_training.npy").open("wb") as file:
        pickle.dump(content("training"), file, protocol=4)
    np.save(person / "preprocessed_eeg_test.npy", content("test"))
    images = tmp_path / "eeg" / "image_set"
    for split, inner in (("train", "training_images"), ("test", "test_images")):
        for concept, name in FILES[split]:
            (images / inner / concept).mkdir(parents=True)
            Image.fromarray(rng.integers(0, 255, (8, 8, 3), dtype=np.uint8)).save(
                images / inner / concept / name
            )
    listed = {
        f"{split}_img_{what}": [pair[place] for pair in FILES[split]]
        for split in FILES
        for place, what in enumerate(("concepts", "files"))
    }
    np.save(images / "image_metadata.npy", listed)
    return tmp_path / "eeg"


def read(root, **options):
    return read_recording(
        root, ReadOptions(**{"pickles": "plain"} | options), RECORDING_FORMATS["things-eeg2"]
    )


def numbers(imported):
    return np.asarray(imported.values[slice(None), slice(None)])


def test_a_pickle_is_refused_until_a_person_allows_the_reader_that_runs_nothing(folder):
    assert recognized(folder).name == "things-eeg2"
    run = CliRunner()
    refused = run.invoke(app, ["data", "add", "things-eeg2", "--from", str(folder)])
    assert isinstance(refused.exception, UserError)
    assert "is a pickle, which can run anything when it is opened: refused; --pickles plain" in str(
        refused.exception
    )
    assert "\n" not in str(refused.exception)
    convert = ["data", "convert", str(folder), "--to", str(folder.parent / "plain"), "--pickles", "plain"]
    done = run.invoke(app, convert)
    assert done.exit_code == 0, done.output
    assert run.invoke(app, ["data", "add", "eeg", "--from", str(folder.parent / "plain")]).exit_code == 0
    assert (
        run.invoke(app, ["data", "add", "things-eeg2", "--from", str(folder), "--pickles", "plain"]).exit_code
        == 0
    )
    one, other = load_dataset("eeg").responses, load_dataset("things-eeg2").responses
    np.testing.assert_array_equal(one.values, other.values)
    assert one.shape == (6 * 4 + 2 * 80, 3, 100)


def test_epochs_are_trials_in_time_bins(folder):
    found = read(folder, stimuli=str(folder / "image_set"))
    expected = np.concatenate([EPOCHS[name].reshape(-1, 3, 100) for name in ("training", "test")])
    np.testing.assert_array_equal(numbers(found), expected)
    np.testing.assert_array_equal(found.values[slice(20, 30), slice(1, 3)], expected[20:30, 1:3])
    assert found.time_bins["time_bin_start"].tolist() == np.round(TIMES * 1000).tolist()
    assert found.time_bins["time_bin_end"].iloc[-1] == 800
    assert found.neuroids["channel"].tolist() == CHANNELS
    assert found.presentations["stimulus_id"].tolist()[:5] == ["animal1_01b"] * 4 + ["animal2_01b"]
    assert found.presentations["repetition"].tolist()[:5] == [0, 1, 2, 3, 0]
    assert found.stimuli["category"].tolist() == [*(f"animal{i}" for i in range(1, 7)), "tool1", "tool2"]
    assert found.pictures["tool2_06s"].name == "tool2_06s.jpg"


def test_a_window_and_channels_are_taken(folder):
    found = read(folder, events="test", window="100,200", channels="Oz,Pz")
    expected = EPOCHS["test"].reshape(-1, 3, 100)[:, [2, 0], 30:40].mean(axis=2)
    np.testing.assert_allclose(numbers(found), expected, rtol=1e-12)
    assert found.time_bins is None
    assert found.neuroids["channel"].tolist() == ["Oz", "Pz"]


def test_without_the_list_of_pictures_they_have_numbers(folder):
    (folder / "image_set" / "image_metadata.npy").unlink()
    found = read(folder, events="train")
    assert found.stimuli["stimulus_id"].tolist()[:2] == ["train-00001", "train-00002"]
    with pytest.raises(UserError, match="nobody knows which pictures"):
        read(folder, events="train", stimuli=str(folder / "image_set"))


def test_large_epochs_stay_in_the_file(folder):
    big = rng.normal(size=(400, 4, 3, 100))
    path = folder / "preprocessed_data" / "sub-01" / "preprocessed_eeg_training.npy"
    path.write_bytes(pickle.dumps(content("training", preprocessed_eeg_data=big)))
    (folder / "image_set" / "image_metadata.npy").unlink()
    found = read(folder, events="train")
    np.testing.assert_array_equal(found.values[slice(7, 9), slice(0, 3)], big.reshape(-1, 3, 100)[7:9])
    split = found.values.get.__closure__
    assert any(isinstance(one.values, np.memmap) for cell in split if isinstance(cell.cell_contents, list)
               for one in cell.cell_contents if hasattr(one, "values"))  # fmt: skip


class _Evil:
    def __reduce__(self):
        return os.mkdir, ("mark",)


@pytest.mark.parametrize(
    ("held", "words"),
    [
        (content("training") | {"subject": _Evil()}, "it names posix.mkdir: refused"),
        (
            content("training", preprocessed_eeg_data=np.zeros((6, 4, 3))),
            "must be numbers .picture, repetition",
        ),
        (content("training", ch_names=["Pz"]), "1 channels and 100 times do not fit epochs of shape"),
        (content("training", ch_names=["Pz", "Pz", "O1"]), "ch_names names one twice"),
        (content("training", ch_names=[1, 2, 3]), "ch_names must be a list of names"),
        (content("training", times=TIMES[::-1].copy()), "times must rise in even steps"),
        (content("training", times=np.r_[TIMES[:-1], 3.0]), "times must rise in even steps"),
        (content("training", times=TIMES * 1000), "times must rise in even steps, in s"),
        ({"preprocessed_eeg_data": EPOCHS["training"]}, "has no 'ch_names'"),
        ([1], "it holds no dictionary"),
        (content("training", times=TIMES + 0.005), "other channels or times: add them one by one"),
        (
            content("training", preprocessed_eeg_data=EPOCHS["training"][:5]),
            "lists 6 pictures of train, and .* of 5",
        ),
    ],
)
def test_what_is_broken_is_one_line_and_runs_nothing(folder, held, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = folder / "preprocessed_data" / "sub-01" / "preprocessed_eeg_training.npy"
    path.write_bytes(pickle.dumps(held))
    with pytest.raises(UserError, match=words) as caught:
        read(folder)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "mark").exists()
    with pytest.raises(UserError, match="--pickles must be plain, not 'all'"):
        read(folder, pickles="all")


def test_a_file_that_is_cut_off_is_one_line(folder):
    path = folder / "preprocessed_data" / "sub-01" / "preprocessed_eeg_training.npy"
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(UserError, match="is no pickle of numbers and texts alone: .*: refused"):
        read(folder)


def test_the_card_names_its_source():
    kind = RECORDING_FORMATS["things-eeg2"]
    assert "osf.io/3jk45" in kind.card.source
    with pytest.raises(UserError, match="get it from https://osf.io/3jk45"):
        add_dataset("things-eeg2")
