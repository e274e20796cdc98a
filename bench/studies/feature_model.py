"""A layer's features as a model of its own: any benchmark scores it, with its context, folds, ceiling and interval."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ...analysis.interpretability.voxels.pooling import Expand, pooled
from ...files import digest_of
from ...models.extraction.stimulus_rows import stimulus_rows
from ...models.model import Context, Model

if TYPE_CHECKING:
    import xarray as xr

    from ...analysis.interpretability.dictionary import Dictionary
    from ...brain_data.stimulus_set import StimulusSet
    from ...models.extraction.torch_model import Network

_MADE_BY = ("bench.studies.feature_model", "analysis.interpretability.dictionary")
_LONGEST = 120


@dataclass(frozen=True)
class Columns:
    """What rows of a layer are turned into.

    Attributes
    ----------
    name : str
        Short: the layer's name in scores.
    width : int
    expand : callable
        Rows (n, n_units) -> rows (n, width), or sparse codes.
    digest : str
        Of what makes its numbers.
    said : str
        What it is, in words.
    """

    name: str
    width: int
    expand: Expand = field(repr=False)
    digest: str
    said: str


def of_dictionary(dictionary: "Dictionary", name: str = "features") -> Columns:
    """The codes of a dictionary."""
    said = f"{dictionary.n_features} features of a {dictionary.variant} dictionary"
    return Columns(name, dictionary.n_features, dictionary.encode, dictionary.digest, said)


class Reading:
    """Columns that are made of one layer's rows in one pass, and kept for the stimuli that were shown last.

    Parameters
    ----------
    model : Network
    layer : str
    columns : sequence of Columns
    """

    def __init__(self, model: "Network", layer: str, columns: Sequence[Columns]) -> None:
        self.model = model
        self.layer = layer
        self.columns: Mapping[str, Columns] = {one.name: one for one in columns}
        self._kept: tuple[str, dict[str, npt.NDArray[np.float32]]] = "", {}

    def of(self, stimuli: "StimulusSet", context: Context) -> dict[str, npt.NDArray[np.float32]]:
        """Every column's values, (n_stimuli, width), pooled over the rows of each stimulus."""
        key = digest_of([str(one) for one in stimuli["stimulus_id"]], str(context))
        if self._kept[0] != key:
            rows = stimulus_rows(self.model, self.layer, stimuli, context=context)
            expansions = {name: one.expand for name, one in self.columns.items()}
            made = pooled(rows, expansions, len(stimuli))
            self._kept = key, {name: values.astype(np.float32) for name, values in made.items()}
        return self._kept[1]


class FeatureModel(Model):
    """A network of which a benchmark sees columns made of one layer's rows, pooled over each stimulus.

    Rows are turned into columns first and averaged afterwards: tokens of a text, places of a picture.

    Parameters
    ----------
    reading : Reading
    names : sequence of str, optional
        Its columns that are layers of this model; all by default.
    """

    def __init__(self, reading: Reading, names: Sequence[str] | None = None) -> None:
        model = reading.model
        self.reading = reading
        self.columns = {name: reading.columns[name] for name in names or reading.columns}
        said = [re.sub(r"[^A-Za-z0-9]+", "-", one) for one in self.columns]
        self.identifier = _short("+".join([model.identifier, reading.layer.replace("#", "@"), *said]))
        self.modality = model.modality
        self.digest = digest_of(model.digest, reading.layer, *[one.digest for one in self.columns.values()])
        self.numerics = model.numerics
        self.made_by = tuple(sorted({*model.made_by, *_MADE_BY}))
        self.cache = False

    @property
    def layers(self) -> list[str]:
        """The names of the columns."""
        return list(self.columns)

    def sizes(self, stimuli: "StimulusSet", layers: Sequence[str] | None = None) -> dict[str, int]:
        """How many columns there are."""
        return {name: self.columns[name].width for name in self._asked(layers)}

    @property
    def methods(self) -> dict[str, Any]:
        """What was made of which layer."""
        rows = "tokens of each text" if self.modality == "language" else "places of each picture"
        made = "; ".join(f"{name}: {one.said}" for name, one in self.columns.items())
        return {"features": f"of {self.reading.layer}, encoded at the {rows} and then averaged: {made}"[:290]}

    def extract(
        self, stimuli: "StimulusSet", layers: Sequence[str] | None = None, *, context: Context = "none"
    ) -> "dict[str, xr.DataArray]":
        """See :meth:`.Model.extract`."""
        import xarray as xr

        ids, values = stimuli["stimulus_id"].to_numpy(object), self.reading.of(stimuli, context)
        return {
            name: xr.DataArray(
                values[name],
                dims=("presentation", "neuroid"),
                coords={
                    "stimulus_id": ("presentation", ids),
                    "neuroid_id": ("neuroid", [f"{name}.{i}" for i in range(values[name].shape[1])]),
                    "layer": ("neuroid", [name] * values[name].shape[1]),
                },
            )
            for name in self._asked(layers)
        }


def _short(identifier: str) -> str:
    """An identifier that is not too long for a record: the end of a long one is its digest."""
    if len(identifier) <= _LONGEST:
        return identifier
    return f"{identifier[: _LONGEST - 13]}+{digest_of(identifier)[:12]}"
