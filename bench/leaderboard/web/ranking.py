"""The board as a table: which models and columns are asked for, their averages, their order."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from ....errors import UserError, unknown
from ..storage.snapshot import BenchmarkEntry, ModelEntry, ScoreEntry, Snapshot
from .averages import Node, averaged, rank_intervals, remembered, scales_of, tree_of

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
    scale : str
        Of the benchmarks that are averaged; that of most by default.
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
    scale: str = ""


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
    n_scored : int
        Models that have a score there.
    averaged : bool
        Whether the average is over it, too.
    """

    key: str
    label: str
    group: str
    benchmark: BenchmarkEntry | None
    low: float
    high: float
    n_scored: int = 0
    averaged: bool = False

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
    """A model's line.

    Attributes
    ----------
    rank : int or None
        None without a score that counts.
    tied : bool
        Whether another model has the same rank.
    between : (int, int) or None
        The 95 % interval of the rank.
    model : ModelEntry
    values : mapping of str to float or None
        By column.
    scores : mapping of str to ScoreEntry
        By benchmark.
    n_scored : int
        Benchmarks of the average that it has a score on.
    """

    rank: int | None
    model: ModelEntry
    values: dict[str, float | None]
    scores: Mapping[str, ScoreEntry]
    n_scored: int
    tied: bool = False
    between: tuple[int, int] | None = None

    def counted(self, key: str) -> float | None:
        """The value of a column, where it counts; None for one that is held, or does not fit."""
        score = self.scores.get(key)
        return self.values.get(key) if score is None or score.ranked else None


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
    families, regions, scales : list of str
        To choose from.
    scale : str
        Of the average.
    n_everyone : int
        Models of the domain, whatever is filtered.
    """

    selection: Selection
    columns: list[Column]
    rows: list[Row]
    n_models: int
    n_pages: int
    n_brain: int
    families: list[str] = field(default_factory=list)
    regions: list[str] = field(default_factory=list)
    scales: list[str] = field(default_factory=list)
    scale: str = ""
    n_everyone: int = 0


def table_of(snapshot: Snapshot, chosen: Selection, *, page_size: int = PAGE) -> Table:
    """The table that a selection asks for.

    As in Brain-Score's tree, a region's average is the mean over its benchmarks and the regions in it, and the overall
    average the mean over regions; a missing score counts 0 (as there) or is skipped. An average is over benchmarks of
    one scale that whoever runs the board declared, and on which enough models were scored; engineering and simulated
    data are not averaged, nor are scores that are held.

    Raises
    ------
    UserError
        For an unknown domain, region, scale, sort key or word.
    """
    _check(snapshot, chosen)
    benchmarks = snapshot.columns(chosen.domain)
    scales = scales_of(benchmarks)
    scale = chosen.scale or (scales[0] if scales else "")
    if scale and scale not in scales:
        raise unknown("scale", scale, scales)
    regions = list(dict.fromkeys(part for one in benchmarks if one.ranked for part in one.place))
    if chosen.region:
        if chosen.region not in regions:
            raise unknown("region", chosen.region, regions)
        benchmarks = [one for one in benchmarks if one.ranked and chosen.region in one.place]
    everyone = [one for one in snapshot.models.values() if one.domain == chosen.domain]
    counts = _counts(snapshot, everyone, benchmarks)
    means = averaged(benchmarks, counts, scale)
    tree = tree_of(means)
    zero = chosen.missing == "zero"
    rows = [row for one in everyone if (row := _row(snapshot, one, benchmarks, tree, zero)) is not None]
    columns = _columns(benchmarks, means, tree, rows, scale, counts)
    ranks = _ranks(_sorted(rows, AVERAGE, False))
    key = chosen.domain, scale, zero, chosen.region
    between = remembered(
        snapshot, key, lambda: rank_intervals(snapshot, list(ranks), means, tree, zero) if ranks else {}
    )
    rows = [row for row in rows if _fits(row.model, chosen)]
    rows = _sorted(rows, _sort_key(chosen, columns), _ascending(chosen, columns))
    n_pages = max(math.ceil(len(rows) / page_size), 1)
    start = (min(chosen.page, n_pages) - 1) * page_size
    held = list(ranks.values())
    shown = [
        replace(
            row,
            rank=ranks.get(row.model.id),
            tied=held.count(ranks.get(row.model.id, 0)) > 1,
            between=between.get(row.model.id),
        )
        for row in rows[start : start + page_size]
    ]
    families = sorted({one.family for one in everyone if one.family})
    return Table(
        chosen,
        columns,
        shown,
        len(rows),
        n_pages,
        len(means),
        families,
        regions,
        scales,
        scale,
        len(everyone),
    )


def _counts(
    snapshot: Snapshot, models: Sequence[ModelEntry], benchmarks: Sequence[BenchmarkEntry]
) -> dict[str, int]:
    """Of each benchmark, how many models have a score that counts."""
    ids, found = {one.id for one in models}, dict.fromkeys((one.identifier for one in benchmarks), 0)
    names = {one.id: one.identifier for one in benchmarks}
    for (model, benchmark), score in snapshot.scores.items():
        if benchmark in names and model in ids and score.ranked and score.value is not None:
            found[names[benchmark]] += 1
    return found


def _row(
    snapshot: Snapshot, model: ModelEntry, benchmarks: Sequence[BenchmarkEntry], tree: Node, zero: bool
) -> Row | None:
    found = {one.identifier: snapshot.scores.get((model.id, one.id)) for one in benchmarks}
    scores = {name: score for name, score in found.items() if score is not None}
    if not scores:
        return None
    values: dict[str, float | None] = {name: score.value for name, score in scores.items()}
    counting = {
        name: score.value
        for name, score in scores.items()
        if score.ranked and score.value is not None and math.isfinite(score.value)
    }
    means: dict[str, float | None] = {}
    values[AVERAGE] = tree.mean(counting, zero, means)
    values |= {f"region:{name}": value for name, value in means.items()}
    n_scored = sum(name in counting for node in tree.nodes() for name in node.benchmarks)
    return Row(None, model, values, scores, n_scored)


def _columns(
    benchmarks: Sequence[BenchmarkEntry],
    means: Sequence[BenchmarkEntry],
    tree: Node,
    rows: Sequence[Row],
    scale: str,
    counts: Mapping[str, int],
) -> list[Column]:
    """The average, its regions and benchmarks; then those of other scales, undeclared, simulated and others."""

    def of(one: BenchmarkEntry, group: str) -> Column:
        key = one.identifier
        n = counts[key] if one.declared else sum(key in row.scores for row in rows)
        return Column(key, key, group, one, *_range(rows, key), n, one in means)

    def mean(node: Node, group: str) -> Column:
        key = f"region:{node.name}"
        label = "mean" if node.name == group else f"{node.name} mean"
        return Column(key, label, group, None, *_range(rows, key))

    columns = [Column(AVERAGE, "average", "", None, *_range(rows, AVERAGE))] if means else []
    inside = [one for one in benchmarks if one.ranked and one.scale == scale]
    for group in dict.fromkeys(one.group for one in inside):
        nodes = [node for part in tree.parts if part.name == group for node in part.nodes()]
        columns += [mean(node, group) for node in nodes if len(node.benchmarks) + len(node.parts) > 1]
        columns += [of(one, group) for one in inside if one.group == group]
    others = [one for one in benchmarks if one not in inside]
    columns += [of(one, one.scale if one.ranked else one.group) for one in _by_scale(others)]
    return columns


def _by_scale(benchmarks: Sequence[BenchmarkEntry]) -> list[BenchmarkEntry]:
    return sorted(benchmarks, key=lambda one: (not one.ranked, one.scale if one.ranked else ""))


def _range(rows: Sequence[Row], key: str) -> tuple[float, float]:
    values = [row.counted(key) for row in rows]
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
        value = row.model.parameters if key == "parameters" else row.counted(key)
        if value is None or not math.isfinite(value):
            return True, 0.0, row.model.name.lower()
        return False, sign * value, row.model.name.lower()

    return sorted(rows, key=place)
