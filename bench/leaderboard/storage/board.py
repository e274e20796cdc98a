"""A leaderboard: submissions come in whole, are withdrawn or replaced, and nothing is forgotten."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import peewee

from ..submission.errors import Refused
from ..submission.schema import Submission
from . import accounts
from .accounts import Person, audit
from .migrations import now
from .models import CURRENT, LOCK, WITHDRAWN, LayoutRow, RevisionRow, ScoreRow, SubmissionRow
from .models import database_models as brainscore
from .repository import add_layout, add_model, add_score, instance_of, set_state
from .reproductions import attach

__all__ = ["Board", "Receipt", "Refused"]


@dataclass(frozen=True)
class Receipt:
    """What became of a submission.

    Attributes
    ----------
    submission : int
    digest : str
    duplicate : bool
        The very same submission was here before, and counts once.
    new, known, replaced : int
        Scores: added; already here and left alone; added in place of an earlier one, which becomes history.
    """

    submission: int
    digest: str
    duplicate: bool
    new: int
    known: int
    replaced: int


class Board:
    """A board that is open.

    Parameters
    ----------
    database : peewee.Database
        From :func:`~brodmann.bench.leaderboard.storage.database.open_board`.
    """

    def __init__(self, database: Any) -> None:
        self._transactions = Transactions(database)

    @contextmanager
    def reading(self) -> Iterator[None]:
        """One state of the board for several questions."""
        with self._transactions.reading():
            yield

    @contextmanager
    def change(self, *, shown: bool = True) -> Iterator[None]:
        """A change that is whole or did not happen; `shown` where pages show it."""
        with self._transactions.change(shown=shown):
            yield

    def revision(self) -> int:
        """Rises with every change."""
        with self._transactions.database.connection_context():
            return int(RevisionRow.select(RevisionRow.value).scalar())

    def submit(self, submission: Submission, document: str, who: Person) -> Receipt:
        """Take a submission, whole or not at all.

        Parameters
        ----------
        submission : Submission
        document : str
            The JSON that it was read from; kept as it came.
        who : Person

        Raises
        ------
        Refused
            Where a score does not fit its benchmark, or a model belongs to somebody else.
        """
        with self.change():
            known = (
                SubmissionRow.select()
                .where(SubmissionRow.digest == submission.digest)
                .order_by(SubmissionRow.attempt.desc())
                .first()
            )
            if known is not None and not self._is_withdrawn(known.submission_id):
                return self._duplicate(known, submission, who)
            return self._take(submission, 1 if known is None else known.attempt + 1, document, who)

    def withdraw(self, score: int, who: Person, reason: str = "") -> None:
        """Take a score back; it stays in the history.

        Raises
        ------
        Refused
            404 for a score that is not there, 403 for somebody else's, 409 for one that no longer counts.
        """
        with self.change():
            row = ScoreRow.get_or_none(ScoreRow.score == score)
            if row is None:
                raise Refused(f"there is no score {score}", 404)
            self._check_owner(row.submission, who)
            if row.state != CURRENT:
                raise Refused(f"score {score} is {row.state} already", 409)
            set_state(row, WITHDRAWN, who, reason)
            audit(who, "score withdrawn", score, reason)

    def withdraw_submission(self, submission: int, who: Person, reason: str = "") -> int:
        """Take back all of a submission that still counts; how many scores that were."""
        with self.change():
            found = brainscore.Submission.get_or_none(brainscore.Submission.id == submission)
            if found is None:
                raise Refused(f"there is no submission {submission}", 404)
            self._check_owner(found, who)
            rows = list(ScoreRow.select().where(ScoreRow.submission == submission, ScoreRow.state == CURRENT))
            if not rows:
                raise Refused(f"nothing of submission {submission} counts any more", 409)
            for row in rows:
                set_state(row, WITHDRAWN, who, reason)
            LayoutRow.update(state=WITHDRAWN).where(
                LayoutRow.submission == submission, LayoutRow.state == CURRENT
            ).execute()
            audit(who, "submission withdrawn", submission, reason)
            return len(rows)

    def reproduce(self, score: int, submission: Submission, document: str, who: Person) -> bool:
        """Attach a score that somebody else computed again; whether it agrees.

        Raises
        ------
        Refused
            404 for a score that is not there, 403 for one's own, 409 for what is of other weights, recordings or seeds.
        """
        with self.change():
            return attach(score, submission, document, who)

    def person(self, name: str, *, staff: bool = False) -> Person:
        """Somebody who submits, made where they are new."""
        with self.change(shown=False):
            return accounts.person(name, staff=staff)

    def _is_withdrawn(self, submission: int) -> bool:
        states = {
            row.state for row in ScoreRow.select(ScoreRow.state).where(ScoreRow.submission == submission)
        }
        return states == {WITHDRAWN}

    def _duplicate(self, known: SubmissionRow, submission: Submission, who: Person) -> Receipt:
        if known.submission.submitter_id != who.id:
            raise Refused("this very submission was made by somebody else before", 409)
        return Receipt(known.submission_id, submission.digest, True, 0, len(submission.scores), 0)

    def _take(self, submission: Submission, attempt: int, document: str, who: Person) -> Receipt:
        entry = brainscore.Submission.create(
            jenkins_id=0, submitter=who.id, timestamp=now(), model_type="brodmann", status="successful"
        )
        SubmissionRow.create(
            submission=entry,
            digest=submission.digest,
            attempt=attempt,
            title=submission.title,
            document=document,
        )
        models = {card.identifier: add_model(card, entry, who) for card in submission.models}
        counted = {"new": 0, "known": 0, "replaced": 0}
        for one in submission.scores:
            counted[add_score(one, models[one.model], instance_of(one, who), entry, who)] += 1
        for layout in submission.layouts:
            add_layout(layout, models[layout.model], entry)
        audit(who, "submitted", entry.id, f"digest {submission.digest[:16]}, {len(submission.scores)} scores")
        return Receipt(entry.id, submission.digest, False, **counted)

    def _check_owner(self, submission: brainscore.Submission, who: Person) -> None:
        if submission.submitter_id != who.id and not who.staff:
            raise Refused("it belongs to another submitter: only they can change it", 403)


class Transactions:
    """Changes of a board, one after the other: each is whole or did not happen."""

    def __init__(self, database: Any) -> None:
        self.database = database
        self._turn = threading.Lock()

    @contextmanager
    def change(self, *, shown: bool = True) -> Iterator[None]:
        """A transaction that no other change overlaps; the revision rises with what pages show."""
        with self._turn, self.database.connection_context():
            if isinstance(self.database, peewee.SqliteDatabase):
                with self.database.atomic("IMMEDIATE"):
                    yield
                    self._next_revision(shown)
                return
            with self.database.atomic():
                self.database.execute_sql("SELECT pg_advisory_xact_lock(%s)", (LOCK,))
                yield
                self._next_revision(shown)

    @contextmanager
    def reading(self) -> Iterator[None]:
        """One state of the board, whatever is written meanwhile."""
        with self.database.connection_context():
            if isinstance(self.database, peewee.SqliteDatabase):
                with self.database.atomic("DEFERRED"):
                    yield
                return
            with self.database.atomic(isolation_level="REPEATABLE READ"):
                yield

    def _next_revision(self, shown: bool) -> None:
        if shown:
            RevisionRow.update(value=RevisionRow.value + 1).execute()
