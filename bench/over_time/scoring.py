"""Score a model in every bin of time."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...brain_data import Dataset, load_dataset
from ...errors import UserError, unknown
from ...files import digest_of
from ...memory import require
from ...source_digest import code_digest
from ..benchmark import Benchmark, benchmark_card, make_benchmark, with_folds
from ..layer_comparison import layer_features
from ..metrics.base import Floats, ScoringOptions
from ..metrics.ridge import Encoding
from ..results.provenance import provenance
from ..results.store import Run, open_run
from ..score_key import BRAIN, numerics_of, score_key
from .fits import fit_every_bin, fitting_memory
from .methods import LAYER, LayerOf, methods_of
from .result import SUFFIX, OverTime
from .statistics import of_steps, statistics, tested_neuroids
from .steps import steps_of
from .timed import Windows, chosen_windows, timed, whole_of

if TYPE_CHECKING:
    from ...models import Model


def score_over_time(
    model: Model | str,
    benchmark: str | Dataset,
    layers: Sequence[str] | None = None,
    *,
    region: str | None = None,
    metric: str = "ridge",
    windows: Windows | None = None,
    bins_of: float | None = None,
    layer: LayerOf = "one",
    run: str | Path | None = None,
    seed: int = 0,
    n_bootstraps: int = 1000,
    n_permutations: int = 1000,
    folds: int | str | None = None,
    every_neuroid: bool = False,
    generalize: bool = True,
) -> OverTime:
    """Score a model in every bin of time, by ridge regression.

    Folds, and the penalties to choose from, are the same in every bin. All bins are target columns of one fit a layer.
    The result is kept in the run; asking again reads it.

    Parameters
    ----------
    model : Model or str
        A model, or what :func:`brodmann.load_model` takes.
    benchmark : str or Dataset
        A benchmark of a data set with time bins, ``DATASET.REGION-ridge``; or the data set itself, with `region` and
        `metric`.
    layers : sequence of str, optional
        The model's own choice by default. ``cell@1`` ... ``cell@T``, a module read by call, are compared step by step.
    region, metric : str, optional
        Of a data set in memory.
    windows : sequence of (float, float), optional
        From and to in ms, each the mean of the bins within; all bins as they were recorded by default.
    bins_of : float, optional
        Width in ms to which neighbouring bins are joined instead.
    layer : {"one", "each"}
        One layer for all bins, or each bin its own; chosen on training stimuli.
    run : str or Path, optional
        That keeps the result.
    seed : int
    n_bootstraps, n_permutations : int
        0 skips intervals (a jackknife over groups of stimuli, of any number), or p and onsets.
    folds : int or str, optional
        As of :func:`brodmann.score`.
    every_neuroid : bool
        Test every neuroid, however many: a row each in ``neuroids``.
    generalize : bool
        Whether weights of every bin are tried on all others.

    Raises
    ------
    UserError
        For data without time bins or with one, a metric that is not fitted, layers that are not there, too much memory.
    """
    from ..scoring import check_names

    began = time.perf_counter()
    if layer not in LAYER:
        raise unknown("choice of layers over time", layer, LAYER)
    if min(n_bootstraps, n_permutations, seed) < 0:
        raise UserError("the seed and the numbers of bootstraps and permutations must not be negative")
    if isinstance(benchmark, str):
        check_names(model, benchmark)
    dataset, opened_benchmark, pairs, weights = _benchmark(benchmark, region, metric, folds, windows, bins_of)
    encoding = opened_benchmark.metric
    assert isinstance(encoding, Encoding)
    model, names = _model(model, opened_benchmark, layers)
    options = ScoringOptions(seed, n_bootstraps, n_permutations)
    asked = {"layer": layer, "every_neuroid": every_neuroid, "generalize": generalize}
    key = digest_of(
        [
            score_key(opened_benchmark, model, names, options).digest,
            dataset.digest,
            code_digest(["bench.over_time.scoring"]),
        ],
        [pairs.tolist(), asked],
    )
    store = open_run(run)
    path = _path(store, model.identifier, opened_benchmark.identifier, key)
    store.fetch(path)
    known = _known(path, key)
    if known is not None:
        return known
    recorded = opened_benchmark.recording
    n_neuroids = recorded.responses.shape[2]
    needed = _check_memory(model, opened_benchmark, encoding, names, len(pairs), n_neuroids)
    read = timed(dataset, opened_benchmark.card.region, recorded, encoding.sampling.tests, pairs, weights)
    features = layer_features(model, opened_benchmark, names)
    tested = tested_neuroids(read, options, every_neuroid)
    recurrent = steps_of(names)
    steps: dict[str, Floats] = (
        {f"{module}@{number}": np.empty(0) for module, numbers in recurrent.items() for number in numbers}
        if n_bootstraps
        else {}
    )
    fitted = fit_every_bin(features, read, encoding, layer == "each", steps, tested)
    found = statistics(read, encoding, fitted, tested, options, generalize)
    found |= of_steps(read, names, fitted, steps, recurrent, tested, found.pop("chance"))
    fixed: dict[str, Any] = {
        "model": model.identifier,
        "benchmark": opened_benchmark.identifier,
        "key": key,
        "windows": pairs,
        "layers": names,
        "layer_by_bin": fitted.layer_by_bin,
        "by_layer": fitted.by_layer,
        "n_stimuli": recorded.n_stimuli,
        "simulated": dataset.simulated,
        "provenance": provenance(
            model_digest=model.digest,
            data_digest=dataset.digest,
            seed=seed,
            n_bootstraps=n_bootstraps,
            n_permutations=n_permutations,
            context=opened_benchmark.card.context,
            options=dict(opened_benchmark.card.options) | asked,
            bibtex=dataset.bibtex,
            license=dataset.license,
            numerics=numerics_of(opened_benchmark, model),
        ),
    }
    said = methods_of(read, encoding, layer, tested, n_neuroids, found.pop("said"))
    said |= dict(model.methods) | {
        "memory_gib": round(needed / 2**30, 2),
        "seconds": round(time.perf_counter() - began, 2),
    }
    result = OverTime(**fixed, **found, methods=said, file=str(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    result.save(path)
    store.send(path)
    return result


def _benchmark(
    given: str | Dataset,
    region: str | None,
    metric: str,
    folds: int | str | None,
    windows: Windows | None,
    bins_of: float | None,
) -> tuple[Dataset, Benchmark, Floats, Floats]:
    """The data set, the benchmark of its mean over all windows, and the windows."""
    card = None
    if isinstance(given, str):
        card = benchmark_card(given) if folds is None else with_folds(benchmark_card(given), folds)
        dataset = load_dataset(card.dataset)
    else:
        dataset = given
    if dataset.responses is None or dataset.kind == "series":
        what = "RDMs alone" if dataset.responses is None else "a series, samples in time of a run"
        raise UserError(f"{dataset.identifier} holds {what}: scores over time need trials with time bins")
    pairs, weights = chosen_windows(dataset.responses, dataset.identifier, windows, bins_of)
    whole = whole_of(dataset, pairs)
    if card is not None:
        made = make_benchmark(card, whole)
    else:
        how: dict[str, Any] = {} if folds is None else {"folds": folds}
        made = make_benchmark(whole, region, metric, **how)
    if not isinstance(made.metric, Encoding):
        raise UserError(
            f"{made.identifier}: {made.metric.name} is no regression of brodmann's own: scores over time are of ridge "
            f"or linear, such as {made.recording.name}-ridge"
        )
    return dataset, made, pairs, weights


def _model(given: Model | str, benchmark: Benchmark, layers: Sequence[str] | None) -> tuple[Model, list[str]]:
    from ..scoring import _check_match, _layer_names, _opened

    if given == BRAIN:
        raise UserError("'brain' decodes a recording from itself, without time: name a model")
    model = _opened(given)
    _check_match(model, benchmark)
    return model, _layer_names(model, layers)


def _check_memory(
    model: Model, benchmark: Benchmark, metric: Encoding, names: Sequence[str], n_bins: int, n_neuroids: int
) -> int:
    """Bytes that the largest layer will take, refused where there are not as many."""
    sizes = model.sizes(benchmark.dataset.stimuli, names)
    largest = max(sizes, key=sizes.__getitem__)
    n_stimuli = benchmark.recording.n_stimuli
    needed = fitting_memory(metric, n_bins, n_stimuli, n_neuroids, sizes[largest])
    require(
        needed,
        f"{benchmark.identifier} in {n_bins} bins with layer {largest!r} ({sizes[largest]:,} units)",
        remedy="join bins (--bins-of), take --project 1000, or fewer --layers",
    )
    return needed


def _path(store: Run, model: str, benchmark: str, key: str) -> Path:
    return store.path(model, benchmark, key).with_suffix(SUFFIX)


def _known(path: Path, key: str) -> OverTime | None:
    """What was computed with this very key; what cannot be read is computed anew."""
    if not path.is_file():
        return None
    try:
        found = OverTime.load(path)
    except UserError:
        return None
    return replace(found, cached=True) if found.key == key else None
