"""A score and all that it stands on: each field once, with its title, unit and sentence.

What a run keeps, a submission carries, a board stores, and tables, files and pages show follows from the fields here.
A new field is a line of :class:`ScoreRecord`, with a default for the records made before, and a line where it is
computed.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from operator import itemgetter
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import AliasChoices, BaseModel, ConfigDict, Field

from .field_types import (
    Count,
    Counts,
    Digest,
    Domain,
    Finite,
    Identifier,
    Interval,
    Large,
    LayerName,
    Line,
    Methods,
    Share,
    Text,
)  # fmt: skip
from .in_time import of_samples

Record = dict[str, Any]
FORMAT = 2
"""Of a record's file; 1 spelled ``normalisation``."""
Unit = Literal["neuroid", "subject", "none"]
Version = Annotated[int, Field(ge=1, le=10_000)]
Headline = Annotated[float, Field(ge=-10, le=10, allow_inf_nan=False)]
Best = Annotated[float, Field(gt=0, allow_inf_nan=False)] | None
Needed = Annotated[float, Field(ge=1, le=10**9, allow_inf_nan=False)] | None
Portion = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] | None
Curve = Annotated[dict[LayerName, Finite], Field(min_length=1, max_length=2_000)]
Names = Annotated[list[Line], Field(max_length=50)]
Versions = Annotated[dict[Line, Line], Field(max_length=50)]


Columns = Mapping[str, tuple[str, Callable[[Any], Any]]]


@dataclass(frozen=True)
class Shown:
    """How a field of a score is named, explained and let in.

    Attributes
    ----------
    title, text : str
        The head of its column, and the sentence that explains it.
    public : type or None
        What a submission may hold there.
    name : str
        In a submission and in tables, where it has another name there.
    unit : str
        What is counted.
    main : bool
        Whether a table that has room for a few columns has it.
    columns : mapping of str to (str, callable), or None
        Name -> title and how the cell is made, for a field that is no single cell; empty for one that no table has.
    path, info
        Where a record has it and what pydantic knows of it; filled in when fields are collected.
    """

    title: str
    text: str
    public: Any
    name: str = ""
    unit: str = ""
    main: bool = False
    columns: Columns | None = None
    path: tuple[str, ...] = ()
    info: Any = None


_NO_COLUMN: Columns = {}
_VERSION: Columns = {"version": ("version", int)}
_RAW_OF: Columns = {"raw_of": ("raw values of", str)}
_BOUNDS: Columns = {"low": ("95 % from", itemgetter(0)), "high": ("to", itemgetter(1))}
_BEYOND_BOUNDS: Columns = {
    "beyond_low": ("beyond from", itemgetter(0)),
    "beyond_high": ("beyond to", itemgetter(1)),
}
_SAE_BOUNDS: Columns = {
    "sae_low": ("SAE from", itemgetter(0)),
    "sae_high": ("SAE to", itemgetter(1)),
}
_SPACES: Columns = {"beyond_spaces": ("beyond what", ", ".join)}
_LEFT_OUT: Columns = {
    "left_out": ("left out", lambda counts: "; ".join(f"{n} {reason}" for reason, n in counts.items())),
    "n_left_out": ("n left out", lambda counts: sum(counts.values())),
}
_NORMALISATION = Field(validation_alias=AliasChoices("normalization", "normalisation"))


class Provenance(BaseModel):
    """What a score was computed from and with."""

    model_config = ConfigDict(extra="allow")

    versions: Annotated[
        dict[str, str], Shown("versions", "Of the packages.", Versions, columns=_NO_COLUMN)
    ] = {}
    code: Annotated[str, Shown("code", "Digest of the code that computed it.", Digest, "code_digest")]
    model_digest: Annotated[str, Shown("weights", "Digest of the model.", Digest)]
    data_digest: Annotated[str, Shown("data", "Digest of the recordings.", Digest)]
    numerics: Annotated[
        dict[str, str] | None,
        Shown("computed on", "Device, card and precision of products.", Versions | None, columns=_NO_COLUMN),
    ] = None
    seed: Annotated[int, Shown("seed", "Of every random draw.", Large)]
    n_bootstraps: Annotated[int | None, Shown("draws", "For the interval.", Count | None)] = None
    n_permutations: Annotated[int | None, Shown("permutations", "For p.", Count | None)] = None


class ScoreRecord(BaseModel):
    """One score and all that it stands on, as a run keeps it."""

    model_config = ConfigDict(extra="allow")

    key: Annotated[str, Shown("key", "Digest of all that the score depends on.", Digest, columns=_NO_COLUMN)]
    model: Annotated[str, Shown("model", "What was compared with the brain.", Identifier, main=True)]
    benchmark: Annotated[str, Shown("benchmark", "Data set, region and metric.", Identifier, main=True)]
    benchmark_version: Annotated[int, Shown("version", "Of the benchmark.", Version, columns=_VERSION)]
    score: Annotated[float | None, Shown("score", "Normalized by the ceiling.", Headline, main=True)]
    ci: Annotated[list[float | None], Shown("", "95 % interval.", Interval, main=True, columns=_BOUNDS)]
    raw: Annotated[float | None, Shown("raw", "The score before normalization.", Finite, main=True)]
    ceiling: Annotated[float | None, Shown("ceiling", "The best that the noise allows.", Best, main=True)]
    ceiling_kind: Annotated[str, Shown("kind", "How the ceiling was estimated.", Identifier, main=True)]
    ceiling_lower: Annotated[float | None, Shown("ceiling from", "Over subjects.", Finite | None)] = None
    ceiling_upper: Annotated[float | None, Shown("ceiling to", "Over subjects.", Finite | None)] = None
    p: Annotated[float | None, Shown("p", "Of the score, by permutation.", Share | None, main=True)] = None
    beyond: Annotated[
        float | None,
        Shown("beyond", "Share of the variance added to nuisance spaces.", Finite | None, main=True),
    ] = None
    beyond_ci: Annotated[
        list[float | None], Shown("", "Interval of beyond.", Interval, columns=_BEYOND_BOUNDS)
    ] = [None, None]
    beyond_p: Annotated[
        float | None, Shown("p beyond", "Of beyond, by permuted residuals.", Share | None)
    ] = None
    beyond_spaces: Annotated[
        list[str], Shown("", "The nuisance spaces.", Names, main=True, columns=_SPACES)
    ] = []
    sae_score: Annotated[
        float | None,
        Shown(
            "SAE score",
            "Of features: less that of untrained dictionaries, as wide and as sparse.",
            Finite | None,
        ),
    ] = None
    sae_ci: Annotated[
        list[float | None], Shown("", "Interval of the SAE score.", Interval, columns=_SAE_BOUNDS)
    ] = [None, None]
    sae_p: Annotated[float | None, Shown("p SAE", "That the SAE score is 0.", Share | None)] = None
    sae_control: Annotated[
        float | None, Shown("untrained", "Mean score of the untrained dictionaries.", Finite | None)
    ] = None
    sae_control_sd: Annotated[float | None, Shown("untrained sd", "Over them.", Finite | None)] = None
    sae_n_controls: Annotated[int | None, Shown("n untrained", "How many were drawn.", Count | None)] = None
    k50: Annotated[
        float | None, Shown("k50", "Fewest features with half of the r of ridge on all.", Needed)
    ] = None
    k90: Annotated[
        float | None, Shown("k90", "Fewest features with 90 % of the r of ridge on all.", Needed)
    ] = None
    matched_features: Annotated[
        float | None, Shown("matched", "Share of the features that another seed of learning has.", Portion)
    ] = None
    matched_floor: Annotated[
        float | None, Shown("matched by chance", "The same share of an untrained dictionary.", Portion)
    ] = None
    layer: Annotated[str, Shown("layer", "Chosen on training stimuli.", LayerName, main=True)]
    n_stimuli: Annotated[int, Shown("stimuli", "How many.", Count, unit="stimuli", main=True)]
    n_neuroids: Annotated[int, Shown("neuroids", "How many.", Count, unit="neuroids", main=True)]
    n_subjects: Annotated[
        int | None, Shown("subjects", "How many were recorded.", Count | None, unit="subjects", main=True)
    ] = None
    left_out: Annotated[
        dict[str, int], Shown("", "What is missing, by reason.", Counts, columns=_LEFT_OUT)
    ] = {}
    normalization: Annotated[str, _NORMALISATION, Shown("normalization", "From raw to score.", Identifier)]
    unit: Annotated[str, Shown("", "What has a raw value of its own.", Unit, columns=_RAW_OF)]
    dataset: Annotated[str, Shown("data set", "The recordings.", Identifier)]
    region: Annotated[str, Shown("region", "The part of the brain.", Identifier)]
    metric: Annotated[str, Shown("metric", "How layers and recordings were compared.", Identifier)]
    modality: Annotated[str, Shown("domain", "Vision or language.", Domain, "domain")]
    simulated: Annotated[bool, Shown("simulated", "Whether a program made the recordings.", bool)]
    layers: Annotated[dict[str, float | None], Shown("", "Raw value of each.", Curve, columns=_NO_COLUMN)]
    methods: Annotated[dict[str, Any], Shown("", "What was done.", Methods, columns=_NO_COLUMN)] = {}
    license: Annotated[str, Shown("", "Of the data.", Line, "data_license", columns=_NO_COLUMN)] = ""
    bibtex: Annotated[str, Shown("", "Of the data.", Text, columns=_NO_COLUMN)] = ""
    model_facts: dict[str, Any] = {}
    space: str = ""
    layer_by_split: list[str] = []
    seconds: float | None = None
    provenance: Provenance


class Column(NamedTuple):
    """A column of a table of scores."""

    name: str
    title: str
    field: Shown
    cell: Callable[[Any], Any]


def _public(model: type[BaseModel], path: tuple[str, ...] = ()) -> Iterator[Shown]:
    for name, info in model.model_fields.items():
        if isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel):
            yield from _public(info.annotation, (*path, name))
        for shown in info.metadata:
            if isinstance(shown, Shown):
                yield replace(shown, name=shown.name or name, path=(*path, name), info=info)


def _columns(shown: Shown) -> Iterator[Column]:
    whole: Columns = {shown.name: (shown.title, lambda value: value)}
    for name, (title, cell) in (whole if shown.columns is None else shown.columns).items():
        yield Column(name, title, shown, cell)


PUBLIC = {shown.name: shown for shown in _public(ScoreRecord)}
"""What a submission says of a score: name -> field."""
COLUMNS = {column.name: column for shown in PUBLIC.values() for column in _columns(shown)}
"""Name -> column, in the order of tables."""


def public(record: Mapping[str, Any]) -> dict[str, Any]:
    """What a record tells to others, in one level; None where an older one says nothing."""
    flat = {**record, **record.get("provenance", {})}
    return {name: flat.get(shown.path[-1]) for name, shown in PUBLIC.items()}


def cells(values: Mapping[str, Any]) -> dict[str, Any]:
    """A score as the line of a table, from what :func:`public` or a submission says of it."""
    return {
        name: None if (value := values.get(column.field.name)) is None else column.cell(value)
        for name, column in COLUMNS.items()
    }


def counts(line: Mapping[str, Any]) -> list[str]:
    """What a score stands on, counted: ``92 stimuli``, ..., or ``347 samples`` of a recording in time."""
    units = {one.field.path[-1]: one.field.unit for one in COLUMNS.values() if one.field.unit}
    return [of_samples(f"{line[name]} {unit}", line) for name, unit in units.items() if line.get(name)]
