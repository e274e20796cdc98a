"""Tables and files as strangers have them: read as they were meant, or one line that says what is odd and where."""

import json
import pickle
import shutil
from pathlib import Path

import netCDF4
import numpy as np
import pandas as pd
import pytest
import scipy.io
import scipy.io.matlab
import scipy.sparse
import xarray as xr
from command_line import run_brodmann

import brodmann
from brodmann import UserError
from brodmann.bench import make_benchmark, score
from brodmann.bench.cli.found import found, found_text
from brodmann.bench.metrics.neuroid_ceiling import neuroid_ceiling
from brodmann.bench.metrics.recording import recording
from brodmann.brain_data import Dataset, from_brainio
from brodmann.brain_data.columns import unlike_neuroids
from brodmann.brain_data.formats.brainio import to_brainio
from brodmann.brain_data.formats.folder import load_folder
from brodmann.brain_data.noise_ceiling import variance_reliability
from brodmann.brain_data.repetitions import mean_response, repetition_cube
from brodmann.brain_data.stimulus_set import StimulusSet

N, R, T = 60, 4, 10
IDS = [f"s{i}" for i in range(N)]
SENTENCES = [f"Sentence number {i} is {'very ' * (i % 7)}short and {'long' * (i % 3)}." for i in range(N)]
LENGTH = np.array([len(text) for text in SENTENCES], float)


def signal(seed=0):
    """Responses that follow the length of a sentence, (stimulus, neuroid)."""
    return (LENGTH[:, None] - LENGTH.mean()) / LENGTH.std() * np.random.default_rng(seed).normal(size=T)


def recorded(seed=0, repetitions=R, noise=0.5):
    """Presentations (stimulus by stimulus) and their ids."""
    rng = np.random.default_rng(seed + 100)
    values = np.repeat(signal(seed), repetitions, axis=0) + noise * rng.normal(size=(N * repetitions, T))
    return values, np.repeat(IDS, repetitions)


@pytest.fixture
def folder(tmp_path) -> Path:
    """Stimuli alone, to which the tests add responses."""
    pd.DataFrame({"stimulus_id": IDS, "sentence": SENTENCES}).to_csv(tmp_path / "stimuli.csv", index=False)
    return tmp_path


def stimuli(folder, **columns):
    pd.DataFrame({"stimulus_id": IDS, "sentence": SENTENCES} | columns).to_csv(
        folder / "stimuli.csv", index=False
    )


def table(**columns):
    """A table of responses, with further columns beside the ids."""
    values, ids = recorded()
    frame = pd.DataFrame(values, columns=[f"v{i}" for i in range(T)])
    for place, (name, column) in enumerate(({"stimulus_id": ids} | columns).items()):
        frame.insert(place, name, column)
    return frame


def lines(folder, **columns):
    """The lines of that table, and where they go."""
    return table(**columns).to_csv(index=False).splitlines(), folder / "responses.csv"


def refused(folder, message):
    with pytest.raises(UserError, match=message) as caught:
        load_folder(folder, "mine")
    assert "\n" not in str(caught.value).strip()


def test_labels_are_kept_as_they_are_written(folder):
    kinds = ["None", "NA", "null", "n/a", "face", "nan"] * 10
    stimuli(folder, kind=kinds, category=[*["1", "2", "NA"] * 20], length=["1.5", "NA", "3"] * 20)
    table().to_csv(folder / "responses.csv", index=False)
    neuroids = {
        "neuroid_id": [f"v{i}" for i in range(T)],
        "region": ["NA"] * T,
        "hemisphere": ["None", "NA"] * 5,
    }
    pd.DataFrame(neuroids).to_csv(folder / "neuroids.csv", index=False)
    data = load_folder(folder, "mine")
    assert data.stimuli["kind"].tolist() == kinds
    assert data.stimuli["category"].tolist() == ["1", "2", "NA"] * 20
    np.testing.assert_array_equal(data.stimuli["length"], [1.5, np.nan, 3] * 20)
    assert data.regions == ["NA"]
    assert data.responses["hemisphere"].values.tolist() == ["None", "NA"] * 5


@pytest.mark.parametrize("column", ["repetition", "run", "session", "subject", "group"])
def test_a_blank_label_is_named_by_row_and_column(folder, column):
    values = ["a"] * 20 + [""] + ["b"] * 39
    stimuli(folder, **{column: values})
    table().to_csv(folder / "responses.csv", index=False)
    refused(folder, rf"stimuli.csv: column '{column}' is empty in 1 of 60 rows \(first: row 22\)")
    if column != "group":
        stimuli(folder)
        table(**{column: np.repeat(values, R)}).to_csv(folder / "responses.csv", index=False)
        refused(folder, rf"responses.csv: 4 rows have no {column} \(first: row 82\): fill it in")
        (folder / "responses.csv").unlink()
        of_arrays = np.where(np.arange(N * R) == 7, np.nan, 1.0)
        np.savez(
            folder / "responses.npz",
            responses=recorded()[0],
            stimulus_id=recorded()[1],
            **{column: of_arrays},
        )
        refused(folder, rf"'{column}' is empty in 1 of 240 rows \(first: presentation 8 \(stimulus 's1'\)\)")


def test_labels_of_arrays_are_whole():
    with pytest.raises(
        UserError, match=r"the labels: column 'category' is empty in 1 of 60 rows \(first: 'stimulus0002'"
    ):
        Dataset.from_arrays("mine", signal(), SENTENCES, labels=["a", "b", None, *["c"] * 57])
    with pytest.raises(
        UserError, match=r"the neuroids: column 'subject' is empty in 1 of 10 rows .*neuroid 'n1'"
    ):
        Dataset.from_arrays("mine", signal(), SENTENCES, subject=["a", None, *["c"] * 8])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda rows: [rows[0], *(f"{row}," for row in rows[1:])],
            "line 2 has 12 fields, .* 11: it ends in a trailing comma",
        ),
        (
            lambda rows: [f"{row}," for row in rows],
            "column 12 has no name: the first line ends in a stray comma",
        ),
        (
            lambda rows: [*rows[:9], rows[9].replace(".", ",", 1), *rows[10:]],
            "line 10 has 12 fields, .* a stray comma",
        ),
        (
            lambda rows: [*rows[:9], rows[9].rpartition(",")[0]],
            "line 10 has 10 fields, and the first line 11: something",
        ),
        (lambda rows: [*rows[:9], '"s2,1', *rows[10:]], "line 10 has a double quote that is not closed"),
        (lambda rows: [*rows[:9], "s2\0" + rows[9]], "is UTF-16 or no text: save it as CSV"),
        (
            lambda rows: [row.replace(",", ";").replace(".", ",") for row in rows],
            "save it with commas, and with a decimal",
        ),
        (
            lambda rows: [rows[0], rows[1].replace("s0", 's0,"1,234.5"').rpartition(",")[0]],
            "'1,234.5' in row 2.*1234.5",
        ),
        (
            lambda rows: [rows[0].replace("v3", "v2"), *rows[1:]],
            r"1 columns appear more than once \(first: 'v2'\)",
        ),
        (
            lambda rows: [*rows[:4], "", "", *rows[4:7], rows[7].rpartition(",")[0] + ",odd"],
            "'odd' in row 10, column 'v9'",
        ),
    ],
)
def test_what_is_odd_in_a_table_is_named_by_its_line(folder, change, message):
    rows, path = lines(folder)
    path.write_text("\n".join(change(rows)))
    refused(folder, message)


def test_a_mark_of_byte_order_quotes_and_other_ends_of_lines_change_nothing(folder):
    rows, path = lines(folder)
    quoted = ['"stimulus_id"' + row[len("stimulus_id") :] if i == 0 else row for i, row in enumerate(rows)]
    for end in ("\n", "\r\n", "\r"):
        path.write_bytes("\ufeff".encode() + end.join(quoted).encode())
        np.testing.assert_array_equal(load_folder(folder, "mine").responses.values, recorded()[0])


def test_columns_of_trials_are_asked_about(folder):
    n = N * R
    notes = {
        "trial": range(n),
        "onset": np.arange(n) * 2.5,
        "index": range(n),
        "Unnamed: 0": range(n),
        "Duration": [1.0] * n,
    }
    table(**notes).to_csv(folder / "responses.csv", index=False)
    refused(
        folder, "'trial', 'onset', 'index', 'Unnamed: 0', 'Duration' look like what was noted of the trials"
    )
    said = {
        "trial": "ignore",
        "index": "ignore",
        "Unnamed: 0": "ignore",
        "time": "onset",
        "Duration": "neuroid",
    }
    responses = load_folder(folder, "mine", said).responses
    assert responses["time"].values[:3].tolist() == [0.0, 2.5, 5.0]
    assert responses.sizes["neuroid"] == T  # the duration never varies
    assert responses.attrs["left_out"] == {"neuroids that never vary": 1}


def test_columns_of_a_table_in_memory_are_asked_about_too():
    frame = pd.DataFrame(signal()[:, :2], columns=["v0", "Trial_Number"])
    with pytest.raises(UserError, match="columns 'Trial_Number' of the responses look like what was noted"):
        Dataset.from_arrays("mine", frame, SENTENCES)


def test_numbers_kept_as_objects_are_numbers(folder):
    values, ids = recorded()
    listed = values.astype(object)
    listed[0, 0] = None
    np.savez(folder / "responses.npz", responses=listed, stimulus_id=ids)
    np.testing.assert_array_equal(load_folder(folder, "mine").responses.values, values[:, 1:])


def test_transposed_responses_are_called_so(folder):
    values, ids = recorded()
    np.savez(folder / "responses.npz", responses=values.T, stimulus_id=ids)
    refused(
        folder,
        "stimulus_id has 240 values, but there are 10 presentations in the responses: are these transposed",
    )


def test_names_that_neuroids_have_are_not_asked_about(folder):
    names = ["V1", "IT_left", "unit 12", "timecell_3", "index finger", "daytime", "blocky", "a1", "0", "rtp"]
    frame = table()
    frame.columns = ["stimulus_id", *names]
    frame.to_csv(folder / "responses.csv", index=False)
    assert load_folder(folder, "mine").responses["neuroid_id"].values.tolist() == names


@pytest.mark.parametrize("units", ["seconds", "days", "days since 2000-01-01", "milliseconds"])
def test_numbers_of_a_netcdf_stay_numbers_whatever_their_units(folder, units):
    values, ids = recorded()
    values[0, 0] = 0.12573
    made = xr.DataArray(
        values,
        dims=("presentation", "neuroid"),
        coords={"stimulus_id": ("presentation", ids), "x": ("neuroid", np.arange(10.0), {"units": units})},
        attrs={"units": units},
        name="responses",
    )
    made.to_netcdf(folder / "responses.nc")
    responses = load_folder(folder, "mine").responses
    np.testing.assert_array_equal(responses.values, values)
    np.testing.assert_array_equal(responses["x"].values, np.arange(10.0))
    assert responses["x"].dtype.kind == "f"


def test_packed_numbers_are_unpacked_and_words_called_scale_factor_are_not(folder):
    values, ids = recorded()
    coords = {"stimulus_id": ("presentation", ids)}
    made = xr.DataArray(values, dims=("presentation", "neuroid"), coords=coords, name="responses")
    packed = {"dtype": "int32", "scale_factor": 0.001, "add_offset": 1.0, "_FillValue": -999999}
    made.to_netcdf(folder / "responses.nc", encoding={"responses": packed})
    np.testing.assert_allclose(load_folder(folder, "mine").responses.values, values, atol=0.00051)
    made.attrs["scale_factor"] = "mV"
    made.to_netcdf(folder / "responses.nc")
    np.testing.assert_array_equal(load_folder(folder, "mine").responses.values, values)


def nwb(path):
    with netCDF4.Dataset(path, "w") as stored:
        stored.nwb_version = "2.6.0"
        stored.createGroup("acquisition")


def test_sound_files_of_another_kind_are_called_what_they_are(folder):
    path = folder / "responses.nc"
    xr.Dataset({"temperature": (("time", "lat"), np.zeros((3, 2)))}).to_netcdf(path)
    refused(
        folder,
        r"must hold one variable with dims .*, not 0; it holds temperature \(time, lat\)",
    )
    with pytest.raises(
        UserError, match=r"is a netCDF file, but not a BrainIO assembly.*temperature \(time, lat\)"
    ):
        from_brainio(path, identifier="mine")
    nwb(path)
    refused(folder, "holds no variable|NWB")
    with pytest.raises(UserError, match="is an NWB file, not a BrainIO assembly: give it to data add"):
        from_brainio(path, identifier="mine")


@pytest.mark.parametrize(("kind", "wanted"), [(int, "1"), (int, 1), (float, "1"), (str, 1)])
def test_a_selection_knows_a_number_as_a_text_and_never_suggests_what_was_asked(tmp_path, kind, wanted):
    values, ids = recorded()
    session = np.tile([1, 2, 1, 2], N).astype(kind)
    coords = {"stimulus_id": ("presentation", ids), "session": ("presentation", session)}
    made = xr.DataArray(values, dims=("presentation", "neuroid"), coords=coords)
    data = Dataset.from_arrays("mine", made, pd.DataFrame({"sentence": SENTENCES}, index=IDS))
    assembly, csv, _ = to_brainio(data, tmp_path)
    found = from_brainio(assembly, csv, identifier="mine", modality="language", selection={"session": wanted})
    np.testing.assert_array_equal(found.responses.values, values[np.tile([True, False], N * 2)])
    with pytest.raises(UserError, match=r"unknown value of session '3': known: 1, 2"):
        from_brainio(assembly, csv, identifier="mine", modality="language", selection={"session": 3})


def matlab(folder, compressed=True, **changes):
    values, ids = recorded()
    content = {"responses": values, "stimulus_id": ids.astype(object)} | changes
    scipy.io.savemat(folder / "responses.mat", content, do_compression=compressed)


def structs():
    values, ids = recorded()
    made = np.zeros(len(values), dtype=[("responses", object), ("stimulus_id", object)])
    made["responses"], made["stimulus_id"] = list(values), [str(one) for one in ids]
    return made


@pytest.mark.parametrize(
    "changes",
    [
        {"responses": scipy.sparse.csc_matrix(recorded()[0])},
        {"stimulus_id": recorded()[1]},
        {"stimulus_id": recorded()[1].astype(object)[:, None]},
        {"responses": recorded()[0].astype(object)},
    ],
)
def test_what_matlab_saves_is_read(folder, changes):
    matlab(folder, **changes)
    data = load_folder(folder, "mine")
    np.testing.assert_array_equal(data.responses.values, recorded()[0])
    assert data.responses["stimulus_id"].values.tolist() == recorded()[1].tolist()


@pytest.mark.parametrize("as_array", [False, True])
def test_fields_of_a_struct_are_variables(folder, as_array):
    values, ids = recorded()
    one = {"responses": values, "stimulus_id": ids.astype(object), "repetition": np.tile(np.arange(R), N)}
    scipy.io.savemat(folder / "responses.mat", {"trials": structs()} if as_array else {"data": one})
    responses = load_folder(folder, "mine").responses
    np.testing.assert_array_equal(responses.values, values)
    assert ("repetition" in responses.coords) is not as_array


def test_what_matlab_alone_reads_is_one_line(folder):
    ids = recorded()[1].astype(object)
    ids[3] = np.array([])
    matlab(folder, stimulus_id=ids)
    refused(folder, "responses.mat: stimulus_id: cell 4 of 240 is empty: fill it in")
    path = folder / "responses.mat"
    shipped = Path(scipy.io.matlab.__file__).parent / "tests" / "data"
    matlab(folder)
    spoiled = bytearray(path.read_bytes())
    spoiled[400] ^= 255
    path.write_bytes(spoiled)
    refused(folder, "is damaged or not a MATLAB file .*: save it again")
    for name, message in {
        "testhdf5_7.4_GLNX86.mat": "unknown array: responses.mat needs 'responses'.*testdouble",
        "parabola.mat": r"parabola is an object of MATLAB's .*cellstr",
        "testobject_7.4_GLNX86.mat": r"testobject is an object of MATLAB's .*cellstr",
        "corrupted_zlib_data.mat": "is damaged or not a MATLAB file",
    }.items():
        if (shipped / name).is_file():
            shutil.copy(shipped / name, path)
            refused(folder, message)


def test_ids_from_pandas_are_read_without_running_anything(folder):
    values, ids = recorded()
    session = np.array([np.str_("a")] * 120 + [np.str_("b")] * 120, object)
    named = pd.Series(ids).to_numpy()
    assert named.dtype == object
    np.savez(
        folder / "responses.npz",
        responses=values,
        stimulus_id=named,
        session=session,
        run=np.array([1, "x"] * 120, object),
    )
    responses = load_folder(folder, "mine").responses
    assert responses["stimulus_id"].values.tolist() == ids.tolist()
    assert responses["session"].values.tolist() == session.tolist()


class Trap:
    def __reduce__(self):
        return (print, ("executed",))


@pytest.mark.parametrize("odd", [Trap(), {"a": 1}, [1, 2], np.array([1.0]), print, np.float64(1.5), b"x"])
def test_other_objects_are_refused(folder, odd, capsys):
    values, ids = recorded()
    spoiled = ids.astype(object)
    spoiled[2] = odd
    np.savez(folder / "responses.npz", responses=values, stimulus_id=spoiled)
    refused(folder, "'stimulus_id' holds Python objects.*refused; save plain arrays")
    assert "executed" not in capsys.readouterr().out
    (folder / "responses.npz").write_bytes(pickle.dumps(odd))
    refused(folder, "refused|damaged")


def dead():
    frame = table()
    frame["v3"] = 1.5
    frame.loc[7, "v5"] = np.nan
    frame["v7"] = np.nan
    frame.loc[11, [name for name in frame if name != "stimulus_id"]] = np.nan
    return frame


LEFT_OUT = {
    "neuroids that never vary": 1,
    "neuroids without a response to every presentation": 2,
    "presentations without any response": 1,
}


@pytest.mark.parametrize("missing", ["", "NA", "None", "n/a", "nan"])
def test_dead_neuroids_are_left_out_and_counted(folder, missing):
    dead().to_csv(folder / "responses.csv", index=False, na_rep=missing)
    responses = load_folder(folder, "mine").responses
    assert responses["neuroid_id"].values.tolist() == ["v0", "v1", "v2", "v4", "v6", "v8", "v9"]
    assert responses.attrs["left_out"] == LEFT_OUT
    np.testing.assert_array_equal(responses.values[:11, 0], recorded()[0][:11, 0])


def test_a_region_counts_its_own_dead_neuroids_and_the_record_says_them():
    values = signal()
    values[:, 1], values[3, 8] = 2.0, np.nan
    data = Dataset.from_arrays("mine", values, SENTENCES, region=["V1"] * 5 + ["IT"] * 5)
    assert recording(data, "V1").n_left_out == {"neuroids that never vary": 1}
    assert recording(data, "IT").n_left_out == {"neuroids without a response to every presentation": 1}
    found = score(
        "word-length-frequency", make_benchmark(data, "V1", "ridge"), n_bootstraps=0, n_permutations=0
    )
    assert found.attrs["record"]["left_out"]["neuroids that never vary"] == 1


def offsets(session):
    return 2 * signal().std(axis=0) * np.random.default_rng(7).normal(size=(R, T))[session]


@pytest.mark.parametrize("blocked", [False, True])
def test_offsets_of_sessions_are_removed_and_said(folder, blocked):
    values, ids = recorded()
    session = np.repeat(np.arange(R), N) if blocked else np.tile(np.arange(R), N)
    plain = Dataset.from_arrays("plain", values.reshape(N, R, T), SENTENCES)
    np.savez(
        folder / "responses.npz", responses=values + offsets(session), stimulus_id=ids, session=session + 1
    )
    data = load_folder(folder, "mine")
    kept = recording(data, "region")
    apart = "; sessions hold different stimuli: what differs between them is removed, too" if blocked else ""
    assert kept.sessions == "responses z-scored within each of 4 sessions" + apart
    of_session = kept.cube if blocked else kept.cube.swapaxes(0, 1).reshape(-1, T)
    np.testing.assert_allclose(of_session.reshape(-1, T).mean(axis=0), 0, atol=1e-9)
    want, got = (np.median(variance_reliability(recording(one, "region").cube)) for one in (plain, data))
    assert abs(got - want) < 0.1
    options = {"n_bootstraps": 0, "n_permutations": 0}
    found = score(
        "word-length-frequency", make_benchmark(data, metric="ridge", folds="shuffled"), **options
    ).attrs["record"]
    want = score("word-length-frequency", make_benchmark(plain, metric="ridge"), **options).attrs["record"]
    assert found["methods"]["sessions"] == kept.sessions
    assert abs(found["score"] - want["score"]) < 0.05
    assert 0.8 < found["score"] < 1.1


def test_a_session_that_is_too_short_to_be_scored_within_is_one_line():
    values, ids = recorded()
    session = np.where(np.arange(N * R) < 2, "a", "b")
    coords = {"stimulus_id": ("presentation", ids), "session": ("presentation", session)}
    made = xr.DataArray(values, dims=("presentation", "neuroid"), coords=coords)
    data = Dataset.from_arrays("mine", made, pd.DataFrame({"sentence": SENTENCES}, index=IDS))
    with pytest.raises(UserError, match="session 'a' has 2 presentations, too few to z-score within it"):
        recording(data, "region")


def in_sessions(values, ids, session):
    """A data set of presentations with sessions, read as it would be scored."""
    coords = {"stimulus_id": ("presentation", ids), "session": ("presentation", session)}
    made = xr.DataArray(values, dims=("presentation", "neuroid"), coords=coords)
    return recording(
        Dataset.from_arrays("mine", made, pd.DataFrame({"sentence": SENTENCES}, index=IDS)), "region"
    )


@pytest.mark.parametrize("constant", [0.7, 0.1, 3.0, 1e6 + 0.1])
def test_a_neuroid_that_stands_still_in_a_session_is_left_out_and_counted(constant):
    values, ids = recorded()
    session = np.tile(np.arange(R), N)
    values[session == 1, 0] = constant
    kept = in_sessions(values, ids, session)
    assert kept.cube.shape == (N, R, T - 1)
    assert kept.n_left_out == {"neuroids that do not vary within a session": 1}
    assert len(kept.neuroids) == T - 1
    assert np.abs(kept.cube).max() < 10
    values[session == 1] = constant
    with pytest.raises(UserError, match="every neuroid is constant within a session: join sessions"):
        in_sessions(values, ids, session)


def test_sessions_of_few_stimuli_are_refused_where_their_mean_is_what_was_to_be_predicted():
    values, ids = recorded()
    for per, said in ((1, "1 different stimulus,"), (10, "10 different stimuli")):
        session = np.arange(N * R) // (per * R)  # repetitions inside a session
        with pytest.raises(UserError, match=f"session '0' holds {said}.* join sessions"):
            in_sessions(values, ids, session)
    sets = np.repeat(np.arange(N) // 10, R) + 10 * np.tile(
        np.arange(R), N
    )  # ten, which are never among others
    with pytest.raises(UserError, match="holds 10 different stimuli, too few to z-score within it"):
        in_sessions(values, ids, sets)
    order = np.random.default_rng(0).permuted(np.tile(np.arange(N), (R, 1)), axis=1)
    mixed = (order // 10 + 6 * np.arange(R)[:, None]).T.ravel()  # ten, among others each time
    said = in_sessions(values, ids, mixed).sessions
    assert said.endswith(
        "24 sessions; sessions hold different stimuli: what differs between them is removed, too"
    )


@pytest.mark.parametrize("nested", [True, False])
def test_a_flawless_model_reaches_the_ceiling_of_sessions_that_are_accepted(nested):
    found = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        truth = rng.normal(size=N)
        values = np.repeat(truth, R)[:, None] + rng.normal(size=(N * R, T))
        order = rng.permuted(np.tile(np.arange(N), (R, 1)), axis=1)
        session = (
            np.repeat(rng.permutation(N) // 15, R)
            if nested
            else (order // 6 + 10 * np.arange(R)[:, None]).T.ravel()
        )
        kept = in_sessions(values, np.repeat(IDS, R), session)
        ceiling = neuroid_ceiling(kept, [np.arange(N)], np.ones(N)).value
        r = [np.corrcoef(truth[np.argsort(IDS)], one)[0, 1] for one in kept.mean.T]
        found.append(np.median(r) ** 2 / ceiling)
    assert 0.95 < np.mean(found) < 1.05


def test_people_are_never_averaged_as_repetitions(folder):
    whole = [recorded(seed, repetitions=2)[0] for seed in range(3)]
    ids = np.tile(np.repeat(IDS, 2), 3)
    frame = pd.DataFrame(np.concatenate(whole), columns=[f"v{i}" for i in range(T)])
    frame.insert(0, "stimulus_id", ids)
    frame.insert(1, "subject", np.repeat(["A", "B", "C"], N * 2))
    frame.sample(frac=1, random_state=0).to_csv(folder / "responses.csv", index=False)
    data = load_folder(folder, "mine")
    assert data.responses["subject"].dims == ("neuroid",)
    kept = recording(data, "region")
    assert kept.cube.shape == (N, 2, 3 * T)
    assert [len(one) for one in kept.members] == [T, T, T]
    for person, values in zip("ABC", whole, strict=True):
        mine = data.responses[:, (data.responses["subject"] == person).values]
        got = repetition_cube(mine, IDS)
        np.testing.assert_allclose(np.sort(got, axis=1), np.sort(values.reshape(N, 2, T), axis=1))
    assert np.median(variance_reliability(kept.cube)) > 0.5  # averaged over people it was negative


def test_people_are_told_apart_however_the_data_set_was_made():
    values = np.concatenate([signal(0), signal(1)])
    coords = {
        "stimulus_id": ("presentation", np.array(IDS * 2, object)),
        "subject": ("presentation", np.repeat(["A", "B"], N)),
        "neuroid_id": ("neuroid", np.array([f"v{i}" for i in range(T)], object)),
        "region": ("neuroid", np.array(["V1"] * T, object)),
    }
    made = xr.DataArray(values, dims=("presentation", "neuroid"), coords=coords)
    texts = StimulusSet({"stimulus_id": IDS, "sentence": SENTENCES})
    kept = recording(Dataset("mine", "language", texts, made), "V1")
    assert kept.cube.shape == (N, 1, 2 * T)
    assert [len(one) for one in kept.members] == [T, T]


def test_sessions_and_repetitions_of_neuroids_are_their_own(folder):
    table(subject=np.tile(["A", "A", "B", "B"], N)).to_csv(folder / "responses.csv", index=False)
    rows = {"neuroid_id": [f"v{i}" for i in range(T)], "session": range(T), "repetition": range(T)}
    pd.DataFrame(rows).to_csv(folder / "neuroids.csv", index=False)
    kept = recording(load_folder(folder, "mine"), "region")
    assert kept.cube.shape == (N, 2, 2 * T)
    assert kept.sessions == ""
    pd.DataFrame(rows | {"subject": ["A"] * T}).to_csv(folder / "neuroids.csv", index=False)
    refused(folder, "subject is given of the presentations and of the neuroids: keep one")


def test_what_not_every_subject_was_shown_is_left_out_and_counted():
    values, ids = recorded(repetitions=2)
    coords = {"stimulus_id": ("presentation", ids), "subject": ("presentation", np.tile(["A", "B"], N))}
    made = xr.DataArray(values, dims=("presentation", "neuroid"), coords=coords)
    texts = pd.DataFrame({"sentence": SENTENCES}, index=IDS)
    data = Dataset.from_arrays("mine", made.isel(presentation=[*range(2 * N), 0]), texts)
    assert data.responses.shape == (N, 2 * T)
    assert data.responses.attrs["left_out"] == {"presentations that not every subject has": 1}
    other = made.assign_coords(subject=("presentation", np.repeat(["A", "B"], N)))
    with pytest.raises(UserError, match="subjects 'A' and 'B' were shown no stimulus in common"):
        Dataset.from_arrays("mine", other, texts)


def test_repetitions_numbered_by_session_are_as_good_as_none(folder):
    values, ids = recorded(repetitions=2)
    rng = np.random.default_rng(0)
    numbers = np.concatenate([np.sort(rng.permutation(4)[:2]) for _ in range(N)])
    cubes = []
    for changes in ({}, {"repetition": numbers}):
        np.savez(folder / "responses.npz", responses=values, stimulus_id=ids, **changes)
        cubes.append(recording(load_folder(folder, "mine"), "region").cube)
    np.testing.assert_array_equal(*cubes)


def test_a_neuroid_without_a_response_to_a_stimulus_has_no_mean():
    cube = np.ones((2, 2, 2))
    cube[0, :, 1], cube[1, 0, 0] = np.nan, np.nan
    np.testing.assert_array_equal(mean_response(cube), [[1, np.nan], [1, 1]])


@pytest.mark.parametrize("n_stories", [4, 5])
def test_few_stories_are_left_out_one_by_one(folder, n_stories):
    stimuli(folder, story=[f"story{i % n_stories}" for i in range(N)])
    table().to_csv(folder / "responses.csv", index=False)
    options = {"n_bootstraps": 0, "n_permutations": 0}
    for changes in ({"folds": 5, "group": "story"}, {"folds": "leave-story-out"}):
        bench = make_benchmark(load_folder(folder, "mine"), metric="ridge", **changes)
        found = score("word-length-frequency", bench, **options).attrs["record"]
        assert found["methods"]["folds"] == n_stories
        assert found["score"] > 0.8


def strange(folder):
    kinds = ["None", "NA"] * (N // 2)
    pd.DataFrame({"item": IDS, "shown": SENTENCES, "kind": kinds}).to_csv(folder / "stimuli.csv", index=False)
    table(trial=range(N * R)).rename(columns={"stimulus_id": "item"}).to_csv(
        folder / "responses.csv", index=False
    )
    return kinds


def test_columns_of_a_stranger_are_mapped_and_stay_so(folder, brodmann_home):
    kinds = strange(folder)
    words = ("data", "add", "strange", "--from", folder)
    home = {"BRODMANN_HOME": str(brodmann_home)}
    refused(folder, "it has item, shown, kind; say which of them it is by --columns stimulus_id=NAME")
    done = run_brodmann(
        *words, "--columns", "stimulus_id=item,sentence=shown,category=kind,trial=ignore", "--json", **home
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert (said["n_stimuli"], said["n_neuroids"], said["repetitions"]) == (N, T, [R, R])
    assert said["regions"]["region"]["reliability"] > 0.8
    data = brodmann.load_dataset("strange")
    assert data.stimuli["category"].tolist() == kinds
    np.testing.assert_array_equal(data.responses.values, recorded()[0])
    ran = run_brodmann(*said["next"].split()[1:], "--bootstraps", "0", "--permutations", "0", **home)
    assert ran.returncode == 0, ran.stderr
    again = brodmann.add_dataset("again", brodmann_home / "data" / "strange")
    assert brodmann.load_dataset(again).stimuli["category"].tolist() == kinds


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"stimulus_id": "itm"}, "it has item, shown, kind; say which|unknown column.*did you mean 'item'"),
        (
            {"stimulus_id": "item", "sentence": "shwn"},
            r"column of stimuli.csv \(sentence\) 'shwn': did you mean 'shown'",
        ),
        (
            {"stimulus_id": "item", "sentence": "shown", "trial": "ignore", "foo": "ignore"},
            r"unknown column \(foo=ignore\) 'foo'",
        ),
        ({"stimulus_id": "item", "shown": "kind"}, "has a column 'shown' already|cannot be called that"),
    ],
)
def test_a_mapping_that_does_not_fit_is_one_line(folder, columns, message):
    strange(folder)
    with pytest.raises(UserError, match=message):
        load_folder(folder, "mine", columns)


def test_one_column_may_be_two_things(folder):
    pd.DataFrame({"sentence": SENTENCES}).to_csv(folder / "stimuli.csv", index=False)
    frame = table()
    frame["stimulus_id"] = np.repeat(SENTENCES, R)
    frame.to_csv(folder / "responses.csv", index=False)
    data = load_folder(folder, "mine", {"stimulus_id": "sentence", "sentence": "sentence"})
    assert data.stimuli["sentence"].tolist() == data.stimuli["stimulus_id"].tolist() == SENTENCES


def test_what_was_found_is_printed(folder, brodmann_home):
    frame = dead()
    frame.to_csv(folder / "responses.csv", index=False)
    rows = {
        "neuroid_id": [f"v{i}" for i in range(T)],
        "region": ["V1"] * 5 + ["IT"] * 5,
        "subject": ["a", "b"] * 5,
    }
    pd.DataFrame(rows).to_csv(folder / "neuroids.csv", index=False)
    done = run_brodmann("data", "add", "printed", "--from", folder, BRODMANN_HOME=str(brodmann_home))
    assert done.returncode == 0, done.stderr
    for line in (
        "stimuli     60 (language), with stimulus_id, sentence",
        "neuroids    7",
        "repetitions 3 to 4 of each stimulus, 239 presentations",
        "subjects    2",
        "left out    1 neuroids that never vary",
        "left out    2 neuroids without a response to every presentation",
        "left out    1 presentations without any response",
        "next        brodmann score word-length-frequency printed.V1-ridge",
    ):
        assert line in done.stdout.splitlines()
    assert "region      V1: 4 neuroids, reliability of the mean response 0." in done.stdout
    assert "region      IT: 3 neuroids, reliability of the mean response 0." in done.stdout


ASKED = (
    "Session SESSIONS sess Repetition reps Reps run_number runs SUBJECT subjects participant monkey animal region "
    "Region group story passage filename image_id sentence_id object_name category_name tr TR is_target isTarget "
    "start_time end_time onset_time stimulus_onset button_press fixation correct_response neuroid_id word stimuli"
)
GENUINE = (
    "v0 n12 V1 IT PPA FFA LH_IFGorb MFG AntTemp PostTemp isthmuscingulate A B ch01 e7 neuron_3 unit12 voxel_101 "
    "roi_V4 region1 face1 Fp1 Cz MEG0113 left_ifg lang_LH_netw 17 3.5 insula issue"
)


@pytest.mark.parametrize("column", ASKED.split())
def test_what_is_called_as_our_labels_are_is_asked_about(column):
    assert list(unlike_neuroids({column: float})) == [column]


def test_names_of_neuroids_pass():
    assert unlike_neuroids(dict.fromkeys(GENUINE.split(), float)) == {}


def test_labels_by_other_names_are_no_neuroids(folder):
    table(Session=np.tile(np.arange(R), N)).to_csv(folder / "responses.csv", index=False)
    refused(folder, r"'Session' looks like .* or say what they are: --columns session=Session")
    assert load_folder(folder, "mine", {"session": "Session"}).responses["session"].dims == ("presentation",)
    table(target=np.tile([True, False], 2 * N)).to_csv(folder / "responses.csv", index=False)
    refused(folder, "'target' looks like")
    stimuli(folder, valence=LENGTH)
    table(Valence=np.repeat(LENGTH, R)).to_csv(folder / "responses.csv", index=False)
    refused(folder, "'Valence' looks like .*Valence=neuroid if it is")
    assert load_folder(folder, "mine", {"Valence": "neuroid"}).responses.sizes["neuroid"] == T + 1
    table().rename(columns={"stimulus_id": "Stimulus_ID"}).to_csv(folder / "responses.csv", index=False)
    refused(folder, r"did you mean 'Stimulus_ID'\? Say so by --columns stimulus_id=NAME")


@pytest.mark.parametrize(
    "column", ["stimulus_id", "repetition", "session", "subject", "run", "region", "valence", "flag"]
)
def test_labels_among_the_columns_in_memory_are_asked_about(column):
    frame = pd.DataFrame(signal(), columns=[f"v{i}" for i in range(T)], index=IDS)
    frame.insert(0, column, [True, False] * 30 if column == "flag" else np.arange(N))
    texts = pd.DataFrame({"sentence": SENTENCES, "valence": LENGTH}, index=IDS)
    with pytest.raises(UserError, match=f"columns '{column}' of the responses look like"):
        Dataset.from_arrays("mine", frame, texts)


def test_indices_of_several_levels_and_missing_texts_are_one_line():
    frame = pd.DataFrame(signal(), columns=[f"v{i}" for i in range(T)])
    frame.index = pd.MultiIndex.from_arrays([IDS, range(N)], names=["stimulus_id", "repetition"])
    with pytest.raises(UserError, match="must have one level, ids of stimuli and names of neuroids: drop"):
        Dataset.from_arrays("mine", frame, pd.DataFrame({"sentence": SENTENCES}, index=IDS))
    gone = [None, *SENTENCES[1:]]
    with pytest.raises(UserError, match=r"not NoneType \(stimulus 0\)"):
        Dataset.from_arrays("mine", signal(), gone)
    with pytest.raises(UserError, match=r"column 'sentence' is empty in 1 of 60 rows \(first: 's0'\)"):
        Dataset.from_arrays("mine", signal(), pd.DataFrame({"sentence": gone}, index=IDS))


@pytest.mark.parametrize(("ending", "separator", "blank"), [("csv", ",", ""), ("tsv", "\t", "n/a")])
def test_people_sessions_and_runs_are_called_as_it_is_written(folder, ending, separator, blank):
    people = np.repeat(["1", "01", "001", "1.0"], N)
    ids = np.tile(IDS, 4)
    frame = table(subject=people).assign(stimulus_id=ids)
    frame.to_csv(folder / f"responses.{ending}", sep=separator, index=False)
    data = load_folder(folder, "mine")
    assert list(dict.fromkeys(data.responses["subject"].values.tolist())) == ["1", "01", "001", "1.0"]
    frame = table(session=people, run=people).assign(stimulus_id=ids)
    frame.to_csv(folder / f"responses.{ending}", sep=separator, index=False)
    shown = load_folder(folder, "mine").responses
    assert shown["session"].values.tolist() == people.tolist() == shown["run"].values.tolist()
    frame.loc[5, "session"] = blank
    frame.to_csv(folder / f"responses.{ending}", sep=separator, index=False)
    refused(folder, r"1 rows have no session \(first: row 7\)")


def test_packed_tables_and_counts_that_cannot_be(folder):
    table().to_csv(folder / "responses.csv.gz", index=False)
    refused(folder, r"responses.csv.gz is not read: unpack it first \(gunzip\)")
    (folder / "responses.csv.gz").unlink()
    table().to_csv(folder / "responses.csv", index=False)
    (folder / "dataset.toml").write_text("n_stimuli = 3\n")
    refused(folder, "n_stimuli is 3, but stimuli.csv lists 60")
    (folder / "dataset.toml").write_text("n_subjects = true\n")
    refused(folder, "n_subjects must be a whole number, not True")


@pytest.mark.parametrize("wrong", ["inf", "-1", "x", "50%"])
def test_a_ratio_that_cannot_be_is_named_by_its_neuroid(folder, wrong):
    values, ids = recorded(repetitions=1)
    np.savez(folder / "responses.npz", responses=values, stimulus_id=ids)
    rows = {"neuroid_id": [f"n{i}" for i in range(T)], "ncsnr": ["1.5", wrong, *["2"] * (T - 2)]}
    pd.DataFrame(rows).to_csv(folder / "neuroids.csv", index=False)
    refused(folder, f"ncsnr of neuroid 'n1' is '{wrong}(.0)?': .* a finite number from 0 on, or blank")


def added(folder, name, *words, **home):
    return run_brodmann("data", "add", name, "--from", folder, "--json", *words, **home)


@pytest.mark.parametrize("kind", ["unequal", "few", "published", "ncsnr"])
def test_adding_says_the_ceiling_that_a_score_has(folder, kind):
    values, ids = recorded(repetitions=1 if kind in ("published", "ncsnr") else R, noise=1.5)
    place = np.tile(np.arange(R), N)
    if kind == "unequal":
        kept = (place < 2) | (np.repeat(np.arange(N), R) < 10)
        values, ids = values[kept], ids[kept]
    if kind == "few":
        kept = (place < 1) | (np.repeat(np.arange(N), R) < 2)
        values, ids = values[kept], ids[kept]
    if kind == "published":
        (folder / "dataset.toml").write_text("[published_ceilings.region]\nvalue = 0.5\n")
    if kind == "ncsnr":
        rows = {"neuroid_id": [f"n{i}" for i in range(T)], "ncsnr": [1.0] * (T - 1) + [""]}
        pd.DataFrame(rows).to_csv(folder / "neuroids.csv", index=False)
    np.savez(folder / "responses.npz", responses=values, stimulus_id=ids)
    data = load_folder(folder, "mine")
    said = found(data, folder)
    options = {"n_bootstraps": 0, "n_permutations": 0}
    record = score("word-length-frequency", make_benchmark(data), **options).attrs["record"]
    assert said["regions"]["region"]["ceiling"] == record["ceiling"] is not None
    printed = f"{record['ceiling']:.3f}"
    shown = next(line for line in found_text(said).splitlines() if line.startswith("region"))
    assert {"published": "r_max, the published one", "ncsnr": "by ncsnr"}.get(kind, "median") in shown
    assert printed in shown


@pytest.mark.parametrize(("n_stimuli", "n_neuroids"), [(6, 2), (10, 2), (60, 2)])
def test_the_next_command_is_one_that_works(tmp_path, n_stimuli, n_neuroids, brodmann_home):
    texts = {"stimulus_id": IDS[:n_stimuli], "sentence": SENTENCES[:n_stimuli]}
    pd.DataFrame(texts).to_csv(tmp_path / "stimuli.csv", index=False)
    values, ids = recorded()
    rows = slice(n_stimuli * R)
    np.savez(tmp_path / "responses.npz", responses=values[rows, :n_neuroids], stimulus_id=ids[rows])
    command = found(load_folder(tmp_path, "mine"), tmp_path)["next"].split()[1:]
    assert command[:2] == (["score", "word-length-frequency"] if n_stimuli == 60 else ["benchmarks", "info"])


def test_what_is_refused_replaces_nothing(folder, brodmann_home):
    values, ids = recorded()
    home = {"BRODMANN_HOME": str(brodmann_home)}
    np.savez(folder / "responses.npz", responses=values, stimulus_id=ids)
    assert added(folder, "kept", **home).returncode == 0
    before = brodmann.load_dataset("kept").digest
    np.savez(folder / "responses.npz", responses=values, stimulus_id=ids, session=np.arange(N * R) < 3)
    for name in ("kept", "fresh"):
        done = added(folder, name, **home)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)
        assert "too few to z-score within it" in done.stderr
    assert brodmann.load_dataset("kept").digest == before
    assert not (brodmann_home / "data" / "fresh").exists()


def test_stimuli_that_one_person_never_saw_are_left_out_and_counted(folder):
    frame = table(subject=np.tile(["A", "B"], 2 * N))
    frame = frame[~((frame["subject"] == "B") & frame["stimulus_id"].isin(IDS[:3]))]
    frame.to_csv(folder / "responses.csv", index=False)
    data = load_folder(folder, "mine")
    assert data.stimuli["stimulus_id"].tolist() == IDS[3:]
    assert data.responses.attrs["left_out"]["stimuli that not every subject was shown"] == 3
    coords = {"stimulus_id": ("presentation", frame["stimulus_id"].to_numpy())}
    coords["subject"] = ("presentation", frame["subject"].to_numpy())
    made = xr.DataArray(frame.iloc[:, 2:].to_numpy(float), dims=("presentation", "neuroid"), coords=coords)
    again = Dataset.from_arrays("mine", made, pd.DataFrame({"sentence": SENTENCES}, index=IDS))
    assert again.stimuli["stimulus_id"].tolist() == IDS[3:]
    frame[frame["stimulus_id"] != IDS[9]].to_csv(folder / "responses.csv", index=False)
    refused(folder, "stimuli have no response")
