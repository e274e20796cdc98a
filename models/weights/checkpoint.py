"""Torch files that carry more than tensors, read without executing anything.

torch's own ``weights_only`` refuses a file whose pickle names any other class, such as the ``argparse.Namespace`` of
a training script. Here tensors and plain containers are rebuilt, a few classes that only hold settings become
inert placeholders, and every other name is refused.
"""

import io
import pickle
import warnings
import zipfile
from collections import OrderedDict
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

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
}
_LIMIT = 1 << 36


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


class _Restricted(pickle.Unpickler):
    """Names that it does not know are refused; none of those it knows runs anything of the file's."""

    def find_class(self, module: str, name: str) -> Any:
        """What a name of the pickle stands for here."""
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _tensor
        if (module, name) == ("torch._utils", "_rebuild_parameter"):
            return _parameter
        if (module, name) == ("torch.storage", "_load_from_bytes"):
            return _storage_from_bytes
        if module == "torch" and name in _DTYPES:
            return _DTYPES[name]
        if (module, name) == ("torch", "Size"):
            return tuple
        if _only_settings(module, name):
            return Settings
        raise pickle.UnpicklingError(f"it names {module}.{name}")


def _only_settings(module: str, name: str) -> bool:
    return (
        (module, name) in {("argparse", "Namespace"), ("typing", "Any"), ("collections", "defaultdict")}
        or module.partition(".")[0] == "omegaconf"
        or (module in ("pathlib", "pathlib._local") and name.endswith("Path"))
        or (module == "builtins" and name in {"dict", "list", "tuple", "int", "float", "str", "bool", "set"})
        or (module == "positions" and name == "LayerPositions")
    )


class _Archive(_Restricted):
    """The pickle of a torch archive, whose storages lie beside it."""

    def __init__(self, archive: zipfile.ZipFile, name: str) -> None:
        super().__init__(io.BytesIO(archive.read(name)))
        self._archive, self._folder = archive, name.removesuffix("data.pkl")
        self._storages: dict[str, Tensor] = {}

    def persistent_load(self, pid: Any) -> Tensor:
        """A storage by its key, as a flat tensor."""
        if not isinstance(pid, tuple) or len(pid) != 5 or not isinstance(pid[1], torch.dtype):
            raise pickle.UnpicklingError("it names a storage of an unknown kind")
        _, dtype, key, _, _ = pid
        if key not in self._storages:
            raw = bytearray(self._archive.read(f"{self._folder}data/{key}"))
            self._storages[key] = torch.frombuffer(raw, dtype=dtype) if raw else torch.empty(0, dtype=dtype)
        return self._storages[key]


def read_archive(path: Path) -> Any:
    """What a torch archive (a zip file) holds, with inert :class:`Settings` for objects of settings.

    Raises
    ------
    pickle.UnpicklingError
        For a file that is no archive, or names anything that is not admitted.
    """
    if not zipfile.is_zipfile(path):
        raise pickle.UnpicklingError("it is no torch archive")
    with zipfile.ZipFile(path) as archive:
        names = [name for name in archive.namelist() if name.endswith("data.pkl")]
        if len(names) != 1 or sum(entry.file_size for entry in archive.infolist()) > _LIMIT:
            raise pickle.UnpicklingError("it is no torch archive")
        return _Archive(archive, names[0]).load()


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
    with path.open("rb") as stream:
        found = _Positions(stream).load()
    if not isinstance(found, _Fields):
        raise pickle.UnpicklingError("it holds no positions")
    return found.fields


def _tensor(storage: Any, offset: int, size: Any, stride: Any, *_rest: object) -> Tensor:
    flat = storage if isinstance(storage, Tensor) else _flat(storage)
    size, stride = tuple(int(one) for one in size), tuple(int(one) for one in stride)
    reach = (
        offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True)) if all(size) else offset
    )
    beyond = all(size) and (reach >= len(flat) or prod(size) > len(flat))
    if min((offset, *size, *stride), default=0) < 0 or beyond:
        raise pickle.UnpicklingError("a tensor reaches beyond its storage")
    return flat.as_strided(size, stride, offset).clone()


def _flat(storage: Any) -> Tensor:
    if not isinstance(storage, torch.storage.TypedStorage):
        raise pickle.UnpicklingError("a tensor without a storage")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "TypedStorage is deprecated", UserWarning)
        flat: Tensor = torch.tensor([], dtype=storage.dtype)
        return flat.set_(storage.untyped())  # type: ignore[no-untyped-call]


def _parameter(data: Tensor, *_rest: object) -> Tensor:
    return data


def _storage_from_bytes(raw: bytes) -> Any:
    """A storage inside a plain pickle is a torch file of its own."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "TypedStorage is deprecated", UserWarning)
        return torch.load(io.BytesIO(raw), map_location="cpu", weights_only=True)


def as_positions(fields: dict[str, Any]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Coordinates (n_units, 2) among the fields of a ``LayerPositions``."""
    coordinates = fields.get("coordinates")
    if not isinstance(coordinates, Tensor) or coordinates.ndim != 2 or coordinates.shape[1] != 2:
        raise pickle.UnpicklingError("it holds no coordinates of shape (n_units, 2)")
    return coordinates.double().numpy()
