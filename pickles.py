"""Pickles of strangers, read without running anything of theirs: numbers, texts, lists and dictionaries."""

import pickle
import re
import struct
from functools import partial
from math import prod
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, ClassVar, TypeVar

from .bounded import require_for
from .errors import UserError, first_line

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

Key = TypeVar("Key", str, int)
_LARGE = 1 << 20
"""Bytes from which on numbers stay in the file."""
_LONGEST_LINE = 1 << 12
_STEP, _A_BYTE = 1 << 22, 64
"""How often memory is asked about, and what one byte of instructions takes at most once it was carried out."""
_KIND = re.compile(r"[iuf][1248]|b1|U\d{1,6}|O8?")
_NPY = b"\x93NUMPY"


class RestrictedUnpickler(pickle._Unpickler):
    """Admits no name at all: a subclass says in `find_class` which it knows, and what stands for them.

    Python's own and not C's, whose memo grows to the highest number that a file names; and nothing is made that is
    larger than the file. What `find_class` hands out must be new each time, since a file may set attributes on it.
    """

    dispatch: ClassVar[Any] = {
        code: step for code, step in pickle._Unpickler.dispatch.items() if code != pickle.BYTEARRAY8[0]
    }

    def find_class(self, module: str, name: str) -> Any:
        """Refuses every name."""
        raise pickle.UnpicklingError(f"it names {module}.{name}")


def is_pickled(path: Path) -> bool:
    """Whether a file is a pickle, or an ``.npy`` with one inside."""
    with path.open("rb") as stream:
        return _begins_pickle(stream)


def read_plain_pickle(path: Path, keys: type[Key]) -> dict[Key, Any]:
    """The dictionary of a pickle, or of an ``.npy`` with one inside.

    Parameters
    ----------
    path : Path
    keys : type
        Of its keys, ``str`` or ``int``.

    Returns
    -------
    dict
        Its values: arrays, those of many numbers left in the file; lists, texts and numbers.

    Raises
    ------
    UserError
        For a pickle that names anything but numpy's arrays and numbers, for anything that is no dictionary, and for a
        file that is damaged.
    """
    try:
        with path.open("rb") as stream:
            if not _begins_pickle(stream):
                raise pickle.UnpicklingError("it does not begin as one")
            found = _Plain(stream, path).load()
        if isinstance(found, _Array):
            [found] = found.listed()
        if not isinstance(found, dict) or not all(type(name) is keys for name in found):
            raise pickle.UnpicklingError("it holds no dictionary of the kind that is needed")
        return {name: _converted(one, path) for name, one in found.items()}
    except (UserError, OSError):
        raise
    except Exception as error:  # a spoiled pickle ends in errors of any kind
        raise UserError(
            f"{path} is no pickle of numbers and texts alone: {first_line(error)}: refused"
        ) from error


def _begins_pickle(stream: IO[bytes]) -> bool:
    """Whether a pickle comes next, once the header of an ``.npy`` was read."""
    import numpy as np

    npy: Any = np.lib.format  # numpy leaves its own format untyped
    start = stream.read(len(_NPY))
    stream.seek(0)
    if start != _NPY:
        return start[:1] == pickle.PROTO
    try:
        major, _ = npy.read_magic(stream)
        _, _, kind = (npy.read_array_header_1_0 if major == 1 else npy.read_array_header_2_0)(stream)
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return False
    return bool(kind.hasobject)


class _Span:
    """Bytes that stay in the file."""

    def __init__(self, start: int, length: int) -> None:
        self.start, self.length = start, length

    def __len__(self) -> int:
        return self.length


class _Kind:
    """Stands in for numpy's dtype."""

    def __init__(self, name: object = "", *_: object) -> None:
        self.name = name
        self.order: Any = "="

    def __setstate__(self, state: object) -> None:
        if isinstance(state, tuple) and len(state) > 1 and state[1] in ("<", ">", "|", "="):
            self.order = state[1]

    def made(self) -> "np.dtype[Any]":
        import numpy as np

        if not isinstance(self.name, str) or not _KIND.fullmatch(self.name):
            raise pickle.UnpicklingError(f"it holds an array of the kind {self.name!r:.40}")
        return np.dtype(self.name).newbyteorder(self.order)


class _Array:
    """Stands in for an array: it keeps what it is made of."""

    shape: object = None
    kind: object = None
    is_fortran: object = False
    held: object = None

    def __setstate__(self, state: object) -> None:
        if not isinstance(state, tuple) or len(state) != 5:
            raise pickle.UnpicklingError("an array is not as numpy writes it")
        _, self.shape, self.kind, self.is_fortran, self.held = state

    def listed(self) -> list[Any]:
        """The items of an array of Python objects."""
        if (
            not isinstance(self.held, list)
            or not isinstance(self.kind, _Kind)
            or not self.kind.made().hasobject
        ):
            raise pickle.UnpicklingError("an array of objects is not as numpy writes it")
        return self.held

    def numbers(self, path: Path) -> "npt.NDArray[Any]":
        """The array; one of many numbers is read when it is asked for."""
        import numpy as np

        shape = self.shape
        if (
            not isinstance(self.kind, _Kind)
            or not isinstance(shape, tuple)
            or not all(type(n) is int and n >= 0 for n in shape)
            or not isinstance(self.held, bytes | bytearray | _Span)
        ):
            raise pickle.UnpicklingError("an array is not as numpy writes it")
        kind = self.kind.made()
        if kind.hasobject or prod(shape) * kind.itemsize != len(self.held):
            raise pickle.UnpicklingError(f"an array of shape {shape} has {len(self.held)} bytes")
        order: Any = "F" if self.is_fortran else "C"
        if isinstance(self.held, _Span):
            return np.memmap(path, kind, "r", self.held.start, shape, order)
        return np.frombuffer(bytes(self.held), kind).reshape(shape, order=order)


def _reconstructed(*_: object) -> _Array:
    return _Array()


def _from_buffer(held: object = b"", kind: object = None, shape: object = (), order: object = "C") -> _Array:
    array = _Array()
    array.__setstate__((1, shape, kind, order == "F", held))
    return array


def _scalar(kind: object = None, held: object = b"") -> object:
    """One number or text of numpy's, as Python's."""
    import numpy as np

    if not isinstance(kind, _Kind) or not isinstance(held, bytes) or kind.made().hasobject:
        raise pickle.UnpicklingError("a number is not as numpy writes it")
    [value] = np.frombuffer(held, kind.made()).tolist()
    return value


def _encoded(text: object = "", encoding: object = "") -> bytes:
    """Bytes as old pickles hold them."""
    if not isinstance(text, str) or encoding != "latin1":
        raise pickle.UnpicklingError("it encodes a text in another way than numpy does")
    return text.encode("latin1")


def _no_bytes() -> bytes:
    """As old pickles make empty bytes."""
    return b""


_KNOWN: dict[tuple[str, str], Any] = {
    **{
        (f"numpy.{core}.{name}", what): stand_in
        for core in ("core", "_core")
        for name, what, stand_in in (
            ("multiarray", "_reconstruct", _reconstructed),
            ("multiarray", "scalar", _scalar),
            ("numeric", "_frombuffer", _from_buffer),
        )
    },
    ("_codecs", "encode"): _encoded,
    ("__builtin__", "bytes"): _no_bytes,
}
_CLASSES: dict[tuple[str, str], type] = {("numpy", "ndarray"): _Array, ("numpy", "dtype"): _Kind}


class _Stream:
    """A file of which no more is asked than is left of it."""

    def __init__(self, stream: IO[bytes], path: Path) -> None:
        self.stream, self.path, self.size = stream, path, path.stat().st_size
        self.n_read = self.n_asked = 0

    def read(self, n: int) -> bytes:
        """The next `n` bytes."""
        if n < 0 or n > self.size - self.stream.tell():
            raise EOFError("it is cut off")
        self.n_read += n
        if self.n_read > self.n_asked:
            self.n_asked = self.n_read + _STEP
            require_for(self.path, _A_BYTE * self.n_asked)
        return self.stream.read(n)

    def readline(self) -> bytes:
        """The next line, which is a name."""
        line = self.stream.readline(_LONGEST_LINE)
        if not line.endswith(b"\n"):
            raise EOFError("it is cut off")
        return line

    def passed(self, n: int) -> _Span:
        """The next `n` bytes, left where they are."""
        start = self.stream.tell()
        if n > self.size - start:
            raise EOFError("it is cut off")
        self.stream.seek(n, 1)
        return _Span(start, n)


class _Plain(RestrictedUnpickler):
    """Knows numpy's arrays and numbers, and has stand-ins for them that only keep what they are given."""

    def __init__(self, stream: IO[bytes], path: Path) -> None:
        self.source = _Stream(stream, path)
        super().__init__(self.source, encoding="latin1")

    def find_class(self, module: str, name: str) -> Any:
        """A stand-in for what is known."""
        if (module, name) in _CLASSES:
            return _CLASSES[module, name]
        if (module, name) in _KNOWN:
            return partial(_KNOWN[module, name])
        return super().find_class(module, name)

    def _take(self, n: int) -> None:
        """Put bytes on the stack, or where they are."""
        framed: Any = self._unframer  # type: ignore[attr-defined]
        frame = framed.current_frame
        ended = frame is None or frame.tell() == len(frame.getbuffer())
        if n >= _LARGE and ended:
            framed.current_frame = None
            self.append(self.source.passed(n))  # type: ignore[attr-defined]
        else:
            self.append(self.read(n))  # type: ignore[attr-defined]

    def _long(self) -> None:
        self._take(struct.unpack("<Q", self.read(8))[0])  # type: ignore[attr-defined]

    def _short(self) -> None:
        self._take(struct.unpack("<I", self.read(4))[0])  # type: ignore[attr-defined]

    dispatch: ClassVar[Any] = RestrictedUnpickler.dispatch | {
        pickle.BINBYTES8[0]: _long,
        pickle.BYTEARRAY8[0]: _long,
        pickle.BINBYTES[0]: _short,
    }


def _converted(value: Any, path: Path) -> Any:
    """What a stand-in stands for; inside a list of the dictionary, numbers and texts alone are of use."""
    if isinstance(value, _Array):
        is_objects = isinstance(value.kind, _Kind) and value.kind.made().hasobject
        return list(value.listed()) if is_objects else value.numbers(path)
    return value
