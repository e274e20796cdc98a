"""Texts that numpy saved as Python objects, as pandas keeps them, read without what could execute code."""

import io
import pickle
from typing import Any, ClassVar, cast

import numpy as np
import numpy.typing as npt

from ....errors import UserError

_PLAIN = (str, int, float, bool, type(None))


class _Array:
    """Stands in for an array: it keeps what it was made of, and does nothing."""

    state: tuple[Any, ...] = ()

    def __setstate__(self, state: Any) -> None:
        self.state = state if isinstance(state, tuple) else ()


class _Dtype:
    """Stands in for a dtype."""

    def __init__(self, name: str = "", *_: Any) -> None:
        self.name = str(name)

    def __setstate__(self, state: Any) -> None:
        del state


def _made(*_: Any) -> _Array:
    return _Array()


def _scalar(kind: Any, content: Any = b"") -> object:
    """One value of numpy's: texts and whole numbers are all that names of stimuli need."""
    name = getattr(kind, "name", "")
    if not isinstance(content, bytes) or name[:1] not in ("U", "i", "u"):
        raise pickle.UnpicklingError(f"a value of numpy's type {name!r}")
    if name.startswith("U"):
        return content.decode("utf-32-le").rstrip("\0")
    return int.from_bytes(content, "little", signed=name.startswith("i"))


class _Texts(pickle.Unpickler):
    """Knows four names, and has stand-ins for them that only keep what they are given."""

    known: ClassVar[dict[tuple[str, str], Any]] = {
        (f"numpy.{core}.multiarray", name): stand_in
        for core in ("core", "_core")
        for name, stand_in in (("_reconstruct", _made), ("scalar", _scalar))
    } | {("numpy", "ndarray"): _Array, ("numpy", "dtype"): _Dtype}

    def find_class(self, module: str, name: str) -> Any:
        """A stand-in, whatever the file asks for."""
        if (module, name) not in self.known:
            raise pickle.UnpicklingError(f"{module}.{name}")
        return self.known[module, name]


def texts_of(content: bytes, where: str) -> npt.NDArray[np.object_]:
    """The texts (and numbers) of an ``.npy`` of Python objects.

    Parameters
    ----------
    content : bytes
        The whole ``.npy``.
    where : str
        For messages.

    Raises
    ------
    UserError
        For an array of anything but texts, numbers and None.
    """
    stream, npy = io.BytesIO(content), cast("Any", np.lib.format)  # numpy leaves its own format untyped
    try:
        major, _ = npy.read_magic(stream)
        shape, _, _ = (npy.read_array_header_1_0 if major == 1 else npy.read_array_header_2_0)(stream)
        held = _Texts(stream).load()
        values = held.state[4] if isinstance(held, _Array) and len(held.state) == 5 else None
    except Exception as error:  # a spoiled pickle ends in errors of any kind
        raise UserError(
            f"{where} holds Python objects, which could execute code when read: refused; save plain arrays "
            "(text as str, numbers as float), e.g. with .astype(str)"
        ) from error
    if (
        not isinstance(values, list)
        or len(values) != np.prod(shape)
        or not all(type(v) in _PLAIN for v in values)
    ):
        raise UserError(
            f"{where} holds Python objects other than texts and numbers, which could execute code when read: refused; "
            "save plain arrays, e.g. with .astype(str)"
        )
    found = np.empty(len(values), object)
    found[:] = values
    return found.reshape(shape)
