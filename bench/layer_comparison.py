"""A model's layers, put before a benchmark's metric."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..brain_data.text_columns import text_column
from ..errors import UserError
from ..memory import require
from .metrics.base import MetricResult, ScoringOptions

if TYPE_CHECKING:
    from ..models import Model
    from .benchmark import Benchmark


Spaces = Mapping[str, Callable[[], Sequence[npt.ArrayLike]]]
"""Nuisance spaces: name -> what makes their features, rows in the recording's order."""
_CONTEXTS = {
    "none": "each text alone",
    "passage": "each text after the earlier ones of its passage",
}


def compare_layers(
    model: "Model",
    benchmark: "Benchmark",
    names: Sequence[str],
    options: ScoringOptions,
    nuisance: Spaces | None = None,
) -> MetricResult:
    """Show a model the benchmark's stimuli and have the metric compare its layers with the recording.

    Parameters
    ----------
    model, benchmark, names, options
        What is compared, and how sure to be.
    nuisance : mapping of str to callable, optional
        Beyond which the model's layers are looked at, too.

    Raises
    ------
    UserError
        For work that does not fit in memory, and for what the model or the metric refuses.
    """
    recorded, n_stimuli = benchmark.recording, len(benchmark.dataset.stimuli)
    sizes = model.sizes(benchmark.dataset.stimuli, names)
    takes = {name: benchmark.metric.memory(recorded, size) for name, size in sizes.items()}
    largest = max(takes, key=takes.__getitem__)
    needed = takes[largest]
    if not getattr(model, "cache", True):  # without the cache every layer is held in memory
        needed += 4 * n_stimuli * sum(sizes.values())
    if nuisance:  # a Gram matrix a layer, that of the nuisance spaces, and those of a mixture
        needed += 8 * n_stimuli**2 * (len(names) + 4)
    fewer = "take --project 1000, or fewer --layers"
    require(
        needed,
        f"{benchmark.identifier} with layer {largest!r} ({sizes[largest]:,} units)",
        remedy=f"pool over space (--pool mean), {fewer}" if model.modality == "vision" else fewer,
    )
    activations = _shown(model, benchmark, names)
    features = {name: _in_order(activations[name], recorded.stimulus_ids) for name in names}
    metric: Any = benchmark.metric  # one that has a notion of nuisance spaces, which was asked before
    spaces = {name: make() for name, make in (nuisance or {}).items()}
    jointly = hasattr(metric, "beside")
    if spaces and jointly:
        metric = metric.beside(spaces)
    found: MetricResult = metric.evaluate(features, recorded, benchmark.noise_ceiling, options)
    if spaces and not jointly:
        found = replace(
            found,
            added=metric.beyond(
                features, found.layer_by_split, spaces, recorded, benchmark.noise_ceiling, options
            ),
        )
    shown: Any = next(iter(activations.values())).attrs.get("left_out", {})
    said = {"context": _CONTEXTS[benchmark.card.context]} if model.modality == "language" else {}
    if "text" in model.methods and (column := text_column(benchmark.dataset.stimuli)):
        said["text"] = f"{model.methods['text']}; texts from the column {column!r}"
    return replace(
        found,
        left_out={**found.left_out, **shown},
        methods={**found.methods, **found.added.said, **model.methods, **said},
    )


def layer_features(model: "Model", benchmark: "Benchmark", names: Sequence[str]) -> dict[str, npt.ArrayLike]:
    """A model's layers for the benchmark's stimuli, rows in the recording's order."""
    activations = _shown(model, benchmark, names)
    return {name: _in_order(activations[name], benchmark.recording.stimulus_ids) for name in names}


def _shown(model: "Model", benchmark: "Benchmark", names: Sequence[str]) -> dict[str, Any]:
    stimuli, recorded = benchmark.dataset.stimuli, benchmark.recording
    if benchmark.card.context == "none":
        # shown in the recording's order, so that a layer larger than memory need not be sorted in memory
        rows = pd.Index(stimuli["stimulus_id"]).get_indexer(pd.Index(recorded.stimulus_ids))
        stimuli = stimuli.iloc[rows]
    return dict(model.extract(stimuli, names, context=benchmark.card.context))


def _in_order(activations: Any, stimulus_ids: npt.NDArray[np.object_]) -> npt.ArrayLike:
    """A layer's values with rows in the recording's order; a memory map is read only when it is used."""
    given = activations["stimulus_id"].values.tolist()
    place = {stimulus: row for row, stimulus in enumerate(given)}
    missing = [stimulus for stimulus in stimulus_ids if stimulus not in place]
    if missing:
        raise UserError(f"the model gave no activations for {len(missing)} stimuli (first: {missing[0]!r})")
    order = np.array([place[stimulus] for stimulus in stimulus_ids])
    values: npt.ArrayLike = (
        activations.data if (order == np.arange(len(given))).all() else activations.data[order]
    )
    return values
