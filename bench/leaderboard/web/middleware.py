"""What stands in front of every answer: limits of address and size, and headers that keep browsers safe."""

import json
from typing import Any

from starlette.requests import ClientDisconnect

from ..submission.errors import Refused
from .rate_limit import Limits, Rate, sender_of

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = [
    (b"content-security-policy", _POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=()"),
]
_SECURE = (b"strict-transport-security", b"max-age=31536000")
_LARGE = ("/submissions", "/reproductions")
"""How the addresses end that take scores."""
_MOST_BYTES = 10_000
"""Of every other request."""
_AT_ONCE = 16
"""For how many of the largest submissions there is memory; above it the server is busy."""
_PIECE = 1 << 16
_LONGEST_ADDRESS = 4_000


class Guard:
    """ASGI middleware.

    Parameters
    ----------
    app : ASGI application
    limits : Limits
    secure : bool
        People reach the server by https.
    """

    def __init__(self, app: Any, limits: Limits, *, secure: bool = False) -> None:
        self.app, self._limits = app, limits
        self._reads = Rate(limits.reads_per_minute, "requests")
        self._headers = [*_HEADERS, _SECURE] if secure else _HEADERS
        self._held = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_safely(message: Any) -> None:
            if message["type"] == "http.response.start":
                given = {name for name, _ in message["headers"]}
                message["headers"] = [
                    *message["headers"],
                    *(one for one in self._headers if one[0] not in given),
                ]
            # in pieces, so that a client that does not read keeps only one of them in memory
            body = message.get("body", b"")
            rest = max(len(body) - 1, 0) // _PIECE * _PIECE
            for start in range(0, rest, _PIECE):
                await send(message | {"body": body[start : start + _PIECE], "more_body": True})
            await send(message | {"body": body[rest:]} if rest else message)

        most = self._limits.max_bytes if scope["path"].endswith(_LARGE) else _MOST_BYTES
        try:
            self._check(scope, most)
        except Refused as refused:
            await _answer(send_safely, refused)
            return
        seen = 0

        async def receive_bounded() -> Any:
            nonlocal seen
            message = await receive()
            n = len(message.get("body", b""))
            seen += n
            self._held += n
            if seen > most:
                raise Refused(_too_large(most), 413)
            if self._held > _AT_ONCE * self._limits.max_bytes:
                raise Refused("too much is being sent at once: send it again in a moment", 503)
            return message

        try:
            await self.app(scope, receive_bounded, send_safely)
        except ClientDisconnect:  # whoever asked is gone
            pass
        finally:
            self._held -= seen

    def _check(self, scope: Any, most: int) -> None:
        self._reads.take(sender_of(scope.get("client")))
        if len(scope.get("raw_path", b"")) + len(scope.get("query_string", b"")) > _LONGEST_ADDRESS:
            raise Refused("the address is too long", 414)
        for name, value in scope["headers"]:
            if name == b"content-length" and value.isdigit() and int(value[:20]) > most:
                raise Refused(_too_large(most), 413)
            if name == b"content-encoding" and value not in (b"", b"identity"):
                raise Refused("send the body as it is, not compressed", 415)


def _too_large(most: int) -> str:
    return f"the request is larger than {most:,} bytes"


async def _answer(send: Any, refused: Refused) -> None:
    body = json.dumps({"error": str(refused)}).encode()
    extra = [(b"retry-after", b"10")] if refused.status == 429 else []
    await send(
        {
            "type": "http.response.start",
            "status": refused.status,
            "headers": [
                (b"content-type", b"application/json"),
                (b"content-length", str(len(body)).encode()),
                (b"connection", b"close"),
                *extra,
            ],
        }
    )
    await send({"type": "http.response.body", "body": body})
