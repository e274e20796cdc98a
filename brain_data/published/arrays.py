"""Numbers that stay on disk until they are asked for: HDF5 files, images, betas within their sessions."""

import shutil
import warnings
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import pairwise
from math import prod
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import h5py
import nibabel
import numpy as np
import numpy.typing as npt

from ...errors import UserError, first_line
from ...files import home
from ..imported import Computed, Numbers

Floats = npt.NDArray[np.float32]
AT_ONCE = 64 << 20
"""Bytes that one step of reading takes."""
_MOST = 256 << 20


@contextmanager
def hdf5(path: Path) -> Iterator[h5py.File]:
    """An HDF5 file, open for reading.

    Raises
    ------
    UserError
        Where it is none, or damaged.
    """
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise UserError(f"{path} is no HDF5 file, or not all of one: fetch it again") from error
    with file:
        try:
            yield file
        except (OSError, RuntimeError, KeyError) as error:
            raise UserError(f"{path} is damaged ({first_line(error)}): fetch it again") from error


def stored_array(file: h5py.Group, name: str, n_dims: Sequence[int]) -> h5py.Dataset:
    """An array of numbers that lies in the file itself.

    Raises
    ------
    UserError
        For a link out of the file, something that is no array of numbers, and pieces that memory would not hold.
    """
    place = f"{file.file.filename}: {name!r}"
    if not isinstance(file.get(name, getlink=True), h5py.HardLink):
        raise UserError(f"{place} is a link to elsewhere: refused")
    found = file[name]
    if not isinstance(found, h5py.Dataset) or found.shape is None or found.dtype.kind not in "iuf":
        raise UserError(f"{place} is no array of numbers")
    if found.is_virtual or found.external:
        raise UserError(f"{place} lies in another file: refused")
    if found.ndim not in n_dims:
        raise UserError(
            f"{place} has shape {found.shape}: it must have {' or '.join(map(str, n_dims))} dimensions"
        )
    if prod(found.shape) == 0:
        raise UserError(f"{place} is empty (shape {found.shape})")
    if prod(found.chunks or (0,)) * found.dtype.itemsize > _MOST:
        raise UserError(f"{place} is stored in pieces of more than 256 MiB: save it in smaller chunks")
    return found


def arrays_in(file: h5py.Group, n_dims: Sequence[int]) -> list[str]:
    """The names of the arrays with so many dimensions at the top of a file; links are left out."""
    hard = [name for name in file if isinstance(file.get(name, getlink=True), h5py.HardLink)]
    return [name for name in hard if isinstance(file[name], h5py.Dataset) and file[name].ndim in n_dims]


def opened_image(path: Path) -> Any:
    """An image of nibabel whose numbers are still on disk.

    Raises
    ------
    UserError
        Where it cannot be read.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)  # nibabel leaves FreeSurfer's files open
            return nibabel.load(path)
    except Exception as error:  # nibabel raises whatever its parsers do
        raise UserError(f"{path} is no image that can be read ({first_line(error)})") from error


def from_image(image: Any, *where: slice) -> npt.NDArray[Any]:
    """A part of an image's numbers.

    Raises
    ------
    UserError
        Where the file breaks off, or the part would take more than 256 MiB.
    """
    shape = [len(range(*one.indices(n))) for one, n in zip(where, image.shape, strict=False)]
    if prod([*shape, *image.shape[len(where) :]]) * 4 > _MOST:
        raise UserError(f"{image.get_filename()} has shape {image.shape}: too large to be a mask or a map")
    try:
        return np.asarray(image.dataobj[where] if where else image.dataobj)
    except Exception as error:
        raise UserError(f"{image.get_filename()} is damaged ({first_line(error)}): fetch it again") from error


def in_mm(affine: npt.NDArray[Any], places: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Where places in an image, (place, 3), are in mm."""
    return np.asarray(places @ affine[:3, :3].T + affine[:3, 3], np.float64)


def steps(start: int, stop: int, bytes_each: int) -> Iterator[tuple[int, int]]:
    """Ranges of rows that are read at once."""
    n = max(1, AT_ONCE // max(bytes_each, 1))
    for first in range(start, stop, n):
        yield first, min(first + n, stop)


def in_pieces(
    read: Sequence[Callable[[int, int], Floats]], lengths: Sequence[int], n_neuroids: int
) -> Computed:
    """Pieces one below the other; ``read[i](first, last)`` gives rows of piece i, with all neuroids."""
    ends = np.cumsum(lengths)

    def get(rows: slice, neuroids: slice) -> Floats:
        start, stop, step = rows.indices(int(ends[-1]))
        parts = [
            one(max(start - end + length, 0), min(stop - end + length, length))[:, neuroids]
            for one, length, end in zip(read, lengths, ends, strict=True)
            if start < end and stop > end - length
        ]
        taken = (
            np.concatenate(parts)
            if parts
            else np.empty((0, len(range(*neuroids.indices(n_neuroids)))), np.float32)
        )
        return taken[::step]

    return Computed((int(ends[-1]), n_neuroids), get)


def zscored(values: Numbers, sessions: npt.NDArray[Any]) -> Computed:
    """Each neuroid's mean and sd of a session taken out of its numbers of that session.

    (y - mean) / sd with the sd over n; a neuroid that never varies in a session is NaN there.

    Parameters
    ----------
    values : Numbers
    sessions : array of shape (n_presentations, )

    Raises
    ------
    UserError
        Where the rows of a session do not follow each other.
    """
    starts = np.flatnonzero(np.r_[True, sessions[1:] != sessions[:-1]])
    if len(starts) != len(set(sessions.tolist())):
        raise UserError("the trials of a session do not follow each other: leave out --zscore")
    bounds = [*starts.tolist(), len(sessions)]
    known: dict[int, tuple[Floats, Floats]] = {}

    def of_session(number: int) -> tuple[Floats, Floats]:
        if number not in known:
            total, squares, n = np.zeros((2, values.shape[1])), np.zeros(values.shape[1]), 0
            pivot = np.asarray(values[slice(bounds[number], bounds[number] + 1), slice(None)], np.float64)[0]
            for first, last in steps(bounds[number], bounds[number + 1], values.shape[1] * 8):
                block = np.asarray(values[slice(first, last), slice(None)], np.float64) - pivot
                total[0] += block.sum(0)
                squares += (block**2).sum(0)
                n += len(block)
            mean = total[0] / n
            sd = np.sqrt(np.maximum(squares / n - mean**2, 0))
            sd[sd <= 1e-6 * np.sqrt(squares / n)] = np.nan
            known[number] = (mean + pivot).astype(np.float32), sd.astype(np.float32)
        return known[number]

    def get(rows: slice, neuroids: slice) -> Floats:
        start, stop, step = rows.indices(len(sessions))
        taken = np.array(values[slice(start, stop), neuroids], np.float32)
        for number, (first, last) in enumerate(pairwise(bounds)):
            if start < last and stop > first:
                mean, sd = of_session(number)
                part = slice(max(first - start, 0), min(last, stop) - start)
                taken[part] = (taken[part] - mean[neuroids]) / sd[neuroids]
        return taken[::step]

    return Computed((values.shape[0], values.shape[1]), get)


class Scratch:
    """A folder under the home that is made when it is needed, and goes with this."""

    def __init__(self) -> None:
        self._path: Path | None = None

    def folder(self) -> Path:
        """Where it is."""
        if self._path is None:
            home().mkdir(parents=True, exist_ok=True)
            self._path = Path(mkdtemp(prefix=".made-", dir=home()))
            weakref.finalize(self, shutil.rmtree, self._path, ignore_errors=True)
        return self._path


class MadeFiles(Mapping[str, Path]):
    """Files that are made when they are asked for, in a folder that lives as long as this.

    Parameters
    ----------
    names : mapping of str to str
        Key -> the name of its file.
    make : callable
        ``make(key, path)`` writes it.
    """

    def __init__(self, names: Mapping[str, str], make: Callable[[str, Path], object]) -> None:
        self._names, self._make = dict(names), make
        self._scratch = Scratch()

    def __getitem__(self, key: str) -> Path:
        path = self._scratch.folder() / self._names[key]
        if not path.exists():
            self._make(key, path)
        return path

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __contains__(self, key: object) -> bool:
        return key in self._names
