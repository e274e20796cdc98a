"""The board as a table: which models and columns are asked for, their averages, their order."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ....errors import UserError, unknown
from ..storage.snapshot import BenchmarkEntry, ModelEntry, ScoreEntry, Snapshot

AVERAGE = "average"
PAGE = 100
STEPS = 20
"""Of the colour scale."""


@dataclass(frozen=True)
class Selection:
    """What a reader asks for.

    Attributes
    ----------
    domain : str
    q : str
        Every word must be in the model's name, family, title or training data.
    family : str
    topographic : {"", "yes", "no"}
    min_parameters, max_parameters : int or None
    region : str
        Only this region's columns.
    sort : str
        ``average``, ``name``, ``parameters``, a region, or a benchmark.
    order : {"", "descending", "ascending"}
        Empty: the best first.
    missing : {"zero", "skip"}
        How an average counts a benchmark that a model was not scored on.
    page : int
        From 1, each of 100 models.
    """

    domain: str = "vision"
    q: str = ""
    family: str = ""
    topographic: str = ""
    min_parameters: int | None = None
    max_parameters: int | None = None
    region: str = ""
    sort: str = AVERAGE
    order: str = ""
    missing: str = "zero"
    page: int = 1


@dataclass(frozen=True)
class Column:
    """A column of the table.

    Attributes
    ----------
    key : str
        ``average``, ``region:NAME`` or the benchmark's identifier.
    label, group : str
    benchmark : BenchmarkEntry or None
        None for an average.
    low, high : float
        The range of the colour scale: over all models of the domain.
    """

    key: str
    label: str
    group: str
    benchmark: BenchmarkEntry | None
    low: float
    high: float

    @property
    def lower_is_better(self) -> bool:
        """Whether a small value is a good one."""
        return self.benchmark is not None and self.benchmark.lower_is_better

    def shade(self, value: float | None) -> int | None:
        """The step of the colour scale, 0 to 20; None where there is no value."""
        if value is None or not math.isfinite(value):
            return None
        span = self.high - self.low
        share = 0.5 if span <= 0 else min(max((value - self.low) / span, 0.0), 1.0)
        return round((1 - share if self.lower_is_better else share) * STEPS)


@dataclass(frozen=True)
class Row:
    """A model's line."""

    rank: int | None
    model: ModelEntry
    values: dict[str, float | None]
    scores: Mapping[str, ScoreEntry]
    n_scored: int


@dataclass(frozen=True)
class Table:
    """What is shown.

    Attributes
    ----------
    columns : list of Column
    rows : list of Row
        Of this page.
    n_models, n_pages : int
        That fit, on all pages.
    n_brain : int
        Benchmarks that an average is over.
    families, regions : list of str
        To choose from.
    """

    selection: Selection
    columns: list[Column]
    rows: list[Row]
    n_models: int
    n_pages: int
    n_brain: int
    families: list[str] = field(default_factory=list)
    regions: list[str] = field(default_factory=list)


def table_of(snapshot: Snapshot, chosen: Selection, *, page_size: int = PAGE) -> Table:
    """The table that a selection asks for.

    As in Brain-Score's tree, a region's average is the mean over its benchmarks and the overall average the mean over
    regions; a missing score counts 0 (as there) or is skipped. Engineering and simulated data are not averaged.

    Raises
    ------
    UserError
        For an unknown domain, region, sort key or word.
    """
    _check(snapshot, chosen)
    benchmarks = snapshot.columns(chosen.domain)
    regions = list(dict.fromkeys(one.region for one in benchmarks if one.brain))
    if chosen.region:
        if chosen.region not in regions:
            raise unknown("region", chosen.region, regions)
        benchmarks = [one for one in benchmarks if one.region == chosen.region and one.brain]
    brain = [one for one in benchmarks if one.brain]
    everyone = [one for one in snapshot.models.values() if one.domain == chosen.domain]
    rows = [row for one in everyone if (row := _row(snapshot, one, benchmarks, brain, chosen)) is not None]
    columns = _columns(benchmarks, brain, rows)
    best_first = _sorted(rows, AVERAGE, False) if brain else rows
    ranks = _ranks(best_first) if brain else {}
    rows = [row for row in rows if _fits(row.model, chosen)]
    rows = _sorted(rows, _sort_key(chosen, columns), _ascending(chosen, columns))
    n_pages = max(math.ceil(len(rows) / page_size), 1)
    start = (min(chosen.page, n_pages) - 1) * page_size
    shown = [
        Row(ranks.get(row.model.id), row.model, row.values, row.scores, row.n_scored)
        for row in rows[start : start + page_size]
    ]
    families = sorted({one.family for one in everyone if one.family})
    return Table(chosen, columns, shown, len(rows), n_pages, len(brain), families, regions)


def _row(
    snapshot: Snapshot,
    model: ModelEntry,
    benchmarks: Sequence[BenchmarkEntry],
    brain: Sequence[BenchmarkEntry],
    chosen: Selection,
) -> Row | None:
    found = {one.identifier: snapshot.scores.get((model.id, one.id)) for one in benchmarks}
    scores = {name: score for name, score in found.items() if score is not None}
    if not scores:
        return None
    values: dict[str, float | None] = {name: score.value for name, score in scores.items()}
    for region in dict.fromkeys(one.region for one in brain):
        inside = [values.get(one.identifier) for one in brain if one.region == region]
        values[f"region:{region}"] = _mean(inside, chosen.missing)
    regions = [value for name, value in values.items() if name.startswith("region:")]
    values[AVERAGE] = _mean(regions, chosen.missing)
    n_scored = sum(one.identifier in scores for one in brain)
    return Row(None, model, values, scores, n_scored)


def _mean(values: Sequence[float | None], missing: str) -> float | None:
    there = [value for value in values if value is not None and math.isfinite(value)]
    if not there:
        return None
    return sum(there) / (len(values) if missing == "zero" else len(there))


def _columns(
    benchmarks: Sequence[BenchmarkEntry], brain: Sequence[BenchmarkEntry], rows: Sequence[Row]
) -> list[Column]:
    columns = []
    if brain:
        columns.append(Column(AVERAGE, "average", "", None, *_range(rows, AVERAGE)))
    for region in dict.fromkeys(one.region for one in brain):
        key = f"region:{region}"
        inside = [one for one in brain if one.region == region]
        if len(inside) > 1:
            columns.append(Column(key, "mean", region, None, *_range(rows, key)))
        columns += [
            Column(one.identifier, one.identifier, region, one, *_range(rows, one.identifier))
            for one in inside
        ]
    columns += [
        Column(one.identifier, one.identifier, one.group, one, *_range(rows, one.identifier))
        for one in benchmarks
        if not one.brain
    ]
    return columns


def _range(rows: Sequence[Row], key: str) -> tuple[float, float]:
    values = [row.values.get(key) for row in rows]
    finite = [value for value in values if value is not None and math.isfinite(value)]
    return (min(finite), max(finite)) if finite else (0.0, 1.0)


def _ranks(rows: Sequence[Row]) -> dict[int, int]:
    """Rank by the average to two decimals, as it is shown; equal values share a rank."""
    ranks: dict[int, int] = {}
    last, rank = None, 0
    for place, row in enumerate(rows, 1):
        value = row.values.get(AVERAGE)
        if value is None:
            break
        if last is None or round(value, 2) != last:
            rank, last = place, round(value, 2)
        ranks[row.model.id] = rank
    return ranks


def _fits(model: ModelEntry, chosen: Selection) -> bool:
    text = f"{model.name} {model.family} {model.title} {model.training_data}".lower()
    if not all(word in text for word in chosen.q.lower().split()):
        return False
    if chosen.family and model.family != chosen.family:
        return False
    if chosen.topographic and (model.topographic is True) != (chosen.topographic == "yes"):
        return False
    size = model.parameters
    if chosen.min_parameters is not None and (size is None or size < chosen.min_parameters):
        return False
    return chosen.max_parameters is None or (size is not None and size <= chosen.max_parameters)


def _check(snapshot: Snapshot, chosen: Selection) -> None:
    for name, said, known in (
        ("domain", chosen.domain, [*snapshot.domains, "vision", "language"]),
        ("topographic", chosen.topographic, ["", "yes", "no"]),
        ("order", chosen.order, ["", "ascending", "descending"]),
        ("missing", chosen.missing, ["zero", "skip"]),
    ):
        if said not in known:
            raise unknown(name, said, [one for one in known if one])
    if chosen.page < 1:
        raise UserError(f"pages begin with 1, not {chosen.page}")


def _sort_key(chosen: Selection, columns: Sequence[Column]) -> str:
    keys = {column.key for column in columns} | {"name", "parameters"}
    key = chosen.sort
    if key == AVERAGE and AVERAGE not in keys:
        return "name"
    if key not in keys:
        raise unknown("column to sort by", key, keys)
    return key


def _ascending(chosen: Selection, columns: Sequence[Column]) -> bool:
    if chosen.order:
        return chosen.order == "ascending"
    if chosen.sort in ("name", "parameters"):
        return True
    return any(column.key == chosen.sort and column.lower_is_better for column in columns)


def _sorted(rows: Sequence[Row], key: str, ascending: bool) -> list[Row]:
    """By a column, models without a value last, then by name."""
    sign = 1 if ascending else -1
    if key == "name":
        return sorted(rows, key=lambda row: row.model.name.lower(), reverse=not ascending)

    def place(row: Row) -> tuple[bool, float, str]:
        value = row.model.parameters if key == "parameters" else row.values.get(key)
        if value is None or not math.isfinite(value):
            return True, 0.0, row.model.name.lower()
        return False, sign * value, row.model.name.lower()

    return sorted(rows, key=place)
