"""Boards on both kinds of database."""

from pathlib import Path

import pytest
from boards import Postgres

from brodmann.bench.leaderboard.database import close_board, open_board


@pytest.fixture(scope="session")
def postgres():
    """A PostgreSQL server, where Debian's package is installed."""
    if not any(Path("/usr/lib/postgresql").glob("*/bin/initdb")):
        pytest.skip("no PostgreSQL: apt-get install postgresql")
    server = Postgres()
    yield server
    server.stop()


@pytest.fixture(params=["sqlite", "postgresql"])
def address(request, tmp_path):
    """The address of an empty board."""
    if request.param == "sqlite":
        yield str(tmp_path / "board.sqlite")
    else:
        yield request.getfixturevalue("postgres").database()
    close_board()


@pytest.fixture
def board(address):
    """An empty board that is open."""
    return open_board(address)
