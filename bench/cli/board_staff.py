"""The commands of whoever runs a board: what a benchmark is, and what may be amended."""

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ...errors import UserError
from .common import SETTINGS, Json, print_json, say

if TYPE_CHECKING:
    from ..leaderboard.storage.accounts import Person
    from ..leaderboard.storage.board import Board as OpenBoard

BOARD = "A file, or postgresql://USER:PASSWORD@HOST/DATABASE; leaderboard.sqlite3 in the home by default."
Board = Annotated[str | None, typer.Option("--board", help=BOARD)]
Reason = Annotated[str, typer.Option(help="Kept in the history.")]
As = Annotated[str | None, typer.Option("--as", help="In whose name; the name of the account by default.")]
Run = Annotated[
    str | None, typer.Option("--from", help="A run of one's own with a score on it, instead of the data.")
]
Place = Annotated[str, typer.Option(help="The regions that it lies in, the largest first, e.g. IT/hIT.")]
Bound = Annotated[float | None, typer.Option(help="The best raw value that the data allow.")]
Model = Annotated[str, typer.Argument(help="A model's name on the board.")]
Score = Annotated[int, typer.Argument(min=1, help="The score's number.")]

amend = typer.Typer(
    **SETTINGS,
    help="Correct a board; everything keeps its history (brodmann leaderboard audit).\n\n"
    "For example:  brodmann leaderboard amend rename net-a net-b --board board.sqlite",
)


def declare(
    benchmarks: Annotated[list[str], typer.Argument(help="Identifiers of benchmarks.")],
    board: Board = None,
    run: Run = None,
    place: Place = "",
    bound: Bound = None,
    who: As = None,
    reason: Reason = "",
    as_json: Json = False,
) -> None:
    """Say what benchmarks are on a board, from their data: only declared ones are checked, averaged and ranked.

    For example:  brodmann leaderboard declare kriegeskorte2008.hIT-rsa --board board.sqlite
    """
    _declare(benchmarks, board, run, place, bound, who, reason, as_json=as_json, again=False)


@amend.command("declare")
def declare_again(
    benchmarks: Annotated[list[str], typer.Argument(help="Identifiers of benchmarks.")],
    board: Board = None,
    run: Run = None,
    place: Place = "",
    bound: Bound = None,
    who: As = None,
    reason: Reason = "",
    as_json: Json = False,
) -> None:
    """Declare benchmarks again, in place of what was declared; every score is held against the new declaration.

    For example:  brodmann leaderboard amend declare tuckute2024.netw-ridge --place "language network/netw"
    """
    _declare(benchmarks, board, run, place, bound, who, reason, as_json=as_json, again=True)


@amend.command()
def rename(old: Model, new: str, board: Board = None, who: As = None, reason: Reason = "") -> None:
    """Give a model another name; the old one stays its own.

    For example:  brodmann leaderboard amend rename net-a net-b --board board.sqlite
    """
    from ..leaderboard.storage import amend as change

    opened, staff = _staff(board, who)
    change.rename(opened, old, new, staff, reason)
    say(f"renamed   {old} is {new}")


@amend.command()
def merge(name: Model, into: Model, board: Board = None, who: As = None, reason: Reason = "") -> None:
    """Move a model's scores to another, of which it is a second name.

    For example:  brodmann leaderboard amend merge net-a-copy net-a --board board.sqlite
    """
    from ..leaderboard.storage import amend as change

    opened, staff = _staff(board, who)
    n = change.merge(opened, name, into, staff, reason)
    say(f"merged    {n} scores of {name} into {into}")


@amend.command()
def correct(
    name: Model,
    changes: Annotated[list[str], typer.Argument(help="FIELD=VALUE of its card, e.g. family=ResNet.")],
    board: Board = None,
    who: As = None,
    reason: Reason = "",
) -> None:
    """Correct a model's card.

    For example:  brodmann leaderboard amend correct net-a family=ResNet parameters=25557032
    """
    from ..leaderboard.storage import amend as change

    opened, staff = _staff(board, who)
    change.correct(opened, name, dict(_change(one) for one in changes), staff, reason)
    say(f"corrected {', '.join(one.partition('=')[0] for one in changes)} of {name}")


@amend.command()
def accept(score: Score, board: Board = None, who: As = None, reason: Reason = "") -> None:
    """Give a score that is held its rank.

    For example:  brodmann leaderboard amend accept 12 --reason "their code was run here"
    """
    from ..leaderboard.storage import amend as change

    opened, staff = _staff(board, who)
    change.accept(opened, score, staff, reason)
    say(f"accepted  score {score}")


@amend.command()
def hold(score: Score, board: Board = None, who: As = None, reason: Reason = "") -> None:
    """Take a score out of the ranks; it is still shown.

    For example:  brodmann leaderboard amend hold 12 --reason "trained on the test stimuli"
    """
    from ..leaderboard.storage import amend as change

    opened, staff = _staff(board, who)
    change.hold(opened, score, staff, reason)
    say(f"held      score {score}")


@amend.command()
def ban(name: str, board: Board = None, who: As = None, reason: Reason = "") -> None:
    """Shut a submitter out and withdraw all that they submitted.

    For example:  brodmann leaderboard amend ban mallory --board board.sqlite --reason "made-up numbers"
    """
    from ..leaderboard.storage import amend as change

    opened, staff = _staff(board, who)
    n = change.ban(opened, name, staff, reason)
    say(f"banned    {name}; {n} scores withdrawn")


@amend.command()
def unban(name: str, board: Board = None, who: As = None, reason: Reason = "") -> None:
    """Let a submitter in again.

    For example:  brodmann leaderboard amend unban mallory --board board.sqlite
    """
    from ..leaderboard.storage import amend as change

    opened, staff = _staff(board, who)
    change.unban(opened, name, staff, reason)
    say(f"let in    {name}")


def reproduce(
    board: Annotated[str, typer.Argument(help="A file, postgresql://..., or the https://... of a server.")],
    model: Annotated[str, typer.Argument(help="The model's name on the board.")],
    benchmark: Annotated[str, typer.Argument(help="The benchmark.")],
    source: Annotated[
        str | None,
        typer.Option("--model", help="How brodmann score names the model, where that is another name."),
    ] = None,
    run: Annotated[str | None, typer.Option(help="The run that keeps the record.")] = None,
    who: As = None,
    as_json: Json = False,
) -> None:
    """Compute somebody else's score again from its provenance, and attach what was found to it.

    For example:  brodmann reproduce board.sqlite net-a tuckute2024.netw-ridge --model hf:FOLDER
    """
    from ..leaderboard.reproduce import reproduce as again

    found = again(board, model, benchmark, source=source, run=run, who=who)
    if as_json:
        print_json(dict(found.__dict__))
        return
    say(f"score     {found.score}: {found.value:.4f} was submitted")
    say(f"found     {found.again:.4f}, which {'agrees' if found.agrees else 'does not agree'}")


def declare_all(board: str | None, benchmarks: list[str]) -> None:
    """Declare those of some benchmarks that are not declared yet, when a server starts."""
    for name in benchmarks:
        _declare([name], board, None, "", None, None, "", as_json=False, again=False)


def _declare(
    benchmarks: list[str],
    board: str | None,
    run: str | None,
    place: str,
    bound: float | None,
    who: str | None,
    reason: str,
    *,
    as_json: bool,
    again: bool,
) -> None:
    from ..leaderboard.storage.declaration import moved, with_bound
    from ..leaderboard.storage.declaring import declare as put

    opened, staff = _staff(board, who)
    said = []
    for name in benchmarks:
        found, arrays = _found(name, run)
        found = moved(found, place) if place else found
        found = with_bound(found, bound) if bound is not None else found
        with opened.change():
            became = put(found, arrays, staff, reason=reason, again=again)
        said.append({**found.model_dump(exclude={"citation"}), **became.__dict__})
    if as_json:
        print_json({"declared": said})
        return
    for one in said:
        state = "was declared before" if not one["new"] else f"{one['fit']} scores fit, {one['unfit']} do not"
        say(f"declared  {one['benchmark']} version {one['version']} ({one['scale']}): {state}")


def _found(name: str, run: str | None) -> Any:
    from ..leaderboard.storage.declaration import declaration_of, declaration_of_record

    if run is None:
        return declaration_of(name)
    from ..reports.collect import compare

    held = compare([run])
    for record, arrays in zip(held.records, held.arrays, strict=True):
        if record["benchmark"] == name and record["model"] != "brain":
            return declaration_of_record(record, arrays)
    known = sorted({one["benchmark"] for one in held.records})
    raise UserError(f"{run} holds no score on {name}; it has {', '.join(known)}")


def _staff(board: str | None, who: str | None) -> "tuple[OpenBoard, Person]":
    """A board and somebody who runs it, as everybody does who may write its file."""
    from ..leaderboard.storage.database import open_board
    from ..leaderboard.submit import account_name

    opened = open_board(board)
    return opened, replace(opened.person(who or account_name()), staff=True)


def _change(said: str) -> tuple[str, Any]:
    import json

    field, equals, value = said.partition("=")
    if not equals or not field:
        raise UserError(f"a correction is FIELD=VALUE, not {said!r}")
    try:
        known = json.loads(value)
    except ValueError:
        known = value
    return field, known if isinstance(known, (int, bool)) or known is None else value
