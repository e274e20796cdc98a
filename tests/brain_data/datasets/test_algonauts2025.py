"""Algonauts 2025: the true small file, and films written with a known truth."""

import h5py
import numpy as np
import pandas as pd
import pytest

from brodmann import UserError
from brodmann.brain_data.catalogue import add_dataset, load_dataset
from brodmann.brain_data.formats.recording import RECORDING_FORMATS, read_recording, recognized
from brodmann.brain_data.imported import ReadOptions

NAME = "{}_task-{}_space-MNI152NLin2009cAsym_atlas-Schaefer18_parcel-1000Par7Net_{}bold.h5"
rng = np.random.default_rng(0)
FRIENDS = {
    "ses-001_task-s01e02a": rng.normal(size=(60, 1000)),
    "ses-001_task-s01e02b": rng.normal(size=(70, 1000)),
}
FILMS = {
    "ses-003_task-figures01_run-1": rng.normal(size=(50, 1000)),
    "ses-004_task-figures01_run-2": rng.normal(size=(50, 1000)),
}


def write(path, arrays):
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        for key, values in arrays.items():
            file[key] = np.asarray(values, np.float32)


@pytest.fixture
def folder(tmp_path):
    """Two people; the second saw one film of three samples more, and one that the first did not see."""
    root = tmp_path / "algonauts_2025.competitors"
    second = {
        "ses-002_task-s01e02a": np.vstack([FRIENDS["ses-001_task-s01e02a"] + 1, np.zeros((3, 1000))]),
        "ses-009_task-s02e01a": rng.normal(size=(30, 1000)),
    }
    for subject, arrays in (("sub-01", FRIENDS), ("sub-02", second)):
        write(root / "fmri" / subject / "func" / NAME.format(subject, "friends", "desc-s123456_"), arrays)
    write(root / "fmri/sub-01/func" / NAME.format("sub-01", "movie10", ""), FILMS)
    return root


def read(root, **options):
    return read_recording(root, ReadOptions(**options), RECORDING_FORMATS["algonauts2025"])


def numbers(imported):
    return np.asarray(imported.values[slice(None), slice(None)])


def test_films_of_one_person_follow_each_other(folder):
    assert recognized(folder).name == "algonauts2025"
    found = read(folder, subject="1", task="friends")
    np.testing.assert_array_equal(numbers(found), np.vstack(list(FRIENDS.values())).astype(np.float32))
    np.testing.assert_array_equal(found.values[slice(55, 65), slice(7, 9)], numbers(found)[55:65, 7:9])
    table = found.presentations
    assert (found.kind, found.tr, found.blocks) == ("series", 1.49, "run")
    assert table["stimulus_id"].tolist() == ["s01e02a"] * 60 + ["s01e02b"] * 70
    np.testing.assert_allclose(table["time"], np.r_[np.arange(60), np.arange(70)] * 1.49)
    assert set(table["session"]) == {"ses-001"}
    assert set(found.neuroids["hemisphere"][:500]) == {"L"}


def test_a_film_that_was_seen_twice_has_two_runs(folder):
    found = read(folder, subject="sub-01", task="movie10")
    assert found.presentations.groupby("run")["repetition"].unique().map(list).to_dict() == {
        "figures01_run-1": [0], "figures01_run-2": [1]
    }  # fmt: skip
    assert set(found.stimuli["stimulus_id"]) == {"figures01"}


def test_people_are_side_by_side_for_what_all_of_them_saw(folder):
    found = read(folder, task="friends")
    first = FRIENDS["ses-001_task-s01e02a"].astype(np.float32)
    np.testing.assert_allclose(numbers(found), np.hstack([first, first + 1]), atol=1e-6)
    assert found.neuroids["subject"].tolist() == ["sub-01"] * 1000 + ["sub-02"] * 1000
    assert "session" not in found.presentations.columns
    assert found.left_out == {
        "films that not every subject saw": 2, "samples at the end of runs of others": 3
    }  # fmt: skip


def transcript(root, film, rows):
    place = root / "stimuli" / "transcripts" / "friends" / "s1"
    place.mkdir(parents=True, exist_ok=True)
    columns = ["text_per_tr", "words_per_tr", "onsets_per_tr", "durations_per_tr"]
    pd.DataFrame(rows, columns=columns).to_csv(place / f"friends_{film}.tsv", sep="\t", index=False)


def test_words_of_the_transcripts_are_on_the_clock_of_the_film(folder):
    rows = [["", "[]", "[]", "[]"], ["it's null", '["it\'s", "null"]', "[1.6, 1.9]", "[0.2, 0.3]"]]
    for film in ("s01e02a", "s01e02b"):
        transcript(folder, film, rows)
    found = read(folder, subject="1", task="friends")
    words = found.stimuli[found.stimuli["story"] == "s01e02b"]
    assert found.modality == "language"
    assert words["word"].tolist() == ["it's", "null"]
    np.testing.assert_allclose(words[["onset", "offset"]], [[1.6, 1.8], [1.9, 2.2]])
    assert found.stimuli["stimulus_id"].is_unique


def test_the_parcels_names_make_regions(folder, tmp_path):
    networks = ["Vis", "SomMot", "Default", "Cont"]
    lines = [f"{n + 1}\t7Networks_{'LR'[n // 500]}H_{networks[n % 4]}_{n}\t1\t2\t3\t0" for n in range(1000)]
    (tmp_path / "order.txt").write_text("\n".join(lines))
    found = read(folder, subject="1", task="friends", labels=str(tmp_path / "order.txt"), region="Vis")
    np.testing.assert_array_equal(
        numbers(found)[:60], FRIENDS["ses-001_task-s01e02a"].astype(np.float32)[:, ::4]
    )
    assert set(found.neuroids["region"]) == {"Vis"}
    with pytest.raises(UserError, match="--region needs --labels"):
        read(folder, region="Vis")


def test_the_true_file_is_installed_under_its_own_name(test_signals, tmp_path, monkeypatch):
    monkeypatch.setenv("BRODMANN_HOME", str(tmp_path / "home"))
    source = test_signals / "true-layouts" / "algonauts2025"
    add_dataset("algonauts2025", source, options=ReadOptions(subject="1"))
    data = load_dataset("algonauts2025")
    (file,) = source.iterdir()
    with h5py.File(file) as stored:
        expected = np.vstack([stored[key][:] for key in sorted(stored)])
    np.testing.assert_array_equal(data.responses.values, expected)
    assert data.kind == "series"
    assert "CC0" in data.license
    with pytest.raises(
        UserError, match="is not laid out as 'algonauts2025' is: it has no sub-01_task-friends"
    ):
        add_dataset("algonauts2025", tmp_path)


def key(name, shape=(60, 1000)):
    return lambda file: file.create_dataset(name, shape, np.float32)


BROKEN = {
    "another number of parcels": (
        key("ses-001_task-s01e03a", (60, 400)),
        r"has shape \(60, 400\): not 1000 parcels",
    ),
    "a key that names no film": (key("bourne"), "'bourne' names no film: expected ses-001_task-s01e02a"),
    "an empty film": (key("ses-001_task-s01e03a", (0, 1000)), "is empty"),
    "a link out": (
        lambda file: file.__setitem__("ses-001_task-x", h5py.ExternalLink("/etc/passwd", "x")),
        "ses-001_task-x is a link to elsewhere: refused",
    ),
    "texts": (
        lambda file: file.create_dataset("ses-001_task-x", data=np.array([[b"a"]])),
        "is no array of numbers",
    ),
    "one dimension": (key("ses-001_task-x", (1000,)), r"has shape \(1000,\): it must have 2 dimensions"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_one_line(name, folder):
    spoil, message = BROKEN[name]
    with h5py.File(
        folder / "fmri/sub-01/func" / NAME.format("sub-01", "friends", "desc-s123456_"), "a"
    ) as file:
        spoil(file)
    with pytest.raises(UserError, match=message) as caught:
        read(folder, subject="1", task="friends")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([["a", "['a']", "[1.0, 2.0]", "[0.1]"]], "row 2: 1 words, 2 onsets, 1 durations"),
        ([["a", "__import__('os').getcwd()", "[1.0]", "[0.1]"]], "row 2: .* is no list of words or numbers"),
        ([["a", "[" * 9000, "[1.0]", "[0.1]"]], "is no list of words or numbers"),
        ([["a", "['a', 'b']", "[2.0, 1.0]", "[0.1, 0.1]"]], "the word 'b' .* begins before the one above it"),
        ([["", "[]", "[]", "[]"]], "holds no words"),
    ],
)
def test_a_broken_transcript_is_one_line(rows, message, folder):
    for film in ("s01e02a", "s01e02b"):
        transcript(folder, film, rows)
    with pytest.raises(UserError, match=message) as caught:
        read(folder, subject="1", task="friends")
    assert "\n" not in str(caught.value)


def test_runs_that_differ_by_more_than_a_few_samples_are_two_films(folder):
    path = folder / "fmri/sub-02/func" / NAME.format("sub-02", "friends", "desc-s123456_")
    path.unlink()
    write(path, {"ses-002_task-s01e02a": np.zeros((200, 1000))})
    with pytest.raises(
        UserError, match="s01e02a has 60 samples of one person and 200 of another: not one film"
    ):
        read(folder, task="friends")
