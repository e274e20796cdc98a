"""Published recordings: a data set of the catalogue whose files keep the layout in which they were released."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, TypeVar

from ..bounded import check_plain
from ..errors import NotAvailableError, UserError, unknown
from ..files import digest_of, home
from ..install import KnownFile, install_files, verify_installed
from .card import DATASETS, DatasetCard, DatasetEntry
from .formats.recording import RecordingFormat, add_recording_format, read_recording
from .read_options import ReadOptions

if TYPE_CHECKING:
    from .dataset import Dataset
    from .imported import Imported


class PublishedRecording(RecordingFormat):
    """A published data set in its own layout, read from a folder, and downloaded where that is allowed.

    Attributes
    ----------
    card : DatasetCard
        Its option ``address`` holds the public address of a file, with ``{name}`` in it; none where the data have to
        be agreed to first.
    layout : str
        What its folder holds, for the line that says that another one does not.
    """

    of_one = True
    card: ClassVar[DatasetCard]
    layout: ClassVar[str]

    def wanted(self, options: ReadOptions) -> list[str]:
        """The names of the files to download for these options, under the address of the card.

        Raises
        ------
        UserError
            Where an option has to say which.
        """
        raise NotImplementedError

    def unpack(self, folder: Path) -> None:
        """Make the layout of what was downloaded."""

    def about(self) -> dict[str, str]:
        """What the card says, as an import takes it."""
        names = ("title", "species", "technique", "license", "bibtex", "source", "units")
        return {name: str(getattr(self.card, name)) for name in names}


Kind = TypeVar("Kind", bound=type[PublishedRecording])


def add_published(kind: Kind) -> Kind:
    """A class decorator that registers the card of a published recording, and its layout as a format."""
    add_recording_format(kind)
    return add_card(kind)


def add_card(kind: Kind) -> Kind:
    """A class decorator that registers the card alone, of data in a layout that another format reads."""
    entry = DatasetEntry(kind.card, load, Fetcher(kind()))
    DATASETS.register(kind.card.identifier, entry, kind.__module__)
    return kind


def load(card: DatasetCard, folder: Path) -> "Dataset":
    """What was installed, which is a folder as one's own recordings are."""
    from .formats.folder import load_folder

    return load_folder(folder, card.identifier)


@dataclass(frozen=True)
class Fetcher:
    """Installs a published recording."""

    kind: PublishedRecording

    def __call__(self, target: Path, source: Path | None, options: "ReadOptions | None") -> None:
        """Read a folder in the published layout, or download it, and write the part that was asked for.

        Raises
        ------
        UserError
            For a folder of another layout, and whatever reading it raises.
        NotAvailableError
            Where the files have to be agreed to first, or cannot be downloaded.
        """
        from .importing import install_recording

        options = options or ReadOptions()
        if source is not None:
            install_recording(self.kind.card.identifier, self.read(source, options))
            return
        folder = self.downloaded(options)
        install_recording(self.kind.card.identifier, self.read(folder, options))
        shutil.rmtree(folder, ignore_errors=True)

    def read(self, source: Path, options: ReadOptions) -> "Imported":
        """What a folder holds."""
        if not source.exists():
            raise UserError(f"no folder at {source}")
        if source.is_dir():
            check_plain(source, absent=True)
        if not self.kind.recognizes(source):
            raise UserError(
                f"{source} is not laid out as {self.kind.name!r} is: it has no {self.kind.layout}"
            )
        return read_recording(source, options, self.kind)

    def downloaded(self, options: ReadOptions) -> Path:
        """A folder of the published layout with what these options need; kept until it is installed."""
        card = self.kind.card
        hint = f"brodmann data add {card.identifier} --from FOLDER"
        address = card.options.get("address")
        if address is None:
            reason = card.access or f"get it from {card.source}"
            raise NotAvailableError(f"{card.identifier!r} is not downloaded: {reason}; then: {hint}")
        names = self.kind.wanted(options)
        files = [KnownFile(name, None, address.format(name=name)) for name in names]
        folder = home() / "downloads" / f"{card.identifier}-{digest_of(*names)[:16]}"
        what = f"data set {card.identifier!r}"
        try:
            verify_installed(what, files, folder, hint=hint)
        except UserError:
            install_files(what, files, folder, source=None, hint=hint)
        self.kind.unpack(folder)
        return folder


def chosen(what: str, wanted: list[str] | None, known: list[str], flag: str) -> list[str]:
    """Those of the known names that a person asked for; all of them where nothing was said.

    Raises
    ------
    UserError
        For a name that is not known.
    """
    if wanted is None:
        return known
    for name in wanted:
        if name not in known:
            raise unknown(what, name, known, hint=f"--{flag} takes: {', '.join(known) or 'none'}")
    return wanted


def only(what: str, names: list[str], flag: str) -> str:
    """The one that there is; `what` they are is said in the plural.

    Raises
    ------
    UserError
        Where there are several: the line says how to choose.
    """
    if not names:
        raise UserError(f"there are no {what}")
    if len(names) > 1:
        listed = ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")
        raise UserError(f"there are {len(names)} {what} ({listed}): say which by --{flag}")
    return names[0]
