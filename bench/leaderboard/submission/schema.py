"""A submission: data, never code. The form in which scores, their evidence and model cards travel."""

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ....errors import UserError
from ....files import digest_of
from .field_types import Address, Count, Digest, Finite, Identifier, Large, LayerName, Line, Text

FORMAT = 1
MAX_BYTES = 8 << 20
"""The largest document that is read, in bytes."""
_MAX_SCORES = 2_000
_MAX_UNITS = 200_000
_MAX_CELLS = 16_384
_SHOWN_REASONS = 3

Domain = Literal["vision", "language"]
Scalar = Annotated[int, Field(ge=-(10**18), le=10**18)] | Finite | bool | Line | None
Share = Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]
Fraction = Annotated[float, Field(ge=-1, le=1, allow_inf_nan=False)]


class Part(BaseModel):
    """What all parts of a document share: nothing unknown, nothing converted."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Card(Part):
    """What is known of a model."""

    identifier: Identifier
    domain: Domain
    title: Line = ""
    family: Line = ""
    architecture: Line = ""
    parameters: Large | None = None
    n_layers: Count | None = None
    training_data: Line = ""
    topographic: bool | None = None
    license: Line = ""
    citation: Text = ""
    url: Address = ""
    notes: Text = ""


class ScoreRecord(Part):
    """One score and what it stands on."""

    key: Digest
    model: Identifier
    benchmark: Identifier
    benchmark_version: Annotated[int, Field(ge=1, le=10_000)]
    dataset: Identifier
    region: Identifier
    metric: Identifier
    domain: Domain
    simulated: bool
    score: Annotated[float, Field(ge=-10, le=10, allow_inf_nan=False)]
    raw: Fraction
    ceiling: Annotated[float, Field(gt=0, le=10, allow_inf_nan=False)] | None
    ceiling_kind: Literal["reliability", "r_max", "rdm", "accuracy", "internal_consistency", "none"]
    ceiling_lower: Finite | None = None
    ceiling_upper: Finite | None = None
    normalisation: Identifier
    ci: Annotated[list[Finite | None], Field(min_length=2, max_length=2)]
    p: Share | None = None
    layer: LayerName
    layers: Annotated[dict[LayerName, Finite], Field(min_length=1, max_length=2_000)]
    n_stimuli: Count
    n_neuroids: Count
    left_out: Annotated[dict[Line, Count], Field(max_length=50)] = {}
    unit: Literal["neuroid", "subject", "none"]
    raw_values: Annotated[list[Finite | None], Field(max_length=_MAX_UNITS)] = []
    ceiling_values: Annotated[list[Finite | None], Field(max_length=_MAX_UNITS)] = []
    methods: Annotated[
        dict[Line, Scalar | Annotated[list[Scalar], Field(max_length=200)]], Field(max_length=50)
    ] = {}
    data_license: Line = ""
    bibtex: Text = ""
    seed: Large
    model_digest: Digest
    data_digest: Digest
    code_digest: Digest
    versions: Annotated[dict[Line, Line], Field(max_length=50)] = {}


class Map(Part):
    """Values of units on their grid, row by row; None where no unit lies."""

    rows: Annotated[int, Field(ge=1, le=256)]
    columns: Annotated[int, Field(ge=1, le=256)]
    values: Annotated[list[Finite | None], Field(max_length=_MAX_CELLS)]

    @model_validator(mode="after")
    def _a_value_a_cell(self) -> "Map":
        if len(self.values) != self.rows * self.columns:
            raise ValueError(f"{self.rows} x {self.columns} cells and {len(self.values)} values")
        return self


class Clustering(Part):
    """The spatial clustering of one contrast, beside permuted layouts."""

    contrast: Line
    morans_i: Finite
    null_mean: Finite
    null_sd: Finite | None = None
    p: Share | None = None
    smoothness: Finite | None = None
    smoothness_null: Finite | None = None
    fraction_selective: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] | None = None
    map: Map | None = None


class Layout(Part):
    """What a layer's layout is like: clustering of its maps, effective dimensionality."""

    model: Identifier
    layer: LayerName
    model_digest: Digest
    code_digest: Digest
    stimuli: Line = ""
    n_units: Count
    weights: Line = ""
    permutations: Count = 0
    clustering: Annotated[list[Clustering], Field(max_length=50)] = []
    participation_ratio: Finite | None = None
    corrected: Finite | None = None
    interval: Annotated[list[Finite | None], Field(min_length=2, max_length=2)] = [None, None]
    n_samples: Count = 0


class Submission(Part):
    """Everything of one submission; ``digest`` is the sha256 over all the rest."""

    format: Literal[1]
    title: Line = ""
    models: Annotated[list[Card], Field(min_length=1, max_length=500)]
    scores: Annotated[list[ScoreRecord], Field(min_length=1, max_length=_MAX_SCORES)]
    layouts: Annotated[list[Layout], Field(max_length=500)] = []
    digest: Digest


def digest_of_document(content: Mapping[str, Any]) -> str:
    """The sha256 of a document without its ``digest``: of its JSON with sorted keys and the shortest numbers."""
    return digest_of({name: value for name, value in content.items() if name != "digest"})


def parse_submission(body: bytes, *, max_bytes: int = MAX_BYTES) -> Submission:
    """Read a document, and check its form.

    Parameters
    ----------
    body : bytes
        JSON in UTF-8.
    max_bytes : int

    Returns
    -------
    Submission

    Raises
    ------
    UserError
        For a document that is too large, not JSON, nested too deeply, or that has an unknown, missing or unfit
        field (the first ones are named), or whose digest does not match.
    """
    if len(body) > max_bytes:
        raise UserError(
            f"the submission has {len(body):,} bytes, more than {max_bytes:,}: submit fewer scores at once"
        )
    try:
        found = Submission.model_validate_json(body)
    except ValidationError as error:
        raise UserError(f"the submission does not fit: {reasons(error)}") from None
    content = json.loads(body)  # the form bounds its depth
    if digest_of_document(content) != found.digest:
        raise UserError(
            "the submission's digest does not match its content: it was changed or damaged on the way"
        )
    _check_names(found)
    return found


def _check_names(found: Submission) -> None:
    cards = [card.identifier for card in found.models]
    twice = sorted({name for name in cards if cards.count(name) > 1})
    if twice:
        raise UserError(f"the submission has two cards for {twice[0]!r}")
    named = [*(one.model for one in found.scores), *(one.model for one in found.layouts)]
    for name in named:
        if name not in cards:
            raise UserError(f"the submission has no card for the model {name!r}")
    scored = {(one.model, one.benchmark, one.benchmark_version) for one in found.scores}
    if len(scored) != len(found.scores):
        raise UserError("the submission scores a model twice on one benchmark")
    unscored = sorted(set(cards) - {one.model for one in found.scores})
    if unscored:
        raise UserError(f"the submission has a card but no score for {unscored[0]!r}")


def reasons(error: ValidationError) -> str:
    """The first reasons why something does not fit, each with its place."""
    found = error.errors(include_url=False, include_input=False, include_context=False)
    said = []
    for one in found[:_SHOWN_REASONS]:
        place = ".".join(
            str(part)[:60] for part in one["loc"] if not str(part).startswith(("function-", "constrained"))
        )
        message = one["msg"].removeprefix("Value error, ").splitlines()[0][:200]
        said.append(f"{plain_ascii(place)}: {plain_ascii(message)}" if place else plain_ascii(message))
    more = f" (and {len(found) - len(said)} more)" if len(found) > len(said) else ""
    return "; ".join(said) + more


def plain_ascii(text: str) -> str:
    """A text that a stranger may have written, safe to show in a message."""
    return text.encode("ascii", "backslashreplace").decode().replace("<", "(").replace(">", ")")
