"""How a board's tables change over time: numbered steps, each whole or not at all.

A board that Brain-Score's own code made has none of these steps behind it; it is opened like an older board of ours.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import peewee

from ...errors import UserError
from .names import free_slug
from .tables import (
    BRAINSCORE,
    CURRENT,
    EXTENSION,
    LOCK,
    BenchmarkRow,
    CeilingRow,
    MigrationRow,
    ModelRow,
    RevisionRow,
    ScoreRow,
)
from .tables import database_models as brainscore

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
            with _alone(database):
                if not MigrationRow.select().where(MigrationRow.version == version).exists():
                    change(database)
                    MigrationRow.create(version=version, name=name, applied_at=now())


def now() -> datetime:
    """The time, in UTC, as the tables keep it."""
    return datetime.now(UTC).replace(tzinfo=None)


@contextmanager
def _alone(database: Any) -> Iterator[None]:
    """A transaction that excludes other processes which open the same board."""
    if isinstance(database, peewee.SqliteDatabase):
        with database.atomic("IMMEDIATE"):
            yield
        return
    with database.atomic():
        database.execute_sql("SELECT pg_advisory_xact_lock(%s)", (LOCK,))
        yield


def _first_tables(database: Any) -> None:
    """All tables; what Brain-Score's own code had stored becomes part of the board."""
    database.create_tables([*BRAINSCORE, *EXTENSION], safe=True)
    if isinstance(database, peewee.PostgresqlDatabase):
        _double_precision(database)
    RevisionRow.create(id=1, value=1)
    taken: set[str] = set()
    for benchmark in brainscore.BenchmarkType.select():
        BenchmarkRow.create(
            benchmark=benchmark,
            slug=free_slug(benchmark.identifier, taken),
            kind="neural",
            dataset=benchmark.identifier.split(".")[0],
            region=benchmark.parent_id or "",
            metric=benchmark.identifier.rpartition("-")[2],
        )
    for instance in brainscore.BenchmarkInstance.select():
        CeilingRow.create(instance=instance, kind="internal_consistency")
    taken = set()
    for model in brainscore.Model.select():
        ModelRow.create(model=model, slug=free_slug(model.name, taken))
    newest: dict[tuple[int, int], Any] = {}
    for score in brainscore.Score.select().order_by(brainscore.Score.id):
        newest[score.model_id, score.benchmark_id] = score
    for score in newest.values():
        ScoreRow.create(
            score=score,
            submission=score.model.submission_id,
            state=CURRENT,
            key="",
            layer="",
            normalisation="",
        )


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
