"""Data sets of arrays in memory: every form, and every mistake in one line."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from PIL import Image

from brodmann import UserError
from brodmann.brain_data import Dataset, load_dataset
from brodmann.brain_data.formats.folder import load_folder
from brodmann.brain_data.formats.folder_writer import save_folder
from brodmann.brain_data.noise_ceiling import reliability
from brodmann.brain_data.repetitions import repetition_cube

N, R, T = 6, 3, 4
TEXTS = [f"Text {i}." for i in range(N)]


def values(*shape):
    return np.random.default_rng(0).normal(size=shape)


def test_three_lines_are_enough():
    responses = values(N, T)
    data = Dataset.from_arrays("mine", responses, TEXTS, region="PostTemp")
    assert data.modality == "language"
    assert data.regions == ["PostTemp"]
    assert data.stimuli["sentence"].tolist() == TEXTS
    np.testing.assert_array_equal(data.region("PostTemp").values, responses)
    assert data.stimuli.identifier == "mine"


def test_repetitions_stay_apart_and_those_not_recorded_are_left_out():
    responses = values(N, R, T)
    responses[2, 1:] = np.nan
    data = Dataset.from_arrays("mine", responses, TEXTS)
    assert data.responses.shape == (N * R - 2, T)
    cube = repetition_cube(data.responses, data.stimuli["stimulus_id"])
    np.testing.assert_array_equal(cube, responses)


def test_the_ceiling_of_arrays_is_that_of_their_truth():
    signal, noise = values(400, 1, T), np.random.default_rng(1).normal(size=(400, 4, T))
    data = Dataset.from_arrays("mine", signal + noise, [f"Text {i}." for i in range(400)])
    found = reliability(repetition_cube(data.responses, data.stimuli["stimulus_id"]))
    np.testing.assert_allclose(found, 0.8, atol=0.05)  # 1 / (1 + 1 / 4)


def test_a_person_of_each_neuroid_their_places_and_labels():
    data = Dataset.from_arrays(
        "mine",
        values(N, T),
        TEXTS,
        region=["V1", "V1", "IT", "IT"],
        subject=["01", "02", "01", "02"],
        positions=np.arange(T * 3).reshape(T, 3),
        labels={"category": list("aabbcc"), "length": range(N)},
        units="spikes/s",
        license="CC0",
    )
    assert data.responses["region"].values.tolist() == ["V1", "V1", "IT", "IT"]
    assert data.responses["subject"].values.tolist() == ["01", "02", "01", "02"]
    assert data.responses["y"].values.tolist() == [1, 4, 7, 10]
    assert data.stimuli["category"].tolist() == list("aabbcc")
    assert data.stimuli["length"].tolist() == list(range(N))
    assert (data.units, data.license) == ("spikes/s", "CC0")
    plane = Dataset.from_arrays(
        "mine", values(N, T), TEXTS, positions=np.zeros((T, 2)), labels=list("ababab")
    )
    assert set(plane.responses.coords) & {"x", "y", "z"} == {"x", "y"}
    assert plane.stimuli["category"].tolist() == list("ababab")


def test_a_table_names_stimuli_and_neuroids_and_may_repeat_them():
    table = pd.DataFrame(
        values(N * 2, 2), index=[f"s{i}" for i in reversed(range(N))] * 2, columns=["a", "b"]
    )
    shown = pd.DataFrame({"sentence": TEXTS}, index=[f"s{i}" for i in range(N)])
    data = Dataset.from_arrays("mine", table, shown)
    assert data.responses["neuroid_id"].values.tolist() == ["a", "b"]
    cube = repetition_cube(data.responses, data.stimuli["stimulus_id"])
    np.testing.assert_array_equal(cube[0], table.loc["s0"].to_numpy())


@pytest.mark.parametrize("order", [range(N - 1, -1, -1), [2, 0, 5, 1, 4, 3]], ids=["reversed", "shuffled"])
@pytest.mark.parametrize("own_column", [True, False])
def test_rows_in_another_order_are_found_by_their_numbers(order, own_column):
    table = pd.DataFrame(values(N, T)).loc[order]
    table.index = pd.RangeIndex(N - 1, -1, -1) if isinstance(order, range) else table.index
    shown = pd.DataFrame({"sentence": TEXTS} | ({"stimulus_id": range(N)} if own_column else {}))
    data = Dataset.from_arrays("mine", table, shown)
    cube = repetition_cube(data.responses, data.stimuli["stimulus_id"])
    np.testing.assert_array_equal(cube[:, 0], values(N, T))


def test_the_default_index_says_the_order_of_the_stimuli():
    shown = pd.DataFrame({"stimulus_id": [f"s{i}" for i in (3, 1, 0, 2, 5, 4)], "sentence": TEXTS})
    data = Dataset.from_arrays("mine", pd.DataFrame(values(N, T)), shown)
    assert data.responses["stimulus_id"].values.tolist() == shown["stimulus_id"].tolist()
    np.testing.assert_array_equal(data.responses.values, values(N, T))


def test_what_is_masked_was_not_recorded():
    mask = np.zeros((N, R, T), bool)
    mask[2, 1:] = True
    given = values(N, R, T)
    for array in (np.ma.array(given, mask=mask), np.ma.array((given * 100).astype(int), mask=mask)):
        data = Dataset.from_arrays("mine", array, TEXTS)
        assert data.responses.shape == (N * R - 2, T)
        cube = repetition_cube(data.responses, data.stimuli["stimulus_id"])
        np.testing.assert_array_equal(cube, array.astype(float).filled(np.nan))


def test_a_labelled_array_keeps_its_coordinates():
    array = xr.DataArray(
        values(T, N),
        dims=("neuroid", "presentation"),
        coords={
            "stimulus_id": ("presentation", np.arange(N)[::-1]),
            "neuroid_id": ("neuroid", list("abcd")),
            "region": ("neuroid", ["V1", "V1", "V4", "V4"]),
        },
    )
    data = Dataset.from_arrays("mine", array, pd.DataFrame({"stimulus_id": range(N), "word": list("uvwxyz")}))
    assert data.regions == ["V1", "V4"]
    assert data.responses["stimulus_id"].values.tolist() == list("543210")
    np.testing.assert_array_equal(data.responses.values, array.values.T)
    bare = Dataset.from_arrays("mine", xr.DataArray(values(T, N), dims=("neuroid", "picture")), TEXTS)
    np.testing.assert_array_equal(bare.responses.values, values(T, N).T)


@pytest.fixture
def pictures(tmp_path):
    for i in range(N):
        Image.new("RGB", (4, 4), (i, 0, 0)).save(tmp_path / f"{i}.png")
    return [tmp_path / f"{i}.png" for i in range(N)]


def test_pictures_by_their_paths(pictures):
    data = Dataset.from_arrays("mine", values(N, T), pictures)
    assert data.modality == "vision"
    assert list(data.stimuli.stimulus_paths.values()) == pictures
    as_texts = Dataset.from_arrays("mine", values(N, T), list(map(str, pictures)))
    as_table = Dataset.from_arrays(
        "mine", values(N, T), pd.DataFrame({"stimulus_id": data.stimuli["stimulus_id"], "filename": pictures})
    )
    assert data.digest == as_texts.digest == as_table.digest
    with pytest.raises(UserError, match=r"1 of 6 pictures are not there \(first: .*nowhere.png\)"):
        Dataset.from_arrays("mine", values(N, T), [*pictures[1:], "nowhere.png"])


def test_brainscores_own_stimulus_set_is_taken(pictures):
    brainio = pytest.importorskip("brainscore_core.supported_data_standards.brainio.stimuli")
    theirs = brainio.StimulusSet({"stimulus_id": [f"s{i}" for i in range(N)]})
    theirs.stimulus_paths = dict(zip(theirs["stimulus_id"], pictures, strict=True))
    data = Dataset.from_arrays("mine", values(N, T), theirs)
    assert data.modality == "vision"
    assert data.stimuli.get_stimulus("s3") == pictures[3]


def test_arrays_and_the_folder_they_are_saved_as_are_one_data_set(tmp_path):
    data = Dataset.from_arrays("mine", values(N, R, T), TEXTS, region=["V1", "V1", "IT", "IT"])
    save_folder(data, tmp_path / "saved")
    assert load_folder(tmp_path / "saved", "mine").digest == data.digest


def stimuli_named(*names):
    return pd.DataFrame({"stimulus_id": names, "sentence": TEXTS})


NAN = values(N, T)
NAN[1, 2] = np.nan
CONSTANT = values(N, T)
CONSTANT[:, 3] = 2.0
MISTAKES = {
    "transposed": (
        (values(T, N), TEXTS),
        {},
        r"there are 6 stimuli, but the responses are to 4 .*: transpose",
    ),
    "other number": ((values(5, T), TEXTS), {}, r"6 stimuli, but the responses are to 5 \(shape \(5, 4\)\)$"),
    "one dimension": ((values(N), TEXTS), {}, r"\(stimulus, repetition, neuroid\), not of shape \(6,\)"),
    "text": ((np.full((N, T), "a"), TEXTS), {}, "the responses are <U1, not real numbers"),
    "complex": ((values(N, T) * 1j, TEXTS), {}, "the responses are complex128, not real numbers"),
    "nan": (
        (NAN[:, 2:3], TEXTS),
        {},
        r"1 responses are NaN .*\(first: stimulus 'stimulus0001', neuroid 'n0'\)",
    ),
    "constant": ((CONSTANT[:, 3:], TEXTS), {}, r"1 of 1 neuroids never vary \(first: 'n0'\)"),
    "never recorded": (
        (np.where(np.arange(N)[:, None, None] == 2, np.nan, values(N, R, T)), TEXTS),
        {},
        r"1 stimuli have no response \(first: 'stimulus0002'\)",
    ),
    "a text twice": (
        (values(N, T), [*TEXTS[1:], TEXTS[2]]),
        {},
        r"1 stimuli are given more than once \(first: 'Text",
    ),
    "an id twice": (
        (values(2, T), pd.DataFrame({"stimulus_id": ["a", "a"], "word": ["x", "y"]})),
        {},
        r"mine: 1 stimulus ids appear more than once \(first: 'a'\)",
    ),
    "a neuroid twice": (
        (pd.DataFrame(values(N, 2), columns=["a", "a"]), TEXTS),
        {},
        "'a' names several neuroids",
    ),
    "no stimuli": ((values(N, T), []), {}, "the stimulus table is empty"),
    "numbers for stimuli": (
        (values(N, T), list(range(N))),
        {},
        "must be texts, paths of pictures or a table, not int",
    ),
    "a table of nothing to show": (
        (values(N, T), pd.DataFrame({"length": range(N)})),
        {},
        r"no column filename, sentence, word, text \(it has: length, stimulus_id\)",
    ),
    "regions": ((values(N, T), TEXTS), {"region": ["V1"]}, "region has 1 values, but there are 4 neuroids"),
    "subjects": (
        (values(N, T), TEXTS),
        {"subject": ["a"] * 5},
        "subject has 5 values, but there are 4 neuroids",
    ),
    "places": ((values(N, T), TEXTS), {"positions": values(T)}, r"positions must be .* not of shape \(4,\)"),
    "places of others": (
        (values(N, T), TEXTS),
        {"positions": values(3, 3)},
        "x has 3 values, but there are 4",
    ),
    "labels": (
        (values(N, T), TEXTS),
        {"labels": list("ab")},
        "category has 2 values, but there are 6 stimuli",
    ),
    "rows of other stimuli": (
        (pd.DataFrame(values(N, T), index=range(N, 0, -1)), TEXTS),
        {},
        r"6 stimulus ids of the responses are not in the stimulus table \(first: '1'\)",
    ),
    "numbers that are ids and an order": (
        (pd.DataFrame(values(N, T)), stimuli_named(5, 4, 3, 2, 1, 0)),
        {},
        "the stimuli have the ids 0 to 5 in another order than the default index of the responses: name",
    ),
    "masked": (
        (np.ma.array(values(N, 1), mask=np.arange(N).reshape(N, 1) == 1), TEXTS),
        {},
        r"1 responses are NaN .*\(first: stimulus 'stimulus0001', neuroid 'n0'\)",
    ),
    "ragged": (([[1.0, 2.0], [3.0]], TEXTS[:2]), {}, "the responses are rows of different lengths"),
    "no region": ((values(N, T), TEXTS), {"region": None}, r"4 neuroids have no region \(first: 'n0'\)"),
    "a neuroid without region": (
        (values(N, T), TEXTS),
        {"region": ["V1", None, "V1", float("nan")]},
        r"2 neuroids have no region \(first: 'n1'\)",
    ),
    "a neuroid without name": (
        (pd.DataFrame(values(N, 2), columns=["a", None]), TEXTS),
        {},
        r"1 neuroids have no name \(first: column 1\)",
    ),
    "a neuroid of an empty name": (
        (pd.DataFrame(values(N, 2), columns=["a", " "]), TEXTS),
        {},
        r"1 neuroids have no name \(first: column 1\)",
    ),
    "a stimulus without id": (
        (values(N, T), stimuli_named("a", "b", None, "d", float("nan"), "f")),
        {},
        r"mine: 2 stimuli have no stimulus_id \(first: row 2\)",
    ),
    "an empty id": (
        (values(N, T), stimuli_named("a", "b", "c", "d", " ", "f")),
        {},
        r"mine: 1 stimuli have no stimulus_id \(first: row 4\)",
    ),
    "no stimuli at all": ((values(N, T), None), {}, "must be a list of texts or paths, or a table, not None"),
    "one text": ((values(N, T), "Text."), {}, "must be a list of texts or paths, or a table, not 'Text.'"),
    "places in words": (
        (values(N, T), TEXTS),
        {"positions": [["left", "up"]] * T},
        "positions are <U4, not real numbers",
    ),
    "places of different lengths": (
        (values(N, T), TEXTS),
        {"positions": [[1, 2], [1, 2, 3], [1, 2], [1, 2]]},
        "positions are rows of different lengths",
    ),
    "an array without dims": (
        (xr.DataArray(values(N, T), dims=("a", "b"), coords={"stimulus_id": ("a", TEXTS)}), TEXTS),
        {},
        r"stimulus_id must be on 'presentation', beside 'neuroid', not on dims \('a', 'b'\)",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_line(mistake):
    given, known, message = MISTAKES[mistake]
    with pytest.raises(UserError, match=message) as caught:
        Dataset.from_arrays("mine", *given, **known)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", [None, "", " ", 3])
def test_a_data_set_has_a_name(name):
    with pytest.raises(UserError, match="the identifier of a data set must be a name, not ") as caught:
        Dataset.from_arrays(name, values(N, T), TEXTS)
    assert repr(name) in str(caught.value)


def test_conditions_whose_stimuli_are_elsewhere():
    data = Dataset.from_arrays("mine", values(N, T), pd.DataFrame({"length": range(N)}), has_stimuli=False)
    assert not data.has_stimuli
    assert data.stimuli["stimulus_id"].tolist() == list("012345")


def test_a_data_set_says_what_it_is():
    responses = values(N, R, T)
    responses[2, 1:] = np.nan
    data = Dataset.from_arrays(
        "mine", responses, TEXTS, region=["V1", "IT", "IT", "IT"], subject=list("aabb")
    )
    assert repr(data).splitlines() == [
        "Dataset 'mine': language",
        "  6 stimuli",
        "  4 neuroids (V1 1, IT 3), 1 to 3 repetitions, 2 subjects",
    ]
    assert repr(load_dataset("simulated-cortex")).splitlines() == [
        "Dataset 'simulated-cortex': vision, SIMULATED",
        "  500 stimuli",
        "  512 neuroids (V1 256, IT 256), 6 repetitions",
    ]


def test_a_data_set_of_rdms_says_so(test_data, tmp_path, monkeypatch):
    import brodmann

    monkeypatch.setenv("BRODMANN_HOME", str(tmp_path))
    brodmann.add_dataset("kriegeskorte2008", test_data / "kriegeskorte2008-92")
    assert repr(load_dataset("kriegeskorte2008")).splitlines() == [
        "Dataset 'kriegeskorte2008': vision",
        "  92 stimuli",
        "  RDMs of hIT: 4 subjects, 2 sessions",
        "  RDMs of mIT: 1 subject, 1 session",
    ]
