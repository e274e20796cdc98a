"""The arrays of a GIFTI file, found without reading them and read one at a time.

nibabel holds a whole file, inflates whatever it says and follows the names of other files; files of strangers are
looked through here first, and an array is never larger than what the file says of it.
"""

import base64
import gzip
import re
import zlib
from binascii import Error as Base64Error
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import IO, Any, Literal, cast
from xml.parsers.expat import ExpatError, ParserCreate

import numpy as np
import numpy.typing as npt

from ....bounded import require_for
from ....errors import UserError
from ...imported import Computed, Numbers

_CHUNK = 1 << 16
_STRUCTURE = re.compile(
    rb"AnatomicalStructurePrimary(?:\]\]>)?\s*</Name>\s*<Value>\s*(?:<!\[CDATA\[)?\s*Cortex(Left|Right)\b"
)
_LONGEST_TAG = 1 << 24
_TEXT = 1 << 12
"""Characters that are kept of a value of the metadata."""
_MOST_INFLATED = 1100
"""Bytes that a packed one can give."""
_MOST_ARRAYS = 1_000_000
NO_SAMPLES = {"POINTSET", "TRIANGLE", "LABEL"}
"""What no recording is an array of."""
_OLDER_NAMES = {
    "GIFTI_ENCODING_ASCII": "ASCII",
    "GIFTI_ENCODING_B64BIN": "Base64Binary",
    "GIFTI_ENCODING_B64GZ": "GZipBase64Binary",
}
_KINDS = {
    "UINT8": "u1", "INT8": "i1", "INT16": "i2", "UINT16": "u2", "INT32": "i4", "UINT32": "u4", "INT64": "i8",
    "UINT64": "u8", "FLOAT32": "f4", "FLOAT64": "f8",
}  # fmt: skip


@dataclass(frozen=True)
class GiftiArray:
    """What a file says of one array, and where its text stands.

    Attributes
    ----------
    intent : str
        ``POINTSET``, ``TRIANGLE``, ``TIME_SERIES``, ``LABEL``, ``SHAPE``, ``NONE``, ...
    shape : tuple of int
    dtype : dtype
    packing : str
        ``ASCII``, ``Base64Binary`` or ``GZipBase64Binary``.
    order : {"C", "F"}
    start, end : int
        Of its text in the (unpacked) file.
    about : mapping of str to str
    """

    intent: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    packing: str
    order: Literal["C", "F"]
    start: int
    end: int
    about: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class GiftiFile:
    """A GIFTI file whose arrays are still in it.

    Attributes
    ----------
    path : Path
    arrays : tuple of GiftiArray
    labels : mapping of int to str
        The label table.
    about : mapping of str to str
    """

    path: Path
    arrays: tuple[GiftiArray, ...]
    labels: Mapping[int, str]
    about: Mapping[str, str] = field(repr=False)

    def of(self, intent: str) -> list[int]:
        """The places of the arrays of an intent."""
        return [place for place, one in enumerate(self.arrays) if one.intent == intent]

    def read(self, *places: int) -> list[npt.NDArray[Any]]:
        """The arrays at some places, in native byte order.

        Raises
        ------
        UserError
            Where the text of an array is not what the file says of it.
        """
        return list(self.each(places))

    def each(self, places: Iterable[int]) -> Iterator[npt.NDArray[Any]]:
        """The same, one after the other."""
        with _opened(self.path) as stream:
            for place in places:
                yield self._read(stream, self.arrays[place], place)

    def _read(self, stream: IO[bytes], one: GiftiArray, place: int) -> npt.NDArray[Any]:
        require_for(self.path, 2 * (one.end - one.start))
        try:
            stream.seek(one.start)
            text = stream.read(one.end - one.start)
            values = _decoded(text[text.find(b">") + 1 :].strip(), one)
        except (ValueError, Base64Error, zlib.error, EOFError, OSError) as error:
            raise UserError(f"{self.path}: array {place} is damaged: {error}") from error
        return values.reshape(one.shape, order=one.order)


def _decoded(text: bytes, one: GiftiArray) -> npt.NDArray[Any]:
    if text.startswith(b"<![CDATA["):
        text = text[9:].removesuffix(b"]]>")
    n = prod(one.shape)
    if one.packing == "ASCII":
        numbers = np.array(text.split(), dtype=np.float64)
        if len(numbers) != n:
            raise ValueError(f"it says that it holds {n} numbers, and {len(numbers)} stand there")
        return numbers.astype(one.dtype.newbyteorder("="))
    raw, size = base64.b64decode(b"".join(text.split()), validate=True), n * one.dtype.itemsize
    if one.packing == "GZipBase64Binary":
        if size > _MOST_INFLATED * len(raw) + _CHUNK:
            raise ValueError(f"it says that it holds {n} numbers, and its {len(raw)} bytes cannot")
        raw = zlib.decompressobj(47).decompress(raw, size + 1)
    if len(raw) != size:
        held = f"{len(raw)} bytes of it" if len(raw) <= size else "more"
        raise ValueError(f"it says that it holds {n} numbers ({size} bytes), and the file holds {held}")
    return np.frombuffer(raw, one.dtype).astype(one.dtype.newbyteorder("="))


def side_inside(path: Path) -> str | None:
    """The hemisphere that a GIFTI file names before its first numbers; None where it names none, and for others."""
    if not is_gifti(path):
        return None
    try:
        with _opened(path) as stream:
            found = _STRUCTURE.search(stream.read(1 << 20))
    except (OSError, EOFError, zlib.error):
        return None  # damaged: whoever reads it says so
    return {b"Left": "L", b"Right": "R"}[found[1]] if found else None


def open_gifti(path: Path) -> GiftiFile:
    """Look through a GIFTI file (``.gii``, ``.gii.gz``).

    Raises
    ------
    UserError
        For what is none, is cut off, defines entities, or keeps its arrays in other files.
    """
    index = _Index(path)
    total, ended = 0, False
    try:
        with _opened(path) as stream:
            while chunk := stream.read(_CHUNK):
                total += len(chunk)
                require_for(path, total)
                index.parser.Parse(chunk, False)
                if total - index.parser.CurrentByteIndex > _LONGEST_TAG:
                    raise UserError(f"{path} is no GIFTI file: a tag in it has no end")
            ended = True
            index.parser.Parse(b"", True)
    except ExpatError as error:
        cut = "it is cut off" if ended and index.depth else str(error)
        raise UserError(f"{path} cannot be read as GIFTI: {cut}") from error
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path} cannot be read: {error or 'it is cut off'}") from error
    except (ValueError, KeyError) as error:
        if isinstance(error, UserError):
            raise
        raise UserError(f"{path} cannot be read as GIFTI: array {len(index.arrays)}: {error}") from error
    if not index.is_gifti:
        raise UserError(f"{path} is XML, but no GIFTI file")
    if not index.arrays:
        raise UserError(f"{path} holds no array")
    return GiftiFile(path, tuple(index.arrays), index.labels, index.about)


def column_of(file: GiftiFile, place: int) -> npt.NDArray[Any]:
    """The array at a place as one number a vertex.

    Raises
    ------
    UserError
        Where it has several.
    """
    shape = file.arrays[place].shape
    if prod(shape) != shape[0]:
        raise UserError(
            f"{file.path}: array {place} has the shape {shape}: one array a sample is read, a number a vertex each"
        )
    return file.read(place)[0].reshape(-1)


def is_gifti(path: Path) -> bool:
    """Whether a file begins as a GIFTI file does."""
    if not path.name.endswith((".gii", ".gii.gz")):
        return False
    try:
        with _opened(path) as stream:
            return b"<GIFTI" in stream.read(1 << 12)
    except (EOFError, zlib.error):
        return True  # damaged: whoever reads it says so
    except OSError:
        return False


def _opened(path: Path) -> IO[bytes]:
    stream = path.open("rb")
    if stream.read(2) == b"\x1f\x8b":
        stream.close()
        return cast(IO[bytes], gzip.open(path, "rb"))
    stream.seek(0)
    return stream


class _Index:
    """What expat meets, written down."""

    def __init__(self, path: Path) -> None:
        self.path, self.is_gifti, self.depth = path, False, 0
        self.arrays: list[GiftiArray] = []
        self.labels: dict[int, str] = {}
        self.about: dict[str, str] = {}
        self._array: dict[str, str] | None = None
        self._array_about: dict[str, str] = {}
        self._span = (0, 0)
        self._key, self._name, self._text = "", "", ""
        self._listening = False
        self.parser = ParserCreate()
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._characters
        self.parser.EntityDeclHandler = self._entity

    def _entity(self, *_: Any) -> None:
        raise UserError(f"{self.path} defines entities: refused")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self.depth += 1
        self.is_gifti |= name == "GIFTI"
        if name == "DataArray":
            self._array, self._array_about, self._span = attributes, {}, (0, 0)
        elif name == "Data":
            self._span = (self.parser.CurrentByteIndex, 0)
        elif name == "Label":
            self._key = attributes.get("Key", attributes.get("Index", ""))
        self._listening = name in ("Name", "Value", "Label")
        self._text = ""

    def _characters(self, text: str) -> None:
        if self._listening and len(self._text) < _TEXT:
            self._text = (self._text + text)[:_TEXT]

    def _end(self, name: str) -> None:
        self.depth -= 1
        text = self._text.strip()
        if name == "Data":
            self._span = (self._span[0], self.parser.CurrentByteIndex)
        elif name == "Name":
            self._name = text
        elif name == "Value":
            (self.about if self._array is None else self._array_about)[self._name] = text
        elif name == "Label":
            self.labels[int(self._key)] = text
        elif name == "DataArray":
            assert self._array is not None
            if len(self.arrays) == _MOST_ARRAYS:
                raise UserError(f"{self.path} holds more than {_MOST_ARRAYS} arrays")
            self.arrays.append(self._described(self._array))
            self._array = None
        self._listening, self._text = False, ""

    def _described(self, said: Mapping[str, str]) -> GiftiArray:
        packing = _OLDER_NAMES.get(said.get("Encoding", ""), said.get("Encoding", ""))
        if packing == "ExternalFileBinary" or said.get("ExternalFileName"):
            raise UserError(
                f"{self.path} keeps its arrays in another file: refused; write it with the arrays inside "
                "(wb_command -gifti-convert BASE64_BINARY)"
            )
        if packing not in ("ASCII", "Base64Binary", "GZipBase64Binary"):
            raise ValueError(f"the encoding {packing!r} is not known")
        shape = tuple(int(said[f"Dim{axis}"]) for axis in range(int(said["Dimensionality"])))
        if not shape or min(shape) < 0 or len(shape) > 6:
            raise ValueError(f"its dimensions are {shape}")
        kind = said["DataType"].removeprefix("NIFTI_TYPE_")
        if kind not in _KINDS:
            raise ValueError(f"numbers of the type {kind} are not known")
        order = ">" if said.get("Endian", "LittleEndian") == "BigEndian" else "<"
        return GiftiArray(
            said.get("Intent", "").removeprefix("NIFTI_INTENT_").upper().replace("TIMESERIES", "TIME_SERIES"),
            shape,
            np.dtype(order + _KINDS[kind]),
            packing,
            "F" if said.get("ArrayIndexingOrder") == "ColumnMajorOrder" else "C",
            *self._span,
            about=self._array_about,
        )


def open_samples(path: Path) -> Numbers:
    """(arrays, vertices) of a file whose arrays are a number a vertex each, all of the same surface."""
    file = open_gifti(path)
    kinds = {one.intent for one in file.arrays} & NO_SAMPLES
    if kinds:
        what = "labels (--atlas)" if "LABEL" in kinds else "a mesh (--surface)"
        raise UserError(f"{path} holds {what}, not a recording")
    shapes = {one.shape if one.shape[1:] != (1,) else one.shape[:1] for one in file.arrays}
    if len(shapes) > 1:
        raise UserError(f"{path} holds arrays of unlike surfaces: {', '.join(map(str, sorted(shapes)))}")
    if len(next(iter(shapes))) != 1:
        raise UserError(
            f"{path} holds an array of the shape {next(iter(shapes))}: one array a sample is read, "
            "a number a vertex each"
        )
    return _lazy(file)


def _lazy(file: GiftiFile) -> Numbers:
    """(arrays, vertices), an array read when it is asked for."""

    def get(rows: slice, neuroids: slice) -> npt.NDArray[Any]:
        wanted = range(*rows.indices(len(file.arrays)))
        here = len(range(*neuroids.indices(file.arrays[0].shape[0])))
        found = np.empty((len(wanted), here), np.float32)
        for i, values in enumerate(file.each(wanted)):
            found[i] = values.reshape(-1)[neuroids]
        return found

    return Computed((len(file.arrays), file.arrays[0].shape[0]), get)
