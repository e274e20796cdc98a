"""Files with a known checksum, brought from a folder or an address into a place of their own."""

import hashlib
import urllib.error
import urllib.request
import urllib.response
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from http.client import HTTPException
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from .errors import NotAvailableError, UserError
from .files import copy_file, home, whole_folder
from .progress import track

_CHUNK = 1 << 20
_TIMEOUT_S = 30
_LOCAL = {"127.0.0.1", "localhost", "::1"}


@dataclass(frozen=True)
class KnownFile:
    """A file that a catalogue names.

    Attributes
    ----------
    name : str
        Path inside the folder, with forward slashes.
    digest : str
        Its checksum in hexadecimal: sha256 (64 digits), or sha1 (40 digits) as Brain-Score keeps them.
    url : str or None
        The public address, or None where there is none.
    """

    name: str
    digest: str
    url: str | None = None


def install_files(
    what: str, files: Sequence[KnownFile], target: Path, *, source: Path | None, hint: str
) -> None:
    """Bring files into a folder, each verified, all or none.

    Parameters
    ----------
    what : str
        What is installed, for messages.
    files : sequence of KnownFile
    target : Path
        The folder; one that was there before is replaced.
    source : Path or None
        Where the files lie; None downloads them.
    hint : str
        The command that installs from a folder.

    Raises
    ------
    UserError
        For a folder or file that is not there, a checksum that does not match, or a failed download.
    """
    if source is not None and not source.is_dir():
        raise UserError(f"no folder at {source}: give --from the folder that holds the files of {what}")
    with whole_folder(target) as folder:
        for file in track(files, f"installing {what}"):
            path = _found(what, file, source) if source is not None else _downloaded(what, file, hint)
            _verify(what, file, path)
            copy_file(path, folder / file.name)
    if source is None:
        for file in files:
            _partial(file).unlink(missing_ok=True)


def verify_installed(what: str, files: Sequence[KnownFile], target: Path, *, hint: str) -> None:
    """Raise a UserError where an installed file is missing or no longer what it was."""
    for file in files:
        path = target / file.name
        if not path.is_file():
            raise NotAvailableError(f"{what} is not whole: {file.name} is missing; install it again: {hint}")
        status = path.stat()
        if _checksum(path, len(file.digest), status.st_mtime_ns, status.st_size) != file.digest:
            raise UserError(f"{what} is damaged: {file.name} is not what it was; install it again: {hint}")


def _found(what: str, file: KnownFile, source: Path) -> Path:
    for path in (source / file.name, source / PurePosixPath(file.name).name):
        if path.is_file():
            return path
    raise UserError(f"{source} holds no {file.name}, which {what} needs: is it the right folder?")


def _verify(what: str, file: KnownFile, path: Path) -> None:
    status = path.stat()
    found = _checksum(path, len(file.digest), status.st_mtime_ns, status.st_size)
    if found != file.digest:
        raise UserError(
            f"{file.name} is not the file that {what} needs: its checksum begins {found[:12]}, not {file.digest[:12]}; "
            "nothing was installed"
        )


@lru_cache(maxsize=4096)
def _checksum(path: Path, n_digits: int, _modified: int, _size: int) -> str:
    digest = hashlib.sha256() if n_digits == 64 else hashlib.sha1(usedforsecurity=False)
    with path.open("rb") as stream:
        for chunk in iter(lambda: stream.read(_CHUNK), b""):
            digest.update(chunk)
    return digest.hexdigest()


def _partial(file: KnownFile) -> Path:
    """Where an unfinished download waits to be resumed."""
    return home() / "downloads" / file.digest


def _downloaded(what: str, file: KnownFile, hint: str) -> Path:
    path = _partial(file)
    if file.url is None:
        raise NotAvailableError(
            f"{what} has no public address for {file.name}; with the files at hand: {hint}"
        )
    address = urlsplit(file.url)
    if address.scheme != "https" and not (address.scheme == "http" and address.hostname in _LOCAL):
        raise UserError(f"{what}: {file.url} is not a secure (https) address: refused")
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and _is(path, file):
        return path
    try:
        _fetch(file.url, path, file.name)
    except urllib.error.HTTPError as error:
        reason = "it is private" if error.code in (401, 403) else f"the server answered {error.code}"
        raise NotAvailableError(
            f"cannot download {file.name} of {what}: {reason}; with the files at hand: {hint}"
        ) from error
    except (OSError, HTTPException) as error:
        raise NotAvailableError(
            f"cannot download {file.name} of {what} ({error}); run it again to go on, or with the files at hand: {hint}"
        ) from error
    if not _is(path, file):
        path.unlink()
        raise UserError(
            f"{file.name} arrived, but its checksum is not the one that {what} needs: nothing was installed"
        )
    return path


def _is(path: Path, file: KnownFile) -> bool:
    status = path.stat()
    return _checksum(path, len(file.digest), status.st_mtime_ns, status.st_size) == file.digest


def _fetch(url: str, path: Path, name: str) -> None:
    """Download, from where an earlier attempt stopped if the server can do that."""
    have = path.stat().st_size if path.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        response = urllib.request.urlopen(request, timeout=_TIMEOUT_S)
    except urllib.error.HTTPError as error:
        if error.code != 416:  # what is here is as long as the file, or longer: begin anew
            raise
        path.unlink()
        response = urllib.request.urlopen(url, timeout=_TIMEOUT_S)
        have = 0
    with response:
        resumed = have > 0 and response.status == 206
        length = int(response.headers.get("Content-Length") or 0)
        received = 0
        with path.open("ab" if resumed else "wb") as stream:
            for chunk in track(_chunks(response), f"downloading {name}", total=-(-length // _CHUNK) or None):
                stream.write(chunk)
                received += len(chunk)
        if received < length:
            raise OSError(f"the connection ended after {received} of {length} bytes")


def _chunks(response: "urllib.response.addinfourl") -> Iterator[bytes]:
    while chunk := response.read(_CHUNK):
        yield chunk
