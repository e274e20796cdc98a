"""Score a model against a benchmark: the main job."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..errors import UserError
from ..files import digest_of
from ..fingerprint import fingerprint
from ..source_digest import code_digest, module_name
from .benchmark import Benchmark, load_benchmark
from .layer_comparison import compare_layers
from .metrics.base import Ceiling, MetricResult, Score, ScoringOptions, ceiling_score
from .metrics.decoding import Decoding
from .metrics.registries import METRICS
from .results.provenance import provenance
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
        key = score_key(loaded, None, [BRAIN], options)
        known = store.find(BRAIN, loaded.identifier, key.digest)
        if known is not None:
            return _as_score(known, cached=True)
        metric_result = _decode_recording(loaded, options)
        record = _keep(store, loaded, BRAIN, {}, key, metric_result, options, began)
        return _as_score(record, cached=False)
    opened = _opened(model)
    _check_match(opened, loaded)
    names = _layer_names(opened, layers)
    key = score_key(loaded, opened, names, options)
    known = store.find(opened.identifier, loaded.identifier, key.digest)
    if known is not None:
        return _as_score(known, cached=True)
    metric_result = compare_layers(opened, loaded, names, options)
    facts = _facts(opened)
    record = _keep(store, loaded, opened.identifier, facts, key, metric_result, options, began)
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


@dataclass(frozen=True)
class Key:
    """What a score depends on.

    Attributes
    ----------
    digest : str
        Of everything: the model, the data, the benchmark's card, the metric, the draws, and the code of all of them.
    model : str
        Of what the model is.
    code : str
        Of the code alone.
    """

    digest: str
    model: str
    code: str


def code_of_score(benchmark: Benchmark, model: "Model | None") -> list[str]:
    """The modules of this package that a score stands on, less what these import; a person's own come beside them."""
    kinds = [type(benchmark.metric), *([] if model is None else [type(model)])]
    own = [module_name(kind) for kind in kinds]
    return sorted({"bench.layer_comparison", *(() if model is None else model.made_by), *filter(None, own)})


def score_key(
    benchmark: Benchmark, model: "Model | None", layers: Sequence[str], options: ScoringOptions | None = None
) -> Key:
    """What a score will be kept by; `model` None stands for the recording itself."""
    options = options or ScoringOptions()
    digest = benchmark.dataset.digest if model is None else model.digest
    shown = [BRAIN] if model is None else [model.identifier, dict(model.numerics)]
    metric, kinds = fingerprint(benchmark.metric), fingerprint(type(benchmark.metric), type(model))
    code = digest_of(code_digest(code_of_score(benchmark, model)), kinds.digest)
    data = fingerprint(benchmark.recording).digest, benchmark.dataset.digest
    return Key(
        digest_of(
            [*shown, digest, list(layers)],
            [asdict(benchmark.card), *data],
            [metric.digest, metric.versions, fingerprint(METRICS.get(benchmark.card.metric)).digest],
            asdict(options),
            code,
        ),
        digest,
        code,
    )


def _keep(
    store: Run,
    benchmark: Benchmark,
    model: str,
    facts: Mapping[str, Any],
    key: Key,
    metric_result: MetricResult,
    options: ScoringOptions,
    began: float,
) -> Record:
    noise_ceiling, card = benchmark.noise_ceiling, benchmark.card
    neuroids = benchmark.recording.neuroids
    record = {
        "key": key.digest,
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
            code=key.code,
            model_digest=key.model,
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
    known = store.find(model, card.identifier, key.digest)
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
