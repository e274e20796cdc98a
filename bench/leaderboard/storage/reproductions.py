"""Scores that somebody else computed again, attached to the first."""

import math

from ..submission.errors import Refused
from ..submission.schema import Submission
from .accounts import Person, audit
from .declaration import current
from .evidence import check_declared
from .migrations import now
from .models import CURRENT, EventRow, ReproductionRow, ScoreRow
from .models import database_models as brainscore
from .validation import check_score

AGREES = 1e-3
"""Difference of scores up to which one reproduces another."""


def attach(number: int, submission: Submission, document: str, who: Person) -> bool:
    """Attach the one score of a submission to another, within a change of the board; whether they agree.

    Raises
    ------
    Refused
        For one's own score, or one of other weights, recordings, layers or seeds.
    """
    row = ScoreRow.get_or_none(ScoreRow.score == number)
    if row is None:
        raise Refused(f"there is no score {number}", 404)
    if row.state != CURRENT:
        raise Refused(f"score {number} is {row.state}: it is not reproduced any more", 409)
    score, [one, *more] = row.score, submission.scores
    if more or submission.layouts:
        raise Refused("a reproduction is a submission of one score")
    first = brainscore.Submission.get_by_id(row.submission_id)
    if who.id in (first.submitter_id, score.model.owner_id):
        raise Refused("somebody else reproduces a score: this one is your own", 403)
    same = {
        "model": (one.model, score.model.name),
        "benchmark": (one.benchmark, score.benchmark.benchmark_type_id),
        "version": (one.benchmark_version, score.benchmark.version),
        "digest of the weights": (one.model_digest, row.shown.get("model_digest")),
        "digest of the recordings": (one.data_digest, row.shown.get("data_digest")),
        "seed": (one.seed, row.shown.get("seed")),
    }
    for name, (said, known) in same.items():
        if said != known:
            raise Refused(
                f"the {name} is {str(known)[:80]!r}, and not {str(said)[:80]!r}: that is another score", 409
            )
    check_score(one)
    declared = current(score.benchmark)
    if declared is not None:
        check_declared(one, *declared)
    agrees = math.isclose(one.score, row.value, rel_tol=0, abs_tol=AGREES)
    ReproductionRow.delete().where(ReproductionRow.score == number, ReproductionRow.user == who.id).execute()
    ReproductionRow.create(
        score=number, user=who.id, at=now(), value=one.score, agrees=agrees, document=document
    )
    state, reason = ("reproduced" if agrees else "differs"), f"by {who.name}: {one.score:.4f}"
    EventRow.create(score=number, at=now(), user=who.id, state=state, reason=reason)
    audit(who, "score reproduced" if agrees else "score not reproduced", number, reason)
    return agrees
