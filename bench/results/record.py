"""A score and all that it stands on: each field once, with its title, unit and sentence.

What a run keeps, a submission carries, a board stores, and tables, files and pages show follows from the fields here.
A new field is a line of :class:`ScoreRecord`, with a default for the records made before, and a line where it is
computed.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Annotated, Any, Literal

from pydantic import AliasChoices, BaseModel, ConfigDict, Field
from pydantic.fields import FieldInfo

from .field_types import (
    Count,
    Counts,
    Digest,
    Domain,
    Finite,
    Fraction,
    Identifier,
    Interval,
    Large,
    LayerName,
    Line,
    Methods,
    Share,
    Text,
)  # fmt: skip

Record = dict[str, Any]
FORMAT = 2
"""Of a record's file; 1 spelled ``normalisation``."""
Kind = Literal["reliability", "r_max", "rdm", "accuracy", "internal_consistency", "none"]
Unit = Literal["neuroid", "subject", "none"]
Version = Annotated[int, Field(ge=1, le=10_000)]
Headline = Annotated[float, Field(ge=-10, le=10, allow_inf_nan=False)]
Best = Annotated[float, Field(gt=0, le=10, allow_inf_nan=False)] | None
Curve = Annotated[dict[LayerName, Finite], Field(min_length=1, max_length=2_000)]
Versions = Annotated[dict[Line, Line], Field(max_length=50)]


@dataclass(frozen=True)
class Shown:
    """How a field of a score is named, explained and let in.

    Attributes
    ----------
    title, text : str
        The head of its column, and the sentence that explains it.
    public : type or None
        What a submission may hold there; None for a field that stays where the score was made.
    name : str
        In a submission and in tables, where it has another name there.
    unit : str
        What is counted.
    main : bool
        Whether a table that has room for a few columns has it.
    columns : mapping of str to (str, callable), or None
        Name -> title and how the cell is made, for a field that is no single cell; empty for one that no table has.
    """

    title: str
    text: str
    public: Any = None
    name: str = ""
    unit: str = ""
    main: bool = False
    columns: Mapping[str, tuple[str, Callable[[Any], Any]]] | None = None


def _reasons(counts: Mapping[str, int]) -> str:
    return "; ".join(f"{count} {reason}" for reason, count in counts.items())


_NO_COLUMN: dict[str, tuple[str, Callable[[Any], Any]]] = {}
_BOUNDS = {"low": ("95 % from", itemgetter(0)), "high": ("to", itemgetter(1))}
_LEFT_OUT = {
    "left_out": ("left out", _reasons),
    "n_left_out": ("n left out", lambda counts: sum(counts.values())),
}


class Provenance(BaseModel):
    """What a score was computed from and with."""

    model_config = ConfigDict(extra="allow")

    versions: Annotated[
        dict[str, str], Shown("versions", "Of the packages.", Versions, columns=_NO_COLUMN)
    ] = {}
    code: Annotated[str, Shown("code", "Digest of the code that computed it.", Digest, name="code_digest")]
    model_digest: Annotated[str, Shown("weights", "Digest of the model.", Digest)]
    data_digest: Annotated[str, Shown("data", "Digest of the recordings.", Digest)]
    seed: Annotated[int, Shown("seed", "Of every random draw.", Large)]


class ScoreRecord(BaseModel):
    """One score and all that it stands on, as a run keeps it."""

    model_config = ConfigDict(extra="allow")

    key: Annotated[str, Shown("key", "Digest of all that the score depends on.", Digest, columns=_NO_COLUMN)]
    model: Annotated[str, Shown("model", "Its name.", Identifier, main=True)]
    benchmark: Annotated[str, Shown("benchmark", "Data set, region and metric.", Identifier, main=True)]
    score: Annotated[float | None, Shown("score", "Normalized by the ceiling.", Headline, main=True)]
    ci: Annotated[list[float | None], Shown("interval", "Bootstrap.", Interval, main=True, columns=_BOUNDS)]
    raw: Annotated[float | None, Shown("raw", "Before normalization.", Fraction, main=True)]
    ceiling: Annotated[float | None, Shown("ceiling", "The best that noise allows.", Best, main=True)]
    ceiling_kind: Annotated[str, Shown("kind", "How the ceiling was estimated.", Kind, main=True)]
    ceiling_lower: Annotated[float | None, Shown("ceiling from", "Over subjects.", Finite | None)] = None
    ceiling_upper: Annotated[float | None, Shown("ceiling to", "Over subjects.", Finite | None)] = None
    p: Annotated[float | None, Shown("p", "By permutation.", Share | None, main=True)] = None
    layer: Annotated[str, Shown("layer", "Chosen on training stimuli.", LayerName, main=True)]
    n_stimuli: Annotated[int, Shown("stimuli", "That it stands on.", Count, unit="stimuli", main=True)]
    n_neuroids: Annotated[int, Shown("neuroids", "That it stands on.", Count, unit="neuroids", main=True)]
    left_out: Annotated[dict[str, int], Shown("left out", "By reason.", Counts, columns=_LEFT_OUT)] = {}
    normalization: Annotated[
        str,
        Shown("normalization", "The formula from the raw value to the score.", Identifier),
        Field(validation_alias=AliasChoices("normalization", "normalisation")),
    ]
    unit: Annotated[
        str,
        Shown("unit", "What has a raw value of its own.", Unit, columns={"raw_of": ("raw values of", str)}),
    ]
    dataset: Annotated[str, Shown("data set", "The recordings.", Identifier)]
    region: Annotated[str, Shown("region", "The part of the brain.", Identifier)]
    metric: Annotated[str, Shown("metric", "How activations and recordings were compared.", Identifier)]
    modality: Annotated[str, Shown("domain", "Vision or language.", Domain, name="domain")]
    simulated: Annotated[bool, Shown("simulated", "Whether a program made the recordings.", bool)]
    benchmark_version: Annotated[
        int, Shown("version", "Of the benchmark.", Version, columns={"version": ("version", int)})
    ]
    layers: Annotated[
        dict[str, float | None], Shown("layers", "Raw value of each.", Curve, columns=_NO_COLUMN)
    ]
    methods: Annotated[dict[str, Any], Shown("methods", "How it was done.", Methods, columns=_NO_COLUMN)] = {}
    license: Annotated[str, Shown("licence", "Of the data.", Line, "data_license", columns=_NO_COLUMN)] = ""
    bibtex: Annotated[str, Shown("citation", "Of the data.", Text, columns=_NO_COLUMN)] = ""
    model_facts: dict[str, Any] = {}
    space: str = ""
    layer_by_split: list[str] = []
    seconds: float | None = None
    provenance: Provenance


@dataclass(frozen=True)
class PublicField:
    """A field that travels: its name in a submission, where a record has it, and what is said of it."""

    name: str
    path: tuple[str, ...]
    info: FieldInfo
    shown: Shown

    def of(self, record: Mapping[str, Any]) -> Any:
        """The value of a record; None where an older one has none."""
        value: Any = record
        for step in self.path:
            value = None if value is None else value.get(step)
        return value


@dataclass(frozen=True)
class Column:
    """A column of a table of scores."""

    name: str
    title: str
    text: str
    field: str
    unit: str
    main: bool
    cell: Callable[[Any], Any] = field(repr=False)


def _public(model: type[BaseModel], path: tuple[str, ...] = ()) -> Iterator[PublicField]:
    for name, info in model.model_fields.items():
        if isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel):
            yield from _public(info.annotation, (*path, name))
        for shown in info.metadata:
            if isinstance(shown, Shown):
                yield PublicField(shown.name or name, (*path, name), info, shown)


PUBLIC = tuple(_public(ScoreRecord))
COLUMNS = {
    name: Column(name, title, one.shown.text, one.name, one.shown.unit, one.shown.main, cell)
    for one in PUBLIC
    for name, (title, cell) in (
        {one.name: (one.shown.title, lambda value: value)} if one.shown.columns is None else one.shown.columns
    ).items()
}
"""Name -> column, in the order of tables."""


def public(record: Mapping[str, Any]) -> dict[str, Any]:
    """What a record tells to others, in one level."""
    return {one.name: one.of(record) for one in PUBLIC}


def cells(values: Mapping[str, Any]) -> dict[str, Any]:
    """A score as the line of a table, from what :func:`public` or a submission says of it."""
    return {
        one.name: None if values.get(one.field) is None else one.cell(values[one.field])
        for one in COLUMNS.values()
    }


def read_record(content: Mapping[str, Any]) -> Record:
    """A record as this version spells it, with every field, from one that this or an earlier version wrote.

    Raises
    ------
    pydantic.ValidationError
        For what is no record of a score.
    """
    return ScoreRecord.model_validate(content).model_dump()
