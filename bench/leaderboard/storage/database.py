"""Opening a board: one SQLite file, or a PostgreSQL database; its tables brought up to date."""

import os
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import peewee
from playhouse.pool import PooledPostgresqlDatabase, PooledSqliteDatabase

from ....errors import UserError, first_line
from ....files import home
from .board import Board
from .brainscore_import import adopt
from .migrations import migrate
from .models import BRAINSCORE, EXTENSION
from .models import database_models as brainscore

_BUSY_S = 60
_SQLITE = b"SQLite format 3\0"


def default_board() -> Path:
    """The board of a person who names none."""
    return home() / "leaderboard.sqlite3"


def open_board(address: str | Path | None = None, *, create: bool = True) -> Board:
    """Open a board and bring its tables up to date.

    A process has one board open at a time: Brain-Score's tables belong to the last one that was opened.

    Parameters
    ----------
    address : str or Path, optional
        A file, or ``postgresql://USER:PASSWORD@HOST:PORT/DATABASE``; by default the file
        ``leaderboard.sqlite3`` in the home.
    create : bool
        Whether a file that is not there is made.

    Raises
    ------
    UserError
        For a file that is no board, a server that does not answer, or a board of a later version.
    """
    database = _database(str(address or default_board()), create=create)
    close_board()
    brainscore.database_proxy.initialize(database)
    for table in (*BRAINSCORE, *EXTENSION):
        table._meta.schema = None
    try:
        with database.connection_context():
            migrate(database)
            adopt(database)
    except peewee.PeeweeException as error:
        raise UserError(
            f"cannot open the board {_shown_address(str(address))}: {first_line(error)}"
        ) from error
    return Board(database)


def close_board() -> None:
    """Close the connections of the board that this process has open."""
    open_now = brainscore.database_proxy.obj
    if open_now is not None and hasattr(open_now, "close_all"):
        open_now.close_all()


def _database(address: str, *, create: bool) -> Any:
    if address.startswith(("postgresql://", "postgres://")):
        return _postgres(address)
    if "://" in address:
        raise UserError(f"a board is a file or postgresql://..., not {_shown_address(address)}")
    path = Path(address).expanduser()
    if path.is_dir():
        raise UserError(f"{path} is a folder: a board is a file, e.g. {path / 'board.sqlite'}")
    if not path.exists() and not create:
        raise UserError(f"no board at {path}: make one with brodmann submit RUN --to {path}")
    if path.exists() and path.stat().st_size and not _is_sqlite(path):
        raise UserError(f"{path} is not a board (no SQLite file): name another file")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            path.touch(mode=0o600)  # it holds the digests of tokens
    except OSError as error:
        raise UserError(f"cannot make the board {path}: {error.strerror}") from error
    if not os.access(path, os.W_OK):
        raise UserError(f"the board {path} may not be written: change its permissions")
    pragmas = {"busy_timeout": _BUSY_S * 1000, "journal_mode": "wal", "synchronous": "full"}
    pragmas |= {"foreign_keys": 1, "cache_size": -65536}
    # `timeout` is how long one waits for a connection of the pool; for another process, it is the pragma
    return PooledSqliteDatabase(
        str(path), pragmas=pragmas, timeout=_BUSY_S, max_connections=64, check_same_thread=False
    )


def _is_sqlite(path: Path) -> bool:
    try:
        with path.open("rb") as stream:
            return stream.read(len(_SQLITE)) == _SQLITE
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error


def _postgres(address: str) -> Any:
    parts = urlsplit(address)
    name = parts.path.removeprefix("/")
    if not name:
        raise UserError(
            "the address of a PostgreSQL board ends in the database: postgresql://USER@HOST/DATABASE"
        )
    known = {
        "user": parts.username and unquote(parts.username),
        "password": parts.password and unquote(parts.password),
        "host": parts.hostname,
        "port": parts.port,
        "connect_timeout": 10,
    }
    return PooledPostgresqlDatabase(
        name,
        max_connections=64,
        stale_timeout=300,
        timeout=_BUSY_S,
        **{key: value for key, value in known.items() if value is not None},
    )


def _shown_address(address: str) -> str:
    """An address without its password."""
    parts = urlsplit(address)
    return address.replace(f":{parts.password}@", ":...@") if parts.password else address
