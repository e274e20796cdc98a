"""Submit stored results: to a board's file or database, or to a server."""

import getpass
import json
import os
import re
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ...errors import UserError
from ...files import parse_json
from ..reports.study_report import study_comparison
from ..results.field_types import IDENTIFIER, plain
from .storage.board import Receipt
from .storage.database import close_board, default_board, open_board
from .submission.build import document_of, gathered
from .submission.schema import digest_of_document, parse_submission

if TYPE_CHECKING:
    from ..results.as_score import Score
    from ..studies.summary import Summary

TOKEN = "BRODMANN_TOKEN"
_LOCAL = {"localhost", "127.0.0.1", "::1"}
_ATTEMPTS = 4
_TIMEOUT_S = 60
_MOST_ANSWER = 1 << 20


def submit(
    runs: "Sequence[str | Path | Score] | str | Path | Score",
    leaderboard: str | Path | None = None,
    *,
    cards: Path | None = None,
    title: str = "",
    rename: Mapping[str, str] | None = None,
    who: str | None = None,
) -> Receipt:
    """Submit the scores and layouts of runs to a leaderboard.

    Sending the same thing twice counts once, so a submission that broke off is simply sent again.

    Parameters
    ----------
    runs : str, Path or Score, or a sequence of them
        As :func:`brodmann.compare` takes them.
    leaderboard : str or Path, optional
        A file, ``postgresql://...``, or the ``https://...`` of a server; by default ``leaderboard.sqlite3`` in the
        home. A server's token is read from the environment variable ``BRODMANN_TOKEN``.
    cards : Path, optional
        A TOML file with a table a model: family, training_data, topographic, license, citation, url, notes.
    title : str
    rename : mapping of str to str, optional
        Names of models, old to new.
    who : str, optional
        In whose name, for a file or database; the name of the account by default.

    Raises
    ------
    UserError
        For results that cannot be submitted, or what the leaderboard answered.
    """
    several = [runs] if isinstance(runs, (str, Path)) or hasattr(runs, "attrs") else list(runs)
    document, _ = gathered(several, cards=cards, title=title)  # type: ignore[arg-type]  # compare takes scores, too
    return send(renamed(document, rename or {}), leaderboard, who=who)


def submit_study(
    summary: "Summary", leaderboard: str | Path | None = None, *, who: str | None = None
) -> tuple[Receipt, list[str]]:
    """Submit all scores of a study at once; what the leaderboard answered, and what was left out.

    Parameters
    ----------
    summary : Summary
    leaderboard, who
        As of :func:`submit`.

    Raises
    ------
    UserError
        Where there is nothing to submit, and for what the leaderboard answered.
    """
    document, notes = document_of(study_comparison(summary), title=summary.name)
    return send(renamed(document, {}), leaderboard, who=who), notes


def send(
    document: Mapping[str, Any], leaderboard: str | Path | None = None, *, who: str | None = None
) -> Receipt:
    """Send a document that :func:`~brodmann.bench.leaderboard.gathered` made."""
    text = json.dumps(document, allow_nan=False)
    found = parse_submission(text.encode())
    address = str(leaderboard or default_board())
    if address.startswith(("http://", "https://")):
        return _receipt(_post(address, "submissions", text.encode()), address)
    fresh = "://" not in address and not Path(address).expanduser().exists()
    board = open_board(address)
    try:
        return board.submit(found, text, board.person(who or account_name()))
    except UserError:
        if fresh:  # what was refused leaves no board behind
            close_board()
            for ending in ("", "-wal", "-shm"):
                Path(f"{Path(address).expanduser()}{ending}").unlink(missing_ok=True)
        raise


def withdraw(
    submission: int, leaderboard: str | Path | None = None, *, reason: str = "", who: str | None = None
) -> int:
    """Take back what was submitted; it stays in the history.

    Parameters
    ----------
    submission : int
        Its number.
    leaderboard : str or Path, optional
        As :func:`submit` takes it.
    reason : str
        Kept in the history.
    who : str, optional
        In whose name, for a file or database; the name of the account by default.

    Returns
    -------
    int
        How many scores no longer count.

    Raises
    ------
    UserError
        For a number that is not there, what is somebody else's, or what no longer counts.
    """
    try:
        said = plain(reason)[:300]
    except ValueError as error:
        raise UserError(f"the reason does not fit: {error}") from error
    address = str(leaderboard or default_board())
    if not address.startswith(("http://", "https://")):
        board = open_board(address, create=False)
        return board.withdraw_submission(submission, board.person(who or account_name()), said)
    answer = post(address, f"submissions/{submission}/withdraw", {"reason": said}, what="the withdrawal")
    try:
        return int(answer["withdrawn"])
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{address} is not a leaderboard: its answer is none of one") from error


def renamed(document: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """A document in which models have other names.

    Raises
    ------
    UserError
        For a name that is not in it, or one that a board does not take.
    """
    known = {card["identifier"] for card in document["models"]}
    for old in names:
        if old not in known:
            raise UserError(f"there is no model {old!r} to rename; there are {', '.join(sorted(known))}")
    changed = dict(document)
    changed["models"] = [
        card | {"identifier": names.get(card["identifier"], card["identifier"])}
        for card in document["models"]
    ]
    for part in ("scores", "layouts"):
        changed[part] = [one | {"model": names.get(one["model"], one["model"])} for one in document[part]]
    for card in changed["models"]:
        if not re.match(IDENTIFIER, card["identifier"]):
            raise UserError(
                f"{card['identifier']!r} cannot be a name on a board (letters, numbers and _ . : / + @ = -): "
                "give it another with --rename OLD=NEW"
            )
    return changed | {"digest": digest_of_document(changed)}


def account_name() -> str:
    """The name of the account; ``local`` where it has none."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "local"


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A token is sent to nobody but whom it was meant for."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        """None: the redirect is an error."""
        del req, fp, code, msg, headers, newurl


def post(address: str, path: str, document: Mapping[str, Any], *, what: str = "the submission") -> Any:
    """Send a document to a place of a server's interface; its answer."""
    return _post(address, path, json.dumps(document, allow_nan=False).encode(), what)


def ask(address: str, path: str) -> Any:
    """What a server's interface answers to a question."""
    parts = urlsplit(address)
    url = f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}/api/v1/{path}"
    try:
        with urllib.request.build_opener(_NoRedirects).open(url, timeout=_TIMEOUT_S) as answer:
            return parse_json(answer.read(_MOST_ANSWER))
    except urllib.error.HTTPError as error:
        with error:
            raise UserError(f"{parts.hostname} refused the question: {_problem_of(error)}") from None
    except (urllib.error.URLError, HTTPException, OSError) as error:
        raise UserError(f"{parts.hostname} gave no answer ({getattr(error, 'reason', error)})") from error
    except ValueError as error:
        raise UserError(f"{address} is not a leaderboard: it did not answer in JSON") from error


def _post(address: str, path: str, body: bytes, what: str = "the submission") -> Any:
    parts = urlsplit(address)
    if parts.scheme != "https" and parts.hostname not in _LOCAL:
        raise UserError(f"{address} is not a secure (https) address: a token is not sent there")
    token = os.environ.get(TOKEN, "").strip()
    if not token:
        raise UserError(f"set {TOKEN} to the token that whoever runs {parts.hostname} gave you")
    if not token.isascii() or any(sign.isspace() for sign in token):
        raise UserError(f"{TOKEN} is no token: it has spaces or other signs")
    url = f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}/api/v1/{path}"
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    opener = urllib.request.build_opener(_NoRedirects)
    problem = ""
    for attempt in range(_ATTEMPTS):
        try:
            with opener.open(urllib.request.Request(url, body, headers), timeout=_TIMEOUT_S) as answer:
                return parse_json(answer.read(_MOST_ANSWER))
        except urllib.error.HTTPError as error:
            with error:
                problem = _problem_of(error)
            if error.code not in (429, 502, 503, 504):
                raise UserError(f"{parts.hostname} refused {what}: {problem}") from None
        except (urllib.error.URLError, HTTPException, ConnectionError, TimeoutError) as error:
            problem = f"no answer ({getattr(error, 'reason', error)})"
        except ValueError as error:
            raise UserError(f"{address} is not a leaderboard: it did not answer in JSON") from error
        if attempt + 1 < _ATTEMPTS:
            time.sleep(2**attempt)
    raise UserError(f"{parts.hostname} could not take {what}: {problem}; send it again, it counts once")


def _receipt(answer: Any, address: str) -> Receipt:
    try:
        return Receipt(**{name: answer[name] for name in Receipt.__dataclass_fields__})
    except (KeyError, TypeError) as error:
        raise UserError(f"{address} is not a leaderboard: its answer is none of one") from error


def _problem_of(error: urllib.error.HTTPError) -> str:
    if 300 <= error.code < 400:
        return f"it leads to {error.headers.get('Location', 'elsewhere')}; give that address"
    try:
        return str(parse_json(error.read(_MOST_ANSWER))["error"])
    except (ValueError, KeyError, TypeError, OSError):
        return f"it answered {error.code}"
