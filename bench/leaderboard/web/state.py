"""What the server's parts share: who asks, and how pages, files and refusals are sent."""

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

from fastapi import Request
from starlette.responses import Response

from ..storage import accounts
from ..storage.accounts import Person
from ..storage.board import Board
from ..storage.snapshot import Snapshot
from ..submission.errors import Refused
from .page_cache import Made, Reader
from .rate_limit import Limits, Rate

COOKIE = "brodmann_session"
HTML = "text/html; charset=utf-8"


@dataclass(frozen=True)
class Desk:
    """What every answer needs.

    Attributes
    ----------
    board : Board
    reader : Reader
    limits : Limits
    writes, failures : Rate
    address : str
        Under which the board is known, for its own pages.
    assets : str
        Changes with the style sheets and scripts.
    """

    board: Board
    reader: Reader
    limits: Limits
    writes: Rate
    failures: Rate
    address: str
    assets: str

    def bearer(self, request: Request) -> Person:
        """Who sent a token, within the limits.

        Raises
        ------
        Refused
            401 without a valid token, 429 after too many.
        """
        sender = _sender(request)
        self.failures.check(sender)
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        try:
            with self.board.reading():
                who = accounts.holder(token.strip() if kind.lower() == "bearer" else None)
        except Refused:
            self.failures.take(sender)
            raise
        self.writes.take(who.token)
        return who

    def sign_in(self, request: Request, token: str) -> str:
        """The secret of a new session, within the limits."""
        sender = _sender(request)
        self.failures.check(sender)
        try:
            with self.board.change(shown=False):
                secret, _ = accounts.begin_session(token)
        except Refused:
            self.failures.take(sender)
            raise
        return secret

    def page(self, request: Request, key: str, make: Callable[[Snapshot], str], kind: str = HTML) -> Response:
        """A page or file from memory, compressed where the reader takes it, or 304 where they have it."""
        return send_made(request, self.reader.page(key, make), kind)


def send_made(request: Request, made: Made, kind: str, *, keep: str = "no-cache") -> Response:
    """Send what was made."""
    headers = {"etag": made.tag, "cache-control": keep, "vary": "accept-encoding"}
    if request.headers.get("if-none-match") == made.tag:
        return Response(status_code=304, headers=headers)
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(made.packed, headers=headers | {"content-encoding": "gzip"}, media_type=kind)
    return Response(made.body, headers=headers, media_type=kind)


async def form_of(request: Request) -> dict[str, str]:
    """The fields of a form that a page of this server sent.

    Raises
    ------
    Refused
        403 for a form of another site, 415 for something that is no form.
    """
    if request.headers.get("content-type", "").split(";")[0].strip() != "application/x-www-form-urlencoded":
        raise Refused("this is not a form of this board", 415)
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise Refused("this form came from another site", 403)
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != request.headers.get("host", ""):
        raise Refused("this form came from another site", 403)
    try:
        text = (await request.body()).decode()
        found = parse_qs(text, keep_blank_values=True, max_num_fields=20, errors="strict")
    except (UnicodeDecodeError, ValueError):
        raise Refused("this form cannot be read") from None
    return {name: values[0] for name, values in found.items()}


def _sender(request: Request) -> str:
    return request.client.host if request.client else "nobody"
