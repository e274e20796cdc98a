"""How a board's tables change over time: numbered steps, each whole or not at all."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import peewee

from ....errors import UserError
from .models import (
    BRAINSCORE,
    EXTENSION,
    LOCK,
    MigrationRow,
    RevisionRow,
)

Step = tuple[int, str, Callable[[Any], None]]


def migrate(database: Any) -> None:
    """Take the steps that a board has not taken yet.

    Raises
    ------
    UserError
        For a board that a later version of brodmann has changed.
    """
    known = max(step[0] for step in STEPS)
    database.create_tables([MigrationRow], safe=True)
    reached = MigrationRow.select(peewee.fn.MAX(MigrationRow.version)).scalar() or 0
    if reached > known:
        raise UserError(
            f"this board has version {reached}, and this brodmann knows {known}: install a newer brodmann"
        )
    for version, name, change in STEPS:
        if version > reached:
            with alone(database):
                if not MigrationRow.select().where(MigrationRow.version == version).exists():
                    change(database)
                    MigrationRow.create(version=version, name=name, applied_at=now())


def now() -> datetime:
    """The time, in UTC, as the tables keep it."""
    return datetime.now(UTC).replace(tzinfo=None)


@contextmanager
def alone(database: Any) -> Iterator[None]:
    """A transaction that excludes other processes which open the same board."""
    if isinstance(database, peewee.SqliteDatabase):
        with database.atomic("IMMEDIATE"):
            yield
        return
    with database.atomic():
        database.execute_sql("SELECT pg_advisory_xact_lock(%s)", (LOCK,))
        yield


def _first_tables(database: Any) -> None:
    """All tables, Brain-Score's own where they are not there yet."""
    database.create_tables([*BRAINSCORE, *EXTENSION], safe=True)
    if isinstance(database, peewee.PostgresqlDatabase):
        _double_precision(database)
    RevisionRow.create(id=1, value=1)


def _double_precision(database: Any) -> None:
    """Scores with all their digits: peewee's columns for them are single precision in PostgreSQL."""
    for table, columns in (
        ("brainscore_score", ("score_raw", "score_ceiled", "error")),
        ("brainscore_benchmarkinstance", ("ceiling", "ceiling_error")),
    ):
        changes = ", ".join(f"ALTER COLUMN {column} TYPE double precision" for column in columns)
        database.execute_sql(f"ALTER TABLE {table} {changes}")


def _speed_up(database: Any) -> None:
    """Indexes that the pages need."""
    for table, columns in (
        ("brodmann_layer", "score_id, position"),
        ("brainscore_score", "model_id, benchmark_id"),
        ("brainscore_score", "benchmark_id"),
        ("brodmann_event", "score_id"),
        ("brodmann_audit", "at"),
    ):
        name = f"{table}_{columns.replace(', ', '_')}"
        database.execute_sql(f"CREATE INDEX IF NOT EXISTS {name} ON {table} ({columns})")


STEPS: list[Step] = [(1, "the first tables", _first_tables), (2, "indexes", _speed_up)]
