"""The commands that submit results, and those of whoever runs a board."""

import os
import socket
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated

import typer

from ...errors import UserError
from .board_staff import Board, amend, declare, declare_all
from .common import SETTINGS, Json, Runs, print_json, say

To = Annotated[
    str | None,
    typer.Option(help="A file, postgresql://..., or the https://... of a server (token in BRODMANN_TOKEN)."),
]

leaderboard = typer.Typer(
    **SETTINGS,
    help="A leaderboard of one's own: serve it, export it, fill it.\n\n"
    "For example:  brodmann leaderboard serve --board board.sqlite",
)
leaderboard.add_typer(amend, name="amend")
leaderboard.command()(declare)


def submit(
    runs: Runs,
    to: To = None,
    cards: Annotated[
        Path | None,
        typer.Option("--card", help="A TOML file: a table a model with family, training_data, url..."),
    ] = None,
    title: Annotated[str, typer.Option(help="Of the submission.")] = "",
    rename: Annotated[list[str] | None, typer.Option(help="OLD=NEW: another name for a model.")] = None,
    who: Annotated[
        str | None, typer.Option("--as", help="In whose name, on a file or database of one's own.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check and show what would be sent.")] = False,
    brain_score: Annotated[
        Path | None, typer.Option(help="Send nothing: write a Brain-Score plugin into this folder.")
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="For the plugin: which model, as brodmann score takes it.")
    ] = None,
    identifier: Annotated[str | None, typer.Option(help="For the plugin: its name.")] = None,
    metadata: Annotated[
        bool, typer.Option("--metadata", help="For the plugin: metadata.yml, too, for a pull request.")
    ] = False,
    python: Annotated[
        Path | None, typer.Option(help="For the plugin: an interpreter that has Brain-Score, to check with.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Submit stored scores and layouts to a leaderboard: data, never code. Or write a plugin for Brain-Score.

    For example:

      brodmann submit mine --to board.sqlite

      brodmann submit mine --brain-score plugins --model cifar10-resnet20

      BRODMANN_TOKEN=... brodmann submit mine layouts --card cards.toml --to https://board.example.org
    """
    if brain_score is not None:
        from .plugins import export_model

        if to is not None:
            raise UserError("choose one: --to sends scores to a leaderboard, --brain-score writes a plugin")
        export_model(
            runs, model, brain_score, metadata=metadata, identifier=identifier, python=python, as_json=as_json
        )
        return
    if model is not None or identifier is not None or metadata or python is not None:
        raise UserError("--model, --identifier, --metadata and --python belong to --brain-score FOLDER")
    from ..leaderboard.submission.build import gathered
    from ..leaderboard.submit import renamed, send

    document, notes = gathered(runs, cards=cards, title=title)
    document = renamed(document, _pairs(rename or []))
    if dry_run:
        _show(document, notes, as_json=as_json)
        return
    receipt = send(document, to, who=who)
    if as_json:
        print_json({**receipt.__dict__, "notes": notes})
        return
    state = "was here before: it counts once" if receipt.duplicate else "taken"
    say(f"submission  {receipt.submission}, {state}")
    say(f"scores      {receipt.new} new, {receipt.replaced} in place of earlier ones, {receipt.known} known")
    say(f"digest      {receipt.digest}")
    for note in notes:
        say(f"note        {note}")


@leaderboard.command()
def serve(
    board: Board = None,
    host: Annotated[str, typer.Option(help="Where to listen; 0.0.0.0 for everybody.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535)] = 8000,
    address: Annotated[str | None, typer.Option(help="Under which people reach it, e.g. https://...")] = None,
    writes: Annotated[int, typer.Option(min=1, help="Submissions a minute and token.")] = 60,
    reads: Annotated[int, typer.Option(min=1, help="Requests a minute and address.")] = 6000,
    megabytes: Annotated[int, typer.Option(min=1, max=512, help="The largest submission.")] = 8,
    benchmarks: Annotated[
        str | None, typer.Option(help="Benchmarks to declare first, separated by commas.")
    ] = None,
    proxy: Annotated[
        list[str] | None,
        typer.Option(help="A web server before this one, by address: whom it reports is who asks."),
    ] = None,
) -> None:
    """Serve a board: pages for people, and an interface with an OpenAPI schema at /openapi.json.

    For example:  brodmann leaderboard serve --board board.sqlite --port 8000
    """
    import logging

    from ..leaderboard.web.app import make_app
    from ..leaderboard.web.connections import BoardServer, BoundedLog
    from ..leaderboard.web.rate_limit import Limits

    for one in proxy or []:
        try:
            ip_network(one)
        except ValueError as error:
            raise UserError(f"--proxy takes an address or a network, e.g. 127.0.0.1, not {one!r}") from error
    declare_all(board, [one for one in (benchmarks or "").split(",") if one.strip()])
    shown = address or f"http://{host if ':' not in host else f'[{host}]'}:{port}"
    limits = Limits(reads_per_minute=reads, writes_per_minute=writes, max_bytes=megabytes << 20)
    logging.basicConfig(handlers=[BoundedLog()], format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    with _listening(host, port) as listening:
        app = make_app(board, limits=limits, address=shown)
        say(f"the board is at {shown}; stop it with Ctrl-C", flush=True)
        BoardServer(app, listening, max_bytes=limits.max_bytes, proxies=proxy or []).run()


@leaderboard.command()
def export(
    folder: Annotated[Path, typer.Argument(help="Where the pages go.")],
    board: Board = None,
    address: Annotated[str, typer.Option(help="Of the server that takes submissions.")] = "board.sqlite",
) -> None:
    """Write the pages of a board as a folder of files, for any web server or none.

    For example:  brodmann leaderboard export site --board board.sqlite
    """
    from ..leaderboard.storage.database import open_board
    from ..leaderboard.web.static_site import write_site

    paths = write_site(open_board(board, create=False), folder, address=address)
    say(f"site      {paths[0]}\nfiles     {len(paths)}")


@leaderboard.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="A CSV file: benchmark, model, score, and layer, error.")],
    board: Board = None,
    about: Annotated[
        Path | None, typer.Option(help="A TOML file that says what benchmarks and models are.")
    ] = None,
    who: Annotated[str, typer.Option("--as", help="To whom the models then belong.")] = "published",
    as_json: Json = False,
) -> None:
    """Put a published table of scores on a board, all or none.

    For example:  brodmann leaderboard import scores.csv --board board.sqlite
    """
    from ..leaderboard.storage.csv_import import import_scores
    from ..leaderboard.storage.database import open_board

    opened = open_board(board)
    receipt = import_scores(opened, file, opened.person(who), about=about)
    if as_json:
        print_json(dict(receipt.__dict__))
        return
    said = (
        "was here before: nothing changed"
        if receipt.duplicate
        else f"{receipt.new + receipt.replaced} scores"
    )
    say(f"imported  {file.name}: {said}")


@leaderboard.command("show")
def show_board(
    board: Board = None,
    domain: Annotated[str, typer.Option(help="vision or language.")] = "",
    sort: Annotated[str, typer.Option(help="average, name, parameters, or a benchmark.")] = "average",
    as_json: Json = False,
) -> None:
    """Show a board in the terminal.

    For example:  brodmann leaderboard show --board board.sqlite --domain language
    """
    from ..leaderboard.storage.database import open_board
    from ..leaderboard.storage.snapshot import read_snapshot
    from ..leaderboard.web.exports import describe_table
    from ..leaderboard.web.ranking import Selection, table_of
    from .terminal import table

    opened = open_board(board, create=False)
    revision = opened.revision()
    with opened.reading():
        snapshot = read_snapshot(revision)
    found = table_of(snapshot, Selection(domain=domain or snapshot.domains[0], sort=sort))
    if as_json:
        print_json(describe_table(found))
        return
    columns = found.columns[:6]
    rows = [
        (_rank(row.rank, row.between), row.model.name, *(_cell(row.values.get(one.key)) for one in columns))
        for row in found.rows
    ]
    heads = ("#", "model", *(one.label for one in columns))
    table(f"{found.n_models} {found.selection.domain} models", heads, rows)


@leaderboard.command()
def token(
    name: Annotated[str, typer.Argument(help="Of whoever submits with it.")],
    board: Board = None,
    days: Annotated[int, typer.Option(min=1, max=3650, help="How long it is valid.")] = 365,
    staff: Annotated[bool, typer.Option("--staff", help="May withdraw what others submitted.")] = False,
) -> None:
    """Make a token for somebody. It is shown this once, and kept only as a hash.

    For example:  brodmann leaderboard token ada --board board.sqlite
    """
    from ..leaderboard.storage import accounts
    from ..leaderboard.storage.database import open_board

    opened = open_board(board)
    with opened.change(shown=False):
        made = accounts.new_token(accounts.person(name, staff=staff), days=days)
    say(made)


@leaderboard.command()
def tokens(board: Board = None, as_json: Json = False) -> None:
    """List the tokens, without their secrets.

    For example:  brodmann leaderboard tokens --board board.sqlite
    """
    from ..leaderboard.storage import accounts
    from ..leaderboard.storage.database import open_board
    from .terminal import table

    with open_board(board, create=False).reading():
        found = [
            {
                name: f"{value:%Y-%m-%d}" if hasattr(value, "strftime") else value
                for name, value in one.items()
            }
            for one in accounts.tokens()
        ]
    if as_json:
        print_json({"tokens": found})
        return
    heads = ("id", "submitter", "created", "expires", "revoked")
    table(
        f"{len(found)} tokens",
        heads,
        [tuple(str(one[name] or "") for name in heads) for one in found],
    )


@leaderboard.command()
def audit(
    board: Board = None,
    limit: Annotated[int, typer.Option(min=1, help="How many lines.")] = 50,
    as_json: Json = False,
) -> None:
    """Show who changed a board, and when; newest first.

    For example:  brodmann leaderboard audit --board board.sqlite
    """
    from ..leaderboard.storage import accounts
    from ..leaderboard.storage.database import open_board
    from .terminal import table

    with open_board(board, create=False).reading():
        found = accounts.audited(limit)
    if as_json:
        print_json({"audit": found})
        return
    heads = ("time", "who", "action", "subject", "detail")
    table(f"{len(found)} changes", heads, [tuple(one[name] for name in heads) for one in found])


@leaderboard.command()
def revoke(
    identifier: Annotated[str, typer.Argument(help="The token's id, as tokens lists it.")],
    board: Board = None,
) -> None:
    """End a token.

    For example:  brodmann leaderboard revoke 0123456789abcdef --board board.sqlite
    """
    from ..leaderboard.storage import accounts
    from ..leaderboard.storage.database import open_board

    opened = open_board(board, create=False)
    with opened.change(shown=False):
        accounts.revoke_token(identifier)
    say(f"revoked   {identifier}")


@leaderboard.command()
def withdraw(
    submission: Annotated[int, typer.Argument(min=1, help="The submission's number.")],
    board: Board = None,
    to: To = None,
    reason: Annotated[str, typer.Option(help="Kept in the history.")] = "",
    who: Annotated[
        str | None, typer.Option("--as", help="In whose name, on a file or database of one's own.")
    ] = None,
) -> None:
    """Take a submission back; its scores stay in the history.

    For example:

      brodmann leaderboard withdraw 3 --board board.sqlite --reason "wrong weights"

      BRODMANN_TOKEN=... brodmann leaderboard withdraw 3 --to https://board.example.org
    """
    from ..leaderboard.submit import withdraw as take_back

    if board and to:
        raise UserError("choose one: --board is a file or database, --to may be a server, too")
    n = take_back(submission, to or board, reason=reason, who=who)
    say(f"withdrawn {n} scores of submission {submission}")


def _listening(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # named as TCP, or else asyncio leaves small answers waiting for an acknowledgement (40 ms each)
    made = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((host, port))
        made.listen(2048)
    except OSError as error:
        made.close()
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
        raise UserError(f"cannot listen at {host}, port {port}: {reason}; choose another") from error
    return made


def _pairs(given: list[str]) -> dict[str, str]:
    pairs = {}
    for one in given:
        old, equals, new = one.partition("=")
        if not equals or not old or not new:
            raise UserError(f"--rename takes OLD=NEW, not {one!r}")
        pairs[old] = new
    return pairs


def _show(document: dict[str, object], notes: list[str], *, as_json: bool) -> None:
    import json

    from ..leaderboard.submission.schema import parse_submission

    found = parse_submission(json.dumps(document, allow_nan=False).encode())
    if as_json:
        print_json({"submission": document, "notes": notes})
        return
    for one in found.scores:
        say(
            f"{one.model}  on  {one.benchmark} (version {one.benchmark_version}): {one.score:.3f}, layer {one.layer}"
        )
    say(
        f"{len(found.models)} models, {len(found.scores)} scores, {len(found.layouts)} layouts; nothing was sent"
    )
    for note in notes:
        say(f"note      {note}")


def _rank(rank: int | None, between: tuple[int, int] | None) -> str:
    """With its 95 % interval."""
    return "" if rank is None else f"{rank}" if between is None else f"{rank} ({between[0]}-{between[1]})"


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"
