"""All that counts on a board, in memory: read once for every revision, asked by every page."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from typing import Any

from peewee import JOIN, fn

from ...results.card import Card
from ...results.record import COLUMNS
from .draws import SMALL, arrays_of_draws
from .evidence import HELD, UNFIT
from .models import (
    CURRENT,
    BenchmarkRow,
    CeilingRow,
    DeclarationRow,
    LayoutRow,
    ModelRow,
    ReproductionRow,
    ScoreRow,
)
from .models import database_models as brainscore
from .regions import place_of

NO_REGION = "other"
UNDECLARED = "undeclared"
_OF_BRAINSCORE = (
    "identifier", "domain", "family", "architecture", "parameters", "n_layers", "training_data", "notes",
)  # fmt: skip
"""Of a card, what Brain-Score's tables have a column for."""


class ModelEntry(Card):
    """A model with its card."""

    id: int
    slug: str
    owner: str

    @property
    def name(self) -> str:
        """Its name."""
        return self.identifier


@dataclass(frozen=True)
class BenchmarkEntry:
    """A version of a benchmark."""

    id: int
    identifier: str
    version: int
    slug: str
    domain: str
    kind: str
    dataset: str
    region: str
    metric: str
    description: str
    unit: str
    lower_is_better: bool
    simulated: bool
    license: str
    citation: str
    ceiling: float | None
    ceiling_kind: str
    ceiling_lower: float | None
    ceiling_upper: float | None
    data_digest: str
    declared: bool = False
    scale: str = ""
    place: tuple[str, ...] = ()
    n_stimuli: int = 0
    newest: bool = False

    @property
    def brain(self) -> bool:
        """Whether it compares with a real brain or with behaviour."""
        return self.kind != "engineering" and not self.simulated

    @property
    def ranked(self) -> bool:
        """Whether models have ranks by it: a brain, and declared by whoever runs the board."""
        return self.brain and self.declared

    @property
    def group(self) -> str:
        """Above its column: the largest region, or what it is where it is no brain, or not declared."""
        if self.brain:
            return self.place[0] if self.declared else UNDECLARED
        return "simulated data" if self.simulated else self.kind


@dataclass(frozen=True)
class Reproduction:
    """What somebody else found, who computed a score again."""

    who: str
    at: datetime
    value: float
    agrees: bool


@dataclass(frozen=True)
class ScoreEntry:
    """A score that counts; what its record says has a name of its own each: ``raw``, ``low``, ``p``, ``layer``, ..."""

    id: int
    model: int
    benchmark: int
    submission: int
    value: float | None
    error: float | None
    at: datetime | None
    shown: Mapping[str, Any] = field(repr=False)
    marks: Mapping[str, str] = field(default_factory=dict)
    reproduced: tuple["Reproduction", ...] = ()

    @property
    def ranked(self) -> bool:
        """Whether it counts in averages and ranks."""
        return HELD not in self.marks and UNFIT not in self.marks

    @property
    def agreed(self) -> bool:
        """Whether somebody else computed the same."""
        return any(one.agrees for one in self.reproduced)

    def __getattr__(self, name: str) -> Any:
        if name not in COLUMNS:
            raise AttributeError(name)
        return self.shown.get(name)


@dataclass(frozen=True)
class LayoutEntry:
    """A layer's layout."""

    model: int
    layer: str
    morans_i: float | None
    morans_i_null: float | None
    participation_ratio: float | None
    corrected: float | None
    n_units: int
    n_samples: int
    report: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True)
class Snapshot:
    """A board as it stood at one revision.

    Attributes
    ----------
    revision : int
    models : mapping of int to ModelEntry
    benchmarks : mapping of int to BenchmarkEntry
        Every version; ``newest`` says which ones are columns.
    scores : mapping of (int, int) to ScoreEntry
        By model and benchmark.
    layouts : mapping of int to list of LayoutEntry
        By model.
    draws : mapping of int to mapping
        By score: what its interval was made of, without the neuroids' part.
    memory : dict
        What was computed of this very state.
    """

    revision: int
    models: dict[int, ModelEntry]
    benchmarks: dict[int, BenchmarkEntry]
    scores: dict[tuple[int, int], ScoreEntry]
    layouts: dict[int, list[LayoutEntry]]
    draws: dict[int, dict[str, Any]] = field(default_factory=dict, repr=False)
    memory: dict[Any, Any] = field(default_factory=dict, repr=False)

    @property
    def domains(self) -> list[str]:
        """Those that have scores."""
        found = {self.models[model].domain for model, _ in self.scores}
        return sorted(found, key=lambda name: (name != "vision", name)) or ["vision"]

    def columns(self, domain: str) -> list[BenchmarkEntry]:
        """A domain's benchmarks in their newest version, where they have scores: brain first, by region."""
        scored = {benchmark for _, benchmark in self.scores}
        found = [
            one
            for one in self.benchmarks.values()
            if one.domain == domain and one.newest and one.id in scored
        ]
        order = {"neural": 0, "behavior": 1, "engineering": 2}
        return sorted(
            found,
            key=lambda one: (
                one.simulated, order.get(one.kind, 3), not one.declared, one.place, one.identifier
            ),
        )  # fmt: skip

    def model(self, slug: str) -> ModelEntry | None:
        """The model of an address."""
        return next((one for one in self.models.values() if one.slug == slug), None)

    def versions(self, slug: str) -> list[BenchmarkEntry]:
        """The versions of a benchmark, newest first."""
        found = [one for one in self.benchmarks.values() if one.slug == slug]
        return sorted(found, key=lambda one: -one.version)

    def scores_of(self, model: int) -> Iterator[tuple[BenchmarkEntry, ScoreEntry]]:
        """A model's scores, newest versions first."""
        found = [(self.benchmarks[key[1]], one) for key, one in self.scores.items() if key[0] == model]
        yield from sorted(
            found, key=lambda pair: (not pair[0].brain, pair[0].region, pair[0].identifier, -pair[0].version)
        )


def read_snapshot(revision: int, earlier: Snapshot | None = None) -> Snapshot:
    """Read all that counts; within one transaction. Draws never change, and are taken from an earlier state."""
    scores = _scores()
    known = {} if earlier is None else earlier.draws
    ids = {one.id for one in scores.values()}
    draws = {key: known[key] for key in ids & known.keys()}
    fresh = ids - (set() if earlier is None else {one.id for one in earlier.scores.values()})
    draws |= arrays_of_draws(fresh, SMALL)
    return Snapshot(revision, _models(), _benchmarks(), scores, _layouts(), draws)


def _models() -> dict[int, ModelEntry]:
    model, meta, user = brainscore.Model, brainscore.ModelMeta, brainscore.User
    query = (
        model.select(
            ModelRow.card, model.id, ModelRow.slug, user.email, model.name, model.domain, meta.model_family,
            meta.architecture, meta.total_parameter_count, meta.total_layers, meta.training_dataset, meta.extra_notes,
        )
        .join(ModelRow, on=(ModelRow.model == model.id))
        .switch(model)
        .join(user, on=(model.owner == user.id))
        .switch(model)
        .join(meta, JOIN.LEFT_OUTER, on=(meta.model == model.id))
        .where(model.public)
        .tuples()
    )  # fmt: skip
    found = {}
    for card, key, slug, owner, *ours in query.iterator():
        known = {name: value for name, value in zip(_OF_BRAINSCORE, ours, strict=True) if value is not None}
        # as it is: what was submitted was checked then, and what Brain-Score wrote is shown as it stands
        found[key] = ModelEntry.model_construct(
            id=key,
            slug=slug,
            owner=owner or "",
            **known | {k: v for k, v in card.items() if v not in (None, "")},
        )
    return found


def _benchmarks() -> dict[int, BenchmarkEntry]:
    instance, kind = brainscore.BenchmarkInstance, brainscore.BenchmarkType
    query = (
        instance.select(
            instance.id, kind.identifier, fn.COALESCE(instance.version, 0), BenchmarkRow.slug, kind.domain,
            BenchmarkRow.kind, BenchmarkRow.dataset, fn.COALESCE(fn.NULLIF(BenchmarkRow.region, ""), NO_REGION),
            BenchmarkRow.metric, BenchmarkRow.description, BenchmarkRow.unit, BenchmarkRow.lower_is_better,
            BenchmarkRow.simulated, BenchmarkRow.license, BenchmarkRow.citation, instance.ceiling,
            fn.COALESCE(CeilingRow.kind, "none"), CeilingRow.lower, CeilingRow.upper,
            fn.COALESCE(CeilingRow.data_digest, ""), DeclarationRow.card,
        )
        .join(kind, on=(instance.benchmark == kind.identifier))
        .join(BenchmarkRow, on=(BenchmarkRow.benchmark == kind.identifier))
        .switch(instance)
        .join(CeilingRow, JOIN.LEFT_OUTER, on=(CeilingRow.instance == instance.id))
        .switch(instance)
        .join(
            DeclarationRow,
            JOIN.LEFT_OUTER,
            on=((DeclarationRow.instance == instance.id) & (DeclarationRow.state == CURRENT)),
        )
        .tuples()
    )  # fmt: skip
    entries = [_benchmark(*row) for row in query]
    newest: dict[str, int] = {}
    for one in entries:
        newest[one.identifier] = max(newest.get(one.identifier, 0), one.version)
    return {one.id: replace(one, newest=one.version == newest[one.identifier]) for one in entries}


def _benchmark(*row: Any) -> BenchmarkEntry:
    *columns, card = row
    one, said = BenchmarkEntry(*columns), card or {}
    place = said.get("place") or place_of(one.domain, one.region)
    return replace(
        one,
        declared=bool(said),
        scale=said.get("scale", ""),
        place=tuple(place),
        n_stimuli=said.get("n_stimuli", 0),
    )


def _scores() -> dict[tuple[int, int], ScoreEntry]:
    score = brainscore.Score
    query = (
        ScoreRow.select(
            score.id, score.model, score.benchmark, ScoreRow.submission, ScoreRow.value, ScoreRow.error,
            score.end_timestamp, ScoreRow.shown, ScoreRow.marks,
        )
        .join(score, on=(ScoreRow.score == score.id))
        .where(ScoreRow.state == CURRENT)
        .tuples()
    )  # fmt: skip
    again = _reproductions()
    entries = {(row[1], row[2]): ScoreEntry(*row) for row in query.iterator()}
    return entries | {
        key: replace(one, reproduced=again[one.id]) for key, one in entries.items() if one.id in again
    }


def _reproductions() -> dict[int, tuple[Reproduction, ...]]:
    row, found = ReproductionRow, dict[int, tuple[Reproduction, ...]]()
    query = row.select(row.score, brainscore.User.email, row.at, row.value, row.agrees).join(brainscore.User)
    for score, *said in query.order_by(row.id).tuples():
        found[score] = (*found.get(score, ()), Reproduction(*said))
    return found


def _layouts() -> dict[int, list[LayoutEntry]]:
    query = LayoutRow.select(*(getattr(LayoutRow, one.name) for one in fields(LayoutEntry)))
    found: dict[int, list[LayoutEntry]] = {}
    for row in query.where(LayoutRow.state == CURRENT).order_by(LayoutRow.layer).tuples():
        found.setdefault(row[0], []).append(LayoutEntry(*row))
    return found
