"""Reading and changing a board: one change after the other, each whole or not at all."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import peewee

from .tables import LOCK, RevisionRow


class Transactions:
    """Changes of a board, one after the other: each is whole or did not happen."""

    def __init__(self, database: Any) -> None:
        self.database = database
        self._turn = threading.Lock()

    @contextmanager
    def change(self, *, shown: bool = True) -> Iterator[None]:
        """A transaction that no other change overlaps; the revision rises with what pages show."""
        with self._turn, self.database.connection_context():
            if isinstance(self.database, peewee.SqliteDatabase):
                with self.database.atomic("IMMEDIATE"):
                    yield
                    self._next_revision(shown)
                return
            with self.database.atomic():
                self.database.execute_sql("SELECT pg_advisory_xact_lock(%s)", (LOCK,))
                yield
                self._next_revision(shown)

    @contextmanager
    def reading(self) -> Iterator[None]:
        """One state of the board, whatever is written meanwhile."""
        with self.database.connection_context():
            if isinstance(self.database, peewee.SqliteDatabase):
                with self.database.atomic("DEFERRED"):
                    yield
                return
            with self.database.atomic(isolation_level="REPEATABLE READ"):
                yield

    def _next_revision(self, shown: bool) -> None:
        if shown:
            RevisionRow.update(value=RevisionRow.value + 1).execute()
