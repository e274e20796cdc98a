"""One file of responses in place of a folder: a table, arrays by name, or one variable with its coordinates."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ...errors import UserError
from ..columns import unlike_neuroids
from ..imported import Imported, ReadOptions
from ..reading.arrays.named import Branch, Held
from ..reading.arrays.recording import TAKES, recording_of
from ..reading.tables.stimuli import read_stimulus_table
from ..recorded import is_blank
from .base import FORMATS, PRESENTATION, Parts, format_of
from .hdf5 import is_plain_file, known_better
from .recording import RecordingFormat, add_recording_format

_FEW = 0.2
"""The share of texts in a column of which the others are numbers, up to which they are mistakes."""
_TABLES = (".csv", ".tsv")
_OWN = "matlab"


@add_recording_format
class ResponseFile(RecordingFormat):
    """One file of responses (.csv, .tsv, .npz, .nc) with stimulus ids in it; --stimuli names their table or folder."""

    name = "responses"
    takes = (*TAKES, "channels")

    def recognizes(self, path: Path) -> bool:
        """By its name, where no other format knows it better."""
        suffixes = tuple(suffix for name, one in FORMATS.items() if name != _OWN for suffix in one.suffixes)
        return is_plain_file(path, suffixes) and not known_better(path, self.name)

    def read(self, path: Path, options: ReadOptions) -> Imported:
        """Arrays by name; of a table the columns of numbers are neuroids, and what was noted of trials is a label."""
        file_format = format_of(path)
        if not path.is_file() or file_format is None:
            raise UserError(f"{path} is no .csv, .tsv, .npz or .nc file")
        said: tuple[str, ...] = ()
        if path.name.lower().endswith(_TABLES):
            parts, said = _of_table(path, options)
        else:
            parts = file_format.read(path)
        found = recording_of(tree_of(parts), path, options)
        return Imported(**{**vars(found), "said": (*said, *found.said)})


def tree_of(parts: Parts) -> Branch:
    """Arrays by name, as :func:`.recording_of` takes them."""
    return {name: _held(name, np.asarray(one)) for name, one in parts.items()}


def _held(name: str, values: npt.NDArray[Any]) -> Held:
    if values.dtype.kind in "fiub":
        return Held(name, "numbers", values.shape, lambda: values, lambda: values)
    if values.dtype.kind == "S":
        values = np.char.decode(values, "utf-8", "replace")
    if values.dtype.kind in "UO":
        return Held(name, "texts", values.shape, lambda: values)
    return Held(name, "other", values.shape, lambda: values, what=f"of {values.dtype}")


def _of_table(path: Path, options: ReadOptions) -> tuple[Parts, tuple[str, ...]]:
    """The columns of a table: the responses of neuroids, and what is said of trials."""
    ids = options.stimulus_column or "stimulus_id"
    table = read_stimulus_table(path, (ids, *PRESENTATION))
    numbers = {str(name): table[name].dtype for name in table.columns if table[name].dtype.kind in "fiub"}
    wanted = options.names("channels")
    if wanted is None:
        _check_cells(table, {ids, *PRESENTATION, "time"}, path)
        labels = {*unlike_neuroids(numbers), ids, *PRESENTATION, "time"}
        neuroids = [name for name in numbers if name not in labels]
    else:
        absent = [name for name in wanted if name not in numbers]
        if absent:
            raise UserError(
                f"{path.name}: --channels {absent[0]} is no column of numbers (there are "
                f"{', '.join(list(numbers)[:8])})"
            )
        neuroids = wanted
    if not neuroids:
        raise UserError(
            f"{path.name} has no column of numbers that may be a neuroid: name them by --channels"
        )
    rest = [str(name) for name in table.columns if str(name) not in neuroids and name != ids]
    said = (f"{len(neuroids)} columns are neuroids; of trials are {', '.join(rest) or 'none'}",)
    parts: Parts = {name: _plain(table[name]) for name in (ids, *rest) if name in table.columns}
    matrix = table[neuroids].to_numpy(np.float64)
    return parts | {"responses": matrix, "neuroid_id": np.array(neuroids, object)}, said


def _check_cells(table: pd.DataFrame, labels: set[str], path: Path) -> None:
    """Raise a UserError for a text among numbers, which would make a neuroid a label of the trials."""
    for name in table.columns:
        if (
            table[name].dtype.kind in "fiub"
            or name in labels
            or unlike_neuroids({str(name): np.dtype(float)})
        ):
            continue
        there = table[name][~is_blank(table[name].to_numpy())]
        odd = pd.to_numeric(there, errors="coerce").isna()
        if len(there) and 0 < odd.sum() <= _FEW * len(there):
            row = int(odd.to_numpy().argmax())
            raise UserError(
                f"{path.name}: {there.iloc[row]!r} in row {there.index[row] + 2}, column {str(name)!r}, stands among "
                "numbers: correct it, or name the neuroids by --channels"
            )


def _plain(column: "pd.Series[Any]") -> npt.NDArray[Any]:
    return column.to_numpy(object if column.dtype == object else None)
