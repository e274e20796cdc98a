"""A layer's features as a model of its own: any benchmark scores it, with its context, folds, ceiling and interval."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ...analysis.interpretability.voxels.pooling import Expand, pooled
from ...files import digest_of
from ...models.extraction.stimulus_rows import stimulus_rows
from ...models.model import Context, Model

if TYPE_CHECKING:
    import xarray as xr

    from ...analysis.interpretability.dictionary import Dictionary
    from ...brain_data.stimulus_set import StimulusSet
    from ...models.extraction.torch_model import Network


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


class FeatureModel(Model):
    """A network of which a benchmark sees columns made of one layer's rows, pooled over each stimulus.

    Rows are turned into columns first and averaged afterwards: tokens of a text, places of a picture.

    Parameters
    ----------
    model : Network
    layer : str
    columns : sequence of Columns
        Each a layer of this model, by its name; read in one pass.
    suffix : str
        Behind the network's identifier, in this model's.
    """

    def __init__(self, model: "Network", layer: str, columns: Sequence[Columns], suffix: str = "") -> None:
        self.network = model
        self.layer = layer
        self.columns: Mapping[str, Columns] = {one.name: one for one in columns}
        self.identifier = f"{model.identifier}+{suffix or '+'.join(self.columns)}"
        self.modality = model.modality
        self.digest = digest_of(model.digest, layer, *[one.digest for one in columns])
        self.numerics = model.numerics
        self.made_by = tuple({*model.made_by, "bench.studies.feature_model"})
        self.cache = False
        self._read: dict[str, dict[str, Any]] = {}

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
        return {"features": f"of {self.layer}, encoded at the {rows} and then averaged: {made}"[:290]}

    def extract(
        self, stimuli: "StimulusSet", layers: Sequence[str] | None = None, *, context: Context = "none"
    ) -> "dict[str, xr.DataArray]":
        """See :meth:`.Model.extract`; all columns are read at once, and kept for the stimuli that were shown last."""
        import xarray as xr

        ids = stimuli["stimulus_id"].to_numpy(object)
        key = digest_of([str(one) for one in ids], str(context))
        if key not in self._read:
            rows = stimulus_rows(self.network, self.layer, stimuli, context=context)
            expansions = {name: one.expand for name, one in self.columns.items()}
            self._read.clear()
            self._read[key] = dict(pooled(rows, expansions, len(stimuli)))
        values = self._read[key]
        return {
            name: xr.DataArray(
                values[name].astype(np.float32),
                dims=("presentation", "neuroid"),
                coords={
                    "stimulus_id": ("presentation", ids),
                    "neuroid_id": ("neuroid", [f"{name}.{i}" for i in range(values[name].shape[1])]),
                    "layer": ("neuroid", [name] * values[name].shape[1]),
                },
            )
            for name in self._asked(layers)
        }
