"""What the neuroids of a BIDS recording are, subject by subject: voxels of a mask, vertices, grayordinates."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ....errors import UserError, unknown
from ...imported import ReadOptions
from ...timeseries.block_patterns import bright
from ..surfaces.cifti import grayordinates
from ..surfaces.meshes import by_hemisphere
from ..surfaces.samples import regions_of as regions_of_vertices
from ..surfaces.samples import surfaces_of, vertex_neuroids
from ..volumes.atlases import regions_of
from ..volumes.images import check_grid, inside_of, open_image
from ..volumes.voxels import RESAMPLE, VOXEL_COLUMNS, voxels_of_mask
from .files import BoldFiles, checked, parsed
from .images import Grayordinates, Places, Vertices, Volumes
from .runs import Recording, Run


@dataclass(frozen=True)
class Neuroids:
    """Of all subjects.

    Attributes
    ----------
    table : DataFrame
        A row a neuroid.
    places : dict of str to array
        Subject -> the places of its images that are its neuroids.
    columns : dict of str to slice
        Subject -> its rows of `table`.
    surfaces : dict of str to Path
        The meshes that were named.
    """

    table: pd.DataFrame
    places: dict[str, Places]
    columns: dict[str, slice]
    surfaces: dict[str, Path]


def neuroids_of(recording: Recording, options: ReadOptions, left_out: Counter[str]) -> Neuroids:
    """The neuroids that the options ask for.

    Raises
    ------
    UserError
        For runs of one subject that differ, and for masks, atlases and meshes that do not fit.
    """
    tables, places, columns, start = [], {}, {}, 0
    surfaces = by_hemisphere(options.surface, "surface")
    for subject, runs in recording.by_subject.items():
        _check_alike(runs)
        table, places[subject] = _of_subject(subject, runs, recording, options, left_out)
        table["neuroid_id"] = f"sub-{subject}." + table["neuroid_id"]
        table["subject"] = f"sub-{subject}"
        columns[subject] = slice(start, start + len(table))
        start += len(table)
        tables.append(table)
    found = pd.concat(tables, ignore_index=True)
    if "x" in found and found[list("xyz")].isna().any(axis=None):
        found = found.drop(columns=list("xyz"))
    if "x" not in found:
        recording.said.append("positions: none; vertices have one on a mesh (--surface L=FILE,R=FILE)")
    return Neuroids(found, places, columns, surfaces)


def _check_alike(runs: Sequence[Run]) -> None:
    first = runs[0].image
    for run in runs[1:]:
        if isinstance(run.image, Volumes) and isinstance(first, Volumes):
            run.image.check_like(first)
        elif type(run.image) is not type(first) or run.image.shape[1] != first.shape[1]:
            raise UserError(
                f"{run.image.path.name} has {run.image.shape[1]} vertices or voxels and {first.path.name} "
                f"{first.shape[1]}: all runs of a subject must have the same"
            )


def _of_subject(
    subject: str, runs: Sequence[Run], recording: Recording, options: ReadOptions, left_out: Counter[str]
) -> tuple[pd.DataFrame, Places]:
    image = runs[0].image
    if isinstance(image, Volumes):
        if options.surface is not None:
            raise UserError("--surface is of vertices, and these are volumes: leave it out")
        return _voxels(subject, runs, recording, options, left_out)
    for option in ("mask", "labels", "resample"):
        if getattr(options, option) is not None:
            raise UserError(f"--{option} is of volumes, and these are surfaces: leave it out")
    if isinstance(image, Vertices):
        _, meshes = surfaces_of(options, list(image.counts))
        regions = regions_of_vertices(options, image.counts)
        table = vertex_neuroids(image.counts, meshes, regions, region=options.region or "cortex")
        return _in_region(table, options if regions else None)
    if isinstance(image, Grayordinates):
        table, said, _ = grayordinates(image.brain, options, "")
        recording.said.extend(line for line in said if line not in recording.said)
        return _in_region(table, options)
    raise AssertionError(f"{type(image).__name__} is no kind of BOLD")


def _in_region(table: pd.DataFrame, options: ReadOptions | None) -> tuple[pd.DataFrame, Places]:
    """The rows of the regions that were asked for, and their places."""
    wanted = None if options is None else options.names("region")
    if wanted is None:
        return table, np.arange(len(table))
    there = set(table["region"])
    for name in wanted:
        if name not in there:
            raise unknown("region of the recording", name, there)
    places = np.flatnonzero(table["region"].isin(wanted))
    return table.iloc[places].reset_index(drop=True), places


def _voxels(
    subject: str, runs: Sequence[Run], recording: Recording, options: ReadOptions, left_out: Counter[str]
) -> tuple[pd.DataFrame, Places]:
    """The voxels of the mask, in C order, with their regions; of several atlases those inside the first."""
    images = [run.image for run in runs if isinstance(run.image, Volumes)]
    voxels = _masked(images, runs, recording, options)
    if not len(voxels):
        raise UserError(f"no voxel of sub-{subject} is in the brain of every run: name a mask by --mask FILE")
    grid = images[0].grid
    found = regions_of(options, voxels, grid, images[0].path.name, recording.raw)
    voxels = voxels[found.inside]
    table = pd.DataFrame({"neuroid_id": ["-".join(map(str, one)) for one in voxels.tolist()]})
    table[list("xyz")] = grid.places(voxels)
    table[list(VOXEL_COLUMNS)] = voxels
    regions = found.columns[found.inside].reset_index(drop=True)
    table = pd.concat([table, regions.drop(columns=[one for one in table if one in regions])], axis=1)
    left_out.update(found.left_out)
    recording.said.extend(line for line in found.said if line not in recording.said)
    return table, np.ravel_multi_index(tuple(voxels.T), grid.shape).astype(np.intp)


def _masked(
    images: Sequence[Volumes], runs: Sequence[Run], recording: Recording, options: ReadOptions
) -> Places:
    """The voxels (n, 3) of a file; or of the brain, by the pipeline or where raw BOLD is bright, in every run."""
    image = images[0].image
    if options.mask not in (None, "brain"):
        path = Path(str(options.mask)).expanduser()
        if not path.is_file():
            raise UserError(
                f"--mask {options.mask}: there is no such file ('brain' takes the recording's own)"
            )
        mask = open_image(path)
        if options.resample is None:
            check_grid(mask, image.grid, image.path.name, remedy=RESAMPLE)
        voxels, said = voxels_of_mask(mask, image, options)
        recording.said.extend(line for line in said if line not in recording.said)
        return voxels
    how = "above half the median brightness" if recording.is_raw else "in the pipeline's mask"
    line = f"voxels: the brain ({how}, in every run); others by --mask FILE"
    if line not in recording.said:
        recording.said.append(line)
    if recording.is_raw:
        return np.argwhere(bright(np.array([one.mean() for one in images])))
    inside = np.ones(image.grid.shape, dtype=bool)
    for run in runs:
        brain = open_image(_brain(run.files))
        check_grid(brain, image.grid, image.path.name)
        inside &= inside_of(brain)
    return np.argwhere(inside)


def _brain(files: BoldFiles) -> Path:
    image = files.first
    own = {key: value for key, value in image.entities.items() if key != "desc"}
    for path in sorted(image.path.parent.glob("*_desc-brain_mask.nii*")):
        one = parsed(path)
        if one is None or one.space != image.space:
            continue
        if {key: value for key, value in one.entities.items() if key != "desc"}.items() <= own.items():
            return checked(path, files.root)
    raise UserError(
        f"there is no mask beside {image.path} (..._desc-brain_mask.nii.gz): name one by --mask FILE"
    )
