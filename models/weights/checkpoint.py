"""Torch files that carry more than tensors, read without executing anything.

torch's own ``weights_only`` refuses a file whose pickle names any other class, such as the ``argparse.Namespace`` of
a training script, and takes the lengths that a file declares for true. Here tensors and plain containers are rebuilt, a
few classes that only hold settings become inert placeholders, every other name is refused, and nothing is made that is
larger than the file.
"""

import io
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...errors import UserError, first_line
from ...memory import require
from ...pickles import RestrictedUnpickler

_DTYPES = {
    "FloatStorage": torch.float32,
    "DoubleStorage": torch.float64,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
    "ComplexFloatStorage": torch.complex64,
    "ComplexDoubleStorage": torch.complex128,
    "UntypedStorage": torch.uint8,
}
_MAGIC = 0x1950A86A20F9469CFC6C
"""With which files of torch before 1.6 begin."""
_A_BYTE_OF_PICKLE = 64
"""What one of its instructions takes at most once it was carried out."""
_SMALL = 1 << 26


class DamagedError(pickle.UnpicklingError):
    """A file that is not as torch writes it."""


class Settings:
    """Stands for an object of settings; keeps nothing and does nothing."""

    def __init__(self, *arguments: object, **named: object) -> None:
        del arguments, named

    def __setstate__(self, state: object) -> None:
        """Its state is dropped."""

    def __setitem__(self, key: object, value: object) -> None:
        """Its items are dropped."""

    def append(self, item: object) -> None:
        """Its items are dropped."""

    def extend(self, items: object) -> None:
        """Its items are dropped."""


class _Restricted(RestrictedUnpickler):
    """Names that it does not know are refused; none of those it knows runs anything of the file's."""

    def __init__(self, raw: bytes | memoryview, start: int = 0) -> None:
        self.stream = io.BytesIO(raw)
        self.stream.seek(start)
        super().__init__(self.stream, encoding="utf-8")

    def find_class(self, module: str, name: str) -> Any:
        """What a name of the pickle stands for here."""
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) in _REBUILT:
            return partial(_REBUILT[module, name])
        if module in ("torch", "torch.storage") and name in _DTYPES:
            return _DTYPES[name]
        if module == "torch" and isinstance(getattr(torch, name, None), torch.dtype):
            return getattr(torch, name)
        if (module, name) == ("torch", "Size"):
            return tuple
        if _only_settings(module, name):
            return Settings
        return super().find_class(module, name)

    def storage_kind(self, pid: Any, n_parts: int) -> tuple[torch.dtype, str]:
        """The type and the key of a storage that the pickle names."""
        if not isinstance(pid, tuple) or len(pid) != n_parts or not isinstance(pid[1], torch.dtype):
            raise DamagedError("it names a storage of an unknown kind")
        return pid[1], str(pid[2])


def _only_settings(module: str, name: str) -> bool:
    return (
        (module, name)
        in {
            ("argparse", "Namespace"),
            ("typing", "Any"),
            ("collections", "defaultdict"),
            ("torch", "device"),
            ("_codecs", "encode"),
        }
        or module.removesuffix(".multiarray")
        in ("numpy", "numpy.core", "numpy._core")  # a best accuracy, as a rule
        or module.partition(".")[0] == "omegaconf"
        or (module in ("pathlib", "pathlib._local") and name.endswith("Path"))
        or (
            module in ("builtins", "__builtin__")
            and name in {"dict", "list", "tuple", "int", "float", "str", "bool", "set"}
        )
        or (module == "positions" and name == "LayerPositions")
    )


class _Archive(_Restricted):
    """The pickle of a torch archive, whose storages lie beside it."""

    def __init__(self, archive: zipfile.ZipFile, name: str) -> None:
        super().__init__(archive.read(name))
        self._archive, self._folder = archive, name.removesuffix("data.pkl")
        self._storages: dict[str, Tensor] = {}

    def persistent_load(self, pid: Any) -> Tensor:
        """A storage by its key, as a flat tensor."""
        dtype, key = self.storage_kind(pid, 5)
        if key not in self._storages:
            self._storages[key] = _storage(self._archive.read(f"{self._folder}data/{key}"), dtype)
        return self._storages[key]


class _Skimmed(_Restricted):
    """The pickle of an old file, read only to find its end, and the types of its storages."""

    def __init__(self, raw: bytes, start: int) -> None:
        super().__init__(raw, start)
        self.kinds: dict[str, torch.dtype] = {}

    def find_class(self, module: str, name: str) -> Any:
        """Tensors are left out."""
        found = super().find_class(module, name)
        return Settings if isinstance(found, partial) else found

    def persistent_load(self, pid: Any) -> Settings:
        """The storage comes behind the pickle."""
        dtype, key = self.storage_kind(pid, 6)
        self.kinds[key] = dtype
        return Settings()


class _Old(_Restricted):
    """The same pickle once its storages were read."""

    def __init__(self, raw: bytes, start: int, storages: dict[str, memoryview]) -> None:
        super().__init__(raw, start)
        self._storages = storages

    def persistent_load(self, pid: Any) -> Tensor:
        """A storage by its key, or the part of one that an older torch kept as a view."""
        dtype, key = self.storage_kind(pid, 6)
        values = _storage(self._storages[key], dtype)
        if pid[5] is None:
            return values
        _, offset, length = pid[5]
        return values[offset : offset + length]


def _storage(raw: bytes | memoryview, dtype: torch.dtype) -> Tensor:
    return torch.frombuffer(bytearray(raw), dtype=dtype) if len(raw) else torch.empty(0, dtype=dtype)


def read_torch_file(path: Path) -> Any:
    """What a file of ``torch.save`` holds, with inert :class:`Settings` for objects of settings.

    Raises
    ------
    UserError
        Where it would not fit into memory.
    pickle.UnpicklingError
        For a file that names anything that is not admitted; a DamagedError for one that is not as torch writes it.
    """
    with path.open("rb") as stream:
        start = stream.read(4)
    require_for_file(path, path.stat().st_size)
    return read_archive(path) if start == b"PK\x03\x04" else _read_old(path.read_bytes())


def read_archive(path: Path) -> Any:
    """The same of a torch archive (a zip file), which is looked at before any of it is read.

    Raises
    ------
    pickle.UnpicklingError
        As :func:`read_torch_file`.
    """
    if not zipfile.is_zipfile(path):
        raise DamagedError("it is no torch archive")
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
            raise DamagedError("it is compressed, which torch's archives are not: save the weights again")
        if any(entry.file_size != entry.compress_size for entry in entries) or (
            sum(entry.file_size for entry in entries) > path.stat().st_size
        ):
            raise DamagedError("its entries are longer than the file")
        names = [entry for entry in entries if entry.filename.endswith("data.pkl")]
        if len(names) != 1 or len({entry.filename for entry in entries}) < len(entries):
            raise DamagedError("it is no torch archive")
        order = names[0].filename.removesuffix("data.pkl") + "byteorder"
        if order in archive.namelist() and archive.read(order) != b"little":
            raise DamagedError("it was written on a big-endian machine: save it again on another")
        require_for_file(path, names[0].file_size * _A_BYTE_OF_PICKLE)
        return _Archive(archive, names[0].filename).load()


def _read_old(raw: bytes) -> Any:
    """A file of torch before 1.6: five pickles, then each storage behind its length."""
    head = _Restricted(raw)
    if head.load() != _MAGIC:
        raise DamagedError("it does not begin as torch's files do")
    _, about = head.load(), head.load()
    if isinstance(about, dict) and about.get("little_endian") is False:
        raise DamagedError("it was written on a big-endian machine: save it again on another")
    start = head.stream.tell()
    skimmed = _Skimmed(raw, start)
    skimmed.load()
    tail = _Restricted(raw, skimmed.stream.tell())
    keys, place = tail.load(), tail.stream.tell()
    storages: dict[str, memoryview] = {}
    for key in keys:
        length = int.from_bytes(raw[place : place + 8], "little") * skimmed.kinds[str(key)].itemsize
        if place + 8 + length > len(raw):
            raise DamagedError("its storages are longer than the file")
        storages[str(key)] = memoryview(raw)[place + 8 : place + 8 + length]
        place += 8 + length
    return _Old(raw, start, storages).load()


def read_npz(path: Path) -> dict[str, np.ndarray[Any, np.dtype[Any]]]:
    """The arrays of an ``.npz`` file, whose entries have to fit into memory as their headers say.

    Raises
    ------
    UserError
        For a file that cannot be read.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            require_for_file(path, sum(entry.file_size for entry in archive.infolist()))
        with np.load(path, allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}
    except UserError:
        raise
    except Exception as error:  # a file of any bytes at all reaches any line of the reader
        raise UserError(f"{path} is no readable .npz file ({first_line(error)})") from error


def require_for_file(path: Path, n_bytes: int) -> None:
    """Refuse a file that memory does not hold, before it is read."""
    if n_bytes > _SMALL:
        require(n_bytes, str(path), remedy="keep its weights alone")


class _Positions(_Restricted):
    """TopoLM's positions: one object, whose fields are kept as a table."""

    def find_class(self, module: str, name: str) -> Any:
        """The object itself becomes a table of its fields."""
        return (
            _Fields if (module, name) == ("positions", "LayerPositions") else super().find_class(module, name)
        )


class _Fields(Settings):
    """Keeps the fields that its state names."""

    fields: dict[str, Any]

    def __setstate__(self, state: object) -> None:
        """A table from names to tensors and plain values."""
        self.fields = dict(state) if isinstance(state, dict) else {}


def read_position_pickle(path: Path) -> dict[str, Any]:
    """The fields of a ``LayerPositions`` of TopoLM.

    Raises
    ------
    pickle.UnpicklingError
        For a file that holds anything else.
    """
    found = _Positions(path.read_bytes()).load()
    if not isinstance(found, _Fields):
        raise pickle.UnpicklingError("it holds no positions")
    return found.fields


def _tensor(storage: Any, offset: int, size: Any, stride: Any, *_rest: object) -> Tensor:
    if not isinstance(storage, Tensor) or storage.ndim != 1:
        raise DamagedError("a tensor without a storage")
    size, stride = tuple(int(one) for one in size), tuple(int(one) for one in stride)
    reach = (
        offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True)) if all(size) else offset
    )
    beyond = all(size) and (reach >= len(storage) or prod(size) > len(storage))
    if min((offset, *size, *stride), default=0) < 0 or beyond:
        raise DamagedError("a tensor reaches beyond its storage")
    return storage.as_strided(size, stride, offset).clone()


def _typed_tensor(
    storage: Any, offset: int, size: Any, stride: Any, grad: object, hooks: object, dtype: Any, *_rest: object
) -> Tensor:
    """Of a type that has no storage class of its own, such as float8."""
    return _tensor(storage.view(dtype), offset, size, stride)


def _parameter(data: Tensor, *_rest: object) -> Tensor:
    return data


_REBUILT: dict[tuple[str, str], Callable[..., Any]] = {
    ("torch._utils", "_rebuild_tensor"): _tensor,
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
    ("torch._utils", "_rebuild_tensor_v3"): _typed_tensor,
    ("torch._utils", "_rebuild_parameter"): _parameter,
    (
        "torch.storage",
        "_load_from_bytes",
    ): _read_old,  # a storage inside a plain pickle is a torch file of its own
}


def as_positions(fields: dict[str, Any]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Coordinates (n_units, 2) among the fields of a ``LayerPositions``."""
    coordinates = fields.get("coordinates")
    if not isinstance(coordinates, Tensor) or coordinates.ndim != 2 or coordinates.shape[1] != 2:
        raise pickle.UnpicklingError("it holds no coordinates of shape (n_units, 2)")
    return coordinates.double().numpy()
