"""A benchmark on a person's own recordings as a Brain-Score plugin."""

import inspect
import re
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd

from ... import __version__
from ...brain_data import list_datasets
from ...brain_data.formats.brainio import to_assembly
from ...brain_data.text_columns import text_column
from ...errors import UserError, unknown
from ...models.extraction.language_model import PASSAGE_COLUMNS, text_of
from ..benchmark import Benchmark, load_benchmark
from ..metrics.base import Floats, MetricResult, ScoringOptions
from .metric_source import MetricSource, metric_source, normalized_by
from .packing import PluginFiles, filled, literal, plugin_name, renamed, write_plugin
from .region_map import BRAINSCORE_REGIONS


def write_benchmark_plugin(
    benchmark: Benchmark | str, folder: str | Path, *, region: str | None = None
) -> PluginFiles:
    """Write a benchmark on recordings of one's own as a Brain-Score plugin, a folder and a zip.

    The recordings and their stimuli are part of the plugin. The metric is Brain-Score's own, with the splits and the
    ceiling of brodmann's metric of that name.

    Parameters
    ----------
    benchmark : Benchmark or str
        A benchmark on a data set that ``brodmann data add NAME --from FOLDER`` installed, or its identifier.
    folder : str or Path
        Receives ``NAME/benchmarks/NAME/`` and ``NAME.zip``.
    region : str, optional
        Brain-Score's region whose layer a model is asked for: V1, V2, V4, IT or language_system. By the benchmark's
        own region by default.

    Raises
    ------
    UserError
        For a metric that Brain-Score does not have (naming which to use), a region that it does not know, data that
        are another's to publish or came without stimuli, or a folder that cannot be written.
    """
    loaded = load_benchmark(benchmark) if isinstance(benchmark, str) else benchmark
    _check_data(loaded)
    metric = metric_source(loaded)
    target = _target(loaded, region)
    own = f"{loaded.card.dataset}.{loaded.card.region}"
    identifier = f"{plugin_name(loaded.card.dataset)}.{plugin_name(loaded.card.region)}-{metric.name}"
    name = plugin_name(identifier)
    content = _content(loaded, metric, identifier, target)
    where = Path(folder).expanduser()
    plugin, archive = write_plugin(where, "benchmarks", name, content)
    notes = (*renamed(f"{own}-{loaded.card.metric}", identifier), *_notes(loaded, target))
    return PluginFiles(
        identifier, loaded.dataset.modality, "benchmarks", where / name, plugin, archive, notes=notes
    )


def _check_data(benchmark: Benchmark) -> None:
    data, name = benchmark.dataset, benchmark.card.dataset
    if name in {card.identifier for card in list_datasets() if not card.own}:
        raise UserError(
            f"{name!r} is not yours to publish, and the plugin would carry it: add recordings of your own with "
            "brodmann data add NAME --from FOLDER"
        )
    if not data.has_stimuli:
        raise UserError(
            f"{name!r} came without its stimuli, so no model can be shown them: add them to the data set"
        )
    if data.responses is None:
        raise UserError(f"{name!r} holds RDMs alone, but a Brain-Score benchmark needs responses")


def _target(benchmark: Benchmark, region: str | None) -> str:
    own, modality = benchmark.card.region, benchmark.dataset.modality
    known = BRAINSCORE_REGIONS[modality]
    targets = sorted(set(known.values()))
    if region is not None and region not in targets:
        raise unknown(f"region of Brain-Score {modality}", region, targets)
    if region is None and own not in known:
        raise UserError(
            f"Brain-Score {modality} has no region {own!r}: say whose layer a model is to be asked for with "
            f"region={targets[0]!r} (it knows {', '.join(targets)})"
        )
    return region or known[own]


def _notes(benchmark: Benchmark, target: str) -> tuple[str, ...]:
    data = benchmark.dataset
    notes = ["the recordings and stimuli are in the plugin, and a submitted plugin becomes public on GitHub"]
    if target != benchmark.card.region:
        notes.append(f"models answer with the layer that they commit to {target}")
    if data.modality == "vision":
        notes.append("pictures are shown as they are, not placed on a screen of the model's visual degrees")
    if benchmark.noise_ceiling.kind == "none":
        notes.append("no ceiling is known: the score is the raw value, its ceiling 1")
    if data.simulated:
        notes.append("the recordings are SIMULATED")
    return tuple(notes)


def _content(
    benchmark: Benchmark, metric: MetricSource, identifier: str, target: str
) -> dict[str, "str | bytes | Path"]:
    data, domain = benchmark.dataset, benchmark.dataset.modality
    text = None if domain == "vision" else text_column(data.stimuli)
    metric_result = _expected(benchmark, text)
    has_ceiling = metric_result.normalization != "none"
    record = "record_vision" if domain == "vision" else "record_language"
    passage = _passage(benchmark)
    code = filled(
        "benchmark",
        IDENTIFIER_PLAIN=identifier,
        IDENTIFIER=literal(identifier),
        VERSION_OF_BRODMANN=__version__,
        VERSION=literal(benchmark.version),
        REGION=literal(target),
        PARENT=literal(target if domain == "vision" else "neural_language"),
        CEILING=literal(float(benchmark.noise_ceiling.value) if has_ceiling else 1.0),
        BIBTEX=literal(benchmark.bibtex),
        IMPORTS=metric.imports,
        METRIC=metric.expression,
        RECORD=filled(record, PASSAGE=literal(passage), COLUMN=literal(text)),
        NORMALISED=normalized_by(metric_result.normalization),
    )
    test = filled(
        "benchmark_test",
        DOMAIN=domain,
        IDENTIFIER=literal(identifier),
        RAW=literal(metric_result.raw),
        SCORE=literal(metric_result.value),
        TOLERANCE=literal(metric.tolerance),
        KEY=literal(text),
        MIXING=inspect.getsource(mixed_features).replace(": Floats) -> Floats", ")"),
    )
    pictures = _pictures(data.stimuli) if domain == "vision" else {}
    columns = [*dict.fromkeys(one for one in ("stimulus_id", text, *metric.columns, passage) if one)]
    table = pd.DataFrame(data.stimuli)[columns]
    if pictures:
        table = table.assign(filename=[Path(one).name for one in pictures])
    return {
        "__init__.py": filled("benchmark_init", DOMAIN=domain, IDENTIFIER_PLAIN=identifier),
        "benchmark.py": code,
        "test.py": test,
        "requirements.txt": "netCDF4\nnumpy\npandas\nxarray\n",
        "stimuli.csv": table.to_csv(index=False),
        "assembly.nc": _assembly(benchmark),
        **pictures,
    }


def _passage(benchmark: Benchmark) -> str | None:
    if benchmark.card.context == "none":
        return None
    if benchmark.card.context != "passage":
        raise UserError(
            f"{benchmark.identifier} reads each text after {benchmark.card.context} others, but a Brain-Score subject "
            'reads a passage whole: make it with context="passage" or "none"'
        )
    return next(one for one in PASSAGE_COLUMNS if one in benchmark.dataset.stimuli)


def _pictures(stimuli: Any) -> Mapping[str, "str | bytes | Path"]:
    """The pictures under numbers: their own names may hold spaces, which the form refuses."""
    paths = [Path(stimuli.stimulus_paths[one]) for one in stimuli["stimulus_id"]]
    endings = [path.suffix.lower() if re.fullmatch(r"\.[A-Za-z0-9]+", path.suffix) else "" for path in paths]
    return {
        f"stimuli/{number:06d}{ending}": path
        for number, (path, ending) in enumerate(zip(paths, endings, strict=True))
    }


def _assembly(benchmark: Benchmark) -> bytes:
    """The region's responses as BrainIO netCDF, every presentation by itself."""
    responses = to_assembly(benchmark.dataset.region(benchmark.card.region))
    from brainscore_core.supported_data_standards.brainio.packaging import write_netcdf

    with TemporaryDirectory() as scratch:
        path = Path(scratch) / "assembly.nc"
        write_netcdf(responses, path)
        return path.read_bytes()


def _expected(benchmark: Benchmark, text: str | None) -> MetricResult:
    """What brodmann's metric gives the candidate of the plugin's own test."""
    features = mixed_features(benchmark.recording.mean)
    if text is not None:  # of a text that was shown twice, that candidate knows the last
        ids, texts = benchmark.dataset.stimuli["stimulus_id"].tolist(), text_of(benchmark.dataset.stimuli)
        place = {one: row for row, one in enumerate(benchmark.recording.stimulus_ids.tolist())}
        last = dict(zip(texts, ids, strict=True))
        said = dict(zip(ids, texts, strict=True))
        features = features[[place[last[said[one]]] for one in place]]
    options = ScoringOptions(n_bootstraps=0, n_permutations=0)
    return benchmark.metric.evaluate(
        {"lookup": features}, benchmark.recording, benchmark.noise_ceiling, options
    )


def mixed_features(responses: Floats) -> Floats:
    """Thirty mixtures of the responses, (n_stimuli, n_neuroids), with noise as large as themselves, by a seed."""
    generator = np.random.RandomState(1)
    varying = responses[:, responses.std(axis=0) > 0]
    scaled = (varying - varying.mean(axis=0)) / varying.std(axis=0)
    mixtures = scaled @ generator.normal(size=(scaled.shape[1], 30))
    return np.asarray(mixtures / mixtures.std() + generator.normal(size=mixtures.shape), np.float64)
