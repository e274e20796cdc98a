"""A model's layers, put before a benchmark's metric."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..errors import UserError
from .metrics.base import MetricResult, ScoringOptions
from .metrics.memory import require

if TYPE_CHECKING:
    from ..models import Model
    from .benchmark import Benchmark


def compare_layers(
    model: "Model", benchmark: "Benchmark", names: Sequence[str], options: ScoringOptions
) -> MetricResult:
    """Show a model the benchmark's stimuli and have the metric compare its layers with the recording.

    Raises
    ------
    UserError
        For work that does not fit in memory, and for what the model or the metric refuses.
    """
    stimuli, recorded = benchmark.dataset.stimuli, benchmark.recording
    if benchmark.card.context == "none":
        # shown in the recording's order, so that a layer larger than memory need not be sorted in memory
        rows = pd.Index(stimuli["stimulus_id"]).get_indexer(pd.Index(recorded.stimulus_ids))
        stimuli = stimuli.iloc[rows]
    sizes = model.sizes(stimuli, names)
    largest = max(sizes, key=sizes.__getitem__)
    needed = benchmark.metric.memory(recorded, sizes[largest])
    if not getattr(model, "cache", True):  # without the cache every layer is held in memory
        needed += 4 * len(stimuli) * sum(sizes.values())
    require(needed, f"{benchmark.identifier} with layer {largest!r} ({sizes[largest]:,} units)")
    activations = model.extract(stimuli, names, context=benchmark.card.context)
    features = {name: _in_order(activations[name], recorded.stimulus_ids) for name in names}
    metric_result = benchmark.metric.evaluate(features, recorded, benchmark.noise_ceiling, options)
    said = _how_read(model)
    return replace(metric_result, methods={**metric_result.methods, **said}) if said else metric_result


def _how_read(model: "Model") -> dict[str, Any]:
    """How a network's layers were pooled, projected or changed, where they were."""
    readout, lesions = getattr(model, "readout", None), getattr(model, "lesions", ())
    said: dict[str, Any] = {}
    if readout is not None and readout.describe():
        said["reading"] = readout.describe()
    if lesions:
        said["lesions"] = len(lesions)
    return said


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
