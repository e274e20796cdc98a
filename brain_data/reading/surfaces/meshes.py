"""Surfaces of triangles on whose vertices recordings lie: GIFTI and FreeSurfer, bounded and checked."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from ....bounded import require_for
from ....errors import UserError
from .gifti_arrays import is_gifti, open_gifti, side_inside

Floats = npt.NDArray[np.float64]
HEMISPHERES = ("L", "R")
SIDES = (
    (re.compile(r"(?:^|[_.])hemi-([LR])(?=[_.])"), None),
    (re.compile(r"(?:^|[_.-])(lh|rh)(?=[_.-])"), {"lh": "L", "rh": "R"}),
    (re.compile(r"[_.-]([LR])(?=[_.-])"), None),
    (re.compile(r"[_.-](left|right)(?=[_.-])", re.IGNORECASE), {"left": "L", "right": "R"}),
)
"""How names of files tell a hemisphere."""
_TRIANGLES = b"\xff\xff\xfe"
_FEWEST = 4


@dataclass(frozen=True, eq=False)
class Mesh:
    """One connected surface.

    Attributes
    ----------
    positions : array of shape (n_vertices, 3)
        In mm.
    faces : array of int, shape (n_faces, 3)
    """

    positions: Floats = field(repr=False)
    faces: npt.NDArray[np.int64] = field(repr=False)

    def __len__(self) -> int:
        return len(self.positions)


def read_mesh(path: Path) -> Mesh:
    """A surface of a GIFTI file (``.surf.gii``), or of FreeSurfer (``lh.pial``, ``rh.white``).

    Raises
    ------
    UserError
        For a file that holds none, is cut off, or whose triangles do not fit: see :func:`checked_mesh`.
    """
    if not path.is_file():
        raise UserError(f"there is no file {path}")
    if is_gifti(path):
        file = open_gifti(path)
        points, triangles = file.of("POINTSET"), file.of("TRIANGLE")
        if len(points) != 1 or len(triangles) != 1:
            what = ", ".join(sorted({one.intent for one in file.arrays}))
            raise UserError(f"{path} holds no mesh: one array of points and one of triangles, not {what}")
        positions, faces = file.read(points[0], triangles[0])
        return checked_mesh(positions, faces, path)
    with path.open("rb") as stream:
        if stream.read(3) != _TRIANGLES:
            raise UserError(
                f"{path} is no mesh: a GIFTI surface (.surf.gii) or one of FreeSurfer (lh.pial) is"
            )
        return checked_mesh(*_freesurfer(stream, path), path)


def _freesurfer(stream: IO[bytes], path: Path) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Points and triangles after the magic number."""
    stream.readline(1 << 12)
    stream.readline(1 << 12)
    counts = np.frombuffer(stream.read(8).ljust(8, b"\0"), ">i4").astype(int)
    left = path.stat().st_size - stream.tell()
    if counts.min() < 1 or 12 * int(counts.sum()) > left:
        raise UserError(
            f"{path} is cut off: it says that it has {counts[0]} vertices and {counts[1]} triangles, and {left} "
            "bytes of them are there"
        )
    require_for(path, 24 * int(counts.sum()))
    points = np.frombuffer(stream.read(12 * counts[0]), ">f4").reshape(-1, 3)
    return points, np.frombuffer(stream.read(12 * counts[1]), ">i4").reshape(-1, 3)


def checked_mesh(positions: npt.ArrayLike, faces: npt.ArrayLike, name: Any = "the mesh") -> Mesh:
    """A mesh whose triangles name its own vertices, with finite places, in one piece.

    Parameters
    ----------
    positions : array of shape (n_vertices, 3)
    faces : array of int, shape (n_faces, 3)
    name : str or Path
        For messages.
    """
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components

    places, triangles = np.asarray(positions, np.float64), np.asarray(faces)
    if places.ndim != 2 or places.shape[1] != 3 or len(places) < _FEWEST:
        raise UserError(f"{name}: the points of a mesh have the shape (n, 3), not {places.shape}")
    if triangles.ndim != 2 or triangles.shape[1] != 3 or not np.issubdtype(triangles.dtype, np.integer):
        raise UserError(
            f"{name}: triangles are three whole numbers each, not {triangles.dtype} {triangles.shape}"
        )
    if not np.isfinite(places).all():
        n_bad = int((~np.isfinite(places)).any(axis=1).sum())
        raise UserError(f"{name}: {n_bad} of {len(places)} vertices have a place that is NaN or infinite")
    low, high = int(triangles.min(initial=0)), int(triangles.max(initial=0))
    if low < 0 or high >= len(places):
        raise UserError(
            f"{name}: a triangle names vertex {low if low < 0 else high}, and there are {len(places)}, from 0 on"
        )
    triangles = triangles.astype(np.int64)
    ends = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]]])
    linked = csr_array((np.ones(len(ends), np.int8), (ends[:, 0], ends[:, 1])), shape=(len(places),) * 2)
    n_parts, part = connected_components(linked, directed=False)
    if n_parts > 1:
        raise UserError(
            f"{name}: the mesh falls into {n_parts} pieces, the largest of {np.bincount(part).max()} of "
            f"{len(places)} vertices: one connected surface is needed, not a flat map or a cut one"
        )
    return Mesh(places, triangles)


def side_of(name: str) -> str | None:
    """The hemisphere that the name of a file tells: ``hemi-L``, ``lh.``, ``.L.``, ``_left``."""
    for pattern, sides in SIDES:
        if found := pattern.search(name):
            return found[1] if sides is None else sides[found[1].lower()]
    return None


def by_hemisphere(said: str | None, option: str) -> dict[str, Path]:
    """``L=FILE,R=FILE`` as hemisphere -> file.

    Raises
    ------
    UserError
        For anything else, a file that is not there, or one that says that it is of the other hemisphere.
    """
    found: dict[str, Path] = {}
    for part in (said or "").split(","):
        if not part.strip():
            continue
        side, equals, name = part.strip().partition("=")
        if side not in HEMISPHERES or not equals or not name or side in found:
            raise UserError(f"--{option} must be L=FILE, R=FILE or L=FILE,R=FILE, not {said!r}")
        found[side] = Path(name).expanduser()
        if not found[side].is_file():
            raise UserError(f"--{option}: there is no file {name}")
        told = {side_of(found[side].name), side_inside(found[side])} - {None, side}
        if told:
            raise UserError(
                f"--{option} says that {name} is of {side}, and the file that it is of {told.pop()}"
            )
    return found


def read_meshes(paths: Mapping[str, Path]) -> dict[str, Mesh]:
    """The meshes of hemispheres, the left one first."""
    return {side: read_mesh(Path(paths[side])) for side in HEMISPHERES if side in paths}
