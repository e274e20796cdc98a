"""Score a model against a benchmark: the main job."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..errors import UserError
from ..files import digest_of
from .benchmark import Benchmark, load_benchmark
from .metrics.base import Ceiling, MetricResult, Score, ScoringOptions, ceiling_score
from .metrics.decoding import Decoding
from .metrics.memory import require
from .results.provenance import code_digest, provenance
from .results.store import Record, Run, arrays_of, open_run

if TYPE_CHECKING:
    from ..models import Model

BRAIN = "brain"
"""The name under which a recording is scored against itself."""


def score(
    model: "Model | str",
    benchmark: Benchmark | str,
    layers: Sequence[str] | None = None,
    *,
    run: str | Path | None = None,
    seed: int = 0,
    n_bootstraps: int = 1000,
    n_permutations: int = 1000,
) -> Score:
    """Score a model against a benchmark.

    The layers' activations to the benchmark's stimuli are compared with the recordings by the benchmark's
    metric. The record is stored; asking again for the same thing reads it.

    Parameters
    ----------
    model : Model or str
        A model, or what :func:`brodmann.load_model` takes; ``"brain"`` decodes the recording from itself.
    benchmark : Benchmark or str
        A benchmark, or its identifier.
    layers : sequence of str, optional
        Layers to compare; the model's own choice by default. Among several, the layer of the headline is
        chosen on training stimuli.
    run : str or Path, optional
        The run (a folder, or a name under ``$BRODMANN_HOME/results``) that keeps the record.
    seed : int
        Of every random draw.
    n_bootstraps, n_permutations : int
        For the interval and for p; 0 skips it.

    Returns
    -------
    Score
        The headline, normalised by the ceiling. ``attrs``: ``raw`` (per neuroid or subject), ``raw_value``,
        ``ceiling``, ``normalisation``, ``layers`` (name -> raw value), ``layer``, ``ci``, ``p``,
        ``n_stimuli``, ``n_neuroids``, ``left_out``, ``provenance``, ``record``.

    Raises
    ------
    UserError
        For unknown names, data that do not fit, or work that does not fit in memory.
    """
    began = time.perf_counter()
    if n_bootstraps < 0 or n_permutations < 0:
        raise UserError("the numbers of bootstraps and permutations must not be negative")
    if seed < 0:
        raise UserError(f"the seed must not be negative, and is {seed}")
    loaded = load_benchmark(benchmark) if isinstance(benchmark, str) else benchmark
    options = ScoringOptions(seed=seed, n_bootstraps=n_bootstraps, n_permutations=n_permutations)
    store = open_run(run)
    if model == BRAIN:
        key = _key(loaded, BRAIN, loaded.dataset.digest, [BRAIN], options)
        known = store.find(BRAIN, loaded.identifier, key)
        if known is not None:
            return _as_score(known, cached=True)
        metric_result = _decode_recording(loaded, options)
        record = _keep(store, loaded, BRAIN, loaded.dataset.digest, {}, key, metric_result, options, began)
        return _as_score(record, cached=False)
    opened = _opened(model)
    _check_match(opened, loaded)
    names = _layer_names(opened, layers)
    digest = opened.digest
    key = _key(loaded, opened.identifier, digest, names, options)
    known = store.find(opened.identifier, loaded.identifier, key)
    if known is not None:
        return _as_score(known, cached=True)
    metric_result = _compare(opened, loaded, names, options)
    facts = _facts(opened)
    record = _keep(store, loaded, opened.identifier, digest, facts, key, metric_result, options, began)
    return _as_score(record, cached=False)


def _opened(model: "Model | str") -> "Model":
    from ..models import Model, load_model

    opened = load_model(model) if isinstance(model, str) else model
    if not isinstance(opened, Model):
        raise UserError(
            f"score needs a brodmann Model, not {type(opened).__name__}: "
            "wrap a torch module in brodmann.models.VisionModel or LanguageModel"
        )
    return opened


def _check_match(model: "Model", benchmark: Benchmark) -> None:
    data = benchmark.dataset
    if not data.has_stimuli:
        raise UserError(
            f"{data.identifier} came without its stimuli, so {model.identifier!r} cannot be shown them; "
            f"decode the recording itself with: brodmann score brain {benchmark.identifier}"
        )
    if model.modality != data.modality:
        raise UserError(
            f"{model.identifier!r} is a {model.modality} model, "
            f"but {benchmark.identifier} is a {data.modality} benchmark"
        )


def _layer_names(model: "Model", layers: Sequence[str] | None) -> list[str]:
    if layers is None:
        return list(model.layers)
    names = [layers] if isinstance(layers, str) else list(dict.fromkeys(layers))
    if not names:
        raise UserError("no layers were named; leave layers out to compare the model's own choice")
    return names


def _decode_recording(benchmark: Benchmark, options: ScoringOptions) -> MetricResult:
    if not isinstance(benchmark.metric, Decoding):
        raise UserError(
            f"'brain' decodes a recording from itself and needs a decoding benchmark, not {benchmark.identifier}"
        )
    return benchmark.metric.evaluate_recording(benchmark.recording, options)


def _compare(model: "Model", benchmark: Benchmark, names: list[str], options: ScoringOptions) -> MetricResult:
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


def _facts(model: "Model") -> dict[str, Any]:
    """What a network tells of itself: its size, and whether its units have places of their own."""
    module = getattr(model, "module", None)
    if module is None:
        return {}
    sheets = [model.sheet(layer) for layer in model.layers]
    return {
        "architecture": type(module).__name__,
        "parameters": sum(one.numel() for one in module.parameters()),
        "n_layers": len(model.layers),
        "topographic": any(sheet is not None and sheet.layout == "native" for sheet in sheets),
    }


def _how_read(model: "Model") -> dict[str, Any]:
    """How a network's layers were pooled, projected or changed, where they were."""
    readout, changes = getattr(model, "readout", None), getattr(model, "changes", ())
    said: dict[str, Any] = {}
    if readout is not None and readout.describe():
        said["reading"] = readout.describe()
    if changes:
        said["lesions"] = len(changes)
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


def _key(
    benchmark: Benchmark, model: str, digest: str, layers: Sequence[str], options: ScoringOptions
) -> str:
    return digest_of(
        [model, digest, list(layers)],
        [benchmark.identifier, benchmark.version, benchmark.dataset.digest, benchmark.card.context],
        {str(name): value for name, value in benchmark.card.options.items()},
        [options.seed, options.n_bootstraps, options.n_permutations, options.level],
        code_digest(),
    )


def _keep(
    store: Run,
    benchmark: Benchmark,
    model: str,
    digest: str,
    facts: Mapping[str, Any],
    key: str,
    metric_result: MetricResult,
    options: ScoringOptions,
    began: float,
) -> Record:
    noise_ceiling, card = benchmark.noise_ceiling, benchmark.card
    neuroids = benchmark.recording.neuroids
    record = {
        "key": key,
        "model": model,
        "model_facts": dict(facts),
        "benchmark": card.identifier,
        "benchmark_version": card.version,
        "dataset": card.dataset,
        "region": card.region,
        "metric": card.metric,
        "modality": card.modality,
        "simulated": card.simulated,
        "space": _space(benchmark),
        "layer": metric_result.layer,
        "layer_by_split": list(metric_result.layer_by_split),
        "score": metric_result.value,
        "raw": metric_result.raw,
        "ceiling": noise_ceiling.value,
        "ceiling_kind": noise_ceiling.kind,
        "ceiling_lower": noise_ceiling.lower,
        "ceiling_upper": noise_ceiling.upper,
        "normalisation": metric_result.normalization,
        "ci": list(metric_result.ci),
        "p": metric_result.p,
        "n_stimuli": metric_result.n_stimuli,
        "n_neuroids": metric_result.n_neuroids,
        "left_out": dict(metric_result.left_out),
        "layers": dict(metric_result.layers),
        "unit": metric_result.unit,
        "methods": dict(metric_result.methods),
        "license": benchmark.dataset.license,
        "bibtex": benchmark.dataset.bibtex,
        "seconds": time.perf_counter() - began,
        "provenance": provenance(
            model_digest=digest,
            data_digest=benchmark.dataset.digest,
            seed=options.seed,
            n_bootstraps=options.n_bootstraps,
            n_permutations=options.n_permutations,
            context=card.context,
            options=dict(card.options),
        ),
    }
    arrays: dict[str, np.ndarray[Any, Any]] = {"raw": metric_result.per_unit}
    if noise_ceiling.per_neuroid is not None:
        arrays["ceiling"] = noise_ceiling.per_neuroid
    if metric_result.unit == "neuroid" and "neuroid_id" in neuroids:
        arrays["neuroid_id"] = neuroids["neuroid_id"].to_numpy(str)
        arrays |= {f"neuroid_{name}": neuroids[name].to_numpy() for name in "xyz" if name in neuroids}
        if "subject" in neuroids:
            arrays["neuroid_subject"] = neuroids["subject"].to_numpy(str)
    arrays |= {"draws": metric_result.draws} | dict(metric_result.arrays)
    store.keep(record, arrays)
    known = store.find(model, card.identifier, key)
    if known is None:
        raise UserError(f"the record could not be read back from {store.folder}: is its disk damaged?")
    return known


def _space(benchmark: Benchmark) -> str:
    """The standard space of the neuroids' positions, empty for a person's own."""
    responses = benchmark.dataset.responses
    return "" if responses is None else str(responses.attrs.get("space", ""))


def _as_score(record: Record, *, cached: bool) -> Score:
    record = {**record, "cached": cached}
    arrays = arrays_of(record)
    value = record["score"]
    result = Score(float("nan") if value is None else value)
    unit = record["unit"] if record["unit"] != "none" else "value"
    coordinates = {}
    if (
        record["unit"] == "neuroid"
        and "neuroid_id" in arrays
        and len(arrays["neuroid_id"]) == len(arrays["raw"])
    ):
        coordinates["neuroid_id"] = (unit, arrays["neuroid_id"])
    result.attrs["raw"] = Score(arrays["raw"], dims=(unit,), coords=coordinates)
    result.attrs["raw_value"] = record["raw"]
    result.attrs["ceiling"] = ceiling_score(_limit_of(record, arrays))
    low, high = (float("nan") if bound is None else bound for bound in record["ci"])
    result.attrs["ci"] = (low, high)
    for name in (
        "model", "benchmark", "layers", "layer", "p", "n_stimuli", "n_neuroids", "left_out", "normalisation",
        "provenance", "simulated", "cached",
    ):  # fmt: skip
        result.attrs[name] = record[name]
    result.attrs["record"] = record
    return result


def _limit_of(record: Record, arrays: Mapping[str, npt.NDArray[np.float64]]) -> Ceiling:
    value = record["ceiling"]
    return Ceiling(
        record["ceiling_kind"],
        float("nan") if value is None else value,
        arrays.get("ceiling"),
        record["ceiling_lower"],
        record["ceiling_upper"],
    )
