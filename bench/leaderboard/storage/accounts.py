"""Who may submit: people, their tokens, the browsers that signed in, and the record of what they did."""

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from ...results.field_types import plain
from ..submission.errors import Refused
from .migrations import now
from .models import AuditRow, SessionRow, TokenRow
from .models import database_models as brainscore
from .names import looks

_PREFIX = "brd"
_SESSION_HOURS = 12
_NOBODY = hashlib.sha256(b"nobody").hexdigest()
_TOKEN = re.compile(r"brd_[0-9a-f]{16}_[A-Za-z0-9_-]{43}")


@dataclass(frozen=True)
class Person:
    """Somebody who submits.

    Attributes
    ----------
    id : int
    name : str
    staff : bool
        May withdraw what others submitted.
    token : str
        The public part of the token with which they came.
    """

    id: int
    name: str
    staff: bool = False
    token: str = ""


def person(name: str, *, staff: bool = False) -> Person:
    """The person of that name; made where there is none."""
    name = plain(name).strip()
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.@+ -]{0,79}", name):
        raise Refused(
            f"a submitter's name has 1 to 80 letters, numbers, spaces and . _ @ + -, not {name[:80]!r}"
        )
    known = {user.email or "" for user in brainscore.User.select(brainscore.User.email)}
    alike = next((one for one in known if one != name and looks(one) == looks(name)), None)
    if name not in known and alike is not None:
        raise Refused(
            f"the submitter {name!r} looks like {alike!r}, who was here first: take another name", 403
        )
    found, _ = brainscore.User.get_or_create(
        email=name,
        defaults={"is_active": True, "is_staff": staff, "is_superuser": False, "password": "!"},
    )
    if not found.is_active:
        raise Refused(f"{name!r} was banned from this board", 403)
    return Person(found.id, name, bool(found.is_staff))


def new_token(who: Person, *, days: int | None = 365) -> str:
    """Make a token. It is shown this once; the board keeps the sha256 of its secret part (256 random bits)."""
    public, secret = secrets.token_hex(8), secrets.token_urlsafe(32)
    TokenRow.create(
        id=public,
        user=who.id,
        secret=_hash(secret),
        created_at=now(),
        expires_at=None if days is None else now() + timedelta(days=days),
    )
    audit(who, "token made", public)
    return f"{_PREFIX}_{public}_{secret}"


def revoke_token(public: str, who: Person | None = None) -> None:
    """End a token, and every session that began with it."""
    changed = (
        TokenRow.update(revoked_at=now())
        .where(TokenRow.id == public, TokenRow.revoked_at.is_null())
        .execute()
    )
    if not changed:
        raise Refused(f"there is no valid token {public!r}: list them with brodmann leaderboard tokens", 404)
    SessionRow.delete().where(SessionRow.token == public).execute()
    audit(who, "token revoked", public)


def tokens() -> list[dict[str, Any]]:
    """All tokens without their secrets."""
    found = TokenRow.select(TokenRow, brainscore.User).join(brainscore.User).order_by(TokenRow.created_at)
    return [
        {
            "id": one.id,
            "submitter": one.user.email,
            "created": one.created_at,
            "expires": one.expires_at,
            "revoked": one.revoked_at,
        }
        for one in found
    ]


def holder(token: str | None) -> Person:
    """Whose token this is, compared in constant time.

    Raises
    ------
    Refused
        401 for a token that is not known, ended or too old; all in the same words.
    """
    given = token or ""
    public, secret = given.split("_", 2)[1:] if _TOKEN.fullmatch(given) else ("", "")
    found = TokenRow.get_or_none(TokenRow.id == public)
    same = hmac.compare_digest(_hash(secret), found.secret if found else _NOBODY)
    if found is None or not same or _over(found):
        raise Refused("the token is not valid: ask whoever runs this board for a new one", 401)
    user = found.user
    if not user.is_active:
        raise Refused("the token is not valid: ask whoever runs this board for a new one", 401)
    return Person(user.id, user.email, bool(user.is_staff), public)


def begin_session(token: str) -> tuple[str, Person]:
    """Sign a browser in: the secret of its cookie."""
    who = holder(token)
    secret = secrets.token_urlsafe(32)
    SessionRow.delete().where(SessionRow.expires_at < now()).execute()
    SessionRow.create(
        secret=_hash(secret), token=who.token, expires_at=now() + timedelta(hours=_SESSION_HOURS)
    )
    audit(who, "signed in", who.token)
    return secret, who


def session_holder(secret: str | None) -> Person | None:
    """Who signed in with this cookie; None where nobody did, or too long ago."""
    if not secret or len(secret) > 100:
        return None
    found = SessionRow.get_or_none(SessionRow.secret == _hash(secret))
    if found is None or found.expires_at < now() or _over(found.token):
        return None
    user = found.token.user
    return Person(user.id, user.email, bool(user.is_staff), found.token.id) if user.is_active else None


def end_session(secret: str) -> None:
    """Sign a browser out."""
    SessionRow.delete().where(SessionRow.secret == _hash(secret)).execute()


def form_word(session: str) -> str:
    """What a form of this session must bring back, so that another site cannot send it (CSRF)."""
    return hmac.new(session.encode(), b"form", hashlib.sha256).hexdigest()


def is_form_word(session: str, given: str) -> bool:
    """Whether a form came from a page of this session; constant time."""
    return hmac.compare_digest(form_word(session).encode(), given.encode("utf-8", "replace"))


def audit(who: Person | None, action: str, subject: object = "", detail: str = "") -> None:
    """Write down who did what."""
    AuditRow.create(
        at=now(),
        user=None if who is None else who.id,
        action=action,
        subject=str(subject)[:200],
        detail=detail[:500],
    )


def audited(limit: int = 100) -> list[dict[str, Any]]:
    """What was written down last, newest first."""
    from peewee import JOIN

    query = AuditRow.select(AuditRow, brainscore.User).join(brainscore.User, JOIN.LEFT_OUTER)
    return [
        {
            "time": f"{one.at:%Y-%m-%d %H:%M:%S}",
            "who": one.user.email if one.user_id else "",
            "action": one.action,
            "subject": one.subject,
            "detail": one.detail,
        }
        for one in query.order_by(AuditRow.id.desc()).limit(limit)
    ]


def _over(token: Any) -> bool:
    ends: datetime | None = token.expires_at
    return token.revoked_at is not None or (ends is not None and ends < now())


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
