"""Files of strangers, bounded before they are read: what they unpack to, and what lies in a folder."""

import os
import stat
import zipfile
import zlib
from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import IO, Any

from .errors import UserError
from .memory import require

_SMALL = 1 << 24
"""Below this many bytes nothing is asked."""
_CHUNK = 1 << 16
_HOLLOW = 1 << 26
"""Files from here on are looked through for holes."""
_NUMBER = 8
"""Bytes of a number as it is computed with."""


def require_for(path: Path, n_bytes: int) -> None:
    """Refuse a file that memory would not hold, before it is read."""
    if n_bytes > _SMALL:
        require(n_bytes, f"reading {path.name}", remedy="save fewer or smaller arrays")


def read_npz(path: Path | IO[bytes]) -> dict[str, Any]:
    """The arrays of an ``.npz`` file; nothing that could execute code.

    Raises
    ------
    UserError
        Where they would not fit into memory by the sizes that the file names, or those sizes disagree.
    """
    import numpy as np

    check_npz(Path(path) if isinstance(path, Path) else Path(path.name), path)
    with np.load(path, allow_pickle=False) as stored:
        return {name: stored[name] for name in stored.files}


def check_npz(path: Path, opened: Path | IO[bytes] | None = None) -> None:
    """Raise a UserError for a zip of arrays that memory would not hold; a file that is no zip is left to its reader.

    Reading never takes more of an entry than the zip's directory says, so those sizes bound it.
    """
    try:
        with zipfile.ZipFile(opened or path) as archive:
            entries = archive.infolist()
            plain = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
            rare = next((entry.filename for entry in entries if entry.compress_type not in plain), None)
            if rare is not None:
                raise UserError(f"{path} is packed in a rare way ({rare!r}): save it again with np.savez")
            require_for(path, 2 * sum(entry.file_size for entry in entries))
            sizes = [_declared(path, archive, entry) for entry in entries]
            require_for(path, 2 * sum(sizes))
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError):
        pass  # whoever reads it says so
    finally:
        if opened is not None and not isinstance(opened, Path):
            opened.seek(0)


def _declared(path: Path, archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> int:
    """What the numbers of an array take as they are computed with; never more than what the entry holds."""
    from numpy.lib import format as npy

    if not entry.filename.endswith(".npy"):
        return 0
    try:
        with archive.open(entry) as stream:
            version = npy.read_magic(stream)  # type: ignore[no-untyped-call]
            read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
            shape, _, kind = read(stream)  # type: ignore[no-untyped-call]
            left = entry.file_size - stream.tell()
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return 0  # no array at all
    count = prod(shape)
    if not kind.hasobject and count * max(kind.itemsize, 1) > left:
        raise UserError(
            f"{path}: {entry.filename!r} is damaged: it says that it holds {count} numbers, and the file holds "
            f"{left} bytes of it"
        )
    return int(count * max(kind.itemsize, _NUMBER))


def require_for_hdf5(path: Path) -> None:
    """Refuse an HDF5 file whose arrays, or one of whose chunks, memory would not hold."""
    import h5py

    sizes: list[int] = []

    def count(_name: str, stored: Any) -> None:
        if isinstance(stored, h5py.Dataset) and stored.shape is not None:
            wide = max(stored.dtype.itemsize, _NUMBER)
            sizes.extend((2 * prod(stored.shape) * wide, prod(stored.chunks or (0,)) * wide))

    try:
        with h5py.File(path, "r") as file:
            file.visititems(count)
    except (OSError, RuntimeError, ValueError, KeyError, TypeError):
        return  # no HDF5, or damaged: whoever reads it says so
    require_for(path, sum(sizes))


def require_for_matlab(path: Path) -> None:
    """Refuse a MATLAB file that would inflate to more than memory holds, by inflating it piece by piece."""
    total = 0
    for n_bytes in _inflated(path):
        total += n_bytes
        require_for(path, 3 * total)


def _inflated(path: Path) -> Iterator[int]:
    """Bytes of each piece of what a file of MATLAB's version 5 holds."""
    left = path.stat().st_size - 128
    with path.open("rb") as stream:
        order = "big" if stream.read(128)[-2:] == b"MI" else "little"
        while left >= 8:
            tag = stream.read(8)
            kind, size = int.from_bytes(tag[:4], order), int.from_bytes(tag[4:], order)  # type: ignore[arg-type]
            left -= 8
            if kind not in (14, 15) or size > left:
                yield max(left, 0)
                return  # damaged, of version 4 or 7.3: whoever reads it says so
            left -= size
            if kind == 14:
                yield size
                stream.seek(size, os.SEEK_CUR)
                continue
            yield from _unpacked(stream, size)


def _unpacked(stream: IO[bytes], size: int) -> Iterator[int]:
    """Bytes of each piece that so many packed ones give."""
    unpacker = zlib.decompressobj()
    packed = b""
    while size or packed:
        if not packed:
            packed = stream.read(min(_CHUNK, size))
            if not packed:
                return
            size -= len(packed)
        try:
            yield len(unpacker.decompress(packed, 1 << 20))
        except zlib.error:
            stream.seek(size, os.SEEK_CUR)
            return
        packed = unpacker.unconsumed_tail


def check_plain(folder: Path, *, absent: bool = False) -> None:
    """Raise a UserError for a folder with links out of it, devices, pipes, or files without an end.

    Links to nowhere are refused, too, unless `absent` says that some of what is named may not have been fetched.
    """
    root = folder.resolve()
    for here, folders, files in os.walk(root):
        for name in (*folders, *files):
            path = Path(here, name)
            kind = path.lstat().st_mode
            if stat.S_ISLNK(kind):
                if not (absent and _leads_nowhere(path, root)):
                    _check_link(path, root)
            elif not (stat.S_ISREG(kind) or stat.S_ISDIR(kind)):
                raise UserError(f"{path} is {_called(kind)}, not a file: refused")
            if path.is_file():
                check_ends(path)


def _leads_nowhere(path: Path, root: Path) -> bool:
    """Whether a link names a file inside the folder that is not there, as git-annex has it of what was not fetched."""
    return path.resolve().is_relative_to(root) and not path.exists()


def _check_link(path: Path, root: Path) -> None:
    try:
        target = path.resolve(strict=True)
    except (OSError, RuntimeError) as error:
        raise UserError(f"{path} is a link to nowhere: refused") from error
    if not target.is_relative_to(root):
        raise UserError(f"{path} is a link out of its folder ({target}): refused; put the file itself there")
    if not target.is_file():
        raise UserError(f"{path} is a link to {_called(target.stat().st_mode)}: refused")


def _called(kind: int) -> str:
    if stat.S_ISDIR(kind):
        return "a folder"
    if stat.S_ISFIFO(kind):
        return "a pipe (FIFO)"
    return "a socket" if stat.S_ISSOCK(kind) else "a device"


def check_ends(path: Path) -> None:
    """Raise a UserError for a large file that is mostly holes: it would fill disk and memory with nothing."""
    size = path.stat().st_size
    if size < _HOLLOW or not hasattr(os, "SEEK_DATA"):
        return
    place = filled = 0
    with path.open("rb") as stream:
        while place < size and 2 * filled < size:
            try:
                start = os.lseek(stream.fileno(), place, os.SEEK_DATA)
                place = os.lseek(stream.fileno(), start, os.SEEK_HOLE)
            except OSError:  # no more data
                break
            filled += place - start
    if 2 * filled < size:
        raise UserError(
            f"{path} says that it has {size / 2**30:.1f} GiB, and {filled / 2**30:.1f} GiB are written (a sparse "
            "file): refused"
        )
