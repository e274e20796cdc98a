"""Files with a known checksum, brought from a folder or an address into a place of their own."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath

from .bounded import check_plain_file
from .download import KnownFile as KnownFile
from .download import check_address, checksum, downloaded, verify
from .errors import NotAvailableError, UserError
from .files import copy_file, parse_json, sha256_file, whole_folder, write_json
from .progress import track

_CHECKSUMS = "checksums.json"
_FIRST_SEEN = "first-seen.json"


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
        check_address(what, file, hint)
    downloads = [
        downloaded(what, file, f"{file.name} ({number} of {len(files)})", hint)
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
        found = checksum(path, len(known))
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
            checksum(folder / name, 64) == digest for name, digest in checksums.items()
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
        path = next((place for place in places if os.path.lexists(place) and not place.is_dir()), None)
        if path is None:
            missing.append(file.name)
        else:
            check_plain_file(path, None if file.digest else source)  # its checksum says what it is
            found.append(path)
    if missing:
        raise UserError(
            f"{source} holds {len(found)} of the {len(files)} files that {what} needs (first missing: {missing[0]}): "
            "is it the right folder?"
        )
    for file, path in track(list(zip(files, found, strict=True)), f"verifying {what}"):
        verify(what, file, path)
    return found


def _copy(files: Sequence[KnownFile], found: Sequence[Path], target: Path) -> None:
    with whole_folder(target) as folder:
        for file, path in zip(files, found, strict=True):
            copy_file(path, folder / file.name)
        unknown = [file.name for file in files if file.digest is None]
        if unknown:
            write_json(folder / _FIRST_SEEN, {name: sha256_file(folder / name) for name in unknown})
