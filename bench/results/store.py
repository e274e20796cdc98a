"""The results store: runs by name, folder or URL, and what belongs to a record."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...bounded import read_npz
from ...errors import UserError
from ...files import home
from .record import Record
from .remote import open_url
from .run import Run as Run
from .run import finite as finite

if TYPE_CHECKING:
    from xarray import DataArray

DEFAULT_RUN = "scores"


def open_run(name: str | Path | Run | None = None) -> Run:
    """A run by its folder, by a plain name under ``$BRODMANN_HOME/results``, or by the URL of a store."""
    if name is None:
        return Run(home() / "results" / DEFAULT_RUN)
    if isinstance(name, Run):
        return name
    given = str(name)
    if "://" in given:
        return open_url(given)
    if not given.strip():
        raise UserError("the run has an empty name: give a name or a folder, or leave it out")
    if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", given) and not Path(given).is_dir():
        return Run(home() / "results" / given)
    folder = Path(given).expanduser()
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is a file: a run is a folder")
    return Run(folder)


def arrays_of(record: Mapping[str, Any]) -> dict[str, np.ndarray[Any, Any]]:
    """The arrays of a record: ``raw`` per neuroid or subject, ``ceiling`` per neuroid."""
    return read_npz(Path(record["file"]).with_suffix(".npz"))


def record_of(score: "DataArray") -> Record:
    """The JSON-able record that a score was stored as."""
    record: Record = score.attrs["record"]
    return record
