"""GIFTI files with an array a sample, read an array at a time and kept as plain numbers on disk."""

import base64
import binascii
import zlib
from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError, iterparse

import numpy as np
import numpy.typing as npt

from ...errors import UserError, first_line
from .arrays import Scratch

_KINDS = {
    "NIFTI_TYPE_FLOAT32": "f4",
    "NIFTI_TYPE_FLOAT64": "f8",
    "NIFTI_TYPE_INT32": "i4",
    "NIFTI_TYPE_UINT8": "u1",
}
_MOST = 64 << 20


def arrays_of(path: Path) -> Iterator[npt.NDArray[Any]]:
    """The data arrays of a GIFTI file, one after the other; never more of one than its header says.

    Raises
    ------
    UserError
        Where it is no GIFTI file, breaks off, or an array is not as large as it says.
    """
    try:
        for _, element in iterparse(path):
            if element.tag == "DataArray":
                yield _array(path, element)
                element.clear()
    except ParseError as error:
        raise UserError(
            f"{path} is no GIFTI file, or not all of one ({first_line(error)}): fetch it again"
        ) from error
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from error


def _array(path: Path, element: Any) -> npt.NDArray[Any]:
    said = element.attrib
    try:
        shape = tuple(int(said[f"Dim{one}"]) for one in range(int(said["Dimensionality"])))
        kind = np.dtype(_KINDS[said["DataType"]]).newbyteorder(
            "<" if said["Endian"] == "LittleEndian" else ">"
        )
        encoding = said["Encoding"]
    except (KeyError, ValueError) as error:
        raise UserError(f"{path}: an array does not say its size or kind ({first_line(error)})") from error
    n_bytes = prod(shape) * kind.itemsize
    if not 0 < n_bytes <= _MOST:
        raise UserError(f"{path}: an array has shape {shape}: not one sample of a surface")
    if encoding not in ("GZipBase64Binary", "Base64Binary"):
        raise UserError(f"{path} holds its numbers as {encoding}: save it as GZipBase64Binary")
    try:
        raw = base64.b64decode(element.findtext("Data") or "")
        if encoding == "GZipBase64Binary":
            raw = zlib.decompressobj().decompress(raw, n_bytes + 1)
    except (binascii.Error, ValueError, zlib.error) as error:
        raise UserError(f"{path} is damaged ({first_line(error)}): fetch it again") from error
    if len(raw) != n_bytes:
        raise UserError(f"{path}: an array holds {len(raw)} bytes, and says {n_bytes}: it is damaged")
    return np.frombuffer(raw, kind).reshape(shape)


class Unpacked:
    """Series of surfaces as (sample, vertex) on disk, each unpacked when it is first asked for."""

    def __init__(self) -> None:
        self._scratch = Scratch()
        self._known: dict[Path, npt.NDArray[np.float32]] = {}

    def series(self, path: Path) -> npt.NDArray[np.float32]:
        """A file's numbers as a map of memory.

        Raises
        ------
        UserError
            Where its arrays differ in size.
        """
        if path not in self._known:
            plain = self._scratch.folder() / f"{len(self._known)}.f4"
            n, n_vertices = 0, 0
            with plain.open("wb") as out:
                for array in arrays_of(path):
                    if n and array.size != n_vertices:
                        raise UserError(
                            f"{path}: sample {n + 1} has {array.size} vertices, the first {n_vertices}"
                        )
                    n, n_vertices = n + 1, array.size
                    out.write(array.astype("<f4").tobytes())
            if not n:
                raise UserError(f"{path} holds no samples")
            self._known[path] = np.memmap(plain, np.dtype("<f4"), "r", shape=(n, n_vertices))
        return self._known[path]
