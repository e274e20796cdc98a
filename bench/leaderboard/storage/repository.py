"""The rows that a submission becomes."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from ....brain_data.catalogue import dataset_card
from ....files import file_name
from ...results.card import Card
from ...results.record import cells
from ..submission.errors import Refused
from ..submission.schema import Draws, Layout, SubmittedScore
from .accounts import Person
from .declaration import current as current_declaration
from .draws import keep_draws
from .evidence import HELD, SAME, check_declared
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
    NameRow,
    ScoreRow,
)
from .models import database_models as brainscore
from .names import looks
from .regions import place_of
from .validation import check_score

_SHORT = 100  # Brain-Score's columns of a model's card
_ELSEWHERE = {"layers", "raw_values", "ceiling_values", "draws"}


def add_model(card: Card, entry: brainscore.Submission, who: Person) -> brainscore.Model:
    """The model of a card: new, or its owner's with the card renewed.

    Raises
    ------
    Refused
        Where the name, or one that looks like it, belongs to somebody else, or to another domain.
    """
    model = brainscore.Model.get_or_none(brainscore.Model.name == card.identifier)
    if model is None:
        check_name(card.identifier, who.id)
        model = brainscore.Model.create(
            name=card.identifier, owner=who.id, submission=entry, domain=card.domain, public=True
        )
        ModelRow.create(model=model, slug=_slug(ModelRow, card.identifier))
        own_name(card.identifier, model)
    elif model.owner_id != who.id:
        raise Refused(
            f"the name {card.identifier!r} belongs to another submitter: give your model another name "
            "(brodmann submit --rename OLD=NEW)",
            403,
        )
    elif not model.public:
        raise Refused(
            f"{card.identifier!r} became part of another model here: submit it under that name", 409
        )
    elif model.domain != card.domain:
        raise Refused(f"{card.identifier!r} is a {model.domain} model here, not {card.domain}", 409)
    write_card(model, card)
    return model


def check_name(name: str, owner: int, model: Any = None) -> None:
    """Refuse a name that a model of somebody else has, had, or has one that looks like it.

    A model may have the names that it had before; its owner may have several that look alike.
    """
    for known in (
        NameRow.select(NameRow, brainscore.Model).join(brainscore.Model).where(NameRow.looks == looks(name))
    ):
        if model is not None and known.model_id == model.id:
            continue
        if known.name == name:
            raise Refused(f"{name!r} is, or was, the name of {known.model.name!r}: choose another", 409)
        if known.model.owner_id != owner:
            raise Refused(
                f"the name {name!r} looks like {known.name!r}, which belongs to another submitter: give your model "
                "another name (brodmann submit --rename OLD=NEW)",
                403,
            )


def own_name(name: str, model: Any) -> None:
    """A name belongs to a model from now on."""
    if NameRow.get_or_none(NameRow.name == name) is None:
        NameRow.create(name=name, looks=looks(name), model=model)


def write_card(model: brainscore.Model, card: Card) -> None:
    """A model's card, in Brain-Score's table and in ours."""
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
    """The version of the benchmark that a score belongs to, checked by itself.

    Nothing that a submitter says of a benchmark is kept as the benchmark's.

    Raises
    ------
    Refused
        Where the score does not fit it.
    """
    card = check_score(one)
    kind = brainscore.BenchmarkType.get_or_none(brainscore.BenchmarkType.identifier == one.benchmark)
    if kind is None:
        data = dataset_card(one.dataset) if card else None
        kind = benchmark_type(
            one.benchmark,
            domain=one.domain,
            place=place_of(one.domain, one.region),
            owner=who.id,
            dataset=one.dataset,
            metric=one.metric,
            description=card.description if card else "",
            simulated=one.simulated,
            license=data.license if data else "",
            citation=data.bibtex if data else "",
        )
    instance, new = brainscore.BenchmarkInstance.get_or_create(benchmark=kind, version=one.benchmark_version)
    if new:
        CeilingRow.create(instance=instance, kind="none")
    return instance


def benchmark_type(
    identifier: str, *, domain: str, place: Sequence[str], owner: int, root: str = "", **known: Any
) -> brainscore.BenchmarkType:
    """A benchmark in the tree average - regions - benchmark; its parents come first, as Brain-Score's tree needs."""
    made = brainscore.BenchmarkType.create(
        identifier=identifier,
        parent=place_node(domain, place, owner, root),
        order=999,
        visible=True,
        domain=domain,
        owner=owner,
    )
    BenchmarkRow.create(
        benchmark=made,
        slug=_slug(BenchmarkRow, identifier),
        region=place[-1] if place else "",
        kind=known.pop("kind", "neural"),
        dataset=known.pop("dataset", identifier),
        metric=known.pop("metric", ""),
        **known,
    )
    return made


def place_node(domain: str, place: Sequence[str], owner: int, root: str = "") -> brainscore.BenchmarkType:
    """The node of the tree under which a region's benchmarks hang."""
    node = _node(root or average_of(domain), None, domain, owner)
    for region in place:
        node = _node(region_of(domain, region), node, domain, owner)
    return node


def _node(identifier: str, parent: Any, domain: str, owner: int) -> brainscore.BenchmarkType:
    kinds = brainscore.BenchmarkType
    found, new = kinds.get_or_create(
        identifier=identifier,
        defaults={"parent": parent, "order": 0, "visible": True, "domain": domain, "owner": owner},
    )
    if not new and parent is not None and found.parent_id != parent.identifier:
        kinds.update(parent=parent).where(kinds.identifier == identifier).execute()
    return found


def add_score(
    one: SubmittedScore,
    model: brainscore.Model,
    instance: brainscore.BenchmarkInstance,
    entry: brainscore.Submission,
    who: Person,
) -> str:
    """Add a score, as ``new`` or in place of an earlier one (``replaced``); ``known`` where it is here already."""
    declared = current_declaration(instance)
    marks = {} if declared is None else check_declared(one, *declared)
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
        "marks": marks | _same_record(one, model, instance),
    }
    layers = [(layer, value, None) for layer, value in one.layers.items()]
    return enter(theirs, ours, layers, who, draws=one.draws)


def _same_record(one: SubmittedScore, model: Any, instance: Any) -> dict[str, str]:
    """The mark of a record that another model has: held where that belongs to somebody else."""
    score = brainscore.Score
    others = (
        ScoreRow.select(ScoreRow, score, brainscore.Model)
        .join(score)
        .join(brainscore.Model)
        .where(score.benchmark == instance, score.model != model, ScoreRow.state == CURRENT)
        .where((ScoreRow.key == one.key) | (ScoreRow.value == one.score))
    )
    for other in others:
        if other.key == one.key or other.shown.get("raw") == one.raw:
            theirs = other.score.model
            mark = SAME if theirs.owner_id == model.owner_id else HELD
            return {mark: f"the record of {theirs.name} to the last digit, under another name"}
    return {}


def write_marks(row: ScoreRow, marks: Mapping[str, str], who: Person) -> None:
    """Change the marks of a score, and keep that in its history."""
    if dict(row.marks) == dict(marks):
        return
    ScoreRow.update(marks=dict(marks)).where(ScoreRow.score == row.score_id).execute()
    said = "; ".join(f"{name}: {why}" for name, why in marks.items())
    _note(row, "marked", who, said or "no marks")


def enter(
    theirs: Mapping[str, Any],
    ours: Mapping[str, Any],
    layers: Sequence[tuple[str, float | None, float | None]],
    who: Person,
    reason: str = "",
    *,
    draws: Draws | None = None,
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
    if draws is not None:
        keep_draws(made.id, draws)
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
