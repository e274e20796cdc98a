"""What pages ask the board beside its snapshot: layer curves, histories, somebody's submissions."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ...results.record import COLUMNS
from ..submission.errors import Refused
from .models import CURRENT, DeclarationRow, EventRow, LayerRow, ScoreRow, SubmissionRow
from .models import database_models as brainscore


@dataclass(frozen=True)
class Event:
    """A line of a model's history."""

    at: datetime
    score: int
    benchmark: str
    value: float | None
    state: str
    reason: str


def declaration_of_instance(instance: int) -> DeclarationRow | None:
    """What was declared of a version of a benchmark. Reads the board."""
    found: DeclarationRow | None = DeclarationRow.get_or_none(
        DeclarationRow.instance == instance, DeclarationRow.state == CURRENT
    )
    return found


def layers_of(score: int) -> list[tuple[str, float | None]]:
    """The layer curve of a score. Reads the board."""
    query = LayerRow.select(LayerRow.layer, LayerRow.value).where(LayerRow.score == score)
    return list(query.order_by(LayerRow.position).tuples())


def history_of(model: int) -> list[Event]:
    """What became of a model's scores, newest first. Reads the board."""
    score, instance = brainscore.Score, brainscore.BenchmarkInstance
    query = (
        EventRow.select(
            EventRow.at, score.id, instance.benchmark, ScoreRow.value, EventRow.state, EventRow.reason
        )
        .join(score, on=(EventRow.score == score.id))
        .join(ScoreRow, on=(ScoreRow.score == score.id))
        .switch(score)
        .join(instance, on=(score.benchmark == instance.id))
        .where(score.model == model)
        .order_by(EventRow.id.desc())
        .limit(200)
        .tuples()
    )
    return [Event(*row) for row in query]


def score_of(number: int) -> dict[str, Any]:
    """A score in whatever state: what it stands on, its history. Reads the board.

    Raises
    ------
    Refused
        404 for one that is not there.
    """
    row = ScoreRow.get_or_none(ScoreRow.score == number)
    if row is None:
        raise Refused(f"there is no score {number}", 404)
    score = row.score
    return {
        "id": number,
        **{name: row.shown.get(name) for name in COLUMNS},
        "model": score.model.name,
        "benchmark": score.benchmark.benchmark_type_id,
        "version": score.benchmark.version,
        "state": row.state,
        "marks": row.marks,
        "score": row.value,
        "provenance": row.provenance,
        "layers": [{"layer": layer, "value": value} for layer, value in layers_of(number)],
        "submission": row.submission_id,
        "history": [
            {"time": f"{one.at:%Y-%m-%dT%H:%M:%SZ}", "state": one.state, "reason": one.reason}
            for one in history_of(score.model_id)
            if one.score == number
        ],
    }


def submissions_of(who: int) -> list[dict[str, Any]]:
    """What somebody submitted, newest first. Reads the board."""
    query = (
        SubmissionRow.select(SubmissionRow, brainscore.Submission)
        .join(brainscore.Submission)
        .where(brainscore.Submission.submitter == who)
        .order_by(brainscore.Submission.id.desc())
        .limit(200)
    )
    return [
        {
            "id": one.submission_id,
            "at": one.submission.timestamp,
            "title": one.title,
            "digest": one.digest,
            "n_current": ScoreRow.select()
            .where(ScoreRow.submission == one.submission_id, ScoreRow.state == CURRENT)
            .count(),
        }
        for one in query
    ]
