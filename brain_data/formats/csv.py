"""A table, one row a presentation and one column a neuroid."""

import re
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from ...errors import UserError
from ..columns import ColumnMap, lacking
from ..reading.tables.table import line_of, read_table
from ..recorded import is_blank
from .base import PRESENTATION, TIMED, Format, Parts, add_format

_LABELS = ("subject", "session", "run")
_COMMAS = re.compile(r"[-+]?\d{1,3}(,\d{3})+(\.\d*)?|[-+]?\d*,\d+")


@add_format
class Csv(Format):
    """A table separated by commas: one row a presentation, one column a neuroid."""

    name, suffixes = "csv", (".csv",)
    holds = (*PRESENTATION, "neuroid_id")
    separator: ClassVar[str] = ","
    missing: ClassVar[str] = ""

    def read(self, path: Path) -> Parts:
        """The arrays of the file."""
        return self.read_mapped(path, ColumnMap())

    def read_mapped(self, path: Path, columns: ColumnMap) -> Parts:
        """The arrays of the file, its columns under our names."""
        said = columns.as_written(TIMED)
        written = columns.as_written(("stimulus_id", *_LABELS))
        table = read_table(
            path, written, separator=self.separator, is_label=said.__contains__, missing=(self.missing,)
        )
        if table.columns[0] == "Unnamed: 0" and "Unnamed: 0" not in columns.columns:
            raise UserError(
                f"{path.name}: column 1 has no name: a row number that pandas wrote? "
                'Save it with to_csv(..., index=False), or leave it out by --columns "Unnamed: 0=ignore"'
            )
        table = columns.of_table(table, path.name)
        if "stimulus_id" not in table.columns:
            raise lacking("stimulus_id", map(str, table.columns), path.name)
        ours = [*PRESENTATION, *({"time"} & set(columns.columns))]
        known = [name for name in ours if name in table.columns]
        neuroids = [column for column in table.columns if column not in known]
        columns.ask({str(name): table[name].dtype for name in neuroids}, path.name)
        for name in known[1:]:
            blank = is_blank(table[name].to_numpy()) | table[name].isin([self.missing]).to_numpy()
            if blank.any():
                line = line_of(path, int(blank.argmax()), self.separator)
                raise UserError(
                    f"{path.name}: {int(blank.sum())} rows have no {name} (first: row {line}): fill it in"
                )
        values = np.empty((len(table), len(neuroids)))
        for place, column in enumerate(neuroids):
            values[:, place] = self._numbers(table[column], path)
        parts: Parts = {name: table[name].to_numpy() for name in known}
        return parts | {"responses": values, "neuroid_id": np.array(neuroids, object)}

    def _numbers(self, column: "pd.Series[Any]", path: Path) -> "pd.Series[float]":
        numbers: pd.Series[float] = pd.to_numeric(column, errors="coerce")
        wrong = (numbers.isna() & column.notna()).to_numpy()
        if wrong.any():
            row = int(wrong.argmax())
            value = column.iloc[row]
            advice = ""
            if isinstance(value, str) and _COMMAS.fullmatch(value.strip()):
                advice = " (a decimal comma, or thousands between commas? write 1234.5)"
            elif bool(wrong.all()):
                advice = f": what is no neuroid is left out by --columns {column.name}=ignore"
            raise UserError(
                f"{path.name}: {value!r} in row {line_of(path, row, self.separator)}, column {column.name!r} is not a "
                f"number{advice}"
            )
        return numbers

    def write(self, path: Path, parts: Parts) -> None:
        """One row a presentation."""
        columns = [name for name in PRESENTATION if name in parts]
        labels = pd.DataFrame({name: parts[name] for name in columns})
        values = pd.DataFrame(parts["responses"].astype(np.float64), columns=parts["neuroid_id"])
        pd.concat([labels, values], axis=1).to_csv(path, sep=self.separator, na_rep=self.missing, index=False)
