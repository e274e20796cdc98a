"""Scores over time as a person asks for them."""

import json

import numpy as np
import pandas as pd
import pytest
from command_line import run_brodmann

from brodmann.brain_data.imported import Imported
from brodmann.brain_data.importing import install_recording

MODEL = "word-length-frequency"
QUICK = ("--permutations", "39")


@pytest.fixture(scope="module")
def installed():
    """Sentences whose number of characters and words electrodes follow from 80 ms on."""
    generator = np.random.default_rng(0)
    n, repetitions = 50, 4
    texts = [f"{'a very ' * (i % 7)}{'long' * (1 + i * i % 5)} text {i}" for i in range(n)]
    stimuli = pd.DataFrame({"stimulus_id": [f"s{i:02d}" for i in range(n)], "sentence": texts})
    length = np.array([[len(text), len(text.split())] for text in texts], float)
    length = (length - length.mean(axis=0)) / length.std(axis=0)
    starts = np.arange(-100.0, 300, 20)
    signal = (length @ generator.normal(size=(2, 4)))[:, :, None] * (starts >= 80)
    values = np.repeat(signal, repetitions, axis=0) + generator.normal(size=(n * repetitions, 4, len(starts)))
    shown = pd.DataFrame(
        {
            "stimulus_id": np.repeat(stimuli["stimulus_id"], repetitions),
            "repetition": np.tile(range(repetitions), n),
        }
    )
    cells = pd.DataFrame({"neuroid_id": [f"e{i}" for i in range(4)], "region": "STG", "subject": "1"})
    bins = pd.DataFrame({"time_bin_start": starts, "time_bin_end": starts + 20})
    install_recording("timedecog", Imported(stimuli, values.astype(np.float32), shown, cells, time_bins=bins))


def test_a_curve_is_printed_kept_drawn_and_compared(installed, tmp_path):
    done = run_brodmann("score", MODEL, "timedecog.STG-ridge", "--over-time", "--run", tmp_path, *QUICK)
    assert done.returncode == 0, done.stderr
    assert "timedecog.STG-ridge, 20 bins" in done.stdout
    assert "onset     80 to 100 ms   95 % interval" in done.stdout
    assert "cluster   80 to 300 ms" in done.stdout
    assert "bins" in done.stdout
    drawn = sorted(path.name.rpartition("__")[2].partition(".")[2] for path in tmp_path.glob("*.png"))
    assert drawn == ["generalization.png", "overtime.png"]
    again = run_brodmann(
        "score", MODEL, "timedecog.STG-ridge", "--over-time", "--json", "--run", tmp_path, *QUICK
    )
    found = json.loads(again.stdout)
    assert found["cached"]
    assert found["latencies_ms"]["onset"]["from"] == 80
    assert len(found["r"]) == len(found["generalization"]) == 20
    assert [row["neuroid_id"] for row in found["neuroids"]] == ["e0", "e1", "e2", "e3"]
    report = run_brodmann("compare", tmp_path, "--folder", tmp_path / "report", "--no-pdf")
    assert report.returncode == 0, report.stderr
    assert (tmp_path / "report" / "figures" / "over-time.png").is_file()


def test_windows_of_ones_own(installed, tmp_path):
    done = run_brodmann(
        "score", MODEL, "timedecog.STG-ridge", "--over-time", "--windows", "-100-0,80-180,180-280", "--json",
        "--run", tmp_path, "--figure", tmp_path / "mine.svg", *QUICK,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["windows"] == [[-100, 0], [80, 180], [180, 280]]
    assert found["r"][0] < 0.2 < min(found["r"][1:])
    assert str(tmp_path / "mine.svg") in found["figures"]
    assert (tmp_path / "mine.svg").read_bytes().startswith(b"<?xml")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["timedecog.STG-ridge", "--bins-of", "40"], "--bins-of is of scores over time: add --over-time"),
        (["timedecog.STG-ridge"], "20 time bins"),
        (["timedecog.STG-ridge", "--over-time", "--windows", "soon"], "'soon' is no window: write FROM-TO"),
        (["timedecog.STG-ridge", "--over-time", "--beyond", "position"], "--beyond and --over-time"),
        (["simulated-cortex-language.LANG-ridge", "--over-time"], "no region|has no time bins|unknown"),
        (["timedecog.STG-rsa", "--over-time"], "is no regression of brodmann's own"),
        (["timedecog.STG-ridge", "--over-time", "--layers", "nowhere"], "nowhere"),
    ],
)
def test_a_mistake_is_a_line(words, said, installed, tmp_path):
    import re

    done = run_brodmann("score", MODEL, *words, "--run", tmp_path)
    assert done.returncode == 2, done.stdout
    assert len(done.stderr.strip().splitlines()) == 1
    assert re.search(said, done.stderr), done.stderr
