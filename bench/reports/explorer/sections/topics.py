"""Clusters of units by the texts that they matter for: their words, what those texts are, their place on the sheet.

I_u(x) = mean_t |a_ut dL/da_ut| is how much unit u matters for window x; each unit's row is scaled to sum 1, and
Ward's clusters are made of the cosines of these rows. The words of a cluster are those that come more often in the
tenth of the windows that it matters for most than in all: ln((n_w + c) / (n p_w + c)), n_w of these n windows hold word
w, p_w is the share of all windows that do, and c = 5 shrinks what is rare.
"""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from .....analysis.interpretability.lenses.importance import gradient_importance
from .....analysis.interpretability.lenses.passes import layer_in, predicting
from .....analysis.interpretability.lenses.token_texts import token_texts
from .....analysis.interpretability.lenses.topics import (
    cluster_contiguity,
    scaled_rows,
    topic_enrichment,
    ward_clusters,
)
from .....analysis.spatial.spatial_weights import SpatialWeights
from .....errors import UserError
from .....models.extraction.rows import TokenWindows
from ..content import Column, Section
from ..looked import Asked, Looked

Indices = npt.NDArray[np.intp]
Floats = npt.NDArray[np.float64]
_MOST_WINDOWS = 512
_SHARE = 0.1
_COUNT = 5.0
_N_WORDS, _N_TOPICS = 12, 3
_FEWEST = 6
"""Windows of a text that is a topic."""
_LEVEL = 0.05
_DRAWS = 999
_BEGINNING, _LONGEST = 24, 40
_HEADING = re.compile(r"=+ ([^=]+) =")


def topics(looked: Looked, asked: Asked) -> Section:
    """Units by what they matter for.

    Parameters
    ----------
    looked : Looked
    asked : Asked
        ``topics``: how many clusters.
    """
    if not asked.topics:
        return Section("topics", left_out=["topics: not asked for"])
    inside = looked.inside
    model = predicting(inside.model)
    part = inside.part
    assert isinstance(part, TokenWindows)
    generator = np.random.default_rng([inside.seed, 89])
    chosen = np.sort(generator.permutation(len(part))[:_MOST_WINDOWS])
    some = part.taken(chosen)
    found = gradient_importance(model, layer_in(model, inside.layer), some.ids, seed=inside.seed)
    windows = [some.ids[i] for i in found.texts]
    matter = np.flatnonzero(found.importance.sum(axis=0) > 0)
    if len(matter) <= asked.topics:
        raise UserError(f"{len(matter)} units matter: too few for {asked.topics} clusters")
    shares = scaled_rows(found.importance.T[matter])
    clusters = ward_clusters(shares, asked.topics)
    n = int(clusters.max()) + 1
    holds = _holding(windows)
    profiles = np.stack([shares[clusters == i].mean(axis=0) for i in range(n)])
    n_top = max(2, round(_SHARE * len(windows)))
    tops = [np.argsort(-one, kind="stable")[:n_top] for one in profiles]
    by_chance = [_pmi(holds, generator.permutation(len(windows))[:n_top]).max() for _ in range(20)]
    about, without = _texts(looked, some, found.texts, shares, clusters)
    left_out = [without] if without else []
    joins, whole_p = _joins(looked, matter, clusters)
    if joins is None:
        left_out.append("topics: no sheet, so whether clusters lie together is not asked")
    named = [
        {
            "number": i, "units": matter[clusters == i], "words": _words(model.tokenizer, _pmi(holds, tops[i])),
            "topics": about[i], "joins": None if joins is None else joins[i][0],
            "p": None if joins is None else joins[i][1],
        }
        for i in range(n)
    ]  # fmt: skip
    member = np.full(inside.n_units, -1)
    member[matter] = clusters
    controls: list[dict[str, Any]] = [
        {
            "kind": f"highest of the words of {n_top} windows drawn at random",
            "pmi": float(np.median(by_chance)),
            "n": 20,
        }
    ]
    if joins is not None:
        controls.append({"kind": "permuted layouts", "joins": 1.0, "n": _DRAWS, "p": whole_p})
    return Section(
        "topics",
        {"unit": [_column(member, named)]},
        whole={"clusters": named, "of": "unit", "n_windows": len(windows)},
        controls=controls,
        left_out=left_out,
    )


def _column(member: Indices, named: Sequence[dict[str, Any]]) -> Column:
    names = [f"{one['number']}: {' '.join(word.strip() for word, _ in one['words'][:3])}" for one in named]
    return Column(
        "topic", "topic cluster", member.tolist(), "topics", "category", categories=names,
        sentence="Ward's clusters of units by the texts that they matter for, and the words that lead there",
    )  # fmt: skip


def _holding(windows: Sequence[Indices]) -> csr_array:
    """(n_windows, vocabulary), 1 where the window holds the token."""
    rows = np.repeat(np.arange(len(windows)), [len(one) for one in windows])
    tokens = np.concatenate(list(windows))
    found = csr_array((np.ones(len(tokens)), (rows, tokens)))
    found.data[:] = 1.0
    return found


def _pmi(holds: csr_array, some: Indices) -> Floats:
    """How much more often each token comes in some windows than in all, shrunk where it is rare."""
    share = np.asarray(holds.mean(axis=0)).ravel()
    count = np.asarray(holds[some].sum(axis=0)).ravel()
    expected = len(some) * share
    with np.errstate(divide="ignore", invalid="ignore"):
        found: Floats = np.where(share > 0, np.log((count + _COUNT) / (expected + _COUNT)), -np.inf)
    return found


def _words(tokenizer: Any, values: Floats) -> list[list[Any]]:
    best = np.argsort(-values, kind="stable")[:_N_WORDS]
    best = best[values[best] > 0]
    return [[text, float(values[i])] for text, i in zip(token_texts(tokenizer, best), best, strict=True)]


def _texts(
    looked: Looked, part: TokenWindows, kept: Indices, shares: Floats, clusters: Indices
) -> tuple[list[list[Any]], str]:
    """The texts that each cluster matters for more than if windows were dealt to texts at random: name, log odds, q."""
    none: list[list[Any]] = [[] for _ in range(int(clusters.max()) + 1)]
    document = np.array([np.bincount(part.document[i]).argmax() for i in kept])
    names, counts = np.unique(document, return_counts=True)
    known = names[counts >= _FEWEST]
    if len(known) < 2:
        return (
            none,
            f"topics: no two texts have {_FEWEST} windows each: what clusters are about is told by words alone",
        )
    at = np.flatnonzero(np.isin(document, known))
    table = topic_enrichment(shares[:, at], clusters, document[at], draws=_DRAWS, seed=looked.inside.seed)
    titles = dict(zip(known.tolist(), _titles(looked, known), strict=True))
    for i in range(len(none)):
        own = table[(table["cluster"] == i) & (table["q"] < _LEVEL)].sort_values("z", ascending=False)
        none[i] = [
            [titles[row["topic"]], row["log_odds"], row["q"]] for _, row in own.head(_N_TOPICS).iterrows()
        ]
    return none, ""


def _titles(looked: Looked, documents: Indices) -> list[str]:
    """How texts begin, as far as they are shown."""
    part = looked.inside.shown
    assert isinstance(part, TokenWindows)
    model: Any = looked.inside.model
    first: dict[int, list[int]] = {int(one): [] for one in documents}
    for ids, document in zip(part.ids, part.document, strict=True):
        for one in np.intersect1d(document, documents):
            if len(first[int(one)]) < _BEGINNING:
                first[int(one)] += ids[document == one].tolist()
    found = []
    for one, tokens in first.items():
        text = "".join(token_texts(model.tokenizer, tokens[:_BEGINNING]))
        heading = _HEADING.search(text)
        found.append((heading.group(1) if heading else text[:_LONGEST]).strip() or f"text {one}")
    return found


def _joins(
    looked: Looked, units: Indices, clusters: Indices
) -> tuple[list[tuple[float, float]] | None, float | None]:
    """Neighbours of one cluster over those in permuted layouts, and p, of each cluster; p of all."""
    inside = looked.inside
    sheet = inside.model.sheet_of_units(inside.layer, inside.n_units)
    if sheet is None:
        return None, None
    weights = SpatialWeights.from_positions(sheet.positions[units], isolates="keep")
    table = cluster_contiguity(clusters, weights, draws=_DRAWS, seed=inside.seed)
    pairs = [(row["joins"] / max(row["expected"], 1e-9), row["p"]) for _, row in table.iterrows()]
    return pairs, float(table.attrs["p"])
