"""The page of a recording: its measures against a truth by construction, and that it stands alone."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from brodmann.bench.cli.main import app
from brodmann.bench.reports.recording_quality import coverage, in_time, quality
from brodmann.bench.reports.recording_report import write_recording_report
from brodmann.brain_data import load_dataset
from brodmann.brain_data.dataset import Dataset
from brodmann.brain_data.imported import Imported
from brodmann.brain_data.importing import install_recording

SIGNAL, NOISE = 1.0, 2.0


def recorded(
    n: int = 400, repetitions: int = 3, neuroids: int = 60, seed: int = 0, shown_once: int = 0
) -> Dataset:
    """Responses with a signal and noise of known size; the first stimuli were shown once."""
    rng = np.random.default_rng(seed)
    times = np.where(np.arange(n) < shown_once, 1, repetitions)
    row = np.repeat(np.arange(n), times)
    values = SIGNAL * rng.normal(size=(n, neuroids))[row] + NOISE * rng.normal(size=(len(row), neuroids)) + 5
    stimuli = pd.DataFrame(
        {"stimulus_id": [f"s{i:04d}" for i in range(n)], "sentence": [f"Text {i}." for i in range(n)]}
    )
    responses = pd.DataFrame(values, index=stimuli["stimulus_id"].to_numpy()[row])
    return Dataset.from_arrays("known", responses, stimuli, region="A")


def test_reliability_and_signal_to_noise_are_those_of_the_generator() -> None:
    table = quality(recorded())
    assert table["reliability"].mean() == pytest.approx(SIGNAL**2 / (SIGNAL**2 + NOISE**2 / 3), abs=0.02)
    assert table["snr"].mean() == pytest.approx(SIGNAL / NOISE, abs=0.02)
    assert table["mean"].mean() == pytest.approx(5, abs=0.1)
    assert table["sd"].mean() == pytest.approx(np.hypot(SIGNAL, NOISE), rel=0.02)


def test_stimuli_that_were_shown_once_count_with_the_noise_of_one_presentation() -> None:
    table = quality(recorded(n=800, shown_once=400))
    expected = SIGNAL**2 / (SIGNAL**2 + NOISE**2 * (0.5 + 0.5 / 3))
    assert table["reliability"].mean() == pytest.approx(expected, abs=0.02)


def test_blocks_of_neuroids_change_no_number(monkeypatch: pytest.MonkeyPatch) -> None:
    from brodmann.bench.reports import recording_quality

    data = recorded(n=50)
    whole = quality(data)
    monkeypatch.setattr(recording_quality, "_BLOCK", 50 * 3 * 8 * 7)
    pd.testing.assert_frame_equal(quality(data), whole, rtol=1e-12)


def test_without_repetitions_there_is_no_reliability() -> None:
    assert quality(recorded(repetitions=1, n=40))["reliability"].isna().all()


def timed() -> Imported:
    """Signal from 20 ms on only."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=(120, 8, 4))
    values[..., 2:] += 3 * np.repeat(rng.normal(size=(40, 8, 1)), 3, axis=0)
    stimuli = pd.DataFrame(
        {"stimulus_id": [f"s{i:02d}" for i in range(40)], "word": [f"w{i}" for i in range(40)]}
    )
    return Imported(
        stimuli,
        values,
        pd.DataFrame(
            {"stimulus_id": np.repeat(stimuli["stimulus_id"], 3), "run": np.tile(["1", "2", "3"], 40)}
        ),
        pd.DataFrame({"neuroid_id": list("abcdefgh"), "region": "IT", "x": range(8), "y": 0, "z": range(8)}),
        time_bins=pd.DataFrame({"time_bin_start": [0, 10, 20, 30], "time_bin_end": [10, 20, 30, 40]}),
        about={"units": "spikes/s", "license": "CC0 <b>"},
        said=("rates in bins",),
    )


def test_every_time_bin_has_its_reliability() -> None:
    install_recording("timed", timed())
    found = in_time(load_dataset("timed"))
    assert (found["reliability"].iloc[:2] < 0.5).all()
    assert (found["reliability"].iloc[2:] > 0.9).all()


def test_coverage_counts_presentations_and_stimuli_of_each_run() -> None:
    install_recording("timed", timed())
    found = coverage(load_dataset("timed"))
    assert found[["run", "presentations", "stimuli"]].to_numpy().tolist() == [
        ["1", 40, 40],
        ["2", 40, 40],
        ["3", 40, 40],
    ]


def test_the_page_stands_alone_and_says_what_was_read(tmp_path: Path) -> None:
    install_recording("timed", timed())
    page, table = write_recording_report(load_dataset("timed"), tmp_path, "brodmann data report timed")
    text = page.read_text()
    assert "http" not in text.replace("http-equiv", "")
    assert "<b>" not in text
    for words in ("rates in bins", "spikes/s", 'id="time"', "reliability-map", "time-courses", "120", "CC0"):
        assert words in text
    assert pd.read_csv(table)["reliability"].notna().all()


def test_a_series_has_a_page_with_its_runs(tmp_path: Path) -> None:
    words = pd.DataFrame({"stimulus_id": ["a", "b"], "word": ["x", "y"], "story": "one", "onset": [0.0, 1.0]})
    values = np.random.default_rng(0).normal(size=(40, 3)) + 10
    values[20:, 1] = np.nan
    shown = pd.DataFrame(
        {"stimulus_id": "one", "run": ["r1"] * 20 + ["r2"] * 20, "time": list(range(20)) * 2}
    )
    install_recording(
        "told",
        Imported(
            words, values, shown, pd.DataFrame({"neuroid_id": list("abc"), "region": "X"}), kind="series", tr=1.0,
            good=np.arange(40) > 2,
        ),
    )  # fmt: skip
    data = load_dataset("told")
    table = quality(data)
    first, second = values[3:20], values[20:]
    ratios = [one.mean(axis=0) / one.std(axis=0) for one in (first, second)]
    assert table["snr"].iloc[0] == pytest.approx(np.median([one[0] for one in ratios]))
    assert table["snr"].iloc[1] == pytest.approx(ratios[0][1])
    text = write_recording_report(data, tmp_path, "")[0].read_text()
    assert 'id="figure-runs"' in text
    assert "2 runs, 40 samples 1 s apart" in text


def test_the_command_writes_the_page(tmp_path: Path) -> None:
    from typer.testing import CliRunner

    result = CliRunner().invoke(app, ["data", "report", "simulated-cortex", "--to", str(tmp_path / "page")])
    assert result.exit_code == 0
    assert "SIMULATED" in (tmp_path / "page" / "recording.html").read_text()
