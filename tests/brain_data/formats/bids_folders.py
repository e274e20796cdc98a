"""BIDS folders in the layout of fMRIPrep whose betas are known."""

import json

import nibabel
import numpy as np
import pandas as pd
from nilearn.glm.first_level import make_first_level_design_matrix

TR, START, N_SAMPLES = 2.0, 0.98, 60
GRID = (4, 3, 2)
AFFINE = np.array([[-3.0, 0, 0, 30], [0, 3, 0, -40], [0, 0, 3, -20], [0, 0, 0, 1]])
SPACE = "space-MNI152NLin2009cAsym"
BRIGHTNESS = 1000.0


def events_of(run, n_stimuli=6, *, gap=8.0):
    """Each stimulus once, in another order in each run."""
    order = np.random.default_rng(run).permutation(n_stimuli)
    return pd.DataFrame(
        {
            "onset": 6.0 + gap * np.arange(n_stimuli),
            "duration": 1.5,
            "trial_type": ["animal" if i < n_stimuli / 2 else "tool" for i in order],
            "stim_file": [f"images/im{i}.png" for i in order],
        }
    )


def signal(events, amplitudes, *, start=START, n_samples=N_SAMPLES, seed=0, noise=1e-3):
    """BOLD of shape (n_samples, n_voxels) and the betas in %, which are those of `amplitudes` (trial, voxel)."""
    times = start + TR * np.arange(n_samples)
    names = [f"t{i:03d}" for i in range(len(events))]
    shown = events[["onset", "duration"]].assign(trial_type=names)
    design = make_first_level_design_matrix(times, shown, hrf_model="glover", drift_model=None)
    series = BRIGHTNESS + design[names].to_numpy() @ amplitudes
    series = series + noise * np.random.default_rng(seed).normal(size=series.shape)
    return series.astype(np.float32), 100 * amplitudes / series.mean(axis=0)


def save_volumes(path, series, affine=AFFINE, grid=GRID, tr=TR, unit="sec"):
    image = nibabel.Nifti1Image(np.ascontiguousarray(series.T).reshape(*grid, -1), affine)
    image.header.set_zooms((3, 3, 3, tr))
    image.header.set_xyzt_units("mm", unit)
    nibabel.save(image, path)


def save_confounds(path, n_samples=N_SAMPLES, *, dummies=1, seed=0):
    """Motion, tissues, one cosine and dummy scans, as fMRIPrep writes them."""
    generator = np.random.default_rng(seed)
    names = ["trans_x", "trans_y", "trans_z", "rot_x", "rot_y", "rot_z", "csf", "white_matter"]
    table = pd.DataFrame({name: generator.normal(size=n_samples) for name in names}).astype(object)
    table["csf_derivative1"] = ["n/a", *generator.normal(size=n_samples - 1)]
    table["cosine00"] = np.cos(np.pi * (np.arange(n_samples) + 0.5) / n_samples)
    for i in range(dummies):
        table[f"non_steady_state_outlier{i:02d}"] = (np.arange(n_samples) == i).astype(float)
    table.to_csv(path, sep="\t", index=False)
    path.with_suffix(".json").write_text("{}")


def write_root(folder):
    folder.mkdir(parents=True, exist_ok=True)
    described = {"Name": "tiny", "BIDSVersion": "1.9.0", "DatasetType": "raw", "License": "CC0"}
    (folder / "dataset_description.json").write_text(json.dumps(described))
    (folder / "task-view_bold.json").write_text(json.dumps({"RepetitionTime": TR, "TaskName": "view"}))
    inner = folder / "derivatives" / "fmriprep"
    inner.mkdir(parents=True, exist_ok=True)
    described |= {"DatasetType": "derivative", "GeneratedBy": [{"Name": "fMRIPrep", "Version": "23.2.0"}]}
    (inner / "dataset_description.json").write_text(json.dumps(described))
    return inner


def write_run(folder, subject, run, *, session=None, seed=None, mask=None, events=None, dummies=1):
    """One run of volumes with its mask, confounds and events; gives the betas (trial, voxel of the mask)."""
    inner = write_root(folder)
    where = f"sub-{subject}" + (f"/ses-{session}" if session else "") + "/func"
    name = f"sub-{subject}" + (f"_ses-{session}" if session else "") + f"_task-view_run-{run}"
    raw, func = folder / where, inner / where
    raw.mkdir(parents=True, exist_ok=True)
    func.mkdir(parents=True, exist_ok=True)
    events = events_of(run) if events is None else events
    events.to_csv(raw / f"{name}_events.tsv", sep="\t", index=False)
    generator = np.random.default_rng(100 * run + int(subject) if seed is None else seed)
    series, betas = signal(events, 10 * generator.normal(size=(len(events), int(np.prod(GRID)))))
    mask = np.arange(np.prod(GRID)).reshape(GRID) % 3 > 0 if mask is None else mask
    save_volumes(func / f"{name}_{SPACE}_desc-preproc_bold.nii.gz", series)
    sidecar = {"RepetitionTime": TR, "StartTime": START, "SliceTimingCorrected": True}
    (func / f"{name}_{SPACE}_desc-preproc_bold.json").write_text(json.dumps(sidecar))
    brain = nibabel.Nifti1Image(mask.astype(np.uint8), AFFINE)
    nibabel.save(brain, func / f"{name}_{SPACE}_desc-brain_mask.nii.gz")
    save_confounds(func / f"{name}_desc-confounds_timeseries.tsv", dummies=dummies, seed=run)
    return betas[:, mask.ravel()]
