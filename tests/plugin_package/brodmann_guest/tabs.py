"""A file format: a table separated by tabs, one row a presentation."""

import numpy as np
import pandas as pd

from brodmann.brain_data.formats.base import Format, add_format, read_table
from brodmann.errors import UserError


@add_format
class Tabs(Format):
    """A table separated by tabs: stimulus_id, repetition, and one column a neuroid."""

    name, suffixes = "guest-tabs", (".tab",)
    holds = ("stimulus_id", "repetition", "neuroid_id")

    def read(self, path):
        """The arrays of the file."""
        table = read_table(path, ("stimulus_id",), separator="\t")
        if "stimulus_id" not in table:
            raise UserError(f"{path.name} has no column stimulus_id: the responses need one")
        labels = [name for name in ("stimulus_id", "repetition") if name in table]
        values = table.drop(columns=labels)
        parts = {name: table[name].to_numpy() for name in labels}
        return parts | {
            "responses": values.to_numpy(float),
            "neuroid_id": np.array(values.columns, object),
        }

    def write(self, path, parts):
        """One row a presentation."""
        labels = {name: parts[name] for name in ("stimulus_id", "repetition") if name in parts}
        values = pd.DataFrame(parts["responses"].astype(float), columns=parts["neuroid_id"])
        pd.concat([pd.DataFrame(labels), values], axis=1).to_csv(path, sep="\t", index=False)
