"""What lies in an HDF5 file of strangers: only what the file itself holds, and never more than memory allows."""

from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import Any

from ...bounded import require_for
from ...errors import UserError, first_line

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_USER_BLOCKS = (0, 512, 1024, 2048)
"""Where the signature may stand; MATLAB's files begin with 512 bytes of their own."""


def is_hdf5(path: Path) -> bool:
    """Whether a file begins as HDF5 does, with or without a block before it."""
    try:
        with path.open("rb") as stream:
            for place in _USER_BLOCKS:
                stream.seek(place)
                if stream.read(len(_SIGNATURE)) == _SIGNATURE:
                    return True
    except OSError:
        pass
    return False


@contextmanager
def spoiled(path: Path) -> Iterator[None]:
    """Whatever HDF5 answers a damaged file with, as one line."""
    try:
        yield
    except UserError:
        raise
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, AttributeError, OverflowError) as error:
        raise UserError(
            f"{path} is damaged or not an HDF5 file ({first_line(error)}): save or download it again"
        ) from error


def opened(path: Path) -> Any:
    """The file, to read; it closes when nothing of it is held any more."""
    import h5py

    with spoiled(path):
        return h5py.File(path, "r")


@contextmanager
def closed_on_error(file: Any) -> Iterator[None]:
    """Close a file where what is read from it fails, so that it can be written anew."""
    try:
        yield
    except BaseException:
        file.close()
        raise


def members(group: Any, path: Path) -> Iterator[tuple[str, Any]]:
    """Groups and arrays of a group by name; links that leave the file are refused.

    Raises
    ------
    UserError
        For such a link, and one to nowhere.
    """
    import h5py

    for name in group:
        link = group.get(name, getlink=True)
        place = f"{group.name.rstrip('/')}/{name}"
        if isinstance(link, h5py.ExternalLink):
            raise UserError(
                f"{path.name}: {place} is a link into another file ({link.filename}): refused; copy it into the file"
            )
        try:
            yield name, group[name]
        except KeyError as error:
            raise UserError(f"{path.name}: {place} is a link to nowhere: save the file again") from error


def address(node: Any) -> tuple[int, int]:
    """Where an object lies: the same for all names that it goes by."""
    import h5py

    found = h5py.h5o.get_info(node.id)
    return int(found.fileno), int(found.addr)


def check_stored(node: Any, path: Path) -> None:
    """Raise a UserError for an array whose numbers lie in other files, were never written, or come in huge pieces."""
    where = f"{path.name}: {node.name}"
    if node.external or node.is_virtual:
        raise UserError(
            f"{where} has its numbers in other files: refused; copy them into the file (h5repack does it)"
        )
    if node.size and not node.id.get_storage_size() and node.chunks is not None:
        raise UserError(f"{where} says that it holds {node.size} values, and none was written")
    require_for(path, 2 * prod(node.chunks or (0,)) * max(node.dtype.itemsize, 8))
