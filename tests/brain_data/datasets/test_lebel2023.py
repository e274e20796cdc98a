"""LeBel 2023: the true small file among others with a known truth, from a folder and from a server."""

import json
import shutil
from dataclasses import replace

import h5py
import numpy as np
import pytest

import brodmann
from brodmann import UserError
from brodmann.bench.benchmark import load_benchmark
from brodmann.brain_data.catalogue import add_dataset, load_dataset
from brodmann.brain_data.datasets.lebel2023 import LeBel2023
from brodmann.brain_data.formats.recording import RECORDING_FORMATS, read_recording, recognized
from brodmann.brain_data.imported import ReadOptions
from brodmann.errors import NotAvailableError

rng = np.random.default_rng(0)
SMOKE, SOULS = rng.normal(size=(3, 291, 12)), rng.normal(size=(180, 12))
LENGTHS = {"wheretheressmoke": 311, "souls": 200, "unheard": 99}


def textgrid(path, end, tier="word"):
    """A word a second, with a breath after each tenth."""
    rows = [(float(k), k + 0.4, "{BR}" if k % 10 == 9 else f"w{k}") for k in range(end)]
    lines = ['"ooTextFile"', '"TextGrid"', "0", str(end), "<exists>", "2"]
    lines += ['"IntervalTier"', '"phone"', "0", str(end), "1", "0", str(end), '"AH0"']
    lines += ['"IntervalTier"', f'"{tier}"', "0", str(end), str(len(rows))]
    lines += [f'{a}\n{b}\n"{text}"' for a, b, text in rows]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines))


@pytest.fixture
def folder(tmp_path):
    """Two people; one heard a third story, which has no words."""
    root = tmp_path / "ds003020" / "derivative"
    for number, subject in enumerate(("UTS01", "UTS02")):
        place = root / "preprocessed_data" / subject
        place.mkdir(parents=True)
        with h5py.File(place / "wheretheressmoke.hf5", "w") as file:
            file["data"] = SMOKE.mean(0) + number
            file["individual_repeats"] = SMOKE[: 3 - number] + number
        with h5py.File(place / "souls.hf5", "w") as file:
            file["data"] = SOULS + number
    with h5py.File(root / "preprocessed_data/UTS01/unheard.hf5", "w") as file:
        file["data"] = np.zeros((79, 12))
    textgrid(root / "TextGrids" / "wheretheressmoke.TextGrid", 595)
    textgrid(root / "TextGrids" / "souls.TextGrid", 370)
    (root / "respdict.json").write_text(json.dumps(LENGTHS))
    return root.parent


def read(root, **options):
    return read_recording(root, ReadOptions(**options), RECORDING_FORMATS["lebel2023"])


def numbers(imported):
    return np.asarray(imported.values[slice(None), slice(None)])


def test_stories_of_one_person_and_each_time_that_the_test_story_was_heard(folder):
    assert recognized(folder).name == recognized(folder / "derivative").name == "lebel2023"
    found = read(folder, subject="UTS01")
    np.testing.assert_array_equal(numbers(found), np.vstack([SOULS, *SMOKE]).astype(np.float32))
    np.testing.assert_array_equal(found.values[slice(170, 480), slice(2, 5)], numbers(found)[170:480, 2:5])
    runs = found.presentations.groupby("run", sort=False)
    assert runs["repetition"].first().to_dict() == {"souls": 0} | {
        f"wheretheressmoke_repeat-{k + 1:02d}": k for k in range(3)
    }
    assert runs["time"].first().unique().tolist() == [10.0]
    assert runs["time"].last()["souls"] == 10 + 2 * 179
    assert (found.kind, found.tr, found.blocks) == ("series", 2.0, "story")
    assert found.stimuli.groupby("story")["split"].first().to_dict() == {
        "souls": "train",
        "wheretheressmoke": "test",
    }
    assert found.left_out == {"stories without words": 1}


def test_words_are_those_of_the_textgrid_without_breaths(folder):
    words = read(folder, subject="UTS01", run="souls").stimuli
    assert words["word"].tolist() == [f"w{k}" for k in range(370) if k % 10 != 9]
    np.testing.assert_allclose(words["offset"] - words["onset"], 0.4)


def test_people_are_side_by_side_for_the_stories_that_all_of_them_heard(folder):
    found = read(folder)
    assert found.values.shape == (180 + 2 * 291, 24)
    np.testing.assert_allclose(numbers(found)[:, 12:], numbers(found)[:, :12] + 1, atol=1e-5)
    assert found.neuroids["subject"].tolist() == ["UTS01"] * 12 + ["UTS02"] * 12
    assert found.left_out == {"stories that not every subject heard": 1}


def test_a_table_of_words_may_take_the_place_of_the_textgrids(folder, tmp_path):
    (tmp_path / "words.csv").write_text(
        "story,word,onset,offset\nsouls,a,1,1.3\nsouls,b,2,2.2\nother,c,0,0.5\n"
    )
    found = read(folder, subject="UTS01", stimuli=str(tmp_path / "words.csv"))
    assert found.stimuli["word"].tolist() == ["a", "b"]
    assert found.left_out == {"stories without words": 2}


def true_layout(root, test_signals):
    """The true file among the words and lengths of its story."""
    place = root / "derivative" / "preprocessed_data" / "UTS03"
    place.mkdir(parents=True)
    shutil.copy(test_signals / "true-layouts" / "wheretheressmoke.hf5", place)
    textgrid(root / "derivative/TextGrids/wheretheressmoke.TextGrid", 590)
    (root / "derivative/respdict.json").write_text(json.dumps(LENGTHS))
    return root


def test_the_true_file_is_installed_under_its_own_name(test_signals, tmp_path, monkeypatch):
    monkeypatch.setenv("BRODMANN_HOME", str(tmp_path / "home"))
    root = true_layout(tmp_path / "ds003020", test_signals)
    add_dataset("lebel2023", root, options=ReadOptions(subject="UTS03"))
    data = load_dataset("lebel2023")
    with h5py.File(test_signals / "true-layouts" / "wheretheressmoke.hf5") as file:
        np.testing.assert_array_equal(data.responses.values, file["data"][:])
    assert (data.kind, data.tr, data.modality) == ("series", 2.0, "language")
    assert data.responses["time"].values[[0, -1]].tolist() == [10.0, 590.0]
    assert data.license == "CC0"


@pytest.fixture
def served(server, test_signals, tmp_path, monkeypatch):
    """A server with the true layout in place of OpenNeuro's."""
    root = true_layout(tmp_path / "served", test_signals)
    for path in root.rglob("*"):
        if path.is_file():
            name = f"/ds003020/{path.relative_to(root).as_posix()}"
            server.files[name] = path.read_bytes()
            server.headers[name] = {"ETag": f'"{len(server.files[name]):032x}"'}
    monkeypatch.setenv("BRODMANN_HOME", str(tmp_path / "home"))
    address = {**LeBel2023.card.options, "address": f"{server.address}/ds003020/{{name}}"}
    monkeypatch.setattr(LeBel2023, "card", replace(LeBel2023.card, options=address))
    return server


def test_what_is_asked_for_is_downloaded_and_goes_on_where_it_broke_off(served, tmp_path):
    served.break_after = [5000]
    add_dataset("lebel2023", options=ReadOptions(subject="UTS03", run="wheretheressmoke"))
    assert load_dataset("lebel2023").responses.shape == (291, 12)
    assert [one for one in served.ranges if one] == ["bytes=5000-"]
    assert list((tmp_path / "home" / "downloads").iterdir()) == []


def test_what_was_downloaded_is_kept_until_it_can_be_read(served, tmp_path):
    good = served.files["/ds003020/derivative/respdict.json"]
    served.files["/ds003020/derivative/respdict.json"] = b'{"wheretheressmoke": 400}'
    with pytest.raises(UserError, match="has 291 samples: respdict.json says 400"):
        add_dataset("lebel2023", options=ReadOptions(subject="UTS03", run="wheretheressmoke"))
    n = len(served.ranges)
    with pytest.raises(UserError, match="has 291 samples: respdict.json says 400"):
        add_dataset("lebel2023", options=ReadOptions(subject="UTS03", run="wheretheressmoke"))
    assert len(served.ranges) == n
    assert not (tmp_path / "home" / "data" / "lebel2023").exists()
    assert good


def test_a_server_without_the_file_is_one_line(served):
    with pytest.raises(
        NotAvailableError, match=r"cannot download derivative/preprocessed_data/UTS03/souls.hf5 .* 404"
    ):
        add_dataset("lebel2023", options=ReadOptions(subject="UTS03", run="souls"))
    with pytest.raises(UserError, match="say whose stories to download by --subject: UTS01, UTS02"):
        add_dataset("lebel2023")
    with pytest.raises(UserError, match="unknown subject 'UTS09'"):
        add_dataset("lebel2023", options=ReadOptions(subject="UTS09"))


SOULS_OF_1 = "derivative/preprocessed_data/UTS01/souls.hf5"


def story(**arrays):
    def spoil(root):
        (root / SOULS_OF_1).unlink()
        with h5py.File(root / SOULS_OF_1, "w") as file:
            for name, values in arrays.items():
                file[name] = values

    return spoil


def rewritten(name, text):
    return lambda root: (root / "derivative" / name).write_text(text)


BROKEN = {
    "another count": (
        story(data=np.zeros((181, 12))),
        "has 181 samples: respdict.json says 200, of which 20 are cut",
    ),
    "other voxels": (story(data=np.zeros((180, 9))), "voxels, UTS01's other stories have"),
    "several arrays": (
        story(data=SOULS, other=SOULS),
        r"there are 2 arrays in .*souls.hf5 \(data, other\): say which by --array",
    ),
    "no array": (story(data=np.zeros(3)), "there are no arrays in .*souls.hf5"),
    "repeats of another size": (
        story(data=SOULS, individual_repeats=np.zeros((2, 7, 12))),
        r"individual_repeats has shape \(2, 7, 12\), data has \(180, 12\)",
    ),
    "cut short": (
        lambda root: (root / SOULS_OF_1).write_bytes((root / SOULS_OF_1).read_bytes()[:900]),
        "souls.hf5 is no HDF5 file, or not all of one",
    ),
    "a story that is not counted": (
        rewritten("respdict.json", '{"souls": 200}'),
        "does not name 'wheretheressmoke'",
    ),
    "counts that are none": (rewritten("respdict.json", '{"souls": "many"}'), "must say how many samples"),
    "the words of another story": (
        lambda root: textgrid(root / "derivative/TextGrids/souls.TextGrid", 900),
        "the words of souls: its last word begins at 898.0 s, and the 180 samples of souls end at 370.0 s",
    ),
    "tiers of other names": (
        lambda root: textgrid(root / "derivative/TextGrids/souls.TextGrid", 370, tier="text"),
        "has the tiers phone, text: say which holds the words by --events",
    ),
    "no words": (
        lambda root: shutil.rmtree(root / "derivative/TextGrids"),
        "has words of none of the 3 stories",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_folder_is_one_line(name, folder):
    spoil, message = BROKEN[name]
    spoil(folder)
    with pytest.raises(UserError, match=message) as caught:
        read(folder, subject="UTS01")
    assert "\n" not in str(caught.value)


def test_the_stories_are_fitted_and_the_test_story_is_predicted(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("BRODMANN_HOME", str(tmp_path / "home"))
    place = folder / "derivative" / "preprocessed_data" / "UTS01"
    for number in range(3):
        with h5py.File(place / f"more{number}.hf5", "w") as file:
            file["data"] = rng.normal(size=(180, 12))
        textgrid(folder / "derivative" / "TextGrids" / f"more{number}.TextGrid", 370)
    (folder / "derivative" / "respdict.json").write_text(
        json.dumps(LENGTHS | {f"more{number}": 200 for number in range(3)})
    )
    add_dataset("lebel2023", folder, options=ReadOptions(subject="UTS01"))
    made = load_benchmark("lebel2023.cortex-ridge")
    assert made.noise_ceiling.kind == "none"  # the story was drawn at random each time
    (fold,) = made.metric.sampling.folds
    stories = made.recording.columns["story"]
    assert set(stories[fold.split.test]) == {"wheretheressmoke"}
    assert set(stories[fold.split.train]) == {"souls", "more0", "more1", "more2"}
    assert made.recording.counts[fold.split.test].tolist() == [3.0] * 291
    assert made.card.context == 20
    score = brodmann.score("word-length-frequency", made, n_bootstraps=0, n_permutations=0, beyond=["none"])
    assert abs(float(score)) < 0.3
    assert score.record["methods"]["delays_s"] == [2, 4, 6, 8]
