"""The presentations of a session, around which responses are read."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...imported import ReadOptions
from ...timeseries.windows import Bools, Floats, Windows


@dataclass(frozen=True)
class Presented:
    """Presentations in an open file, and what is found out while their responses are read.

    Attributes
    ----------
    path : Path
    file : h5py.File
    onsets : array of shape (n_presentations,)
        In s.
    invalid : array of bool of shape (n_presentations,)
        Presentations whose responses are not to be trusted.
    windows : Windows
    options : ReadOptions
    said, left_out
        Added to.
    """

    path: Path
    file: Any
    onsets: Floats
    invalid: Bools
    windows: Windows
    options: ReadOptions
    said: list[str]
    left_out: dict[str, int]

    @property
    def bins(self) -> tuple[int, ...]:
        """How many bins there are, where responses are in time."""
        return (len(self.windows.starts),) if self.windows.in_time else ()
