"""What the server's parts share: who asks, and how pages, files and refusals are sent."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from fastapi import Request
from starlette.responses import Response

from ..storage import accounts
from ..storage.accounts import Person
from ..storage.board import Board
from ..storage.snapshot import Snapshot
from ..submission.errors import Refused
from .page_cache import Made, Reader
from .rate_limit import Limits, Rate, sender_of

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
    writing : asyncio.Semaphore
        How many submissions are read at once; others wait, and do not keep pages from being answered.
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
    writing: asyncio.Semaphore
    address: str
    assets: str

    def bearer(self, request: Request) -> Person:
        """Who sent a token, within the limits.

        Raises
        ------
        Refused
            401 without a valid token, 429 after too many.
        """
        sender = sender_of(request.scope.get("client"))
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
