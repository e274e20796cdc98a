"""The board's tables: Brain-Score's own, and beside them what brodmann adds.

Brain-Score's tables keep their names and meaning (``brainscore_*``), so that its own tools read a board. Each
table here hangs on one of them and says what they have no column for: layers,
intervals, provenance, layouts, digests, history.
"""

import json
import warnings
from typing import Any

from peewee import (
    AutoField,
    BigIntegerField,
    BlobField,
    BooleanField,
    CharField,
    DateTimeField,
    DoubleField,
    ForeignKeyField,
    IntegerField,
    TextField,
)

from ....errors import NotAvailableError

try:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of brainscore-core: no __slots__, an old name of a peewee field
        from brainscore_core.submission import database_models as database_models
except ImportError as error:
    raise NotAvailableError(
        "a leaderboard needs the package brainscore-core, which has its tables: pip install 'brainscore-core>=2.5'"
    ) from error

CURRENT, SUPERSEDED, WITHDRAWN = "current", "superseded", "withdrawn"
LOCK = 0x62726F64
"""Of PostgreSQL's advisory locks: whoever changes the board holds it."""
_PeeweeBase: Any = database_models.PeeweeBase


class JsonField(TextField):
    """A text that is JSON, in either kind of database."""

    def db_value(self, value: Any) -> str:
        """As it is kept."""
        return json.dumps(value, allow_nan=False)

    def python_value(self, value: str | None) -> Any:
        """As it is read."""
        return json.loads(value) if value else {}


class _Base(_PeeweeBase):
    """A table ``brodmann_score`` of the class ``ScoreRow``."""

    class Meta:
        table_function = lambda row: f"brodmann_{row.__name__.removesuffix('Row').lower()}"  # noqa: E731


class MigrationRow(_Base):
    """A change of the tables that this board has gone through."""

    version = IntegerField(primary_key=True)
    name = CharField()
    applied_at = DateTimeField()


class RevisionRow(_Base):
    """One row; its value rises with every change, so that pages know when they are out of date."""

    id = IntegerField(primary_key=True)
    value = BigIntegerField()


class BenchmarkRow(_Base):
    """What a benchmark is, beside Brain-Score's type."""

    benchmark = ForeignKeyField(
        database_models.BenchmarkType, column_name="benchmark_type_id", primary_key=True
    )
    slug = CharField(unique=True)
    kind = CharField(max_length=20)  # neural, behavior, engineering
    dataset = CharField()
    region = CharField()
    metric = CharField()
    description = TextField(default="")
    unit = CharField(default="")
    lower_is_better = BooleanField(default=False)
    simulated = BooleanField(default=False)
    license = CharField(max_length=300, default="")
    citation = TextField(default="")


class CeilingRow(_Base):
    """The ceiling of one version of a benchmark."""

    instance = ForeignKeyField(
        database_models.BenchmarkInstance, column_name="benchmarkinstance_id", primary_key=True
    )
    kind = CharField(max_length=40)
    lower = DoubleField(null=True)
    upper = DoubleField(null=True)
    data_digest = CharField(max_length=64, default="")


class DeclarationRow(_Base):
    """What whoever runs the board says a version of a benchmark is; submissions are held against the current one."""

    id = AutoField()
    instance = ForeignKeyField(database_models.BenchmarkInstance, column_name="benchmarkinstance_id")
    state = CharField(max_length=12, default=CURRENT, index=True)
    at = DateTimeField()
    user = ForeignKeyField(database_models.User, column_name="user_id")
    reason = CharField(max_length=300, default="")
    card = JsonField(default=dict)
    arrays = JsonField(default=dict)  # of every neuroid: its ceiling, its subject, whether it is kept


class ModelRow(_Base):
    """A model's card, beside Brain-Score's."""

    model = ForeignKeyField(database_models.Model, column_name="model_id", primary_key=True)
    slug = CharField(unique=True)
    card = JsonField(default=dict)


class NameRow(_Base):
    """A name that a model has or had: it, and all that look like it, belong to whoever had it first."""

    name = CharField(primary_key=True)
    looks = CharField(index=True)
    model = ForeignKeyField(database_models.Model, column_name="model_id")


class SubmissionRow(_Base):
    """The document that was submitted, as it came."""

    submission = ForeignKeyField(database_models.Submission, column_name="submission_id", primary_key=True)
    digest = CharField(max_length=64)
    attempt = IntegerField(default=1)  # rises where what was withdrawn comes again
    title = CharField(max_length=300, default="")
    document = TextField()

    class Meta:
        indexes = ((("digest", "attempt"), True),)


class ScoreRow(_Base):
    """A score and what it stands on; Brain-Score's row of it holds the values for as long as they count."""

    score = ForeignKeyField(database_models.Score, column_name="score_id", primary_key=True)
    submission = ForeignKeyField(database_models.Submission, column_name="submission_id")
    state = CharField(max_length=12, default=CURRENT, index=True)
    key = CharField(max_length=64, index=True)
    value = DoubleField(null=True)  # the headline
    error = DoubleField(null=True)
    shown = JsonField(default=dict)  # what the columns of tables say of it
    provenance = JsonField(default=dict)  # versions, methods, left out
    marks = JsonField(default=dict)  # what a reader must know of it; see `marks.py`


class DrawsRow(_Base):
    """A part of what the interval of a score was made of, as float32."""

    id = AutoField()
    score = ForeignKeyField(database_models.Score, column_name="score_id")
    part = CharField(max_length=10)
    kind = CharField(max_length=10)
    n = IntegerField()
    rows = IntegerField()
    numbers = BlobField()


class ReproductionRow(_Base):
    """A score that somebody else computed again from its provenance."""

    id = AutoField()
    score = ForeignKeyField(database_models.Score, column_name="score_id")
    user = ForeignKeyField(database_models.User, column_name="user_id")
    at = DateTimeField()
    value = DoubleField()
    agrees = BooleanField()
    document = TextField()


class LayerRow(_Base):
    """One layer's value: a point of the layer curve."""

    id = AutoField()
    score = ForeignKeyField(database_models.Score, column_name="score_id")
    position = IntegerField()
    layer = CharField(max_length=200)
    value = DoubleField(null=True)
    error = DoubleField(null=True)


class LayoutRow(_Base):
    """A layer's layout: dimensionality, and the clustering of its maps as JSON."""

    id = AutoField()
    model = ForeignKeyField(database_models.Model, column_name="model_id")
    submission = ForeignKeyField(database_models.Submission, column_name="submission_id")
    state = CharField(max_length=12, default=CURRENT, index=True)
    layer = CharField(max_length=200)
    morans_i = DoubleField(null=True)
    morans_i_null = DoubleField(null=True)
    participation_ratio = DoubleField(null=True)
    corrected = DoubleField(null=True)
    n_units = IntegerField()
    n_samples = IntegerField()
    report = JsonField()


class EventRow(_Base):
    """The history of a score: who brought it to which state, when and why."""

    id = AutoField()
    score = ForeignKeyField(database_models.Score, column_name="score_id")
    at = DateTimeField()
    user = ForeignKeyField(database_models.User, column_name="user_id")
    state = CharField(max_length=12)
    reason = CharField(max_length=300, default="")


class TokenRow(_Base):
    """A right to submit; the secret itself is not kept, only its sha256."""

    id = CharField(max_length=16, primary_key=True)
    user = ForeignKeyField(database_models.User, column_name="user_id")
    secret = CharField(max_length=64)
    created_at = DateTimeField()
    expires_at = DateTimeField(null=True)
    revoked_at = DateTimeField(null=True)


class SessionRow(_Base):
    """A browser that signed in with a token; the cookie is not kept, only its sha256."""

    secret = CharField(max_length=64, primary_key=True)
    token = ForeignKeyField(TokenRow, column_name="token_id")
    expires_at = DateTimeField()


class AuditRow(_Base):
    """Who did what, when: nothing here is ever changed."""

    id = AutoField()
    at = DateTimeField()
    user = ForeignKeyField(database_models.User, column_name="user_id", null=True)
    action = CharField(max_length=40)
    subject = CharField(max_length=200, default="")
    detail = CharField(max_length=500, default="")


EXTENSION = (
    RevisionRow, BenchmarkRow, CeilingRow, DeclarationRow, ModelRow, NameRow, SubmissionRow, ScoreRow, DrawsRow,
    ReproductionRow, LayerRow, LayoutRow, EventRow, TokenRow, SessionRow, AuditRow,
)  # fmt: skip
BRAINSCORE = tuple(
    one
    for one in database_models.PeeweeBase.__subclasses__()
    if one._meta.table_name.startswith("brainscore_")
)
