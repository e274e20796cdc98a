"""A submission: data, never code. The form in which scores, their evidence and model cards travel."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, ValidationError, create_model, model_validator

from ....errors import UserError
from ....files import digest_of
from ...results.card import Card
from ...results.field_types import (
    Count,
    Digest,
    Domain,
    Finite,
    Identifier,
    Interval,
    LayerName,
    Line,
    Part,
    Share,
    reasons,
)  # fmt: skip
from ...results.record import PUBLIC, Provenance, ScoreRecord, Shown

FORMAT = 1
MAX_BYTES = 8 << 20
"""The largest document that is read, in bytes."""
_MAX_SCORES = 2_000
_MAX_UNITS = 200_000
_MAX_CELLS = 16_384

_OF_FEATURES = ("sae_score", "k50", "k90", "matched_features")
_CONTROL = ("sae_control", "sae_n_controls")

Values = Annotated[list[Finite | None], Field(max_length=_MAX_UNITS)]
Numbers = Annotated[list[Finite], Field(max_length=_MAX_UNITS)]
Table = Annotated[list[Numbers], Field(max_length=2_000)]


class Draws(Part):
    """What the interval was made of, so that two models are compared on the same stimuli, subjects and neuroids."""

    kind: Literal["jackknife", "bootstrap", "draws"]
    n: Count = 0
    samples: Numbers
    subjects: Numbers = Field([])
    both: Numbers = Field([])
    units: Table = Field([])
    crossed: Table = Field([])

    @model_validator(mode="after")
    def _rectangles(self) -> "Draws":
        for table in (self.units, self.crossed):
            if len({len(row) for row in table}) > 1 or sum(map(len, table)) > _MAX_UNITS:
                raise ValueError("the influences of neuroids are no table, or a too large one")
        return self


class _Evidence(Part):
    """What a score stands on besides its record."""

    raw_values: Values = Field([])
    ceiling_values: Values = Field([])
    draws: Draws | None = None

    @model_validator(mode="after")
    def _features_beside_their_control(self) -> "_Evidence":
        """What features predict says nothing without untrained ones as wide and as sparse."""
        told = [name for name in _OF_FEATURES if getattr(self, name, None) is not None]
        lacking = [name for name in _CONTROL if getattr(self, name, None) is None]
        if told and (lacking or not getattr(self, "sae_n_controls", 0)):
            raise ValueError(
                f"{told[0]} stands without its control of untrained features ({', '.join(_CONTROL)})"
            )
        if (
            getattr(self, "matched_features", None) is not None
            and getattr(self, "matched_floor", None) is None
        ):
            raise ValueError("matched_features stands without its control, matched_floor")
        return self


if TYPE_CHECKING:

    class SubmittedScore(ScoreRecord, Provenance, _Evidence):
        """As types see it."""

        score: float
        raw: float
        layers: dict[str, float]  # type: ignore[assignment]
        domain: Domain
        data_license: str
        code_digest: str

else:

    def _described(one: Shown) -> Any:
        alias = one.info.validation_alias
        return Field(
            one.info.default, title=one.title or one.name, description=one.text, validation_alias=alias
        )

    SubmittedScore = create_model(
        "ScoreRecord",
        __base__=_Evidence,
        __doc__="One score and what it stands on.",
        **{name: (one.public, _described(one)) for name, one in PUBLIC.items()},
    )


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
    clustering: list[Clustering] = Field([], max_length=50)
    participation_ratio: Finite | None = None
    corrected: Finite | None = None
    interval: Interval = Field([None, None])
    n_samples: Count = 0


class Submission(Part):
    """Everything of one submission; ``digest`` is the sha256 over all the rest."""

    format: Literal[1]
    title: Line = ""
    models: Annotated[list[Card], Field(min_length=1, max_length=500)]
    scores: Annotated[list[SubmittedScore], Field(min_length=1, max_length=_MAX_SCORES)]
    layouts: list[Layout] = Field([], max_length=500)
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
