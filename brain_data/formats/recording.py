"""What a format of whole recordings is, and the registry of those that there are."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from ...bounded import check_plain
from ...errors import UserError, first_line, unknown
from ...registry import Registry
from ..read_options import ReadOptions

if TYPE_CHECKING:  # a listing of data sets imports this, and must not import pandas
    from ..imported import Imported

if TYPE_CHECKING:
    from ..dataset import Dataset


class RecordingFormat(ABC):
    """A form in which laboratories keep recordings; the first line of each one's docstring says which.

    Its module imports what reads the files inside its methods: every listing imports it.

    Attributes
    ----------
    name : str
    takes : tuple of str
        The options of :class:`.imported.ReadOptions` that it understands.
    writes : bool
        Whether data sets can be written in it: ``brodmann data convert``.
    loses : tuple of str
        What a data set says (attributes of :class:`.dataset.Dataset`) that it has no place for when it is written.
    of_one : bool
        Whether it is the layout of one published data set: then it wins over those that read many, such as BIDS.
    package, extra : str
        What must be installed to read it, and the extra that installs it: ``pip install 'brodmann[EXTRA]'``.
    """

    name: ClassVar[str]
    takes: ClassVar[tuple[str, ...]] = ()
    writes: ClassVar[bool] = False
    loses: ClassVar[tuple[str, ...]] = ()
    of_one: ClassVar[bool] = False
    package: ClassVar[str] = ""
    extra: ClassVar[str] = ""

    @abstractmethod
    def recognizes(self, path: Path) -> bool:
        """Whether a file or folder is of this format: by its content, in a moment, without raising."""

    @abstractmethod
    def read(self, path: Path, options: ReadOptions) -> "Imported":
        """What was recorded; large arrays stay where they are until they are asked for.

        Raises
        ------
        UserError
            In one line, with the place, for what is damaged, does not fit, or has to be said by an option.
        """

    def write(self, dataset: "Dataset", path: Path) -> None:
        """Write a data set so that :meth:`read` gives it back; a format that has this says so by `writes`.

        Raises
        ------
        UserError
            Where the format has no place for something that the data set holds.
        """
        written = ", ".join(one.name for one in RECORDING_FORMATS.values() if one.writes)
        raise UserError(f"{self.name} is read, not written: folder, {written} are")


RECORDING_FORMATS: Registry[RecordingFormat] = Registry(
    "format of recordings", __package__ or "", "brodmann.recordings"
)


def add_recording_format(kind: type[RecordingFormat]) -> type[RecordingFormat]:
    """A class decorator that registers a format."""
    RECORDING_FORMATS.register(kind.name, kind(), kind.__module__)
    return kind


def recognized(path: Path, name: str | None = None) -> RecordingFormat | None:
    """The format of a file or folder; None where none recognizes it.

    Parameters
    ----------
    path : Path
    name : str, optional
        The format that a person says it is.

    Raises
    ------
    UserError
        Where several do: the line says how to choose.
    """
    if name is not None:
        return RECORDING_FORMATS[name]
    found = [one for one in RECORDING_FORMATS.values() if recognizes_safely(one, path)]
    found = [one for one in found if one.of_one] or found
    if len(found) > 1:
        names = " or ".join(one.name for one in found)
        raise UserError(f"{path} may be {names}: say which by --format")
    return found[0] if found else None


def recognizes_safely(kind: RecordingFormat, path: Path) -> bool:
    """Whether a format recognizes a path; one that fails at it is a UserError that names it."""
    try:
        return kind.recognizes(path)
    except UserError:
        raise
    except Exception as error:  # a package's of its own, which is in the way of all others
        origin = RECORDING_FORMATS.origin(kind.name)
        raise UserError(
            f"the format {kind.name} ({origin}) fails at {path}: {first_line(error)}; say another by --format"
        ) from error


def read_recording(path: Path, options: ReadOptions, kind: RecordingFormat) -> "Imported":
    """What a format reads, after a look at whether it understands the options.

    Raises
    ------
    UserError
        For an option that this format has not, and whatever the format raises.
    """
    for name in options.given():
        if name not in kind.takes:
            known = [f"--{one.replace('_', '-')}" for one in kind.takes]
            raise unknown(f"option of {kind.name}", f"--{name.replace('_', '-')}", known)
    return kind.read(path, options)


def read_path(
    path: Path, options: ReadOptions | None = None, name: str | None = None
) -> "tuple[RecordingFormat, Imported]":
    """The format of a file or folder, and what it reads there.

    Raises
    ------
    UserError
        For what no format recognizes, and whatever the format raises.
    """
    if path.is_dir():
        check_plain(path, absent=True)
    kind = recognized(path, name)
    if kind is None:
        known = ", ".join(RECORDING_FORMATS)
        raise UserError(
            f"{path} is in no form that is known ({known}), nor a folder with stimuli.csv and responses: "
            "docs/your-own-data.md says what each looks like"
        )
    try:
        return kind, read_recording(path, options or ReadOptions(), kind)
    except OSError as error:
        raise UserError(f"cannot read {error.filename or path}: {error.strerror or error}") from error
