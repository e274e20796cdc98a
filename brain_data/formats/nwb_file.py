"""What stands in an NWB 2 file, read with h5py alone: groups, texts, and the tables that NWB calls DynamicTable."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ...bounded import require_for
from ...errors import UserError, first_line, unknown

_SMALL = 1 << 24
"""Bytes below which an array is taken as it is."""
_MOST_PACKED = 1100
"""deflate packs into no less than this part."""
_LARGEST_PIECE = 1 << 28
_SHOWN = "stimulus/presentation"
_SIGNATURE = b"\x89HDF\r\n\x1a\n"


def is_nwb(path: Path) -> bool:
    """Whether a file says that it is of NWB, of any version."""
    if not path.is_file():
        return False
    if path.suffix.lower() == ".nwb":
        return True
    try:
        with path.open("rb") as stream:
            if stream.read(8) != _SIGNATURE:
                return False
        import h5py

        with h5py.File(path, "r") as file:
            return "nwb_version" in file.attrs or "nwb_version" in file
    except (OSError, RuntimeError, ValueError, KeyError):
        return False


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """The file, whatever goes wrong with it said in one line.

    Raises
    ------
    UserError
        For what is no HDF5 file, cut off, damaged, or of NWB 1.
    """
    import h5py

    try:
        with h5py.File(path, "r") as file:
            _check_version(path, file)
            yield file
    except UserError:
        raise
    except (OSError, RuntimeError, KeyError, TypeError, ValueError, IndexError) as error:
        raise UserError(f"{path} is no whole HDF5 file: cut off or damaged ({first_line(error)})") from error


def _check_version(path: Path, file: Any) -> None:
    version = text(file.attrs.get("nwb_version", ""))
    if not version and "nwb_version" in file:
        old = text(file["nwb_version"][()])
        raise UserError(
            f"{path} is of NWB 1 ({old or 'no version'}): only NWB 2 is read; its authors may have published it again "
            "as NWB 2 (dandiarchive.org)"
        )
    if not version.startswith("2"):
        raise UserError(f"{path} says no version of NWB 2 (nwb_version {version or 'missing'})")


def text(value: Any) -> str:
    """A text of HDF5, however it was written; several with commas between them."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace").strip()
    if isinstance(value, np.ndarray):
        return ", ".join(one for one in map(text, value.ravel().tolist()) if one)
    return str(value).strip()


def member(group: Any, name: str) -> Any:
    """A group or array by its path from a group; None where there is none.

    Raises
    ------
    UserError
        Where the way leads into another file.
    """
    import h5py

    for part in name.strip("/").split("/"):
        if not isinstance(group, h5py.Group) or (link := group.get(part, getlink=True)) is None:
            return None
        if isinstance(link, h5py.ExternalLink):
            raise UserError(
                f"{Path(group.file.filename).name}: {group.name.rstrip('/')}/{part} is a link into another file "
                f"({link.filename}): refused; save it in one file"
            )
        group = group.get(part)
        if group is None:
            return None
    if isinstance(group, h5py.Dataset) and (group.external or group.is_virtual):
        raise UserError(
            f"{Path(group.file.filename).name}: {group.name} keeps its numbers in another file: refused; save it in one"
        )
    return group


def array(group: Any, name: str) -> Any:
    """As :func:`member`, an array; None for anything else.

    Raises
    ------
    UserError
        For one that says that it holds more than its file can have packed, or that is packed in too large pieces.
    """
    found = member(group, name)
    if not hasattr(found, "shape") or found.shape is None:
        return None
    n_bytes = int(found.dtype.itemsize * np.prod(found.shape, dtype=np.float64))
    if n_bytes > _SMALL and n_bytes > _MOST_PACKED * found.id.get_storage_size():
        raise UserError(
            f"{Path(group.file.filename).name}: {found.name} says that it holds {n_bytes / 2**30:.1f} GiB, and "
            f"{found.id.get_storage_size() / 2**30:.3f} GiB are there: refused"
        )
    if found.chunks and found.dtype.itemsize * int(np.prod(found.chunks)) > _LARGEST_PIECE:
        raise UserError(
            f"{Path(group.file.filename).name}: {found.name} is stored in pieces of more than 256 MiB: refused"
        )
    return found


def needed(group: Any, name: str, place: str) -> Any:
    """As :func:`array`, of which there must be one."""
    found = array(group, name)
    if found is None:
        raise UserError(f"{place} has no {name}: it is no whole one of NWB")
    return found


def whole(dataset: Any) -> npt.NDArray[Any]:
    """All of an array that memory holds; texts as ``str``.

    Raises
    ------
    UserError
        Where memory would not hold it.
    """
    import h5py

    require_for(
        Path(dataset.file.filename), 2 * max(dataset.dtype.itemsize, 8) * int(np.prod(dataset.shape or 1))
    )
    if h5py.check_string_dtype(dataset.dtype) is not None:
        return np.array([text(one) for one in np.atleast_1d(dataset[()]).ravel()], object).reshape(
            dataset.shape
        )
    found: npt.NDArray[Any] = dataset[()]
    return found


def kind_of(group: Any) -> str:
    """The name of its type in NWB."""
    return text(group.attrs.get("neurodata_type", "")) if group is not None else ""


def children(group: Any) -> list[str]:
    """Names in a group, in order; none where there is no group."""
    return [] if group is None or hasattr(group, "shape") else sorted(group)


class Table:
    """A table of NWB: an array a column; ragged columns have an array of ends beside them.

    Parameters
    ----------
    group : h5py.Group
    place : str
        What messages call it.

    Raises
    ------
    UserError
        Where columns are of unlike lengths.
    """

    def __init__(self, group: Any, place: str) -> None:
        self.group, self.place = group, place
        self.ids = whole(needed(group, "id", place))
        names = group.attrs.get("colnames", ())
        self.names = [text(one) for one in np.atleast_1d(names)] if len(names) else []
        for name in children(group):
            if (
                name not in self.names
                and name != "id"
                and not name.endswith("_index")
                and array(group, name) is not None
            ):
                self.names.append(name)

    def __len__(self) -> int:
        return len(self.ids)

    def __contains__(self, name: str) -> bool:
        return array(self.group, name) is not None

    def is_ragged(self, name: str) -> bool:
        """Whether a row of a column holds any number of values."""
        return array(self.group, f"{name}_index") is not None

    def column(self, name: str) -> npt.NDArray[Any]:
        """A column with one value a row; texts as ``str``."""
        dataset = needed(self.group, name, self.place)
        if dataset.shape[:1] != (len(self),):
            raise UserError(
                f"{self.place}: column {name} has {dataset.shape[0] if dataset.shape else 1} values, and the table "
                f"{len(self)} rows"
            )
        found = whole(dataset)
        elements = dataset.attrs.get("elements")
        if elements is not None and found.dtype.kind in "iu":  # an enumeration
            named: npt.NDArray[Any] = whole(self.group.file[elements])[found]
            return named
        return found

    def ends(self, name: str) -> npt.NDArray[np.int64]:
        """Where each row's values of a ragged column end.

        Raises
        ------
        UserError
            Where they do not ascend, or end beyond the values.
        """
        found = whole(needed(self.group, f"{name}_index", self.place))
        n = needed(self.group, name, self.place).shape[0]
        if found.dtype.kind not in "iu":
            raise UserError(f"{self.place}: {name}_index holds no whole numbers")
        ends: npt.NDArray[np.int64] = found.astype(np.int64)
        if len(ends) != len(self) or (np.diff(ends, prepend=0) < 0).any() or (len(ends) and ends[-1] != n):
            raise UserError(
                f"{self.place}: {name}_index is damaged: {len(self)} rows, and it parts {n} values into {len(ends)}, "
                f"the last of which ends at {ends[-1] if len(ends) else 0}"
            )
        return ends

    def ragged(self, name: str) -> list[npt.NDArray[Any]]:
        """The values of each row of a ragged column, or of one with a value a row."""
        if not self.is_ragged(name):
            return [np.atleast_1d(one) for one in self.column(name)]
        return np.split(whole(self.group[name]), self.ends(name)[:-1])

    def labels(self) -> pd.DataFrame:
        """Columns with one number, text or truth value a row."""
        plain = {}
        for name in self.names:
            dataset = array(self.group, name)
            if dataset is None or dataset.ndim != 1 or self.is_ragged(name) or "table" in dataset.attrs:
                continue
            if dataset.dtype.kind in "fiub" or _holds_texts(dataset):
                plain[name] = self.column(name)
        return pd.DataFrame(plain, index=range(len(self)))

    def target(self, name: str) -> Any:
        """The group of the table whose rows a column names."""
        reference = needed(self.group, name, self.place).attrs.get("table")
        return None if not reference else self.group.file[reference]


def _holds_texts(dataset: Any) -> bool:
    import h5py

    return h5py.check_string_dtype(dataset.dtype) is not None


def tables_of(file: Any) -> dict[str, Any]:
    """Tables of intervals by name: those of ``intervals``, and of processing modules."""
    found = {}
    for name in children(member(file, "intervals")):
        group = member(file, f"intervals/{name}")
        if array(group, "start_time") is not None:
            found[name] = group
    for module in children(member(file, "processing")):
        for name in children(member(file, f"processing/{module}")):
            group = member(file, f"processing/{module}/{name}")
            if array(group, "start_time") is not None and array(group, "id") is not None:
                found[f"processing/{module}/{name}"] = group
    return found


def _numbered(file: Any) -> dict[str, Any]:
    """Series that say when which number of a stack of pictures was shown."""
    names = [f"{_SHOWN}/{name}" for name in children(member(file, _SHOWN))]
    return {name: group for name in names if kind_of(group := member(file, name)) == "IndexSeries"}


def table_named(file: Any, asked: str | None, path: Path) -> tuple[str, Any]:
    """The table of presentations: the only one there is, or the one that was asked for.

    Raises
    ------
    UserError
        For none, several, or one that there is not.
    """
    tables = tables_of(file)
    numbered = {name: group for name, group in _numbered(file).items() if name not in tables}
    if asked is not None:
        tables |= numbered
        names = [
            name
            for name in (
                asked,
                f"{asked}_presentations",
                asked.removeprefix("intervals/"),
                f"{_SHOWN}/{asked}",
            )
            if name in tables
        ]
        if not names:
            raise unknown(f"table of presentations in {path.name} (--events)", asked, tables)
        return names[0], tables[names[0]]
    likely = [name for name in tables if name not in ("epochs", "invalid_times", "spontaneous_presentations")]
    if not likely:
        tables, likely = tables | numbered, list(numbered)
    if not likely:
        also = f" (it has {', '.join(tables)})" if tables else ""
        raise UserError(
            f"{path.name} has no table of trials or presentations{also}: give one by --events FILE with columns onset "
            "(s, the recording's clock) and stimulus_id"
        )
    if len(likely) > 1:
        raise UserError(f"{path.name} has the stimulus tables {', '.join(likely)}: say which by --events")
    return likely[0], tables[likely[0]]
