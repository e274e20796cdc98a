"""Any HDF5 file: arrays by their place in it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ...bounded import require_for
from ...errors import UserError
from ..imported import Computed, Imported, Numbers, ReadOptions
from ..reading.arrays.hdf5_nodes import (
    address,
    check_stored,
    closed_on_error,
    is_hdf5,
    members,
    opened,
    spoiled,
)
from ..reading.arrays.named import Branch, Held
from ..reading.arrays.recording import TAKES, recording_of
from .recording import RECORDING_FORMATS, RecordingFormat, add_recording_format, recognizes_safely

_SUFFIXES = (".h5", ".hdf5", ".hf5", ".he5")
_MOST, _DEEPEST = 20_000, 32


@add_recording_format
class Hdf5(RecordingFormat):
    """An HDF5 file (.h5, .hdf5): responses by --array /group/name, stimulus ids by --stimulus-column or --events."""

    name = "hdf5"
    takes = TAKES

    def recognizes(self, path: Path) -> bool:
        """By how it begins and is called, where no other format knows it better."""
        return is_plain_file(path, _SUFFIXES) and is_hdf5(path) and not known_better(path, self.name)

    def read(self, path: Path, options: ReadOptions) -> Imported:
        """The array that is named, or the only one; it stays in the file."""
        if not path.is_file():
            raise UserError(f"{path} is no file: the format hdf5 is one .h5 file")
        file = opened(path)
        with closed_on_error(file):
            return recording_of(arrays_of(file, path), path, options)


def is_plain_file(path: Path, suffixes: tuple[str, ...]) -> bool:
    """Whether there is a file that is called so."""
    try:
        return path.name.lower().endswith(suffixes) and path.is_file()
    except OSError:
        return False


def known_better(path: Path, *general: str) -> bool:
    """Whether a format recognizes a file that is not one of these, which take what no other does."""
    return any(recognizes_safely(one, path) for name, one in RECORDING_FORMATS.items() if name not in general)


def arrays_of(file: Any, path: Path) -> Branch:
    """The arrays of a file by group, none of them read yet.

    Raises
    ------
    UserError
        For a damaged file, links out of it, groups that hold themselves, and more arrays than anybody would name.
    """
    with spoiled(path):
        return _branch(file, path, (), [0])


def _branch(group: Any, path: Path, above: tuple[tuple[int, int], ...], count: list[int]) -> dict[str, Any]:
    import h5py

    place = address(group)
    if place in above or len(above) > _DEEPEST:
        raise UserError(
            f"{path.name}: the group {group.name} holds itself, or is nested without an end: refused"
        )
    found: dict[str, Any] = {}
    for name, node in members(group, path):
        count[0] += 1
        if count[0] > _MOST:
            raise UserError(f"{path.name} holds more than {_MOST} arrays: put what belongs together into one")
        if isinstance(node, h5py.Group):
            found[name] = _branch(node, path, (*above, place), count)
        elif isinstance(node, h5py.Dataset):
            found[name] = _held(node, path)
    return found


def _held(node: Any, path: Path) -> Held:
    import h5py

    place, shape = node.name, tuple(node.shape or ())
    kind, what = node.dtype, ""
    if node.shape is None:
        what = "empty"
    elif h5py.check_string_dtype(kind) is not None:
        return Held(place, "texts", shape, _whole(node, path, _texts))
    elif kind.names:
        if shape and len(shape) == 1 and all(kind[name].kind in "fiubSO" for name in kind.names):
            return Held(place, "table", shape, _whole(node, path, _table))
        what = f"a compound array of {', '.join(kind.names)}"
    elif kind.kind in "fiub":
        return Held(place, "numbers", shape, _whole(node, path, np.asarray), lambda: _numbers(node, path))
    elif h5py.check_ref_dtype(kind) is not None:
        what = "an array of references to others"
    elif h5py.check_vlen_dtype(kind) is not None:
        what = "an array of objects (lists of different lengths)"
    else:
        what = f"an array of {'complex numbers' if kind.kind == 'c' else kind}"
    return Held(place, "other", shape, _whole(node, path, np.asarray), what=what)


def _whole(node: Any, path: Path, make: Callable[[Any], Any]) -> Callable[[], Any]:
    def get() -> Any:
        with spoiled(path):
            check_stored(node, path)
            require_for(path, 4 * node.size * max(node.dtype.itemsize, 8))
            return make(node[()])

    return get


def _texts(values: Any) -> npt.NDArray[Any]:
    read = [
        one.decode("utf-8", "replace") if isinstance(one, bytes) else str(one) for one in np.ravel(values)
    ]
    return np.array(read, object).reshape(np.shape(values))


def _table(values: Any) -> pd.DataFrame:
    columns = {name: values[name] for name in values.dtype.names if values[name].ndim == 1}
    return pd.DataFrame(
        {name: _texts(one) if one.dtype.kind in "SO" else one for name, one in columns.items()}
    )


def _numbers(node: Any, path: Path) -> Numbers:
    check_stored(node, path)

    def get(rows: slice, neuroids: slice, *rest: slice) -> npt.NDArray[Any]:
        with spoiled(path):
            read: npt.NDArray[Any] = node[(rows, neuroids, *rest)]
        return read

    return _Where(tuple(node.shape), get, node.dtype)


class _Where(Computed):
    """Numbers in a file, of which any dimension may be cut."""

    def __getitem__(self, key: tuple[slice, ...], /) -> npt.NDArray[Any]:
        return self.get(*key)
