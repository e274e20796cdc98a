"""The rows that a submission becomes."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from ....files import file_name
from ...results.card import Card
from ...results.record import cells
from ..submission.errors import Refused
from ..submission.schema import Layout, SubmittedScore
from .accounts import Person
from .migrations import now
from .models import (
    CURRENT,
    SUPERSEDED,
    BenchmarkRow,
    CeilingRow,
    EventRow,
    LayerRow,
    LayoutRow,
    ModelRow,
    ScoreRow,
)
from .models import database_models as brainscore
from .validation import check_ceiling, check_score

_SHORT = 100  # Brain-Score's columns of a model's card
_ELSEWHERE = {"layers", "raw_values", "ceiling_values"}


def add_model(card: Card, entry: brainscore.Submission, who: Person) -> brainscore.Model:
    """The model of a card: new, or its owner's with the card renewed.

    Raises
    ------
    Refused
        Where the name belongs to somebody else, or to another domain.
    """
    model = brainscore.Model.get_or_none(brainscore.Model.name == card.identifier)
    if model is None:
        model = brainscore.Model.create(
            name=card.identifier, owner=who.id, submission=entry, domain=card.domain, public=True
        )
        ModelRow.create(model=model, slug=_slug(ModelRow, card.identifier))
    elif model.owner_id != who.id:
        raise Refused(
            f"the name {card.identifier!r} belongs to another submitter: give your model another name "
            "(brodmann submit --rename OLD=NEW)",
            403,
        )
    elif model.domain != card.domain:
        raise Refused(f"{card.identifier!r} is a {model.domain} model here, not {card.domain}", 409)
    _write_card(model, card)
    return model


def _write_card(model: brainscore.Model, card: Card) -> None:
    meta = {
        "architecture": card.architecture[:_SHORT] or None,
        "model_family": card.family[:_SHORT] or None,
        "total_parameter_count": card.parameters,
        "total_layers": card.n_layers,
        "training_dataset": card.training_data[:_SHORT] or None,
        "extra_notes": card.notes[:1000] or None,
    }
    if brainscore.ModelMeta.get_or_none(brainscore.ModelMeta.model == model) is None:
        brainscore.ModelMeta.create(model=model, **meta)
    else:
        brainscore.ModelMeta.update(**meta).where(brainscore.ModelMeta.model == model).execute()
    ModelRow.update(card=card.model_dump()).where(ModelRow.model == model).execute()


def instance_of(one: SubmittedScore, who: Person) -> brainscore.BenchmarkInstance:
    """The version of the benchmark that a score belongs to, checked.

    Raises
    ------
    Refused
        Where the score does not fit it.
    """
    card = check_score(one)
    kind = brainscore.BenchmarkType.get_or_none(brainscore.BenchmarkType.identifier == one.benchmark)
    if kind is None:
        kind = benchmark_type(
            one.benchmark,
            domain=one.domain,
            region=one.region,
            owner=who.id,
            dataset=one.dataset,
            metric=one.metric,
            description=card.description if card else "",
            simulated=one.simulated,
            license=one.data_license,
            citation=one.bibtex,
        )
    instance = brainscore.BenchmarkInstance.get_or_none(
        brainscore.BenchmarkInstance.benchmark == kind,
        brainscore.BenchmarkInstance.version == one.benchmark_version,
    )
    if instance is None:
        instance = brainscore.BenchmarkInstance.create(
            benchmark=kind, version=one.benchmark_version, ceiling=one.ceiling
        )
        CeilingRow.create(
            instance=instance,
            kind=one.ceiling_kind,
            lower=one.ceiling_lower,
            upper=one.ceiling_upper,
            data_digest=one.data_digest,
        )
    else:
        check_ceiling(one, instance)
    return instance


def benchmark_type(
    identifier: str, *, domain: str, region: str, owner: int, root: str = "", **known: Any
) -> brainscore.BenchmarkType:
    """A benchmark in the tree average - region - benchmark; its parents come first, as Brain-Score's tree needs."""
    top = _node(root or average_of(domain), None, domain, owner)
    parent = _node(region_of(domain, region), top, domain, owner) if region else top
    made = brainscore.BenchmarkType.create(
        identifier=identifier, parent=parent, order=999, visible=True, domain=domain, owner=owner
    )
    BenchmarkRow.create(
        benchmark=made,
        slug=_slug(BenchmarkRow, identifier),
        region=region,
        kind=known.pop("kind", "neural"),
        dataset=known.pop("dataset", identifier),
        metric=known.pop("metric", ""),
        **known,
    )
    return made


def _node(identifier: str, parent: Any, domain: str, owner: int) -> brainscore.BenchmarkType:
    found, _ = brainscore.BenchmarkType.get_or_create(
        identifier=identifier,
        defaults={"parent": parent, "order": 0, "visible": True, "domain": domain, "owner": owner},
    )
    return found


def add_score(
    one: SubmittedScore,
    model: brainscore.Model,
    instance: brainscore.BenchmarkInstance,
    entry: brainscore.Submission,
    who: Person,
) -> str:
    """Add a score, as ``new`` or in place of an earlier one (``replaced``); ``known`` where it is here already."""
    counting = current_score(model, instance)
    if counting is not None and counting.key == one.key and _same_value(counting, one):
        return "known"
    low, high = one.ci
    error = None if low is None or high is None else (high - low) / (2 * 1.96)
    said = one.model_dump(exclude=_ELSEWHERE)
    theirs = {
        "benchmark": instance,
        "model": model,
        "score_raw": one.raw,
        "score_ceiled": None if one.ceiling is None else one.score,  # as Brain-Score stores it
        "error": error,
        "comment": f"layers: {{'{one.region}': '{one.layer}'}}"[:1000],
    }
    ours = {
        "submission": entry,
        "key": one.key,
        "value": one.score,
        "error": error,
        "shown": cells(said),
        "provenance": {name: value for name, value in said.items() if isinstance(value, dict)},
    }
    return enter(theirs, ours, [(layer, value, None) for layer, value in one.layers.items()], who)


def enter(
    theirs: Mapping[str, Any],
    ours: Mapping[str, Any],
    layers: Sequence[tuple[str, float | None, float | None]],
    who: Person,
    reason: str = "",
) -> str:
    """A score in Brain-Score's table, in ours, and its layer curve; ``new``, or ``replaced`` an earlier one."""
    earlier = current_score(theirs["model"], theirs["benchmark"])
    made = brainscore.Score.create(**theirs, start_timestamp=now(), end_timestamp=now())
    added = ScoreRow.create(score=made, **ours)
    rows = [
        {"score": made, "position": position, "layer": layer, "value": value, "error": error}
        for position, (layer, value, error) in enumerate(layers)
    ]
    for start in range(0, len(rows), 100):
        LayerRow.insert_many(rows[start : start + 100]).execute()
    if earlier is not None:
        set_state(earlier, SUPERSEDED, who, f"by score {made.id}")
    _note(added, CURRENT, who, reason)
    return "new" if earlier is None else "replaced"


def current_score(model: brainscore.Model, instance: brainscore.BenchmarkInstance) -> ScoreRow | None:
    """The score of a model on a version of a benchmark that counts."""
    found: ScoreRow | None = (
        ScoreRow.select(ScoreRow, brainscore.Score)
        .join(brainscore.Score)
        .where(
            brainscore.Score.model == model,
            brainscore.Score.benchmark == instance,
            ScoreRow.state == CURRENT,
        )
        .first()
    )
    return found


def add_layout(one: Layout, model: brainscore.Model, entry: brainscore.Submission) -> None:
    """A layer's layout; an earlier one of the same layer and stimuli becomes history."""
    earlier = LayoutRow.select().where(
        LayoutRow.model == model, LayoutRow.layer == one.layer, LayoutRow.state == CURRENT
    )
    for row in earlier:
        if row.report.get("stimuli", "") == one.stimuli:
            LayoutRow.update(state=SUPERSEDED).where(LayoutRow.id == row.id).execute()
    values = [found.morans_i for found in one.clustering]
    nulls = [found.null_mean for found in one.clustering]
    LayoutRow.create(
        model=model,
        submission=entry,
        layer=one.layer,
        morans_i=sum(values) / len(values) if values else None,
        morans_i_null=sum(nulls) / len(nulls) if nulls else None,
        participation_ratio=one.participation_ratio,
        corrected=one.corrected,
        n_units=one.n_units,
        n_samples=one.n_samples,
        report=one.model_dump(),
    )


def set_state(row: ScoreRow, state: str, who: Person, reason: str) -> None:
    """Take a score out of the count, for Brain-Score's tools too, and keep that in its history."""
    ScoreRow.update(state=state).where(ScoreRow.score == row.score_id).execute()
    brainscore.Score.update(
        score_raw=None, score_ceiled=None, error=None, comment=f"{state} {reason}"[:1000]
    ).where(brainscore.Score.id == row.score_id).execute()
    _note(row, state, who, reason)


def _note(row: ScoreRow, state: str, who: Person, reason: str) -> None:
    EventRow.create(score=row.score_id, at=now(), user=who.id, state=state, reason=reason[:300])


def _same_value(row: ScoreRow, one: SubmittedScore) -> bool:
    return bool(row.value == one.score and row.shown.get("raw") == one.raw)


def _slug(table: Any, name: str) -> str:
    start = free_slug(name, ())
    taken = {row.slug for row in table.select(table.slug).where(table.slug.startswith(start))}
    return free_slug(name, taken)


def free_slug(name: str, taken: Collection[str]) -> str:
    """A name as part of an address, in small letters, unlike all that are taken; a set of those gets it, too."""
    base = file_name(name).lower()[:100] or "unnamed"
    slug, n = base, 1
    while slug in taken:
        n += 1
        slug = f"{base}-{n}"
    if isinstance(taken, set):
        taken.add(slug)
    return slug


def average_of(domain: str) -> str:
    """The root of a domain's benchmarks."""
    return f"average_{domain}"


def engineering_of(domain: str) -> str:
    """The root of what is no comparison with a brain."""
    return f"engineering_{domain}"


def region_of(domain: str, region: str) -> str:
    """The node between the root and a region's benchmarks."""
    return f"{domain}.{region}"
