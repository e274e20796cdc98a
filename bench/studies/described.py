"""A layer described: its units and features, their controls, and what a describer or labels of the user's say."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse import csc_array, csr_array

from ...analysis.interpretability.describe import ENOUGH, Description, describe, summary
from ...analysis.interpretability.descriptions.appearance import picture_labels
from ...analysis.interpretability.descriptions.controls import FEATURES, UNITS, controls
from ...analysis.interpretability.descriptions.evidence import Indices, Reading, Seen
from ...analysis.interpretability.descriptions.gathered import Evidence
from ...analysis.interpretability.descriptions.questions import prediction_table, questions
from ...analysis.interpretability.descriptions.scores import score_tables
from ...analysis.interpretability.lenses.token_texts import token_texts
from ...analysis.interpretability.views.base import Inside, Of
from ...errors import UserError, first_line
from ...models.extraction.language_model import LanguageModel
from ...models.extraction.rows import TokenWindows
from ...progress import track
from .describer import SECONDS, Answer, ask, read_labels

if TYPE_CHECKING:
    from ...analysis.interpretability.dictionary import Dictionary

RANDOM_AS_UNITS = "random directions at the units' rates"
_N_CONTROLS = 200
_N_PROMOTED = 10
_ENOUGH_PICTURES = 5


@dataclass(frozen=True)
class Other:
    """A description that comes from the user.

    Attributes
    ----------
    source : str
        ``"describer"`` or ``"yours"``.
    text : str
    r, detection : float or None
        Of its predictions, where it has any.
    """

    source: str
    text: str
    r: float | None = None
    detection: float | None = None


@dataclass(frozen=True)
class Described:
    """What is said of a layer.

    Attributes
    ----------
    each : dict of {"unit", "feature"} to list of Description or None
    controls : list of dict
        ``kind``, ``of``, and :func:`..analysis.interpretability.describe.summary`.
    others : dict of {"unit", "feature"} to dict of int to list of Other
    left_out : list of str
    """

    each: dict[Of, list[Description | None]]
    controls: list[dict[str, Any]]
    others: dict[Of, dict[int, list[Other]]]
    left_out: list[str] = field(default_factory=list)


class Layer:
    """A layer as descriptions see it; what is expensive is made once.

    Parameters
    ----------
    inside : Inside
    features : sparse array of shape (n_rows, n_features), or None
        Activations of its dictionary.
    """

    def __init__(self, inside: Inside, features: csc_array | None) -> None:
        self.inside, self.left_out = inside, list[str]()
        self.texts: dict[int, str] = {}
        units = inside.rows.numpy()
        if isinstance(inside.part, TokenWindows):
            self.pool = None
            shown: Reading | Seen = _reading(inside, inside.part, self.texts)
        else:
            shown = Seen(picture_labels(inside.part))
            self.pool = _pooling(inside.read.stimulus, len(shown))
        self.evidence = Evidence.of(shown, random_state=inside.seed)
        self.rows = units
        self.features = features

    @property
    def enough(self) -> int:
        """Firing rows of the part that scores that a score needs."""
        return ENOUGH if self.pool is None else _ENOUGH_PICTURES

    def activations(self, of: Of) -> Any:
        """Of rows that are described: tokens, or pictures (the mean over their places)."""
        return self.pooled(self.rows if of == "unit" else self.features)

    def pooled(self, activations: Any) -> Any:
        """Rows as they are described."""
        if self.pool is None:
            return activations
        return csc_array(
            self.pool
            @ csc_array(np.maximum(activations, 0) if isinstance(activations, np.ndarray) else activations)
        )

    def promoted(self, of: Of) -> Indices | None:
        """Ids of tokens that each unit or feature promotes, (n, 10); None where the network has no such way."""
        import torch

        from ...analysis.interpretability.lenses.vocabulary import vocabulary, way_out

        if not isinstance(self.inside.model, LanguageModel):
            return None
        try:
            _, end, write = way_out(self.inside.model, self.inside.layer)
        except UserError as error:
            self.left_out.append(f"promoted tokens of {of}s: {first_line(error)}")
            return None
        directions = torch.eye(self.rows.shape[1]) if of == "unit" else self.inside.features.directions
        found = vocabulary(directions, write, end, n_tokens=_N_PROMOTED, n_random=2)
        _name(self.texts, self.inside.model, found.promoted)
        return found.promoted.astype(np.intp)


def described(
    layer: Layer,
    kinds: Sequence[Of],
    *,
    controlled: bool = True,
    frozen: "Dictionary | None" = None,
    describer: str | None = None,
    only: Sequence[int] | None = None,
    seconds: float = SECONDS,
    labels: Path | None = None,
    strict: bool = True,
) -> Described:
    """Describe units and features.

    Parameters
    ----------
    layer : Layer
    kinds : sequence of {"unit", "feature"}
    controlled : bool
        Whether controls are described, too.
    frozen : Dictionary, optional
        A control whose decoder stayed as it was drawn.
    describer : str, optional
        A command or an address; asked about features, or about units where there are no features.
    only : sequence of int, optional
        The numbers that it is asked about; all that are described by default.
    seconds : float
        That one answer may take.
    labels : Path, optional
        A .csv of the user's.
    strict : bool
        Whether a describer or labels that are not sound end it all; else they are left out, with the reason.

    Raises
    ------
    UserError
        For fewer than three texts, or a describer or labels that are not sound.
    """
    n = {of: layer.activations(of).shape[1] for of in kinds}
    asked: Of = "feature" if "feature" in kinds else "unit"
    if only is not None and (wrong := [one for one in only if not 0 <= one < n[asked]]):
        raise UserError(f"there is no {asked} {wrong[0]}: they are numbered 0 to {n[asked] - 1}")
    left_out = list[str]()
    answers: list[tuple[str, Of, Mapping[int, Answer]]] = []
    if labels is not None:
        with _said(left_out, strict=strict):
            answers += [("yours", of, found) for of, found in read_labels(labels, n).items()]
    promoted = {of: layer.promoted(of) for of in kinds}
    each = {of: describe(layer.activations(of), layer.evidence, promoted=promoted[of]) for of in kinds}
    if describer is not None:
        wanted = set(range(n[asked]) if only is None else only)
        chosen = [i for i, one in enumerate(each[asked]) if one is not None and i in wanted]
        with _said(left_out, strict=strict):
            if not isinstance(layer.evidence.shown, Reading):
                raise UserError("a describer is asked about texts: this network looks at pictures")
            put = questions(layer.activations(asked), layer.evidence, chosen, promoted[asked])
            answers.append(("describer", asked, ask(describer, put, seconds=seconds)))
    others: dict[Of, dict[int, list[Other]]] = {of: {} for of in kinds}
    for source, of, found in answers:
        for number, other in _scored(layer, of, source, found).items():
            others[of].setdefault(number, []).append(other)
    rows = _controls(layer, each, frozen) if controlled else []
    return Described(each, rows, others, list(dict.fromkeys([*layer.left_out, *left_out])))


@contextmanager
def _said(left_out: list[str], *, strict: bool) -> Iterator[None]:
    try:
        yield
    except UserError as error:
        if strict:
            raise
        left_out.append(str(error))


def _controls(
    layer: Layer, each: Mapping[Of, list[Description | None]], frozen: "Dictionary | None"
) -> list[dict[str, Any]]:
    """What is described, then its controls; units beside features have a row of random directions of their own."""
    of: Of = "feature" if "feature" in each else "unit"
    rows = [{"kind": FEATURES if of == "feature" else UNITS, **summary(each[of], layer.enough)}]
    features = layer.features if of == "feature" else None
    kept = _drawn(layer, each[of])
    made = controls(
        layer.rows, features, layer.inside.dictionary, kept, frozen=frozen, random_state=layer.inside.seed
    )
    named = list[tuple[str, Any]]() if not len(kept) else track(made, "describing controls", total=6)
    rows += [{"kind": kind, **_summary(layer, activations)} for kind, activations in named]
    if of == "feature" and "unit" in each and len(units := _drawn(layer, each["unit"])):
        _, activations = next(controls(layer.rows, None, None, units, random_state=layer.inside.seed))
        rows.append({"kind": RANDOM_AS_UNITS, **_summary(layer, activations)})
    return rows


def _drawn(layer: Layer, each: Sequence[Description | None]) -> Indices:
    """At most 200 of those that can be scored."""
    fires = [i for i, one in enumerate(each) if one is not None]
    kept = [i for i, one in enumerate(each) if one is not None and one.n_firing >= layer.enough] or fires
    generator = np.random.default_rng([layer.inside.seed, 24])
    return np.sort(generator.choice(np.array(kept, np.intp), min(_N_CONTROLS, len(kept)), replace=False))


def _summary(layer: Layer, activations: csc_array) -> dict[str, float | int]:
    return summary(describe(layer.pooled(activations), layer.evidence), layer.enough)


def _scored(layer: Layer, of: Of, source: str, found: Mapping[int, Answer]) -> dict[int, Other]:
    """Answers with the scores of their predictions, by the same harness."""
    made = {number: Other(source, one.text) for number, one in found.items()}
    predicting = [number for number, one in found.items() if one.predict is not None]
    shown = layer.evidence.shown
    if not predicting or not isinstance(shown, Reading):
        return made
    table = prediction_table(shown, [found[number].predict or {} for number in predicting])
    keys = next(
        k for f, k in zip(layer.evidence.families, layer.evidence.keys, strict=True) if f.name == "token"
    )
    part = csr_array(layer.activations(of)[:, predicting]).maximum(0)
    part.eliminate_zeros()
    parts = layer.evidence.parts
    sides = ((parts.chooses, csc_array(part[parts.chooses])), (parts.scores, csc_array(part[parts.scores])))
    scores = score_tables(keys, table, sides, random_state=layer.inside.seed)
    for i, number in enumerate(predicting):
        numbers = [None if np.isnan(one[i]) else float(one[i]) for one in (scores.r, scores.detection)]
        made[number] = Other(source, found[number].text, *numbers)
    return made


def _reading(inside: Inside, part: TokenWindows, texts: dict[int, str]) -> Reading:
    assert isinstance(inside.model, LanguageModel)
    lengths = [len(one) for one in part.ids]
    tokens = np.concatenate(part.ids)
    _name(texts, inside.model, tokens)
    return Reading(
        tokens,
        np.repeat(np.arange(len(part)), lengths),
        np.concatenate(part.document),
        inside.position,
        texts,
    )


def _name(texts: dict[int, str], model: LanguageModel, tokens: Indices) -> None:
    new = [one for one in np.unique(tokens).tolist() if one not in texts]
    texts.update(zip(new, token_texts(model.tokenizer, new), strict=True))


def _pooling(picture: Indices, n: int) -> csr_array:
    """The mean over the places of each picture, (n_pictures, n_rows)."""
    count = np.bincount(picture, minlength=n)
    weights = (1 / np.maximum(count, 1))[picture].astype(np.float32)
    return csr_array((weights, (picture, np.arange(len(picture)))), shape=(n, len(picture)))
