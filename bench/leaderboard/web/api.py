"""The interface for programs: JSON under ``/api/v1``."""

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import JSONResponse, Response
from fastapi.security import HTTPBearer
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from ...results.field_types import Line
from ..storage.board import Receipt
from ..storage.models import SubmissionRow
from ..storage.queries import score_of, submissions_of
from ..storage.snapshot import Snapshot
from ..submission.errors import Refused
from ..submission.schema import parse_submission
from .exports import describe_benchmark, describe_model, describe_score, describe_table
from .ranking import Selection, table_of
from .state import Desk

Slug = Annotated[str, Path(pattern=r"^[\w.-]{1,120}$")]
Number = Annotated[int, Path(ge=1, le=2**31 - 1)]
Words = Annotated[str, Field(max_length=100)]
Name = Annotated[str, Field(max_length=120)]
Size = Annotated[str, Field(max_length=20, pattern=r"^[0-9_,.]*([eE][0-9]{1,2})?$")]
_MOST = 1_000
_bearer = HTTPBearer(auto_error=False, description="The token that whoever runs the board gave you.")


class Problem(BaseModel):
    """Why something was refused."""

    error: str


class Withdrawal(BaseModel):
    """Why something is withdrawn."""

    reason: Line = ""


class Reproduced(BaseModel):
    """Whether what somebody else computed agrees with a score."""

    score: int
    agrees: bool


class Withdrawn(BaseModel):
    """How many scores no longer count."""

    withdrawn: int


_REFUSALS: dict[int | str, dict[str, Any]] = {
    code: {"model": Problem} for code in (400, 401, 403, 404, 405, 409, 413, 414, 415, 422, 429, 503)
}


class Asked(BaseModel):
    """What a reader asks of the table, as it stands in an address."""

    domain: Literal["vision", "language"] = "vision"
    q: Words = ""
    family: Words = ""
    topographic: Literal["", "yes", "no"] = ""
    min_parameters: Size = ""
    max_parameters: Size = ""
    region: Name = ""
    sort: Name = "average"
    order: Literal["", "ascending", "descending"] = ""
    missing: Literal["zero", "skip"] = "zero"
    scale: Name = ""
    page: Annotated[int, Field(ge=1, le=10_000)] = 1


def selection(asked: Annotated[Asked, Query()]) -> Selection:
    """What a reader asks of the table."""
    sizes = {name: _size(getattr(asked, name)) for name in ("min_parameters", "max_parameters")}
    return Selection(**asked.model_dump() | sizes)


def _size(text: str) -> int | None:
    """A number of parameters; 10_000, 10,000 and 1e4 are alike."""
    plain = text.replace("_", "").replace(",", "")
    if not plain:
        return None
    try:
        return int(float(plain))
    except (ValueError, OverflowError):
        raise Refused(f"{text!r} is no number of parameters") from None


def routes(desk: Desk) -> APIRouter:
    """The interface of a board."""
    api = APIRouter(prefix="/api/v1", responses=_REFUSALS, tags=["board"])

    def sent(request: Request, key: str, make: Callable[[Snapshot], dict[str, Any]]) -> Response:
        return desk.page(
            request, f"json {key}", lambda now: json.dumps(make(now), allow_nan=False), "application/json"
        )

    table: dict[str, Any] = {"response_model": dict[str, Any]}

    @api.get("/models", **table, summary="The table: models, averages and benchmarks, filtered and sorted")
    def models(request: Request, chosen: Annotated[Selection, Depends(selection)]) -> Response:
        return sent(request, f"models {chosen}", lambda now: describe_table(table_of(now, chosen)))

    @api.get("/models/{slug}", **table, summary="A model with its scores")
    def model(request: Request, slug: Slug) -> Response:
        return sent(request, f"model {slug}", lambda now: _model(now, slug))

    @api.get("/benchmarks", **table, summary="The benchmarks, every version")
    def benchmarks(request: Request) -> Response:
        return sent(request, "benchmarks", _benchmarks)

    @api.get("/benchmarks/{slug}", **table, summary="A benchmark, every version, newest first")
    def benchmark(request: Request, slug: Slug) -> Response:
        return sent(request, f"benchmark {slug}", lambda now: _benchmark(now, slug))

    @api.get("/scores", **table, summary="Scores that count, with what they stand on")
    def scores(
        request: Request,
        model: Annotated[str, Query(max_length=120)] = "",
        benchmark: Annotated[str, Query(max_length=120)] = "",
        limit: Annotated[int, Query(ge=1, le=_MOST)] = 100,
        offset: Annotated[int, Query(ge=0, le=10**9)] = 0,
    ) -> Response:
        part = slice(offset, offset + limit)
        key = f"scores {model!r} {benchmark!r} {part}"
        return sent(request, key, lambda now: _scores(now, model, benchmark, part))

    @api.get("/scores/{number}", summary="A score in whatever state: what it stands on, its history")
    def score(number: Number) -> dict[str, Any]:
        with desk.board.reading():
            return score_of(number)

    @api.get(
        "/submissions", **table, dependencies=[Depends(_bearer)], summary="What you submitted, newest first"
    )
    def submissions(request: Request) -> dict[str, Any]:
        who = desk.bearer(request)
        with desk.board.reading():
            found = submissions_of(who.id)
        return {"submissions": [one | {"at": f"{one['at']:%Y-%m-%dT%H:%M:%SZ}"} for one in found]}

    @api.get("/submissions/{number}", summary="A submission as it came")
    def submission(number: Number) -> Response:
        with desk.board.reading():
            found = SubmissionRow.get_or_none(SubmissionRow.submission == number)
            if found is None:
                raise Refused(f"there is no submission {number}", 404)
            return Response(found.document, media_type="application/json")

    @api.post(
        "/submissions",
        status_code=201,
        response_model=Receipt,
        responses={200: {"model": Receipt, "description": "The very same submission was here before"}},
        dependencies=[Depends(_bearer)],
        summary="Submit",
        openapi_extra={
            "requestBody": {
                "required": True,
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Submission"}}},
            }
        },
    )
    async def submit(request: Request) -> Response:
        who = await run_in_threadpool(desk.bearer, request)
        _only_json(request)
        body = await request.body()

        def take() -> Any:
            found = parse_submission(body, max_bytes=desk.limits.max_bytes)
            receipt = desk.board.submit(found, body.decode(), who)
            desk.reader.changed()
            return receipt

        async with desk.writing:
            receipt = await run_in_threadpool(take)
        return JSONResponse(asdict(receipt), 200 if receipt.duplicate else 201)

    @api.post(
        "/scores/{number}/reproductions",
        status_code=201,
        response_model=Reproduced,
        dependencies=[Depends(_bearer)],
        summary="Attach what somebody else found, who computed a score again: a submission with this one score",
    )
    async def reproduce(number: Number, request: Request) -> Reproduced:
        who = await run_in_threadpool(desk.bearer, request)
        _only_json(request)
        body = await request.body()

        def take() -> bool:
            found = parse_submission(body, max_bytes=desk.limits.max_bytes)
            agrees: bool = desk.board.reproduce(number, found, body.decode(), who)
            desk.reader.changed()
            return agrees

        async with desk.writing:
            agrees = await run_in_threadpool(take)
        return Reproduced(score=number, agrees=agrees)

    withdrawing: dict[str, Any] = {"response_model": Withdrawn, "dependencies": [Depends(_bearer)]}

    @api.post("/scores/{number}/withdraw", **withdrawing, summary="Take a score back")
    def withdraw_score(number: Number, why: Withdrawal, request: Request) -> Withdrawn:
        who = desk.bearer(request)
        desk.board.withdraw(number, who, why.reason)
        desk.reader.changed()
        return Withdrawn(withdrawn=1)

    @api.post("/submissions/{number}/withdraw", **withdrawing, summary="Take a whole submission back")
    def withdraw_submission(number: Number, why: Withdrawal, request: Request) -> Withdrawn:
        who = desk.bearer(request)
        n = desk.board.withdraw_submission(number, who, why.reason)
        desk.reader.changed()
        return Withdrawn(withdrawn=n)

    return api


def _only_json(request: Request) -> None:
    kind = request.headers.get("content-type", "")
    name, _, rest = kind.partition(";")
    if name.strip().lower() != "application/json" or rest.strip().lower() not in ("", "charset=utf-8"):
        raise Refused(f"a submission is application/json, not {kind[:60] or 'nothing'!r}", 415)


def _model(now: Snapshot, slug: str) -> dict[str, Any]:
    found = now.model(slug)
    if found is None:
        raise Refused(f"there is no model {slug!r}", 404)
    return {
        **describe_model(found),
        "scores": [describe_score(found, benchmark, one) for benchmark, one in now.scores_of(found.id)],
        "layouts": [dict(one.report) for one in now.layouts.get(found.id, [])],
    }


def _benchmarks(now: Snapshot) -> dict[str, Any]:
    found = sorted(now.benchmarks.values(), key=lambda one: (one.identifier, one.version))
    return {"benchmarks": [describe_benchmark(one) for one in found]}


def _benchmark(now: Snapshot, slug: str) -> dict[str, Any]:
    found = now.versions(slug)
    if not found:
        raise Refused(f"there is no benchmark {slug!r}", 404)
    return {"versions": [describe_benchmark(one) for one in found]}


def _scores(now: Snapshot, model: str, benchmark: str, part: slice) -> dict[str, Any]:
    found = [
        (now.models[key[0]], now.benchmarks[key[1]], one)
        for key, one in now.scores.items()
        if model in ("", now.models[key[0]].name) and benchmark in ("", now.benchmarks[key[1]].identifier)
    ]
    found.sort(key=lambda one: one[2].id)
    return {"n": len(found), "scores": [describe_score(*one) for one in found[part]]}
