"""A recording that some format read becomes a data set: whole, counted, of any size."""

import tracemalloc
from dataclasses import replace
from pathlib import Path

import netCDF4
import numpy as np
import pandas as pd
import pytest

from brodmann.bench.cli.found import check_text, found, found_text
from brodmann.bench.metrics.recording import recording
from brodmann.brain_data import load_dataset
from brodmann.brain_data.catalogue import add_dataset
from brodmann.brain_data.formats.chunked import read_chunked
from brodmann.brain_data.formats.recording import RECORDING_FORMATS, RecordingFormat, read_path
from brodmann.brain_data.imported import Computed, Imported, ReadOptions
from brodmann.brain_data.importing import described, install_recording
from brodmann.errors import UserError

N, R, V = 20, 3, 12


def sentences(n: int = N) -> pd.DataFrame:
    """A table of stimuli."""
    return pd.DataFrame(
        {
            "stimulus_id": [f"s{i:02d}" for i in range(n)],
            "sentence": [f"Sentence {i} {'x' * i}." for i in range(n)],
            "category": ["a", "b"] * (n // 2),
        }
    )


def trials(values: np.ndarray | Computed | None = None) -> Imported:
    """Twenty sentences, three times each, twelve neuroids in two regions."""
    if values is None:
        values = np.random.default_rng(0).normal(size=(N * R, V)).astype(np.float32)
    stimuli = sentences()
    shown = pd.DataFrame(
        {"stimulus_id": np.repeat(stimuli["stimulus_id"], R), "repetition": np.tile(range(R), N)}
    )
    recorded = pd.DataFrame(
        {
            "neuroid_id": [f"v{i}" for i in range(V)],
            "region": ["A"] * 6 + ["B"] * 6,
            "subject": "1",
            "x": range(V),
        }
    )
    return Imported(
        stimuli, values, shown, recorded, about={"units": "%", "license": "CC0"}, said=("as it was",)
    )


def series() -> Imported:
    """Two runs of one story; the second neuroid has no second run."""
    words = pd.DataFrame(
        {
            "stimulus_id": [f"w{i}" for i in range(30)],
            "word": ["a", "b", "c"] * 10,
            "story": "one",
            "onset": np.arange(30) * 0.5,
            "offset": np.arange(30) * 0.5 + 0.4,
        }
    )
    values = np.random.default_rng(1).normal(size=(40, 3))
    values[20:, 1] = np.nan
    shown = pd.DataFrame(
        {"stimulus_id": "one", "run": np.repeat(["r1", "r2"], 20), "time": np.tile(np.arange(20) * 2.0, 2)}
    )
    return Imported(
        words, values, shown, pd.DataFrame({"neuroid_id": ["a", "b", "c"], "region": "X"}), kind="series", tr=2.0,
        confounds=pd.DataFrame({"motion": np.arange(40.0)}), good=np.arange(40) > 3, blocks="run",
    )  # fmt: skip


def test_what_was_read_is_what_is_loaded() -> None:
    imported = trials()
    install_recording("whole", imported)
    data = load_dataset("whole")
    assert data.responses is not None
    assert (data.responses.values == imported.values).all()
    assert data.responses["region"].values.tolist() == ["A"] * 6 + ["B"] * 6
    assert data.responses["stimulus_id"].values.tolist() == imported.presentations["stimulus_id"].tolist()
    assert (data.units, data.license, data.kind, data.modality) == ("%", "CC0", "trials", "language")
    assert data.responses.attrs["said"] == ["as it was"]
    assert (recording(data, "B").responses == imported.values[:, 6:].reshape(N, R, 6)).all()


def test_what_cannot_be_predicted_is_left_out_and_counted_by_region() -> None:
    values = np.random.default_rng(0).normal(size=(N * R, V))
    values[:, 3] = 1
    values[5, 7] = np.nan
    values[4] = np.nan  # the second presentation of a stimulus that has others
    install_recording("gaps", trials(values))
    responses = load_dataset("gaps").responses
    assert responses is not None
    kept = np.delete(np.delete(values, 4, axis=0), [3, 7], axis=1)
    assert (responses.values == kept).all()
    assert responses.attrs["left_out"] == {
        "neuroids that never vary": 1,
        "neuroids without a response to every presentation": 1,
        "presentations without any response": 1,
    }
    assert "neuroids that never vary" not in responses.attrs["left_out_by_region"]["B"]


def test_time_bins_are_averaged_only_when_a_window_is_named() -> None:
    values = np.random.default_rng(0).normal(size=(N * R, V, 4))
    bins = pd.DataFrame({"time_bin_start": [0, 10, 20, 40], "time_bin_end": [10, 20, 40, 50]})
    install_recording("bins", replace(trials(values), time_bins=bins))
    data = load_dataset("bins")
    with pytest.raises(UserError, match=r"4 time bins \(0 to 10, 10 to 20, 20 to 40, ... 40 to 50 ms\)"):
        recording(data, "A")
    window = data.window(10, 40)
    expected = (values[..., 1] * 10 + values[..., 2] * 20) / 30
    assert np.allclose(recording(window, "A").responses.reshape(N * R, 6), expected[:, :6])
    with pytest.raises(UserError, match="no time bin from 11 to 19 ms"):
        data.window(11, 19)


def test_a_series_keeps_its_time_its_gaps_and_what_is_beside_it() -> None:
    install_recording("story", series())
    data = load_dataset("story")
    assert data.responses is not None
    assert data.confounds is not None
    assert data.good is not None
    assert np.isnan(data.responses.values).sum() == 20
    assert (data.kind, data.tr, data.blocks) == ("series", 2.0, "run")
    assert data.responses["time"].values.tolist() == [2.0 * i for i in range(20)] * 2
    assert data.confounds["motion"].tolist() == list(range(40))
    assert data.good.tolist() == [i > 3 for i in range(40)]
    assert "2 runs, 40 samples 2 s apart" in repr(data)
    with pytest.raises(UserError, match="is a series, samples in time of a run"):
        recording(data, "X")
    text = found_text(found(data, "here"))
    assert "good        36 of 40 samples" in text


def test_a_recording_larger_than_memory_is_written_a_block_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BRODMANN_HOME", str(tmp_path))  # half a gigabyte, let go with the test
    n_bytes_at_once = 0

    def made(rows: slice, neuroids: slice) -> np.ndarray:
        nonlocal n_bytes_at_once
        row, column = np.arange(rows.start, rows.stop)[:, None], np.arange(neuroids.start, neuroids.stop)
        block = ((row * 7919 + column * 104729) % 1009).astype(np.float32)
        n_bytes_at_once = max(n_bytes_at_once, block.nbytes)
        return block

    shape = (600, 200_000)
    stimuli = sentences(shape[0])
    imported = Imported(
        stimuli,
        Computed(shape, made),
        stimuli[["stimulus_id"]],
        pd.DataFrame(
            {"neuroid_id": np.arange(shape[1]), "region": np.where(np.arange(shape[1]) < 50, "few", "rest")}
        ),
    )
    tracemalloc.start()
    install_recording("large", imported)
    data = load_dataset("large")
    few = data.region("few").values
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (few == made(slice(0, 600), slice(0, 50))).all()
    assert n_bytes_at_once <= 1 << 26
    assert peak < 600 * 200_000 * 4


BROKEN = [
    ({"presentations": pd.DataFrame({"stimulus_id": ["s00"]})}, "do not fit 1 presentations, 12 neuroids"),
    ({"values": np.zeros((60, 12, 2))}, r"of shape \(60, 12, 2\) do not fit 60 presentations, 12 neuroids"),
    ({"values": np.full((60, 12), np.nan)}, "stimulus 's00' has no response of any neuroid"),
    ({"values": np.full((60, 12), np.inf)}, "720 responses are infinite"),
    ({"values": np.ones((60, 12))}, "no neuroid is left: 0 of 12 .* 12 never vary"),
    ({"neuroids": pd.DataFrame({"neuroid_id": ["a"] * 12})}, "'a' names several neuroids"),
    ({"stimuli": sentences().drop(columns="stimulus_id")}, "no column stimulus_id"),
    ({"stimuli": sentences()[3:]}, "3 stimulus ids of the responses are not in the stimulus table"),
    ({"pictures": {"s00": Path("a.png")}}, "19 of 20 stimuli have no picture"),
    ({"kind": "series", "tr": 2.0}, "no column 'story'"),
]


@pytest.mark.parametrize(("change", "line"), BROKEN, ids=[line for _, line in BROKEN])
def test_what_does_not_fit_is_one_line_and_the_old_copy_stays(change: dict, line: str) -> None:
    install_recording("kept", trials())
    before = load_dataset("kept").digest
    with pytest.raises(UserError, match=line) as error:
        install_recording("kept", replace(trials(), **change))
    assert "\n" not in str(error.value)
    assert load_dataset("kept").digest == before


def test_stories_that_are_called_by_numbers_stay_texts() -> None:
    told = series()
    stories = list(dict.fromkeys(told.presentations["stimulus_id"]))
    numbers = {story: f"{place:03d}" for place, story in enumerate(stories, start=1)}
    shown = told.presentations.assign(stimulus_id=told.presentations["stimulus_id"].map(numbers))
    words = told.stimuli.assign(story=told.stimuli["story"].map(numbers)).dropna(subset="story")
    install_recording("numbered", replace(told, presentations=shown, stimuli=words))
    data = load_dataset("numbered")
    assert data.responses is not None
    assert set(data.stimuli["story"]) == set(data.responses["stimulus_id"].values) == set(numbers.values())


def test_a_series_without_its_time_is_refused() -> None:
    with pytest.raises(UserError, match="tr must be its seconds from sample to sample, not None"):
        install_recording("untimed", replace(series(), tr=None))
    with pytest.raises(UserError, match="39 rows of confounds, but 40"):
        install_recording("untimed", replace(series(), confounds=pd.DataFrame({"motion": range(39)})))


class Spoken(RecordingFormat):
    """A format of one file, for these tests."""

    name, takes = "spoken", ("task",)

    def recognizes(self, path: Path) -> bool:
        """By its first word."""
        return path.is_file() and path.read_bytes().startswith(b"spoken")

    def read(self, path: Path, options: ReadOptions) -> Imported:
        """What the tests' trials are."""
        return replace(trials(), said=(f"task {options.task}",))


@pytest.fixture
def spoken(tmp_path: Path) -> Path:
    """A file of that format."""
    if "spoken" not in RECORDING_FORMATS:
        RECORDING_FORMATS.register("spoken", Spoken(), __name__)
    path = tmp_path / "a.spoken"
    path.write_bytes(b"spoken")
    return path


def test_a_file_that_a_format_recognizes_is_added_by_one_call(spoken: Path) -> None:
    add_dataset("said", spoken, options=ReadOptions(task="view"))
    responses = load_dataset("said").responses
    assert responses is not None
    assert responses.attrs["said"] == ["task view"]
    kind, imported = read_path(spoken, ReadOptions(task="rest"))
    text = check_text({"path": "", "format": kind.name, **described(imported)})
    assert "60 presentations, 3 of each stimulus" in text
    assert "regions     A 6, B 6" in text


def test_an_option_that_a_format_has_not_is_one_line(spoken: Path) -> None:
    with pytest.raises(UserError, match="unknown option of spoken '--window': known: --task"):
        add_dataset("said", spoken, options=ReadOptions(window="1,2"))


def test_what_no_format_recognizes_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "a.xyz").write_text("?")
    with pytest.raises(UserError, match="is in no form that is known"):
        add_dataset("said", tmp_path / "a.xyz")


def test_numbers_of_an_option_are_as_many_as_it_needs() -> None:
    assert ReadOptions(window="70,170").numbers("window", 2) == [70, 170]
    with pytest.raises(UserError, match="--window must be 2 numbers"):
        ReadOptions(window="70").numbers("window", 2)


def test_columns_may_be_called_anything(tmp_path: Path) -> None:
    """A table of trials is a stranger's: what netCDF, or the data set, calls so itself gets another name."""
    odd = {
        "responses": "trial_responses",
        "rt/ms": "rt_ms",
        "onset ": "onset",
        "%right": "_%right",
        "x": "trial_x",
    }
    odd |= {"presentation": "trial_presentation", "good": "trial_good", "trial_x": "trial_x_"}
    given = trials()
    shown = given.presentations.assign(**{name: np.arange(N * R) * 1.5 + i for i, name in enumerate(odd)})
    recorded = given.neuroids.assign(responses=range(V), **{"snr": np.arange(V).astype(np.float16)})
    install_recording("odd", replace(given, presentations=shown, neuroids=recorded))
    responses = load_dataset("odd").responses
    assert responses is not None
    for i, (name, kept) in enumerate(odd.items()):
        np.testing.assert_array_equal(responses[kept].values, np.arange(N * R) * 1.5 + i, err_msg=name)
    np.testing.assert_array_equal(responses["neuroid_responses"].values, range(V))
    np.testing.assert_array_equal(responses["snr"].values, range(V))
    np.testing.assert_array_equal(responses["x"].values, range(V))


def test_counts_of_numpy_are_counts(tmp_path: Path) -> None:
    install_recording("counted", replace(trials(), left_out={"samples at the end": np.int64(3)}))
    responses = load_dataset("counted").responses
    assert responses is not None
    assert responses.attrs["left_out"] == {"samples at the end": 3}


def test_complex_responses_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="complex128, no real numbers"):
        install_recording("complex", trials(np.ones((N * R, V)) * 1j))


class Sessions(RecordingFormat):
    """Two sessions of few stimuli, which cannot be z-scored."""

    name = "sessions"

    def recognizes(self, path: Path) -> bool:
        return path.suffix == ".sessions"

    def read(self, path: Path, options: ReadOptions) -> Imported:
        given = trials()
        return replace(given, presentations=given.presentations.assign(session=np.repeat(["a", "b", "c"], N)))


def test_a_column_of_trials_may_be_left_out(tmp_path: Path) -> None:
    """As the line on sessions too short to be z-scored advises."""
    if "sessions" not in RECORDING_FORMATS:
        RECORDING_FORMATS.register("sessions", Sessions(), __name__)
    (tmp_path / "a.sessions").touch()
    add_dataset("few", tmp_path / "a.sessions", columns={"session": "ignore"})
    responses = load_dataset("few").responses
    assert responses is not None
    assert "session" not in responses.coords
    for name in ("stimulus_id", "sesion"):
        with pytest.raises(UserError, match=f"unknown column of trials that can be left out '{name}'"):
            add_dataset("few", tmp_path / "a.sessions", columns={name: "ignore"})
    with pytest.raises(UserError, match="--columns stimulus_id=image is for folders"):
        add_dataset("few", tmp_path / "a.sessions", columns={"stimulus_id": "image"})


def test_attributes_that_were_edited_are_one_line(tmp_path: Path) -> None:
    path = install_recording("edited", trials()) / "responses.nc"
    with netCDF4.Dataset(path, "a") as file:
        file.left_out = "[1, 2]"
    with pytest.raises(UserError, match="is damaged: left_out is no dict"):
        read_chunked(path)


def test_a_format_that_fails_at_a_look_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may come with any package, and would be in the way of everybody's files."""
    if "sessions" not in RECORDING_FORMATS:
        RECORDING_FORMATS.register("sessions", Sessions(), __name__)

    def fails(self: Sessions, path: Path) -> bool:
        raise ValueError("no such thing")

    monkeypatch.setattr(Sessions, "recognizes", fails)
    (tmp_path / "a.csv").write_text("stimulus_id,n0\na,1\nb,2\n")
    with pytest.raises(
        UserError, match=r"the format sessions \(.*\) fails at .*a.csv: .*no such thing; say another"
    ):
        read_path(tmp_path / "a.csv")
    assert read_path(tmp_path / "a.csv", name="responses")[0].name == "responses"
