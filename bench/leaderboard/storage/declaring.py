"""Declarations as rows: made, replaced, and every score of the version held against the newest."""

import json
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from ..submission.errors import Refused
from ..submission.schema import SubmittedScore
from . import repository
from .accounts import Person, audit
from .declaration import Arrays, Declaration
from .declaration import current as current_declaration
from .evidence import ACCEPTED, HELD, UNFIT, check_declared
from .migrations import now
from .models import CURRENT, SUPERSEDED, BenchmarkRow, CeilingRow, DeclarationRow, ScoreRow, SubmissionRow
from .models import database_models as brainscore


@dataclass(frozen=True)
class Declared:
    """What became of a declaration.

    Attributes
    ----------
    new : bool
        False where the very same was declared before.
    fit, unfit : int
        Scores that the version held already: with a rank from now on, or shown without one.
    """

    new: bool
    fit: int = 0
    unfit: int = 0


def declare(
    declared: Declaration, arrays: Arrays, who: Person, *, reason: str = "", again: bool = False
) -> Declared:
    """Declare a version of a benchmark, within a change of the board.

    Raises
    ------
    Refused
        403 for who is no staff; 409 where something else was declared before, unless `again`.
    """
    only_staff(who)
    instance = _instance(declared, who)
    before = current_declaration(instance)
    if before is not None and before[0] == declared and dict(before[1]) == dict(arrays):
        return Declared(False)
    if before is not None and not again:
        raise Refused(
            f"{declared.benchmark} version {declared.version} was declared before, and its "
            f"{_first_difference(before[0], declared)}: replace it with brodmann leaderboard amend declare",
            409,
        )
    _write(declared, arrays, instance, who, reason)
    counted = [_hold(row, declared, arrays, who) for row in _rows(instance)]
    action = "declared" if before is None else "declared again"
    audit(who, action, f"{declared.benchmark} version {declared.version}", reason)
    return Declared(True, sum(counted), len(counted) - sum(counted))


def only_staff(who: Person) -> None:
    """Refuse everybody else."""
    if not who.staff:
        raise Refused("only who runs this board can do that", 403)


def _instance(declared: Declaration, who: Person) -> Any:
    kind = brainscore.BenchmarkType.get_or_none(brainscore.BenchmarkType.identifier == declared.benchmark)
    if kind is None:
        kind = repository.benchmark_type(
            declared.benchmark, domain=declared.domain, place=declared.place, owner=who.id
        )
    instance, _ = brainscore.BenchmarkInstance.get_or_create(
        benchmark=kind, version=declared.version, defaults={"ceiling": declared.ceiling}
    )
    return instance


def _write(declared: Declaration, arrays: Arrays, instance: Any, who: Person, reason: str) -> None:
    """The declaration, and what pages and Brain-Score's tables say of the benchmark, whoever wrote that before."""
    DeclarationRow.update(state=SUPERSEDED).where(
        DeclarationRow.instance == instance, DeclarationRow.state == CURRENT
    ).execute()
    DeclarationRow.create(
        instance=instance,
        at=now(),
        user=who.id,
        reason=reason[:300],
        card=declared.model_dump(),
        arrays=arrays,
    )
    kinds, instances = brainscore.BenchmarkType, brainscore.BenchmarkInstance
    instances.update(ceiling=declared.ceiling).where(instances.id == instance.id).execute()
    parent = repository.place_node(declared.domain, declared.place, who.id)
    kinds.update(parent=parent, domain=declared.domain).where(
        kinds.identifier == declared.benchmark
    ).execute()
    BenchmarkRow.update(
        region=declared.region,
        dataset=declared.dataset,
        metric=declared.metric,
        simulated=declared.simulated,
        description=declared.description,
        license=declared.license,
        citation=declared.citation,
    ).where(BenchmarkRow.benchmark == declared.benchmark).execute()
    known = {
        "kind": declared.ceiling_kind,
        "lower": declared.ceiling_lower,
        "upper": declared.ceiling_upper,
        "data_digest": declared.data_digest,
    }
    if not CeilingRow.update(**known).where(CeilingRow.instance == instance).execute():
        CeilingRow.create(instance=instance, **known)


def _rows(instance: Any) -> list[ScoreRow]:
    return list(
        ScoreRow.select(ScoreRow, brainscore.Score)
        .join(brainscore.Score)
        .where(brainscore.Score.benchmark == instance, ScoreRow.state == CURRENT)
    )


def _hold(row: ScoreRow, declared: Declaration, arrays: Arrays, who: Person) -> bool:
    """Mark a score that was there before the declaration; whether it fits."""
    try:
        sent = submitted(row)
        if sent is None:
            raise Refused("what it was submitted with is not at hand, so that nothing can be checked")
        found = check_declared(sent, declared, arrays)
    except Refused as refused:
        found = {UNFIT: str(refused)}
    kept = {name: why for name, why in row.marks.items() if name not in (HELD, UNFIT)}
    if ACCEPTED in kept:
        found.pop(HELD, None)
    repository.write_marks(row, kept | found, who)
    return UNFIT not in found


def submitted(row: ScoreRow) -> SubmittedScore | None:
    """A score as it was submitted; None for one that came otherwise."""
    entry = SubmissionRow.get_or_none(SubmissionRow.submission == row.submission_id)
    if entry is None or not row.key:
        return None
    score = row.score
    for one in json.loads(entry.document).get("scores", []):
        same = one["key"] == row.key and one["benchmark"] == score.benchmark.benchmark_type_id
        if same and one["benchmark_version"] == score.benchmark.version:
            try:
                return SubmittedScore.model_validate(one)
            except ValidationError:
                return None
    return None


def _first_difference(before: Declaration, after: Declaration) -> str:
    for name in Declaration.model_fields:
        old, new = getattr(before, name), getattr(after, name)
        if old != new:
            return f"{name.replace('_', ' ')} was {str(old)[:40]!r} and is {str(new)[:40]!r}"
    return "neuroids differ"
