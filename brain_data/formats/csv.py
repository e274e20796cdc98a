"""A table, one row a presentation and one column a neuroid."""

from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd

from ...errors import UserError, unknown
from .base import PRESENTATION, Format, Parts, add_format, read_table


@add_format
class Csv(Format):
    """A table separated by commas: one row a presentation, one column a neuroid."""

    name, suffixes = "csv", (".csv",)
    holds = (*PRESENTATION, "neuroid_id")
    separator: ClassVar[str] = ","
    separated: ClassVar[str] = "commas"
    missing: ClassVar[str] = ""

    def read(self, path: Path) -> Parts:
        """The arrays of the file."""
        table = read_table(path, ("stimulus_id",), separator=self.separator)
        header = pd.read_csv(
            path, sep=self.separator, header=None, nrows=1, dtype=str, keep_default_na=False
        ).iloc[0]
        self._check_header(path, header.tolist())
        if "stimulus_id" not in table.columns:
            raise unknown(f"column: {path.name} needs", "stimulus_id", list(map(str, table.columns)))
        neuroids = [column for column in table.columns if column not in PRESENTATION]
        for column in neuroids:
            numbers = pd.to_numeric(table[column], errors="coerce")
            wrong = numbers.isna() & table[column].notna()
            if wrong.any():
                row = int(wrong.to_numpy().argmax())
                raise UserError(
                    f"{path.name}: {table[column].iloc[row]!r} in row {row + 2}, column {column!r} is not a number"
                )
            table[column] = numbers
        parts: Parts = {name: table[name].to_numpy() for name in PRESENTATION if name in table.columns}
        return parts | {
            "responses": table[neuroids].to_numpy(np.float64),
            "neuroid_id": np.array(neuroids, object),
        }

    def write(self, path: Path, parts: Parts) -> None:
        """One row a presentation."""
        columns = [name for name in PRESENTATION if name in parts]
        labels = pd.DataFrame({name: parts[name] for name in columns})
        values = pd.DataFrame(parts["responses"].astype(np.float64), columns=parts["neuroid_id"])
        pd.concat([labels, values], axis=1).to_csv(path, sep=self.separator, na_rep=self.missing, index=False)

    def _check_header(self, path: Path, names: list[str]) -> None:
        if len(names) == 1 and ({";", "\t", ","} - {self.separator}) & set(names[0]):
            raise UserError(
                f"{path} is not separated by {self.separated} (its first line is {names[0]!r}): "
                f"save it with {self.separated}"
            )
        twice = [name for i, name in enumerate(names) if name in names[:i]]
        if twice:
            raise UserError(f"{path.name}: {len(twice)} columns appear more than once (first: {twice[0]!r})")
        if "" in names:
            raise UserError(
                f"{path.name}: column {names.index('') + 1} has no name: a row number that pandas wrote? "
                "Save it with to_csv(..., index=False)"
            )
