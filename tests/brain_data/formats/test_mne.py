"""EEG, MEG and ECoG: files written in the true layouts with known numbers come back as they are, or in one line."""

import struct
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from brodmann import UserError
from brodmann.brain_data.formats.recording import RECORDING_FORMATS, read_recording, recognized
from brodmann.brain_data.imported import Imported, ReadOptions

mne = pytest.importorskip("mne")

RATE = 200.0
N_TRIALS, N_CHANNELS = 12, 5
NAMES = [f"E{i}" for i in range(N_CHANNELS)]
IDS = [f"im{i % 4}" for i in range(N_TRIALS)]


def read(path: Path, **said: str) -> Imported:
    found = recognized(path)
    assert found is not None
    assert found.name == "mne"
    return read_recording(path, ReadOptions(**said), found)


def refused(path: Path, message: str, **said: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        got = read_recording(path, ReadOptions(**said), RECORDING_FORMATS["mne"])
        got.values[0:2, 0:2]
    assert "\n" not in str(caught.value).strip()


def info(kinds="eeg", rate=RATE, names=NAMES, **more):
    made = mne.create_info(list(names), rate, kinds)
    for key, value in more.items():
        if key == "line_freq":
            made[key] = value
    return made


def epochs(
    path: Path, *, metadata=True, baseline=None, event_id=None, kinds="eeg", bads=(), rate=RATE, n=N_TRIALS
):
    """Epochs from -100 to 300 ms, in volts, and the file's numbers."""
    rng = np.random.default_rng(0)
    n_times = int(0.4 * rate) + 1
    data = 1e-6 * (rng.normal(size=(n, N_CHANNELS, n_times)) + 5)
    codes = np.arange(n) % 4 + 1
    events = np.column_stack([np.arange(n) * 1000, np.zeros(n, int), codes])
    table = pd.DataFrame(
        {"stimulus_id": IDS[:n], "word": [f"w{one}" for one in IDS[:n]], "run": np.arange(n) // 6}
    )
    made = mne.EpochsArray(
        data,
        info(kinds, rate),
        events,
        tmin=-0.1,
        event_id=event_id,
        baseline=baseline,
        verbose="ERROR",
        metadata=table if metadata else None,
    )
    made.info["bads"] = list(bads)
    made.save(path, fmt="double", overwrite=True, verbose="ERROR")
    return made.get_data(copy=True), made.times


def continuous(seconds=20.0, rate=RATE, kinds="ecog", names=NAMES, seed=0):
    rng = np.random.default_rng(seed)
    data = 1e-6 * rng.normal(size=(len(names), int(seconds * rate)))
    return mne.io.RawArray(data, info(kinds, rate, names), verbose="ERROR"), data


def events_table(path: Path, onsets, ids=None, **columns) -> str:
    table = pd.DataFrame(
        {"onset": onsets, "duration": 0.5, "stimulus_id": ids or IDS[: len(onsets)]} | columns
    )
    table.to_csv(path, sep="\t", index=False)
    return str(path)


def edf(path: Path, signals, rates, labels, annotations=()):
    """EDF+ as the standard lays it out: 1 s a record, 16 bits, and a signal of annotations."""
    seconds = round(len(signals[0]) / rates[0])
    texts = [f"+{k}\x14\x14\x00" for k in range(seconds)]
    for onset, name in annotations:
        texts[int(onset)] += f"+{onset}\x15{0.5}\x14{name}\x14\x00"
    width = 2 * ((max(map(len, texts)) + 3) // 2)
    counts = [int(rate) for rate in rates] + ([width // 2] if annotations else [])
    names = [*labels, *(["EDF Annotations"] if annotations else [])]
    n = len(names)

    def fields(values, size):
        return b"".join(str(one).ljust(size)[:size].encode() for one in values)

    header = b"".join(
        [
            b"0".ljust(8),
            b"X X X X".ljust(80),
            b"Startdate 01-JAN-2020 X X X".ljust(80),
            b"01.01.2010.00.00",
            str(256 * (n + 1)).encode().ljust(8),
            (b"EDF+C" if annotations else b"").ljust(44),
            str(seconds).encode().ljust(8),
            b"1".ljust(8),
            str(n).encode().ljust(4),
            fields(names, 16),
            fields([""] * n, 80),
            fields(["uV"] * n, 8),
            fields([-1000] * n, 8),
            fields([1000] * n, 8),
            fields([-32768] * n, 8),
            fields([32767] * n, 8),
            fields([""] * n, 80),
            fields(counts, 8),
            fields([""] * n, 32),
        ]
    )
    body = b""
    for k in range(seconds):
        for signal, rate in zip(signals, rates, strict=True):
            piece = np.asarray(signal[int(k * rate) : int((k + 1) * rate)])
            body += np.rint((piece + 1000) / 2000 * 65535 - 32768).astype("<i2").tobytes()
        if annotations:
            body += texts[k].encode().ljust(width, b"\0")
    path.write_bytes(header + body)


def brainvision(path: Path, data, markers, data_name=None):
    """A header, markers and float samples, as BrainVision's recorder lays them out."""
    stem = path.stem
    path.write_text(
        "Brain Vision Data Exchange Header File Version 1.0\n\n[Common Infos]\nCodepage=UTF-8\n"
        f"DataFile={data_name or stem + '.eeg'}\nMarkerFile={stem}.vmrk\nDataFormat=BINARY\n"
        f"DataOrientation=MULTIPLEXED\nNumberOfChannels={len(data)}\nSamplingInterval={1e6 / RATE:g}\n\n"
        "[Binary Infos]\nBinaryFormat=IEEE_FLOAT_32\n\n[Channel Infos]\n"
        + "".join(f"Ch{i + 1}={name},,1,µV\n" for i, name in enumerate(NAMES[: len(data)])),
        encoding="utf-8",
    )
    lines = "".join(
        f"Mk{i + 2}={kind},{name},{place + 1},1,0\n" for i, (kind, name, place) in enumerate(markers)
    )
    (path.parent / f"{stem}.vmrk").write_text(
        "Brain Vision Data Exchange Marker File, Version 1.0\n\n[Common Infos]\nCodepage=UTF-8\n"
        f"DataFile={stem}.eeg\n\n[Marker Infos]\nMk1=New Segment,,1,1,0,20200101000000000000\n{lines}",
        encoding="utf-8",
    )
    (path.parent / f"{stem}.eeg").write_bytes(np.asarray(data).T.astype("<f4").tobytes())


def test_the_true_layout_enters(test_signals):
    path = test_signals / "true-layouts" / "tiny-epo.fif"
    got = read(path, window="70,170")
    stored = mne.read_epochs(path, verbose="ERROR")
    times = np.round(1000 * stored.times)
    truth = stored.get_data()[..., (times >= 70) & (times < 170)].mean(axis=-1)
    np.testing.assert_allclose(got.values[:, :], truth, rtol=1e-6)
    assert got.presentations["stimulus_id"].tolist() == stored.metadata["stimulus_id"].tolist()
    assert (got.about["units"], got.about["technique"]) == ("V", "EEG")
    assert len(got.stimuli) == 20
    refused(path, r"which time after onset .* --window A,B .* --bins A,B,WIDTH .* from -100 to 500 ms")


def test_bins_hold_the_samples_from_their_start_up_to_their_end(tmp_path):
    data, times = epochs(tmp_path / "a-epo.fif")
    got = read(tmp_path / "a-epo.fif", bins="-100,300,20")
    assert got.values.shape == (N_TRIALS, N_CHANNELS, 20)
    milliseconds = np.round(1000 * times)
    for place, start in enumerate(np.arange(-100, 300, 20)):
        inside = (milliseconds >= start) & (milliseconds < start + 20)
        np.testing.assert_allclose(got.values[:, :][..., place], data[..., inside].mean(axis=-1), rtol=1e-6)
    assert got.time_bins["time_bin_start"].tolist() == list(np.arange(-100, 300, 20))
    np.testing.assert_array_equal(got.values[3:7, 1:3], got.values[:, :][3:7, 1:3])


def test_a_stored_baseline_is_kept_and_not_taken_away_twice(tmp_path):
    """What was subtracted leaves the mean of the baseline at zero; a further offset must survive."""
    path = tmp_path / "a-epo.fif"
    data, times = epochs(path, baseline=(None, 0))
    got = read(path, bins="-100,300,20")
    np.testing.assert_allclose(
        got.values[:, :][..., -1], data[..., (times >= 0.28) & (times < 0.2999)].mean(-1), rtol=1e-5
    )
    assert any("baseline: -100 to 0 ms, as it was subtracted before saving" in line for line in got.said)
    epochs(path)
    assert any("baseline: none" in line for line in read(path, window="0,100").said)
    assert abs(read(path, window="-100,0").values[:, :].mean() - 5e-6) < 1e-7


def test_a_column_of_words_names_and_is_the_stimulus(tmp_path):
    epochs(tmp_path / "a-epo.fif")
    got = read(tmp_path / "a-epo.fif", window="0,100", stimulus_column="word")
    assert got.presentations["stimulus_id"].tolist() == [f"w{one}" for one in IDS]
    assert set(got.presentations["run"]) == {"0", "1"}
    refused(
        tmp_path / "a-epo.fif",
        "unknown column of metadata of a-epo.fif 'wrod': did you mean 'word'",
        window="0,100",
        stimulus_column="wrod",
    )


def test_names_of_events_are_ids_and_their_codes_are_not(tmp_path):
    path = tmp_path / "a-epo.fif"
    epochs(path, metadata=False, event_id={"face": 1, "house": 2, "cat": 3, "shoe": 4})
    got = read(path, window="0,100")
    assert got.presentations["stimulus_id"].tolist()[:4] == ["face", "house", "cat", "shoe"]
    refused(path, "has no metadata, so no column 'word'", window="0,100", stimulus_column="word")
    epochs(path, metadata=False)
    refused(
        path,
        r"no metadata, and event codes alone \(1, 2, 3, 4\) are no stimulus ids.*--events",
        window="0,100",
    )
    pd.DataFrame({"image": IDS}).to_csv(tmp_path / "trials.csv", index=False)
    got = read(path, window="0,100", events="trials.csv", stimulus_column="image")
    assert got.presentations["stimulus_id"].tolist() == IDS
    pd.DataFrame({"image": IDS[:5]}).to_csv(tmp_path / "trials.csv", index=False)
    refused(
        path,
        "trials.csv has 5 rows, but a-epo.fif has 12 epochs",
        window="0,100",
        events="trials.csv",
        stimulus_column="image",
    )


def test_the_table_may_list_epochs_that_were_dropped(tmp_path):
    path = tmp_path / "a-epo.fif"
    epochs(path, metadata=False)
    kept = mne.read_epochs(path, verbose="ERROR").drop([2, 7], verbose="ERROR")
    kept.save(path, overwrite=True, verbose="ERROR")
    pd.DataFrame({"stimulus_id": [f"t{i}" for i in range(N_TRIALS)]}).to_csv(
        tmp_path / "trials.csv", index=False
    )
    got = read(path, window="0,100", events="trials.csv")
    assert got.presentations["stimulus_id"].tolist() == [f"t{i}" for i in range(N_TRIALS) if i not in (2, 7)]


def test_split_files_are_one_recording(tmp_path):
    rng = np.random.default_rng(0)
    n = 60
    data = 1e-6 * rng.normal(size=(n, N_CHANNELS, 2001))
    events = np.column_stack([np.arange(n) * 3000, np.zeros(n, int), np.ones(n, int)])
    table = pd.DataFrame({"stimulus_id": [f"s{i}" for i in range(n)]})
    made = mne.EpochsArray(data, info(rate=1000.0), events, tmin=0, metadata=table, verbose="ERROR")
    made.save(tmp_path / "a-epo.fif", split_size="2MB", fmt="double", verbose="ERROR")
    assert (tmp_path / "a-epo-1.fif").is_file()
    for path in (tmp_path / "a-epo.fif", tmp_path):
        got = read(path, window="0,500")
        np.testing.assert_allclose(got.values[:, :], data[..., :500].mean(axis=-1), rtol=1e-5)
        assert len(set(got.presentations["stimulus_id"])) == n
    refused(tmp_path / "a-epo-1.fif", "later part of a split recording: give the first", window="0,500")
    (tmp_path / "a-epo-1.fif").unlink()
    refused(tmp_path / "a-epo.fif", "damaged or cut short|is missing", window="0,500")


def test_bad_and_other_channels_are_left_out_and_counted(tmp_path):
    path = tmp_path / "a-epo.fif"
    data, times = epochs(path, kinds=["eeg", "eeg", "eeg", "eog", "misc"], bads=["E1"])
    got = read(path, window="0,100")
    assert got.neuroids["neuroid_id"].tolist() == ["E0", "E2"]
    assert got.left_out == {"channels marked bad": 1, "channels of other kinds": 2}
    np.testing.assert_allclose(
        got.values[:, :], data[:, [0, 2]][..., (times >= 0) & (times < 0.0999)].mean(-1), rtol=1e-6
    )
    refused(path, "all 1 channels that were asked for are marked bad", window="0,100", channels="E1")
    epochs(path, kinds=["mag", "mag", "grad", "grad", "eeg"])
    refused(
        path,
        r"channels of several kinds: mag \(2\), grad \(2\), eeg \(1\); say which to take by --channels",
        window="0,100",
    )
    got = read(path, window="0,100", channels="meg")
    assert got.neuroids["channel_kind"].tolist() == ["mag", "mag", "grad", "grad"]
    assert (got.about["units"], got.about["technique"]) == ("T, T/m", "MEG")
    assert read(path, window="0,100", channels="E4,grad").neuroids["neuroid_id"].tolist() == [
        "E2",
        "E3",
        "E4",
    ]
    refused(
        path,
        "unknown kind or name of channels of a-epo.fif 'gard': did you mean 'grad'",
        window="0,100",
        channels="gard",
    )


def test_positions_are_in_mm(tmp_path):
    raw, _ = continuous()
    places = {name: np.array([0.01 * i, 0.02, 0.03]) for i, name in enumerate(NAMES[:4])}
    raw.set_montage(
        mne.channels.make_dig_montage(places, coord_frame="head"), on_missing="ignore", verbose="ERROR"
    )
    raw.save(tmp_path / "a_raw.fif", verbose="ERROR")
    table = events_table(tmp_path / "e.tsv", [1.0, 2.0])
    got = read(tmp_path / "a_raw.fif", events=table, window="0,100")
    np.testing.assert_allclose(
        got.neuroids[["x", "y", "z"]].to_numpy()[:4], 1000 * np.array(list(places.values())), atol=1e-4
    )
    assert got.neuroids["x"].isna().tolist() == [False] * 4 + [True]
    assert any("positions in mm in head coordinates, 1 channels without" in line for line in got.said)


def test_sensors_of_a_device_are_turned_to_the_head(tmp_path):
    raw, _ = continuous(kinds="mag")
    for place, channel in enumerate(raw.info["chs"]):
        channel["loc"][:3] = [0.1, 0.01 * place, 0.0]
    turn = np.array([[0, -1, 0, 0.0], [1, 0, 0, 0.0], [0, 0, 1, 0.04], [0, 0, 0, 1.0]])
    raw.info["dev_head_t"] = mne.transforms.Transform("meg", "head", turn)
    raw.save(tmp_path / "a_raw.fif", verbose="ERROR")
    got = read(tmp_path / "a_raw.fif", events=events_table(tmp_path / "e.tsv", [1.0]), window="0,100")
    truth = [[-10 * i, 100, 40] for i in range(N_CHANNELS)]
    np.testing.assert_allclose(got.neuroids[["x", "y", "z"]].to_numpy(), truth, atol=1e-3)


def test_a_continuous_recording_is_cut_at_the_onsets_of_a_table(tmp_path):
    raw, data = continuous()
    raw.set_annotations(mne.Annotations([4.9], [0.3], ["BAD_blink"]))
    raw.save(tmp_path / "a_raw.fif", fmt="double", verbose="ERROR")
    onsets = [1.0, 2.5, 5.0, 10.0, 19.95]
    table = events_table(tmp_path / "e.tsv", onsets, session=["a"] * 5)
    got = read(tmp_path / "a_raw.fif", events=table, window="50,150")
    truth = [data[:, int(one * RATE) + 10 : int(one * RATE) + 30].mean(axis=1) for one in (1.0, 2.5, 10.0)]
    np.testing.assert_allclose(got.values[:, :], truth, rtol=1e-5)
    assert got.left_out == {"trials whose window leaves the recording": 1, "trials in segments marked bad": 1}
    assert got.presentations["stimulus_id"].tolist() == [IDS[0], IDS[1], IDS[3]]
    got = read(tmp_path / "a_raw.fif", events=table, bins="-100,100,50")
    np.testing.assert_allclose(
        got.values[0:1, 2:4][0],
        np.stack([data[2:4, 180 + 10 * b : 190 + 10 * b].mean(1) for b in range(4)], 1),
        rtol=1e-5,
    )
    events_table(tmp_path / "e.tsv", [1000.0, 2500.0])
    refused(
        tmp_path / "a_raw.fif",
        r"2 of 2 events lie outside of a_raw.fif, which lasts from 0 to 20 s \(first: onset "
        r"1000\): onsets are in s",
        events=table,
        window="0,100",
    )


def test_a_recording_that_was_cropped_keeps_its_clock(tmp_path):
    """Annotations and samples of a file that begins late."""
    raw, data = continuous()
    raw.set_annotations(mne.Annotations([8.0, 9.0], [0.2, 0.2], ["cat", "dog"]))
    raw.crop(5.0).save(tmp_path / "a_raw.fif", fmt="double", verbose="ERROR")
    got = read(tmp_path / "a_raw.fif", window="0,100")
    assert got.presentations["stimulus_id"].tolist() == ["cat", "dog"]
    np.testing.assert_allclose(
        got.values[:, :], [data[:, k : k + 20].mean(axis=1) for k in (1600, 1800)], rtol=1e-5
    )


def test_edf_with_annotations(tmp_path):
    rng = np.random.default_rng(0)
    signals = [200 * rng.normal(size=2000).clip(-4, 4) for _ in range(3)]
    edf(tmp_path / "a.edf", signals, [200] * 3, NAMES[:3], [(1.0, "cat"), (4.5, "dog"), (7.0, "cat")])
    got = read(tmp_path / "a.edf", window="0,100")
    assert got.presentations["stimulus_id"].tolist() == ["cat", "dog", "cat"]
    truth = [
        [1e-6 * one[int(t * 200) : int(t * 200) + 20].mean() for one in signals] for t in (1.0, 4.5, 7.0)
    ]
    np.testing.assert_allclose(got.values[:, :], truth, atol=2e-8)
    edf(tmp_path / "b.edf", signals, [200] * 3, NAMES[:3])
    refused(
        tmp_path / "b.edf",
        r"b.edf has no annotations that say what was shown: give a table .* by --events FILE",
        window="0,100",
    )
    edf(tmp_path / "c.edf", signals, [200] * 3, NAMES[:3], [(1.0, "12"), (2.0, "13")])
    refused(tmp_path / "c.edf", r"event codes alone \(12, 13\) are no stimulus ids", window="0,100")
    whole = (tmp_path / "a.edf").read_bytes()
    (tmp_path / "a.edf").write_bytes(whole[: len(whole) // 2])
    refused(tmp_path / "a.edf", "a.edf is cut short: it says 10 records and holds 4", window="0,100")
    (tmp_path / "a.edf").write_bytes(whole[:500])
    refused(tmp_path / "a.edf", "a.edf is cut short in its header", window="0,100")


def test_channels_of_several_rates_are_not_stretched_to_one(tmp_path):
    rng = np.random.default_rng(0)
    signals = [rng.normal(size=2000), rng.normal(size=2000), rng.normal(size=1000)]
    edf(tmp_path / "a.edf", signals, [200, 200, 100], NAMES[:3], [(1.0, "cat")])
    refused(
        tmp_path / "a.edf",
        r"different sampling rates \(E2 and others\): take those of one rate by --channels",
        window="0,100",
    )
    assert read(tmp_path / "a.edf", window="0,100", channels="E0,E1").values.shape == (1, 2)


def test_brainvision(tmp_path):
    rng = np.random.default_rng(0)
    data = rng.normal(size=(3, 2000))
    markers = [("Stimulus", "cat", 200), ("Stimulus", "dog", 900), ("Response", "R  1", 950)]
    brainvision(tmp_path / "a.vhdr", data, markers)
    got = read(tmp_path / "a.vhdr", window="0,100")
    assert got.presentations["stimulus_id"].tolist() == ["Stimulus/cat", "Stimulus/dog"]
    assert "events that are codes alone: 1, left out" in got.said
    np.testing.assert_allclose(
        got.values[:, :], [1e-6 * data[:, k : k + 20].mean(axis=1) for k in (200, 900)], rtol=1e-4
    )
    brainvision(tmp_path / "b.vhdr", data, [("Stimulus", "S  1", 200), ("Stimulus", "S 12", 900)])
    refused(
        tmp_path / "b.vhdr",
        r"event codes alone \(Stimulus/S  1, Stimulus/S 12\) are no stimulus ids",
        window="0,100",
    )
    brainvision(tmp_path / "c.vhdr", data, markers, data_name="../c.eeg")
    refused(tmp_path / "c.vhdr", "DataFile is '../c.eeg', out of its folder: refused", window="0,100")
    (tmp_path / "a.eeg").write_bytes((tmp_path / "a.eeg").read_bytes()[:-3])
    refused(tmp_path / "a.vhdr", "a.eeg is cut short", window="0,100")
    (tmp_path / "a.eeg").unlink()
    refused(tmp_path / "a.vhdr", "DataFile 'a.eeg' is not beside it", window="0,100")


def test_files_of_a_folder_are_runs_and_must_be_alike(tmp_path):
    for run, seed in (("1", 0), ("2", 1)):
        raw, _ = continuous(seed=seed)
        raw.set_annotations(mne.Annotations([3.0, 6.0], [0.2, 0.2], ["cat", "dog"]))
        raw.save(tmp_path / f"sub-01_run-{run}_raw.fif", fmt="double", verbose="ERROR")
    got = read(tmp_path, window="0,100")
    assert got.presentations["run"].tolist() == ["run-1", "run-1", "run-2", "run-2"]
    assert set(got.neuroids["subject"]) == {"01"}
    truth = [continuous(seed=seed)[1][:, k : k + 20].mean(axis=1) for seed in (0, 1) for k in (600, 1200)]
    np.testing.assert_allclose(got.values[:, :], truth, rtol=1e-5)
    np.testing.assert_array_equal(got.values[1:3, 2:4], got.values[:, :][1:3, 2:4])
    raw, _ = continuous(rate=250.0)
    raw.save(tmp_path / "sub-01_run-3_raw.fif", verbose="ERROR")
    refused(tmp_path, r"has 200 samples a second and sub-01_run-3_raw.fif 250: resample", window="0,100")
    (tmp_path / "sub-01_run-3_raw.fif").rename(tmp_path / "sub-02_run-1_raw.fif")
    refused(tmp_path, r"files of 2 subjects \(01, 02\): say which by --subject", window="0,100")
    assert len(read(tmp_path, window="0,100", subject="01").presentations) == 4


@pytest.mark.parametrize("names", [("a-epo.fif", "b-epo.fif"), ("x_run-1_b-epo.fif", "y_run-1_b-epo.fif")])
def test_several_files_of_epochs_stay_open(tmp_path, names):
    """Also where two are called alike."""
    folder = tmp_path / "files"
    folder.mkdir()
    for name in names:
        data, times = epochs(folder / name)
    got = read(folder, window="0,100")
    here = (times >= -1e-9) & (times < 0.1 - 1e-9)
    np.testing.assert_allclose(got.values[:, :], np.tile(data[:, :, here].mean(axis=2), (2, 1)), rtol=1e-5)
    assert got.presentations["run"].nunique() == 4


def test_a_table_of_several_files_says_by_run_which_are_of_each(tmp_path):
    """Else the events of one run would be cut out of the others, too."""
    folder = tmp_path / "files"
    folder.mkdir()
    for run in ("01", "02"):
        raw, _ = continuous(seed=int(run))
        raw.save(folder / f"sub-01_run-{run}_raw.fif", fmt="double", verbose="ERROR")
    table = pd.DataFrame({"onset": [6.0, 3.0], "stimulus_id": ["cat", "dog"], "run": [2, 1]})
    events = tmp_path / "events.tsv"
    for names in ([2, 1], ["02", "01"], ["run-2", "run-1"], ["run-02", "run-01"]):
        table.assign(run=names).to_csv(events, sep="\t", index=False)
        got = read(folder, window="0,100", events=str(events))
        assert got.presentations["run"].tolist() == ["run-01", "run-02"]
        assert got.presentations["stimulus_id"].tolist() == ["dog", "cat"]
        truth = [continuous(seed=seed)[1][:, k : k + 20].mean(axis=1) for seed, k in ((1, 600), (2, 1200))]
        np.testing.assert_allclose(got.values[:, :], truth, rtol=1e-5)
    table.assign(run=[2, 3]).to_csv(events, sep="\t", index=False)
    refused(
        folder, "run '3' is of no file: call it as one of run-01, run-02", window="0,100", events=str(events)
    )
    table.assign(run=[2, 2]).to_csv(events, sep="\t", index=False)
    refused(folder, "has no row of the run 'run-01'", window="0,100", events=str(events))
    table.drop(columns="run").to_csv(events, sep="\t", index=False)
    got = read(folder, window="0,100", events=str(events))
    assert len(got.presentations) == 4
    assert any("is taken for each of 2 files" in line for line in got.said)


def test_a_split_recording_stays_in_its_folder(tmp_path):
    """The name of the next part is data of a stranger."""
    raw, _ = continuous(seconds=100.0, rate=1000.0)
    inside = tmp_path / "inside"
    inside.mkdir()
    raw.save(inside / "a_raw.fif", split_size="3MB", fmt="double", verbose="ERROR")
    whole = read(inside / "a_raw.fif", series="yes")
    assert whole.values.shape == (100_000, N_CHANNELS)
    np.testing.assert_allclose(whole.values[70_000:80_000, :], raw.get_data()[:, 70_000:80_000].T, rtol=1e-6)
    spoiled = (inside / "a_raw.fif").read_bytes()
    assert spoiled.count(b"a_raw-1.fif") == 1
    (inside / "a_raw.fif").write_bytes(spoiled.replace(b"a_raw-1.fif", b"../braw.fif"))
    (inside / "a_raw-1.fif").rename(tmp_path / "braw.fif")
    refused(inside / "a_raw.fif", r"goes on in .*braw.fif, out of its folder: refused", series="yes")


def test_the_subject_of_the_metadata_wins_over_the_name_of_the_file(tmp_path):
    path = tmp_path / "sub-07_task-x_epo.fif"
    epochs(path)
    made = mne.read_epochs(path, verbose="ERROR")
    made.metadata = made.metadata.assign(subject=["s1"] * 7 + ["s2"] * 5)
    made.save(path, overwrite=True, verbose="ERROR")
    refused(path, r"has rows of 2 subjects \(s1, s2\): say which by --subject", window="0,100")
    got = read(path, window="0,100", subject="s2")
    assert got.values.shape == (5, N_CHANNELS)
    np.testing.assert_array_equal(
        got.values[1:3, :], read(path, window="0,100", subject="s2").values[:, :][1:3]
    )
    assert set(got.neuroids["subject"]) == {"s2"}
    assert "subject" not in got.presentations


def test_bdf_has_24_bits(tmp_path):
    rng = np.random.default_rng(0)
    signals = [100 * rng.normal(size=2000).clip(-4, 4) for _ in range(2)]
    edf(tmp_path / "a.edf", signals, [200] * 2, NAMES[:2])
    header = bytearray((tmp_path / "a.edf").read_bytes()[: 256 * 3])
    header[:8] = b"\xffBIOSEMI"
    for place, limit in ((120, b"-8388608"), (128, b"8388607 ")):
        header[256 + 2 * place : 256 + 2 * (place + 8)] = 2 * limit
    body = b"".join(
        np.rint((one[200 * k : 200 * (k + 1)] + 1000) / 2000 * (2**24 - 1) - 2**23).astype("<i4").tobytes()
        for k in range(10)
        for one in signals
    )
    packed = np.frombuffer(body, np.uint8).reshape(-1, 4)[:, :3].tobytes()
    (tmp_path / "b.bdf").write_bytes(bytes(header) + packed)
    got = read(tmp_path / "b.bdf", window="0,100", events=events_table(tmp_path / "e.tsv", [1.0, 4.0]))
    np.testing.assert_allclose(
        got.values[:, :], [[1e-6 * one[k : k + 20].mean() for one in signals] for k in (200, 800)], atol=1e-10
    )
    (tmp_path / "b.bdf").write_bytes(bytes(header) + packed[:-900])
    refused(
        tmp_path / "b.bdf",
        "b.bdf is cut short: it says 10 records and holds 9.2",
        window="0,100",
        events="e.tsv",
    )


def test_truncated_and_foreign_files_are_one_line(tmp_path):
    path = tmp_path / "a-epo.fif"
    epochs(path)
    whole = path.read_bytes()
    for n_bytes in (60, 700, len(whole) // 3, len(whole) - 4000):
        path.write_bytes(whole[:n_bytes])
        refused(path, "a-epo.fif is damaged or cut short", window="0,100")
    raw, _ = continuous()
    raw.save(tmp_path / "b_raw.fif", verbose="ERROR")
    whole = (tmp_path / "b_raw.fif").read_bytes()
    for n_bytes in (len(whole) // 2, len(whole) - 20):
        (tmp_path / "b_raw.fif").write_bytes(whole[:n_bytes])
        refused(tmp_path / "b_raw.fif", "b_raw.fif is damaged or cut short", series="yes")
    path.write_bytes(struct.pack(">i", 100) + b"nothing" * 50)
    refused(path, "damaged or cut short", window="0,100")
    (tmp_path / "c-epo.fif").write_bytes(b"no fif")
    assert recognized(tmp_path / "c-epo.fif") is None


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"window": "200,500"}, "from 200 to 500 ms leaves the epochs, which last from -100 to 300 ms"),
        ({"bins": "0,100,30"}, "bins of 30 ms do not fill 0 to 100 ms"),
        ({"bins": "0,100,2"}, "bins hold no sample: there is one every 5 ms"),
        ({"window": "100,0"}, "it ends before it begins"),
        ({"window": "0,100", "bins": "0,100,20"}, "both --window and --bins are said"),
        ({"window": "0,100", "band": "high-gamma"}, "--band needs the continuous signal"),
        ({"window": "0,100", "line": "50"}, "--line is of --band"),
        ({"window": "0,100", "tr": "0.1"}, "--tr is of samples in time"),
        ({"series": "yes"}, "--series needs a continuous recording"),
        ({"window": "0,100", "task": "view"}, "unknown option of mne '--task'"),
    ],
)
def test_what_is_asked_and_cannot_be(tmp_path, said, message):
    epochs(tmp_path / "a-epo.fif")
    refused(tmp_path / "a-epo.fif", message, **said)


def test_empty_ids_and_onsets_are_one_line(tmp_path):
    path = tmp_path / "a-epo.fif"
    epochs(path, metadata=False)
    pd.DataFrame({"stimulus_id": [*IDS[:3], "", *IDS[4:]], "x": 1}).to_csv(tmp_path / "e.csv", index=False)
    refused(
        path,
        r"1 of 12 trials have no stimulus_id \(first: row 4\)",
        window="0,100",
        events=str(tmp_path / "e.csv"),
    )
    raw, _ = continuous()
    raw.save(tmp_path / "a_raw.fif", verbose="ERROR")
    table = events_table(tmp_path / "e.tsv", [1.0, np.nan, 3.0])
    refused(tmp_path / "a_raw.fif", "onset in row 3 is nan, not a number", window="0,100", events=table)
    refused(tmp_path / "a_raw.fif", "there is no such table", window="0,100", events="elsewhere.tsv")


def envelope(rng, n, rate):
    from scipy.signal import butter, sosfiltfilt

    slow = sosfiltfilt(butter(2, 2.0, fs=rate, output="sos"), rng.normal(size=n))
    return 1 + 0.5 * np.tanh(slow / slow.std())


def high_gamma(seconds=30.0, rate=1000.0, seed=0, n_channels=3):
    """Carriers in eight bands under a known envelope, in 1/f noise, alpha, and mains with harmonics."""
    rng = np.random.default_rng(seed)
    n = int(seconds * rate)
    t = np.arange(n) / rate
    truth, signals = [], []
    for _ in range(n_channels):
        slow = envelope(rng, n, rate)
        carriers = sum(np.sin(2 * np.pi * f * t + rng.uniform(0, 2 * np.pi)) for f in range(75, 150, 10))
        spectrum = np.fft.rfft(rng.normal(size=n)) / np.sqrt(np.maximum(np.fft.rfftfreq(n, 1 / rate), 1))
        pink = np.fft.irfft(spectrum, n)
        mains = sum(np.sin(2 * np.pi * k * 60 * t) / k for k in (1, 2, 3))
        signals.append(
            slow * carriers / 2 + 0.8 * pink / pink.std() + 3 * np.sin(2 * np.pi * 10 * t) + 4 * mains
        )
        truth.append(slow)
    return 1e-5 * np.array(signals), np.array(truth)


def test_high_gamma_follows_the_true_envelope(tmp_path):
    """In bins of 10 ms the r with the envelope that the carriers were made with is .95 or more."""
    signals, truth = high_gamma()
    raw = mne.io.RawArray(signals, info("ecog", 1000.0, NAMES[:3]), verbose="ERROR")
    raw.save(tmp_path / "a_raw.fif", fmt="double", verbose="ERROR")
    got = read(tmp_path / "a_raw.fif", series="yes", tr="0.01", band="high-gamma", line="60")
    assert (got.kind, got.tr, got.values.shape) == ("series", 0.01, (3000, 3))
    amplitude = got.values[:, :]
    for place in range(3):
        r = np.corrcoef(amplitude[:, place], truth[place].reshape(-1, 10).mean(axis=1))[0, 1]
        assert r >= 0.95, r
    np.testing.assert_allclose(amplitude.mean(axis=0), 1, atol=1e-3)
    np.testing.assert_array_equal(got.values[100:200, 1:2], amplitude[100:200, 1:2])
    noisy = read(tmp_path / "a_raw.fif", series="yes", tr="0.01", band="high-gamma", line="0").values[:, :]
    assert (
        np.corrcoef(noisy[:, 0], truth[0].reshape(-1, 10).mean(axis=1))[0, 1]
        < np.corrcoef(amplitude[:, 0], truth[0].reshape(-1, 10).mean(axis=1))[0, 1]
    )
    assert got.about["units"] == "amplitude in the band over its mean"


def test_amplitudes_are_made_before_epochs_are_cut(tmp_path):
    """Bins of trials equal the bins of the continuous amplitude, to the sample; one second alone would ring."""
    signals, _ = high_gamma()
    raw = mne.io.RawArray(signals, info("ecog", 1000.0, NAMES[:3]), verbose="ERROR")
    raw.save(tmp_path / "a_raw.fif", fmt="double", verbose="ERROR")
    series = read(tmp_path / "a_raw.fif", series="yes", band="high-gamma", line="60").values[:, :]
    table = events_table(tmp_path / "e.tsv", [2.0, 11.0, 20.5])
    got = read(tmp_path / "a_raw.fif", events=table, bins="-100,300,10", band="high-gamma", line="60")
    assert got.values.shape == (3, 3, 40)
    for row, onset in enumerate((2000, 11000, 20500)):
        truth = series[onset - 100 : onset + 300].reshape(40, 10, 3).mean(axis=1).T
        np.testing.assert_allclose(got.values[:, :][row], truth, rtol=1e-4)
    window = read(tmp_path / "a_raw.fif", events=table, window="0,300", band="70,150", line="60")
    np.testing.assert_allclose(window.values[:, :], got.values[:, :][..., 10:].mean(axis=-1), rtol=1e-4)


def test_bands_that_the_signal_cannot_hold(tmp_path):
    raw, _ = continuous(rate=250.0)
    raw.save(tmp_path / "a_raw.fif", verbose="ERROR")
    table = events_table(tmp_path / "e.tsv", [1.0, 2.0])
    refused(
        tmp_path / "a_raw.fif",
        "a band up to 150 Hz needs more than 300 samples a second, and there are 250",
        events=table,
        window="0,100",
        band="high-gamma",
        line="50",
    )
    refused(
        tmp_path / "a_raw.fif",
        "say the frequency of the mains by --line 50 or --line 60",
        events=table,
        window="0,100",
        band="30,80",
    )
    refused(
        tmp_path / "a_raw.fif",
        "a band goes from a frequency above 0 Hz to a higher one",
        events=table,
        window="0,100",
        band="80,30",
        line="50",
    )
    raw, _ = continuous(rate=1000.0)
    raw.filter(None, 120.0, picks="all", verbose="ERROR").save(tmp_path / "b_raw.fif", verbose="ERROR")
    refused(
        tmp_path / "b_raw.fif",
        "was low-passed at 120 Hz before it was saved: there is no band up to 150 Hz",
        events=table,
        window="0,100",
        band="high-gamma",
        line="50",
    )


def test_a_channel_with_nan_has_no_amplitude_and_the_others_have(tmp_path):
    signals, _ = high_gamma(seconds=5)
    signals[1, 300] = np.nan
    raw = mne.io.RawArray(signals, info("ecog", 1000.0, NAMES[:3]), verbose="ERROR")
    raw.save(tmp_path / "a_raw.fif", fmt="double", verbose="ERROR")
    values = read(tmp_path / "a_raw.fif", series="yes", tr="0.1", band="high-gamma", line="60").values[:, :]
    assert np.isnan(values).all(axis=0).tolist() == [False, True, False]
    assert np.isfinite(values[:, [0, 2]]).all()


def test_the_continuous_signal_is_a_series_of_stories(tmp_path):
    raw, data = continuous(seconds=30.0)
    raw.set_annotations(mne.Annotations([12.0], [1.0], ["BAD_move"]))
    raw.save(tmp_path / "a_raw.fif", fmt="double", verbose="ERROR")
    whole = read(tmp_path / "a_raw.fif", series="yes")
    np.testing.assert_allclose(whole.values[:, :], data.T, rtol=1e-6)
    assert (whole.kind, whole.tr, set(whole.presentations["run"])) == ("series", 1 / RATE, {"a"})
    assert whole.good.sum() == len(whole.good) - RATE
    table = pd.DataFrame(
        {"onset": [2.0, 10.0, 20.0], "duration": [5.0, 6.0, 5.0], "story": ["fox", "owl", "fox"]}
    )
    table.to_csv(tmp_path / "e.csv", index=False)
    words = pd.DataFrame(
        {
            "story": ["fox", "fox", "owl"],
            "word": ["a", "b", "c"],
            "onset": [0, 1.0, 0],
            "offset": [0.5, 1.5, 0.5],
        }
    )
    words.to_csv(tmp_path / "words.csv", index=False)
    got = read(
        tmp_path / "a_raw.fif",
        series="yes",
        tr="0.1",
        events="e.csv",
        stimulus_column="story",
        stimuli=str(tmp_path / "words.csv"),
    )
    assert got.values.shape == (160, N_CHANNELS)
    truth = np.concatenate(
        [
            data[:, int(a * RATE) : int(b * RATE)].reshape(N_CHANNELS, -1, 20).mean(axis=2).T
            for a, b in ((2, 7), (10, 16), (20, 25))
        ]
    )
    np.testing.assert_allclose(got.values[:, :], truth, rtol=1e-5)
    np.testing.assert_allclose(got.values[45:70, 1:3], truth[45:70, 1:3], rtol=1e-5)
    rows = got.presentations
    assert rows.groupby("run", sort=False)["stimulus_id"].first().to_dict() == {
        "a_1": "fox",
        "a_2": "owl",
        "a_3": "fox",
    }
    assert rows.groupby("run")["repetition"].first().tolist() == [0, 0, 1]
    assert rows["time"].tolist()[:3] == pytest.approx([0.0, 0.1, 0.2])
    assert (~got.good).sum() == 10
    assert got.left_out == {"samples outside of stories": int(14 * RATE)}
    refused(
        tmp_path / "a_raw.fif",
        r"--tr 0.007: 1.4 samples are no whole number: there is one every 0.005 s",
        series="yes",
        tr="0.007",
    )


def test_pictures_come_from_a_folder(tmp_path):
    from PIL import Image

    epochs(tmp_path / "a-epo.fif")
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for one in dict.fromkeys(IDS):
        Image.new("RGB", (8, 8)).save(pictures / f"{one}.png")
    got = read(tmp_path / "a-epo.fif", window="0,100", stimuli=str(pictures))
    assert {one: path.name for one, path in got.pictures.items()} == {one: f"{one}.png" for one in set(IDS)}
    (pictures / "im2.png").unlink()
    refused(
        tmp_path / "a-epo.fif",
        "1 of 4 stimuli have no picture .*'im2'",
        window="0,100",
        stimuli=str(pictures),
    )
    refused(tmp_path / "a-epo.fif", "there is no such file or folder", window="0,100", stimuli="elsewhere")
