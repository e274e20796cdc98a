"""What whoever runs a board may change, each with its history: models, submitters, the standing of a score."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from ...results.card import Card
from ...results.field_types import IDENTIFIER, reasons
from ..submission.errors import Refused
from . import repository
from .accounts import Person, audit
from .board import Board
from .declaring import only_staff
from .evidence import ACCEPTED, HELD, UNFIT
from .models import CURRENT, SUPERSEDED, WITHDRAWN, LayoutRow, ModelRow, NameRow, ScoreRow, TokenRow
from .models import database_models as brainscore
from .names import looks


def rename(board: Board, old: str, new: str, who: Person, reason: str = "") -> None:
    """Give a model another name; the old one stays its own, so that nobody else takes it.

    Raises
    ------
    Refused
        For a model that is not there, or a name that another has or looks like.
    """
    import re

    with board.change():
        only_staff(who)
        model = _model(old)
        if not re.match(IDENTIFIER, new):
            raise Refused(f"{new[:80]!r} cannot be a name on a board")
        repository.check_name(new, model.owner_id, model)
        row = ModelRow.get(ModelRow.model == model)
        ModelRow.update(card={**row.card, "identifier": new}).where(ModelRow.model == model).execute()
        brainscore.Model.update(name=new).where(brainscore.Model.id == model.id).execute()
        repository.own_name(new, model)
        audit(who, "model renamed", new, f"from {old}; {reason}")


def merge(board: Board, name: str, into: str, who: Person, reason: str = "") -> int:
    """Move a model's scores and layouts to another; of two on one benchmark the later one counts. How many moved."""
    with board.change():
        only_staff(who)
        model, target = _model(name), _model(into)
        if model.id == target.id or model.domain != target.domain:
            raise Refused(
                f"{name!r} and {into!r} are one model, or of two domains: they cannot be merged", 409
            )
        rows = list(ScoreRow.select(ScoreRow, brainscore.Score).join(brainscore.Score).where(
            brainscore.Score.model == model, ScoreRow.state == CURRENT
        ))  # fmt: skip
        for row in rows:
            _one_of_two(row, repository.current_score(target, row.score.benchmark), who, into)
        brainscore.Score.update(model=target).where(brainscore.Score.model == model).execute()
        LayoutRow.update(model=target).where(LayoutRow.model == model).execute()
        NameRow.update(model=target).where(NameRow.model == model).execute()
        brainscore.Model.update(public=False).where(brainscore.Model.id == model.id).execute()
        audit(who, "models merged", into, f"{name} into {into}, {len(rows)} scores; {reason}")
        return len(rows)


def correct(board: Board, name: str, changes: Mapping[str, Any], who: Person, reason: str = "") -> None:
    """Correct entries of a model's card; what they were stays in the audit.

    Raises
    ------
    Refused
        For an entry that there is not, or a value that does not fit.
    """
    with board.change():
        only_staff(who)
        model = _model(name)
        before = ModelRow.get(ModelRow.model == model).card
        known = {"identifier": model.name, "domain": model.domain} | {
            field: value for field, value in before.items() if field in Card.model_fields
        }
        fixed = {"identifier", "domain"} & set(changes)
        if fixed:
            raise Refused(f"the {fixed.pop()} is not corrected: rename the model, or merge it")
        try:
            card = Card.model_validate(known | dict(changes))
        except ValidationError as error:
            raise Refused(f"the card of {name} does not fit: {reasons(error)}") from None
        repository.write_card(model, card)
        said = "; ".join(f"{field} was {str(before.get(field))[:60]!r}" for field in changes)
        audit(who, "card corrected", name, f"{said}; {reason}")


def accept(board: Board, score: int, who: Person, reason: str) -> None:
    """Give a score that is held its rank, because somebody looked at it."""
    with board.change():
        only_staff(who)
        row = _score(score)
        if UNFIT in row.marks:
            raise Refused(f"score {score} does not fit its benchmark's declaration: {row.marks[UNFIT]}", 409)
        kept = {name: why for name, why in row.marks.items() if name != HELD}
        repository.write_marks(row, kept | {ACCEPTED: reason or "looked at"}, who)
        audit(who, "score accepted", score, reason)


def hold(board: Board, score: int, who: Person, reason: str) -> None:
    """Take a score out of the ranks; it is still shown."""
    with board.change():
        only_staff(who)
        row = _score(score)
        kept = {name: why for name, why in row.marks.items() if name != ACCEPTED}
        repository.write_marks(row, kept | {HELD: reason or "held by who runs the board"}, who)
        audit(who, "score held", score, reason)


def ban(board: Board, name: str, who: Person, reason: str = "") -> int:
    """Shut a submitter out: no token of theirs is valid, all their scores are withdrawn. How many those were."""
    with board.change():
        only_staff(who)
        user = _user(name)
        if user.id == who.id:
            raise Refused("nobody bans themselves", 409)
        brainscore.User.update(is_active=False).where(brainscore.User.id == user.id).execute()
        theirs = brainscore.Submission.select(brainscore.Submission.id).where(
            brainscore.Submission.submitter == user.id
        )
        rows = list(ScoreRow.select().where(ScoreRow.submission.in_(theirs), ScoreRow.state == CURRENT))
        for row in rows:
            repository.set_state(row, WITHDRAWN, who, f"submitter banned: {reason}")
        LayoutRow.update(state=WITHDRAWN).where(
            LayoutRow.submission.in_(theirs), LayoutRow.state == CURRENT
        ).execute()
        audit(who, "submitter banned", name, f"{len(rows)} scores withdrawn; {reason}")
        return len(rows)


def unban(board: Board, name: str, who: Person, reason: str = "") -> None:
    """Let a submitter in again; what was withdrawn stays so until they submit it again."""
    with board.change():
        only_staff(who)
        brainscore.User.update(is_active=True).where(brainscore.User.id == _user(name).id).execute()
        n = TokenRow.select().where(TokenRow.user == _user(name).id, TokenRow.revoked_at.is_null()).count()
        audit(who, "submitter let in again", name, f"{n} tokens; {reason}")


def _one_of_two(row: ScoreRow, other: ScoreRow | None, who: Person, into: str) -> None:
    if other is None:
        return
    earlier, later = sorted((row, other), key=lambda one: (one.score.end_timestamp, one.score_id))
    repository.set_state(earlier, SUPERSEDED, who, f"by score {later.score_id}, merged into {into}")


def _model(name: str) -> Any:
    found = brainscore.Model.get_or_none(brainscore.Model.name == name, brainscore.Model.public)
    if found is None:
        known = NameRow.get_or_none(NameRow.looks == looks(name))
        hint = f"; {known.model.name!r} looks like it, or was called so" if known is not None else ""
        raise Refused(f"there is no model {name[:80]!r} on this board{hint}", 404)
    return found


def _score(number: int) -> ScoreRow:
    row: ScoreRow | None = ScoreRow.get_or_none(ScoreRow.score == number)
    if row is None:
        raise Refused(f"there is no score {number}", 404)
    if row.state != CURRENT:
        raise Refused(f"score {number} is {row.state}, and has no rank", 409)
    return row


def _user(name: str) -> Any:
    found = brainscore.User.get_or_none(brainscore.User.email == name)
    if found is None:
        raise Refused(f"there is no submitter {name[:80]!r}", 404)
    return found
