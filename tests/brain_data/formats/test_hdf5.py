"""Any HDF5 file: the named array comes back as it was written, and what is odd is one line."""

from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest

from brodmann import UserError
from brodmann.brain_data.formats.recording import RECORDING_FORMATS, read_recording, recognized
from brodmann.brain_data.imported import Imported, ReadOptions

N, T = 12, 5
VALUES = np.arange(N * T, dtype=np.float32).reshape(N, T) / 7
IDS = [f"im{i % 4}" for i in range(N)]


def read(path: Path, **said: str) -> Imported:
    found = recognized(path)
    assert found is not None
    assert found.name == "hdf5"
    return read_recording(path, ReadOptions(**said), found)


def refused(path: Path, message: str, **said: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        read_recording(path, ReadOptions(**said), RECORDING_FORMATS["hdf5"]).values[0:2, 0:2]
    assert "\n" not in str(caught.value).strip()


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "a.h5"


def write(path: Path, **arrays):
    path.unlink(missing_ok=True)  # it may still be read
    with h5py.File(path, "w") as file:
        for name, value in arrays.items():
            file[name.replace("__", "/")] = value
    return path


def test_the_only_array_needs_no_name(test_signals):
    path = test_signals / "true-layouts" / "wheretheressmoke.hf5"
    got = read(path, series="yes", tr="2")
    with h5py.File(path) as file:
        np.testing.assert_array_equal(got.values[:, :], file["data"][()])
    assert (got.kind, got.tr, got.values.shape) == ("series", 2.0, (291, 12))
    assert got.presentations["time"].tolist()[:3] == [0.0, 2.0, 4.0]
    assert set(got.presentations["stimulus_id"]) == {"wheretheressmoke"}
    refused(path, r"which stimulus each trial of /data \(291 x 12\) shows is not said.*--series yes")
    refused(path, "does not say the time from sample to sample: say it by --tr", series="yes")


def test_named_arrays_and_lists_beside_them(path):
    write(
        path,
        session__rates=VALUES,
        session__image=IDS,
        session__run=np.repeat([1, 2], 6),
        session__area=list("aabbb"),
        other__noise=np.zeros((4, 4)),
        session__depth=np.arange(T) * 0.1,
    )
    refused(
        path,
        r"holds several arrays: /other/noise \(4 x 4\), /session/rates \(12 x 5\); say which .* by --array",
    )
    got = read(path, array="/session/rates", stimulus_column="image", region_column="area")
    np.testing.assert_array_equal(got.values[:, :], VALUES)
    assert got.presentations["stimulus_id"].tolist() == IDS
    assert got.presentations["run"].tolist() == ["1"] * 6 + ["2"] * 6
    assert got.neuroids["region"].tolist() == list("aabbb")
    assert got.neuroids["depth"].tolist() == pytest.approx([0, 0.1, 0.2, 0.3, 0.4])
    got = read(
        path, array="session.rates", stimulus_column="/session/image", region_column="area", region="b"
    )
    np.testing.assert_array_equal(got.values[3:6, 1:3], VALUES[3:6, 3:5])
    refused(path, "/session is a group, not an array; it holds /session/area", array="/session")
    refused(
        path, "unknown array of a.h5 '/session/rate': did you mean '/session/rates'", array="/session/rate"
    )
    refused(path, "/session/image is an array of texts", array="/session/image")


def test_another_list_than_stimulus_id_may_name_the_stimuli(path):
    write(path, responses=VALUES, stimulus_id=np.arange(N), image=IDS)
    got = read(path, stimulus_column="image")
    assert got.presentations["stimulus_id"].tolist() == IDS
    assert list(got.presentations.columns) == ["stimulus_id", "image"]


def test_long_lists_beside_are_not_read(path):
    """A trace of 4 TiB that nobody asks for, in the same group."""
    write(path, responses=VALUES, stimulus_id=IDS)
    with h5py.File(path, "a") as file:
        file.create_dataset("lfp", (2**39,), "f8", chunks=(2**16,))[:4] = 1
    got = read(path)
    np.testing.assert_array_equal(got.values[:, :], VALUES)
    assert "not read, being lists neither of trials nor of neuroids: lfp" in got.said
    refused(path, "would take about .* GiB", stimulus_column="lfp")


def test_a_table_of_trials_inside_or_beside(path, tmp_path):
    trials = np.zeros(N, [("image", "S8"), ("session", "i4"), ("run", "i4")])
    trials["image"], trials["session"], trials["run"] = IDS, np.repeat([1, 2], 6), np.tile([1, 2], 6)
    write(path, rates=VALUES, trials=trials)
    got = read(path, events="/trials", stimulus_column="image")
    assert got.presentations["stimulus_id"].tolist() == IDS
    assert set(got.presentations["run"]) == {"ses-1_run-1", "ses-1_run-2", "ses-2_run-1", "ses-2_run-2"}
    refused(
        path,
        r"no column 'stimulus_id' names the stimulus .* \(there are image, session, run\)",
        events="/trials",
    )
    pd.DataFrame({"stimulus_id": IDS, "rt": 1.0}).to_csv(tmp_path / "log.csv", index=False)
    got = read(path, events="log.csv")
    assert got.presentations["stimulus_id"].tolist() == IDS
    pd.DataFrame({"stimulus_id": IDS[:7]}).to_csv(tmp_path / "log.csv", index=False)
    refused(path, r"/rates \(12 x 5\) has no dimension of 7, the number of trials", events="log.csv")
    refused(path, "unknown table .* 'nothing'", events="nothing")


def test_three_dimensions_in_any_order(path):
    cube = np.arange(N * T * 4, dtype=float).reshape(N, T, 4)
    for order in ((0, 1, 2), (0, 2, 1), (2, 1, 0), (1, 0, 2)):
        write(path, psth=cube.transpose(order), stimulus_id=IDS)
        refused(path, "has a dimension of time: say its bins by --bins")
        got = read(path, bins="-50,150,50")
        np.testing.assert_array_equal(got.values[:, :], cube)
        np.testing.assert_array_equal(got.values[2:5, 1:3], cube[2:5, 1:3])
        assert got.time_bins["time_bin_start"].tolist() == [-50, 0, 50, 100]
        refused(path, r"has no dimension of 3, the number of bins", bins="0,150,50")


def test_large_arrays_stay_in_the_file(path):
    values = np.random.default_rng(0).normal(size=(300, 2000)).astype(np.float32)
    with h5py.File(path, "w") as file:
        file.create_dataset("responses", data=values, chunks=(50, 200), compression="gzip")
        file["stimulus_id"] = [f"s{i}" for i in range(300)]
    got = read(path)
    assert not isinstance(got.values, np.ndarray)
    np.testing.assert_array_equal(got.values[100:110, 1000:1010], values[100:110, 1000:1010])


def test_one_subject_of_several(path):
    subjects = ["a"] * 4 + ["b"] * 8
    write(path, responses=VALUES, stimulus_id=IDS, subject=subjects)
    refused(path, r"has rows of 2 subjects \(a, b\): say which by --subject")
    got = read(path, subject="b")
    np.testing.assert_array_equal(got.values[:, :], VALUES[4:])
    assert set(got.neuroids["subject"]) == {"b"}
    assert "subject" not in got.presentations
    refused(path, "unknown subject of a.h5 'c'", subject="c")


def test_a_square_array_says_what_it_takes_as_trials(path):
    write(path, responses=VALUES[:5], stimulus_id=IDS[:5])
    assert any("dimension 1 of /responses is taken as trials" in line for line in read(path).said)


def vlen(file):
    made = file.create_dataset("responses", (N,), h5py.vlen_dtype(np.float32))
    for place in range(N):
        made[place] = VALUES[place, : place % T]


def virtual(file):
    layout = h5py.VirtualLayout((N, T), "f4")
    layout[:] = h5py.VirtualSource("/etc/other.h5", "x", (N, T))
    file.create_virtual_dataset("responses", layout)


def itself(file):
    file.create_group("a")["b"] = h5py.SoftLink("/a")


def group_loop(file):
    inner = file.create_group("a/b")
    inner["up"] = file["a"]


def compound(file):
    file["responses"] = np.zeros((N, T), [("x", "f4"), ("y", "f4")])


def unwritten(file):
    file.create_dataset("responses", (10**7, 10**4), "f4", chunks=(100, 100))
    file["stimulus_id"] = IDS


@pytest.mark.parametrize(
    ("make", "message", "said"),
    [
        (
            lambda file: file.create_group("a"),
            "holds no array of numbers in two dimensions; it holds none",
            {},
        ),
        (
            lambda file: file.create_dataset("ids", data=IDS),
            r"no array of numbers in two .* it holds /ids \(12\)",
            {},
        ),
        (vlen, r"/responses is an array of objects \(lists of different lengths\)", {"array": "responses"}),
        (compound, "/responses is a compound array of x, y: --array must name", {"array": "responses"}),
        (virtual, "has its numbers in other files: refused", {}),
        (
            lambda file: file.__setitem__("x", h5py.ExternalLink("/etc/passwd", "/x")),
            "/x is a link into another file .*: refused",
            {},
        ),
        (lambda file: file.__setitem__("x", h5py.SoftLink("/nothing")), "/x is a link to nowhere", {}),
        (itself, "the group /a.* holds itself", {}),
        (group_loop, "the group /a.* holds itself", {}),
        (unwritten, "says that it holds 100000000000 values, and none was written", {}),
        (lambda file: file.create_dataset("responses", data=VALUES + 1j), "holds no array of numbers", {}),
        (
            lambda file: file.create_dataset("responses", data=np.zeros((2, 3, 4, 5))),
            "not of 4 dimensions",
            {},
        ),
        (
            lambda file: file.create_dataset("responses", data=np.full((1, 1), file.ref, h5py.ref_dtype)),
            "is an array of references to others",
            {"array": "responses"},
        ),
    ],
)
def test_broken_files_are_one_line(path, make, message, said):
    with h5py.File(path, "w") as file:
        make(file)
    refused(path, message, **said)


def test_torn_files_are_one_line(path):
    write(
        path,
        responses=np.random.default_rng(0).normal(size=(400, 50)),
        stimulus_id=[f"s{i}" for i in range(400)],
    )
    whole = path.read_bytes()
    for n_bytes in (100, len(whole) // 2, len(whole) - 10):
        path.write_bytes(whole[:n_bytes])
        refused(path, "a.h5 is damaged or not an HDF5 file")
    path.write_bytes(b"no such thing")
    assert recognized(path) is None


def test_ids_must_be_there_and_not_empty(path):
    write(path, responses=VALUES, stimulus_id=[*IDS[:3], "", *IDS[4:]])
    refused(path, r"1 of 12 trials have no stimulus_id \(first: row 4\)")
    write(path, responses=VALUES, stimulus_id=np.array([1, 2, np.nan, *range(9)]))
    refused(path, r"1 of 12 trials have no stimulus_id \(first: row 3\)")
    write(path, responses=VALUES, stimulus_id=np.arange(12.0))
    assert read(path).presentations["stimulus_id"].tolist() == [str(i) for i in range(12)]


def test_a_story_of_words(path, tmp_path):
    write(path, data=VALUES)
    words = pd.DataFrame({"story": "a", "word": ["x", "y"], "onset": [0.0, 3.0], "offset": [1.0, 4.0]})
    words.to_csv(tmp_path / "words.csv", index=False)
    got = read(path, series="yes", tr="1.5", stimuli=str(tmp_path / "words.csv"))
    assert got.stimuli["word"].tolist() == ["x", "y"]
    assert set(got.presentations["stimulus_id"]) == {"a"}
    (tmp_path / "words.TextGrid").write_text(
        'File type = "ooTextFile"\nObject class = "TextGrid"\n\n0\n4\n<exists>\n1\n"IntervalTier"\n"words"\n0\n4\n3\n'
        '0\n1\n"x"\n1\n3\n"sp"\n3\n4\n"y"\n'
    )
    got = read(path, series="yes", tr="1.5", stimuli=str(tmp_path / "words.TextGrid"))
    assert got.stimuli[["word", "onset", "story"]].to_numpy().tolist() == [["x", 0.0, "a"], ["y", 3.0, "a"]]
    words.drop(columns="offset").to_csv(tmp_path / "words.csv", index=False)
    refused(
        path, "words.csv has no column 'offset'", series="yes", tr="1.5", stimuli=str(tmp_path / "words.csv")
    )


def test_samples_in_time_keep_their_clock_and_are_of_one_run(path):
    """Runs one after the other are no run: delays would reach from one into the next."""
    clock = 20 + 2.0 * np.arange(N)
    got = read(write(path, bold=VALUES, time=clock, run=[3] * N), array="bold", series="yes", tr="2")
    assert got.presentations["time"].tolist() == clock.tolist()
    assert got.stimuli["offset"].tolist() == [44.0]
    assert "time of the first sample: 20 s" in got.said
    refused(path, "time of the samples does not go on by --tr 1.5 s", array="bold", series="yes", tr="1.5")
    for option in ("events", "stimulus_column", "bins"):
        said = {option: "0,10,10"}
        refused(
            path, "is of trials, and --series yes keeps samples", array="bold", series="yes", tr="2", **said
        )
    write(path, bold=VALUES, run=np.repeat([1, 2], N // 2))
    refused(path, "run of the samples is 1, 2: a file is one run", array="bold", series="yes", tr="2")


def test_an_option_that_says_nothing_is_refused(path):
    write(path, rates=VALUES, stimulus_id=IDS)
    refused(path, "--tr is of samples in time: say --series yes", tr="2")
    refused(path, r"--bins is of a dimension of time, and /rates \(12 x 5\) has two", bins="0,10,10")


def test_two_dimensions_as_long_are_said_and_matlabs_order_is_turned_whole(path):
    """What MATLAB saves as (trial, neuroid, time) is seen here as (time, neuroid, trial)."""
    psth = np.arange(N * T * T, dtype=float).reshape(N, T, T)
    for stored, dimension in ((psth, 3), (psth.transpose(2, 1, 0), 1)):
        got = read(write(path, psth=stored, stimulus_id=IDS), bins="0,50,10")
        np.testing.assert_array_equal(got.values[:, :], psth)
        assert f"dimension {dimension} of /psth is taken as time, since two are as long" in got.said


def test_a_column_may_be_called_roi_by_whoever_names_it(path):
    write(path, rates=VALUES, stimulus_id=IDS, roi=[1, 1, 2, 2, 2])
    for said in ({}, {"region_column": "roi"}):
        got = read(path, array="rates", region="2", **said)
        assert got.neuroids["region"].tolist() == ["2"] * 3
        np.testing.assert_array_equal(got.values[:, :], VALUES[:, 2:])


def test_a_window_is_the_mean_of_the_bins_within(path):
    """As the line on responses in time advises; bins that reach out of it are no part of it."""
    psth = np.random.default_rng(0).normal(size=(N, T, 8))
    write(path, psth=psth, stimulus_id=IDS)
    got = read(path, bins="-100,300,50", window="40,160")
    assert got.time_bins is None
    np.testing.assert_allclose(got.values[:, :], psth[:, :, 3:5].mean(axis=2))
    np.testing.assert_allclose(got.values[2:5, 1:3], psth[2:5, 1:3, 3:5].mean(axis=2))
    assert "response: the mean of 2 time bins, 50 to 150 ms" in got.said
    refused(path, "no time bin lies within --window 60,90", bins="-100,300,50", window="60,90")
    refused(path, "has a dimension of time: say its bins by --bins", window="0,100")
    write(path, rates=VALUES, stimulus_id=IDS)
    refused(path, "--window is of a dimension of time, and /rates .* has two", window="0,100")
