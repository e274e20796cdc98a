"""A model's layers, put before a benchmark's metric."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..analysis.shelf import Shelf, on_shelf
from ..brain_data.dataset import stimuli_digest
from ..brain_data.text_columns import text_column
from ..errors import UserError
from ..memory import require
from ..models.extraction.texts import PASSAGE_COLUMNS
from ..models.model import describe_context
from ..models.zoo.column import Column
from .metrics.base import MetricResult, ScoringOptions

if TYPE_CHECKING:
    from ..models import Model
    from .benchmark import Benchmark


Spaces = Mapping[str, Callable[[], Sequence[npt.ArrayLike]]]
"""Nuisance spaces: name -> what makes their features, rows in the recording's order."""
SURPRISAL = "surprisal"
"""What a metric may read in place of activations, and the name of that layer."""


def compare_layers(
    model: "Model",
    benchmark: "Benchmark",
    names: Sequence[str],
    options: ScoringOptions,
    nuisance: Spaces | None = None,
    shelf: Shelf | None = None,
) -> MetricResult:
    """Show a model the benchmark's stimuli and have the metric compare its layers with the recording.

    Parameters
    ----------
    model, benchmark, names, options
        What is compared, and how sure to be.
    nuisance : mapping of str to callable, optional
        Beyond which the model's layers are looked at, too.
    shelf : Shelf, optional
        Keeps activations, and what is made of them, for the next benchmark.

    Raises
    ------
    UserError
        For work that does not fit in memory, and for what the model or the metric refuses.
    """
    if reads_surprisal(benchmark):
        return _compare_surprisal(model, benchmark, options)
    recorded = benchmark.recording
    sizes, needed = memory_needed(model, benchmark, names, beyond=bool(nuisance))
    largest = max(sizes, key=sizes.__getitem__)
    fewer = "take --project 1000, or fewer --layers"
    require(
        needed,
        f"{benchmark.identifier} with layer {largest!r} ({sizes[largest]:,} units)",
        remedy=f"pool over space (--pool mean), {fewer}" if model.modality == "vision" else fewer,
    )
    activations = _shown(model, benchmark, names, shelf)
    features = {name: on_shelf(_rows_of(activations[name], benchmark), shelf) for name in names}
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
    said: dict[str, Any] = {} if recorded.series is None else recorded.series.describe()
    if model.modality == "language":
        said["context"] = describe_context(benchmark.card.context)
    read = dict(model.methods)
    if isinstance(benchmark.card.context, int):  # no passage is run as one
        read.pop("passages", None)
    if "text" in model.methods and (column := text_column(benchmark.dataset.stimuli)):
        said["text"] = f"{model.methods['text']}; texts from the column {column!r}"
    return replace(
        found,
        left_out={**found.left_out, **shown},
        methods={**found.methods, **found.added.said, **read, **said},
    )


def memory_needed(
    model: "Model", benchmark: "Benchmark", names: Sequence[str], *, beyond: bool = False
) -> tuple[dict[str, int], int]:
    """Units of each layer as the metric sees them, and the bytes that comparing them takes.

    Parameters
    ----------
    model, benchmark, names
        As for :func:`compare_layers`.
    beyond : bool
        Whether there are nuisance spaces.
    """
    recorded, n_stimuli = benchmark.recording, len(benchmark.dataset.stimuli)
    if reads_surprisal(benchmark):
        return {SURPRISAL: 1}, benchmark.metric.memory(recorded, 1)
    sizes = model.sizes(benchmark.dataset.stimuli, names)
    if recorded.series is not None:
        sizes = {name: size * len(recorded.series.delays) for name, size in sizes.items()}
    needed = max(benchmark.metric.memory(recorded, size) for size in sizes.values())
    if not getattr(model, "cache", True):  # without the cache every layer is held in memory
        needed += 4 * n_stimuli * sum(sizes.values())
    if beyond:  # a Gram matrix a layer, that of the nuisance spaces, and those of a mixture
        needed += 8 * n_stimuli**2 * (len(names) + 4)
    return sizes, needed


def reads_surprisal(benchmark: "Benchmark") -> bool:
    """Whether the metric compares the surprisal of texts, not activations."""
    return getattr(benchmark.metric, "reads", "") == SURPRISAL


def _compare_surprisal(model: "Model", benchmark: "Benchmark", options: ScoringOptions) -> MetricResult:
    """Have the metric compare what the model expected with the recording."""
    recorded, context = benchmark.recording, benchmark.card.context
    require(benchmark.metric.memory(recorded, 1), benchmark.identifier, remedy="take fewer stimuli")
    told = model.surprisal_of(benchmark.dataset.stimuli, context=context)
    features = {SURPRISAL: _in_order(told, recorded.stimulus_ids)}
    found = benchmark.metric.evaluate(features, recorded, benchmark.noise_ceiling, options)
    of_layers = ("text", "passages")
    said = {topic: words for topic, words in model.methods.items() if topic not in of_layers}
    said |= {"context": describe_context(context), "surprisal": told.attrs["surprisal"]}
    if context in ("none", 0) and not isinstance(model, Column) and (column := _story_of_words(benchmark)):
        said["reading"] = (
            f'each word alone, whatever stands before it in its {column}: context = "passage" in a benchmark of your '
            "own changes that"
        )
    return replace(
        found, left_out={**found.left_out, **told.attrs["left_out"]}, methods={**found.methods, **said}
    )


def _story_of_words(benchmark: "Benchmark") -> str | None:
    """The column of what words were read in, where it could have been their context."""
    stimuli = benchmark.dataset.stimuli
    if "target" in stimuli.columns or text_column(stimuli) != "word":
        return None
    return next((name for name in (*PASSAGE_COLUMNS, "sentence") if name in stimuli.columns), None)


def layer_features(model: "Model", benchmark: "Benchmark", names: Sequence[str]) -> dict[str, npt.ArrayLike]:
    """A model's layers for the benchmark's stimuli, rows in the recording's order."""
    activations = _shown(model, benchmark, names)
    return {name: _rows_of(activations[name], benchmark) for name in names}


def _rows_of(activations: Any, benchmark: "Benchmark") -> npt.ArrayLike:
    """A layer's values with a row for each of the recording's: a stimulus, or a sample that words were put at."""
    series = benchmark.recording.series
    if series is None:
        return _in_order(activations, benchmark.recording.stimulus_ids)
    return series.regressors(_in_order(activations, series.words["stimulus_id"].to_numpy(object)))


def _shown(
    model: "Model", benchmark: "Benchmark", names: Sequence[str], shelf: Shelf | None = None
) -> dict[str, Any]:
    stimuli, recorded = benchmark.dataset.stimuli, benchmark.recording
    if recorded.series is not None:
        stimuli = stimuli[stimuli["story"].astype(str).isin([one.name for one in recorded.series.stories])]
    elif benchmark.card.context == "none":
        # shown in the recording's order, so that a layer larger than memory need not be sorted in memory
        rows = pd.Index(stimuli["stimulus_id"]).get_indexer(pd.Index(recorded.stimulus_ids))
        stimuli = stimuli.iloc[rows]
    context = benchmark.card.context
    if shelf is None:
        return dict(model.extract(stimuli, names, context=context))
    key = "shown", id(model), tuple(names), context, stimuli_digest(stimuli)
    # with the model itself, so that no other can come to have its number
    made = shelf.once(key, lambda: (model, dict(model.extract(stimuli, names, context=context))), _held)
    return made[1]


def _held(shown: tuple["Model", dict[str, Any]]) -> int:
    """Bytes of activations that are in memory."""
    return sum(0 if isinstance(one.data, np.memmap) else one.nbytes for one in shown[1].values())


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
