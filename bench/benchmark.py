"""A benchmark: a data set, a region, a metric and a division of the stimuli, under one name and version."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast, overload

from ..brain_data import dataset_card, list_datasets, load_dataset
from ..brain_data.text_columns import text_column
from ..errors import UserError, unknown
from ..files import home, read_toml, write_bytes
from ..models.extraction.texts import PASSAGE_COLUMNS
from ..models.model import Context, checked_context
from .metrics.registries import METRICS
from .metrics.series_options import CONTEXT, SeriesOptions, series_options

if TYPE_CHECKING:
    from ..brain_data import Dataset
    from .metrics.base import Ceiling, Metric
    from .metrics.function_metric import Function
    from .metrics.recording import Recording
    from .results.as_score import Score

_FIELDS = frozenset({"description", "dataset", "region", "metric", "context", "version", "beyond", "spaces"})
"""What a declaration says of the benchmark; all else are options of its metric."""
_OTHER_FOLDS = "@folds="


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
    context : {"none", "passage"} or int
        For language: whether a text is read alone, after the earlier ones of its passage, or after so many of them.
    options : mapping
        Of the metric, such as ``stratify`` or ``folds``; ``METRICS[metric].options`` are all that it has.
    beyond : tuple of str
        Nuisance spaces beyond which a model is looked at by default.
    series : SeriesOptions or None
        Of a recording in time, how words become samples, where it is not the default.
    """

    identifier: str
    dataset: str
    region: str
    metric: str
    modality: str
    version: int
    simulated: bool
    description: str
    context: Context
    options: Mapping[str, Any]
    beyond: tuple[str, ...] = ()
    series: SeriesOptions | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "context", checked_context(self.context, self.identifier))
        if not isinstance(self.version, int) or self.version < 1:
            raise UserError(f"{self.identifier}: version must be a whole number from 1, not {self.version!r}")


def list_benchmarks(pattern: str = "*") -> list[BenchmarkCard]:
    """The benchmarks whose identifier matches a pattern such as ``"simulated-*"``."""
    return [_card(name, entry) for name, entry in _declared().items() if fnmatchcase(name, pattern)]


def benchmark_card(identifier: str) -> BenchmarkCard:
    """What a benchmark is.

    A name that is not declared but reads DATASET.REGION-METRIC, with a known data set and metric, is built
    with the metric's defaults; NAME@folds=VALUE is the benchmark NAME with other folds.

    Raises
    ------
    UserError
        For an unknown benchmark, with the close matches.
    """
    declared = _declared()
    if identifier in declared:
        return _checked(_card(identifier, declared[identifier]))
    name, sign, folds = identifier.partition(_OTHER_FOLDS)
    if sign:
        return with_folds(benchmark_card(name), folds)
    dataset, dot, rest = identifier.partition(".")
    region, dash, metric = rest.rpartition("-")
    datasets = {card.identifier for card in list_datasets()}
    if not dot or not dash or (dataset not in datasets and metric in METRICS):
        known = [*declared, *(f"{dataset}.{region}-{metric}" for dataset in datasets)]
        raise unknown("benchmark", identifier, known, hint="list them with: brodmann benchmarks list")
    if metric not in METRICS or dataset not in datasets:
        close = [name for name in declared if name.startswith(dataset + ".")] or list(declared)
        if dataset in datasets:
            METRICS[metric]
        raise unknown("benchmark", identifier, close)
    return _card(identifier, {"version": METRICS[metric].version})


def with_folds(card: BenchmarkCard, folds: int | str) -> BenchmarkCard:
    """The same benchmark with other folds, which is another one: its name says so, and no board takes it.

    Raises
    ------
    UserError
        For a metric whose folds are its own.
    """
    METRICS[card.metric].check({"folds": folds}, card.identifier)
    if str(card.options.get("folds", "")) == str(folds):
        return card
    instead = {"train", "test"} | ({"stratify", "group"} if str(folds).startswith("leave-") else set())
    kept = {name: value for name, value in card.options.items() if name not in instead}
    name = card.identifier.partition(_OTHER_FOLDS)[0]
    return replace(card, identifier=f"{name}{_OTHER_FOLDS}{folds}", options={**kept, "folds": folds})


def is_published(identifier: str) -> bool:
    """Whether a name is that of a benchmark as it is declared, and not of one with other folds."""
    return _OTHER_FOLDS not in identifier


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
    cards = [_checked(_card(name, entry)) for name, entry in content.items()]
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
    found: dict[str, dict[str, Any]] = {}
    for name, entry in read_toml(path).items():
        if not isinstance(entry, dict):
            raise UserError(
                f'{path}: {name!r} stands outside a benchmark: begin with a line ["DATASET.REGION-METRIC"]'
            )
        found |= dict.fromkeys(_spelled_out(name, path), entry)
    return found


def _spelled_out(name: str, path: Path) -> list[str]:
    """``data.{V1,V2}-ridge`` is two benchmarks."""
    before, brace, rest = name.partition("{")
    if not brace and "}" not in name:
        return [name]
    inside, closed, after = rest.partition("}")
    if not closed or "{" in inside or not all(one.strip() for one in inside.split(",")):
        raise UserError(f"{path}: {name!r}: write several regions or metrics as {{V1,V2}}")
    return [f"{before}{one.strip()}{tail}" for one in inside.split(",") for tail in _spelled_out(after, path)]


def _card(identifier: str, entry: Mapping[str, Any]) -> BenchmarkCard:
    dataset, _, rest = identifier.partition(".")
    region, _, metric = rest.rpartition("-")
    metric = str(entry.get("metric", metric))
    data = dataset_card(str(entry.get("dataset", dataset)))
    given = {name: value for name, value in entry.items() if name not in _FIELDS}
    series, options = series_options(given, identifier)
    return BenchmarkCard(
        identifier=identifier,
        dataset=data.identifier,
        region=str(entry.get("region", region)),
        metric=metric,
        modality=data.modality,
        version=entry.get("version", 1),
        simulated=data.simulated,
        description=str(entry.get("description", data.title)),
        context=_said(entry.get("context")),
        options=options,
        beyond=_names(entry.get("beyond", entry.get("spaces", ())), identifier),
        series=series,
    )


def _said(context: Context | None) -> Context:
    """What was said of the context: "none" where nothing was, which a recording in time reads as 20 words."""
    return "none" if context is None else 0 if context == "none" else context


def _names(given: Any, identifier: str) -> tuple[str, ...]:
    if isinstance(given, str) or not all(isinstance(one, str) for one in given):
        raise UserError(f'{identifier}: beyond must be a list of names, such as ["position"], not {given!r}')
    return tuple(given)


def _checked(card: BenchmarkCard) -> BenchmarkCard:
    """The same card, whose metric there is and uses its options; a listing does without, since it imports them all."""
    METRICS[card.metric].check(card.options, card.identifier)
    return card


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

    def __repr__(self) -> str:
        """What it is: data, metric with its options, how much was recorded, and the ceiling once it is known."""
        card, recorded = self.card, self.recording
        options = ", ".join(f"{name}={value!r}" for name, value in card.options.items())
        parts = [
            f"{card.identifier!r} version {card.version}",
            f"data set {card.dataset}{' (simulated)' if card.simulated else ''}",
            f"region {card.region}",
            f"metric {card.metric}({options})",
            f"{recorded.n_stimuli} {'stimuli' if recorded.series is None else 'samples'}",
        ]
        if recorded.cube is not None:
            parts.append(f"{recorded.cube.shape[2]} neuroids")
            parts.append(f"{recorded.cube.shape[1]} repetitions")
        elif recorded.rdms is not None:
            parts.append(f"RDMs of {len(recorded.rdms)} subjects")
        if "noise_ceiling" in vars(self):
            noise_ceiling = self.noise_ceiling
            value = "" if noise_ceiling.kind == "none" else f" {noise_ceiling.value:.3f}"
            parts.append(f"noise ceiling {noise_ceiling.kind}{value}")
        return f"<Benchmark {', '.join(parts)}>"

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
        ``DATASET.REGION-METRIC``, e.g. ``"kriegeskorte2008.hIT-rsa"``; with other folds ``...-ridge@folds=10``.

    Raises
    ------
    UserError
        For an unknown benchmark, data that are not installed, or options that do not fit the data.
    """
    card = benchmark_card(identifier)
    return make_benchmark(card, load_dataset(card.dataset))


@overload
def make_benchmark(card: BenchmarkCard, dataset: "Dataset", /) -> Benchmark: ...


@overload
def make_benchmark(
    dataset: "Dataset",
    /,
    region: str | None = None,
    metric: "str | Metric | Function" = "ridge",
    *,
    version: int | None = None,
    context: Context | None = None,
    beyond: Sequence[str] = (),
    **options: Any,
) -> Benchmark: ...


def make_benchmark(
    data: "BenchmarkCard | Dataset",
    /,
    region: "str | Dataset | None" = None,
    metric: "str | Metric | Function" = "ridge",
    *,
    version: int | None = None,
    context: Context | None = None,
    beyond: Sequence[str] = (),
    **options: Any,
) -> Benchmark:
    """A benchmark on a data set that is already at hand.

    ``make_benchmark(dataset)`` scores the only region by ridge; ``make_benchmark(card, dataset)`` makes what a card
    describes.

    Parameters
    ----------
    data : Dataset
    region : str, optional
        May be left out where one was recorded.
    metric : str, Metric or function
        One of ``METRICS`` by name; an object with ``name``, ``ceiling``, ``evaluate`` and ``memory``; or a function of
        features (n_stimuli, n_units) and mean responses (n_stimuli, n_neuroids) that gives one r a neuroid, from -1
        to 1. What has another range is a metric with a normalization of its own: ``docs/adding/metric.md``.
    version : int, optional
        The metric's own by default.
    context : {"none", "passage"} or int, optional
        None by default, and of a recording in time 20 words.
    beyond : sequence of str
        Nuisance spaces beyond which models are looked at by default.
    **options
        Of a metric by name, such as ``folds`` or ``stratify``.

    Raises
    ------
    UserError
        For a region, metric, option, context or column of the stimuli that is not there.
    """
    if isinstance(data, BenchmarkCard):
        dataset = _as_asked(cast("Dataset", region), data.metric)
        recorded, how = _recorded(dataset, data.region, data.series, data.identifier)
        made = METRICS[data.metric].make(recorded, _folds_of(how, data.options) | dict(data.options))
        return Benchmark(_read_as(data, how, dataset), dataset, recorded, made)
    data = _as_asked(data, metric)
    place = _only_region(data) if region is None else str(region)
    series, options = series_options(options, f"{data.identifier}.{place}")
    recorded, how = _recorded(data, place, series, f"{data.identifier}.{place}")
    made = _metric(metric, recorded, options, _folds_of(how, options))
    place = recorded.name.removeprefix(f"{data.identifier}.")
    card = BenchmarkCard(
        identifier=f"{recorded.name}-{made.name}",
        dataset=data.identifier,
        region=place,
        metric=made.name,
        modality=data.modality,
        version=_version_of(made) if version is None else version,
        simulated=data.simulated,
        description="",
        context=_said(context),
        options=options,
        beyond=tuple(beyond),
    )
    return Benchmark(_read_as(card, how, data), data, recorded, made)


def _recorded(
    dataset: "Dataset", region: str, series: SeriesOptions | None, name: str
) -> "tuple[Recording, SeriesOptions | None]":
    """A region's arrays, and how they were made of a recording in time."""
    from .metrics.recording import recording
    from .metrics.series import series_recording

    if dataset.kind == "series":
        how = series or SeriesOptions()
        how = replace(how, delays_s=how.delays)  # those by default are those that are written out
        return series_recording(dataset, region, how), how
    if series is not None:
        raise UserError(
            f"{name}: delays, down-sampling and whatever else is of samples in time need a series, and "
            f"{dataset.identifier} holds trials"
        )
    return recording(dataset, region), None


def _folds_of(how: SeriesOptions | None, options: Mapping[str, Any]) -> dict[str, Any]:
    """How many folds a recording in time has, where no samples are named that are held out."""
    return {} if how is None or "test" in options else {"folds": how.n}


def _read_as(card: BenchmarkCard, how: SeriesOptions | None, dataset: "Dataset") -> BenchmarkCard:
    """The card with how samples in time were made, and with how much is read before a word where it does not say."""
    if how is not None and card.modality == "language":
        return replace(card, series=how, context=CONTEXT if card.context == "none" else card.context)
    metric = METRICS.get(card.metric)
    told = set(PASSAGE_COLUMNS) & set(dataset.stimuli.columns)
    asked = metric is not None and metric.reads == "surprisal" and card.context == "none"
    # what is expected of a word hangs on what was told before
    if asked and told and text_column(dataset.stimuli) == "word":
        return replace(card, context="passage")
    return replace(card, series=how, context="none" if card.context == 0 else card.context)


def _as_asked(dataset: "Dataset", metric: "str | Metric | Function") -> "Dataset":
    """A data set as a metric takes it: with a column for every neuroid and time bin, where it tells bins apart."""
    from ..brain_data.timeseries.bin_columns import bins_as_columns

    return bins_as_columns(dataset) if isinstance(metric, str) and METRICS[metric].by_bin else dataset


def _version_of(metric: "Metric") -> int:
    """Of the registered metric of that name; 1 for one's own."""
    card = METRICS.get(metric.name)
    return 1 if card is None else card.version


def _only_region(dataset: "Dataset") -> str:
    if len(dataset.regions) > 1:
        raise UserError(
            f"{dataset.identifier} holds several regions: name one of {', '.join(dataset.regions)}"
        )
    return dataset.regions[0]


def _metric(
    metric: "str | Metric | Function",
    recorded: "Recording",
    options: Mapping[str, Any],
    defaults: Mapping[str, Any],
) -> "Metric":
    from .metrics.function_metric import function_metric

    if isinstance(metric, str):
        return METRICS[metric].make(recorded, {**defaults, **options})
    if options:
        raise UserError(
            f"{', '.join(options)}: options belong to a metric by name; set them in one's own metric"
        )
    if all(hasattr(metric, part) for part in ("name", "ceiling", "evaluate", "memory")):
        return cast("Metric", metric)
    return function_metric(metric)
