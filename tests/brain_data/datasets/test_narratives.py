"""Narratives: stories that began at another time for each person, written with a known truth."""

import json

import nibabel
import numpy as np
import pytest

from brodmann import UserError
from brodmann.bench.benchmark import make_benchmark
from brodmann.brain_data.catalogue import add_dataset, load_dataset
from brodmann.brain_data.formats.recording import (
    RECORDING_FORMATS,
    RecordingFormat,
    read_recording,
    recognized,
)
from brodmann.brain_data.imported import ReadOptions

TR = 1.5
STEM = "{0}/func/{0}_task-{1}_{2}"
WORDS = [("Once", 0.4, 0.7), ("upon", 0.8, 1.0), ("a", None, None), ("time", 1.2, 1.6)]


def response(subject, run, vertices):
    """What a vertex answers at time t on the story's clock: known wherever it is sampled."""
    return lambda t: np.sin(0.1 * t[:, None] + np.arange(vertices)) + 10 * int(subject[-1]) + run


def gifti(path, values, encoding="GIFTI_ENCODING_B64GZ"):
    arrays = [nibabel.gifti.GiftiDataArray(row.astype(np.float32), encoding=encoding) for row in values]
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.GiftiImage(darrays=arrays), path)


def person(root, subject, onset, n, task="pieman", run=None, vertices=(5, 4), events=None):
    """One scan of n samples in which the story begins at `onset` s."""
    entity = "" if run is None else f"run-{run}_"
    values = response(subject, run or 1, sum(vertices))(np.arange(n) * TR - onset)
    stem = f"{subject}/func/{subject}_task-{task}_{entity}"
    for side, part in (("L", values[:, : vertices[0]]), ("R", values[:, vertices[0] :])):
        gifti(
            root / f"derivatives/afni-nosmooth/{stem}space-fsaverage6_hemi-{side}_desc-clean.func.gii", part
        )
    table = root / f"{stem}events.tsv"
    table.parent.mkdir(parents=True, exist_ok=True)
    rows = events or [("0.0", "13.0", "music"), (str(onset), "30.0", "story")]
    lines = [
        "onset\tduration\ttrial_type\tstim_file",
        *("\t".join([*row, f"{task}_audio.wav"]) for row in rows),
    ]
    table.write_text("\n".join(lines) + "\n")


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "ds002345"
    person(root, "sub-001", 15.0, 40)
    person(root, "sub-002", 12.0, 40)
    person(root, "sub-003", 15.0, 36)
    person(root, "sub-004", 15.0, 40)
    aligned = [
        {"word": word, "case": "success", "start": start, "end": end}
        if start is not None
        else {"word": word, "case": "not-found-in-audio"}
        for word, start, end in WORDS
    ]
    place = root / "stimuli/gentle/pieman"
    place.mkdir(parents=True)
    (place / "align.json").write_text(json.dumps({"transcript": "Once upon a time", "words": aligned}))
    (root / "code").mkdir()
    excluded = {"pieman": {"sub-004": ["sub-004_task-pieman"]}, "tunnel": {}}
    (root / "code/scan_exclude.json").write_text(json.dumps(excluded))
    (root / "task-pieman_bold.json").write_text('{"RepetitionTime": 1.5}')
    return root


def read(root, **options):
    return read_recording(root, ReadOptions(**options), RECORDING_FORMATS["narratives"])


def numbers(imported):
    return np.asarray(imported.values[slice(None), slice(None)])


def test_the_onset_of_each_person_is_subtracted(folder):
    assert recognized(folder).name == "narratives"
    found = read(folder)
    time = found.presentations["time"].to_numpy()
    assert time[0] == -12.0  # the latest beginning of the three, on the story's clock
    assert time[-1] == (36 - 1) * TR - 15
    expected = np.hstack([response(one, 1, 9)(time) for one in ("sub-001", "sub-002", "sub-003")])
    np.testing.assert_allclose(numbers(found), expected, atol=1e-5)
    np.testing.assert_array_equal(found.values[slice(3, 8), slice(4, 12)], numbers(found)[3:8, 4:12])
    assert found.neuroids["subject"].tolist() == [
        one for one in ("sub-001", "sub-002", "sub-003") for _ in range(9)
    ]
    assert found.neuroids["hemisphere"].tolist() == (["L"] * 5 + ["R"] * 4) * 3
    assert found.neuroids["vertex"].tolist() == [0, 1, 2, 3, 4, 0, 1, 2, 3] * 3
    assert found.left_out["scans that the authors leave out (code/scan_exclude.json)"] == 1
    assert found.left_out["words that were not found in the sound"] == 1
    assert any("12 or 15 s into the scans: subtracted" in line for line in found.said)


def test_words_are_those_that_gentle_found(folder):
    words = read(folder).stimuli
    assert list(words[["word", "onset", "offset"]].itertuples(index=False, name=None)) == [
        one for one in WORDS if one[1] is not None
    ]


def test_a_story_that_was_heard_twice_has_two_runs(folder):
    for run in (1, 2):
        person(folder, "sub-005", 15.0, 40, run=run)
    found = read(folder, subject="sub-005")
    assert found.presentations.groupby("run")["repetition"].first().to_dict() == {
        "pieman_run-1": 0,
        "pieman_run-2": 1,
    }
    np.testing.assert_allclose(numbers(found)[40:] - numbers(found)[:40], 1, atol=1e-5)


def test_a_run_that_not_everybody_has_is_left_out_and_counted(folder):
    for run in (1, 2):
        person(folder, "sub-005", 15.0, 40, run=run)
    found = read(folder, subject="sub-001,sub-005")
    assert set(found.presentations["run"]) == {"pieman_run-1"}
    assert found.left_out["scans of runs that not every subject has"] == 1


def test_it_is_installed_as_a_series(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("BRODMANN_HOME", str(tmp_path / "home"))
    add_dataset("narratives", folder, options=ReadOptions(subject="001,002"))
    data = load_dataset("narratives")
    np.testing.assert_allclose(data.responses.values, numbers(read(folder, subject="001,002")), atol=1e-6)
    assert (data.kind, data.tr, data.modality, data.license) == ("series", 1.5, "language", "CC0")
    assert not [one for one in (tmp_path / "home").iterdir() if one.name.startswith(".made")]


def test_both_packings_hold_the_same(folder):
    expected = numbers(read(folder))
    for subject in ("sub-001", "sub-002", "sub-003"):
        for name in (LEFT, RIGHT):
            path = folder / name.replace("sub-001", subject)
            values = np.stack([one.data for one in nibabel.load(path).darrays])
            gifti(path, values, "GIFTI_ENCODING_B64BIN")
    np.testing.assert_array_equal(numbers(read(folder)), expected)


class Anything(RecordingFormat):
    """Reads every folder."""

    name = "anything"

    def recognizes(self, path):
        return path.is_dir()

    def read(self, path, options):
        raise NotImplementedError


def test_the_layout_of_one_data_set_wins_over_a_format_of_many(folder, monkeypatch):
    monkeypatch.setitem(RECORDING_FORMATS._things, "anything", Anything())
    assert recognized(folder).name == "narratives"
    assert recognized(folder / "stimuli").name == "anything"
    monkeypatch.setitem(RECORDING_FORMATS._things, "everything", Anything())
    with pytest.raises(UserError, match="may be anything or anything: say which by --format"):
        recognized(folder / "stimuli")


LEFT = (
    "derivatives/afni-nosmooth/sub-001/func/sub-001_task-pieman_space-fsaverage6_hemi-L_desc-clean.func.gii"
)
RIGHT = LEFT.replace("hemi-L", "hemi-R")
EVENTS = "sub-001/func/sub-001_task-pieman_events.tsv"
ALIGN = "stimuli/gentle/pieman/align.json"


def edited(name, edit):
    def spoil(root):
        (root / name).write_text(edit((root / name).read_text()))

    return spoil


BROKEN = {
    "no right hemisphere": (lambda root: (root / RIGHT).unlink(), "has no right hemisphere beside it"),
    "cut short": (
        edited(LEFT, lambda text: text[: len(text) // 2]),
        "cannot be read as GIFTI: (it is cut off|unclosed token)",
    ),
    "an array that says another size": (
        edited(LEFT, lambda text: text.replace('Dim0="5"', 'Dim0="6"')),
        "it says that it holds 6 numbers .24 bytes., and the file holds 20 bytes of it",
    ),
    "an array that would unpack to more": (
        edited(LEFT, lambda text: text.replace('Dim0="5"', 'Dim0="2"')),
        "it says that it holds 2 numbers .8 bytes., and the file holds more",
    ),
    "a size without an end": (
        edited(LEFT, lambda text: text.replace('Dim0="5"', 'Dim0="99999999999"')),
        "it says that it holds 99999999999 numbers, and its 28 bytes cannot",
    ),
    "hemispheres of other lengths": (
        lambda root: gifti(root / RIGHT, np.zeros((39, 4))),
        "has 40 samples, the right hemisphere 39",
    ),
    "another mesh": (
        lambda root: person(root, "sub-001", 15.0, 40, vertices=(6, 4)),
        "vertices: one mesh is needed",
    ),
    "no events": (lambda root: (root / EVENTS).unlink(), "it says when the story began in sub-001's scan"),
    "no story among the events": (
        edited(EVENTS, lambda text: text.replace("story", "tale")),
        "no row whose trial_type is 'story'",
    ),
    "an onset that is none": (
        edited(EVENTS, lambda text: text.replace("15.0", "n/a")),
        "the story's onset is",
    ),
    "two stories": (
        lambda root: person(
            root, "sub-001", 15.0, 40, events=[("15.0", "3", "story"), ("25.5", "3", "story")]
        ),
        "say which by --events",
    ),
    "onsets between samples": (
        lambda root: person(root, "sub-002", 12.7, 40),
        "sub-002's story began 12.7 s into the scan, sub-001's 15 s: not whole samples apart",
    ),
    "words of another kind": (lambda root: (root / ALIGN).write_text("[1]"), "is no alignment of gentle"),
    "no word found": (
        edited(ALIGN, lambda text: text.replace('"success"', '"not-found-in-audio"')),
        "has no word that gentle found in the sound",
    ),
    "no words": (lambda root: (root / ALIGN).unlink(), r"no words at .*: name the align.json by --stimuli"),
    "ms": (
        lambda root: (root / "task-pieman_bold.json").write_text('{"RepetitionTime": 1500}'),
        "1500 s from sample to sample: it must be in s",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_folder_is_one_line(name, folder):
    spoil, message = BROKEN[name]
    spoil(folder)
    with pytest.raises(UserError, match=message) as caught:
        numbers(read(folder))
    assert "\n" not in str(caught.value)


def test_the_task_has_to_be_said_where_there_are_several(folder):
    person(folder, "sub-001", 3.0, 20, task="tunnel")
    with pytest.raises(UserError, match=r"there are 2 stories \(pieman, tunnel\): say which by --task"):
        read(folder)
    with pytest.raises(UserError, match="--tr says 2"):
        read(folder, task="pieman", tr="2")


def test_people_are_predicted_from_the_others_vertex_by_vertex(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("BRODMANN_HOME", str(tmp_path / "home"))
    add_dataset("narratives", folder, options=ReadOptions(subject="001,002"))
    made = make_benchmark(load_dataset("narratives"), train="others", trim_s=[0, 0], detrend="none")
    first, second = made.recording.mean[:, :9], made.recording.mean[:, 9:]
    np.testing.assert_allclose(made.recording.fitted, np.hstack([second, first]))
    assert set(made.recording.neuroids["subject"][:9]) == {"sub-001"}
