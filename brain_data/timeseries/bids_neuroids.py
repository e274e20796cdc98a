"""What the neuroids of a BIDS recording are, subject by subject."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ...errors import UserError
from ..imported import ReadOptions
from .bids_runs import Recording
from .bold_images import Grayordinates, Vertices, Volumes, reading


def check_alike(recording: Recording) -> None:
    """Refuse a subject whose runs differ in what their neuroids are.

    Raises
    ------
    UserError
    """
    for runs in recording.by_subject.values():
        first = runs[0].image
        for run in runs[1:]:
            if type(run.image) is not type(first) or run.image.n_neuroids != first.n_neuroids:
                raise UserError(
                    f"{run.image.path.name} has {run.image.n_neuroids} vertices or voxels and {first.path.name} "
                    f"{first.n_neuroids}: all runs of a subject must have the same"
                )


def take_structures(recording: Recording, region: str | None) -> None:
    """Of CIFTI, keep the structure that was asked for.

    Raises
    ------
    UserError
        For one that is not there.
    """
    for run in recording.runs:
        if region is not None and isinstance(run.image, Grayordinates):
            run.image.take(region)


def neuroids_of(
    recording: Recording, options: ReadOptions
) -> tuple[pd.DataFrame, dict[str, slice], dict[str, Path]]:
    """A row a neuroid of every subject, the columns of each, and the meshes that were named.

    Raises
    ------
    UserError
        For a mesh that does not fit.
    """
    meshes = _meshes(options)
    tables, places, start = [], {}, 0
    for subject, runs in recording.by_subject.items():
        image = runs[0].image
        table = image.neuroids()
        if meshes:
            _add_positions(table, meshes)
        if isinstance(image, (Volumes, Vertices)) and options.region is not None:
            table["region"] = options.region
        table.insert(
            0, "neuroid_id", [f"sub-{subject}.{i:0{len(str(len(table)))}d}" for i in range(len(table))]
        )
        table.insert(1, "subject", f"sub-{subject}")
        places[subject] = slice(start, start + len(table))
        start += len(table)
        tables.append(table)
    found = pd.concat(tables, ignore_index=True)
    if "x" in found and found[list("xyz")].isna().any(axis=None):
        found = found.drop(columns=list("xyz"))
        recording.said.append(
            "positions: none, as vertices have one only on a mesh (--surface L=FILE,R=FILE)"
        )
    return found, places, meshes


def _meshes(options: ReadOptions) -> dict[str, Path]:
    meshes = {}
    for one in options.names("surface") or []:
        hemisphere, _, name = one.partition("=")
        if hemisphere not in ("L", "R") or not Path(name).is_file():
            raise UserError(f"--surface must be L=FILE,R=FILE with files that exist, not {one!r}")
        meshes[hemisphere] = Path(name)
    return meshes


def _add_positions(table: pd.DataFrame, meshes: Mapping[str, Path]) -> None:
    if "vertex" not in table:
        raise UserError("--surface is of vertices, and these are volumes: leave it out")
    if "x" not in table:
        table[list("xyz")] = np.nan
    for hemisphere, path in meshes.items():
        rows = ((table["hemisphere"] == hemisphere) & (table["vertex"] >= 0)).to_numpy()
        points = _points(path)
        if rows.any() and int(table["vertex"][rows].max()) >= len(points):
            raise UserError(
                f"{path} has {len(points)} vertices and the recording names vertex "
                f"{int(table['vertex'][rows].max())}: it is the mesh of another surface"
            )
        table.loc[rows, list("xyz")] = points[table["vertex"][rows].to_numpy()]


def _points(path: Path) -> Any:
    import nibabel

    with reading(path, "GIFTI mesh"):
        image: Any = nibabel.load(path)
        arrays = image.get_arrays_from_intent("NIFTI_INTENT_POINTSET")
        if len(arrays) != 1 or arrays[0].data.ndim != 2 or arrays[0].data.shape[1] != 3:
            raise ValueError("it holds no points")
        return np.asarray(arrays[0].data, dtype=np.float64)
