"""Variables by name, as MATLAB saves them."""

from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ...bounded import require_for, require_for_hdf5, require_for_matlab
from ...errors import UserError, first_line
from ..columns import ColumnMap
from .base import COORDINATES, Format, Parts, add_format
from .matlab73 import MatlabOpaque, is_matlab73, load

_OPAQUE = {"s0", "s1", "s2", "arr"}
_PLAIN = "texts as cellstr(x), a table as table2struct(T, 'ToScalar', true)"


@add_format
class Matlab(Format):
    """Variables by name, as MATLAB saves them, v7.3 too; fields of a struct count as variables."""

    name, suffixes = "matlab", (".mat",)

    def read(self, path: Path) -> Parts:
        """The arrays of the file."""
        return self.read_mapped(path, ColumnMap())

    def read_mapped(self, path: Path, columns: ColumnMap) -> Parts:
        """The arrays of the file, under our names."""
        wanted = {"responses", *COORDINATES, *columns.columns.values(), *columns.columns}
        held = loaded(path)
        for name, value in list(held.items()):
            inside = _fields(value, f"{path.name}: {name}")
            if inside is not None and (wanted & set(inside) or not wanted & set(held)):
                del held[name]
                held = inside | held
        named = columns.of_arrays(held, path.name)
        return {
            name: matrix_of(value, f"{path.name}: {name}")
            if name == "responses"
            else column_of(value, f"{path.name}: {name}")
            for name, value in named.items()
        }

    def write(self, path: Path, parts: Parts) -> None:
        """Variables by name, texts as cells."""
        import scipy.io

        cells = {name: values.astype(object) for name, values in parts.items() if values.dtype.kind == "U"}
        scipy.io.savemat(path, {**parts, **cells})


def loaded(path: Path, *, large_stay: bool = False) -> dict[str, Any]:
    """Variables as scipy gives them: matrices, cells and structs as arrays of two dims.

    Parameters
    ----------
    path : Path
    large_stay : bool
        Of v7.3: large matrices stay in the file, as :class:`.matlab73.Turned`.

    Raises
    ------
    UserError
        For a damaged file, objects of MATLAB's own, and more than memory holds.
    """
    import scipy.io

    if is_matlab73(path):
        if not large_stay:
            require_for_hdf5(path)
        return load(path, large_stay=large_stay)
    require_for_matlab(path)
    try:
        content = scipy.io.loadmat(path)
    except Exception as error:  # a spoiled file ends in errors of any kind, zlib's among them
        raise UserError(
            f"{path} is damaged or not a MATLAB file ({first_line(error)}): save it again"
        ) from error
    opaque = content.pop("None", None)  # where scipy puts MATLAB's own objects
    if opaque is not None:
        raise UserError(f"{path.name} holds {_called(opaque)}, which only MATLAB reads: save {_PLAIN}")
    return {name: value for name, value in content.items() if not name.startswith("__")}


def _called(opaque: Any) -> str:
    if isinstance(opaque, MatlabOpaque):
        return f"an object of MATLAB's ({opaque.kind})"
    names = getattr(getattr(opaque, "dtype", None), "names", None) or ()
    kind = opaque["s2"].ravel()[0] if "s2" in names and opaque.size else b""
    said = kind.decode(errors="replace") if isinstance(kind, bytes) else str(kind)
    return f"an object of MATLAB's ({said})" if said else "an object of MATLAB's (string, table, categorical)"


def _fields(value: Any, where: str) -> dict[str, Any] | None:
    """The fields of a struct; those of an array of structs as a list each. None for anything else."""
    names = getattr(getattr(value, "dtype", None), "names", None)
    if not names or value.dtype.hasobject is False:
        return None
    _refuse_objects(value, where)
    if value.size == 1:
        return {name: value[name].ravel()[0] for name in names}
    if value.size == 0:
        return None
    found: dict[str, Any] = {}
    for name in names:
        entries = value[name].ravel()
        sizes = {np.shape(one) for one in entries}
        rows = [np.asarray(one).ravel() for one in entries]
        is_rows = name == "responses" and all(row.dtype.kind in "fiub" for row in rows) and len(sizes) == 1
        found[name] = np.array(rows) if is_rows else entries
    return found


def matrix_of(value: Any, where: str) -> npt.NDArray[Any]:
    """Numbers (presentation, neuroid), whole where they are stored sparsely."""
    if hasattr(value, "toarray"):
        require_for(Path(where), 2 * prod(value.shape) * max(value.dtype.itemsize, 8))
        value = value.toarray()
    _refuse_objects(value, where)
    if value.dtype == object:
        cells = [np.asarray(cell) for cell in value.ravel()]
        wrong = next(
            (i for i, cell in enumerate(cells) if cell.size != 1 or cell.dtype.kind not in "fiub"), None
        )
        if wrong is not None:
            raise UserError(f"{where}: cell {wrong + 1} is {_shown(cells[wrong])}, not one number")
        value = np.array([cell.item() for cell in cells], float).reshape(value.shape)
    return np.asarray(value)


def column_of(value: Any, where: str) -> npt.NDArray[Any]:
    """A list of names or numbers; rows of a character matrix lose the spaces that MATLAB fills them up with."""
    if hasattr(value, "toarray"):
        require_for(Path(where), 2 * prod(value.shape) * max(value.dtype.itemsize, 8))
        value = value.toarray()
    _refuse_objects(value, where)
    values = np.asarray(value)
    if values.dtype == object:
        return _cells(values, where)
    listed = values.ravel() if values.ndim < 3 and 1 in values.shape else np.atleast_1d(np.squeeze(values))
    return np.char.rstrip(listed) if listed.dtype.kind == "U" else listed


def _cells(values: npt.NDArray[Any], where: str) -> npt.NDArray[Any]:
    """What each cell holds: a text or a number."""
    found = []
    for number, cell in enumerate(values.ravel(), start=1):
        _refuse_objects(cell, where)
        one = np.asarray(cell)
        if one.dtype == object and one.size == 1:  # a cell in a cell
            one = np.asarray(one.ravel()[0])
        if one.size == 0:
            raise UserError(f"{where}: cell {number} of {values.size} is empty: fill it in")
        if one.size != 1 or one.dtype.kind not in "fiubU":
            raise UserError(f"{where}: cell {number} is {_shown(one)}, not one text or number")
        found.append(one.ravel()[0].item())
    kinds = {type(one) for one in found}
    texts = [one.rstrip() if isinstance(one, str) else one for one in found]
    return np.array(texts) if len(kinds) == 1 else np.array(texts, object)


def _refuse_objects(value: Any, where: str) -> None:
    """Raise a UserError for what is MATLAB's own."""
    names = set(getattr(getattr(value, "dtype", None), "names", None) or ())
    if names >= _OPAQUE or type(value).__name__ in ("MatlabFunction", "MatlabObject", "MatlabOpaque"):
        raise UserError(f"{where} is {_called(value)}, which only MATLAB reads: save {_PLAIN}")


def _shown(value: npt.NDArray[Any]) -> str:
    if value.dtype.names:
        return f"a struct with {', '.join(value.dtype.names)}"
    return f"of shape {value.shape}" if value.dtype.kind in "fiubU" else "something nested"
