"""A run in a store that fsspec reaches (``s3://BUCKET/FOLDER``), with a mirror here in which files have paths."""

import os
import re
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from ...errors import UserError, first_line
from ...files import digest_of, home, parse_json, sha256_file, write_bytes
from .record import Record
from .run import WAIT_S, Run

LEASE_S = 30.0
_AT_ONCE = 64
_WHOLE = {"s3", "s3a", "gs", "gcs", "az", "abfs", "memory"}
"""Protocols whose objects appear whole or not at all."""
_PACKAGES = {
    "s3": "brodmann[cluster]",
    "s3a": "brodmann[cluster]",
    "gs": "gcsfs",
    "gcs": "gcsfs",
} | dict.fromkeys(("az", "abfs"), "adlfs")


@dataclass(frozen=True)
class RemoteRun(Run):
    """Records in a store; ``folder`` is a mirror of them, which may be deleted at any time.

    Everything is written to the mirror first and sent from there, arrays before the record; everything that is read is
    held against the record's checksum.

    Attributes
    ----------
    url : str
        Where the store keeps them.
    """

    url: str = ""

    @property
    def place(self) -> str:
        """What a person is told."""
        return self.url

    def find(self, model: str, benchmark: str, key: str) -> Record | None:
        """As of any run; where there is none, the store is tried before the work, and not after it."""
        path = self.path(model, benchmark, key)
        self._bring([path.name])
        found = super().find(model, benchmark, key)
        if found is None:
            _try_to_write(self.url)
        return found

    def keep(self, record: Mapping[str, Any], arrays: Mapping[str, np.ndarray[Any, Any]]) -> Path:
        """As of any run."""
        path = super().keep(record, arrays)
        self.send(path.with_suffix(".npz"))
        self.send(path)
        return path

    def opened(self) -> Path:
        """The mirror, with everything that the store has and nothing else.

        Raises
        ------
        UserError
            Where the store has nothing there, or does not answer.
        """
        with _said(self.url) as (files, root):
            files.invalidate_cache()
            names = sorted(str(one).rpartition("/")[2] for one in files.find(root, maxdepth=1))
        wanted = [name for name in names if not name.startswith(".")]
        if not wanted:
            raise self.absent()
        for path in self.folder.glob("*") if self.folder.is_dir() else ():
            if path.is_file() and path.name not in wanted and path.suffix in (".json", ".npz"):
                path.unlink()
        self._bring([name for name in wanted if name.endswith(".json")])
        records = {Path(name).with_suffix(".npz").name for name in wanted if name.endswith(".json")}
        for name in wanted:
            if not name.endswith(".json") and name not in records:
                self.fetch(self.folder / name)
        return self.folder

    def records_of(self, paths: Iterable[Path]) -> Iterator[Record]:
        """As of any run; a path of another machine's mirror is that of the same name here."""
        here = [self.folder / path.name for path in paths]
        self._bring([path.name for path in here])
        try:
            yield from super().records_of(here)
        except OSError as error:
            raise UserError(f"{self.url} has no {Path(str(error.filename)).name}") from None
        except UserError as error:
            raise UserError(str(error).replace(str(self.folder), self.url)) from None

    @contextmanager
    def claim(self, name: str) -> Iterator[None]:
        """As of any run, by an object that its holder writes anew again and again.

        One that stays as it was for half a minute is nobody's any more. Where the store cannot put an object on the
        condition that there is none, nobody waits.
        """
        token, name = os.urandom(8).hex(), f".{name}.claim"
        seen, since = b"", time.monotonic()
        while not _created(self.url, name, token.encode()):
            content = _content(self.url, name)
            if content != seen:
                seen, since = content, time.monotonic()
            elif time.monotonic() - since > LEASE_S:
                _remove(self.url, name)
            time.sleep(WAIT_S)
        done = threading.Event()
        beating = threading.Thread(target=_beat, args=(self.url, name, token, done), daemon=True)
        beating.start()
        try:
            yield
        finally:
            done.set()
            beating.join()
            _remove(self.url, name)

    def fetch(self, path: Path) -> None:
        """Bring one file here, where the store has it."""
        with _said(self.url) as (files, root):
            try:
                content = files.cat_file(f"{root}/{path.name}")
            except FileNotFoundError:
                path.unlink(missing_ok=True)
                return
        if not path.is_file() or path.read_bytes() != content:
            write_bytes(path, content)

    def send(self, path: Path) -> None:
        """Put one file of the mirror into the store, whole."""
        _put(self.url, path.name, path.read_bytes())

    def _bring(self, names: list[str]) -> None:
        """Records, and the arrays that they name where those here are not the same."""
        for start in range(0, len(names), _AT_ONCE):
            some = names[start : start + _AT_ONCE]
            with _said(self.url) as (files, root):
                found = files.cat([f"{root}/{name}" for name in some], on_error="omit")
            contents = {str(name).rpartition("/")[2]: content for name, content in found.items()}
            for name in some:
                path = self.folder / name
                if name not in contents:
                    path.unlink(missing_ok=True)
                    continue
                if not path.is_file() or path.read_bytes() != contents[name]:
                    write_bytes(path, contents[name])
                arrays = path.with_suffix(".npz")
                wanted = _arrays(contents[name])
                if wanted is not None and not (arrays.is_file() and sha256_file(arrays) == wanted):
                    self.fetch(arrays)


def open_url(url: str) -> Run:
    """A run by the URL of its folder in a store.

    Raises
    ------
    UserError
        For a URL that names no folder, or holds a password.
    """
    parts = urlsplit(url)
    if "@" in parts.netloc:
        raise UserError(
            f"a password in the URL of a run ({parts.scheme}://...) would be written down: leave it out, and give it "
            "as the store's own variables or files do, such as AWS_PROFILE"
        )
    if parts.scheme == "file":
        return Run(Path(parts.path))
    url = url.rstrip("/")
    if not re.fullmatch(r"[a-z0-9+]+://.+", url):
        raise UserError(f"{url} names no folder of a store, such as s3://BUCKET/FOLDER")
    return RemoteRun(home() / "stores" / digest_of(url)[:16], url)


@contextmanager
def _said(url: str) -> Iterator[tuple[Any, str]]:
    """The file system and the path of a URL; whatever goes wrong there is one line."""
    scheme = url.partition(":")[0]
    try:
        from fsspec.core import url_to_fs

        yield url_to_fs(url)
    except UserError:
        raise
    except ImportError:
        package = _PACKAGES.get(scheme, "fsspec")
        raise UserError(f"a run at {url} needs another package: pip install '{package}'") from None
    # every store has errors of its own: no credentials, no bucket, a network that is down
    except Exception as error:
        raise UserError(
            f"the store of {url} does not do it ({type(error).__name__}: {first_line(error)}): "
            "look at its credentials, its name and the network"
        ) from None


def _put(url: str, name: str, content: bytes) -> None:
    with _said(url) as (files, root):
        if _is_whole(files):
            files.pipe_file(f"{root}/{name}", content)
            return
        files.makedirs(root, exist_ok=True)
        files.pipe_file(f"{root}/.{name}.partial", content)
        files.mv(f"{root}/.{name}.partial", f"{root}/{name}")


def _created(url: str, name: str, content: bytes) -> bool:
    """Put an object where there is none; False where there is one."""
    with _said(url) as (files, root):
        if not _is_whole(files):
            files.makedirs(root, exist_ok=True)
        try:
            files.pipe_file(f"{root}/{name}", content, mode="create")
        except FileExistsError:
            return False
        except (NotImplementedError, TypeError, ValueError):  # the store knows no condition
            return True
    return True


def _content(url: str, name: str) -> bytes:
    with _said(url) as (files, root), suppress(FileNotFoundError):
        return bytes(files.cat_file(f"{root}/{name}"))
    return b""


def _remove(url: str, name: str) -> None:
    with _said(url) as (files, root), suppress(FileNotFoundError):
        files.rm_file(f"{root}/{name}")


def _beat(url: str, name: str, token: str, done: threading.Event) -> None:
    beats = 0
    while not done.wait(LEASE_S / 4):
        beats += 1
        with suppress(UserError):  # the record itself will say that the store is gone
            _put(url, name, f"{token}-{beats}".encode())


def _is_whole(files: Any) -> bool:
    return (files.protocol if isinstance(files.protocol, str) else files.protocol[0]) in _WHOLE


@lru_cache(maxsize=256)
def _try_to_write(url: str) -> None:
    """Once in a process: a store that takes nothing is said before the work and not after it."""
    _put(url, ".writable", b"")


def _arrays(content: bytes) -> str | None:
    """The checksum of a record's arrays; None for a file that is no record."""
    try:
        found = parse_json(content)
    except ValueError:
        return None
    return str(found["arrays"]) if isinstance(found, dict) and "arrays" in found else None
