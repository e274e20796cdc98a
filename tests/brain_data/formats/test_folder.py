"""Recordings of one's own: every form, and every mistake in one line."""

import dataclasses
import json
import os
import pickle
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.io
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

import brodmann
from brodmann import UserError
from brodmann.brain_data.catalogue import dataset_card
from brodmann.brain_data.formats.base import FORMATS
from brodmann.brain_data.formats.folder import install_folder, load_folder
from brodmann.brain_data.formats.folder_writer import save_folder
from brodmann.brain_data.simulated_cortex import simulated_cortex, simulated_language

N, R, T = 6, 2, 4


def arrays(seed=0):
    rng = np.random.default_rng(seed)
    return {
        "responses": rng.normal(size=(N * R, T)),
        "stimulus_id": np.repeat([f"s{i}" for i in range(N)], R),
        "repetition": np.tile(np.arange(R), N),
        "neuroid_id": np.array([f"v{i}" for i in range(T)]),
        "region": np.array(["V1", "V1", "IT", "IT"]),
        "x": np.arange(4.0),
    }


@pytest.fixture
def folder(tmp_path) -> Path:
    """A good folder of language recordings, to be spoiled by the tests."""
    table = pd.DataFrame(
        {"stimulus_id": [f"s{i}" for i in range(N)], "sentence": [f"Text {i}." for i in range(N)]}
    )
    table.to_csv(tmp_path / "stimuli.csv", index=False)
    np.savez(tmp_path / "responses.npz", **arrays())
    return tmp_path


def rewrite(folder, **changes):
    """Write responses.npz anew with some arrays changed, or left out where None."""
    content = {name: value for name, value in {**arrays(), **changes}.items() if value is not None}
    np.savez(folder / "responses.npz", **content)


def test_npz(folder):
    data = load_folder(folder, "mine")
    assert data.modality == "language"
    assert data.regions == ["V1", "IT"]
    np.testing.assert_array_equal(data.responses.values, arrays()["responses"])
    np.testing.assert_array_equal(data.responses["x"].values, [0, 1, 2, 3])
    assert data.stimuli["sentence"][2] == "Text 2."


def test_csv_with_a_table_of_neuroids(folder):
    (folder / "responses.npz").unlink()
    a = arrays()
    table = pd.DataFrame(a["responses"], columns=a["neuroid_id"])
    table.insert(0, "stimulus_id", a["stimulus_id"])
    table.insert(1, "repetition", a["repetition"])
    table.to_csv(folder / "responses.csv", index=False)
    shuffled = pd.DataFrame({"neuroid_id": a["neuroid_id"], "region": a["region"], "x": a["x"]}).iloc[
        [2, 0, 3, 1]
    ]
    shuffled.to_csv(folder / "neuroids.csv", index=False)
    data = load_folder(folder, "mine")
    np.testing.assert_allclose(data.responses.values, a["responses"])
    assert data.responses["region"].values.tolist() == a["region"].tolist()
    np.testing.assert_array_equal(data.responses["x"].values, a["x"])


def test_netcdf(folder):
    (folder / "responses.npz").unlink()
    a = arrays()
    coordinates = {name: ("presentation", a[name]) for name in ("stimulus_id", "repetition")}
    coordinates |= {name: ("neuroid", a[name]) for name in ("neuroid_id", "region", "x")}
    array = xr.DataArray(
        a["responses"], dims=("presentation", "neuroid"), coords=coordinates, name="responses"
    )
    array.to_netcdf(folder / "responses.nc")
    data = load_folder(folder, "mine")
    np.testing.assert_array_equal(data.responses.values, a["responses"])
    assert data.responses["region"].values.tolist() == a["region"].tolist()


def test_matlab(folder):
    (folder / "responses.npz").unlink()
    a = arrays()
    scipy.io.savemat(folder / "responses.mat", {**a, "stimulus_id": a["stimulus_id"].astype(object)})
    data = load_folder(folder, "mine")
    np.testing.assert_allclose(data.responses.values, a["responses"])
    assert data.regions == ["V1", "IT"]


def test_pictures(folder):
    (folder / "stimuli").mkdir()
    for i in range(N):
        Image.new("RGB", (4, 4), (i, 0, 0)).save(folder / "stimuli" / f"{i}.png")
    names = [f"{i}.png" for i in range(N)]
    pd.DataFrame({"stimulus_id": [f"s{i}" for i in range(N)], "filename": names}).to_csv(
        folder / "stimuli.csv", index=False
    )
    data = load_folder(folder, "mine")
    assert data.modality == "vision"
    assert data.stimuli.stimulus_paths["s3"] == folder / "stimuli" / "3.png"
    before = data.digest
    Image.new("RGB", (4, 4), (9, 9, 9)).save(folder / "stimuli" / "3.png")
    assert load_folder(folder, "mine").digest != before
    (folder / "stimuli" / "3.png").unlink()
    with pytest.raises(UserError, match=r"1 of 6 pictures are not in .* \(first: 3.png\)"):
        load_folder(folder, "mine")
    table = pd.read_csv(folder / "stimuli.csv")
    table.loc[0, "filename"] = "../../secret.png"
    table.to_csv(folder / "stimuli.csv", index=False)
    with pytest.raises(UserError, match=r"stimulus 's0': '../../secret.png' would leave the folder"):
        load_folder(folder, "mine")


def test_a_published_ceiling_and_the_rest_of_the_description(folder):
    (folder / "dataset.toml").write_text(
        'license = "CC0"\nunits = "spikes/s"\n[published_ceilings.V1]\nvalue = 0.5\nsource = "us"\n'
    )
    data = load_folder(folder, "mine")
    assert data.license == "CC0"
    assert data.units == "spikes/s"
    assert data.published_ceilings["V1"].value == 0.5


@settings(deadline=None, max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 1000), units=st.text(st.characters(exclude_categories=["Cs"]), max_size=10))
def test_a_data_set_comes_back_as_it_was_saved(folder, tmp_path_factory, seed, units):
    rewrite(folder, **arrays(seed))
    first = load_folder(folder, "mine")
    given_units = type(first)(
        **{**{f: getattr(first, f) for f in first.__dataclass_fields__}, "units": units}
    )
    target = tmp_path_factory.mktemp("saved") / "copy"
    save_folder(given_units, target)
    again = load_folder(target, "mine")
    xr.testing.assert_identical(again.responses, first.responses)
    pd.testing.assert_frame_equal(pd.DataFrame(again.stimuli), pd.DataFrame(first.stimuli))
    assert again.units == units


def spoil_npz(**changes):
    return lambda folder: rewrite(folder, **changes)


def write(name, content):
    def spoil(folder):
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())

    return spoil


class Trap:
    def __reduce__(self):
        return (print, ("executed",))


READABLE = ", ".join(sorted(f"responses{suffix}" for one in FORMATS.values() for suffix in one.suffixes))

MISTAKES = {
    "no responses": (
        lambda f: (f / "responses.npz").unlink(),
        f"holds no {READABLE}",
    ),
    "another kind": (
        lambda f: (f / "responses.npz").rename(f / "responses.xlsx"),
        f"responses.xlsx is not read: it must be one of {READABLE}",
    ),
    "two responses": (write("responses.csv", "stimulus_id,v\n"), "several responses"),
    "nifti": (
        lambda f: (f / "responses.npz").rename(f / "responses.nii.gz"),
        r"responses.nii.gz is not read: give its folder without stimuli.csv to data add",
    ),
    "no stimuli": (lambda f: (f / "stimuli.csv").unlink(), "holds no stimuli.csv"),
    "empty stimuli": (write("stimuli.csv", ""), "cannot be read as a table"),
    "no id column": (
        write("stimuli.csv", "stimulus,sentence\na,b\n"),
        "needs 'stimulus_id': did you mean 'stimulus'",
    ),
    "id twice": (
        write("stimuli.csv", "stimulus_id,sentence\ns0,a\ns0,b\n"),
        r"1 stimulus ids appear more than once \(first: 's0'\)",
    ),
    "no text": (write("stimuli.csv", "stimulus_id,length\ns0,3\n"), "neither a column 'filename'"),
    "unknown ids": (
        spoil_npz(stimulus_id=np.repeat(["s0", "s1", "s2", "s3", "s4", "t5"], 2)),
        r"1 stimulus ids of the responses are not in the stimulus table \(first: 't5'\)",
    ),
    "silent stimuli": (
        spoil_npz(stimulus_id=np.repeat(["s0", "s1", "s2", "s3", "s4", "s4"], 2)),
        r"1 stimuli have no response \(first: 's5'\)",
    ),
    "a stimulus that was never recorded": (
        spoil_npz(
            responses=np.where(np.isin(np.arange(N * R), [2, 3])[:, None], np.nan, arrays()["responses"])
        ),
        r"8 responses are NaN or infinite \(first: stimulus 's1', neuroid 'v0'\)",
    ),
    "constant voxels": (
        spoil_npz(responses=np.ones((N * R, T))),
        r"4 of 4 neuroids never vary \(first: 'v0'\): they cannot be predicted",
    ),
    "wrong length": (
        spoil_npz(stimulus_id=np.array(["s0"])),
        "stimulus_id has 1 values, but there are 12 presentations",
    ),
    "no stimulus_id": (spoil_npz(stimulus_id=None), "have no stimulus_id, one for each presentation"),
    "misnamed array": (spoil_npz(responses=None, response=np.zeros((12, 4))), "did you mean 'response'"),
    "one dimension": (
        spoil_npz(responses=np.zeros(12)),
        r"must be \(presentation, neuroid\), not of shape \(12,\)",
    ),
    "text": (spoil_npz(responses=np.full((12, 4), "a")), "responses are <U1, not real numbers"),
    "damaged npz": (write("responses.npz", b"PK\x03\x04 half of it"), "is damaged or not an .npz file"),
    "objects": (
        lambda f: np.savez(f / "responses.npz", responses=np.array([Trap()], object), allow_pickle=True),
        "holds Python objects, which could execute code when read: refused",
    ),
    "bad toml": (write("dataset.toml", "modality = "), "is not valid TOML"),
    "unknown entry": (
        write("dataset.toml", 'licence = "x"'),
        "unknown entry of dataset.toml 'licence': did you mean 'license'",
    ),
    "bad modality": (
        write("dataset.toml", 'modality = "audio"'),
        "modality must be 'vision' or 'language', not 'audio'",
    ),
    "misspelt coordinate": (
        spoil_npz(region=None, regions=np.array(["V1", "V1", "IT", "IT"])),
        "unknown array of the responses 'regions': did you mean 'region'",
    ),
    "a table for a list": (
        spoil_npz(stimulus_id=arrays()["stimulus_id"][:, None]),
        r"stimulus_id has \(12, 1\) values, but there are 12 presentations",
    ),
    "region left blank": (
        spoil_npz(region=np.array(["V1", "", "IT", "IT"])),
        r"1 neuroids have no region \(first: 'v1'\)",
    ),
    "id left blank": (
        write("stimuli.csv", "stimulus_id,sentence\ns0,a\n,b\n"),
        r"1 rows have no stimulus_id \(first: row 3\)",
    ),
    "text left blank": (
        write("stimuli.csv", "stimulus_id,sentence\ns0,a\ns1,\n"),
        r"1 rows have no sentence \(first: row 3\)",
    ),
    "filename left blank": (
        write("stimuli.csv", "stimulus_id,filename\ns0,\ns1,a.png\n"),
        r"1 rows have no filename \(first: row 2\)",
    ),
    "only a header": (write("stimuli.csv", "stimulus_id,sentence\n"), "the stimulus table is empty"),
    "semicolons": (
        write("stimuli.csv", "stimulus_id;sentence\ns0;a\n"),
        "is not separated by commas .* save it with commas",
    ),
    "ragged": (write("stimuli.csv", "stimulus_id,sentence\ns0,a\ns1,a,b,c\n"), "cannot be read as a table"),
    "not utf-8": (
        write("stimuli.csv", "stimulus_id,sentence\ns0,é\n".encode("latin-1")),
        "cannot be read as a table: 'utf-8' codec",
    ),
    "text for a number": (
        write("dataset.toml", 'simulated = "no"'),
        "simulated must be true or false, not 'no'",
    ),
    "number for a text": (write("dataset.toml", "region = 17"), "region must be text in quotes .*, not 17"),
    "ceiling without value": (
        write("dataset.toml", '[published_ceilings.V1]\nsource = "us"'),
        r"\[published_ceilings.V1\] needs value = a number above 0 and up to 1 .* not None",
    ),
    "ceiling as a percentage": (
        write("dataset.toml", "[published_ceilings.V1]\nvalue = 56"),
        "above 0 and up to 1 .* not 56",
    ),
    "ceiling as a number": (write("dataset.toml", "[published_ceilings]\nV1 = 0.5"), "needs value = "),
    "ceiling of nowhere": (
        write("dataset.toml", "[published_ceilings.V2]\nvalue = 0.5"),
        "unknown region in published_ceilings 'V2': did you mean 'V1'",
    ),
    "other regions": (
        write("dataset.toml", 'regions = ["V4"]'),
        "lists the regions V4, but the responses are of V1, IT",
    ),
    "empty neuroids": (write("neuroids.csv", ""), "neuroids.csv cannot be read as a table"),
    "neuroid twice": (
        write("neuroids.csv", "neuroid_id,region\nv0,V1\nv0,V1\nv2,IT\nv3,IT\n"),
        r"neuroids.csv: 1 neuroids appear more than once \(first: 'v0'\)",
    ),
    "position in words": (
        write("neuroids.csv", "neuroid_id,x\nv0,1\nv1,left\nv2,1\nv3,1\n"),
        "position x of neuroid 'v1' is 'left', not a number",
    ),
    "other neuroids": (
        write("neuroids.csv", "neuroid_id,region\nv0,V1\nv1,V1\nv2,IT\nv9,IT\n"),
        r"name different neuroids: 2 differ \(first: 'v3'\)",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_line_and_nothing_is_installed(folder, mistake, brodmann_home):
    spoil, message = MISTAKES[mistake]
    spoil(folder)
    with pytest.raises(UserError, match=message) as caught:
        brodmann.add_dataset("spoiled", folder)
    assert "\n" not in str(caught.value).strip()
    assert not (brodmann_home / "data" / "spoiled").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("stimulus_id,a\ns0,1\ns1,oops\n", r"'oops' in row 3, column 'a' is not a number"),
        ("stimulus,a\ns0,1\n", "needs 'stimulus_id': did you mean 'stimulus'"),
        ("stimulus_id;a\ns0;1\n", "is not separated by commas .* save it with commas"),
        ("stimulus_id,a,a\ns0,1,2\n", r"1 columns appear more than once \(first: 'a'\)"),
        (",stimulus_id,a\n0,s0,1\n", r"column 1 has no name: .* index=False"),
        (
            "stimulus_id,a\ns0,1\ns1,1,2,3\n",
            "cannot be read as a table: line 3 has 4 fields, and the first line 2: a stray comma",
        ),
        ("", "cannot be read as a table"),
        ("stimulus_id,a\n", r"the responses are empty \(shape \(0, 1\)\)"),
        (
            "stimulus_id,a\n" + "".join(f"s{i},{i if i != 4 else ''}\n" for i in range(N)),
            r"1 responses are NaN or infinite \(first: stimulus 's4', neuroid 'a'\)",
        ),
    ],
)
def test_mistakes_in_a_csv_name_their_place(folder, content, message):
    (folder / "responses.npz").unlink()
    (folder / "responses.csv").write_text(content)
    with pytest.raises(UserError, match=message):
        load_folder(folder, "mine")


@pytest.mark.parametrize(("name", "message"), [("responses.nc", "netCDF"), ("responses.mat", "MATLAB")])
def test_a_truncated_file_is_named(folder, name, message):
    test_writer = {"responses.nc": test_netcdf, "responses.mat": test_matlab}[name]
    test_writer(folder)
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[: len(content) // 3])
    with pytest.raises(UserError, match=f"damaged or not a {message} file"):
        load_folder(folder, "mine")


def test_a_pickle_named_mat_runs_nothing(folder, capsys):
    (folder / "responses.npz").unlink()
    (folder / "responses.mat").write_bytes(pickle.dumps(Trap()))
    with pytest.raises(UserError, match="damaged or not a MATLAB file"):
        load_folder(folder, "mine")
    assert "executed" not in capsys.readouterr().out


def test_the_page_of_the_documentation_works_word_for_word(tmp_path, monkeypatch):
    page = (Path(__file__).parents[3] / "docs" / "your-own-data.md").read_text()
    snippets = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert len(snippets) == 2
    monkeypatch.chdir(tmp_path)
    space = {}
    for snippet in snippets:
        exec(compile(snippet, "your-own-data.md", "exec"), space)
    brodmann.add_dataset("my-recordings", tmp_path / "my-recordings")
    installed = brodmann.load_dataset("my-recordings")
    np.testing.assert_array_equal(space["data"].responses.values, installed.responses.values)
    assert space["data"].stimuli["sentence"].tolist() == installed.stimuli["sentence"].tolist()
    command = [
        sys.executable,
        "-m",
        "brodmann.bench",
        "score",
        "word-length-frequency",
        "my-recordings.PostTemp-ridge",
    ]
    done = subprocess.run(
        [*command, "--bootstraps", "50", "--permutations", "19"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "word-length-frequency  on  my-recordings.PostTemp-ridge" in done.stdout
    assert "reliability of the neuroids' mean responses" in done.stdout


def texts(folder, ids, **columns):
    table = pd.DataFrame({"stimulus_id": ids} | (columns or {"sentence": [f"Text {one}." for one in ids]}))
    table.to_csv(folder / "stimuli.csv", index=False)


@pytest.mark.parametrize("numbers", [np.arange(N), np.arange(float(N))])
def test_numbered_stimuli_match_whichever_way_they_were_saved(folder, numbers):
    texts(folder, range(N))
    rewrite(folder, stimulus_id=np.repeat(numbers, R))
    assert load_folder(folder, "mine").responses["stimulus_id"].values[::R].tolist() == list("012345")


def test_ids_and_words_stay_as_they_are_written(folder):
    ids = ["001", "NA", "1.0", "None", "true", "x"]
    words = ["null", "nan", "NA", "None", "true", "007"]
    texts(folder, ids, word=words)
    rewrite(folder, stimulus_id=np.repeat(ids, R))
    data = load_folder(folder, "mine")
    assert data.stimuli["stimulus_id"].tolist() == ids
    assert data.stimuli["word"].tolist() == words


def test_the_subject_of_each_neuroid(folder):
    rewrite(folder, subject=np.array(["018", "018", "199", "199"]))
    subject = load_folder(folder, "mine").responses["subject"]
    assert subject.dims == ("neuroid",)
    assert subject.values.tolist() == ["018", "018", "199", "199"]


def test_further_columns_of_neuroids_are_kept(folder):
    rewrite(folder, neuroid_id=None, region=None)
    (folder / "neuroids.csv").write_text(
        "neuroid_id,region,subject,ncsnr\na,V1,01,0.1\nb,V1,01,0.2\nc,IT,02,0.3\nd,IT,02,0.4\n"
    )
    responses = load_folder(folder, "mine").responses
    assert responses["neuroid_id"].values.tolist() == list("abcd")
    assert responses["subject"].values.tolist() == ["01", "01", "02", "02"]
    assert responses["ncsnr"].values.tolist() == [0.1, 0.2, 0.3, 0.4]


def test_conditions_without_their_stimuli(folder):
    texts(folder, [f"s{i}" for i in range(N)], category=["a", "b"] * (N // 2))
    (folder / "dataset.toml").write_text("has_stimuli = false\n")
    data = load_folder(folder, "mine")
    assert not data.has_stimuli
    assert data.stimuli["category"].tolist() == ["a", "b"] * (N // 2)


@pytest.mark.parametrize("make", [simulated_cortex, simulated_language])
def test_every_coordinate_and_label_survives_a_save(make, tmp_path):
    data = make(n_stimuli=20)
    save_folder(data, tmp_path / "saved")
    again = load_folder(tmp_path / "saved", data.identifier)
    assert set(again.responses.coords) == set(data.responses.coords)
    for name, values in data.responses.coords.items():
        assert again.responses[name].values.tolist() == values.values.tolist()
    np.testing.assert_array_equal(again.responses.values, data.responses.values)
    labels = [column for column in data.stimuli.columns if column != "filename"]
    pd.testing.assert_frame_equal(pd.DataFrame(again.stimuli)[labels], pd.DataFrame(data.stimuli)[labels])
    assert again.simulated
    if data.modality == "vision":
        for one in data.stimuli["stimulus_id"]:
            assert (
                again.stimuli.stimulus_paths[one].read_bytes()
                == data.stimuli.stimulus_paths[one].read_bytes()
            )


def test_labels_of_presentations_become_labels_of_stimuli(folder, tmp_path):
    data = load_folder(folder, "mine")
    label = np.repeat(["a", "b", "c"], 2 * R)
    labeled = dataclasses.replace(
        data, responses=data.responses.assign_coords(object_name=("presentation", label))
    )
    save_folder(labeled, tmp_path / "saved")
    assert load_folder(tmp_path / "saved", "mine").stimuli["object_name"].tolist() == list("aabbcc")
    block = data.responses.assign_coords(block=("presentation", np.arange(N * R)))
    with pytest.raises(UserError, match="coordinate 'block' differs between presentations of a stimulus"):
        save_folder(dataclasses.replace(data, responses=block), tmp_path / "blocks")
    assert not (tmp_path / "blocks").exists()


def test_saving_never_replaces_what_it_did_not_save(folder, tmp_path):
    data = load_folder(folder, "mine")
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter1.tex").write_text("years of work")
    with pytest.raises(UserError, match="is not empty and holds no saved data set"):
        save_folder(data, tmp_path / "thesis")
    assert (tmp_path / "thesis" / "chapter1.tex").read_text() == "years of work"
    save_folder(data, tmp_path / "saved")
    save_folder(data, tmp_path / "saved")


@pytest.mark.parametrize("name", ["../evil", "a.b", "", "-x", "a b"])
def test_a_name_that_could_leave_the_home_is_refused(folder, name):
    with pytest.raises(UserError, match="cannot name a data set"):
        install_folder(name, folder)


def test_an_installed_folder_is_described_and_its_files_are_remembered(folder):
    (folder / "dataset.toml").write_text('license = "CC0"\n[published_ceilings.V1]\nvalue = 0.5\n')
    installed = brodmann.add_dataset("remembered", folder)
    card = dataset_card("remembered")
    assert (card.modality, card.regions, card.n_stimuli, card.license) == ("language", ("V1", "IT"), N, "CC0")
    assert set(json.loads((installed / "MANIFEST.json").read_text())) == {
        "dataset.toml",
        "responses.npz",
        "stimuli.csv",
    }
    assert brodmann.load_dataset("remembered").published_ceilings["V1"].value == 0.5
    brodmann.add_dataset("again", installed)
    np.savez(installed / "responses.npz", **arrays(seed=1))
    with pytest.raises(UserError, match=r"'remembered' is damaged: .*responses.npz is not what it was"):
        brodmann.load_dataset("remembered")
    (installed / "responses.npz").unlink()
    with pytest.raises(UserError, match="is not whole: responses.npz is missing"):
        brodmann.load_dataset("remembered")


def test_an_installation_that_fails_keeps_the_old_one(folder, brodmann_home):
    brodmann.add_dataset("kept", folder)
    (folder / "gone").symlink_to(folder / "nowhere")
    with pytest.raises(UserError, match="gone is a link to nowhere: refused"):
        brodmann.add_dataset("kept", folder)
    assert brodmann.load_dataset("kept").regions == ["V1", "IT"]
    assert not list((brodmann_home / "data").glob(".kept*"))


def test_a_folder_around_the_home_is_not_copied_into_itself(folder, monkeypatch):
    monkeypatch.setenv("BRODMANN_HOME", str(folder / "home"))
    with pytest.raises(UserError, match="where data sets are copied to"):
        install_folder("mine", folder)
    assert not (folder / "home").exists()


@pytest.fixture
def public_folder(folder) -> Iterator[Path]:
    """The good folder at a place that another user may enter."""
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o755)
        public = Path(place) / "recordings"
        public.mkdir()
        for path in folder.iterdir():
            (public / path.name).write_bytes(path.read_bytes())
        (public / "neuroids.csv").write_text("neuroid_id\nv0\nv1\nv2\nv3\n")
        (public / "dataset.toml").write_text("")
        yield public
        public.chmod(0o755)


@pytest.mark.parametrize("name", ["", "stimuli.csv", "responses.npz", "neuroids.csv", "dataset.toml"])
def test_no_permission_is_one_line(public_folder, name):
    (public_folder / name).chmod(0)
    is_root = os.geteuid() == 0  # to whom permissions do not apply
    if is_root:
        os.seteuid(65534)
    try:
        with pytest.raises(UserError, match="Permission denied") as caught:
            load_folder(public_folder, "mine")
    finally:
        if is_root:
            os.seteuid(0)
    assert str(public_folder) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_table_of_responses_keeps_ids_as_they_are_written(folder):
    ids = ["001", "NA", "1.0", "None", "true", "x"]
    texts(folder, ids)
    (folder / "responses.npz").unlink()
    values = np.random.default_rng(0).normal(size=N)
    rows = [f"{one},{value!r}" for one, value in zip(ids, values.tolist(), strict=True)]
    (folder / "responses.csv").write_text("\n".join(["stimulus_id,a", *rows]))
    responses = load_folder(folder, "mine").responses
    assert responses["stimulus_id"].values.tolist() == ids
    assert responses.values[:, 0].tolist() == values.tolist()


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_a_flipped_bit_in_an_npz_is_found_or_harmless(folder, save):
    save(folder / "responses.npz", **arrays())
    whole = (folder / "responses.npz").read_bytes()
    found = 0
    for place in range(0, len(whole), 29):
        spoiled = bytearray(whole)
        spoiled[place] ^= 0xFF
        (folder / "responses.npz").write_bytes(spoiled)
        try:
            load_folder(folder, "mine")
        except UserError:
            found += 1
    assert found > len(whole) / 29 / 2


def test_an_npy_named_npz(folder):
    with (folder / "responses.npz").open("wb") as stream:
        np.save(stream, arrays()["responses"])
    with pytest.raises(UserError, match="holds one array, as np.save writes it: save it with np.savez"):
        load_folder(folder, "mine")


def test_a_transposed_netcdf(folder):
    (folder / "responses.npz").unlink()
    a = arrays()
    array = xr.DataArray(
        a["responses"].T,
        dims=("neuroid", "presentation"),
        coords={"stimulus_id": ("presentation", a["stimulus_id"])},
    )
    array.to_netcdf(folder / "responses.nc")
    np.testing.assert_array_equal(load_folder(folder, "mine").responses.values, a["responses"])


def test_matlab_with_one_neuroid_and_padded_names(folder):
    (folder / "responses.npz").unlink()
    a = arrays()
    ids = ["s0", "s1", "s2", "s3", "s4", "s5 long"]
    texts(folder, ids)
    content = {
        "responses": a["responses"][:, :1],
        "stimulus_id": np.repeat(ids, R),
        "region": np.array(["V1"]),
    }
    scipy.io.savemat(folder / "responses.mat", content)
    data = load_folder(folder, "mine")
    assert data.responses.shape == (N * R, 1)
    assert data.stimuli["stimulus_id"].tolist() == ids
    assert data.regions == ["V1"]
