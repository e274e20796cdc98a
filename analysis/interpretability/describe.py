"""What each unit or feature of a layer fires on, in plain words made by counting, and how well those words predict.

Rows are parted by document: one part makes every family's table, one chooses the family, one scores it. With f the
activation, a table says at key k

    f^(k) = sum of f where k holds / (rows where k holds + 5)

for the ten keys of largest mass, 0 elsewhere; r is the correlation of f^ with f over all rows of the part that scores.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csc_array, csr_array, hstack

from ...errors import UserError
from .descriptions.base import Floats, Keys, Part, counts, masses
from .descriptions.enrichment import Enrichment, beyond_tokens, enrichment, firing_counts, strong
from .descriptions.evidence import Indices, Reading, Shown
from .descriptions.gathered import Evidence
from .descriptions.scores import Scores, correlations, predicted, score_tables
from .descriptions.wording import in_words

_BLOCK = 256
"""Units or features that are described at once."""
_LEAST_RATIO, _LEAST_BEYOND, _MOST_Q = 1.5, 1.25, 0.001
"""For a class to be said: how much more often than anywhere, than in rows of the same tokens, and how surely."""
_PROMOTED = 3
_STRONG = 0.2
"""Share of the pictures in which a unit or feature is said to fire where enrichment is tested."""
ENOUGH = 50
"""Firing rows of the part that scores, below which a score is chance and does not count in a summary."""


@dataclass(frozen=True)
class Description:
    """Of one unit or feature.

    Attributes
    ----------
    text : str
    family : str
    r, detection, coverage, purity : float
        On the part that scores; NaN where it does not fire there.
    keys : list of (name, predicted activation, share of the mass of the part that describes)
        The largest share first.
    families : list of (name, r on the part that chooses)
        The best first.
    n_firing : int
        Rows of the part that scores in which it fires.
    """

    text: str
    family: str
    r: float
    detection: float
    coverage: float
    purity: float
    keys: list[tuple[str, float, float]]
    families: list[tuple[str, float]]
    n_firing: int


def describe(
    activations: csc_array | csr_array | npt.NDArray[np.floating[Any]],
    shown: Shown | Evidence,
    *,
    promoted: npt.NDArray[np.intp] | None = None,
    random_state: int = 0,
) -> list[Description | None]:
    """Describe every column of activations, and score the descriptions on documents that they have not seen.

    Parameters
    ----------
    activations : sparse or dense array of shape (n_rows, n)
        What is below 0 counts as silence.
    shown : Reading, Seen or Evidence
        What the rows are of.
    promoted : int array of shape (n, m), optional
        Ids of the tokens that each promotes, the most first.
    random_state : int
        Of the parts and of the rows on which firing is detected; that of the evidence where it is given.

    Returns
    -------
    list of Description or None
        None for what never fires in the part that describes.

    Raises
    ------
    UserError
        For fewer than three documents, or other numbers of rows.
    """
    evidence = shown if isinstance(shown, Evidence) else Evidence.of(shown, random_state=random_state)
    shape = activations.shape
    if len(shape) != 2 or shape[0] != len(evidence.shown):
        raise UserError(
            f"activations are {tuple(shape)}: a row for each of the {len(evidence.shown)} that were shown"
        )
    if promoted is not None and (promoted.ndim != 2 or len(promoted) != shape[1]):
        raise UserError(f"promoted tokens are {promoted.shape}, one row for each of {shape[1]}")
    made = [
        _Block(
            evidence,
            _positive(activations, start, min(start + _BLOCK, shape[1])),
            None if promoted is None else promoted[start : start + _BLOCK],
        )
        for start in range(0, shape[1], _BLOCK)
    ]
    found = _enriched(evidence, made)
    start, described = 0, list[Description | None]()
    for block in made:
        part = None if found is None else _columns(found, start, start + block.n)
        described += block.described(part)
        start += block.n
    return described


def _positive(
    activations: csc_array | csr_array | npt.NDArray[np.floating[Any]], start: int, stop: int
) -> csr_array:
    part = csr_array(activations[:, start:stop])
    part = part.maximum(0)
    part.eliminate_zeros()
    return csr_array(part)


class _Block:
    """Some columns, described at once; of their activations only counts are kept."""

    def __init__(self, evidence: Evidence, activations: csr_array, promoted: Indices | None) -> None:
        self.evidence, self.promoted, self.n = evidence, promoted, activations.shape[1]
        parts = evidence.parts
        first, second, third = (
            csc_array(activations[rows]) for rows in (parts.describes, parts.chooses, parts.scores)
        )
        tables, r = [], []
        for i, (family, keys) in enumerate(zip(evidence.families, evidence.keys, strict=True)):
            table = family.table(evidence.by_part[i], Part(evidence.shown, parts.describes, first, promoted))
            tables.append(table)
            r.append(correlations(predicted(keys, parts.chooses, table), second))
        self.r = np.array(r)
        self.fires = np.diff(first.indptr) > 0
        self.n_firing = np.diff(third.indptr)
        self.winner = self._winner()
        self.scores = Scores(*(np.full(self.n, np.nan) for _ in range(4)))
        self.rules = [list[tuple[str, float, float]]() for _ in range(self.n)]
        for i, keys in enumerate(evidence.keys):
            self._scored(i, keys, tables[i], (first, second, third))
        self.counts = self._counted(first)
        tokens = evidence.keys_of("token")
        fires = csc_array((first > 0).astype(np.float32))
        self.firing = None if tokens is None else masses(tokens, fires)

    def _winner(self) -> Indices:
        """The largest r on the part that chooses; the token, the plainest, where no family predicts anything there."""
        r = np.where(np.isnan(self.r), -2.0, self.r)
        names = [one.name for one in self.evidence.families]
        plainest = names.index("token") if "token" in names else 0
        return np.where(r.max(axis=0) > 0, r.argmax(axis=0), plainest)

    def _scored(
        self, i: int, keys: Keys, table: csc_array, activations: tuple[csc_array, csc_array, csc_array]
    ) -> None:
        won = np.flatnonzero((self.winner == i) & self.fires)
        if not len(won):
            return
        first, second, third = (one[:, won] for one in activations)
        parts, table = self.evidence.parts, table[:, won]
        sides = ((parts.chooses, second), (parts.scores, third))
        scores = score_tables(keys, table, sides, random_state=self.evidence.random_state)
        for name in vars(scores):
            getattr(self.scores, name)[won] = getattr(scores, name)
        for column, rules in zip(won, rules_of(self.evidence.by_part[i], table, first), strict=True):
            self.rules[column] = rules

    def _counted(self, first: csc_array) -> tuple[Floats, Floats] | None:
        classes = self.evidence.classes
        if classes is None:
            return None
        is_text = isinstance(self.evidence.shown, Reading)
        return firing_counts(classes, first if is_text else strong(first, _STRONG))

    def described(self, found: Enrichment | None) -> list[Description | None]:
        """The descriptions, with where each fires more often."""
        each = list[Description | None]()
        for i in range(self.n):
            if not self.fires[i]:
                each.append(None)
                continue
            family = self.evidence.families[self.winner[i]]
            names = [one.name for one in self.evidence.families]
            known = [(name, float(r)) for name, r in zip(names, self.r[:, i], strict=True) if not np.isnan(r)]
            named = self._named(i)
            text = in_words(
                family.phrase,
                named,
                marks=family.name not in ("class", "picture"),
                promoted=self._promoted(i),
                more=None
                if found is None
                else _most(self.evidence, found, i, {name for name, _, _ in named}),
            )
            r, detection, coverage, purity = (float(one[i]) for one in vars(self.scores).values())
            ranked = sorted(known, key=lambda pair: -pair[1])
            each.append(
                Description(
                    text,
                    family.name,
                    r,
                    detection,
                    coverage,
                    purity,
                    self.rules[i],
                    ranked,
                    int(self.n_firing[i]),
                )
            )
        return each

    def _named(self, i: int) -> list[tuple[str, float, float]]:
        """The keys that a text names: of pictures, which all have a label, those above the mean of the labels."""
        rules = self.rules[i]
        if isinstance(self.evidence.shown, Reading) or not rules:
            return rules
        mean = sum(value for _, value, _ in rules) / len(rules)
        return [one for one in rules if one[1] >= mean]

    def _promoted(self, i: int) -> list[str]:
        if self.promoted is None or not isinstance(self.evidence.shown, Reading):
            return []
        texts = self.evidence.shown.texts
        return [texts.get(int(one), f"<{one}>") for one in self.promoted[i][:_PROMOTED]]


def rules_of(keys: Keys, table: csc_array, activations: csc_array) -> list[list[tuple[str, float, float]]]:
    """Of every column its keys, what is predicted there, and the share of its activation that lies there.

    Parameters
    ----------
    keys : Keys
    table : sparse array of shape (n_keys, n)
    activations : sparse array of shape (n_rows, n)
    """
    used = np.unique(table.indices)
    narrow = Keys(csr_array(keys.by_key[:, used]), keys.name)
    held = masses(narrow, activations).toarray()
    total = np.asarray(activations.sum(axis=0), np.float64).ravel()
    found = []
    for column in range(table.shape[1]):
        here = slice(table.indptr[column], table.indptr[column + 1])
        key, value = table.indices[here], table.data[here]
        share = held[np.searchsorted(used, key), column] / max(total[column], np.finfo(float).tiny)
        order = np.argsort(-share, kind="stable")
        found.append([(keys.name(int(key[i])), float(value[i]), float(share[i])) for i in order])
    return found


def _enriched(evidence: Evidence, blocks: Sequence[_Block]) -> Enrichment | None:
    """Over all columns at once, as the false discovery rate is; of classes that tokens alone do not explain."""
    classes, tokens = evidence.classes, evidence.keys_of("token")
    kept = [one.counts for one in blocks if one.counts is not None]
    if classes is None or not kept:
        return None
    both, fires = np.concatenate([one for one, _ in kept], axis=1), np.concatenate([one for _, one in kept])
    found = enrichment(both, fires, counts(classes), len(evidence.parts.describes))
    if tokens is None:
        return found
    firing = hstack([one.firing for one in blocks], format="csc")
    beyond = beyond_tokens(both, classes, tokens, csc_array(firing)) >= _LEAST_BEYOND
    return Enrichment(np.where(beyond, found.ratio, 0.0), found.q)


def _columns(found: Enrichment, start: int, stop: int) -> Enrichment:
    return Enrichment(found.ratio[:, start:stop], found.q[:, start:stop])


def _most(
    evidence: Evidence, found: Enrichment, column: int, said: Collection[str]
) -> tuple[str, float, float] | None:
    classes = evidence.classes
    if classes is None:
        return None
    new = np.array([classes.name(i) not in said for i in range(len(found.ratio))])
    ratio = np.where((found.q[:, column] < _MOST_Q) & new, found.ratio[:, column], 0.0)
    best = int(ratio.argmax())
    if ratio[best] < _LEAST_RATIO:
        return None
    name = classes.name(best)
    where = name if isinstance(evidence.shown, Reading) else f"on {name} ones"
    return where, float(ratio[best]), float(found.q[best, column])


def summary(found: Sequence[Description | None], enough: int = ENOUGH) -> dict[str, float | int]:
    """How well descriptions predict: how many there are, median r, share of r above one half, median detection.

    Only those count that fire in enough rows of the part that scores; ``all_median`` is over all that fire there at
    all, and ``rare`` counts all that are left out.

    Parameters
    ----------
    found : sequence of Description or None
    enough : int
    """
    scored = [one for one in found if one is not None and np.isfinite(one.r)]
    kept = [one for one in scored if one.n_firing >= enough]
    r = np.array([one.r for one in kept])
    return {
        "n": len(kept),
        "rare": len(found) - len(kept),
        "median": _median([one.r for one in kept]),
        "share_above_half": float((r > 0.5).mean()) if len(r) else float("nan"),
        "detection": _median([one.detection for one in kept]),
        "all_median": _median([one.r for one in scored]),
    }


def _median(values: Sequence[float]) -> float:
    known = [one for one in values if np.isfinite(one)]
    return float(np.median(known)) if known else float("nan")
