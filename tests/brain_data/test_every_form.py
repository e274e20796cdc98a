"""Every form in which laboratories keep recordings enters by one command, as a stranger would type it.

A row is: how its file comes about, the command's options, and what must be counted. The files are those in true
layouts, real ones, or written here in the layout.
"""

import json
import pickle
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import nibabel
import numpy as np
import pandas as pd
import pytest
import scipy.io
from PIL import Image
from typer.testing import CliRunner

from brodmann.bench.cli.main import app
from brodmann.brain_data import load_dataset
from brodmann.brain_data.formats.recording import RECORDING_FORMATS

SERIES = ("--series", "yes")


@dataclass(frozen=True)
class Places:
    """Where the stored files are, and where a test may write."""

    layouts: Path
    real: Path
    data: Path
    made: Path


@dataclass(frozen=True)
class Form:
    """One row: ``brodmann data add NAME --from PATH OPTIONS``."""

    path: Callable[[Places], Path]
    options: tuple[str, ...] = ()
    shape: tuple[int, ...] = ()
    n_stimuli: int = 0
    read_by: str = ""
    kind: str = "trials"
    holds: dict[str, Any] = field(default_factory=dict)
    needs: str = ""


def layout(name: str) -> Callable[[Places], Path]:
    return lambda at: at.layouts / name


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(11).normal(size=shape).astype(np.float32)


def atlas(at: Places) -> Path:
    """The betas, and beside them two regions by number with a table of names."""
    folder = at.made / "betas"
    shutil.copytree(at.layouts / "betas", folder, copy_function=shutil.copyfile)
    folder.chmod(0o755)
    mask = nibabel.load(folder / "mask.nii.gz")
    inside = np.asarray(mask.dataobj) != 0
    numbers = np.zeros(inside.shape, np.int16)
    numbers[inside] = np.where(np.arange(inside.sum()) < 20, 7, 9)
    (folder / "rois").mkdir()
    nibabel.save(nibabel.Nifti1Image(numbers, mask.affine), folder / "rois" / "visual.nii.gz")
    (folder / "rois" / "visual.tsv").write_text("index\tname\n7\tFFA\n9\tPPA\n")
    return folder


def glmsingle(at: Places) -> Path:
    """GLMsingle's file with the table of trials beside it."""
    folder = at.made / "glmsingle"
    folder.mkdir()
    shutil.copyfile(
        at.layouts / "glmsingle/TYPED_FITHRF_GLMDENOISE_RR.hdf5", folder / "TYPED_FITHRF_GLMDENOISE_RR.hdf5"
    )
    shutil.copyfile(at.layouts / "betas" / "trials.tsv", folder / "trials.tsv")
    return folder


def two_hemispheres(at: Places) -> Path:
    folder = at.made / "gifti"
    folder.mkdir()
    for side in "LR":
        name = f"sub-01_hemi-{side}_space-fsaverage5_bold.func.gii"
        shutil.copyfile(at.layouts / "sub-01_hemi-L_space-fsaverage5_bold.func.gii", folder / name)
        if side == "R":
            image = nibabel.load(folder / name)
            image.meta["AnatomicalStructurePrimary"] = "CortexRight"
            for array in image.darrays:
                array.meta["AnatomicalStructurePrimary"] = "CortexRight"
            nibabel.save(image, folder / name)
    return folder


def freesurfer(at: Places) -> Path:
    """``lh.betas_session01.mgz`` as NSD has it: a frame a trial."""
    folder = at.made / "fs"
    folder.mkdir()
    for side in ("lh", "rh"):
        frames = noise(40, 1, 1, 12)
        nibabel.save(nibabel.MGHImage(frames, np.eye(4)), folder / f"{side}.betas.mgz")
    pd.DataFrame({"stimulus_id": [f"i{k % 4}" for k in range(12)]}).to_csv(
        folder / "trials.tsv", sep="\t", index=False
    )
    return folder


def phy(at: Places) -> Path:
    """Kilosort's folder with a table of onsets beside the spikes."""
    folder = at.made / "phy"
    shutil.copytree(at.layouts / "phy", folder, copy_function=shutil.copyfile)
    folder.chmod(0o755)
    onsets = pd.DataFrame(
        {"onset": 1 + 0.3 * np.arange(160), "stimulus_id": [f"p{k % 20}" for k in range(160)]}
    )
    onsets.to_csv(folder / "trials.csv", index=False)
    return folder


def eeg2(at: Places) -> Path:
    folder = at.made / "eeg" / "sub-01"
    folder.mkdir(parents=True)
    times = np.round(np.linspace(-0.2, 0.79, 100), 2)
    for name, shape in (("training", (10, 4, 17, 100)), ("test", (3, 80, 17, 100))):
        held = {
            "preprocessed_eeg_data": noise(*shape),
            "ch_names": [f"C{k}" for k in range(17)],
            "times": times,
        }
        (folder / f"preprocessed_eeg_{name}.npy").write_bytes(pickle.dumps(held, protocol=4))
    return folder.parent


def textgrid(path: Path, n: int) -> None:
    rows = "".join(f'{k}\n{k + 0.5}\n"w{k}"\n' for k in range(n))
    path.write_text(
        f'"ooTextFile"\n"TextGrid"\n0\n{n}\n<exists>\n1\n"IntervalTier"\n"word"\n0\n{n}\n{n}\n{rows}'
    )


def lebel(at: Places) -> Path:
    """The true file of one story, its words and its length."""
    root = at.made / "ds003020" / "derivative"
    (root / "preprocessed_data" / "UTS03").mkdir(parents=True)
    (root / "TextGrids").mkdir()
    shutil.copyfile(
        at.layouts / "wheretheressmoke.hf5", root / "preprocessed_data" / "UTS03" / "wheretheressmoke.hf5"
    )
    textgrid(root / "TextGrids" / "wheretheressmoke.TextGrid", 595)
    (root / "respdict.json").write_text('{"wheretheressmoke": 311}')
    return root.parent


def algonauts2023(at: Places) -> Path:
    folder = at.made / "subj01" / "training_split"
    (folder / "training_fmri").mkdir(parents=True)
    (folder / "training_images").mkdir()
    masks = folder.parent / "roi_masks"
    masks.mkdir()
    np.save(masks / "mapping_streams.npy", np.array({0: "Unknown", 1: "early"}, object))
    for side, n in (("lh", 7), ("rh", 6)):
        np.save(folder / "training_fmri" / f"{side}_training_fmri.npy", noise(9, n))
        np.save(masks / f"{side}.streams_challenge_space.npy", np.arange(n) % 2)
    for k in range(1, 10):
        picture = np.random.default_rng(k).integers(0, 255, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(picture).save(folder / "training_images" / f"train-{k:04d}_nsd-{k * 7:05d}.png")
    return folder.parent


def told(at: Places, words: str) -> Path:
    """Time courses of two people, and the words that they heard."""
    folder = at.made / "told"
    folder.mkdir()
    for subject in ("s1", "s2"):
        np.savetxt(folder / f"{subject}-bold.txt", np.random.default_rng(len(subject)).normal(size=(30, 2)))
    (folder / "dataset.toml").write_text(
        f'kind = "series"\nmodality = "language"\ntr = 2.0\n[words]\nfile = "{words}"\n[runs.one]\n'
        'responses = "*-bold.txt"\ncolumns = ["A", "B"]\nfirst_sample = 4.0\n'
    )
    return folder


def by_textgrid(at: Places) -> Path:
    folder = told(at, "*.TextGrid")
    textgrid(folder / "one.TextGrid", 50)
    return folder


def by_word_table(at: Places) -> Path:
    folder = told(at, "words.csv")
    words = pd.DataFrame({"story": "one", "word": [f"w{k}" for k in range(50)], "onset": np.arange(50.0)})
    words.assign(offset=words["onset"] + 0.4).to_csv(folder / "words.csv", index=False)
    return folder


def alice(at: Places) -> Path:
    """The published recording, its files as they are and a description beside them."""
    source, folder = at.data / "brennan2016-alice", at.made / "alice"
    shutil.copytree(source / "data" / "6mm", folder / "6mm", copy_function=shutil.copyfile)
    for file in [*(source / "data").glob("*-rp_*.txt"), *(source / "stim").glob("*.TextGrid")]:
        shutil.copyfile(file, folder / file.name)
    (folder / "dataset.toml").write_text(
        'kind = "series"\nmodality = "language"\ntr = 2.0\n[words]\nfile = "*.TextGrid"\n[runs.chapter1]\n'
        'responses = "6mm/*-timecourses.txt"\ncolumns = ["LATL", "RATL", "LPTL", "LIPL", "LPreM", "LIFG"]\n'
        'first_sample = 20.0\nconfounds = "*-rp_*.txt"\nskip_confounds = 10\n'
    )
    return folder


def narratives(at: Places) -> Path:
    """Two people who heard one story, on fsaverage6, and the times of its words."""
    root = at.made / "ds002345"
    for number, subject in enumerate(("sub-001", "sub-002")):
        stem = f"{subject}/func/{subject}_task-pieman_"
        for side in "LR":
            path = root / f"derivatives/afni-nosmooth/{stem}space-fsaverage6_hemi-{side}_desc-clean.func.gii"
            path.parent.mkdir(parents=True, exist_ok=True)
            rows = noise(40, 4) + number
            arrays = [nibabel.gifti.GiftiDataArray(row) for row in rows]
            nibabel.save(nibabel.GiftiImage(darrays=arrays), path)
        events = root / f"{stem}events.tsv"
        events.parent.mkdir(parents=True)
        events.write_text("onset\tduration\ttrial_type\tstim_file\n15.0\t30.0\tstory\tpieman_audio.wav\n")
    words = [{"word": f"w{k}", "start": 0.5 + k, "end": 0.9 + k} for k in range(20)]
    path = root / "stimuli" / "gentle" / "pieman" / "align.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"words": [one | {"case": "success"} for one in words]}))
    return root


def hdf5(at: Places) -> Path:
    path = at.made / "study.h5"
    with h5py.File(path, "w") as file:
        file["group/responses"] = noise(24, 9)
        file["group/image"] = [f"im{k % 6}" for k in range(24)]
    return path


def matlab5(at: Places) -> Path:
    folder = at.made / "mat"
    folder.mkdir()
    scipy.io.savemat(
        folder / "responses.mat", {"responses": noise(12, 5).astype(float), "stimulus_id": np.arange(12)}
    )
    pd.DataFrame({"stimulus_id": range(12), "sentence": [f"Text {k}." for k in range(12)]}).to_csv(
        folder / "stimuli.csv", index=False
    )
    return folder


def bids_betas(at: Places) -> Path:
    done = CliRunner().invoke(
        app,
        [
            "data",
            "convert",
            str(at.layouts / "betas"),
            "--to",
            str(at.made / "derivative"),
            "--as",
            "bids-betas",
        ],
    )
    assert done.exit_code == 0, done.output
    return at.made / "derivative"


FORMS = {
    "BIDS and fMRIPrep, betas": Form(
        layout("bids"), ("--task", "view"), (32, 64), 8, "bids", holds={"n_runs": 2}
    ),
    "BIDS and fMRIPrep, in time": Form(
        layout("bids"), (*SERIES, "--subject", "01"), (110, 32), 16, "bids", "series", {"tr": 2.0}
    ),
    "betas in BIDS": Form(bids_betas, (), (40, 32), 10, "bids-betas"),
    "betas and mask": Form(layout("betas"), (), (40, 32), 10, "nifti", holds={"repetitions": [4, 4], "n_runs": 4}),
    "a real volume in time": Form(
        lambda at: at.real / "nibabel-functional" / "functional.nii", SERIES, (20, 1071), 1, "nifti", "series"
    ),
    "atlas": Form(
        atlas, ("--atlas", "rois/visual.nii.gz"), (40, 32), 10, "nifti", holds={"regions": {"FFA": 20, "PPA": 12}}
    ),
    "GLMsingle": Form(glmsingle, (), (40, 144), 10, "glmsingle"),
    "NSD": Form(
        layout("nsd"), ("--subject", "subj01", "--region", "nsdgeneral"), (1500, 80), 1394, "nsd",
        holds={"repetitions": [1, 3], "n_sessions": 2},
    ),
    "CIFTI": Form(
        layout("sub-01_task-movie_bold.dtseries.nii"), SERIES, (30, 64), 1, "cifti", "series", {"tr": 0.72}
    ),
    "GIFTI": Form(two_hemispheres, (*SERIES, "--tr", "2"), (30, 128), 1, "gifti", "series"),
    "FreeSurfer": Form(freesurfer, (), (12, 80), 4, "freesurfer"),
    "NWB": Form(layout("tiny.nwb"), ("--events", "trials"), (160, 10), 20, "nwb", needs="pynwb"),
    "NWB of the Allen institute": Form(
        layout("tiny.nwb"), ("--events", "natural_scenes_presentations", "--bins", "0,200,50"), (160, 10, 4), 20,
        "nwb", needs="pynwb",
    ),
    "Kilosort and Phy": Form(phy, ("--events", "trials.csv"), (160, 9), 20, "phy"),
    "MNE": Form(layout("tiny-epo.fif"), ("--window", "70,170"), (160, 8), 20, "mne", needs="mne"),
    "MNE, in time bins": Form(
        layout("tiny-epo.fif"), ("--bins", "-100,500,20"), (160, 8, 30), 20, "mne",
        holds={"time_bins": {"n": 30, "from_ms": -100.0, "to_ms": 500.0}}, needs="mne",
    ),
    "MATLAB 7.3": Form(layout("v73.mat"), (), (40, 16), 10, "matlab"),
    "MATLAB 5": Form(matlab5, (), (12, 5), 12, ""),
    "HDF5": Form(
        hdf5, ("--array", "/group/responses", "--stimulus-column", "/group/image"), (24, 9), 6, "hdf5"
    ),
    "THINGS-fMRI": Form(layout("things"), ("--region", "V1"), (20, 8), 20, "things-fmri"),
    "THINGS-EEG2": Form(eeg2, ("--pickles", "plain"), (280, 17, 100), 13, "things-eeg2"),
    "LeBel 2023": Form(lebel, ("--subject", "UTS03"), (291, 12), 595, "lebel2023", "series", {"tr": 2.0}),
    "Algonauts 2023": Form(algonauts2023, ("--region", "all"), (9, 13), 9, "algonauts2023", holds={"n_pictures": 9}),
    "Algonauts 2025": Form(layout("algonauts2025"), (), (120, 1000), 2, "algonauts2025", "series", {"tr": 1.49}),
    "Narratives": Form(narratives, ("--task", "pieman"), (40, 16), 20, "narratives", "series", {"tr": 1.5}),
    "TextGrid": Form(by_textgrid, (), (30, 4), 50, "series-folder", "series"),
    "Alice, as published": Form(
        alice, (), (362, 162), 2127, "series-folder", "series",
        {"left_out": {"subjects whose time courses never vary (s33)": 1}},
    ),
    "word table": Form(by_word_table, (), (30, 4), 50, "series-folder", "series"),
    "arrays by name": Form(lambda at: at.data / "objects81-fmri", (), (81, 696), 81, "arrays"),
}  # fmt: skip


@pytest.fixture
def places(test_signals: Path, test_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Places:
    monkeypatch.setenv("BRODMANN_HOME", str(tmp_path / "home"))
    (tmp_path / "made").mkdir()
    return Places(test_signals / "true-layouts", test_signals / "realdata", test_data, tmp_path / "made")


@pytest.mark.parametrize("name", FORMS)
def test_a_form_enters_by_one_command(name: str, places: Places) -> None:
    form = FORMS[name]
    if form.needs:
        pytest.importorskip(form.needs)
    path = form.path(places)
    if form.read_by:
        assert [one.name for one in RECORDING_FORMATS.values() if one.recognizes(path)] == [form.read_by]
    run = CliRunner()
    checked = run.invoke(app, ["data", "check", str(path), *form.options, "--json"])
    assert checked.exit_code == 0, checked.exception or checked.output
    said = json.loads(checked.stdout)
    if form.read_by:
        assert (said["format"], said["kind"]) == (form.read_by, form.kind)
        assert tuple(said["shape"]) == form.shape
        assert said["said"]
        assert {key: said[key] for key in form.holds} == form.holds
    assert not (places.made.parent / "home" / "data").exists()
    added = run.invoke(app, ["data", "add", "one", "--from", str(path), *form.options, "--json"])
    assert added.exit_code == 0, added.exception or added.output
    data = load_dataset("one")
    assert data.responses is not None
    assert (data.responses.shape, data.kind, len(data.stimuli)) == (form.shape, form.kind, form.n_stimuli)
    assert np.isfinite(data.responses.values).all() or form.kind == "series"
    told = run.invoke(app, ["data", "check", str(path), *form.options])
    assert told.exit_code == 0


def test_what_cannot_be_known_is_asked_for_in_one_line(places: Places) -> None:
    """Of the stored files, those that need a word more name the option."""
    asked = {
        ("glmsingle",): "--events",
        ("sub-01_task-movie_bold.dtseries.nii",): "--series yes",
        ("sub-01_hemi-L_space-fsaverage5_bold.func.gii", *SERIES): "--tr",
        ("phy",): "--events",
        ("things",): "--region",
        ("wheretheressmoke.hf5",): "--series yes",
    }
    for (name, *options), word in asked.items():
        done = CliRunner().invoke(app, ["data", "check", str(places.layouts / name), *options])
        assert done.exception is not None, name
        assert word in str(done.exception), name
        assert "\n" not in str(done.exception), name
