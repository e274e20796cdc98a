"""CIFTI-2: vertices of both hemispheres and voxels below in one file (``dtseries``, ``dscalar``, ``ptseries``)."""

import warnings
from collections.abc import Iterable
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ....bounded import require_for
from ....errors import UserError, first_line
from ...imported import Computed, Numbers, ReadOptions
from .meshes import Mesh
from .samples import (
    Sampled,
    chosen_files,
    entities_of,
    regions_of,
    run_of,
    surfaces_of,
    vertex_neuroids,
)

_SIDES = {"CIFTI_STRUCTURE_CORTEX_LEFT": "L", "CIFTI_STRUCTURE_CORTEX_RIGHT": "R"}
_MOST_WORDS = 1 << 28
MAGIC = b"n+2\0\r\n\x1a\n"


def sampled(path: Path, options: ReadOptions) -> Sampled:
    """Maps or samples in time, and what the file says of them."""
    from nibabel.cifti2.cifti2_axes import ParcelsAxis, ScalarAxis, SeriesAxis

    chosen_files([path], options, path)
    image, rows, columns = open_cifti(path)
    entities = entities_of(path.name)
    subject = entities.get("sub", "")
    if isinstance(columns, ParcelsAxis):
        names = [str(name) for name in columns.name]
        neuroids = pd.DataFrame({"neuroid_id": names, "region": names})
        if subject:
            neuroids["subject"] = subject
        said = [f"{len(names)} parcels, a region each"]
        surfaces: dict[str, Path] = {}
    else:
        neuroids, said, surfaces = grayordinates(columns, options, subject)
    tr = _tr(rows, path) if isinstance(rows, SeriesAxis) else None
    start = float(rows.start) if tr is not None else 0.0
    return Sampled(
        path,
        {run_of(path.name): image.shape[0]},
        read_rows(image, path),
        neuroids,
        "map" if isinstance(rows, ScalarAxis) else "sample",
        tr=tr,
        start=start,
        names=_names(rows.name) if isinstance(rows, ScalarAxis) else (),
        about={"space": entities["space"]} if "space" in entities else {},
        surfaces=surfaces,
        said=said,
    )


def cortex_maps(path: Path, options: ReadOptions) -> tuple[list[str], Numbers, pd.DataFrame, dict[str, int]]:
    """Names of the rows, the rows, their grayordinates, and the vertices of each hemisphere's whole surface."""
    from nibabel.cifti2.cifti2_axes import ParcelsAxis, ScalarAxis

    image, rows, columns = open_cifti(path)
    if isinstance(columns, ParcelsAxis):
        raise UserError(f"{path} holds parcels: they lie on no mesh")
    table, _, _ = grayordinates(columns, options, "")
    names = _names(rows.name) if isinstance(rows, ScalarAxis) else []
    whole = {side: int(columns.nvertices[name]) for name, side in _SIDES.items() if name in columns.nvertices}
    return (
        names or [f"{path.name.split('.')[0]}-{i}" for i in range(len(rows))],
        read_rows(image, path),
        table,
        whole,
    )


def open_cifti(path: Path) -> tuple[Any, Any, Any]:
    """The image and its two axes, of rows and of columns.

    Raises
    ------
    UserError
        For a file that is none, or damaged.
    """
    import nibabel
    from nibabel.cifti2.cifti2_axes import BrainModelAxis, ParcelsAxis, ScalarAxis, SeriesAxis

    _check_size(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image: Any = nibabel.load(path)
            if not isinstance(image, nibabel.Cifti2Image):
                raise UserError(f"{path} is a NIfTI file without CIFTI's description of its rows")
            header: Any = image.header
            rows, columns = header.get_axis(0), header.get_axis(1)
    except UserError:
        raise
    except Exception as error:  # what nibabel raises for files that are damaged is of every kind
        raise UserError(f"{path} cannot be read as CIFTI: {first_line(error)}") from error
    if not isinstance(rows, SeriesAxis | ScalarAxis) or not isinstance(columns, BrainModelAxis | ParcelsAxis):
        kinds = f"{type(rows).__name__} x {type(columns).__name__}"
        raise UserError(f"{path} holds {kinds}: maps or samples in time of grayordinates or parcels are read")
    if (len(rows), len(columns)) != tuple(image.shape):
        raise UserError(
            f"{path} is damaged: its description is of {len(rows)} x {len(columns)} numbers, and it holds {image.shape}"
        )
    return image, rows, columns


def _check_size(path: Path) -> None:
    """Raise a UserError where the file is shorter than its header says, or its description is too long to read."""
    with path.open("rb") as stream:
        raw = stream.read(540)
    if len(raw) < 540 or raw[4:12] != MAGIC:
        raise UserError(f"{path} is no CIFTI-2 file, or cut off")
    order = "<" if int.from_bytes(raw[:4], "little") == 540 else ">"
    bits = int(np.frombuffer(raw[14:16], f"{order}i2")[0])
    sizes = np.frombuffer(raw[16:80], f"{order}i8")
    offset = int(np.frombuffer(raw[168:176], f"{order}i8")[0])
    n_axes = int(sizes[0])
    if not 1 <= n_axes <= 7 or sizes[1 : 1 + n_axes].min() < 1 or bits < 8 or offset < 540:
        raise UserError(f"{path} is damaged: its header names sizes {sizes[1:].tolist()} at byte {offset}")
    needed, size = offset + prod(int(one) for one in sizes[1 : 1 + n_axes]) * bits // 8, path.stat().st_size
    if needed > size:
        raise UserError(f"{path} is cut off: by its header it has {needed} bytes, and it holds {size}")
    if offset > _MOST_WORDS:
        raise UserError(f"{path} is damaged: its description takes {offset} bytes")
    require_for(path, 8 * offset)


def read_rows(image: Any, path: Path) -> Numbers:
    """(rows, grayordinates), a block read when it is asked for."""

    def get(rows: slice, neuroids: slice) -> npt.NDArray[Any]:
        try:
            block = np.asarray(image.dataobj[rows, neuroids], np.float32)
        except (OSError, ValueError) as error:
            raise UserError(f"{path} cannot be read: {first_line(error)}") from error
        return block

    return Computed(tuple(image.shape), get)


def grayordinates(
    columns: Any, options: ReadOptions, subject: str
) -> tuple[pd.DataFrame, list[str], dict[str, Path]]:
    """A row a vertex or voxel, in the order of the file; what was found; the meshes."""
    names = np.asarray(columns.name, dtype=str)
    sides = [side for name, side in _SIDES.items() if (names == name).any()]
    counts = {side: int(columns.nvertices[name]) for name, side in _SIDES.items() if side in sides}
    paths, meshes = surfaces_of(options, sides) if sides or options.surface else ({}, {})
    regions = regions_of(options, counts)
    voxels = np.asarray(columns.voxel)
    parts, said = [], []
    for name, chosen, part in columns.iter_structures():
        side, rows = _SIDES.get(str(name)), np.arange(len(columns))[chosen]
        if side is not None:
            here = _vertices(part, counts[side], side)
            found = vertex_neuroids(
                {side: counts[side]}, _of(meshes, side), regions, vertices={side: here}, region=_plain(name)
            )
            said.append(
                f"{len(here)} of {counts[side]} vertices of {side} (the medial wall is left out of the file)"
            )
        else:
            found = _voxels(str(name), voxels[rows], columns.affine)
            said.append(f"{len(rows)} voxels of {_plain(name)}")
        parts.append(found.set_index(rows))
    table = pd.concat(parts).sort_index().reset_index(drop=True)
    if len(table) != len(columns) or table["neuroid_id"].duplicated().any():
        raise UserError("the file is damaged: its structures do not name every column once")
    if subject:
        table["subject"] = subject
    if sides and not meshes:
        said.append("no positions of vertices: name the meshes by --surface L=FILE,R=FILE")
    return table, said, paths


def _of(meshes: dict[str, Mesh], side: str) -> dict[str, Mesh]:
    return {side: meshes[side]} if side in meshes else {}


def _vertices(part: Any, n_vertices: int, side: str) -> npt.NDArray[np.intp]:
    here = np.asarray(part.vertex, np.intp)
    if len(here) and (here.min() < 0 or here.max() >= n_vertices):
        raise UserError(
            f"the file is damaged: it names vertex {here.max()} of {side}, which has {n_vertices}"
        )
    return here


def _voxels(name: str, places: npt.NDArray[Any], affine: Any) -> pd.DataFrame:
    table = pd.DataFrame({"neuroid_id": [f"{_plain(name)}-{i}-{j}-{k}" for i, j, k in places.tolist()]})
    table["hemisphere"], table["vertex"], table["region"] = "", -1, _plain(name)
    if affine is not None:
        table[["x", "y", "z"]] = places @ np.asarray(affine)[:3, :3].T + np.asarray(affine)[:3, 3]
    return table


def _plain(name: Any) -> str:
    """``CIFTI_STRUCTURE_THALAMUS_LEFT`` as ``thalamus_left``."""
    return str(name).removeprefix("CIFTI_STRUCTURE_").lower()


def _names(names: Iterable[Any]) -> list[str]:
    """The names of maps, where each has one of its own."""
    known = [str(one).strip() for one in names]
    return known if all(known) and len(set(known)) == len(known) else []


def _tr(axis: Any, path: Path) -> float | None:
    """Seconds from sample to sample."""
    if str(axis.unit).upper() != "SECOND":
        raise UserError(f"{path} is a series over {str(axis.unit).lower()}, not over seconds")
    return float(axis.step) if np.isfinite(axis.step) and axis.step > 0 else None
