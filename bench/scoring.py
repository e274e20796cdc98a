"""Score a model against a benchmark: the main job."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from ..analysis.shelf import Shelf
from ..errors import UserError
from ..source_digest import code_digest
from .benchmark import Benchmark, benchmark_card, load_benchmark, make_benchmark, with_folds
from .layer_comparison import SURPRISAL, compare_layers, reads_surprisal
from .metrics.base import MetricResult, ScoringOptions
from .nuisance_spaces import Nuisance, names_of_spaces, open_space
from .results.as_score import Score, as_score, neuroid_arrays
from .results.card import facts_of
from .results.provenance import provenance
from .results.record import Record, ScoreRecord
from .results.store import Run, open_run
from .score_key import BRAIN, Key, code_of_score, numerics_of, score_key

if TYPE_CHECKING:
    from ..models import Model


def score(
    model: "Model | str",
    benchmark: Benchmark | str,
    layers: Sequence[str] | None = None,
    *,
    run: str | Path | Run | None = None,
    seed: int = 0,
    n_bootstraps: int = 1000,
    n_permutations: int = 1000,
    beyond: Sequence[str] | None = None,
    folds: int | str | None = None,
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
    run : str, Path or Run, optional
        The run (a folder, a name under ``$BRODMANN_HOME/results``, or a store's URL such as ``s3://BUCKET/FOLDER``)
        that keeps the record.
    seed : int
        Of every random draw.
    n_bootstraps, n_permutations : int
        For the interval and for p; 0 skips it.
    beyond : sequence of str, optional
        Nuisance spaces, beyond which the model is looked at, too: registered ones (``brodmann list nuisances``),
        columns of the stimuli, models. The benchmark's own by default; an empty list or ``["none"]`` for none.

    folds : int or str, optional
        Instead of the benchmark's own: how many; ``"shuffled"`` to part what depends on each other, which the record
        warns of; ``"leave-COLUMN-out"``. Another benchmark then, ``NAME@folds=...``, which no board takes.

    Returns
    -------
    Score
        The headline, normalized by the ceiling. ``attrs``: ``raw`` (per neuroid, with its ``neuroid_id``,
        ``subject``, ``region``, ``x``, ``y``, ``z``; or per subject), ``raw_value``, ``ceiling``, ``ci``, ``layers``
        (name -> raw value), ``provenance``, what a table shows of a score (``normalization``, ``layer``, ``p``,
        ``n_stimuli``, ...) and the whole ``record``.

    Raises
    ------
    UserError
        For unknown names, data that do not fit, or work that does not fit in memory.
    """
    began = time.perf_counter()
    asked = question(
        model,
        benchmark,
        layers,
        seed=seed,
        n_bootstraps=n_bootstraps,
        n_permutations=n_permutations,
        beyond=beyond,
        folds=folds,
    )
    return answer(asked, open_run(run), began)


@dataclass(frozen=True)
class Question:
    """A score that is asked for, and the key that its record is kept by.

    Attributes
    ----------
    benchmark : Benchmark
    model : Model or None
        None where the recording is decoded from itself.
    layers : list of str
    options : ScoringOptions
    nuisance : list of Nuisance
    key : Key
    """

    benchmark: Benchmark
    model: "Model | None"
    layers: list[str]
    options: ScoringOptions
    nuisance: list[Nuisance]
    key: Key

    def stored(self, store: Run) -> Record | None:
        """The record in a run, or None."""
        name = BRAIN if self.model is None else self.model.identifier
        return store.find(name, self.benchmark.identifier, self.key.digest)


def question(
    model: "Model | str",
    benchmark: Benchmark | str,
    layers: Sequence[str] | None = None,
    *,
    seed: int = 0,
    n_bootstraps: int = 1000,
    n_permutations: int = 1000,
    beyond: Sequence[str] | None = None,
    folds: int | str | None = None,
) -> Question:
    """What :func:`score` is asked, with everything loaded and nothing computed.

    Raises
    ------
    UserError
        For unknown names, and for a model and a benchmark that do not fit each other.
    """
    if n_bootstraps < 0 or n_permutations < 0:
        raise UserError("the numbers of bootstraps and permutations must not be negative")
    if seed < 0:
        raise UserError(f"the seed must not be negative, and is {seed}")
    check_names(model, benchmark)
    loaded = _loaded(benchmark, folds)
    spaces = names_of_spaces(loaded, beyond, recording_alone=model == BRAIN)
    nuisance = [open_space(name, loaded) for name in spaces]
    options = ScoringOptions(seed, n_bootstraps, n_permutations, beyond=tuple(spaces))
    opened, names = None, [BRAIN]
    if model != BRAIN:
        opened = _opened(model)
        _check_match(opened, loaded)
        if reads_surprisal(loaded):
            opened, names = opened.predicting(), _surprisal_alone(loaded, layers)
        else:
            names = _layer_names(opened, layers)
    key = score_key(loaded, opened, names, options, nuisance)
    return Question(loaded, opened, names, options, nuisance, key)


def answer(asked: Question, store: Run, began: float, shelf: Shelf | None = None) -> Score:
    """The stored record, or what is computed now and stored.

    Parameters
    ----------
    asked : Question
    store : Run
    began : float
        ``time.perf_counter()`` when the work on it began.
    shelf : Shelf, optional
        Keeps what other questions may need again.
    """
    known = asked.stored(store)
    if known is not None:
        return as_score(known, cached=True)
    if asked.model is None:
        found = _decode_recording(asked.benchmark, asked.options)
    else:
        makers = {one.name: one.features for one in asked.nuisance}
        found = compare_layers(asked.model, asked.benchmark, asked.layers, asked.options, makers, shelf)
    return as_score(_keep(store, asked, found, began), cached=False)


def _loaded(benchmark: Benchmark | str, folds: int | str | None) -> Benchmark:
    if folds is None:
        return load_benchmark(benchmark) if isinstance(benchmark, str) else benchmark
    if isinstance(benchmark, str):
        return load_benchmark(with_folds(benchmark_card(benchmark), folds).identifier)
    return make_benchmark(with_folds(benchmark.card, folds), benchmark.dataset)


def check_names(model: "Model | str", benchmark: Benchmark | str) -> None:
    """Say that a name is misspelt before anything heavy is imported.

    Parameters
    ----------
    model, benchmark : object
        As :func:`score` takes them.

    Raises
    ------
    UserError
        With the close matches.
    """
    from ..models.loading import check_name

    if isinstance(benchmark, str):
        benchmark_card(benchmark)
    if isinstance(model, str) and model != BRAIN:
        check_name(model)


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
            f"{data.identifier} came without its stimuli, so {model.identifier!r} cannot be shown them"
            + _self_decoded(benchmark)
        )
    if model.modality != data.modality:
        raise UserError(
            f"{model.identifier!r} is a {model.modality} model, "
            f"but {benchmark.identifier} is a {data.modality} benchmark"
        )


def _self_decoded(benchmark: Benchmark) -> str:
    """The command that decodes the recording itself, where there is a benchmark for it."""
    wanted = f"{benchmark.dataset.identifier}.{benchmark.card.region}-decoding"
    try:
        benchmark_card(wanted)
    except UserError:
        return ""
    return f"; decode the recording itself with: brodmann score brain {wanted}"


def _layer_names(model: "Model", layers: Sequence[str] | None) -> list[str]:
    if layers is None:
        return list(model.layers)
    names = [layers] if isinstance(layers, str) else list(dict.fromkeys(layers))
    if not names:
        raise UserError("no layers were named; leave layers out to compare the model's own choice")
    return names


def _surprisal_alone(benchmark: Benchmark, layers: Sequence[str] | None) -> list[str]:
    if layers is not None and list(layers) != [SURPRISAL]:
        raise UserError(
            f"{benchmark.identifier} compares surprisal, which no layer has: leave out {', '.join(layers)}"
        )
    return [SURPRISAL]


def _decode_recording(benchmark: Benchmark, options: ScoringOptions) -> MetricResult:
    from .metrics.decoding import Decoding

    if not isinstance(benchmark.metric, Decoding):
        raise UserError(
            f"'brain' decodes a recording from itself and needs a decoding benchmark, not {benchmark.identifier}"
        )
    return benchmark.metric.evaluate_recording(benchmark.recording, options)


def _keep(store: Run, asked: Question, metric_result: MetricResult, began: float) -> Record:
    benchmark, model, options, key = asked.benchmark, asked.model, asked.options, asked.key
    noise_ceiling, card, dataset = benchmark.noise_ceiling, benchmark.card, benchmark.dataset
    name = BRAIN if model is None else model.identifier
    known = {
        field: getattr(source, field)
        for source in (card, metric_result, metric_result.added)
        for field in ScoreRecord.model_fields
        if hasattr(source, field)
    }
    known |= {
        "key": key.digest,
        "model": name,
        "model_facts": facts_of(model),
        "benchmark": card.identifier,
        "benchmark_version": card.version,
        "license": dataset.license,
        "bibtex": dataset.bibtex,
        "space": _space(benchmark),
        "n_subjects": n_subjects(benchmark),
        "score": metric_result.value,
        "ceiling": noise_ceiling.value,
        "ceiling_kind": noise_ceiling.kind,
        "ceiling_lower": noise_ceiling.lower,
        "ceiling_upper": noise_ceiling.upper,
        "methods": dict(metric_result.methods) | _of_recording(benchmark),
        "seconds": time.perf_counter() - began,
        "provenance": provenance(
            code=key.code,
            metric_code=code_digest(code_of_score(benchmark, None)),
            model_digest=key.model,
            data_digest=dataset.digest,
            seed=options.seed,
            n_bootstraps=options.n_bootstraps,
            n_permutations=options.n_permutations,
            context=card.context,
            options=dict(card.options),
            numerics=numerics_of(benchmark, model),
        ),
    }
    store.keep(known, _arrays(benchmark, metric_result))
    record = asked.stored(store)
    if record is None:
        raise UserError(f"the record could not be read back from {store.place}: is its disk damaged?")
    return record


def _of_recording(benchmark: Benchmark) -> dict[str, str]:
    """What was done about sessions, and where a published ceiling stands."""
    published = benchmark.dataset.published_ceilings.get(benchmark.card.region)
    source = published.source if published is not None and benchmark.noise_ceiling.kind == "r_max" else ""
    said = {"sessions": benchmark.recording.sessions, "ceiling_from": source}
    return {topic: words for topic, words in said.items() if words}


def _arrays(benchmark: Benchmark, metric_result: MetricResult) -> dict[str, npt.NDArray[Any]]:
    """Raw values with the neuroids that they belong to, the ceiling's, and what figures need besides."""
    arrays: dict[str, npt.NDArray[Any]] = {"raw": metric_result.per_unit}
    if benchmark.noise_ceiling.per_neuroid is not None:
        arrays["ceiling"] = benchmark.noise_ceiling.per_neuroid
    if metric_result.unit == "neuroid":
        arrays |= neuroid_arrays(benchmark.recording.neuroids)
    replicates = metric_result.replicates
    drawn = {"draws": metric_result.draws} if replicates is None else replicates.arrays()
    return arrays | drawn | dict(metric_result.arrays)


def n_subjects(benchmark: Benchmark) -> int:
    """How many were recorded: of the RDMs, of the neuroids, or of the presentations; 1 where nobody is named."""
    recording, responses = benchmark.recording, benchmark.dataset.responses
    if recording.rdms is not None:
        return len(recording.rdms)
    if "subject" in recording.neuroids:
        return recording.neuroids["subject"].nunique()
    return (
        len(set(responses["subject"].values))
        if responses is not None and "subject" in responses.coords
        else 1
    )


def _space(benchmark: Benchmark) -> str:
    """The standard space of the neuroids' positions, empty for a person's own."""
    responses = benchmark.dataset.responses
    return "" if responses is None else str(responses.attrs.get("space", ""))
