"""What a format of response files is, and the registry of those that there are."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from ...errors import UserError, unknown
from ...registry import Registry
from ..columns import ColumnMap
from .table import read_table as read_table

Parts = dict[str, npt.NDArray[Any]]

PRESENTATION = ("stimulus_id", "repetition", "subject", "run", "session")
TIMED = (*PRESENTATION, "time")
"""And when each was, where a person said so."""
NEUROID = ("neuroid_id", "region", "subject_id", "x", "y", "z")
COORDINATES = (*PRESENTATION, *NEUROID)
_ELSEWHERE = {
    ".nii": "give its folder without stimuli.csv to data add, which reads NIfTI with a mask and a table of trials",
    ".nii.gz": "give its folder without stimuli.csv to data add, which reads NIfTI with a mask and a table of trials",
    ".gz": "unpack it first (gunzip)",
    ".nwb": "give the file itself to data add, which reads NWB",
}


class Format(ABC):
    """A format of response files; the first line of each one's docstring says what its files hold.

    Attributes
    ----------
    name : str
    suffixes : tuple of str
        How its files end, such as ``".npz"``.
    holds : tuple of str
        The coordinates that have a place in its files.
    """

    name: ClassVar[str]
    suffixes: ClassVar[tuple[str, ...]]
    holds: ClassVar[tuple[str, ...]] = COORDINATES

    @abstractmethod
    def read(self, path: Path) -> Parts:
        """``responses`` (presentation, neuroid) and the coordinates that a file holds.

        Raises
        ------
        UserError
            For a file that is damaged or not of this format.
        """

    def read_mapped(self, path: Path, columns: ColumnMap) -> Parts:
        """As :meth:`read`, under our names of what the file holds."""
        return columns.of_arrays(self.read(path), path.name)

    @abstractmethod
    def write(self, path: Path, parts: Parts) -> None:
        """Write ``responses`` and coordinates of `holds`, so that reading gives them back."""


FORMATS: Registry[Format] = Registry("format of responses", __package__ or "", "brodmann.formats")


def add_format(kind: type[Format]) -> type[Format]:
    """A class decorator that registers a format."""
    FORMATS.register(kind.name, kind(), kind.__module__)
    return kind


def format_of(path: Path) -> Format | None:
    """The format that a file's name ends as; None where no format does."""
    return next((one for one in FORMATS.values() if path.name.lower().endswith(one.suffixes)), None)


def read_responses(folder: Path, columns: ColumnMap | None = None) -> Parts:
    """The one response file of a folder.

    Returns
    -------
    dict of str to array
        ``responses`` (presentation, neuroid) as floats, and the coordinates that the file holds.

    Raises
    ------
    UserError
        For no file, several, one of an unknown kind, or one that cannot be read.
    """
    found = sorted(path for path in folder.glob("responses.*") if path.is_file())
    known = [(path, file_format) for path in found if (file_format := format_of(path)) is not None]
    if len(known) > 1:
        raise UserError(
            f"{folder} holds several responses ({', '.join(path.name for path, _ in known)}): keep one"
        )
    if not known:
        endings = sorted(suffix for one in FORMATS.values() for suffix in one.suffixes)
        readable = ", ".join(f"responses{suffix}" for suffix in endings)
        for path in found:
            known_ends = (advice for end, advice in _ELSEWHERE.items() if path.name.lower().endswith(end))
            advice = next(known_ends, f"it must be one of {readable}")
            raise UserError(f"{path.name} is not read: {advice}")
        raise UserError(f"{folder} holds no {readable}")
    ((path, file_format),) = known
    parts = file_format.read_mapped(path, columns or ColumnMap())
    if "responses" not in parts:
        raise unknown(f"array: {path.name} needs", "responses", parts)
    values = parts["responses"]
    if values.ndim != 2:
        raise UserError(
            f"{path.name}: responses must be (presentation, neuroid), not of shape {values.shape}"
        )
    if values.dtype == object and all(one is None or type(one) in (int, float, bool) for one in values.flat):
        values = values.astype(np.float64)  # None is a missing one
    if values.dtype.kind not in "fiub":
        raise UserError(f"{path.name}: responses are {values.dtype}, not real numbers")
    return parts | {"responses": values.astype(np.float64)}
