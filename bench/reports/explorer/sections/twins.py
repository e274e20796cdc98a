"""Whether another dictionary, network or layer has the same features and units."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from .....analysis.interpretability.dictionary import Dictionary
from .....analysis.interpretability.lenses.token_texts import shown, token_texts
from .....analysis.interpretability.quality.activation_matching import ActivationMatch, match_activations
from .....analysis.interpretability.quality.controls import (
    covariance_matched_directions,
    unit_rows,
    untrained,
)
from .....analysis.interpretability.quality.firing import sparse_codes
from .....analysis.interpretability.quality.matching import match_directions
from .....analysis.interpretability.quality.splitting import splitting
from .....models.extraction.language_model import LanguageModel
from .....models.extraction.rows import TokenWindows
from ..content import Column, Of, Section
from ..looked import Asked, Indices, Looked
from ..places import Floats

_MOST_DENSE = 30_000_000
"""Entries of dense columns that are compared; with more, rows are drawn."""
_N_TOKENS, _LEAST = 3, 0.1
Matches = list[list[dict[str, Any]]]


def twins(looked: Looked, asked: Asked) -> Section:
    """The most alike of another seed's features, and of the features and units of the other layers of the page.

    r_ij = cov(f_i, g_j) / (sd f_i sd g_j) over the same tokens or places; the partner is the j of highest r. Held-out r
    is that in one half of the documents with the partner that the other half chose, mean of both ways: a maximum over
    many is high by chance. Of two dictionaries of one layer, cosines of directions, too; a feature splits where at
    least two of the others have a cosine above .7 with it and are active nearly only where it is. Beside them stand a
    dictionary before its first step, shuffled rows, units, and directions of the layer's covariance.

    Parameters
    ----------
    looked : Looked
    asked : Asked
    """
    matches: dict[Of, Matches] = {of: [[] for _ in range(looked.count(of))] for of in looked.kinds}
    columns: dict[Of, list[Column]] = {of: [] for of in looked.kinds}
    controls: list[dict[str, Any]] = []
    left_out: list[str] = []
    if looked.twin is not None and looked.dictionary is not None:
        r, beside = _of_seeds(looked, looked.twin, matches["feature"])
        columns["feature"].append(_column("twin.r", "r with the other seed's twin", r, beside))
        controls += beside
    elif looked.dictionary is not None:
        left_out.append("twins: there is no dictionary of another seed (--against)")
    for other in asked.others:
        if other.key == looked.key:
            continue
        if not _same_rows(looked, other):
            left_out.append(f"twins: {other.title} has other tokens or places than {looked.title}")
            continue
        for of in looked.kinds:
            r, beside = _of_sites(looked, other, of, matches[of])
            columns[of].append(_column(f"twin.r.{other.key}", f"r with its twin in {other.title}", r, beside))
            controls += beside
    entries: dict[Of, list[Any]] = {
        of: [{"matches": one} if one else None for one in some] for of, some in matches.items() if any(some)
    }
    return Section("twins", columns, entries, controls=controls, left_out=left_out)


def _column(name: str, title: str, values: Floats, controls: Sequence[Mapping[str, Any]]) -> Column:
    return Column(
        name,
        title,
        values.tolist(),
        "twins",
        sentence="Pearson r in one half of the documents with the partner that the other half chose",
        beside=[{"kind": one["kind"], "value": one["r"]} for one in controls if "r" in one],
    )


def _matched(looked: Looked, one: Any, other: Any) -> ActivationMatch:
    """Each column of the one and the most alike of the other; of many dense ones over rows that are drawn."""
    n_rows, documents, seed = one.shape[0], looked.document, looked.inside.seed
    width = sum(part.shape[1] for part in (one, other) if isinstance(part, np.ndarray))
    if n_rows * width > _MOST_DENSE:
        drawn = np.random.default_rng([seed, 55]).choice(n_rows, max(2, _MOST_DENSE // width), replace=False)
        drawn.sort()
        one, other = (
            part[drawn] if isinstance(part, np.ndarray) else part.tocsr()[drawn] for part in (one, other)
        )
        documents = documents[drawn]
    return match_activations(one, other, documents, random_state=seed)


def _row(kind: str, of: Of, site: str | None, found: ActivationMatch) -> dict[str, Any]:
    """A row of the controls: the median of held-out r."""
    return {
        "kind": kind,
        "r": found.held_out_median,
        "interval": list(found.interval),
        "n": int(np.isfinite(found.held_out).sum()),
        "of": of,
        "site": site,
    }


def _of_seeds(looked: Looked, twin: Dictionary, matches: Matches) -> tuple[Floats, list[dict[str, Any]]]:
    """Features of another seed of the dictionary, by their answers and by their directions."""
    ours, theirs = looked.features, sparse_codes(twin, looked.units)
    found = _matched(looked, ours, theirs)
    directions = _Directions.of(looked, twin, theirs)
    texts = _texts(looked, theirs)
    splits: Mapping[int, Sequence[int]] = {}
    if directions is not None:
        splits = splitting(directions.ours, directions.theirs, ours, theirs).parts
        r_nearest = _r_of_pairs(ours, theirs, directions.partner)

    def match(where: str, one: int, other: int, r: float, held_out: float | None) -> dict[str, Any]:
        cosine = None if directions is None else float(directions.ours[one] @ directions.theirs[other])
        said = {"text": texts[other]} if other in texts else {}
        return {
            "site": None, "of": "feature", "id": other, "where": where, "cosine": cosine, "r": r,
            "held_out_r": held_out, **said,
        }  # fmt: skip

    for i, into in enumerate(matches):
        partner = int(found.partner[i])
        if partner < 0:
            continue
        into.append(match("the other seed", i, partner, found.best[i], found.held_out[i]))
        if directions is None:
            continue
        if i in splits:
            parts = [[j, float(directions.ours[i] @ directions.theirs[j])] for j in splits[i]]
            into[-1]["splits"] = sorted(parts, key=lambda part: -part[1])
        nearest = int(directions.partner[i])
        if nearest not in (partner, -1):
            into.append(match("the other seed, by its direction", i, nearest, r_nearest[i], None))
    return found.held_out, _floors_of_seeds(looked, twin, found, theirs, directions)


def _floors_of_seeds(
    looked: Looked, twin: Dictionary, found: ActivationMatch, theirs: Any, directions: "_Directions | None"
) -> list[dict[str, Any]]:
    units = _matched(looked, looked.features, looked.units)
    rows = [
        *_floors(looked, looked.units, twin, theirs, None),
        _row("units", "feature", None, units),
        _row("the other seed, median of all", "feature", None, found),
    ]
    if directions is not None:
        rows[-1]["cosine"] = directions.mean
        rows.append(
            {
                "kind": "directions of the layer's covariance",
                "cosine": directions.floor,
                "of": "feature",
                "site": None,
            }
        )
    return rows


def _floors(
    looked: Looked, their_units: Any, dictionary: Dictionary, theirs: Any, site: str | None
) -> list[dict[str, Any]]:
    """Features against a dictionary before its first step, and against rows of other tokens."""
    active = max(1, round(theirs.nnz / theirs.shape[0]))
    seed = looked.inside.seed
    control = sparse_codes(untrained(dictionary, active, random_state=seed + 31), their_units)
    order = np.random.default_rng([seed, 41]).permutation(theirs.shape[0])
    return [
        _row("untrained dictionary", "feature", site, _matched(looked, looked.features, control)),
        _row("shuffled rows", "feature", site, _matched(looked, looked.features, theirs.tocsr()[order])),
    ]


def _of_sites(looked: Looked, other: Looked, of: Of, matches: Matches) -> tuple[Floats, list[dict[str, Any]]]:
    """Features in the features of another layer, or its units where it has none; units in its units."""
    to: Of = "feature" if of == "feature" and other.dictionary is not None else "unit"
    ours, theirs = (
        one.features if kind == "feature" else one.units for one, kind in ((looked, of), (other, to))
    )
    found = _matched(looked, ours, theirs)
    directions = None
    if of == to == "feature" and _same_layer(looked, other) and other.dictionary is not None:
        directions = _Directions.of(looked, other.dictionary, theirs)
    for i, into in enumerate(matches):
        partner = int(found.partner[i])
        if partner < 0:
            continue
        cosine = None if directions is None else float(directions.ours[i] @ directions.theirs[partner])
        into.append(
            {
                "site": other.key, "of": to, "id": partner, "where": other.title, "cosine": cosine, "r": found.best[i],
                "held_out_r": found.held_out[i],
            }
        )  # fmt: skip
    said = f"{other.title}, median of all {of}s"
    if to == "feature" and other.dictionary is not None:
        units = _row(f"units of {other.title}", of, other.key, _matched(looked, ours, other.units))
        floors = [*_floors(looked, other.units, other.dictionary, theirs, other.key), units]
    else:
        order = np.random.default_rng([looked.inside.seed, 41]).permutation(len(other.units))
        floors = [_row("shuffled rows", of, other.key, _matched(looked, ours, other.units[order]))]
    return found.held_out, [*floors, _row(said, of, other.key, found)]


@dataclass(frozen=True)
class _Directions:
    """Directions of two dictionaries of one layer.

    Attributes
    ----------
    ours, theirs : array of shape (n_features, n_units)
        Of length 1.
    partner : int array of shape (n_features,)
        The active one of theirs with the highest cosine; -1 of ours that never are active.
    mean, floor : float
        Mean of those cosines, and of those with as many directions of the layer's covariance.
    """

    ours: Floats = field(repr=False)
    theirs: Floats = field(repr=False)
    partner: Indices = field(repr=False)
    mean: float
    floor: float

    @classmethod
    def of(cls, looked: Looked, other: Dictionary, codes: Any) -> "_Directions | None":
        """None where the two write into layers of different widths, or nothing is active."""
        ours, theirs = (unit_rows(one.directions.numpy()) for one in (looked.inside.features, other))
        alive, their_alive = (np.flatnonzero(np.diff(one.indptr)) for one in (looked.features, codes))
        if ours.shape[1] != theirs.shape[1] or not len(alive) or not len(their_alive):
            return None
        seed = looked.inside.seed
        found = match_directions(ours[alive], theirs[their_alive], random_state=seed)
        partner = np.full(len(ours), -1, np.intp)
        partner[alive] = their_alive[found.partner]
        floor = float("nan")
        if ours.shape[1] == looked.inside.n_units:
            drawn = covariance_matched_directions(looked.units, len(their_alive), random_state=seed + 21)
            floor = match_directions(ours[alive], drawn, random_state=seed).mmcs
        return cls(ours, theirs, partner, found.mmcs, floor)


def _r_of_pairs(one: Any, other: Any, partner: Indices) -> Floats:
    """Pearson r of each sparse column and its partner's."""
    theirs = other[:, np.maximum(partner, 0)]
    n = one.shape[0]

    def mean(values: Any) -> Floats:
        means: Floats = np.asarray(values.sum(axis=0, dtype=np.float64)).ravel() / n
        return means

    x, y, xx, yy, xy = map(
        mean, (one, theirs, one.multiply(one), theirs.multiply(theirs), one.multiply(theirs))
    )
    spread = (xx - x**2) * (yy - y**2)
    r = np.full(len(x), np.nan)
    np.divide(xy - x * y, np.sqrt(np.maximum(spread, 0)), out=r, where=spread > 0)
    return r


def _texts(looked: Looked, codes: Any) -> dict[int, str]:
    """The tokens on which each feature has most of its activity; nothing of pictures."""
    model = looked.inside.model
    if not isinstance(model, LanguageModel):
        return {}
    known, token = np.unique(looked.inside.read.token, return_inverse=True)
    n = len(token)
    gather = csr_array((np.ones(n, np.float32), (token, np.arange(n))), shape=(len(known), n))
    by_token = (gather @ codes).tocsc()
    names = [shown(one) for one in token_texts(model.tokenizer, known.tolist())]
    found = {}
    for i, (start, end) in enumerate(zip(by_token.indptr[:-1], by_token.indptr[1:], strict=True)):
        mass = by_token.data[start:end]
        if not len(mass):
            continue
        largest = np.argsort(-mass, kind="stable")[:_N_TOKENS]
        most = [one for one in largest if mass[one] >= _LEAST * mass[largest[0]]]
        words = ", ".join(names[by_token.indices[start + one]] for one in most)
        found[i] = f"fires on {words} ({100 * mass[most].sum() / mass.sum():.0f} % of its activity)"
    return found


def _same_layer(one: Looked, other: Looked) -> bool:
    places = [(each.inside.model.digest, each.inside.layer, each.inside.n_units) for each in (one, other)]
    return places[0] == places[1]


def _same_rows(one: Looked, other: Looked) -> bool:
    """Whether rows are of the same tokens, or of the same places of the same pictures."""
    a, b = one.inside.read, other.inside.read
    same = len(a) == len(b) and all(
        np.array_equal(getattr(a, name), getattr(b, name)) for name in ("stimulus", "place", "token")
    )
    if not same:
        return False
    seen, theirs = one.inside.part, other.inside.part
    if isinstance(seen, TokenWindows) or isinstance(theirs, TokenWindows):
        models = (one.inside.model, other.inside.model)
        if not all(isinstance(model, LanguageModel) for model in models):
            return False
        known = np.unique(a.token).tolist()
        texts = [token_texts(model.tokenizer, known) for model in models if isinstance(model, LanguageModel)]
        return texts[0] == texts[1]
    paths = [[str((part.stimulus_paths or {})[i]) for i in part["stimulus_id"]] for part in (seen, theirs)]
    return paths[0] == paths[1]
