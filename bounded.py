"""Files of strangers, bounded before they are read: what they unpack to, and what lies in a folder."""

import os
import stat
import zipfile
import zlib
from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import IO, Any

from .errors import UserError, first_line
from .memory import require

_SMALL = 1 << 24
"""Below this many bytes nothing is asked."""
_CHUNK = 1 << 16
_HOLLOW = 1 << 26
"""Files from here on are looked through for holes."""
_NUMBER = 8
"""Bytes of a number as it is computed with."""
_DENSEST = 1032
"""Bytes that one byte of gzip can stand for, at the most."""
_HEADER = 544
"""Bytes of the longest NIfTI header, and the four after it that say whether it has extensions."""


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


def require_for_nifti(path: Path) -> None:
    """Refuse a NIfTI image (``.nii``, ``.nii.gz``) that memory would not hold, by its header alone.

    Raises
    ------
    UserError
        Also for what is no such image, and where the file cannot hold what its header says.
    """
    from nibabel.openers import ImageOpener
    from nibabel.spatialimages import HeaderDataError

    try:
        is_packed = path.suffix.lower() == ".gz"
        if not path.name.lower().endswith((".nii", ".nii.gz")):
            raise ValueError("it is named neither .nii nor .nii.gz")
        with ImageOpener(str(path)) as stream:
            head = stream.read(_HEADER)
            header = _nifti_header(head)
            before, count = _announced(header)
            stored = count * _width(header)
            require_for(path, stored + _NUMBER * (count + before))
            size = path.stat().st_size
            if before + stored > size * (_DENSEST if is_packed else 1):
                raise ValueError(f"it says that it holds {stored:,} bytes of numbers, and has {size:,} bytes")
            _check_extensions(header, head + stream.read(max(before - len(head), 0)), before)
    except UserError:
        raise
    except (OSError, EOFError, ValueError, zlib.error, HeaderDataError) as error:
        raise UserError(f"{path} is not a readable NIfTI image ({first_line(error)})") from error


def _nifti_header(head: bytes) -> Any:
    import nibabel

    for kind, magic in ((nibabel.Nifti1Header, head[344:348]), (nibabel.Nifti2Header, head[4:8])):
        if magic in (kind.single_magic + b"\0", kind.pair_magic + b"\0") and len(head) >= kind.sizeof_hdr:
            return kind(head[: kind.sizeof_hdr], check=False)  # type: ignore[no-untyped-call]
    raise ValueError("it does not begin as one")


def _announced(header: Any) -> tuple[int, int]:
    """Where the numbers begin, in bytes, and how many a NIfTI header says there are."""
    shape = [int(length) for length in header.get_data_shape()]
    before = float(header["vox_offset"])
    if not 0 <= before < 1 << 62 or min(shape, default=0) < 0:
        raise ValueError("its header is damaged")
    return int(before), prod(shape)


def _width(header: Any) -> int:
    """Bytes of a number as it is stored."""
    try:
        return int(header.get_data_dtype().itemsize)
    except KeyError:
        raise ValueError(f"numbers of kind {header['datatype']} are not known") from None


def _check_extensions(header: Any, head: bytes, before: int) -> None:
    """Raise a ValueError for extensions that would be read beyond where the numbers begin."""
    place = header.sizeof_hdr + 4
    if head[place - 4 : place - 3] in (b"", b"\0"):
        return
    is_little = header.endianness == "<"
    while (left := before - place) >= 16 or left < 0:
        size = int.from_bytes(head[place : place + 4], "little" if is_little else "big", signed=True)
        if not 8 <= size <= left:
            raise ValueError("an extension of its header is damaged")
        place += size


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
            if path.is_symlink():
                if not (absent and _leads_nowhere(path, root)):
                    check_plain_file(path, root)
            elif not path.is_dir():
                _check_file(path)


def _leads_nowhere(path: Path, root: Path) -> bool:
    """Whether a link names a file inside the folder that is not there, as git-annex has it of what was not fetched."""
    return path.resolve().is_relative_to(root) and not path.exists()


def check_plain_file(path: Path, root: Path | None = None) -> None:
    """Raise a UserError for a device, a pipe, a file without an end; with a `root`, for a file outside of it."""
    try:
        target = path.resolve(strict=True)
    except (OSError, RuntimeError) as error:
        raise UserError(f"{path} is a link to nowhere: refused") from error
    if root is not None and not target.is_relative_to(root.resolve()):
        raise UserError(f"{path} is a link out of its folder ({target}): refused; put the file itself there")
    _check_file(path)


def _check_file(path: Path) -> None:
    kind = path.stat().st_mode
    if not stat.S_ISREG(kind):
        link = "a link to " if path.is_symlink() else ""
        raise UserError(f"{path} is {link}{_called(kind)}, not a file: refused")
    check_ends(path)


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
