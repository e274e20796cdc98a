"""Files with a known checksum, brought from a folder or an address into a place of their own."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class KnownFile:
    """A file that a catalogue names.

    Attributes
    ----------
    name : str
        Path inside the folder, with forward slashes.
    digest : str
        Its checksum in hexadecimal: sha256 (64 digits) or sha1 (40 digits, as Brain-Score keeps them).
    url : str or None
        The public address, or None where there is none.
    """

    name: str
    digest: str
    url: str | None = None


def install_files(what: str, files: Sequence[KnownFile], target: Path, *, source: Path | None) -> None:
    """Bring files into `target`, each verified, all or none."""
    raise NotImplementedError
