"""Runs of fMRI in which conditions are shown in blocks: one response pattern a condition and run."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ...bounded import require_for_nifti
from ...errors import UserError, first_line
from ...progress import track
from .beta_series import Sampling, design_matrix, fit_betas

Floats = npt.NDArray[np.float64]

DIM_VOXEL = 0.5


@dataclass(frozen=True)
class Run:
    """One run of one person.

    Attributes
    ----------
    bold : array of shape (x, y, z, n_volumes)
    events : DataFrame
        ``onset`` and ``duration`` in s, ``trial_type``.
    motion : array of shape (n_volumes, n_regressors) or None
        Motion estimates, regressed out.
    """

    bold: Floats
    events: pd.DataFrame
    motion: Floats | None = None


@dataclass(frozen=True)
class Patterns:
    """The response patterns of one person.

    Attributes
    ----------
    values : array of shape (n_runs, n_conditions, n_voxels)
        % signal change.
    positions : array of shape (n_voxels, 3)
        In mm.
    n_outside : int
        Voxels of the image outside the mask.
    n_constant : int
        Voxels of the mask that do not vary in some run.
    """

    values: Floats
    positions: Floats
    n_outside: int
    n_constant: int


def patterns(
    runs: Sequence[Run],
    mask: npt.NDArray[np.bool_],
    affine: Floats,
    *,
    conditions: Sequence[str],
    repetition_time: float,
) -> Patterns:
    """One response pattern a condition and run, by nilearn's first-level GLM of each run.

    y = X beta + e per voxel, where y is the % change from the voxel's mean over the run; X holds a boxcar per
    condition convolved with Glover's haemodynamic response, cosine drifts up to 1/128 Hz, the motion estimates
    and a constant; e is AR(1). The pattern of a condition is its beta.

    Parameters
    ----------
    runs : sequence of Run
        Every run shows every condition.
    mask : array of shape (x, y, z), bool
        The voxels to keep. Those that do not vary in some run are left out and counted.
    affine : array of shape (4, 4)
        From voxel indices to mm.
    conditions : sequence of str
        Trial types, in the order of the patterns.
    repetition_time : float
        Seconds from volume to volume.

    Raises
    ------
    UserError
        Where a run lacks a condition.
    """
    series = [run.bold[mask].T for run in runs]
    varies = np.all([(np.ptp(one, axis=0) > 0) & (one.mean(axis=0) > 0) for one in series], axis=0)
    values = [
        _betas(one[:, varies], run, conditions, repetition_time)
        for one, run in track(list(zip(series, runs, strict=True)), "first-level GLM of each run")
    ]
    indices = np.argwhere(mask)[varies]
    positions = indices @ affine[:3, :3].T + affine[:3, 3]
    return Patterns(np.array(values), positions, int((~mask).sum()), int((~varies).sum()))


def _betas(series: Floats, run: Run, conditions: Sequence[str], repetition_time: float) -> Floats:
    shown = set(run.events["trial_type"])
    absent = [name for name in conditions if name not in shown]
    if absent:
        raise UserError(f"a run shows no {absent[0]!r}: its events name {sorted(shown)}")
    motion = None if run.motion is None else pd.DataFrame(run.motion).add_prefix("motion")
    sampling = Sampling(np.arange(len(series)) * repetition_time, np.ones(len(series), dtype=bool), motion)
    return fit_betas(series, design_matrix(run.events, sampling, "glover"), conditions)


def bright_voxels(runs: Sequence[Run]) -> npt.NDArray[np.bool_]:
    """Where the mean over volumes is above half the median of the voxels with any signal, in every run."""
    return bright(np.array([run.bold.mean(axis=-1) for run in runs]))


def bright(means: Floats) -> npt.NDArray[np.bool_]:
    """As :func:`bright_voxels`, of the mean over volumes of each run, an array of shape (n_runs, x, y, z)."""
    overall = means.mean(axis=0)
    found: npt.NDArray[np.bool_] = means.min(axis=0) > DIM_VOXEL * np.median(overall[overall > 0])
    return found


def labeled_runs(bold: Floats, labels: pd.DataFrame, repetition_time: float) -> list[Run]:
    """The runs of a recording in which every volume has a label.

    Parameters
    ----------
    bold : array of shape (x, y, z, n_volumes)
    labels : DataFrame
        A row a volume: ``labels`` (a condition or ``rest``) and ``chunks`` (the run). Consecutive volumes of
        a condition are one event. A run that is all rest has lost its labels and is left out.
    repetition_time : float
        Seconds from volume to volume.
    """
    if len(labels) != bold.shape[-1]:
        raise UserError(f"there are {len(labels)} labels for {bold.shape[-1]} volumes")
    runs = []
    for chunk in sorted(set(labels["chunks"])):
        volumes = np.flatnonzero(labels["chunks"] == chunk)
        shown = labels["labels"].to_numpy(str)[volumes]
        starts = np.flatnonzero(np.r_[True, shown[1:] != shown[:-1]])
        lengths = np.diff(np.r_[starts, len(shown)])
        times = {"onset": starts * repetition_time, "duration": lengths * repetition_time}
        events = pd.DataFrame(times | {"trial_type": shown[starts]})
        events = events[events["trial_type"] != "rest"].reset_index(drop=True)
        if len(events):
            runs.append(Run(bold[..., volumes], events))
    return runs


def read_image(path: Path) -> tuple[Floats, Floats]:
    """A NIfTI image, and the affine from its voxel indices to mm.

    Raises
    ------
    UserError
        Where it is damaged, or memory would not hold it.
    """
    import nibabel
    from nibabel.filebasedimages import ImageFileError
    from nibabel.spatialimages import HeaderDataError

    require_for_nifti(path)
    try:
        image: Any = nibabel.load(path)
        return image.get_fdata(), image.affine
    except (OSError, EOFError, ValueError, TypeError, zlib.error, ImageFileError, HeaderDataError) as error:
        raise UserError(
            f"{path} is not a readable NIfTI image ({first_line(error)}): install the data set again"
        ) from error
