"""Responses of any size in one netCDF file, in chunks: written and read a block at a time."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from ...errors import UserError, first_line
from ...progress import track
from ..imported import Imported
from ..recorded import BY_REGION, LEFT_OUT, ROUNDING, left_out_of
from ..stored import BLOCK, lazily

CONVENTION = "brodmann-responses-1"
_DIMS = ("presentation", "neuroid", "time_bin")
_CHUNK = 1 << 20
"""Bytes of a chunk: few for who reads a region, and few reads for who reads all."""
_SINGLE = ("float16", "float32", "int8", "uint8", "int16", "uint16", "bool")
"""Kinds of numbers that single precision holds exactly."""
_STORED = {"bool": np.int8, "float16": np.float32, "longdouble": np.float64, "float128": np.float64}
"""What netCDF has no kind of, as it is written."""


@dataclass
class _Seen:
    """What is known of each neuroid, and of each row, once all blocks went by."""

    least: npt.NDArray[np.float64]
    most: npt.NDArray[np.float64]
    n_missing: npt.NDArray[np.int64]
    empty: npt.NDArray[np.bool_]
    n_infinite: int = 0

    def look(self, rows: slice, held: npt.NDArray[Any]) -> None:
        """Take a block into account; `held` is (row, neuroid, ...)."""
        flat = held.reshape(*held.shape[:2], -1)
        self.n_infinite += int(np.isinf(flat).sum())
        missing = np.isnan(flat)
        self.empty[rows] = missing.all(axis=(1, 2))
        with np.errstate(invalid="ignore"):
            np.fmin(self.least, np.where(missing, np.inf, flat).min(axis=(0, 2)), out=self.least)
            np.fmax(self.most, np.where(missing, -np.inf, flat).max(axis=(0, 2)), out=self.most)
        self.n_missing += missing[~self.empty[rows]].any(axis=2).sum(axis=0)


def write_chunked(
    path: Path, imported: Imported, columns: xr.Dataset, name: str, left_out: Mapping[str, int]
) -> None:
    """Write the responses of a recording without neuroids that never vary or, of trials, have gaps; both are counted.

    Parameters
    ----------
    path : Path
    imported : Imported
    columns : Dataset
        The coordinates of the responses.
    name : str
        Of the data set, for messages.
    left_out : mapping of str to int
        What was left out before.

    Raises
    ------
    UserError
        For infinite numbers, and where nothing would be left.
    """
    values = imported.values
    if values.dtype.kind not in "fiubO":
        raise UserError(f"{name}: responses are {values.dtype}, no real numbers")
    kind = np.dtype(np.float32 if values.dtype.name in _SINGLE else np.float64)
    n_rows, n_neuroids = values.shape[:2]
    seen = _Seen(
        np.full(n_neuroids, np.inf),
        np.full(n_neuroids, -np.inf),
        np.zeros(n_neuroids, np.int64),
        np.zeros(n_rows, bool),
    )

    def blocks() -> Iterator[tuple[slice, npt.NDArray[Any]]]:
        for rows in track(_rows(values.shape, kind), "responses"):
            held = np.asarray(values[rows, slice(0, n_neuroids)])
            if held.shape != (rows.stop - rows.start, *values.shape[1:]):
                raise UserError(f"{name}: rows {rows.start} to {rows.stop} came in the shape {held.shape}")
            held = held.astype(kind)
            seen.look(rows, held)
            yield rows, held

    whole = path.with_name("every-" + path.name)
    _write_numbers(whole, values.shape, kind, blocks())
    rows, neuroids = _kept(seen, imported, columns, name)
    if rows.all() and neuroids.all():
        whole.rename(path)
    else:
        everything = lazily(whole, "responses", _DIMS[: len(values.shape)], {})
        shape = (int(rows.sum()), int(neuroids.sum()), *values.shape[2:])
        _write_numbers(path, shape, kind, _selected(everything, np.flatnonzero(rows), neuroids, shape, kind))
        whole.unlink()
    counts = _counts(seen, rows, imported.kind, columns, left_out)
    attributes = {**counts, "said": list(imported.said)}
    if imported.about.get("space"):
        attributes["space"] = imported.about["space"]
    kept = columns.isel(presentation=np.flatnonzero(rows), neuroid=np.flatnonzero(neuroids))
    _write_coordinates(path, kept, imported.time_bins, attributes)


def _selected(
    everything: xr.DataArray,
    rows: npt.NDArray[np.intp],
    neuroids: npt.NDArray[np.bool_],
    shape: tuple[int, ...],
    kind: np.dtype[Any],
) -> Iterator[tuple[slice, npt.NDArray[Any]]]:
    for block in _rows(shape, kind):
        yield block, everything[rows[block]].values[:, neuroids]


def _kept(
    seen: _Seen, imported: Imported, columns: xr.Dataset, name: str
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Which rows and which neuroids are written."""
    if seen.n_infinite:
        raise UserError(f"{name}: {seen.n_infinite} responses are infinite")
    still = _still(seen)
    if imported.kind == "series":
        rows, gaps = np.ones(len(seen.empty), bool), np.zeros(len(still), bool)
    else:
        ids = columns["stimulus_id"].values
        rows = ~(seen.empty & np.isin(ids, ids[~seen.empty]))
        if seen.empty[rows].any():
            first = ids[seen.empty & rows][0]
            raise UserError(
                f"{name}: stimulus {first!r} has no response of any neuroid: leave it out of the trials"
            )
        gaps = seen.n_missing > 0
    neuroids = ~(still | gaps)
    if not neuroids.any():
        raise UserError(
            f"{name}: no neuroid is left: {int(gaps.sum())} of {len(gaps)} have no response to some presentation, and "
            f"{int((still & ~gaps).sum())} never vary"
        )
    return rows, neuroids


def _still(seen: _Seen) -> npt.NDArray[np.bool_]:
    known = np.isfinite(seen.least)
    size = np.where(known, np.maximum(np.abs(seen.least), np.abs(seen.most)), 0.0)
    with np.errstate(invalid="ignore"):
        still: npt.NDArray[np.bool_] = ~known | (seen.most - seen.least <= ROUNDING * size)
    return still


def _counts(
    seen: _Seen, rows: npt.NDArray[np.bool_], kind: str, columns: xr.Dataset, left_out: Mapping[str, int]
) -> dict[str, Any]:
    gaps = seen.n_missing > 0 if kind == "trials" else np.zeros(len(seen.least), bool)
    empty = {"presentations without any response": int((~rows).sum())} if not rows.all() else {}
    return left_out_of(columns["region"].values, _still(seen) & ~gaps, gaps, {**left_out, **empty})


def _rows(shape: tuple[int, ...], kind: np.dtype[Any]) -> list[slice]:
    """Blocks of rows, each of whole chunks."""
    step = _chunk(shape, kind)[0]
    step *= max(1, BLOCK // max(1, step * prod(shape[1:]) * kind.itemsize))
    return [slice(start, min(start + step, shape[0])) for start in range(0, shape[0], step)]


def _chunk(shape: tuple[int, ...], kind: np.dtype[Any]) -> tuple[int, ...]:
    """The shape of a chunk: some rows of some neuroids, with all time bins where they fit."""
    wide = prod(shape[1:]) * kind.itemsize
    rows = max(1, min(shape[0], 256, BLOCK // max(1, wide)))
    beyond = [min(size, _CHUNK // kind.itemsize) for size in shape[2:]]
    neuroids = max(1, min(shape[1], _CHUNK // (rows * prod(beyond) * kind.itemsize)))
    return rows, neuroids, *beyond


def _write_numbers(
    path: Path, shape: tuple[int, ...], kind: np.dtype[Any], blocks: Iterator[tuple[slice, npt.NDArray[Any]]]
) -> None:
    import netCDF4

    with netCDF4.Dataset(path, "w", format="NETCDF4") as file:
        file.Conventions = CONVENTION
        dims = _DIMS[: len(shape)]
        for dim, size in zip(dims, shape, strict=True):
            file.createDimension(dim, size)
        stored = file.createVariable(
            "responses", kind, dims, chunksizes=_chunk(shape, kind), fill_value=False
        )
        for rows, held in blocks:
            stored[rows] = held


def _write_coordinates(
    path: Path, columns: xr.Dataset, time_bins: pd.DataFrame | None, attributes: Mapping[str, Any]
) -> None:
    import netCDF4

    written = {str(name): (str(one.dims[0]), one.values) for name, one in columns.coords.items()}
    for name in () if time_bins is None else ("time_bin_start", "time_bin_end"):
        written[name] = ("time_bin", time_bins[name].to_numpy(np.float64))  # type: ignore[index]
    with netCDF4.Dataset(path, "a") as file:
        for name, text in attributes.items():
            file.setncattr(name, json.dumps(text))
        for name, (dim, values) in written.items():
            if values.dtype.kind in "iufb":
                plain = values.astype(_STORED.get(values.dtype.name, values.dtype.newbyteorder("=")))
                file.createVariable(name, plain.dtype, (dim,), fill_value=False)[:] = plain
            else:
                texts = np.array(["" if pd.isna(one) else str(one) for one in values.tolist()], object)
                file.createVariable(name, str, (dim,))[:] = texts


def is_chunked(path: Path) -> bool:
    """Whether a netCDF file was written by :func:`write_chunked`."""
    import h5py

    if not path.is_file():
        return False
    try:
        with h5py.File(path, "r") as file:
            said = file.attrs.get("Conventions", b"")
            return (said.decode() if isinstance(said, bytes) else str(said)) == CONVENTION
    except (OSError, UnicodeDecodeError):
        return False


def read_chunked(path: Path) -> xr.DataArray:
    """The responses of a file, which stay there until they are asked for, and their coordinates.

    Raises
    ------
    UserError
        For a file that is damaged.
    """
    import netCDF4

    try:
        with netCDF4.Dataset(path) as file:
            file.set_auto_mask(False)
            stored = file.variables["responses"]
            dims = tuple(stored.dimensions)
            if dims not in (_DIMS[:2], _DIMS) or stored.dtype not in (np.float32, np.float64):
                raise UserError(f"{path} is damaged: its responses are {stored.dtype} with dims {dims}")
            coords = {
                str(name): (one.dimensions[0], _column(one))
                for name, one in file.variables.items()
                if name != "responses" and len(one.dimensions) == 1 and one.dimensions[0] in dims
            }
            attributes = {
                name: file.getncattr(name)
                for name in (LEFT_OUT, BY_REGION, "said", "space")
                if name in file.ncattrs()
            }
        responses = lazily(path, "responses", dims, coords)
        responses.attrs = {name: json.loads(text) for name, text in attributes.items()}
        for name, kind in ((LEFT_OUT, dict), (BY_REGION, dict), ("said", list)):
            if not isinstance(responses.attrs.get(name, kind()), kind):
                raise UserError(f"{path} is damaged: {name} is no {kind.__name__}: add the data set again")
    except UserError:
        raise
    except (OSError, KeyError, RuntimeError, ValueError, TypeError, RecursionError) as error:
        raise UserError(f"{path} is damaged ({first_line(error)}): add the data set again") from error
    return responses


def _column(stored: Any) -> npt.NDArray[Any]:
    values: npt.NDArray[Any] = np.asarray(stored[:])
    return values.astype(str).astype(object) if values.dtype.kind in "OUS" else values
