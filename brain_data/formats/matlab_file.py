"""One .mat file with responses and stimulus ids: matrices, structs, arrays of structs and cells, of v5 and v7.3."""

from collections.abc import Callable, Mapping
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ...bounded import require_for
from ...errors import UserError, first_line
from ..imported import Imported, Numbers, ReadOptions
from .array_recording import TAKES, recording_of
from .hdf5 import is_plain_file, known_better
from .matlab import column_of, loaded
from .matlab73 import MatlabOpaque, Turned
from .named_arrays import Branch, Held
from .recording import RecordingFormat, add_recording_format

_DEEPEST = 32


@add_recording_format
class MatlabFile(RecordingFormat):
    """A .mat file, v5 to v7.3: responses by --array data.responses, stimulus ids by --stimulus-column or --events."""

    name = "matlab"
    takes = TAKES

    def recognizes(self, path: Path) -> bool:
        """By its name and beginning, where no other format knows it better."""
        try:
            if not is_plain_file(path, (".mat",)):
                return False
            with path.open("rb") as stream:
                begins = stream.read(6)
        except OSError:
            return False
        return begins == b"MATLAB" and not known_better(path, self.name)

    def read(self, path: Path, options: ReadOptions) -> Imported:
        """The variable or field that is named, or the only matrix; of v7.3 large ones stay in the file."""
        if not path.is_file():
            raise UserError(f"{path} is no file: the format matlab is one .mat file")
        variables = loaded(path, large_stay=True)
        return recording_of(variables_of(variables, path, "", 0), path, options)


def variables_of(held: Mapping[str, Any], path: Path, prefix: str, depth: int) -> Branch:
    """Variables as :func:`.matlab.loaded` gives them, as a tree."""
    if depth > _DEEPEST:
        raise UserError(f"{path.name}: {prefix} is nested without an end: save matrices in its place")
    return {name: _node(one, path, f"{prefix}{name}", depth) for name, one in held.items()}


def _node(value: Any, path: Path, place: str, depth: int) -> "Held | Branch":
    if isinstance(value, Turned):
        return Held(place, "numbers", value.shape, lambda: np.asarray(value), lambda: value)
    if hasattr(value, "toarray"):
        shape = tuple(value.shape)
        return _numbers(place, shape, lambda: _whole(value, path))
    if (
        isinstance(value, MatlabOpaque)
        or not isinstance(value, np.ndarray)
        or (value.dtype.names and not value.dtype.hasobject)
    ):
        return _other(place, "an object of MATLAB's own, which only MATLAB reads")
    if value.dtype.names:
        return _struct(value, path, place, depth)
    if value.dtype == object:
        return _cells(value, path, place)
    if value.dtype.kind == "U":
        return Held(place, "texts", value.shape, lambda: np.char.rstrip(value).astype(object))
    if value.dtype.kind in "fiub":
        return _numbers(place, value.shape, lambda: value)
    return _other(
        place, "an array of complex numbers" if value.dtype.kind == "c" else f"of {value.dtype}", value.shape
    )


def _numbers(place: str, shape: tuple[int, ...], get: Callable[[], npt.NDArray[Any]]) -> Held:
    def numbers() -> Numbers:
        return get()

    return Held(place, "numbers", shape, get, numbers)


def _other(place: str, what: str, shape: tuple[int, ...] = ()) -> Held:
    return Held(place, "other", shape, lambda: np.empty(0), what=what)


def _whole(sparse: Any, path: Path) -> npt.NDArray[Any]:
    require_for(path, 2 * prod(sparse.shape) * 8)
    return np.asarray(sparse.toarray())


def _struct(value: npt.NDArray[Any], path: Path, place: str, depth: int) -> "Held | Branch":
    """Fields as a branch; those of an array of structs as a list each, or as a matrix with a row a struct."""
    names = value.dtype.names or ()
    if value.size == 0:
        return _other(place, "an empty struct")
    if value.size == 1:
        return variables_of({name: value[name].ravel()[0] for name in names}, path, f"{place}.", depth + 1)
    return {name: _cells(value[name], path, f"{place}.{name}") for name in names}


def _cells(value: npt.NDArray[Any], path: Path, place: str) -> Held:
    """Cells with one text or number each as a list, with vectors of one length as the rows of a matrix."""
    try:
        listed = column_of(value, f"{path.name}: {place}") if value.size else None
    except UserError:
        listed = None
    if listed is not None and listed.dtype.kind in "fiub":
        return _numbers(place, value.shape, lambda: listed.reshape(value.shape))
    if listed is not None:
        return Held(place, "texts", value.shape, lambda: listed.astype(object).reshape(value.shape))
    rows = [np.asarray(one) for one in value.ravel() if isinstance(one, np.ndarray | Turned)]
    sizes = {one.shape for one in rows}
    is_rows = len(rows) == value.size and len(sizes) == 1 and all(one.dtype.kind in "fiub" for one in rows)
    if not is_rows or not value.size or rows[0].size == 0:
        return _other(place, "cells of different kinds or lengths (objects)", value.shape)
    inside = tuple(size for size in rows[0].shape if size != 1)
    try:
        stacked = np.array(rows).reshape(len(rows), *inside)
    except (ValueError, MemoryError) as error:
        raise UserError(f"{path.name}: {place}: {first_line(error)}") from error
    return _numbers(place, stacked.shape, lambda: stacked)
