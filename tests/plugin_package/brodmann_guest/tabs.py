"""A file format: a table separated by tabs, one row a presentation."""

import numpy as np
import pandas as pd

from brodmann.brain_data.formats.base import Format, add_format
from brodmann.errors import UserError


@add_format
class Tabs(Format):
    """A table separated by tabs: stimulus_id, repetition, and one column a neuroid."""

    name, suffixes = "guest-tabs", (".tab",)
    holds = ("stimulus_id", "repetition", "neuroid_id")

    def read(self, path):
        """The arrays of the file."""
        try:
            texts = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)
            labels = [name for name in ("stimulus_id", "repetition") if name in texts]
            table = pd.read_csv(path, sep="\t", float_precision="round_trip", low_memory=False)
        except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
            raise UserError(f"{path} cannot be read as a table: {error}") from error
        if "stimulus_id" not in labels:
            raise UserError(f"{path.name} has no column stimulus_id: the responses need one")
        table["stimulus_id"] = texts["stimulus_id"]
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
