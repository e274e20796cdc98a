"""One command from a laboratory's file to a data set: what was recorded is what is loaded, and can be scored."""

import sys

import h5py
import numpy as np
import pandas as pd
import pytest
from command_line import run_brodmann

from brodmann.brain_data import load_dataset
from brodmann.brain_data.catalogue import add_dataset
from brodmann.brain_data.formats.recording import recognized
from brodmann.brain_data.imported import ReadOptions
from brodmann.errors import NotAvailableError

from .matlab73_writer import save

N, T = 40, 6
VALUES = np.random.default_rng(0).normal(size=(N, T)).astype(np.float32)
IDS = [f"s{i % 20:02d}" for i in range(N)]


@pytest.fixture
def sentences(tmp_path) -> str:
    table = pd.DataFrame(
        {"stimulus_id": sorted(set(IDS)), "sentence": [f"Sentence {'x' * i}." for i in range(20)]}
    )
    table.to_csv(tmp_path / "sentences.csv", index=False)
    return str(tmp_path / "sentences.csv")


def added(name, path, **said):
    add_dataset(name, path, options=ReadOptions(**said))
    return load_dataset(name)


def write(kind, tmp_path):
    """The same recording in each form, and what must be said of it."""
    path = tmp_path / f"recorded.{kind}"
    if kind == "h5":
        with h5py.File(path, "w") as file:
            file["session/rates"], file["session/image"], file["other"] = VALUES, IDS, np.eye(4)
        return path, {"array": "/session/rates", "stimulus_column": "image"}
    if kind == "mat":
        save(path, data={"rates": VALUES, "image": IDS}, other=np.eye(4))
        return path, {"array": "data.rates", "stimulus_column": "image"}
    table = pd.DataFrame(VALUES, columns=[f"n{i}" for i in range(T)])
    table.insert(0, "image", IDS)
    table.insert(1, "rt", 0.5)
    table.to_csv(path, index=False)
    return path, {"stimulus_column": "image"}


@pytest.mark.parametrize("kind", ["h5", "mat", "csv"])
def test_a_file_and_its_sentences_are_a_data_set(kind, tmp_path, sentences):
    path, said = write(kind, tmp_path)
    data = added(f"one-{kind}", path, **said, stimuli=sentences, region="V4")
    np.testing.assert_allclose(data.responses.values, VALUES, rtol=1e-6)
    assert data.responses["stimulus_id"].values.tolist() == IDS
    assert (data.modality, data.regions) == ("language", ["V4"])


def test_epochs_are_a_data_set_with_time_bins(tmp_path):
    mne = pytest.importorskip("mne")
    data = 1e-13 * np.random.default_rng(0).normal(size=(N, T, 81))
    events = np.column_stack([np.arange(N) * 1000, np.zeros(N, int), np.ones(N, int)])
    words = [f"word{i % 20}" for i in range(N)]
    made = mne.EpochsArray(
        data, mne.create_info(T, 200.0, "mag"), events, tmin=-0.1, verbose="ERROR",
        metadata=pd.DataFrame({"word": words}),
    )  # fmt: skip
    made.save(tmp_path / "a-epo.fif", verbose="ERROR")
    got = added("epo", tmp_path / "a-epo.fif", stimulus_column="word", bins="-100,300,50")
    truth = np.stack([data[..., 10 * k : 10 * (k + 1)].mean(axis=-1) for k in range(8)], axis=-1)
    np.testing.assert_allclose(got.responses.values, truth, rtol=1e-5, atol=0)
    assert got.responses["time_bin_start"].values.tolist() == list(range(-100, 300, 50))
    assert got.units == "T"
    assert (got.modality, got.stimuli["word"].tolist()) == ("language", words[:20])


def test_without_mne_one_line_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "mne", None)
    path = tmp_path / "a_raw.fif"
    path.write_bytes(b"\x00\x00\x00\x64" + bytes(100))
    assert recognized(path).name == "mne"
    with pytest.raises(
        NotAvailableError, match=r"reading a_raw.fif needs the package 'mne': pip install 'brodmann\[mne\]'"
    ):
        added("absent", path, window="0,100")


def test_what_is_missing_is_asked_for_in_one_line_and_then_it_enters(tmp_path):
    path, _ = write("h5", tmp_path)
    done = run_brodmann("data", "check", str(path))
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.strip().splitlines()
    assert "/other (4 x 4), /session/rates (40 x 6); say which are the responses by --array" in line
    done = run_brodmann(
        "data", "add", "asked", "--from", path, "--array", "/session/rates", "--stimulus-column", "image"
    )
    assert done.returncode == 0, done.stderr
    assert "2 of each stimulus, 40 presentations" in done.stdout
