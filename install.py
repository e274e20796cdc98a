"""Files with a known checksum, brought from a folder or an address into a place of their own."""

import hashlib
import math
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from http.client import HTTPException, HTTPResponse
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from .bounded import check_ends
from .errors import NotAvailableError, UserError
from .files import cannot_write, copy_file, digest_of, home, parse_json, sha256_file, whole_folder, write_json
from .progress import track

_CHUNK = 1 << 20
_ATTEMPTS = 4
_TIMEOUT_S = 30
_LOCAL = {"127.0.0.1", "localhost", "::1"}
_CHECKSUMS = "checksums.json"
_FIRST_SEEN = "first-seen.json"
_ANNOUNCED = "X-Linked-ETag"
"""Where Hugging Face says a large file's sha256; a small one's ETag is the checksum that git gives it."""


@dataclass(frozen=True)
class KnownFile:
    """A file that a catalogue names.

    Attributes
    ----------
    name : str
        Path inside the folder, with forward slashes.
    digest : str or None
        Its checksum in hexadecimal: sha256 (64 digits), or sha1 (40 digits) as Brain-Score keeps them. None where
        the catalogue does not know it: then the server's own checksum decides, and what was installed first is
        kept in mind and verified from then on.
    url : str or None
        The public address, or None where there is none.
    """

    name: str
    digest: str | None = None
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
        A folder that has the files, under their names or all at its top. None downloads them; a transfer
        that broke off goes on where it stopped, also in a later run.
    hint : str
        The command that installs from a folder.

    Raises
    ------
    UserError
        For a folder or file that is not there, or a checksum that does not match.
    NotAvailableError
        Where a file has no address or cannot be downloaded.
    """
    if source is not None:
        _copy(files, _found(what, files, source), target)
        return
    for file in files:
        _check_address(what, file, hint)
    downloads = [
        _downloaded(what, file, f"{file.name} ({number} of {len(files)})", hint)
        for number, file in enumerate(files, start=1)
    ]
    _copy(files, downloads, target)
    for path in downloads:
        path.unlink(missing_ok=True)


def verify_installed(what: str, files: Sequence[KnownFile], target: Path, *, hint: str) -> None:
    """Raise a UserError where an installed file is missing or no longer what it was.

    A file is read once in a process, and again when its size or its time of change differs.
    """
    seen = _first_seen(target)
    for file in files:
        path = target / file.name
        if not path.is_file():
            raise NotAvailableError(f"{what} is not whole: {file.name} is missing; install it again: {hint}")
        known = file.digest or seen.get(file.name)
        if known is None:
            raise NotAvailableError(f"{what} was not installed whole: install it again: {hint}")
        found = _checksum(path, len(known))
        if found != known:
            raise UserError(
                f"{what} is damaged: {path} is not what it was (its checksum begins {found[:12]}, not "
                f"{known[:12]}); install it again: {hint}"
            )


def _first_seen(folder: Path) -> dict[str, str]:
    """The sha256 of the files whose checksum no catalogue knows, from when they were installed."""
    try:
        seen = parse_json((folder / _FIRST_SEEN).read_bytes())
    except (OSError, ValueError):
        return {}
    return {str(name): str(digest) for name, digest in seen.items()} if isinstance(seen, dict) else {}


def remember_folder(path: Path, make: Callable[[Path], object]) -> Path:
    """The folder at `path` if its checksums still hold, else made anew by ``make(temporary_folder)``.

    ``checksums.json`` inside the folder keeps the sha256 of every file; a folder in which a file is damaged
    or missing is discovered and rebuilt.
    """
    if not _holds(path):
        with whole_folder(path) as temporary:
            make(temporary)
            names = sorted(file.relative_to(temporary) for file in temporary.rglob("*") if file.is_file())
            write_json(
                temporary / _CHECKSUMS, {name.as_posix(): sha256_file(temporary / name) for name in names}
            )
    return path


def _holds(folder: Path) -> bool:
    try:
        checksums = parse_json((folder / _CHECKSUMS).read_bytes())
        return isinstance(checksums, dict) and all(
            _checksum(folder / name, 64) == digest for name, digest in checksums.items()
        )
    except (OSError, ValueError):
        return False


def _found(what: str, files: Sequence[KnownFile], source: Path) -> list[Path]:
    """The files in a folder, verified."""
    if not source.is_dir():
        raise UserError(f"no folder at {source}: give --from the folder that holds the files of {what}")
    found, missing = [], []
    for file in files:
        places = (source / file.name, source / PurePosixPath(file.name).name)
        path = next((place for place in places if place.is_file()), None)
        if path is None:
            missing.append(file.name)
        else:
            check_ends(path)
            found.append(path)
    if missing:
        raise UserError(
            f"{source} holds {len(found)} of the {len(files)} files that {what} needs (first missing: {missing[0]}): "
            "is it the right folder?"
        )
    for file, path in track(list(zip(files, found, strict=True)), f"verifying {what}"):
        _verify(what, file, path)
    return found


def _verify(what: str, file: KnownFile, path: Path) -> None:
    if file.digest is None:
        return
    found = _checksum(path, len(file.digest))
    if found != file.digest:
        raise UserError(
            f"{file.name} is not the file that {what} needs: its checksum begins {found[:12]}, not {file.digest[:12]}; "
            "nothing was installed"
        )


def _copy(files: Sequence[KnownFile], found: Sequence[Path], target: Path) -> None:
    with whole_folder(target) as folder:
        for file, path in zip(files, found, strict=True):
            copy_file(path, folder / file.name)
        unknown = [file.name for file in files if file.digest is None]
        if unknown:
            write_json(folder / _FIRST_SEEN, {name: sha256_file(folder / name) for name in unknown})


def _checksum(path: Path, n_digits: int) -> str:
    try:
        state = path.stat()
        return _checksum_in_state(path, n_digits, state.st_mtime_ns, state.st_size)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from error


@lru_cache(maxsize=100_000)
def _checksum_in_state(path: Path, n_digits: int, _modified: int, _size: int) -> str:
    if n_digits == 64:
        return sha256_file(path)
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.sha1(usedforsecurity=False)).hexdigest()


def _check_address(what: str, file: KnownFile, hint: str) -> None:
    if file.url is None:
        raise NotAvailableError(
            f"{what} has no public address for {file.name}; with the files at hand: {hint}"
        )
    address = urlsplit(file.url)
    if address.scheme != "https" and not (address.scheme == "http" and address.hostname in _LOCAL):
        raise UserError(f"{what}: {file.url} is not a secure (https) address: refused")


def _downloaded(what: str, file: KnownFile, label: str, hint: str) -> Path:
    """The file, verified, in the home's `downloads`; it waits there under its checksum to be resumed or copied."""
    folder = home() / "downloads"
    name = file.digest or f"address-{digest_of(file.url)}"
    done, partial = folder / name, folder / f"{name}.partial"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if file.digest and done.is_file() and _checksum(done, len(file.digest)) == file.digest:
            return done
        announced: list[str] = []
        for _ in range(_ATTEMPTS):
            if _fetch(what, file, partial, label, hint, announced):
                break
        else:
            raise NotAvailableError(
                f"cannot download {file.name} of {what} (the connection broke off {_ATTEMPTS} times); "
                f"run it again to go on, or with the files at hand: {hint}"
            )
        try:
            _verify(what, file, partial)
            if file.digest is None and announced:
                _verify_announced(what, file, partial, announced[0])
        except UserError:
            partial.unlink(missing_ok=True)
            raise
        partial.replace(done)
    except OSError as error:
        raise cannot_write(folder, error) from error
    return done


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows secure addresses only, and keeps the checksum that the first answer announces."""

    def __init__(self, announced: list[str]) -> None:
        self._announced = announced

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        """The next request, or an error where its address is not secure."""
        address = urlsplit(newurl)
        if address.scheme != "https" and address.hostname not in _LOCAL:
            raise urllib.error.URLError(f"it leads to {newurl}, which is not secure")
        _note_checksum(headers.get(_ANNOUNCED), self._announced)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _note_checksum(tag: str | None, announced: list[str]) -> None:
    value = (tag or "").removeprefix("W/").strip('"').lower()
    if not announced and len(value) in (40, 64) and not set(value) - set("0123456789abcdef"):
        announced.append(value)


def _verify_announced(what: str, file: KnownFile, path: Path, announced: str) -> None:
    """Against sha256 for a large file; a small one's checksum is git's, of its length and its bytes."""
    if len(announced) == 64:
        found = sha256_file(path)
    else:
        content = path.read_bytes()
        found = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
    if found != announced:
        raise UserError(
            f"{file.name} of {what} is not what the server announced (its checksum begins {found[:12]}, not "
            f"{announced[:12]}); nothing was installed: run it again"
        )


def _fetch(what: str, file: KnownFile, partial: Path, label: str, hint: str, announced: list[str]) -> bool:
    """Fetch what is still missing of a file; whether all of it is there now."""
    have = partial.stat().st_size if partial.exists() else 0
    request = urllib.request.Request(str(file.url), headers={"Range": f"bytes={have}-"} if have else {})
    try:
        opener = urllib.request.build_opener(_Redirects(announced))
        with opener.open(request, timeout=_TIMEOUT_S) as response:
            for header in (_ANNOUNCED, "ETag"):
                _note_checksum(response.headers.get(header), announced)
            if response.status != 206:
                have = 0
            length = response.headers.get("Content-Length")
            size = None if length is None else have + int(length)
            steps = None if size is None else math.ceil((size - have) / _CHUNK)
            with partial.open("ab" if have else "wb") as stream:
                for chunk in track(_chunks(response), f"downloading {label}", total=steps):
                    stream.write(chunk)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416:  # nothing is left to fetch; the checksum decides
            return True
        reason = "it is private" if error.code in (401, 403) else f"the server answered {error.code}"
        raise NotAvailableError(
            f"cannot download {file.name} of {what}: {reason}; with the files at hand: {hint}"
        ) from error
    except urllib.error.URLError as error:
        raise NotAvailableError(
            f"cannot download {file.name} of {what} (no connection to {urlsplit(file.url).hostname!r}: "
            f"{error.reason}); with the files at hand: {hint}"
        ) from error
    except (HTTPException, ConnectionError, TimeoutError):
        return False
    return size is None or partial.stat().st_size >= size


def _chunks(response: HTTPResponse) -> Iterator[bytes]:
    """The body in pieces; a connection that breaks ends them early."""
    while True:
        try:
            chunk = response.read(_CHUNK)
        except (HTTPException, ConnectionError, TimeoutError):
            return
        if not chunk:
            return
        yield chunk
