"""Maps of cortex without trials (thickness, T1w/T2w, gradients, scores): one number a vertex of a mesh."""

import gzip
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ....bounded import require_for
from ....errors import UserError, first_line
from .freesurfer_files import is_curvature, read_curvature
from .gifti_arrays import column_of, is_gifti, open_gifti, side_inside
from .meshes import HEMISPHERES, side_of

Floats = npt.NDArray[np.float64]
SurfaceMap = dict[str, Floats]
"""Hemisphere -> a number for every vertex of its mesh, NaN where there is none."""
_MOST_MAPS = 64
_ENDINGS = (".csv", ".txt", ".tsv", ".npy", ".mgz", ".mgh", ".gii", ".shape", ".func", ".nii", ".dscalar")
_MISSING = {"", "NA", "n/a", "nan", "NaN", "None"}


def read_surface_maps(path: Path, counts: Mapping[str, int]) -> tuple[dict[str, SurfaceMap], list[str]]:
    """The maps of a file, by name, and what was assumed of them.

    GIFTI (``.shape.gii``, ``.func.gii``), FreeSurfer (``lh.thickness``, ``.mgz``), CIFTI (``.dscalar.nii``), ``.npy``,
    or a text file with a number a line (``.csv``, ``.txt``, packed or not).

    Parameters
    ----------
    path : Path
    counts : mapping of str to int
        Hemisphere -> vertices of its mesh.

    Raises
    ------
    UserError
        For a file that is none, or has numbers for other meshes.
    """
    if not path.is_file():
        raise UserError(f"there is no file {path}")
    stem = map_name(path)
    if path.name.endswith((".dscalar.nii", ".dtseries.nii")):
        return _of_cifti(path, counts)
    columns = _columns(path, stem, 2 * sum(counts.values()))
    if len(columns) > _MOST_MAPS:
        raise UserError(f"{path} holds {len(columns)} maps: {_MOST_MAPS} at most are looked at together")
    found, said = {}, []
    for name, values in columns.items():
        found[name], assumed = _split(values, counts, path)
        said += [assumed] if assumed and assumed not in said else []
    return found, said


def map_name(path: Path) -> str:
    """The name of a file without the endings that say what kind it is."""
    name = path.name.removesuffix(".gz")
    for ending in _ENDINGS:
        name = name.removesuffix(ending)
    return name


def _columns(path: Path, stem: str, most: int) -> dict[str, Floats]:
    """Name -> numbers, in the order of the file."""
    if is_gifti(path):
        file = open_gifti(path)
        places = [
            place for place, one in enumerate(file.arrays) if one.intent not in ("POINTSET", "TRIANGLE")
        ]
        if not places:
            raise UserError(f"{path} holds a mesh, not a map: a mesh is named by --surface")
        if len(places) > _MOST_MAPS:
            raise UserError(f"{path} holds {len(places)} maps: {_MOST_MAPS} at most are looked at together")
        return {
            stem if len(places) == 1 else f"{stem}-{place}": column_of(file, place).astype(np.float64)
            for place in places
        }
    if is_curvature(path):
        return {stem: read_curvature(path).astype(np.float64)}
    if path.suffix in (".mgz", ".mgh"):
        from .mgh import mgh_frames

        frames = mgh_frames(path)
        n = min(frames.shape[0], _MOST_MAPS + 1)
        values = np.asarray(frames[slice(0, n), slice(0, frames.shape[1])], np.float64)
        return {stem if n == 1 else f"{stem}-{place}": one for place, one in enumerate(values)}
    if path.suffix == ".npy":
        require_for(path, 2 * path.stat().st_size)
        try:
            values = np.load(path, allow_pickle=False)
        except (ValueError, OSError, EOFError) as error:
            raise UserError(f"{path} cannot be read: {first_line(error)}") from error
        if values.ndim != 1 or values.dtype.kind not in "biuf":
            raise UserError(
                f"{path} holds {values.dtype} of the shape {values.shape}: one number a vertex is a map"
            )
        return {stem: values.astype(np.float64)}
    return {stem: _lines(path, most)}


def _lines(path: Path, most: int) -> Floats:
    """A number a line; a first line that is none is a heading."""
    numbers: list[float] = []
    try:
        with path.open("rb") as raw:
            packed = raw.read(2) == b"\x1f\x8b"
        with gzip.open(path, "rb") if packed else path.open("rb") as stream:
            place = 0
            while line := stream.readline(1 << 12):
                place += 1
                text = line.decode("utf-8-sig").strip().rstrip(",")
                try:
                    numbers.append(np.nan if text in _MISSING else float(text))
                except ValueError:
                    if place == 1:
                        continue
                    raise UserError(f"{path}: line {place} is no number: {text[:40]!r}") from None
                if len(numbers) > most:
                    raise UserError(
                        f"{path} has more than {most} lines: more than two numbers a vertex of the mesh"
                    )
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read as a number a line: {first_line(error)}") from error
    return np.array(numbers)


def _split(values: Floats, counts: Mapping[str, int], path: Path) -> tuple[SurfaceMap, str]:
    """The hemispheres of a column of numbers, and what was assumed."""
    n, sides = len(values), list(counts)
    told = side_of(path.name) or side_inside(path)
    if told is not None and n == counts.get(told):
        return {told: values}, ""
    if len(sides) == 2 and n == sum(counts.values()):
        first = counts[sides[0]]
        return {
            sides[0]: values[:first],
            sides[1]: values[first:],
        }, f"{n} numbers: {first} of L, then those of R"
    if len(sides) == 1:
        side, count = sides[0], counts[sides[0]]
        if n == count and told in (None, side):
            return {side: values}, ""
        if n == 2 * count:
            place = HEMISPHERES.index(side) * count
            half = "first" if side == "L" else "second"
            return {side: values[place : place + count]}, (
                f"{n} numbers, twice the vertices of {side}: taken as L, then R; the {half} half is looked at"
            )
    meshes = " and ".join(f"{count} vertices of {side}" for side, count in counts.items())
    tells = "" if told is None else f" of {told}"
    raise UserError(
        f"{path} holds {n} numbers{tells}, and the mesh has {meshes}: they do not belong together (--surface)"
    )


def _of_cifti(path: Path, counts: Mapping[str, int]) -> tuple[dict[str, SurfaceMap], list[str]]:
    from ...imported import ReadOptions
    from .cifti import cortex_maps

    names, values, neuroids, whole = cortex_maps(path, ReadOptions())
    for side, n in counts.items():
        if whole.get(side) != n:
            raise UserError(
                f"{path} is of {whole.get(side, 0)} vertices of {side}, and the mesh has {n} (--surface)"
            )
    if len(names) > _MOST_MAPS:
        raise UserError(f"{path} holds {len(names)} maps: {_MOST_MAPS} at most are looked at together")
    found: dict[str, SurfaceMap] = {}
    block = np.asarray(values[slice(0, len(names)), slice(0, values.shape[1])], np.float64)
    for name, row in zip(names, block, strict=True):
        found[name] = {}
        for side, n in counts.items():
            found[name][side] = np.full(n, np.nan)
            here = (neuroids["hemisphere"] == side).to_numpy()
            found[name][side][neuroids["vertex"].to_numpy()[here]] = row[here]
    return found, []
