"""Files that are whole or not there: home, digests, atomic writing, archives that stay in their folder."""

import hashlib
import json
import os
import re
import shutil
import tomllib
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Any

from .errors import UserError
from .places import put_folder, temporary_place

_CHUNK = 1 << 20
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_TOO_DEEP, _DEEPEST = "it is nested too deeply", 64


def home() -> Path:
    """The folder of everything that brodmann keeps: ``$BRODMANN_HOME``, else ``~/.cache/brodmann``."""
    return Path(os.environ.get("BRODMANN_HOME") or "~/.cache/brodmann").expanduser()


def sha256_file(path: Path) -> str:
    """The sha256 of a file's bytes, as 64 hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        for chunk in iter(lambda: stream.read(_CHUNK), b""):
            digest.update(chunk)
    return digest.hexdigest()


def digest_of(*parts: object) -> str:
    """One sha256 over strings, bytes and whatever JSON can write, in order; an iterator gives bytes as they come."""
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, Iterator):
            for piece in part:
                digest.update(piece)
            continue
        raw = part if isinstance(part, bytes) else json.dumps(part, sort_keys=True, default=str).encode()
        digest.update(len(raw).to_bytes(8, "little"))
        digest.update(raw)
    return digest.hexdigest()


@contextmanager
def whole_file(path: Path) -> Iterator[IO[bytes]]:
    """Write a file that appears under its name only when it is complete.

    The bytes go to a temporary name in the same folder, are flushed to the disk, and the file is then
    renamed. Whatever goes wrong before that leaves the old file (or none) and no rubbish.

    Raises
    ------
    UserError
        Where the disk is full or the folder may not be written.
    """
    try:
        with temporary_place(path) as temporary:
            with temporary.open("wb") as stream:
                yield stream
                stream.flush()
                os.fsync(stream.fileno())
            temporary.replace(path)
    except OSError as error:
        raise cannot_write(path, error) from error


def cannot_write(path: Path, error: OSError) -> UserError:
    """The one line for a file that could not be written."""
    return UserError(
        f"cannot write {path}: {error.strerror or error}; free some space, or point BRODMANN_HOME elsewhere"
    )


def write_bytes(path: Path, content: bytes) -> None:
    """Write bytes whole or not at all."""
    with whole_file(path) as stream:
        stream.write(content)


def write_json(path: Path, content: object) -> None:
    """Write JSON (never NaN or infinity) whole or not at all."""
    write_bytes(path, (json.dumps(content, indent=1, allow_nan=False) + "\n").encode())


def copy_file(source: Path, target: Path) -> None:
    """Copy a file so that the copy is whole or not there."""
    with source.open("rb") as stream, whole_file(target) as out:
        shutil.copyfileobj(stream, out, _CHUNK)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Fill a folder that appears under its name only when the block ends without an error.

    A folder that was there before is replaced in one step, and kept if the block fails.
    """
    try:
        with temporary_place(path, is_folder=True) as temporary:
            yield temporary
            put_folder(temporary, path)
    except OSError as error:
        raise cannot_write(path, error) from error


def unpack_zip(archive: Path, target: Path, *, max_bytes: int = 8 << 30) -> list[Path]:
    """Unpack a zip inside a folder, and refuse one that would leave it.

    Parameters
    ----------
    archive : Path
        The zip file.
    target : Path
        The folder that receives the files (made where absent).
    max_bytes : int
        The most that the archive may unpack to, in bytes.

    Returns
    -------
    list of Path
        The files written, in the archive's order.

    Raises
    ------
    UserError
        For a damaged zip, an absolute path, ``..``, a link, or more than `max_bytes`.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            members = [member for member in opened.infolist() if not member.is_dir()]
            _check_members(archive, members, max_bytes)
            written = []
            for member in members:
                path = target.joinpath(*PurePosixPath(member.filename).parts)
                with opened.open(member) as stream, whole_file(path) as out:
                    shutil.copyfileobj(stream, out, _CHUNK)
                written.append(path)
            return written
    except (zipfile.BadZipFile, EOFError, NotImplementedError) as error:
        raise UserError(f"{archive} is not a readable zip file ({error}): fetch it again") from error


def _check_members(archive: Path, members: Iterable[zipfile.ZipInfo], max_bytes: int) -> None:
    total = 0
    for member in members:
        name = PurePosixPath(member.filename)
        is_link = (member.external_attr >> 16) & 0o170000 == 0o120000
        if name.is_absolute() or ".." in name.parts or "\\" in member.filename or is_link:
            raise UserError(f"{archive} holds {member.filename!r}, which would leave its folder: refused")
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise UserError(
                f"{archive} is packed in a rare way ({member.filename!r}): pack it again as a plain zip"
            )
        total += member.file_size
    if total > max_bytes:
        raise UserError(
            f"{archive} would unpack to {total / 2**30:.1f} GiB, more than {max_bytes / 2**30:.1f} GiB"
        )


def parse_json(raw: bytes | str) -> Any:
    """What a JSON text says; a ValueError for one that says nothing, however deeply it is nested."""
    try:
        return json.loads(raw)
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None


def parse_toml(text: str) -> dict[str, Any]:
    """What a TOML text says; a ValueError for one that says nothing, or is nested too deeply."""
    try:
        content = tomllib.loads(text)
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None
    level: list[Any] = [content]
    for _ in range(_DEEPEST):
        level = [
            inner
            for one in level
            for inner in (one.values() if isinstance(one, dict) else one)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return content
    raise ValueError(_TOO_DEEP)


def read_json(path: Path) -> Any:
    """Read a JSON file; a damaged one is a :class:`UserError` that names it."""
    try:
        return parse_json(path.read_bytes())
    except ValueError as error:
        raise UserError(f"{path} is not readable JSON ({error}): delete it and run again") from error


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file; one that is absent or damaged is a :class:`UserError` that names it."""
    try:
        return parse_toml(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise UserError(f"{path} is not valid TOML: {error}") from error


def remember(path: Path, make: Callable[[Path], None]) -> Path:
    """The file at `path` if its checksum still holds, else made anew by ``make(temporary_path)``.

    A sidecar ``<name>.sha256`` keeps the checksum; a file that does not match is discovered and rebuilt.
    """
    sidecar = path.with_name(path.name + ".sha256")
    if path.exists() and sidecar.exists() and sidecar.read_text().strip() == sha256_file(path):
        return path
    try:
        with temporary_place(path) as temporary:
            temporary.chmod(0o644)
            make(temporary)
            checksum = sha256_file(temporary)
            sidecar.unlink(missing_ok=True)
            temporary.replace(path)
        write_bytes(sidecar, checksum.encode())
    except OSError as error:
        raise cannot_write(path, error) from error
    return path


def natural(name: str) -> list[tuple[int, int, str]]:
    """The key by which ``run-2`` comes before ``run-10``."""
    return [
        (0, int(part), "") if part.isdecimal() else (1, 0, part) for part in re.split(r"(\d+)", name) if part
    ]


def no_formula(value: Any) -> Any:
    """A cell of a table; a text that a spreadsheet would take for a formula stands behind an apostrophe."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def file_name(text: str) -> str:
    """A text as part of a file's name: other signs than letters, numbers, ``-``, ``_`` and ``.`` become ``-``."""
    return "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in text).strip("-.")
