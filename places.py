"""Temporary names beside a file or folder, the swap into place, and what a kill left there."""

import ctypes
import errno
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache, lru_cache
from glob import escape
from pathlib import Path
from typing import Any, TypeVar

from .errors import UserError

_PARTIAL, _ASIDE = ".partial", ".aside"
_STRAY = re.compile(rf"\..+\.[a-z0-9_]{{8}}(?:{_PARTIAL}|{_ASIDE})")
_ABANDONED_S = 7 * 24 * 3600
_HERE = -100
"""What Linux calls the present folder (``AT_FDCWD``)."""
_EXCHANGE = 2
"""``RENAME_EXCHANGE`` of Linux, and ``RENAME_SWAP`` of macOS."""
_ATTEMPTS = 100
_TAKEN = (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR, errno.EACCES)
T = TypeVar("T")


@contextmanager
def temporary_place(path: Path, *, is_folder: bool = False) -> Iterator[Path]:
    """An empty file or folder beside `path`, locked as long as this process lives and removed at the end."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_strays(path.parent)
    temporary, lock = _made(path, is_folder=is_folder)
    try:
        yield temporary
    finally:
        _remove(temporary)
        os.close(lock)


def put_folder(temporary: Path, path: Path) -> None:
    """Give a folder its name; one that bore it is elsewhere afterwards, and there is no moment with neither.

    Where the system cannot swap two names in one step, the old folder is first named aside; :func:`restore` brings it
    back after a kill between the two steps.
    """
    while True:
        try:
            temporary.rename(path)
            return
        except OSError as error:
            if error.errno not in _TAKEN or not path.is_dir():
                raise
        if _exchanged(temporary, path):
            return
        aside = _name_beside(path, _ASIDE)
        with suppress(FileNotFoundError):
            path.rename(aside)
            try:
                temporary.rename(path)
            except OSError:
                restore(path)
                continue
            _remove(aside)
            return


def restore(path: Path) -> None:
    """Bring back the folder that a kill left aside, if there is none of its name."""
    if path.exists() or not path.parent.is_dir():
        return
    for aside in path.parent.glob(f".{escape(path.name)}.????????{_ASIDE}"):
        with suppress(OSError):  # another one was faster
            aside.rename(path)
            return


def read_whole(folder: Path, read: Callable[[], T]) -> T:
    """What `read` makes of a folder; it reads anew where the folder was replaced meanwhile."""
    for _ in range(_ATTEMPTS):
        restore(folder)
        try:
            held = os.open(folder, os.O_RDONLY)  # while it is held, no other folder gets its number
        except OSError:
            return read()
        try:
            try:
                found = read()
            except Exception:
                if is_still(held, folder):
                    raise
            else:
                if is_still(held, folder):
                    return found
        finally:
            os.close(held)
    raise UserError(f"{folder} is replaced over and over while it is read: try again later")


def is_still(held: int, path: Path) -> bool:
    """Whether what is open is what bears that name."""
    try:
        return os.path.samestat(os.fstat(held), path.stat())
    except OSError:
        return False


def _made(path: Path, *, is_folder: bool) -> tuple[Path, int]:
    """A place with its lock; another one where a neighbor took it for a stray before it was locked."""
    while True:
        if is_folder:
            temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=_PARTIAL, dir=path.parent))
            handle = os.open(temporary, os.O_RDONLY)
            temporary.chmod(0o755)
        else:
            handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=_PARTIAL, dir=path.parent)
            temporary = Path(name)
        if locked(handle) is not False and is_still(handle, temporary):
            return temporary, handle
        os.close(handle)


def locked(handle: int) -> bool | None:
    """Lock what is open as long as it is; whether that went, and None where the system has no locks."""
    try:
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except BlockingIOError:
        return False
    except (ImportError, OSError):
        return None


def _remove_strays(folder: Path) -> None:
    _swept(os.getpid(), folder.absolute())


@lru_cache(maxsize=4096)
def _swept(_process: int, folder: Path) -> None:
    """Remove what killed processes left in a folder, once in a process."""
    with suppress(OSError), os.scandir(folder) as entries:
        for stray in [Path(entry.path) for entry in entries if _STRAY.fullmatch(entry.name)]:
            name = stray.name[1:].rsplit(".", 2)[0]
            restore(folder / name)
            with suppress(OSError):
                if stray.suffix == _PARTIAL:
                    _remove_if_left(stray)
                elif (folder / name).exists():
                    _remove(stray)


def _remove_if_left(stray: Path) -> None:
    """Remove it where nobody holds it any more; where that cannot be known, where it is old."""
    handle = os.open(stray, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        is_free = locked(handle)
        if time.time() - stray.stat().st_mtime > _ABANDONED_S if is_free is None else is_free:
            _remove(stray)
    finally:
        os.close(handle)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _name_beside(path: Path, suffix: str) -> Path:
    return path.with_name(f".{path.name}.{os.urandom(4).hex()}{suffix}")


@cache
def _system() -> Any:
    """The system's function that renames with flags, or None."""
    try:
        return getattr(
            ctypes.CDLL(None, use_errno=True), "renamex_np" if sys.platform == "darwin" else "renameat2"
        )
    except (AttributeError, OSError, TypeError):
        return None


def _exchanged(one: Path, other: Path) -> bool:
    """Swap two names in one step; False where the system, or the disk's format, cannot."""
    rename = _system()
    if rename is None:
        return False
    names = os.fsencode(one), os.fsencode(other)
    if sys.platform == "darwin":
        done = rename(*names, ctypes.c_uint(_EXCHANGE))
    else:
        done = rename(_HERE, names[0], _HERE, names[1], ctypes.c_uint(_EXCHANGE))
    return bool(done == 0)
