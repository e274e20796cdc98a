"""MATLAB v7.3: HDF5 with its dimensions turned round, decoded into what scipy makes of the older versions."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ...bounded import require_for
from ...errors import UserError
from .hdf5_nodes import address, check_stored, closed_on_error, is_hdf5, members, opened, spoiled

_MAGIC = b"MATLAB "
_CLASS, _EMPTY, _SPARSE, _OBJECT, _FIELDS = (
    "MATLAB_class",
    "MATLAB_empty",
    "MATLAB_sparse",
    "MATLAB_object_decode",
    "MATLAB_fields",
)
_LARGE = 1 << 20
"""From so many bytes on, numbers may stay in the file."""
_DEEPEST, _MOST = 32, 1 << 22
"""Cells in cells, and values in all: references may name one another."""
_NUMBERS = (
    "double",
    "single",
    "logical",
    *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)),
)
Above = tuple[tuple[int, int], ...]


class MatlabOpaque:
    """An object of MATLAB's own (string, table, categorical), which only MATLAB reads."""

    def __init__(self, kind: str) -> None:
        self.kind = kind


class Turned:
    """A matrix that stays in the file, with the dimensions that MATLAB shows.

    Attributes
    ----------
    shape : tuple of int
    dtype : dtype
    """

    def __init__(self, stored: Any, path: Path) -> None:
        self._stored, self._path = stored, path
        self.shape: tuple[int, ...] = stored.shape[::-1]
        self.dtype: np.dtype[Any] = stored.dtype

    def __getitem__(self, key: tuple[slice, ...]) -> npt.NDArray[Any]:
        whole = key + (slice(None),) * (len(self.shape) - len(key))
        with spoiled(self._path):
            read: npt.NDArray[Any] = self._stored[whole[::-1]].T
        return read

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        require_for(self._path, 2 * int(np.prod(self.shape)) * max(self.dtype.itemsize, 8))
        return self[()].astype(self.dtype if dtype is None else dtype, copy=False)


def is_matlab73(path: Path) -> bool:
    """Whether a file begins as MATLAB's do, and is HDF5 after that; early ones call themselves 7.0."""
    with path.open("rb") as stream:
        begins = stream.read(len(_MAGIC))
    return begins == _MAGIC and is_hdf5(path)


def load(path: Path, *, large_stay: bool = False) -> dict[str, Any]:
    """Variables by name, as ``scipy.io.loadmat`` gives those of older versions.

    Matrices have MATLAB's shape; cells are arrays of objects, structs have fields (``dtype.names``), chars are texts,
    logicals truth values; what only MATLAB reads is a :class:`MatlabOpaque`.

    Parameters
    ----------
    path : Path
    large_stay : bool
        Matrices of 1 MiB and more stay in the file, as :class:`Turned`.

    Raises
    ------
    UserError
        For a damaged file, references in a circle, links out of the file, and more than memory holds.
    """
    file = opened(path)
    reader = _Reader(file, path, large_stay)
    with closed_on_error(file), spoiled(path):
        found = {
            name: reader.value(node, name, ())
            for name, node in members(file, path)
            if not name.startswith("#")
        }
    if not large_stay:
        file.close()
    return found


class _Reader:
    """Decodes one file; counts what it has decoded."""

    def __init__(self, file: Any, path: Path, large_stay: bool) -> None:
        self.file, self.path, self.large_stay = file, path, large_stay
        self.n_bytes = 0
        self.decoded: dict[tuple[int, int], Any] = {}

    def value(self, node: Any, where: str, above: Above) -> Any:
        """A variable, field or cell; `above` are the places it lies in. What many refer to is decoded once."""
        place = address(node)
        if place in above or len(above) > _DEEPEST:
            raise UserError(
                f"{self.path.name}: {where} refers to itself, or is nested without an end: save it again"
            )
        if place not in self.decoded:
            if len(self.decoded) > _MOST:
                raise UserError(
                    f"{self.path.name} holds more than {_MOST} cells and fields: save matrices in their place"
                )
            self.decoded[place] = self._decoded(node, where, place, above)
        return self.decoded[place]

    def _decoded(self, node: Any, where: str, place: tuple[int, int], above: Above) -> Any:
        import h5py

        kind = _text(node.attrs.get(_CLASS, b""))
        if int(node.attrs.get(_OBJECT, 0)):
            return MatlabOpaque(kind)
        if isinstance(node, h5py.Group):
            if _SPARSE in node.attrs:
                return self._sparse(node, where)
            return self._struct(node, where, (*above, place))
        check_stored(node, self.path)
        if node.shape is None or _EMPTY in node.attrs:
            return _empty(node, kind)
        if h5py.check_ref_dtype(node.dtype) is h5py.Reference:
            return self._cells(node, where, (*above, place))
        if h5py.check_ref_dtype(node.dtype) is not None or kind not in ("", "char", *_NUMBERS):
            return MatlabOpaque(kind or "a reference to a part of an array")
        return self._array(node, kind)

    def _array(self, node: Any, kind: str) -> Any:
        n_bytes = node.size * node.dtype.itemsize
        plain = node.dtype.kind in "fiu" and kind not in ("char", "logical") and node.ndim > 1
        if self.large_stay and plain and n_bytes >= _LARGE:
            return Turned(node, self.path)
        self._require(n_bytes)
        values = node[()]
        if values.dtype.names and {"real", "imag"} <= set(values.dtype.names):
            values = values["real"] + 1j * values["imag"]
        values = np.atleast_2d(np.asarray(values)).T
        if kind == "char":
            return _chars(values)
        if values.dtype.kind in "SO":  # texts of somebody else's HDF5
            return np.array([_text(one) for one in values.ravel()], object).reshape(values.shape)
        return values != 0 if kind == "logical" else values

    def _cells(self, node: Any, where: str, above: Above) -> npt.NDArray[Any]:
        self._require(8 * node.size)
        references = np.atleast_2d(np.asarray(node[()], object)).T
        cells = np.empty(references.shape, object)
        for number, place in enumerate(np.ndindex(references.shape), start=1):
            one = references[place]
            cells[place] = (
                self.value(self.file[one], f"{where}{{{number}}}", above) if one else np.empty((0, 0))
            )
        return cells

    def _struct(self, group: Any, where: str, above: Above) -> npt.NDArray[Any]:
        fields = dict(members(group, self.path))
        order = [_field_name(one) for one in group.attrs.get(_FIELDS, ())]
        names = sorted(fields, key=lambda name: order.index(name) if name in order else len(order))
        if not names:
            return np.empty((0, 0), object)
        read = {name: self._field(fields[name], f"{where}.{name}", above) for name in names}
        arrays = [one for one, is_array in read.values() if is_array]
        shape = arrays[0].shape if len(arrays) == len(read) else (1, 1)
        if any(one.shape != shape for one in arrays) or (arrays and len(arrays) < len(read)):
            raise UserError(
                f"{self.path.name}: the fields of {where} are of different lengths: save it again"
            )
        struct = np.empty(shape, [(name, object) for name in names])
        for name, (one, is_array) in read.items():
            if is_array:
                struct[name] = one
            else:
                struct[name][0, 0] = one
        return struct

    def _field(self, node: Any, where: str, above: Above) -> tuple[Any, bool]:
        """A field, and whether it is one of an array of structs: references without a class of their own."""
        import h5py

        is_array = (
            isinstance(node, h5py.Dataset)
            and h5py.check_ref_dtype(node.dtype) is h5py.Reference
            and _CLASS not in node.attrs
        )
        if not is_array:
            return self.value(node, where, above), False
        if address(node) in above:
            raise UserError(f"{self.path.name}: {where} refers to itself: save it again")
        return self._cells(node, where, (*above, address(node))), True

    def _sparse(self, group: Any, where: str) -> Any:
        from scipy.sparse import csc_matrix

        parts = dict(members(group, self.path))
        starts = parts["jc"][()] if "jc" in parts else np.zeros(1)
        shape = (int(group.attrs[_SPARSE]), len(starts) - 1)
        if not {"data", "ir"} <= set(parts):
            return csc_matrix(shape)
        for one in parts.values():
            check_stored(one, self.path)
            self._require(8 * one.size)
        entries = parts["data"][()], parts["ir"][()].astype(np.int64), starts.astype(np.int64)
        try:
            matrix = csc_matrix(entries, shape)
            matrix.check_format(full_check=True)
        except (ValueError, IndexError) as error:
            raise UserError(f"{self.path.name}: the sparse matrix {where} is damaged ({error})") from error
        return matrix

    def _require(self, n_bytes: int) -> None:
        self.n_bytes += n_bytes
        require_for(self.path, 3 * self.n_bytes)


def _empty(node: Any, kind: str) -> npt.NDArray[Any]:
    shape = (0, 0) if node.shape is None else tuple(int(one) for one in np.ravel(node[()])[:8])
    if not shape or np.prod(shape):
        shape = (0, 0)
    return np.empty(shape, object if kind in ("cell", "struct") else "U1" if kind == "char" else np.float64)


def _chars(codes: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """A text a row of a matrix of UTF-16."""
    rows = codes.reshape(len(codes), -1).astype("<u2")
    return np.array([row.tobytes().decode("utf-16-le", "replace") for row in rows])


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _field_name(letters: Any) -> str:
    return b"".join(np.ravel(letters).astype("S1").tolist()).decode("ascii", "replace")
