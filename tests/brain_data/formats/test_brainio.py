"""The border with Brain-Score: its files in and out, on files of the true layout."""

import dataclasses
import hashlib
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

pytest.importorskip("brainscore_core", reason="Brain-Score reads and writes its own files")

from brainscore_core.supported_data_standards.brainio.assemblies import (
    NeuroidAssembly,
    NeuronRecordingAssembly,
    StimulusMergeAssemblyLoader,
)
from brainscore_core.supported_data_standards.brainio.packaging import write_netcdf
from brainscore_core.supported_data_standards.brainio.stimuli import StimulusSet

import brodmann
from brodmann import UserError
from brodmann.brain_data import catalogue, from_brainio, to_brainio
from brodmann.brain_data.card import DATASETS
from brodmann.brain_data.dataset import Dataset
from brodmann.brain_data.formats.brainio import from_assembly, load_brainscore, to_assembly
from brodmann.brain_data.simulated_cortex import simulated_cortex, simulated_language
from brodmann.install import KnownFile

N_STIMULI, N_REPETITIONS = 40, 4


def majaj_like(folder, n_bins=1):
    """The three files of MajajHong2015.public, small: same names, dims, coordinates and old column names."""
    rng = np.random.default_rng(0)
    ids = [f"im{i:03d}" for i in range(N_STIMULI)]
    objects = [f"object{i % 4}" for i in range(N_STIMULI)]
    signal = rng.normal(size=(N_STIMULI, 1, 6, 1))
    values = (signal + rng.normal(size=(N_STIMULI, N_REPETITIONS, 6, n_bins))).reshape(-1, 6, n_bins)
    coordinates = {
        "image_id": ("presentation", np.repeat(ids, N_REPETITIONS)),
        "object_name": ("presentation", np.repeat(objects, N_REPETITIONS)),
        "repetition": ("presentation", np.tile(np.arange(N_REPETITIONS), N_STIMULI)),
        "neuroid_id": ("neuroid", [f"Chabo_L_M_{i}" for i in range(6)]),
        "region": ("neuroid", ["V4", "V4", "IT", "IT", "IT", "IT"]),
        "animal": ("neuroid", ["Chabo"] * 3 + ["Tito"] * 3),
        "time_bin_start": ("time_bin", 70 + 10 * np.arange(n_bins)),
        "time_bin_end": ("time_bin", 170 + 10 * np.arange(n_bins)),
    }
    assembly = NeuronRecordingAssembly(
        values, coords=coordinates, dims=("presentation", "neuroid", "time_bin")
    )
    write_netcdf(assembly, folder / "assy_dicarlo_MajajHong2015_public.nc")
    table = pd.DataFrame({"object_name": objects, "image_id": ids, "filename": [f"{one}.png" for one in ids]})
    table.to_csv(folder / "stimulus_hvm-public.csv", index=False)
    with zipfile.ZipFile(folder / "stimulus_hvm-public.zip", "w") as archive:
        for one in ids:
            path = folder / f"{one}.png"
            Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(path)
            archive.write(path, path.name)
            path.unlink()
    return values


def files(folder):
    return [
        folder / name
        for name in (
            "assy_dicarlo_MajajHong2015_public.nc",
            "stimulus_hvm-public.csv",
            "stimulus_hvm-public.zip",
        )
    ]


@pytest.mark.parametrize("make", [simulated_cortex, simulated_language])
def test_a_data_set_survives_the_journey(make, tmp_path):
    data = make(n_stimuli=20)
    assembly, table, archive = to_brainio(data, tmp_path / "out")
    back = from_brainio(assembly, table, archive, identifier=data.identifier, modality=data.modality)
    xr.testing.assert_equal(
        back.responses.drop_vars(set(back.responses.coords) - set(data.responses.coords)), data.responses
    )
    assert back.stimuli["stimulus_id"].tolist() == data.stimuli["stimulus_id"].tolist()
    assert back.regions == data.regions
    if archive is not None:
        one = data.stimuli["stimulus_id"][3]
        assert back.stimuli.stimulus_paths[one].read_bytes() == data.stimuli.stimulus_paths[one].read_bytes()


def test_brain_scores_own_loaders_read_what_we_write(tmp_path):
    data = simulated_cortex(n_stimuli=20)
    assembly, table, archive = to_brainio(data, tmp_path / "out")
    with zipfile.ZipFile(archive) as opened:
        opened.extractall(tmp_path / "pictures")
    stimuli = StimulusSet.from_files(table, tmp_path / "pictures")
    loaded = NeuronRecordingAssembly.from_files(assembly)
    np.testing.assert_array_equal(loaded.values, data.responses.values)
    assert set(loaded["stimulus_id"].values) == set(stimuli["stimulus_id"])


def test_files_of_majajhong2015_become_a_brain_score_benchmark(tmp_path, monkeypatch):
    values = majaj_like(tmp_path)
    card = catalogue.dataset_card("MajajHong2015")
    known = tuple(
        KnownFile(path.name, hashlib.sha1(path.read_bytes()).hexdigest()) for path in files(tmp_path)
    )
    small = type(card)(**{**vars(card), "files": known})
    entry = dataclasses.replace(DATASETS["MajajHong2015"], card=small)
    monkeypatch.setitem(DATASETS._things, "MajajHong2015", entry)
    brodmann.add_dataset("MajajHong2015", tmp_path)
    data = brodmann.load_dataset("MajajHong2015")
    np.testing.assert_allclose(data.responses.values, values[:, :, 0])
    benchmark = brodmann.load_benchmark("MajajHong2015.IT.public-pls")
    assert benchmark.version == 4
    assert benchmark.recording.cube.shape == (N_STIMULI, N_REPETITIONS, 4)
    assert benchmark.recording.columns["object_name"][1] == "object1"
    assert benchmark.noise_ceiling.kind == "internal_consistency"
    score = brodmann.score("pixels", benchmark, n_bootstraps=20, n_permutations=19, run=tmp_path / "run")
    assert score.attrs["normalisation"] == "r2_over_ceiling"
    assert score.attrs["n_neuroids"] == 4


def test_time_bins_need_a_window(tmp_path):
    values = majaj_like(tmp_path, n_bins=3)
    paths = files(tmp_path)
    with pytest.raises(UserError, match=r"has 3 time bins from 70 to 190 ms: name the window"):
        from_brainio(*paths, identifier="m")
    data = from_brainio(*paths, identifier="m", window_ms=(70, 180))
    np.testing.assert_allclose(data.responses.values, values[:, :, :2].mean(axis=2))
    with pytest.raises(UserError, match="no time bin lies within 0 to 50 ms"):
        from_brainio(*paths, identifier="m", window_ms=(0, 50))


def test_pereira_like_texts_in_the_assembly_and_missing_voxels(tmp_path):
    rng = np.random.default_rng(0)
    values = rng.normal(size=(10, 3))
    values[:6, 2] = np.nan
    coordinates = {
        "stimulus_id": ("presentation", [f"{i}" for i in range(10)]),
        "stimulus": ("presentation", [f"Sentence {i}." for i in range(10)]),
        "story": ("presentation", ["a"] * 5 + ["b"] * 5),
        "passage_label": ("presentation", ["a1", "a1", "a2", "a2", "a2"] + ["b1"] * 5),
        "experiment": ("presentation", ["243sentences"] * 6 + ["384sentences"] * 4),
        "neuroid_id": ("neuroid", ["0", "1", "2"]),
        "subject": ("neuroid", ["018", "018", "199"]),
    }
    assembly = NeuronRecordingAssembly(values, coords=coordinates, dims=("presentation", "neuroid"))
    write_netcdf(assembly, tmp_path / "assy_Pereira2018_language.nc")
    data = load_brainscore(catalogue.dataset_card("Pereira2018-243sentences"), tmp_path)
    assert data.responses.shape == (6, 2)
    assert data.responses.attrs["left_out"] == {"neuroids without a response to every stimulus": 1}
    assert data.stimuli["sentence"].tolist() == [f"Sentence {i}." for i in range(6)]
    assert data.stimuli["story"].tolist() == ["a"] * 5 + ["b"]
    assert data.stimuli["passage"].tolist() == ["a1", "a1", "a2", "a2", "a2", "b1"]
    assert data.regions == ["language"]
    assert data.responses["subject"].dims == ("neuroid",)
    other = load_brainscore(catalogue.dataset_card("Pereira2018-384sentences"), tmp_path)
    assert other.responses.shape == (4, 3)


def test_damaged_files_are_named(tmp_path):
    majaj_like(tmp_path)
    assembly, table, archive = files(tmp_path)
    whole = assembly.read_bytes()
    assembly.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match="damaged or not a BrainIO netCDF file"):
        from_brainio(assembly, table, archive, identifier="m")
    assembly.write_bytes(whole)
    with zipfile.ZipFile(archive, "w") as climbing:
        climbing.writestr("../../outside.png", b"x")
    with pytest.raises(UserError, match="which would leave its folder: refused"):
        from_brainio(assembly, table, archive, identifier="m")
    assert not (tmp_path.parent / "outside.png").exists()
    archive.write_bytes(b"PK\x03\x04")
    with pytest.raises(UserError, match="is not a readable zip file"):
        from_brainio(assembly, table, archive, identifier="m")
    with pytest.raises(UserError, match="no assembly at"):
        from_brainio(tmp_path / "gone.nc", identifier="m")


def test_dims_that_do_not_fit_are_named():
    with pytest.raises(UserError, match="must have dims presentation and neuroid"):
        from_assembly(xr.DataArray(np.zeros((2, 3)), dims=("presentation", "voxel")))


def recorded(ids, *, n_neuroids=3, repetitions=2, seed=0) -> Dataset:
    """Texts of any id, each shown `repetitions` times in a shuffled order."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(np.tile(np.arange(len(ids)), repetitions))
    values = pd.Series(order)
    coordinates = {
        "stimulus_id": ("presentation", np.array(ids, object)[order]),
        "repetition": ("presentation", values.groupby(values).cumcount().to_numpy()),
        "neuroid_id": ("neuroid", np.array([f"unit {i}" for i in range(n_neuroids)], object)),
        "region": ("neuroid", np.array(["V4", "IT"] * n_neuroids, object)[:n_neuroids]),
        "x": ("neuroid", rng.normal(size=n_neuroids)),
    }
    responses = xr.DataArray(
        rng.normal(size=(len(order), n_neuroids)), dims=("presentation", "neuroid"), coords=coordinates
    )
    stimuli = StimulusSet({"stimulus_id": ids, "sentence": [f"Text {one!r}." for one in range(len(ids))]})
    return Dataset("mine", "language", stimuli, responses)


def journey(data, folder, **options) -> Dataset:
    return from_brainio(
        *to_brainio(data, folder), identifier=data.identifier, modality=data.modality, **options
    )


@settings(deadline=None, max_examples=25)
@given(
    ids=st.lists(
        st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=6).filter(
            lambda text: text == text.strip()
        ),
        min_size=2,
        max_size=5,
        unique=True,
    ),
    n_neuroids=st.integers(1, 4),
    repetitions=st.integers(1, 3),
    seed=st.integers(0, 2**20),
)
def test_any_data_set_survives_the_journey(tmp_path_factory, ids, n_neuroids, repetitions, seed):
    data = recorded(ids, n_neuroids=n_neuroids, repetitions=repetitions, seed=seed)
    back = journey(data, tmp_path_factory.mktemp("brainio"))
    xr.testing.assert_equal(back.responses, data.responses)
    pd.testing.assert_frame_equal(pd.DataFrame(back.stimuli), pd.DataFrame(data.stimuli))
    assert back.digest == data.digest


@pytest.mark.parametrize("ids", [["001", "002"], ["NA", "null"], ["1.0", "2.50"], ["True", "False"]])
def test_ids_stay_as_they_are_written(tmp_path, ids):
    assert journey(recorded(ids), tmp_path).stimuli["stimulus_id"].tolist() == ids


def test_presentations_without_repetition_are_numbered_and_keep_their_ids(tmp_path):
    data = recorded(["a", "b", "c"])
    bare = dataclasses.replace(data, responses=data.responses.drop_vars("repetition"))
    np.testing.assert_array_equal(
        journey(bare, tmp_path).responses["repetition"].values, data.responses["repetition"].values
    )


def test_an_assembly_goes_both_ways(tmp_path):
    data = recorded(["a", "b", "c"])
    assembly = to_assembly(data.responses)
    assert isinstance(assembly, NeuroidAssembly)
    assembly.validate()
    np.testing.assert_array_equal(assembly.sel(region="IT").values, data.region("IT").values)
    xr.testing.assert_equal(from_assembly(assembly), data.responses)


def test_brain_score_merges_our_stimuli_into_our_assembly(tmp_path):
    data = simulated_cortex(n_stimuli=20)
    assembly, table, archive = to_brainio(data, tmp_path)
    with zipfile.ZipFile(archive) as opened:
        opened.extractall(tmp_path / "pictures")
    stimuli = StimulusSet.from_files(table, tmp_path / "pictures")
    stimuli.identifier = data.identifier
    merged = StimulusMergeAssemblyLoader(
        cls=NeuroidAssembly,
        file_path=assembly,
        stimulus_set_identifier=data.identifier,
        stimulus_set=stimuli,
    ).load()
    np.testing.assert_array_equal(merged.values, data.responses.values)
    category = data.stimuli.set_index("stimulus_id")["category"]
    assert merged["category"].values.tolist() == category[data.responses["stimulus_id"].values].tolist()


def test_writing_leaves_what_else_is_in_the_folder(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    written = to_brainio(recorded(["a", "b"]), tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "assy_mine.nc",
        "stimulus_mine.csv",
        "thesis.tex",
    ]
    assert written == (tmp_path / "assy_mine.nc", tmp_path / "stimulus_mine.csv", None)
    with pytest.raises(UserError, match="cannot write"):
        to_brainio(recorded(["a", "b"]), tmp_path / "thesis.tex" / "below")


def test_ids_that_cannot_name_a_file_do_not_climb_out_of_the_zip(tmp_path):
    Image.new("RGB", (2, 2)).save(tmp_path / "one.png")
    ids = ["face/1", "../secret"]
    data = recorded(ids)
    stimuli = StimulusSet({"stimulus_id": ids})
    stimuli.stimulus_paths = dict.fromkeys(ids, tmp_path / "one.png")
    back = journey(dataclasses.replace(data, modality="vision", stimuli=stimuli), tmp_path / "out")
    assert back.stimuli["stimulus_id"].tolist() == ids
    assert all(path.is_file() for path in back.stimuli.stimulus_paths.values())
    assert zipfile.ZipFile(tmp_path / "out" / "stimulus_mine.zip").namelist() == ["000000.png", "000001.png"]


@pytest.mark.parametrize("filename", ["../stimulus_hvm-public.csv", "/etc/hostname"])
def test_a_table_that_names_a_picture_outside_the_zip_is_refused(tmp_path, filename):
    majaj_like(tmp_path)
    paths = files(tmp_path)
    table = pd.read_csv(paths[1]).assign(filename=filename)
    table.to_csv(paths[1], index=False)
    with pytest.raises(UserError, match="stimulus 'im000' has the picture .* outside the zip: refused"):
        from_brainio(*paths, identifier="m")


def test_pictures_that_did_not_come_along(tmp_path):
    majaj_like(tmp_path)
    assembly, table, archive = files(tmp_path)
    data = from_brainio(assembly, table, identifier="m")
    assert not data.has_stimuli
    assert data.stimuli["object_name"].tolist()[:2] == ["object0", "object1"]
    archive.unlink()
    with pytest.raises(UserError, match="no zip of the pictures at .*stimulus_hvm-public.zip"):
        from_brainio(assembly, table, archive, identifier="m")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            "image_id\nim000\n",
            "has no column 'filename', the name of each picture in stimulus_hvm-public.zip",
        ),
        ("filename\na.png\n", "has neither a column 'stimulus_id' nor 'image_id'"),
        (
            "image_id,filename\nother,o.png\n",
            r"has none of the assembly's stimuli \(first of the assembly: 'im000'",
        ),
        ("", "cannot be read as a table: No columns"),
        (None, "cannot read .*: No such file"),
    ],
)
def test_a_stimulus_table_that_does_not_fit(tmp_path, content, message):
    majaj_like(tmp_path)
    assembly, table, archive = files(tmp_path)
    if content is None:
        table.unlink()
    else:
        table.write_text(content)
    with pytest.raises(UserError, match=message) as caught:
        from_brainio(assembly, table, archive, identifier="m")
    assert "\n" not in str(caught.value)


def test_stimuli_that_nobody_was_shown_are_counted(tmp_path):
    data = recorded(["a", "b", "c"])
    assembly, table, _ = to_brainio(data, tmp_path)
    with table.open("a") as stream:
        stream.write("d,Never shown.\n")
    back = from_brainio(assembly, table, identifier="mine", modality="language")
    assert back.stimuli["stimulus_id"].tolist() == ["a", "b", "c"]
    assert back.responses.attrs["left_out"] == {"stimuli without a response": 1}


def test_a_selection_that_does_not_fit(tmp_path):
    paths = to_brainio(recorded(["a", "b", "c"]), tmp_path)
    read = {"identifier": "mine", "modality": "language"}
    with pytest.raises(
        UserError, match="unknown presentation coordinate 'stimulusid': did you mean 'stimulus_id'"
    ):
        from_brainio(*paths, **read, selection={"stimulusid": "a"})
    with pytest.raises(UserError, match="unknown value of stimulus_id 'z': known: a, b, c"):
        from_brainio(*paths, **read, selection={"stimulus_id": "z"})


def test_neuroids_that_all_miss_a_response_are_counted(tmp_path):
    data = recorded(["a", "b", "c"])
    assembly = to_assembly(data.responses.where(data.responses["stimulus_id"] != "b"))
    write_netcdf(assembly, tmp_path / "assy.nc")
    with pytest.raises(UserError, match=r"no neuroid has a response to every stimulus \(3 neuroids\)"):
        from_brainio(tmp_path / "assy.nc", identifier="mine", modality="language")


def test_time_bins_without_their_times():
    array = xr.DataArray(
        np.zeros((2, 2, 3)),
        dims=("presentation", "neuroid", "time_bin"),
        coords={"stimulus_id": ("presentation", ["a", "b"]), "neuroid_id": ("neuroid", ["m", "n"])},
    )
    with pytest.raises(UserError, match="has 3 time bins without time_bin_start and time_bin_end"):
        from_assembly(array)
    assert from_assembly(array[:, :, :1]).shape == (2, 2)


def test_the_catalogue_names_one_file_of_each_kind():
    names = [name for name in DATASETS if DATASETS.origin(name) == "brodmann.brain_data.datasets.brainscore"]
    assert len(names) == 5
    for name in names:
        card = catalogue.dataset_card(name)
        suffixes = [Path(file.name).suffix for file in card.files]
        assert suffixes == ([".nc", ".csv", ".zip"] if card.modality == "vision" else [".nc"])
        assert all(len(file.digest) == 40 for file in card.files)
        assert all(file.url.split("?")[0].endswith("/" + file.name) for file in card.files)


def test_a_zip_that_was_replaced_shows_its_own_pictures(tmp_path):
    stimuli = []
    for color in ("red", "blue"):
        Image.new("RGB", (2, 2), color).save(tmp_path / f"{color}.png")
        shown = StimulusSet({"stimulus_id": ["a", "b"]})
        shown.stimulus_paths = dict.fromkeys(["a", "b"], tmp_path / f"{color}.png")
        data = dataclasses.replace(recorded(["a", "b"]), modality="vision", stimuli=shown)
        stimuli.append(journey(data, tmp_path / "out").stimuli.stimulus_paths["a"].read_bytes())
    assert stimuli == [(tmp_path / "red.png").read_bytes(), (tmp_path / "blue.png").read_bytes()]


@pytest.mark.parametrize(
    ("name", "place"), [("tuckute2024", "tuckute2024-lh-rois"), ("zhang2011", "zhang-desimone-it7")]
)
def test_real_recordings_survive_the_journey(test_data, tmp_path, monkeypatch, name, place):
    monkeypatch.setenv("BRODMANN_HOME", str(tmp_path / "home"))
    brodmann.add_dataset(name, test_data / place)
    data = brodmann.load_dataset(name)
    back = journey(data, tmp_path / "out")
    xr.testing.assert_equal(back.responses, data.responses)
    assert back.stimuli["stimulus_id"].tolist() == data.stimuli["stimulus_id"].tolist()
    assert back.digest == dataclasses.replace(data, identifier=back.identifier).digest
