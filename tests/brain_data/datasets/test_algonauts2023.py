"""Algonauts 2023: a folder in the challenge's layout with a known truth."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from brodmann import UserError
from brodmann.brain_data.catalogue import add_dataset, load_dataset
from brodmann.brain_data.formats.recording import RECORDING_FORMATS, read_recording, recognized
from brodmann.brain_data.imported import ReadOptions

N = 6
rng = np.random.default_rng(3)
RESPONSES = {side: rng.normal(size=(N, n)).astype(np.float32) for side, n in (("lh", 5), ("rh", 4))}
STREAMS = {"lh": [0, 1, 1, 5, 5], "rh": [5, 0, 1, 1]}
VISUAL = {"lh": [1, 1, 2, 0, 0], "rh": [0, 0, 0, 2]}
NUMBERS = [13, 27, 8, 90, 91, 7]


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("BRODMANN_HOME", str(tmp_path / "home"))


@pytest.fixture
def folder(tmp_path):
    """One person in a folder of two, whose pictures are numbered as the challenge does."""
    root = tmp_path / "algonauts_2023_challenge_data"
    for subject in ("subj01", "subj02"):
        person = root / subject
        for inner in ("training_split/training_fmri", "training_split/training_images", "roi_masks"):
            (person / inner).mkdir(parents=True)
        for side, values in RESPONSES.items():
            np.save(person / f"training_split/training_fmri/{side}_training_fmri.npy", values)
            inside = np.zeros(20, np.int64)
            inside[3 : 3 + values.shape[1]] = 1
            np.save(person / f"roi_masks/{side}.all-vertices_fsaverage_space.npy", inside)
            for kind, numbers in (("streams", STREAMS), ("prf-visualrois", VISUAL)):
                np.save(person / f"roi_masks/{side}.{kind}_challenge_space.npy", np.array(numbers[side]))
        names = {
            "streams": {0: "Unknown", 1: "early", 5: "ventral"},
            "prf-visualrois": {0: "Unknown", 1: "V1v", 2: "V1d"},
        }
        for kind, named in names.items():
            np.save(person / f"roi_masks/mapping_{kind}.npy", named)
        for i, number in enumerate(NUMBERS, start=1):
            picture = Image.fromarray(rng.integers(0, 255, (8, 8, 3), dtype=np.uint8))
            picture.save(person / f"training_split/training_images/train-{i:04d}_nsd-{number:05d}.png")
    return root


def read(root: Path, **options: str):
    return read_recording(root, ReadOptions(**options), RECORDING_FORMATS["algonauts2023"])


def numbers(imported):
    return np.asarray(imported.values[slice(None), slice(None)])


BOTH = np.hstack([RESPONSES["lh"], RESPONSES["rh"]])


def test_all_vertices_stand_side_by_side_and_rows_are_pictures(folder):
    assert recognized(folder).name == "algonauts2023"
    found = read(folder, subject="1", region="all")
    np.testing.assert_array_equal(numbers(found), BOTH)
    np.testing.assert_array_equal(found.values[slice(1, 3), slice(4, 7)], BOTH[1:3, 4:7])
    assert found.stimuli["stimulus_id"].tolist() == [f"nsd-{one:05d}" for one in NUMBERS]
    assert found.pictures["nsd-00008"].name == "train-0003_nsd-00008.png"
    table = found.neuroids
    assert table["region"].tolist() == [
        "cortex", "early", "early", "ventral", "ventral", "ventral", "cortex", "early", "early",
    ]  # fmt: skip
    assert table["hemisphere"].tolist() == ["L"] * 5 + ["R"] * 4
    assert table["vertex"].tolist() == [3, 4, 5, 6, 7, 3, 4, 5, 6]
    assert table["prf_visualrois"].tolist() == ["V1v", "V1v", "V1d", "", "", "", "", "", "V1d"]


def test_the_numbers_stay_on_the_disk(folder, monkeypatch):
    read_whole = []
    original = np.load
    monkeypatch.setattr(
        np, "load", lambda *args, **named: read_whole.append(named) or original(*args, **named)
    )
    read(folder, subject="1", region="all")
    assert read_whole
    assert all(one == {"mmap_mode": "r", "allow_pickle": False} for one in read_whole)


@pytest.mark.parametrize(
    ("region", "columns", "names"),
    [
        (
            "streams",
            [1, 2, 3, 4, 5, 7, 8],
            ["early", "early", "ventral", "ventral", "ventral", "early", "early"],
        ),
        ("V1d", [2, 8], ["V1d", "V1d"]),
        ("V1v,early", [0, 1, 2, 7, 8], ["V1v", "V1v", "early", "early", "early"]),
    ],
)
def test_regions_are_taken_by_name(folder, region, columns, names):
    found = read(folder, subject="subj01", region=region)
    np.testing.assert_array_equal(numbers(found), BOTH[:, columns])
    assert found.neuroids["region"].tolist() == names
    assert ("count for the first" in " ".join(found.said)) == (region == "V1v,early")


def test_it_becomes_a_data_set_with_its_pictures(folder):
    add_dataset("algonauts2023", folder / "subj01", options=ReadOptions(region="streams"))
    data = load_dataset("algonauts2023")
    np.testing.assert_array_equal(data.responses.values, BOTH[:, [1, 2, 3, 4, 5, 7, 8]])
    assert set(data.responses["subject"].values) == {"subj01"}
    assert len(data.stimuli.stimulus_paths) == N


def _save(name, values):
    def broken(person):
        np.save(person / name, values)

    return broken


def _rename(person):
    images = person / "training_split" / "training_images"
    (images / "train-0002_nsd-00027.png").rename(images / "train-0009_nsd-00027.png")


class _Evil:
    def __reduce__(self):
        import os

        return os.mkdir, ("mark",)


FMRI = "training_split/training_fmri/lh_training_fmri.npy"


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (lambda person: (person / FMRI).write_bytes((person / FMRI).read_bytes()[:-8]), "or cut off"),
        (_save(FMRI, RESPONSES["lh"][:-1]), "lh has 5 rows, and rh 6: a row a picture is needed"),
        (
            _save(FMRI, RESPONSES["lh"][0]),
            r"has shape \(5,\) of float32: it must be numbers \(picture, vertex\)",
        ),
        (_save(FMRI, np.array([{"a": 1}], object)), "is no array of numbers, or cut off"),
        (_save(FMRI, RESPONSES["lh"][:, :-1]), "has 5 vertices, and the responses 4"),
        (
            _save("roi_masks/lh.all-vertices_fsaverage_space.npy", np.ones(9)),
            "takes 9 vertices, and .* have 5",
        ),
        (
            _save("roi_masks/lh.streams_challenge_space.npy", np.full(5, 7)),
            "has the number 7, which mapping_streams",
        ),
        (
            _save("roi_masks/mapping_streams.npy", np.array({1: _Evil()}, object)),
            "no pickle of numbers and texts",
        ),
        (
            lambda person: (person / "roi_masks/mapping_streams.npy").unlink(),
            "mapping_streams.npy is missing",
        ),
        (_rename, "is picture 2 by the order of names: expected train-0002|is picture 5 by the order"),
        (
            lambda person: next((person / "training_split/training_images").iterdir()).unlink(),
            "holds 5 pictures, and the responses 6 rows",
        ),
    ],
)
def test_what_is_broken_is_one_line(folder, broken, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    broken(folder / "subj01")
    with pytest.raises(UserError, match=words) as caught:
        read(folder, subject="1", region="all")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "mark").exists()


def test_what_has_to_be_said_is_asked(folder):
    with pytest.raises(UserError, match=r"there are 2 subjects \(subj01, subj02\): say which by --subject"):
        read(folder)
    with pytest.raises(
        UserError, match="prf-visualrois, streams, with the regions V1v, V1d, early, ventral: say which"
    ):
        read(folder, subject="1")
    with pytest.raises(UserError, match="unknown region 'V4'"):
        read(folder, subject="1", region="V4")
