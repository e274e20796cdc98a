"""Recordings of one's own: every form, and every mistake in one line."""

import pickle
import re
import subprocess
import sys
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
from brodmann.brain_data.own import load_folder, save_folder

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


def with_nan():
    values = arrays()["responses"]
    values[3, 1] = np.nan
    return values


def with_constant():
    values = arrays()["responses"]
    values[:, 2] = 1.5
    return values


class Trap:
    def __reduce__(self):
        return (print, ("executed",))


MISTAKES = {
    "no responses": (lambda f: (f / "responses.npz").unlink(), "holds no responses.npz, responses.csv"),
    "two responses": (write("responses.csv", "stimulus_id,v\n"), "several responses"),
    "nifti": (
        lambda f: (f / "responses.npz").rename(f / "responses.nii.gz"),
        r"responses.nii.gz is not read: average it over regions or voxels first",
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
    "nan": (
        spoil_npz(responses=with_nan()),
        r"1 responses are NaN or infinite \(first: stimulus 's1', neuroid 'v1'\)",
    ),
    "constant voxel": (spoil_npz(responses=with_constant()), r"1 of 4 neuroids never vary \(first: 'v2'\)"),
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
        ("", "cannot be read as a table"),
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
    page = (Path(__file__).parents[2] / "docs" / "your-own-data.md").read_text()
    (snippet,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    exec(compile(snippet, "your-own-data.md", "exec"), {})
    brodmann.add_dataset("my-recordings", tmp_path / "my-recordings")
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
    assert "reliability of the mean response" in done.stdout
