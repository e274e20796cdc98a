"""How a board's tables change over time: numbered steps, each whole or not at all."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import peewee

from ....errors import UserError
from .models import (
    BRAINSCORE,
    EXTENSION,
    LOCK,
    BenchmarkRow,
    DeclarationRow,
    DrawsRow,
    MigrationRow,
    NameRow,
    ReproductionRow,
    RevisionRow,
    ScoreRow,
)
from .models import database_models as brainscore
from .names import looks
from .regions import place_of

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


_SPREAD = {
    "brodmann_score": (
        "shown",
        "raw layer normalisation low high p n_stimuli n_neuroids n_left_out seed model_digest code_digest",
    ),
    "brodmann_model": ("card", "title topographic license citation url"),
}
"""What had a column for each of its fields: the column that holds them now, and those of before."""


def _one_record(database: Any) -> None:
    """Scores and cards keep their fields together, so that a new one needs no column."""
    for table, (whole, names) in _SPREAD.items():
        there = {column.name for column in database.get_columns(table)}
        older = [name for name in names.split() if name in there]
        if not older:  # the board was made with the tables of now
            continue
        if whole not in there:
            database.execute_sql(f"ALTER TABLE {table} ADD COLUMN {whole} TEXT NOT NULL DEFAULT '{{}}'")
            _gather(database, table, whole, older)
        for name in older:
            database.execute_sql(f"ALTER TABLE {table} DROP COLUMN {name}")


def _gather(database: Any, table: str, whole: str, older: Sequence[str]) -> None:
    mark = "%s" if isinstance(database, peewee.PostgresqlDatabase) else "?"
    rows = database.execute_sql(f"SELECT score_id, {', '.join(older)} FROM {table}").fetchall()
    for key, *values in rows:
        named = dict(zip(older, values, strict=True))
        named["normalization"] = named.pop("normalisation")
        database.execute_sql(
            f"UPDATE {table} SET {whole} = {mark} WHERE score_id = {mark}", (json.dumps(named), key)
        )


def _declarations(database: Any) -> None:
    """Declarations, names that look alike, marks, draws; what a board holds is undeclared until somebody declares it.

    What came from a published table, or from Brain-Score's own code, was put there by who runs the board.
    """
    database.create_tables([DeclarationRow, NameRow, DrawsRow, ReproductionRow], safe=True)
    if "marks" not in {column.name for column in database.get_columns("brodmann_score")}:
        database.execute_sql("ALTER TABLE brodmann_score ADD COLUMN marks TEXT NOT NULL DEFAULT '{}'")
    for model in brainscore.Model.select():
        NameRow.get_or_create(name=model.name, defaults={"looks": looks(model.name), "model": model})
    origins: dict[int, set[str]] = {}
    rows = (
        brainscore.Score.select(brainscore.Score.benchmark, brainscore.Submission.model_type)
        .join(ScoreRow, on=(ScoreRow.score == brainscore.Score.id))
        .join(brainscore.Submission, on=(ScoreRow.submission == brainscore.Submission.id))
    )
    for instance, origin in rows.tuples():
        origins.setdefault(instance, set()).add(origin)
    for instance, found in origins.items():
        if "brodmann" not in found:
            declare_as_it_is(instance, "published" if "published" in found else "brainscore")


def declare_as_it_is(instance: int, origin: str) -> None:
    """Declare a version of a benchmark whose scores came from elsewhere, with nothing to hold others against."""
    one = brainscore.BenchmarkInstance.get_by_id(instance)
    known = BenchmarkRow.get(BenchmarkRow.benchmark == one.benchmark_type_id)
    domain, scale = (
        one.benchmark.domain,
        "as published" if origin == "published" else "as Brain-Score wrote it",
    )
    card = {
        "benchmark": one.benchmark_type_id,
        "version": one.version or 1,
        "origin": origin,
        "domain": domain,
        "region": known.region,
        "place": place_of(domain, known.region),
        "scale": scale if one.ceiling is not None or origin == "published" else f"{scale}, without a ceiling",
    }
    DeclarationRow.create(instance=instance, at=now(), user=one.benchmark.owner_id, card=card)


STEPS: list[Step] = [
    (1, "the first tables", _first_tables),
    (2, "indexes", _speed_up),
    (3, "one record a score", _one_record),
    (4, "declarations", _declarations),
]
