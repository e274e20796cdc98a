"""A data set that is written in a format and read again is the same, number by number."""

from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from brodmann.brain_data import load_dataset
from brodmann.brain_data.catalogue import add_dataset
from brodmann.brain_data.converting import convert
from brodmann.brain_data.dataset import Dataset
from brodmann.brain_data.imported import Imported
from brodmann.brain_data.importing import install_recording
from brodmann.errors import UserError


def texts() -> Imported:
    """Sentences, three times each, in two runs of one session and one subject's two regions."""
    n = 12
    stimuli = pd.DataFrame(
        {
            "stimulus_id": [f"s{i:02d}" for i in range(n)],
            "sentence": [f'Sentence, "{i}" {"ü" * i}.' for i in range(n)],
            "category": ["a", "NA"] * 6,
            "length": np.arange(n) * 1.5,
        }
    )
    shown = pd.DataFrame(
        {
            "stimulus_id": np.tile(stimuli["stimulus_id"], 3),
            "repetition": np.repeat(range(3), n),
            "run": np.repeat(["r1", "r2", "r2"], n),
        }
    )
    recorded = pd.DataFrame(
        {
            "neuroid_id": [f"n{i}" for i in range(5)],
            "region": list("AABBB"),
            "subject": "01",
            "x": np.arange(5) * 0.1,
            "depth": range(5),
        }
    )
    values = np.random.default_rng(0).normal(size=(36, 5)).astype(np.float32)
    return Imported(
        stimuli, values, shown, recorded, said=("as it was",), left_out={"trials without a response": 2},
        about={"units": "%", "license": "CC0", "source": "here", "bibtex": "@a{b, c = 1}"},
        published_ceilings={"A": {"value": 0.5, "source": "table 2"}},
    )  # fmt: skip


def pictures(folder: Path) -> Imported:
    """The same responses to pictures."""
    rng = np.random.default_rng(1)
    found = texts()
    paths = {}
    for one in found.stimuli["stimulus_id"]:
        paths[one] = folder / f"{one}.png"
        Image.fromarray(rng.integers(0, 256, (16, 16, 3), dtype=np.uint8)).save(paths[one])
    stimuli = found.stimuli.drop(columns="sentence").assign(filename=[path.name for path in paths.values()])
    return replace(found, stimuli=stimuli, pictures=paths)


def bins() -> Imported:
    """The same with four time bins."""
    values = np.random.default_rng(2).normal(size=(36, 5, 4))
    times = pd.DataFrame({"time_bin_start": [0.0, 10, 20, 30], "time_bin_end": [10.0, 20, 30, 40]})
    return replace(texts(), values=values, time_bins=times)


def story() -> Imported:
    """A series with gaps, confounds and samples to leave out."""
    words = pd.DataFrame(
        {
            "stimulus_id": [f"w{i}" for i in range(9)],
            "word": list("abcdefghi"),
            "story": "one",
            "onset": np.arange(9.0),
        }
    )
    values = np.random.default_rng(3).normal(size=(30, 3))
    values[15:, 1] = np.nan
    shown = pd.DataFrame(
        {"stimulus_id": "one", "run": np.repeat(["r1", "r2"], 15), "time": np.tile(np.arange(15) * 1.5, 2)}
    )
    return Imported(
        words, values, shown, pd.DataFrame({"neuroid_id": list("abc"), "region": "X"}), kind="series", tr=1.5,
        confounds=pd.DataFrame({"motion": np.arange(30.0)}), good=np.arange(30) > 2, blocks="run",
    )  # fmt: skip


def same(one: Dataset, other: Dataset) -> None:
    """Whatever is known of two data sets is the same."""
    assert one.responses is not None
    assert other.responses is not None
    assert one.responses.dims == other.responses.dims
    np.testing.assert_array_equal(one.responses.values, other.responses.values)
    assert set(one.responses.coords) == set(other.responses.coords)
    for name, values in one.responses.coords.items():
        assert other.responses[name].dims == values.dims
        np.testing.assert_array_equal(other.responses[name].values, values.values, str(name))
    left, right = pd.DataFrame(one.stimuli), pd.DataFrame(other.stimuli)
    unnamed = [name for name in left.columns if name != "filename"]
    pd.testing.assert_frame_equal(left[unnamed], right[unnamed], check_dtype=False)
    for key, path in (one.stimuli.stimulus_paths or {}).items():
        assert Path(path).read_bytes() == Path(other.stimuli.stimulus_paths[key]).read_bytes()
    for name in (
        "modality",
        "kind",
        "tr",
        "units",
        "license",
        "bibtex",
        "blocks",
        "has_stimuli",
        "simulated",
        "published_ceilings",
    ):
        assert getattr(one, name) == getattr(other, name), name
    assert (one.good is None) == (other.good is None)
    if one.good is not None:
        assert other.good is not None
        assert one.good.tolist() == other.good.tolist()
    if one.confounds is not None:
        assert other.confounds is not None
        pd.testing.assert_frame_equal(one.confounds, other.confounds)
    for name in ("left_out", "said"):
        assert one.responses.attrs.get(name) == other.responses.attrs.get(name), name


@pytest.mark.parametrize("made", ["texts", "pictures", "bins", "story"])
@pytest.mark.parametrize("form", ["folder", "nwb-responses"])
def test_a_data_set_comes_back_as_it_was(form: str, made: str, tmp_path: Path) -> None:
    if form == "nwb-responses":
        pytest.importorskip("pynwb")
    (tmp_path / "pictures").mkdir()
    imported = {
        "texts": texts,
        "bins": bins,
        "story": story,
        "pictures": lambda: pictures(tmp_path / "pictures"),
    }[made]()
    install_recording("before", imported)
    convert("before", tmp_path / "written", form)
    add_dataset("after", tmp_path / "written")
    same(load_dataset("before"), load_dataset("after"))


@pytest.mark.parametrize("made", ["texts", "pictures"])
def test_what_brain_score_keeps_comes_back(made: str, tmp_path: Path) -> None:
    pytest.importorskip("brainscore_core")
    (tmp_path / "pictures").mkdir()
    imported = texts() if made == "texts" else pictures(tmp_path / "pictures")
    install_recording("before", imported)
    lines = convert("before", tmp_path / "written", "brainio")
    assert any("not written: " in line and "license" in line for line in lines)
    add_dataset("after", tmp_path / "written")
    before, after = load_dataset("before"), load_dataset("after")
    assert before.responses is not None
    assert after.responses is not None
    np.testing.assert_array_equal(before.responses.values, after.responses.values)
    for name in ("stimulus_id", "repetition", "run", "neuroid_id", "region", "subject", "x"):
        assert after.responses[name].values.tolist() == before.responses[name].values.tolist(), name
    assert after.stimuli["stimulus_id"].tolist() == before.stimuli["stimulus_id"].tolist()


def test_what_is_left_behind_is_said(tmp_path: Path) -> None:
    pytest.importorskip("brainscore_core")
    nibabel.save(nibabel.Nifti1Image(np.ones((5, 1, 1), np.uint8), np.eye(4)), tmp_path / "mask.nii.gz")
    install_recording("before", replace(texts(), images={"mask": tmp_path / "mask.nii.gz"}))
    said = convert("before", tmp_path / "written", "brainio")
    assert "the mask or meshes have no place in brainio: maps of scores will need --mask or --surface" in said
    assert not any("no place" in line for line in convert("before", tmp_path / "folder", "folder"))


def test_a_data_set_of_the_catalogue_is_written_as_a_folder(tmp_path: Path) -> None:
    convert("simulated-cortex", tmp_path / "written", "folder")
    add_dataset("after", tmp_path / "written")
    one, other = load_dataset("simulated-cortex"), load_dataset("after")
    assert one.responses is not None
    assert other.responses is not None
    np.testing.assert_array_equal(one.responses.values, other.responses.values)
    assert other.simulated


def test_what_has_no_place_is_one_line(tmp_path: Path) -> None:
    install_recording("story", story())
    with pytest.raises(UserError, match="is a series: Brain-Score's files hold responses to trials"):
        convert("story", tmp_path / "written", "brainio")
    with pytest.raises(UserError, match="unknown format to write 'mat'"):
        convert("story", tmp_path / "written", "mat")
    with pytest.raises(UserError, match="unknown data set 'storry'"):
        convert("storry", tmp_path / "written", "folder")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("all of it")
    with pytest.raises(UserError, match="is not empty"):
        convert("story", tmp_path / "full", "folder")
    assert (tmp_path / "full" / "thesis.txt").exists()


def test_a_folder_that_holds_something_is_never_replaced(tmp_path: Path) -> None:
    """Least of all somebody's own recordings, with their notes beside them."""
    install_recording("story", story())
    mine = tmp_path / "mine"
    convert("story", mine, "folder")
    (mine / "notes.txt").write_text("all of it")
    for form in ("folder", "brainio", "nwb-responses"):
        for target in (mine, mine / "notes.txt"):
            with pytest.raises(UserError, match="is not empty: give a new folder"):
                convert("story", target, form)
    assert (mine / "notes.txt").read_text() == "all of it"
    with pytest.raises(UserError, match="--format says nothing of story"):
        convert("story", tmp_path / "new", "folder", file_format="hdf5")
