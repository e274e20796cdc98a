"""Folders of Kilosort and Phy: spikes as they are counted by hand, curated clusters, and folders that are broken."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from brodmann.brain_data.formats import phy
from brodmann.brain_data.formats.phy import cluster_counts
from brodmann.brain_data.formats.recording import RECORDING_FORMATS, read_recording, recognized
from brodmann.brain_data.read_options import ReadOptions
from brodmann.brain_data.timeseries.windows import bins, window
from brodmann.errors import UserError

from .recordings_of_cells import counted, generated

RATE = 30_000


def read(path, **options):
    return read_recording(path, ReadOptions(**options), RECORDING_FORMATS["phy"])


def everything(values):
    return values[0 : values.shape[0], 0 : values.shape[1]]


@pytest.fixture(scope="module")
def made(test_signals):
    return generated(test_signals)


@pytest.fixture
def folder(made, tmp_path):
    """Cells 0 to 9 as clusters 3, 13, 23 ... on a probe of 12 channels; 83 is mua, 93 noise."""
    path = tmp_path / "sorted"
    path.mkdir()
    samples = np.concatenate([np.round(one * RATE) for one in made["spike_times"]]).astype(np.uint64)
    cells = np.concatenate([np.full(len(one), i) for i, one in enumerate(made["spike_times"])])
    order = np.argsort(samples, kind="stable")
    np.save(path / "spike_times.npy", samples[order][:, None])
    np.save(path / "spike_clusters.npy", (10 * cells + 3)[order].astype(np.int32))
    np.save(path / "spike_templates.npy", cells[order].astype(np.int32)[:, None])
    np.save(
        path / "channel_positions.npy", np.stack([np.arange(12) % 2 * 32.0, np.arange(12) * 20.0], axis=1)
    )
    templates = np.random.default_rng(0).normal(scale=0.1, size=(10, 30, 12)).astype(np.float32)
    for i in range(10):
        templates[i, 15, i + 1] = -5
    np.save(path / "templates.npy", templates)
    (path / "params.py").write_text(
        "import os; os.mkdir('ran')  # nothing of this runs\ndat_path = 'x.bin'\nsample_rate = 30000.\n"
    )
    groups = ["good"] * 8 + ["mua", "noise"]
    (path / "cluster_group.tsv").write_text(
        "cluster_id\tgroup\n" + "".join(f"{10 * i + 3}\t{one}\n" for i, one in enumerate(groups))
    )
    (path / "cluster_KSLabel.tsv").write_text(
        "cluster_id\tKSLabel\n" + "".join(f"{10 * i + 3}\t{'good' if i % 2 else 'mua'}\n" for i in range(10))
    )
    (tmp_path / "onsets.csv").write_text(
        "onset,duration,stimulus_id\n"
        + "".join(
            f"{t!r},0.2,im{one:02d}\n"
            for t, one in zip(made["onsets"].tolist(), made["stimulus"], strict=True)
        )
    )
    return path


@pytest.fixture
def onsets(folder):
    return str(folder.parent / "onsets.csv")


def in_samples(made):
    """Whole samples of spikes and of onsets: no border of a window is rounded."""
    return [np.round(one * RATE) for one in made["spike_times"]], np.round(made["onsets"] * RATE)


def test_rates_are_the_counts_of_numpy_exactly(folder, onsets, made, monkeypatch):
    monkeypatch.chdir(folder.parent)
    assert recognized(folder).name == "phy"
    found = read(folder, events=onsets, quality="all", region="IT")
    expected = (counted(*in_samples(made), 2100, 5100) / 0.1).astype(np.float32)
    np.testing.assert_array_equal(everything(found.values), expected)
    np.testing.assert_array_equal(found.values[30:90, 2:7], expected[30:90, 2:7])
    assert set(found.neuroids["region"]) == {"IT"}
    assert found.neuroids["neuroid_id"].tolist() == [str(10 * i + 3) for i in range(10)]
    assert not (folder.parent / "ran").exists()
    assert not (folder / "ran").exists()


@pytest.mark.parametrize("piece", [64, 1 << 21])
def test_stretches_of_spikes_are_counted_alike(made, piece, monkeypatch):
    """However many spikes are held together, whatever the order of onsets, and where windows overlap."""
    monkeypatch.setattr(phy, "_PIECE", piece)
    times = [one[one < 12] for one in made["spike_times"]]
    samples = np.concatenate([np.round(one * RATE) for one in times]).astype(np.int64)
    order = np.argsort(samples, kind="stable")
    clusters = np.concatenate([np.full(len(one), i) for i, one in enumerate(times)])[order]
    shuffled = np.random.default_rng(0).permutation(made["onsets"][:40])
    chosen = np.array([1, 4, 8, 77])
    rounded = [np.round(times[i] * RATE) / RATE for i in (1, 4, 8)] + [np.empty(0)]
    for windows in (window(), window(-500, 900), bins(-100, 300, 50)):
        found = cluster_counts(samples[order], clusters, chosen, RATE, shuffled, windows)
        expected = [
            counted(rounded, shuffled, a - 1e-9, b - 1e-9)
            for a, b in zip(windows.starts / 1000, windows.ends / 1000, strict=True)
        ]
        np.testing.assert_array_equal(found, np.stack(expected, axis=2))


def test_people_are_asked_before_kilosort(folder, onsets):
    found = read(folder, events=onsets)
    assert len(found.neuroids) == 9
    assert found.left_out == {"units of group noise": 1}
    assert "units of group good, mua are in; fewer by --quality" in found.said
    assert "no region is known: name it by --region" in found.said
    assert len(read(folder, events=onsets, quality="good").neuroids) == 8
    kilosort = read(folder, events=onsets, quality="KSLabel=good")
    assert kilosort.neuroids["neuroid_id"].tolist() == ["13", "33", "53", "73", "93"]
    assert kilosort.left_out == {"units of KSLabel mua": 5}
    (folder / "cluster_group.tsv").unlink()
    assert len(read(folder, events=onsets, quality="good").neuroids) == 5


def test_a_cluster_lies_where_its_commonest_template_is_largest(folder, onsets):
    found = read(folder, events=onsets, quality="all")
    np.testing.assert_allclose(found.neuroids["x"], (np.arange(10) + 1) % 2 * 0.032)
    np.testing.assert_allclose(found.neuroids["y"], (np.arange(10) + 1) * 0.02)
    assert found.about["space"] == "probe"
    (folder / "templates.npy").unlink()
    (folder / "cluster_info.tsv").write_text(
        "cluster_id\tdepth\tch\n" + "".join(f"{10 * i + 3}\t{100.0 * i}\t{i}\n" for i in range(10))
    )
    found = read(folder, events=onsets, quality="all")
    np.testing.assert_allclose(found.neuroids["y"], np.arange(10) * 0.1)
    assert found.neuroids["ch"].tolist() == list(range(10))


def test_onsets_beyond_the_last_spike_are_unknown(folder, onsets, made):
    with Path(onsets).open("a") as stream:
        stream.write("9999,0.2,im00\n-5,0.2,im01\n")
    found = read(folder, events=onsets)
    assert found.left_out["presentations outside the recording (NaN)"] == 2
    assert np.isnan(everything(found.values)[160:]).all()
    assert np.isfinite(everything(found.values)[:160]).all()


def test_the_true_layout_enters(test_signals, tmp_path):
    layout = test_signals / "true-layouts" / "phy"
    assert recognized(layout).name == "phy"
    (tmp_path / "onsets.tsv").write_text("onset\tstimulus_id\n1.0\t001\n1.3\t002\n1.6\t001\n")
    found = read(layout, events=str(tmp_path / "onsets.tsv"), window="0,250")
    times = np.load(layout / "spike_times.npy")[:, 0] / 30000
    clusters = np.load(layout / "spike_clusters.npy")
    expected = counted([times[clusters == i] for i in range(9)], np.array([1.0, 1.3, 1.6]), 0, 0.25) / 0.25
    np.testing.assert_allclose(everything(found.values), expected)
    assert found.stimuli["stimulus_id"].tolist() == ["001", "002"]
    assert found.presentations["repetition"].tolist() == [0, 0, 1]


# ---- folders that are broken -----------------------------------------------------------------------------------------


def text(name, content):
    return lambda folder: (folder / name).write_text(content)


def numbers(name, make):
    return lambda folder: np.save(folder / name, make(np.load(folder / name)))


def swap(times):
    times[[5, 900]] = times[[900, 5]]
    return times


def cut(name):
    return lambda folder: (folder / name).write_bytes((folder / name).read_bytes()[:-1000])


def pickled(folder):
    np.save(folder / "spike_times.npy", np.array([{"a": 1}], object), allow_pickle=True)


def linked(folder):
    (folder / "spike_times.npy").unlink()
    (folder / "spike_times.npy").symlink_to("/etc/hostname")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            numbers("spike_times.npy", swap),
            r"spike times are not in order \(spike 6, sample \d+\): sort them",
        ),
        (numbers("spike_times.npy", lambda times: times[:-1]), "17213 spike times and 17214 clusters"),
        (
            numbers("spike_times.npy", lambda times: times.astype(float) / 30000),
            "holds fractions: Kilosort's times",
        ),
        (numbers("spike_times.npy", lambda times: times.reshape(2, -1)), r"is of shape \(2, 8607\)"),
        (numbers("spike_times.npy", lambda times: times[:0]), "0 spike times and 17214 clusters"),
        (numbers("spike_clusters.npy", lambda one: one - 5), "cluster -2 is negative"),
        (numbers("spike_clusters.npy", lambda one: one.astype("U3")), "one number a spike is needed"),
        (pickled, "spike_times.npy is a pickle: refused"),
        (cut("spike_times.npy"), "spike_times.npy is no whole array of numpy: cut off or damaged"),
        (cut("templates.npy"), "templates.npy is no whole array of numpy"),
        (linked, "is a link out of its folder"),
        (text("params.py", "dat_path = 'x.bin'\n"), "names no sample_rate as a number"),
        (text("params.py", "sample_rate = float(open('rate').read())\n"), "names no sample_rate as a number"),
        (text("params.py", "sample_rate = 30000\nsample_rate = 25000\n"), "names more than one sample_rate"),
        (lambda folder: (folder / "params.py").unlink(), "has no params.py"),
        (
            text("cluster_group.tsv", "cluster_id\tgroup\n3\tgood\n13\tmua\n"),
            r"8 of 10 units have no group: say which to take by --quality \(good, mua, unsorted, all; or by another "
            "column, --quality KSLabel=good",
        ),
        (text("cluster_group.tsv", "group\ngood\n"), "has no column cluster_id: it has group"),
        (text("cluster_group.tsv", "cluster_id\tgroup\n3\tgood\n3\tmua\n"), "cluster 3 has two rows"),
        (
            text(
                "cluster_group.tsv",
                "cluster_id\tgroup\n" + "".join(f"{10 * i + 3}\tnoise\n" for i in range(10)),
            ),
            "none of 10 units is left by their group",
        ),
        (numbers("channel_positions.npy", lambda at: at[:4]), "templates name channel 10"),
        (numbers("spike_templates.npy", lambda one: one[:9]), "9 templates of spikes and 17214 clusters"),
    ],
)
def test_a_broken_folder_is_one_line(folder, onsets, change, message):
    n = len(np.load(folder / "spike_times.npy"))
    change(folder)
    message = message.replace("17214", str(n)).replace("17213", str(n - 1)).replace("8607", str(n // 2))
    with pytest.raises(UserError, match=message) as error:
        read(folder, events=onsets)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (
            "time,stimulus_id\n1,a\n",
            r"onsets.csv has no column start_time or onset \(s\): it has time, stimulus_id",
        ),
        ("onset,stimulus_id\n", "onsets.csv has no rows: no presentations"),
        ("onset,stimulus_id\nsoon,a\n", "onset of row 0 is 'soon', not a number of s"),
        (
            "onset,duration,stimulus_id\n1,0.2,a\n2,-0.2,b\n",
            r"1 presentations end before they start \(first: row 1",
        ),
        ("onset,offset,stimulus_id\n1,0.5,a\n", "1 presentations end before they start"),
        ("onset,stimulus_id\n1500,a\n1900,b\n", r"all 2 presentations .* lie outside the recording \(0 to"),
        ("onset,shown\n1,a\n", "which column names the stimulus by --stimulus-column: it has shown"),
        (
            "onset,image,word\n1,a,b\n",
            "which column names the stimulus by --stimulus-column: it has image, word",
        ),
        (
            "onset,stimulus_id,subject\n1,a,M1\n2,b,M2\n",
            "presentations to 2 subjects .M1, M2., .* take its own by --where subject=M1",
        ),
        ("onset,stimulus_id\n1,\n", r"no presentation is left of 1 \(1 presentations without a stimulus\)"),
    ],
)
def test_a_broken_table_of_onsets_is_one_line(folder, onsets, table, message):
    Path(onsets).write_text(table)
    with pytest.raises(UserError, match=message) as error:
        read(folder, events=onsets)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "sorted holds spikes and no onsets: name a table by --events FILE"),
        ({"events": "trials"}, r"no onsets \(trials is no file\)"),
        ({"events": "gone.csv"}, "there is no such file"),
        ({"events": "onsets.csv", "window": "0.07,0.17"}, "it is in ms after onset, or are these s"),
    ],
)
def test_onsets_have_to_be_given(folder, options, message):
    with pytest.raises(UserError, match=message):
        read(folder, **options)


def test_rows_without_an_onset_are_counted(folder, onsets):
    with Path(onsets).open("a") as stream:
        stream.write("n/a,0.2,im00\n")
    assert read(folder, events=onsets).left_out["presentations without an onset"] == 1


def test_other_folders_are_not_taken(folder, tmp_path):
    kind = RECORDING_FORMATS["phy"]
    assert not kind.recognizes(tmp_path)
    assert not kind.recognizes(folder / "params.py")
    shutil.copytree(folder, tmp_path / "half")
    (tmp_path / "half" / "spike_clusters.npy").unlink()
    assert not kind.recognizes(tmp_path / "half")
