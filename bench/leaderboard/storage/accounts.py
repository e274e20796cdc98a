"""Who may submit: people, their tokens, and the record of what they did."""

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
    """End a token; a browser that signed in with it while boards had sessions is forgotten, too."""
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
