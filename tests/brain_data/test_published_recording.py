"""Published recordings by name: what is agreed to first, what is downloaded, and what a benchmark takes of it."""

import io
import zipfile
from dataclasses import replace
from shutil import copytree

import h5py
import nibabel
import numpy as np
import pytest
from command_line import run_brodmann
from scipy.io import savemat

import brodmann
from brodmann import UserError
from brodmann.brain_data.card import DATASETS
from brodmann.brain_data.catalogue import add_dataset, dataset_card, is_installed, load_dataset
from brodmann.brain_data.datasets.things_fmri import ThingsFMRI
from brodmann.brain_data.formats.recording import RECORDING_FORMATS
from brodmann.brain_data.imported import ReadOptions
from brodmann.brain_data.published_recording import Fetcher
from brodmann.errors import NotAvailableError

PUBLISHED = [name for name in DATASETS if isinstance(DATASETS[name].fetch, Fetcher)]


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("BRODMANN_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def test_the_sets_of_the_plan_are_there_and_their_layouts_are_formats():
    assert set(PUBLISHED) == {
        "algonauts2023",
        "algonauts2025",
        "allen-ecephys",
        "lebel2023",
        "narratives",
        "nsd",
        "things-eeg2",
        "things-fmri",
    }
    assert {"nsd", "things-fmri", "algonauts2025", "lebel2023", "narratives", "pereira2018"} <= set(
        RECORDING_FORMATS
    )


@pytest.mark.parametrize("name", ["nsd", "algonauts2023", "algonauts2025"])
def test_what_has_to_be_agreed_to_is_named_and_never_downloaded(name, tmp_path):
    card = dataset_card(name)
    assert "https://" in card.access
    assert "address" not in card.options
    with pytest.raises(
        NotAvailableError, match="is not downloaded: .*https://.*; then: brodmann data add"
    ) as caught:
        add_dataset(name)
    assert "\n" not in str(caught.value)
    assert not is_installed(name)
    with pytest.raises(
        NotAvailableError, match=r"is not installed: brodmann data add .* --from FOLDER \(.*https://"
    ):
        load_dataset(name)


def test_derivatives_without_an_address_say_where_they_are():
    with pytest.raises(NotAvailableError, match="get it from https://openneuro.org/datasets/ds002345"):
        add_dataset("narratives")


@pytest.mark.parametrize("name", PUBLISHED)
def test_another_folder_is_refused_with_the_layout_that_is_needed(name, tmp_path):
    if name == "allen-ecephys" and "nwb" not in RECORDING_FORMATS:
        pytest.skip("no format reads NWB")
    with pytest.raises(UserError, match=f"{tmp_path} is not laid out as '{name}' is: it has no "):
        add_dataset(name, tmp_path)
    with pytest.raises(UserError, match=f"no folder at {tmp_path}/nowhere"):
        add_dataset(name, tmp_path / "nowhere")


def test_a_link_out_of_the_folder_is_refused(tmp_path, test_signals):
    (tmp_path / "nsd").mkdir()
    for name in ("nsddata", "nsddata_betas"):
        (tmp_path / "nsd" / name).symlink_to(test_signals / "true-layouts" / "nsd" / name)
    with pytest.raises(UserError, match="is a link"):
        add_dataset("nsd", tmp_path / "nsd")


def test_an_option_that_a_set_has_not_is_refused(test_signals):
    with pytest.raises(UserError, match="unknown option of nsd '--window'"):
        add_dataset("nsd", test_signals / "true-layouts" / "nsd", options=ReadOptions(window="0,1"))
    with pytest.raises(UserError, match="installed whole: leave out the options"):
        add_dataset("tuckute2024", test_signals, options=ReadOptions(subject="1"))
    with pytest.raises(UserError, match="installed whole: leave out the options"):
        add_dataset("haxby2001", test_signals, options=ReadOptions(subject="1"))


def test_things_is_downloaded_as_one_archive_and_unpacked(test_signals, home, server, monkeypatch):
    held = io.BytesIO()
    source = test_signals / "true-layouts" / "things"
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in source.iterdir():
            archive.write(path, f"betas_csv/{path.name}")
    server.files["/43635873"] = held.getvalue()
    server.headers["/43635873"] = {"ETag": '"a-strong-tag"'}
    server.break_after = [3000]
    card = replace(ThingsFMRI.card, options={"address": f"{server.address}/{{name}}"})
    monkeypatch.setattr(ThingsFMRI, "card", card)
    with pytest.raises(UserError, match="say which by --region"):
        add_dataset("things-fmri")
    asked = len(server.ranges)
    add_dataset("things-fmri", options=ReadOptions(region="V1"))
    assert len(server.ranges) == asked  # what came before the region was said is still there
    assert "bytes=3000-" in server.ranges
    with h5py.File(source / "sub-01_ResponseData.h5") as file:
        expected = file["ResponseData/block0_values"][:8].T
    np.testing.assert_array_equal(load_dataset("things-fmri").responses.values, expected)
    assert list((home / "downloads").iterdir()) == []


def nsd_of_pictures(root, n_pictures=150):
    """Two sessions of betas that are what voxels make of the pictures' luminance, and noise of the same size."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 255, size=(n_pictures, 4, 4, 1)).repeat(3, axis=3).astype(np.uint8)
    pictures = coarse.repeat(8, axis=1).repeat(8, axis=2)
    ids = np.sort(rng.permutation(n_pictures * 2)[:n_pictures])
    stimuli = root / "nsddata_stimuli/stimuli/nsd"
    stimuli.mkdir(parents=True)
    with h5py.File(stimuli / "nsd_stimuli.hdf5", "w") as file:
        bricks = file.create_dataset("imgBrick", (n_pictures * 2, 32, 32, 3), np.uint8)
        bricks[ids] = pictures
    order = np.concatenate([rng.permutation(n_pictures) for _ in range(10)])
    names = rng.permutation(n_pictures)
    signal = (coarse[:, :, :, 0].reshape(n_pictures, 16) / 255 - 0.5) @ rng.normal(size=(16, 24))
    signal /= signal.std(axis=0)
    betas = signal[names[order]] + rng.normal(size=(1500, 24))
    folder = root / "nsddata_betas/ppdata/subj01/func1pt8mm/betas_fithrf_GLMdenoise_RR"
    folder.mkdir(parents=True)
    for session in (0, 1):
        values = betas[750 * session :][:750].reshape(750, 4, 3, 2)
        with h5py.File(folder / f"betas_session{session + 1:02d}.hdf5", "w") as file:
            file["betas"] = np.round(300 * values).astype(np.int16).transpose(0, 3, 2, 1)
    roi = root / "nsddata/ppdata/subj01/func1pt8mm/roi"
    roi.mkdir(parents=True)
    nibabel.save(nibabel.Nifti1Image(np.ones((4, 3, 2), np.int16), np.eye(4)), roi / "nsdgeneral.nii.gz")
    design = {
        "masterordering": order[None] + 1,
        "subjectim": np.tile(ids[names] + 1, (8, 1)),
        "sharedix": ids[None, :50] + 1,
    }
    (root / "nsddata/experiments/nsd").mkdir(parents=True)
    savemat(root / "nsddata/experiments/nsd/nsd_expdesign.mat", design)
    return root


def test_a_model_that_sees_what_the_voxels_saw_reaches_the_ceiling_of_nsd(tmp_path):
    """Were pictures, trials or indices shifted by one, nothing would be predicted."""
    done = run_brodmann(
        "data", "add", "nsd", "--from", nsd_of_pictures(tmp_path / "nsd"), "--subject", "subj01"
    )
    assert done.returncode == 0, done.stderr
    assert "stimuli     150" in done.stdout
    assert "nsdgeneral" in done.stdout
    result = brodmann.score("pixels", "nsd.nsdgeneral-ridge")
    assert 0.93 < float(result) < 1.07
    listed = run_brodmann("data", "info", "nsd").stdout
    assert "https://naturalscenesdataset.org" in listed
    assert "access" in listed


def test_the_benchmark_of_nsd_takes_the_pictures_and_the_part_that_was_added(test_signals, tmp_path):
    root = tmp_path / "nsd"
    copytree(test_signals / "true-layouts" / "nsd", root)
    for path in (root, *root.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    folder = root / "nsddata_stimuli" / "stimuli" / "nsd"
    folder.mkdir(parents=True)
    with h5py.File(folder / "nsd_stimuli.hdf5", "w") as file:
        bricks = file.create_dataset(
            "imgBrick", (73000, 8, 8, 3), np.uint8, chunks=(100, 8, 8, 3), compression=1
        )
        bricks[:] = np.random.default_rng(0).integers(0, 255, size=(73000, 8, 8, 3), dtype=np.uint8)
    add_dataset("nsd", root, options=ReadOptions(events="shared1000"))
    data = load_dataset("nsd")
    assert set(data.stimuli["shared1000"]) == {"yes"}
    assert len(data.stimuli.stimulus_paths) == len(data.stimuli)
    benchmark = brodmann.load_benchmark("nsd.nsdgeneral-ridge")
    assert benchmark.dataset.identifier == "nsd"
    assert nibabel.load(tmp_path / "home" / "data" / "nsd" / "mask.nii.gz").shape == (5, 4, 4)
