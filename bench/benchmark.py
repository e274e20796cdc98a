"""A benchmark: a data set, a region, a metric and a division of the stimuli, under one name and version."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ..brain_data import dataset_card, list_datasets, load_dataset
from ..errors import UserError, unknown
from ..files import home, read_toml, write_bytes

if TYPE_CHECKING:
    from ..brain_data import Dataset
    from .metrics.base import Ceiling, Metric
    from .metrics.recording import Recording
    from .results.as_score import Score

METRICS = (
    "ridge",
    "linear",
    "rsa",
    "rsa_crossnobis",
    "decoding",
    "pls",
    "ridge1",
    "linear_predictivity",
    "neuron_to_neuron",
    "ridgecv",
    "cka",
    "cka_biased",
    "rdm",
    "language_linear",
    "language_ridge",
)
"""The metrics by name: brodmann's own five (and rsa with crossnobis), then Brain-Score's."""
_OPTIONS = {
    "description", "dataset", "region", "metric", "stratify", "group", "folds", "inner_folds", "label", "across",
    "least_reliability", "context", "version",
}  # fmt: skip


@dataclass(frozen=True)
class BenchmarkCard:
    """What a benchmark is, without loading its data.

    Attributes
    ----------
    identifier : str
    dataset, region, metric : str
    modality : str
        ``vision`` or ``language``.
    version : int
        Rises when a score would change.
    simulated : bool
    description : str
    context : {"none", "passage"}
        For language: whether a sentence is read alone or after the earlier ones of its passage.
    options : mapping
        Of the metric: ``stratify``, ``group``, ``folds``, ``inner_folds``, ``label``, ``across``,
        ``least_reliability``.
    """

    identifier: str
    dataset: str
    region: str
    metric: str
    modality: str
    version: int
    simulated: bool
    description: str
    context: Literal["none", "passage"]
    options: Mapping[str, Any]


def list_benchmarks(pattern: str = "*") -> list[BenchmarkCard]:
    """The benchmarks whose identifier matches a pattern such as ``"simulated-*"``."""
    return [_card(name, entry) for name, entry in _declared().items() if fnmatchcase(name, pattern)]


def benchmark_card(identifier: str) -> BenchmarkCard:
    """What a benchmark is.

    A name that is not declared but reads DATASET.REGION-METRIC, with a known data set and metric, is built
    with the metric's defaults.

    Raises
    ------
    UserError
        For an unknown benchmark, with the close matches.
    """
    declared = _declared()
    if identifier in declared:
        return _card(identifier, declared[identifier])
    dataset, dot, rest = identifier.partition(".")
    region, dash, metric = rest.rpartition("-")
    datasets = {card.identifier for card in list_datasets()}
    if not dot or not dash or (dataset not in datasets and metric in METRICS):
        known = [*declared, *(f"{dataset}.{region}-{metric}" for dataset in datasets)]
        raise unknown("benchmark", identifier, known, hint="list them with: brodmann benchmarks list")
    if metric not in METRICS or dataset not in datasets:
        close = [name for name in declared if name.startswith(dataset + ".")] or list(declared)
        if dataset in datasets and metric not in METRICS:
            raise unknown("metric", metric, METRICS)
        raise unknown("benchmark", identifier, close)
    return _card(identifier, {})


def add_benchmark(path: Path) -> list[str]:
    """Declare benchmarks of one's own from a TOML file in the layout of ``bench/benchmarks.toml``.

    Returns
    -------
    list of str
        Their identifiers.

    Raises
    ------
    UserError
        Where the file cannot be read or declares an unknown metric, option or data set.
    """
    content = _read(path)
    cards = [_card(name, entry) for name, entry in content.items()]
    if not cards:
        raise UserError(f"{path} declares no benchmark")
    write_bytes(home() / "benchmarks" / path.name, path.read_bytes())
    return [card.identifier for card in cards]


def _declared() -> dict[str, dict[str, Any]]:
    entries = _read(Path(__file__).with_name("benchmarks.toml"))
    for path in sorted((home() / "benchmarks").glob("*.toml")):
        entries |= _read(path)
    return entries


def _read(path: Path) -> dict[str, dict[str, Any]]:
    content = read_toml(path)
    for name, entry in content.items():
        if not isinstance(entry, dict):
            raise UserError(
                f'{path}: {name!r} stands outside a benchmark: begin with a line ["DATASET.REGION-METRIC"]'
            )
        for option in entry:
            if option not in _OPTIONS:
                raise unknown(f"option of {name}", option, _OPTIONS)
    return content


def _card(identifier: str, entry: Mapping[str, Any]) -> BenchmarkCard:
    dataset, _, rest = identifier.partition(".")
    region, _, metric = rest.rpartition("-")
    metric = str(entry.get("metric", metric))
    if metric not in METRICS:
        raise unknown("metric", metric, METRICS)
    data = dataset_card(str(entry.get("dataset", dataset)))
    named = {"description", "dataset", "region", "metric", "version", "context"}
    return BenchmarkCard(
        identifier=identifier,
        dataset=data.identifier,
        region=str(entry.get("region", region)),
        metric=metric,
        modality=data.modality,
        version=int(entry.get("version", 1)),
        simulated=data.simulated,
        description=str(entry.get("description", data.title)),
        context="passage" if entry.get("context") == "passage" else "none",
        options={key: value for key, value in entry.items() if key not in named},
    )


@dataclass(frozen=True)
class Benchmark:
    """A loaded benchmark.

    Attributes
    ----------
    card : BenchmarkCard
    dataset : Dataset
    recording : Recording
        The region's arrays.
    metric : Metric
    """

    card: BenchmarkCard
    dataset: "Dataset"
    recording: "Recording"
    metric: "Metric"

    @property
    def identifier(self) -> str:
        """The benchmark's name."""
        return self.card.identifier

    @property
    def version(self) -> int:
        """The benchmark's version."""
        return self.card.version

    @property
    def bibtex(self) -> str:
        """The citation of its data."""
        return self.dataset.bibtex

    @cached_property
    def noise_ceiling(self) -> "Ceiling":
        """The ceiling as the metric uses it."""
        return self.metric.ceiling(self.recording)

    @property
    def ceiling(self) -> "Score":
        """The ceiling as a ``Score``; attrs ``kind``, ``raw`` per neuroid, and for RDMs ``lower``, ``upper``."""
        from .results.as_score import ceiling_score

        return ceiling_score(self.noise_ceiling)


def load_benchmark(identifier: str) -> Benchmark:
    """Load a benchmark's data and metric.

    Parameters
    ----------
    identifier : str
        ``DATASET.REGION-METRIC``, e.g. ``"kriegeskorte2008.hIT-rsa"``.

    Raises
    ------
    UserError
        For an unknown benchmark, data that are not installed, or options that do not fit the data.
    """
    card = benchmark_card(identifier)
    return make_benchmark(card, load_dataset(card.dataset))


def make_benchmark(card: BenchmarkCard, dataset: "Dataset") -> Benchmark:
    """A benchmark on a data set that is already at hand."""
    from .metrics.recording import recording

    recorded = recording(dataset, card.region)
    return Benchmark(card, dataset, recorded, _metric(card, recorded))


def _metric(card: BenchmarkCard, recorded: "Recording") -> "Metric":
    from ..analysis.encoding.cross_validation import Splitter
    from ..analysis.encoding.nested_ridge import ALPHAS
    from .metrics.brainscore_regression import PRESETS, BrainScoreRegression
    from .metrics.decoding import Decoding
    from .metrics.ridge import Encoding
    from .metrics.rsa import Similarity

    options = card.options
    for key in ("stratify", "group", "label", "across"):
        recorded.column(options.get(key))  # raises for a column that is not there
    outer = Splitter(
        n_splits=options.get("folds", 5), stratify=options.get("stratify"), group=options.get("group")
    )
    inner = replace(outer, n_splits=options.get("inner_folds", 5), seed=outer.seed + 1)
    least = float(options.get("least_reliability", 0.1))
    if card.metric in ("ridge", "linear", "decoding"):
        alphas = ALPHAS if card.metric != "linear" else ALPHAS[:1] * 0
        encoding = Encoding("linear" if card.metric == "linear" else "ridge", alphas, outer, inner, least)
        if card.metric == "decoding":
            return Decoding(label=options.get("label"), across=options.get("across"), encoding=encoding)
        return encoding
    if card.metric in ("rsa", "rsa_crossnobis"):
        halves = Splitter(n_splits=2, stratify=options.get("stratify"))
        return Similarity(
            card.metric, "crossnobis" if card.metric == "rsa_crossnobis" else "correlation", halves
        )
    preset = PRESETS[card.metric]
    if isinstance(preset, BrainScoreRegression) and "stratify" in options:
        return replace(preset, splitter=replace(preset.splitter, stratify=options["stratify"]))
    return preset
