"""What pages ask the board beside its snapshot: layer curves, histories, somebody's submissions."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from .models import CURRENT, EventRow, LayerRow, ScoreRow, SubmissionRow
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
