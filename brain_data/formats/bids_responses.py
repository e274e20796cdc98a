"""The numbers of a BIDS recording: read a run at a time, kept on the disk, without neuroids that hold nothing."""

from collections import Counter
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from ...errors import UserError
from ..imported import Numbers
from .bids_images import Floats, Floats32, Volumes
from .bids_neuroids import Neuroids
from .bids_runs import Recording, Run
from .masked_volumes import WithMask, room
from .surface_samples import picked

_BLOCK_BYTES = 1 << 26


def empty_responses(shape: tuple[int, int]) -> Floats32:
    """Float32 numbers, all NaN, on the disk where they are many; gone with their last holder."""
    values: Floats32 = room(shape, np.dtype(np.float32))
    values.fill(np.nan)
    return values


def samples_of(run: Run, neuroids: Neuroids) -> Floats32:
    """The samples of a run in memory.

    Raises
    ------
    UserError
        Where a sample that is to be used holds no number at all.
    """
    series = run.image.series(neuroids.places[run.files.subject])
    empty = run.confounds.kept & np.array([not np.isfinite(sample).any() for sample in series])
    if empty.any():
        raise UserError(
            f"{run.image.path}: {int(empty.sum())} of {len(series)} samples hold no number (first: sample "
            f"{int(empty.argmax())})"
        )
    return series


def means_of(series: Floats32, kept: npt.NDArray[np.bool_]) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """The mean of each neuroid over the samples that are kept, and whether it holds numbers that vary."""
    means, varies = np.empty(series.shape[1]), np.empty(series.shape[1], dtype=bool)
    step = max(1, _BLOCK_BYTES // (8 * len(series)))
    for start in range(0, series.shape[1], step):
        block = series[kept, start : start + step].astype(np.float64)
        means[start : start + step] = block.mean(axis=0)
        varies[start : start + step] = np.ptp(block, axis=0) > 0  # not where there is a NaN
    return means, varies & np.isfinite(means)


def living(
    values: Floats32,
    dead: npt.NDArray[np.bool_],
    recording: Recording,
    neuroids: Neuroids,
    left_out: Counter[str],
) -> tuple[Numbers, pd.DataFrame, dict[str, Path]]:
    """The responses without the neuroids that are dead, their table, and the image of the voxels of one subject.

    Raises
    ------
    UserError
        Where none is left.
    """
    kept = np.flatnonzero(~dead)
    if not len(kept):
        raise UserError("no voxel or vertex varies in every run: is it the right --mask?")
    left_out["voxels or vertices that do not vary, or hold no number, in some run"] += int(dead.sum())
    table = neuroids.table.iloc[kept].reset_index(drop=True)
    numbers = picked(values, kept)
    run = recording.runs[0]
    if len(neuroids.places) > 1 or not isinstance(run.image, Volumes):
        return numbers, table, {}
    places = neuroids.places[run.files.subject][kept]
    voxels = np.array(np.unravel_index(places, run.image.grid.shape)).T
    held = WithMask(numbers, voxels, run.image.image)
    return held, table, {"mask": held.mask}
