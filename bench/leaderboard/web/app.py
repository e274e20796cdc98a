"""The server: pages for people, JSON for programs."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any

import peewee
from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from ....errors import UserError
from ....files import digest_of
from ...results.field_types import plain_ascii
from ..storage.database import close_board, open_board
from ..storage.snapshot import Snapshot
from ..submission.errors import Refused
from ..submission.schema import Submission
from . import pages
from .api import routes, selection
from .exports import FILES, file_of
from .links import ServerLinks
from .middleware import Guard
from .page_cache import Made, Reader, packed
from .ranking import Selection
from .rate_limit import Limits, Rate
from .state import HTML, Desk, send_made

STATIC = {
    "board.css": "text/css; charset=utf-8",
    "board.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
_WRITERS = 4
_log = logging.getLogger(__name__)


def make_app(
    board: str | Path | None = None, *, limits: Limits | None = None, address: str = "http://127.0.0.1:8000"
) -> FastAPI:
    """The server of a board, as an ASGI application.

    Parameters
    ----------
    board : str or Path, optional
        As :func:`~brodmann.bench.leaderboard.open_board` takes it.
    limits : Limits, optional
    address : str
        Under which people reach it; shown on the page that says how to submit.
    """
    limits = limits or Limits()
    opened = open_board(board)
    desk = Desk(
        opened,
        Reader(opened),
        limits,
        Rate(limits.writes_per_minute, "submissions"),
        Rate(limits.failures_per_minute, "tokens that are not valid"),
        asyncio.Semaphore(_WRITERS),
        address.rstrip("/"),
        digest_of([asset(name).tag for name in STATIC])[:12],
    )

    @asynccontextmanager
    async def life(_: FastAPI) -> Any:
        yield
        close_board()

    app = FastAPI(
        title="brodmann leaderboard",
        version="1",
        description="Scores of models against brain recordings, with their ceilings, intervals and provenance.",
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
        lifespan=life,
    )
    app.include_router(routes(desk))
    _pages(app, desk)
    _refusals(app, desk)
    _schema(app)
    app.add_middleware(Guard, limits=limits, secure=address.startswith("https://"))
    return app


@lru_cache
def asset(name: str) -> Made:
    """A style sheet, script or picture."""
    return packed((files(__package__) / "static" / name).read_bytes())


def _pages(app: FastAPI, desk: Desk) -> None:
    links = ServerLinks(desk.assets)
    get = {"include_in_schema": False, "methods": ["GET", "HEAD"]}
    Chosen = Annotated[Selection, Depends(selection)]

    def board(request: Request, chosen: Chosen) -> Response:
        if "domain" not in request.query_params:
            chosen = Selection(**{**chosen.__dict__, "domain": desk.reader.snapshot().domains[0]})
        return desk.page(request, f"board {chosen}", lambda now: pages.board_page(now, chosen, links))

    def model(request: Request, slug: str) -> Response:
        def make(now: Snapshot) -> str:
            found = now.model(slug)
            if found is None:
                raise Refused(f"there is no model {slug[:80]!r} on this board", 404)
            return pages.model_page(now, found, links)

        return desk.page(request, f"model {slug}", make)

    def benchmark(request: Request, slug: str) -> Response:
        def make(now: Snapshot) -> str:
            found = now.versions(slug)
            if not found:
                raise Refused(f"there is no benchmark {slug[:80]!r} on this board", 404)
            return pages.benchmark_page(now, found, links)

        return desk.page(request, f"benchmark {slug}", make)

    def compare(request: Request, a: str = "", b: str = "") -> Response:
        def make(now: Snapshot) -> str:
            found = []
            for slug in (a, b):
                found.append(now.model(slug) if slug else None)
                if slug and found[-1] is None:
                    raise Refused(f"there is no model {slug[:80]!r} on this board", 404)
            return pages.compare_page(now, found[0], found[1], links)

        return desk.page(request, f"compare {a} {b}", make)

    def about(request: Request) -> Response:
        return desk.page(request, "about", lambda now: pages.about_page(now, links, desk.address))

    def interface(request: Request) -> Response:
        return desk.page(request, "docs", lambda now: pages.interface_page(now, links, app.openapi()))

    def export(request: Request, name: str, chosen: Chosen) -> Response:
        if name not in FILES:
            raise Refused(f"there is no file {name[:80]!r}; there are {', '.join(FILES)}", 404)
        return desk.page(
            request, f"file {name} {chosen}", lambda now: file_of(name, now, chosen), FILES[name]
        )

    def static(request: Request, name: str) -> Response:
        if name not in STATIC:
            raise Refused(f"there is no file {name[:80]!r}", 404)
        kept = (
            "public, max-age=31536000, immutable"
            if request.query_params.get("v") == desk.assets
            else "no-cache"
        )
        return send_made(request, asset(name), STATIC[name], keep=kept)

    def health() -> Response:
        return JSONResponse({"revision": desk.board.revision()})

    for path, answer in (
        ("/", board), ("/models/{slug}", model), ("/benchmarks/{slug}", benchmark), ("/compare", compare),
        ("/about", about), ("/docs", interface), ("/export/{name}", export), ("/static/{name}", static),
        ("/health", health),
    ):  # fmt: skip
        app.add_api_route(path, answer, response_model=None, **get)  # type: ignore[arg-type]  # kinds of `get` differ


def _refusals(app: FastAPI, desk: Desk) -> None:
    """Everything that is refused: JSON for programs, a page for people, and never how it came about."""
    links = ServerLinks(desk.assets)

    def said(request: Request, problem: str, status: int) -> Response:
        headers = {"cache-control": "no-store"} | ({"retry-after": "10"} if status in (429, 503) else {})
        if status == 401:
            headers["www-authenticate"] = "Bearer"
        if request.url.path.startswith("/api/"):
            return JSONResponse({"error": problem}, status, headers)
        heading = {404: "Not found", 429: "Too many requests", 503: "Busy"}.get(status, "This did not work")
        text = pages.problem_page(desk.reader.snapshot(), links, heading, problem)
        return Response(text, status, headers, HTML)

    async def refused(request: Request, error: Any) -> Response:
        return await run_in_threadpool(said, request, str(error), getattr(error, "status", 400))

    async def unfit(request: Request, error: Any) -> Response:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        return await run_in_threadpool(said, request, plain_ascii(f"{place}: {first['msg']}"), 422)

    async def other(request: Request, error: Any) -> Response:
        answer = await run_in_threadpool(said, request, str(error.detail), error.status_code)
        answer.headers.update(error.headers or {})
        return answer

    async def silent(request: Request, error: Any) -> Response:
        _log.error("%s %s: %s", request.method, request.url.path, error)
        return JSONResponse(
            {"error": "the board's database does not answer; ask again in a moment"},
            503,
            {"retry-after": "10"},
        )

    async def broken(request: Request, error: Any) -> Response:
        _log.exception("%s %s", request.method, request.url.path, exc_info=error)
        return JSONResponse(
            {"error": "the board could not answer; whoever runs it finds why in its log"}, 500
        )

    handlers: list[tuple[Any, Callable[[Request, Any], Awaitable[Response]]]] = [
        (UserError, refused), (RequestValidationError, unfit), (HTTPException, other),
        (peewee.OperationalError, silent), (peewee.InterfaceError, silent), (Exception, broken),
    ]  # fmt: skip
    for kind, handler in handlers:
        app.add_exception_handler(kind, handler)


def _schema(app: FastAPI) -> None:
    """The OpenAPI schema, with the form of a submission in it."""

    def made() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = get_openapi(
                title=app.title, version=app.version, description=app.description, routes=app.routes
            )
            whole = Submission.model_json_schema(ref_template="#/components/schemas/{model}")
            parts = whole.pop("$defs")
            schema["components"]["schemas"] |= parts | {"Submission": whole}
            app.openapi_schema = schema
        return app.openapi_schema

    app.openapi = made  # type: ignore[method-assign]  # as FastAPI documents it
