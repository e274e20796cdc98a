"""FreeSurfer: frames of every vertex of a hemisphere (``lh.betas_session01.mgz``), a file or a folder of them."""

import gzip
import zlib
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import IO, Any, ClassVar, cast

import numpy as np
import numpy.typing as npt

from ...errors import UserError
from ..imported import Computed, Imported, Numbers, ReadOptions
from .freesurfer_files import is_curvature
from .recording import RecordingFormat, add_recording_format
from .surface_samples import TAKES, sampled_files
from .surface_shown import as_imported

_HEADER = 284
_KINDS = {0: ">u1", 1: ">i4", 3: ">f4", 4: ">i2", 10: ">u2"}
_MOST_INFLATED = 1100
_CHUNK = 1 << 20


@add_recording_format
class FreeSurfer(RecordingFormat):
    """FreeSurfer's surfaces: .mgz or .mgh with one frame a trial or sample in time, a hemisphere in each file."""

    name: ClassVar[str] = "freesurfer"
    takes: ClassVar[tuple[str, ...]] = TAKES

    def recognizes(self, path: Path) -> bool:
        """An MGH file of vertices (not of voxels), a map such as ``lh.thickness``, or a folder of the first."""
        if path.is_dir():
            return not (path / "dataset_description.json").exists() and any(
                _is_surface(one) for one in _files(path)[:20]
            )
        return _is_surface(path) or (path.is_file() and is_curvature(path))

    def read(self, path: Path, options: ReadOptions) -> Imported:
        """Trials, or a series: see :func:`.surface_samples.as_imported`."""
        if path.is_file() and is_curvature(path):
            raise UserError(
                f"{path} holds one map: a static map is no recording of stimuli; look at it with brodmann analyze FILE "
                "--surface L=MESH"
            )
        files = [one for one in _files(path) if _is_surface(one)]
        return as_imported(sampled_files(path, files, options, mgh_frames, "frame"), options)


def _files(folder: Path) -> list[Path]:
    return sorted([*folder.glob("*.mgz"), *folder.glob("*.mgh")])


@dataclass(frozen=True)
class _Head:
    """What an MGH file says of itself."""

    n_vertices: int
    n_frames: int
    kind: np.dtype[Any]
    is_surface: bool

    @property
    def n_bytes(self) -> int:
        return self.n_vertices * self.n_frames * self.kind.itemsize


def _opened(path: Path) -> IO[bytes]:
    return cast(IO[bytes], gzip.open(path, "rb")) if _is_packed(path) else path.open("rb")


def _is_packed(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(2) == b"\x1f\x8b"


def _head(path: Path) -> _Head:
    try:
        with _opened(path) as stream:
            raw = stream.read(_HEADER)
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path} cannot be read: {error}") from error
    if len(raw) < _HEADER:
        raise UserError(f"{path} is cut off: {len(raw)} bytes are no header of MGH")
    version, *sizes, kind = (int(one) for one in np.frombuffer(raw[:24], ">i4"))
    if version != 1 or min(sizes) < 1 or kind not in _KINDS:
        raise UserError(f"{path} is no MGH file, or damaged: version {version}, sizes {sizes}, type {kind}")
    return _Head(prod(sizes[:3]), sizes[3], np.dtype(_KINDS[kind]), sizes[1] == sizes[2] == 1)


def _is_surface(path: Path) -> bool:
    if not path.is_file() or path.suffix not in (".mgz", ".mgh"):
        return False
    try:
        return _head(path).is_surface
    except UserError:
        return True  # damaged: whoever reads it says how


def mgh_frames(path: Path) -> Numbers:
    """(frames, vertices) of an MGH file, frames read when they are asked for.

    Raises
    ------
    UserError
        For voxels, or a file that is cut off.
    """
    head = _head(path)
    if not head.is_surface:
        raise UserError(f"{path} holds voxels, not vertices of a surface")
    _check_whole(path, head)

    def get(rows: slice, neuroids: slice) -> npt.NDArray[Any]:
        wanted = range(*rows.indices(head.n_frames))
        found = np.empty((len(wanted), len(range(*neuroids.indices(head.n_vertices)))), np.float32)
        size = head.n_vertices * head.kind.itemsize
        with _opened(path) as stream:
            for i, frame in enumerate(wanted):
                stream.seek(_HEADER + frame * size)
                found[i] = np.frombuffer(stream.read(size), head.kind)[neuroids]
        return found

    return Computed((head.n_frames, head.n_vertices), get)


def _check_whole(path: Path, head: _Head) -> None:
    """Raise a UserError unless the file holds as many bytes as it says."""
    size, needed = path.stat().st_size, _HEADER + head.n_bytes
    held = size
    with _opened(path) as stream:
        if _is_packed(path):
            held = 0
            try:
                while needed <= _MOST_INFLATED * size and held < needed and (chunk := stream.read(_CHUNK)):
                    held += len(chunk)
            except (OSError, EOFError, zlib.error) as error:
                raise UserError(f"{path} is cut off or damaged: {error}") from error
    if held < needed:
        raise UserError(
            f"{path} is cut off: it says that it has {head.n_frames} frames of {head.n_vertices} vertices ({needed} "
            f"bytes), and holds {held}"
        )
