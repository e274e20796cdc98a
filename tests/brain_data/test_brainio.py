"""The border with Brain-Score: its files in and out, on files of the true layout."""

import hashlib
import zipfile

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from brainscore_core.supported_data_standards.brainio.assemblies import NeuronRecordingAssembly
from brainscore_core.supported_data_standards.brainio.packaging import write_netcdf
from brainscore_core.supported_data_standards.brainio.stimuli import StimulusSet
from PIL import Image

import brodmann
from brodmann import UserError
from brodmann.brain_data import catalogue, from_brainio, to_brainio
from brodmann.brain_data.brainio import from_assembly, load_brainscore
from brodmann.brain_data.simulated import simulated_cortex, simulated_language
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
    monkeypatch.setitem(catalogue._catalogue(), "MajajHong2015", small)
    brodmann.add_dataset("MajajHong2015", tmp_path)
    data = brodmann.load_dataset("MajajHong2015")
    np.testing.assert_allclose(data.responses.values, values[:, :, 0])
    benchmark = brodmann.load_benchmark("MajajHong2015.IT.public-pls")
    assert benchmark.version == 4
    assert benchmark.recording.cube.shape == (N_STIMULI, N_REPETITIONS, 4)
    assert benchmark.recording.columns["object_name"][1] == "object1"
    assert benchmark.limit.kind == "internal_consistency"
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
        "experiment": ("presentation", ["Pereira2018_243sentences"] * 6 + ["Pereira2018_384sentences"] * 4),
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
