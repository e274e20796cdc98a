"""Responses that stay in their file until they are asked for, and how large ones are walked through."""

from collections.abc import Iterator, Mapping
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr
from xarray.backends import BackendArray
from xarray.core import indexing

from ..errors import UserError

BLOCK = 1 << 26
"""Bytes that are held of responses at once: 64 MiB."""


def row_blocks(shape: tuple[int, ...], itemsize: int, n_bytes: int = BLOCK) -> Iterator[slice]:
    """Slices of rows that hold about so many bytes each, and at least one row."""
    step = max(1, n_bytes // max(1, prod(shape[1:]) * itemsize))
    for start in range(0, shape[0], step):
        yield slice(start, min(start + step, shape[0]))


def column_blocks(shape: tuple[int, ...], itemsize: int, n_bytes: int = BLOCK) -> Iterator[slice]:
    """Slices of neuroids that hold about so many bytes each, and at least one neuroid."""
    step = max(1, n_bytes // max(1, shape[0] * prod(shape[2:]) * itemsize))
    for start in range(0, shape[1], step):
        yield slice(start, min(start + step, shape[1]))


def walk(responses: xr.DataArray) -> Iterator[tuple[slice, npt.NDArray[Any]]]:
    """The rows of responses and what stands in them, a block at a time."""
    for rows in row_blocks(responses.shape, responses.dtype.itemsize):
        yield rows, responses[rows].values


class StoredResponses(BackendArray):
    """The array of an HDF5 file, as xarray's lazy indexing asks for it; the file is open only while it is read.

    Parameters
    ----------
    path : Path
    name : str
        Of the array in the file.
    """

    def __init__(self, path: Path, name: str) -> None:
        import h5py

        self.path, self.name = path, name
        with h5py.File(path, "r") as file:
            self.shape: tuple[int, ...] = file[name].shape
            self.dtype: np.dtype[Any] = file[name].dtype
        self._made = self._stamp()

    def __getitem__(self, key: Any) -> npt.NDArray[Any]:
        found: npt.NDArray[Any] = indexing.explicit_indexing_adapter(
            key, self.shape, indexing.IndexingSupport.OUTER, self._read
        )
        return found

    def _stamp(self) -> tuple[int, int]:
        status = self.path.stat()
        return status.st_ino, status.st_mtime_ns

    def _read(self, key: tuple[Any, ...]) -> npt.NDArray[Any]:
        import h5py

        wanted = [_indices(one, size) for one, size in zip(key, self.shape, strict=True)]
        found = np.empty([one.size for one in wanted], self.dtype)
        try:
            if self._stamp() != self._made:
                raise UserError(f"{self.path} was replaced while it was in use: load the data set again")
            with h5py.File(self.path, "r") as file:
                if found.size:
                    _fill(found, file[self.name], wanted)
        except OSError as error:
            raise UserError(f"cannot read {self.path}: {error}") from error
        alone = tuple(axis for axis, one in enumerate(key) if isinstance(one, int | np.integer))
        return found.squeeze(alone)


def _fill(found: npt.NDArray[Any], stored: Any, wanted: list[npt.NDArray[np.intp]]) -> None:
    """Read the places that are wanted of each axis: at once where they lie side by side, else a block of rows of the
    smallest rectangle that holds them at a time.
    """
    spans = [slice(int(one.min()), int(one.max()) + 1) for one in wanted]
    if all((np.diff(one) == 1).all() for one in wanted):
        stored.read_direct(found, tuple(spans))
        return
    rows, inner = wanted[0], [one - span.start for one, span in zip(wanted[1:], spans[1:], strict=True)]
    widths = (stored.shape[0], *(span.stop - span.start for span in spans[1:]))
    for block in row_blocks(widths, found.dtype.itemsize):
        here = np.flatnonzero((rows >= block.start) & (rows < block.stop))
        if here.size:
            held = stored[(block, *spans[1:])]
            found[here] = held[np.ix_(rows[here] - block.start, *inner)]


def _indices(key: Any, size: int) -> npt.NDArray[np.intp]:
    """The places that an index names on one axis."""
    if isinstance(key, slice):
        return np.arange(size)[key]
    return np.atleast_1d(np.asarray(key, np.intp)) % max(size, 1)


def lazily(path: Path, name: str, dims: tuple[str, ...], coords: Mapping[str, Any]) -> xr.DataArray:
    """The array of an HDF5 file, whose numbers are read when they are asked for, and not kept."""
    variable = xr.Variable(dims, indexing.LazilyIndexedArray(StoredResponses(path, name)))  # type: ignore[no-untyped-call]
    return xr.Dataset({name: variable}, coords)[name]  # DataArray's own constructor would read it
