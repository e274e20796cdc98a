"""Compute somebody else's score again from its provenance, and attach what was found."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from ...errors import UserError
from ..results.store import arrays_of, record_of
from ..scoring import score as score_model
from .storage.database import open_board
from .storage.models import CURRENT, ScoreRow
from .storage.models import database_models as brainscore
from .storage.queries import score_of
from .submission.build import submission_of_one
from .submission.errors import Refused
from .submission.schema import parse_submission
from .submit import account_name, ask, post

RUN = "reproductions"


@dataclass(frozen=True)
class Reproduced:
    """What became of it.

    Attributes
    ----------
    score : int
        On the board.
    value, again : float
        What was submitted, and what was found.
    agrees : bool
    """

    score: int
    value: float
    again: float
    agrees: bool


def reproduce(
    board: str | Path,
    model: str,
    benchmark: str,
    *,
    source: str | None = None,
    run: str | Path | None = None,
    who: str | None = None,
) -> Reproduced:
    """Score a model of a board again, with the layers, seed and draws of its entry.

    Parameters
    ----------
    board : str or Path
        A file, ``postgresql://...``, or the ``https://...`` of a server (token in ``BRODMANN_TOKEN``).
    model, benchmark : str
        As the board names them.
    source : str, optional
        The model as :func:`brodmann.load_model` takes it; its name by default.
    run : str or Path, optional
        That keeps the record.
    who : str, optional
        In whose name, for a file or database.

    Raises
    ------
    UserError
        For a score that is not there, weights or recordings that are not those of the entry, or what the board refuses.
    """
    from ...models import load_model

    address = str(board)
    remote = address.startswith(("http://", "https://"))
    entry = _asked(address, model, benchmark) if remote else _read(address, model, benchmark)
    opened: Any = load_model(source or model)
    if opened.digest != entry["model_digest"]:
        raise UserError(
            f"{source or model} has other weights (digest {opened.digest[:12]}) than {model} on this board "
            f"({str(entry['model_digest'])[:12]}): name them with --model"
        )
    found = score_model(
        opened, benchmark, [one["layer"] for one in entry["layers"]], run=run or RUN, seed=entry["seed"],
        n_bootstraps=_count(entry["n_bootstraps"]), n_permutations=_count(entry["n_permutations"]), beyond=[],
    )  # fmt: skip
    record = record_of(found)
    document = submission_of_one({**record, "model": model}, arrays_of(record))
    agrees = (
        post(address, f"scores/{entry['id']}/reproductions", document)["agrees"]
        if remote
        else _attach(address, entry["id"], document, who or account_name())
    )
    return Reproduced(entry["id"], entry["score"], float(found), agrees)


def _count(said: int | None) -> int:
    return 1000 if said is None else said


def _asked(address: str, model: str, benchmark: str) -> dict[str, Any]:
    found = ask(address, f"scores?{urlencode({'model': model, 'benchmark': benchmark})}")["scores"]
    if not found:
        raise UserError(f"this board has no score of {model!r} on {benchmark!r}")
    newest = max(found, key=lambda one: one["version"])
    entry: dict[str, Any] = ask(address, f"scores/{int(newest['id'])}")
    return entry


def _read(address: str, model: str, benchmark: str) -> dict[str, Any]:
    board = open_board(address, create=False)
    instances = brainscore.BenchmarkInstance
    with board.reading():
        row = (
            ScoreRow.select(ScoreRow.score)
            .join(brainscore.Score)
            .join(brainscore.Model)
            .switch(brainscore.Score)
            .join(instances)
            .where(
                brainscore.Model.name == model, instances.benchmark == benchmark, ScoreRow.state == CURRENT
            )
            .order_by(instances.version.desc())
            .first()
        )
        if row is None:
            raise Refused(f"this board has no score of {model!r} on {benchmark!r}", 404)
        return score_of(row.score_id)


def _attach(address: str, number: int, document: dict[str, Any], who: str) -> bool:
    text = json.dumps(document, allow_nan=False)
    board = open_board(address, create=False)
    return board.reproduce(number, parse_submission(text.encode()), text, board.person(who))
