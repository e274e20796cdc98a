"""Descriptions that a program, an address or a list of the user's gives: asked, bounded, checked.

One JSON object a line goes in, ``{"id", "top": [{"tokens", "activations"}], "random": [...], "promoted"}``, and one
comes back, ``{"id", "text", "predict"?: {token: activation}}``, in any order. A program is run as it is named, without
a shell; an address is sent one object a request. Nothing else leaves the machine.
"""

import contextlib
import csv
import http.client
import io
import json
import math
import os
import queue
import re
import shlex
import signal
import subprocess
import threading
import time
import unicodedata
import urllib.error
import urllib.request
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal

from ...errors import UserError, first_line, printable
from ...progress import track

LONGEST = 500
"""Letters of a description or label."""
SECONDS = 120.0
"""For one answer, and for a program to end after its last one."""
_MOST_LINE, _MOST_FILE = 1 << 20, 1 << 25
"""Bytes of an answer, and of a file of labels."""
_MOST_TOKENS = 10_000
_TAIL = 2000
Of = Literal["unit", "feature"]
OF: tuple[Of, ...] = ("unit", "feature")


@dataclass(frozen=True)
class Answer:
    """What is said of a unit or feature.

    Attributes
    ----------
    text : str
        Without control characters.
    predict : mapping of str to float, or None
        The activation at each token; 0 at all others.
    """

    text: str
    predict: Mapping[str, float] | None = None


def ask(
    describer: str, questions: Sequence[Mapping[str, Any]], *, seconds: float = SECONDS
) -> dict[int, Answer]:
    """Ask a describer about each unit or feature.

    Parameters
    ----------
    describer : str
        A command, or an address that begins with ``http://`` or ``https://``.
    questions : sequence of mapping
        Each with its ``id``.
    seconds : float
        That one answer may take.

    Raises
    ------
    UserError
        For one that cannot be run or reached, is silent, fails, or answers anything but one sound line a question.
    """
    if not questions:
        return {}
    by_address = describer.startswith(("http://", "https://"))
    lines = _posted(describer, questions, seconds) if by_address else _run(describer, questions, seconds)
    ids = {int(one["id"]) for one in questions}
    found: dict[int, Answer] = {}
    with contextlib.closing(lines):
        for line in lines:
            number, answer = _answer(line, ids)
            if number in found:
                raise UserError(f"the describer answered twice about {number}")
            found[number] = answer
    if len(found) < len(ids):
        raise UserError(
            f"the describer answered about {len(found)} of {len(ids)}: {min(ids - set(found))} is missing"
        )
    return found


def _answer(line: bytes, ids: set[int]) -> tuple[int, Answer]:
    try:
        said = json.loads(line)
    except (ValueError, RecursionError):
        raise UserError(f"the describer's answer is no JSON object: {_start(line)}") from None
    if not isinstance(said, dict):
        raise UserError(f"the describer's answer is no JSON object: {_start(line)}")
    number, text = said.get("id"), said.get("text")
    if type(number) is not int or number not in ids:
        raise UserError(f"the describer answered about {str(number)[:40]!r}, which was not asked")
    if not isinstance(text, str):
        raise UserError(f"the describer's answer about {number} has no text")
    return number, Answer(
        label_text(text, f"the describer's text about {number}"),
        predictions(said.get("predict"), f"the describer's answer about {number}"),
    )


def _start(line: bytes) -> str:
    return repr(line[:80].decode("utf-8", "replace"))


def label_text(text: str, what: str) -> str:
    """A text on one line without control characters, signs that turn lines around, or half letters.

    Parameters
    ----------
    text : str
    what : str
        For the message.

    Raises
    ------
    UserError
        For one of more than 500 letters, or of none.
    """
    spaced = "".join(
        " " if one.isspace() else one for one in text[: 4 * LONGEST] if one.isspace() or _is_plain(one)
    )
    kept = re.sub(r" +", " ", spaced).strip()
    if len(kept) > LONGEST or len(text) > 4 * LONGEST:
        raise UserError(f"{what} has {len(text)} letters: {LONGEST} at the most")
    if not kept:
        raise UserError(f"{what} is empty")
    return kept


def _is_plain(letter: str) -> bool:
    return unicodedata.category(letter) not in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")


def predictions(said: object, what: str) -> dict[str, float] | None:
    """A table of activations by token; None where there is none.

    Parameters
    ----------
    said : object
        As JSON has it.
    what : str
        For the message.

    Raises
    ------
    UserError
        For what is no such table, too long, or holds what is not finite.
    """
    if said is None:
        return None
    if not isinstance(said, dict):
        raise UserError(f"{what}: predict is a table of token: activation, not {type(said).__name__}")
    if len(said) > _MOST_TOKENS:
        raise UserError(f"{what}: predict has {len(said)} tokens: {_MOST_TOKENS} at the most")
    found = {}
    for token, value in said.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not _is_finite(value):
            raise UserError(
                f"{what}: predict of {str(token)[:40]!r} is {str(value)[:40]}, not a finite number"
            )
        found[str(token)] = float(value)
    return found


def _is_finite(value: float) -> bool:
    try:
        return abs(float(value)) < 1e30 and math.isfinite(value)
    except OverflowError:
        return False


def _run(
    command: str, questions: Sequence[Mapping[str, Any]], seconds: float
) -> Generator[bytes, None, None]:
    """The lines that a program answers; it is ended, with all that it started, whatever happens."""
    words = list[str]()
    try:
        words = shlex.split(command)
        if not words:
            raise ValueError("no command")
        process = subprocess.Popen(
            words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        program = f" {Path(words[0]).name!r}" if words else ""  # of the rest a part may be somebody's key
        raise UserError(f"the describer{program} cannot be run: {why}") from error
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    lines: queue.Queue[bytes | None] = queue.Queue(maxsize=64)
    tail, ended = [b""], threading.Event()
    threads = [
        threading.Thread(target=_write, args=(process.stdin, questions), daemon=True),
        threading.Thread(target=_read, args=(process.stdout, lines, ended), daemon=True),
        threading.Thread(target=_keep_tail, args=(process.stderr, tail), daemon=True),
    ]
    for thread in threads:
        thread.start()
    try:
        yield from _lines(lines, len(questions), seconds)
        status = process.wait(timeout=seconds)
        if status:
            threads[2].join(timeout=1)
            said = printable(tail[0].decode("utf-8", "replace").strip().rpartition("\n")[2][:200])
            raise UserError(f"the describer ended with status {status}{f': {said}' if said else ''}")
    except subprocess.TimeoutExpired:
        raise UserError(f"the describer did not end within {seconds:g} s of its last answer") from None
    finally:
        ended.set()
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for (
            thread
        ) in threads:  # each closes its pipe, unless a program that left the group holds the other end
            thread.join(timeout=2)


def _lines(lines: "queue.Queue[bytes | None]", n: int, seconds: float) -> Iterator[bytes]:
    answered, ends = 0, time.monotonic() + seconds
    while True:
        try:
            left = ends - time.monotonic()
            line = lines.get(block=left > 0, timeout=max(left, 0))
            if left <= 0:  # as many empty lines as there may be
                raise queue.Empty
        except queue.Empty:
            raise UserError(
                f"the describer was silent for {seconds:g} s after {answered} of {n} answers: it was stopped"
            ) from None
        if line is None:
            return
        if len(line) > _MOST_LINE:
            raise UserError(f"an answer of the describer is longer than {_MOST_LINE} bytes")
        if not line.strip():
            continue
        answered += 1
        if answered > n:
            raise UserError(f"the describer gave more than the {n} answers that it was asked for")
        yield line
        ends = time.monotonic() + seconds  # an empty line is no answer


def _write(stream: IO[bytes], questions: Iterable[Mapping[str, Any]]) -> None:
    with contextlib.suppress(OSError, ValueError), stream:  # it may end before it has read all
        for one in questions:
            stream.write(_line(one))


def _line(question: Mapping[str, Any]) -> bytes:
    return json.dumps(question, allow_nan=False).encode() + b"\n"


def _read(stream: IO[bytes], lines: "queue.Queue[bytes | None]", ended: threading.Event) -> None:
    with contextlib.suppress(OSError, ValueError), stream:
        while not ended.is_set() and (line := stream.readline(_MOST_LINE + 2)):
            _put(lines, line, ended)
    _put(lines, None, ended)


def _put(lines: "queue.Queue[bytes | None]", line: bytes | None, ended: threading.Event) -> None:
    while not ended.is_set():
        with contextlib.suppress(queue.Full):
            lines.put(line, timeout=0.2)
            return


def _keep_tail(stream: IO[bytes], tail: list[bytes]) -> None:
    with contextlib.suppress(OSError, ValueError), stream:
        while part := stream.read1(1 << 16):  # type: ignore[attr-defined]
            tail[0] = (tail[0] + part)[-_TAIL:]


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """What is sent goes to the address that was named, and to no other."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        """No other request: the answer stands as an error."""


def _posted(
    address: str, questions: Sequence[Mapping[str, Any]], seconds: float
) -> Generator[bytes, None, None]:
    opener = urllib.request.build_opener(_NoRedirects())
    host = address.split("/")[2].rpartition("@")[2]  # what else it holds may be somebody's key
    for one in track(questions, "describing"):
        try:
            request = urllib.request.Request(
                address, data=_line(one), headers={"Content-Type": "application/json"}, method="POST"
            )
            with opener.open(request, timeout=seconds) as response:
                said = response.read(_MOST_LINE + 1)
        except urllib.error.HTTPError as error:
            raise UserError(f"the describer at {host} answered {error.code} {error.reason}") from error
        except (urllib.error.URLError, OSError, http.client.HTTPException, ValueError) as error:
            raise UserError(f"the describer at {host} cannot be reached: {first_line(error)}") from error
        if len(said) > _MOST_LINE:
            raise UserError(f"an answer of the describer is longer than {_MOST_LINE} bytes")
        yield said


def read_labels(path: Path, n: Mapping[Of, int]) -> dict[Of, dict[int, Answer]]:
    """A user's own labels: a .csv of ``feature,label`` or ``unit,label``, with ``predict`` (a JSON table) or without.

    Parameters
    ----------
    path : Path
    n : mapping
        How many units and features there are.

    Returns
    -------
    dict
        ``"unit"`` or ``"feature"`` -> number -> answer.

    Raises
    ------
    UserError
        For another file, numbers that do not exist or come twice, labels that are too long.
    """
    path = path.expanduser()
    try:
        if path.stat().st_size > _MOST_FILE:
            raise UserError(f"{path} is larger than {_MOST_FILE >> 20} MiB: no list of labels is")
        text = path.read_text("utf-8-sig")
        reader = csv.DictReader(io.StringIO(text), strict=True)
        rows = list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path} cannot be read as labels: {first_line(error)}") from error
    columns = list(reader.fieldnames or ()) if rows else []
    kinds = [of for of in OF if of in columns]
    if len(kinds) != 1 or columns.count(kinds[0]) > 1 or columns.count("label") != 1:
        raise UserError(f"{path}: a list of labels is a .csv with the columns feature,label or unit,label")
    of = kinds[0]
    if of not in n:
        raise UserError(f"{path} labels {of}s, which are not described here")
    found: dict[int, Answer] = {}
    for line, row in enumerate(rows, 2):
        where = f"{path} row {line}"
        number = _number(row.get(of), n[of], of, where)
        if number in found:
            raise UserError(f"{where}: {of} {number} has a label already")
        found[number] = Answer(
            label_text(row.get("label") or "", f"{where}: the label"),
            predictions(_table(row.get("predict"), where), where),
        )
    return {of: found}


def _number(said: str | None, n: int, of: str, where: str) -> int:
    text = (said or "").strip()
    if not re.fullmatch(r"[0-9]{1,9}", text) or int(text) >= n:
        raise UserError(f"{where}: there is no {of} {text[:40]!r}: they are numbered 0 to {n - 1}")
    return int(text)


def _table(said: str | None, where: str) -> object:
    if not (said or "").strip():
        return None
    try:
        return json.loads(said or "")
    except (ValueError, RecursionError):
        raise UserError(f"{where}: predict is no JSON table of token: activation") from None
