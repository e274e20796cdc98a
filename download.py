"""A file with a known checksum, and how it comes from its address: in parts, verified, within bounds."""

import hashlib
import math
import os
import queue
import re
import shutil
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from .errors import NotAvailableError, UserError, first_line
from .files import cannot_write, digest_of, home, sha256_file
from .progress import track

_CHUNK = 1 << 20
_ATTEMPTS = 4
_TIMEOUT_S = 30
_ANSWER_S = 120.0
_LONGEST_S = 12 * 3600.0
_SLOWEST = 1 << 10
"""Of a download: when a server has answered, when all of it is there, and how many bytes a second come at least."""
_MOST_BYTES = 200 << 30
_LOCAL = {"127.0.0.1", "localhost", "::1"}
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


def verify(what: str, file: KnownFile, path: Path) -> None:
    """Raise a UserError for a file of another checksum than the catalogue knows, if it knows one."""
    if file.digest is None:
        return
    found = checksum(path, len(file.digest))
    if found != file.digest:
        raise UserError(
            f"{file.name} is not the file that {what} needs: its checksum begins {found[:12]}, not {file.digest[:12]}; "
            "nothing was installed"
        )


def checksum(path: Path, n_digits: int) -> str:
    """The sha256 (64 digits) or sha1 of a file, which is read again only when it changed."""
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


def check_address(what: str, file: KnownFile, hint: str) -> None:
    """Raise where a file has no address, or none that is secure."""
    if file.url is None:
        raise NotAvailableError(
            f"{what} has no public address for {file.name}; with the files at hand: {hint}"
        )
    address = urlsplit(file.url)
    if address.scheme != "https" and not (address.scheme == "http" and address.hostname in _LOCAL):
        raise UserError(f"{what}: {file.url} is not a secure (https) address: refused")


def downloaded(what: str, file: KnownFile, label: str, hint: str) -> Path:
    """The file, verified, in the home's `downloads`; it waits there under its checksum to be resumed or copied."""
    folder = home() / "downloads"
    name = file.digest or f"address-{digest_of(file.url)}"
    done, partial = folder / name, folder / f"{name}.partial"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if file.digest and done.is_file() and checksum(done, len(file.digest)) == file.digest:
            return done
        with _alone(what, file, folder / f"{name}.lock"):
            _Download(what, file, partial, label, hint).complete()
            partial.replace(done)
            _tag_of(partial).unlink(missing_ok=True)
    except OSError as error:
        raise cannot_write(folder, error) from error
    return done


@contextmanager
def _alone(what: str, file: KnownFile, lock: Path) -> Iterator[None]:
    """No other process writes the same file meanwhile."""
    with lock.open("wb") as stream:
        try:
            import fcntl
        except ImportError:  # no such locks on this system
            pass
        else:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                free = os.path.samestat(os.fstat(stream.fileno()), lock.stat())
            except OSError:
                free = False
            if not free:
                raise UserError(f"{file.name} of {what} is being downloaded by another process: wait for it")
        try:
            yield
        finally:
            lock.unlink(missing_ok=True)


def _tag_of(partial: Path) -> Path:
    return partial.with_name(partial.name + ".tag")


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows secure addresses only, and keeps the checksum that the first answer announces."""

    def __init__(self, announced: list[str]) -> None:
        self._announced = announced

    def http_error_302(self, req: Any, fp: Any, code: int, msg: str, headers: Any) -> Any:
        """What the next address answers; an address that leads nowhere ends the connection."""
        try:
            return super().http_error_302(req, fp, code, msg, headers)
        except ValueError:
            fp.close()
            raise

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        """The next request, or an error where its address is not secure."""
        address = urlsplit(newurl)
        if address.scheme != "https" and not (_is_local(newurl) and _is_local(req.full_url)):
            fp.close()
            raise urllib.error.URLError(f"it leads to {newurl!r}, which is not secure")
        _note_checksum(headers.get(_ANNOUNCED), self._announced)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _is_local(url: str) -> bool:
    address = urlsplit(url)
    return address.scheme == "http" and address.hostname in _LOCAL


def _note_checksum(tag: str | None, announced: list[str]) -> None:
    value = (tag or "").removeprefix("W/").strip('"').lower()
    if not announced and len(value) in (40, 64) and not set(value) - set("0123456789abcdef"):
        announced.append(value)


class _BrokeOff(Exception):
    """What is there now is not the whole file; asking again goes on, or begins anew."""


class _Download:
    """A file that comes in parts, from a server that breaks off, changes its mind, or lies.

    What a catalogue's checksum, or one that the server announces, decides in the end may go on where it stopped.
    Without one, it goes on only under the same strong tag (``If-Range``), and is whole only where its length says so.
    """

    def __init__(self, what: str, file: KnownFile, partial: Path, label: str, hint: str) -> None:
        self._what, self._file, self._partial, self._label, self._hint = what, file, partial, label, hint
        self._end = time.monotonic() + _LONGEST_S
        self._resumed = False

    def complete(self) -> None:
        """Fetch what is missing and verify the whole."""
        for _ in range(_ATTEMPTS):
            announced: list[str] = []
            try:
                self._fetch(announced)
                self._verify(announced)
                return
            except _BrokeOff:
                continue
        raise self._problem(f"the connection broke off {_ATTEMPTS} times", "run it again to go on")

    def _verify(self, announced: list[str]) -> None:
        try:
            verify(self._what, self._file, self._partial)
            if self._file.digest is None and announced:
                _verify_announced(self._what, self._file, self._partial, announced[0])
        except UserError:
            self._forget()
            if self._resumed:  # the parts may be of two files
                raise _BrokeOff from None
            raise

    def _forget(self) -> None:
        self._partial.unlink(missing_ok=True)
        _tag_of(self._partial).unlink(missing_ok=True)

    def _problem(self, reason: str, *advice: str) -> NotAvailableError:
        name = f"{self._file.name} of {self._what}"
        return NotAvailableError(
            f"cannot download {name}: {reason}; {'; '.join((*advice, f'with the files at hand: {self._hint}'))}"
        )

    def _fetch(self, announced: list[str]) -> None:
        have, tag = self._there()
        self._resumed = have > 0
        headers = {"Range": f"bytes={have}-"} if have else {}
        if have and tag.startswith('"'):
            headers["If-Range"] = tag
        request = urllib.request.Request(str(self._file.url), headers=headers)
        opener = urllib.request.build_opener(_Redirects(announced))
        try:
            with self._within(lambda: opener.open(request, timeout=_TIMEOUT_S)) as response:
                for header in (_ANNOUNCED, "ETag"):
                    _note_checksum(response.headers.get(header), announced)
                self._take(response, have, tag, announced)
        except urllib.error.HTTPError as error:
            error.close()
            if error.code != 416:
                private = error.code in (401, 403)
                raise self._problem(
                    "it is private" if private else f"the server answered {error.code}"
                ) from error
            if self._file.digest is None:  # nothing says that what is there is the whole
                self._forget()
                raise _BrokeOff from None
        except urllib.error.URLError as error:
            host = urlsplit(self._file.url).hostname
            raise self._problem(f"no connection to {host!r}: {error.reason}") from error
        except (HTTPException, ConnectionError, TimeoutError):
            raise _BrokeOff from None
        except ValueError as error:
            raise self._problem(f"its address leads nowhere: {first_line(error)}") from error

    def _there(self) -> tuple[int, str]:
        """How much of the file is there to go on from, and the tag under which it came."""
        try:
            tag = _tag_of(self._partial).read_text("ascii")
        except (OSError, ValueError):
            tag = ""
        if not (self._partial.is_file() and (self._file.digest or tag)):
            self._forget()
            return 0, ""
        return self._partial.stat().st_size, tag

    def _within(self, ask: Callable[[], HTTPResponse]) -> HTTPResponse:
        """What a server answers, before the deadline, however slowly it says it."""
        answer: queue.Queue[HTTPResponse | Exception] = queue.Queue()
        over = threading.Event()

        def run() -> None:
            try:
                answer.put(ask())
            except Exception as error:  # raised again where it is awaited
                answer.put(error)
            if over.is_set():
                forget()

        def forget() -> None:
            with suppress(queue.Empty):
                late = answer.get_nowait()
                if not isinstance(late, Exception):
                    late.close()

        threading.Thread(target=run, daemon=True).start()
        try:
            found = answer.get(timeout=min(_ANSWER_S, max(self._end - time.monotonic(), 0.0)))
        except queue.Empty:
            over.set()
            forget()
            raise self._problem(f"no answer from {urlsplit(self._file.url).hostname!r}") from None
        if isinstance(found, Exception):
            raise found
        return found

    def _take(self, response: HTTPResponse, have: int, tag: str, announced: list[str]) -> None:
        """Write what comes, if it is what was asked for."""
        coding = response.headers.get("Content-Encoding", "identity").strip().lower()
        transfer = response.headers.get("Transfer-Encoding", "chunked").strip().lower()
        if coding != "identity" or transfer != "chunked":
            raise self._problem("the server sends it compressed, though it was asked not to")
        found = response.headers.get("ETag", "")
        same = not have or bool(self._file.digest) or tag in (found, *announced)
        size, have = self._size(response, have, same)
        if size is None and not (self._file.digest or announced or response.chunked):
            raise self._problem("the server does not say how long it is")
        self._check_room(size, have)
        if not have:
            self._forget()
        kept = found if found.startswith('"') else announced[0] if announced else ""
        if kept.isascii() and kept:
            _tag_of(self._partial).write_text(kept, "ascii")
        steps = None if size is None else math.ceil((size - have) / _CHUNK)
        with self._partial.open("ab" if have else "wb") as stream:
            for chunk in track(self._chunks(response, have, size), f"downloading {self._label}", total=steps):
                stream.write(chunk)
        if size is not None and self._partial.stat().st_size != size:
            raise _BrokeOff

    def _size(self, response: HTTPResponse, have: int, same: bool) -> tuple[int | None, int]:
        """How long the whole file is, where the server says it, and from where it sends it."""
        lengths = set(response.headers.get_all("Content-Length", []))
        if len(lengths) > 1 or not all(re.fullmatch(r"\s*[0-9]{1,18}\s*", one) for one in lengths):
            raise self._problem(f"the server says that its length is {' and '.join(sorted(lengths))[:60]!r}")
        length = int(lengths.pop()) if lengths and not response.chunked else None
        if response.status == 200:
            return length, 0
        part = re.fullmatch(
            r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18})", response.headers.get("Content-Range", "")
        )
        first, last, size = (int(one) for one in part.groups()) if part else (-1, -1, -1)
        if response.status != 206:
            raise self._problem(f"the server answered {response.status}")
        if not same or first != have or last + 1 > size or length not in (None, last + 1 - first):
            self._forget()  # another part than the one that is missing, or of another file
            raise _BrokeOff
        return size, have

    def _check_room(self, size: int | None, have: int) -> None:
        if size is None:
            return
        if size > _MOST_BYTES:
            raise self._problem(f"it has {size / 2**30:,.1f} GiB, more than {_MOST_BYTES / 2**30:,.0f} GiB")
        free = shutil.disk_usage(self._partial.parent).free
        if size - have > free:
            raise UserError(
                f"{self._file.name} of {self._what} needs {(size - have) / 2**30:,.1f} GiB, and "
                f"{self._partial.parent} has {free / 2**30:,.1f} GiB free: free some, or point BRODMANN_HOME elsewhere"
            )

    def _chunks(self, response: HTTPResponse, have: int, size: int | None) -> Iterator[bytes]:
        """The body in pieces, as they come; a connection that breaks ends them early."""
        began, come = time.monotonic(), 0
        while size is None or have + come < size:
            try:
                chunk = response.read1(_CHUNK if size is None else min(_CHUNK, size - have - come))
            except (HTTPException, OSError):
                if response.chunked and not self._file.digest:
                    self._forget()  # how much was to come is not known
                raise _BrokeOff from None
            if not chunk:
                return
            come += len(chunk)
            if have + come > _MOST_BYTES:
                self._forget()
                raise self._problem(f"it has no end: more than {_MOST_BYTES / 2**30:,.0f} GiB")
            yield chunk
            now = time.monotonic()
            if now > self._end or now - began > _TIMEOUT_S + come / _SLOWEST:
                raise self._problem(
                    f"too slow: {come:,} bytes in {now - began:.0f} s", "run it again to go on"
                )


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
