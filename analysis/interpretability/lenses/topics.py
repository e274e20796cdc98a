"""Units that matter for the same texts, what those texts are about, and whether such units lie together on the sheet.

The matrix is importance, units x texts, every unit's row scaled to sum 1. Clusters come of it alone; labels of the
texts (topics, categories) come in afterwards, so that dealing the labels to the texts at random is a fair null.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse

from ....errors import UserError
from ...spatial.permutation_null import permuted_layouts
from ...spatial.spatial_weights import SpatialWeights
from ...statistics.resampling import benjamini_hochberg, permutations

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]
_TINY = 1e-12
_LEFT_OUT = 0.1
"""Share of the entries that the number of parts is judged by."""


def scaled_rows(importance: npt.ArrayLike) -> Floats:
    """Every unit's importance as shares of its sum over texts; a unit without any keeps zeros.

    Parameters
    ----------
    importance : array of shape (n_units, n_texts)
        At least 0.
    """
    values = np.asarray(importance, np.float64)
    if values.ndim != 2 or not np.isfinite(values).all() or (values < 0).any():
        raise UserError(f"importance must be (n_units, n_texts), finite and at least 0, not {values.shape}")
    total = values.sum(axis=1, keepdims=True)
    return np.divide(values, total, out=np.zeros_like(values), where=total > 0)


def ward_clusters(shares: npt.ArrayLike, n_clusters: int) -> Indices:
    """Ward's clusters of units by the cosine of their rows, numbered from 0 by size, largest first.

    Rows are centred (what all units share is no cluster) and scaled to length 1, where squared distance is twice one
    less the cosine.

    Parameters
    ----------
    shares : array of shape (n_units, n_texts)
    n_clusters : int

    Returns
    -------
    array of shape (n_units,)
    """
    from scipy.cluster.hierarchy import fcluster, linkage

    rows = np.asarray(shares, np.float64)
    if not 2 <= n_clusters <= len(rows):
        raise UserError(f"{len(rows)} units make 2 to {len(rows)} clusters, not {n_clusters}")
    rows = rows - rows.mean(axis=0)
    rows = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), _TINY)
    return _by_size(fcluster(linkage(rows, "ward"), n_clusters, "maxclust"))


@dataclass(frozen=True)
class Parts:
    """A non-negative factorisation, shares ~ loadings @ profiles.

    Attributes
    ----------
    loadings : array of shape (n_units, n_parts)
    profiles : array of shape (n_parts, n_texts)
        Each sums to 1.
    error : float
        Squared error over the squared size of the matrix, on the entries that were fitted.
    """

    loadings: Floats
    profiles: Floats
    error: float

    @property
    def clusters(self) -> Indices:
        """The part that each unit loads on most, numbered from 0 by size."""
        return _by_size(self.loadings.argmax(axis=1))


def nonnegative_parts(
    shares: npt.ArrayLike, n_parts: int, *, mask: npt.ArrayLike | None = None, steps: int = 300, seed: int = 0
) -> Parts:
    """Multiplicative updates for the squared error over the entries of a mask.

    Lee & Seung (2001), NIPS 13; with weights of 0 and 1, Ho (2008).

    Parameters
    ----------
    shares : array of shape (n_units, n_texts)
    n_parts : int
    mask : bool array of the same shape, optional
        The entries that are fitted; all by default.
    steps, seed : int
    """
    values = np.asarray(shares, np.float64)
    if not 1 <= n_parts <= min(values.shape):
        raise UserError(
            f"a matrix of {values.shape[0]} x {values.shape[1]} has 1 to {min(values.shape)} parts, not {n_parts}"
        )
    used = np.ones_like(values) if mask is None else np.asarray(mask, np.float64)
    generator = np.random.default_rng([seed, 23])
    size = np.sqrt(values.mean() / n_parts) + _TINY
    left = size * generator.uniform(0.5, 1.5, (len(values), n_parts))
    right = size * generator.uniform(0.5, 1.5, (n_parts, values.shape[1]))
    shown = used * values
    for _ in range(steps):
        left *= (shown @ right.T) / ((used * (left @ right)) @ right.T + _TINY)
        right *= (left.T @ shown) / (left.T @ (used * (left @ right)) + _TINY)
    total = right.sum(axis=1)
    away = used * (values - left @ right)
    error = float((away**2).sum() / max((shown**2).sum(), _TINY))
    return Parts(left * total, right / np.maximum(total, _TINY)[:, None], error)


def held_out_error(shares: npt.ArrayLike, n_parts: int, *, seed: int = 0, steps: int = 300) -> float:
    """Squared error of entries that the parts did not see, over their squared distance from the row's mean.

    A tenth of the entries, drawn at random, is left out.

    Parameters
    ----------
    shares : array of shape (n_units, n_texts)
    n_parts, seed, steps : int
    """
    values = np.asarray(shares, np.float64)
    seen = np.random.default_rng([seed, 29]).random(values.shape) >= _LEFT_OUT
    parts = nonnegative_parts(values, n_parts, mask=seen, steps=steps, seed=seed)
    row = np.divide((values * seen).sum(axis=1), np.maximum(seen.sum(axis=1), 1))[:, None]
    away = ~seen * (values - parts.loadings @ parts.profiles)
    return float((away**2).sum() / max(((~seen * (values - row)) ** 2).sum(), _TINY))


def number_of_parts(
    shares: npt.ArrayLike, most: int = 8, *, draws: int = 3, seed: int = 0
) -> tuple[int, dict[int, float]]:
    """The number of parts, at least 2, that foretells unseen entries best, and the mean error of each.

    Parameters
    ----------
    shares : array of shape (n_units, n_texts)
    most, draws, seed : int
    """
    values = np.asarray(shares, np.float64)
    errors = {
        k: float(np.mean([held_out_error(values, k, seed=seed + draw) for draw in range(draws)]))
        for k in range(1, min(most, *values.shape) + 1)
    }
    candidates = {k: error for k, error in errors.items() if k > 1} or errors
    return min(candidates, key=candidates.__getitem__), errors


def topic_enrichment(
    shares: npt.ArrayLike,
    clusters: npt.ArrayLike,
    labels: npt.ArrayLike,
    *,
    draws: int = 999,
    seed: int = 0,
    blocks: npt.ArrayLike | None = None,
) -> pd.DataFrame:
    """Which topics each cluster's importance is concentrated on.

    The statistic is the mean share of the cluster's importance in texts of the topic less that in all others; its null
    deals the labels to the texts at random. Beside it the log-odds of the topic among the texts that the cluster leads
    (for which its share is highest of all clusters), and Fisher's exact p of that table.

    Parameters
    ----------
    shares : array of shape (n_units, n_texts)
    clusters : array of int, shape (n_units,)
    labels : array of shape (n_texts,)
    draws, seed : int
    blocks : array of shape (n_texts,), optional
        Labels are dealt only among texts of one block, such as one length.

    Returns
    -------
    DataFrame
        A row a cluster and topic: ``cluster``, ``topic``, ``n_units``, ``difference``, ``expected`` and ``z`` (mean of
        the null, which blocks take away from 0, and standard deviations above it), ``p`` (one-sided), ``q``
        (Benjamini-Hochberg over all rows), ``log_odds``, ``fisher_p``.
    """
    from scipy.stats import fisher_exact

    values, member, said = np.asarray(shares, np.float64), np.asarray(clusters), np.asarray(labels)
    if said.shape != (values.shape[1],) or member.shape != (len(values),):
        raise UserError(
            f"{values.shape[0]} units x {values.shape[1]} texts do not fit {member.shape} clusters, {said.shape} labels"
        )
    names, topic = np.unique(said, return_inverse=True)
    if len(names) < 2:
        raise UserError(f"all texts are of one topic ({names[0]}): nothing can be enriched")
    groups = np.unique(member)
    profiles = np.stack([values[member == one].mean(axis=0) for one in groups])
    is_topic = topic == np.arange(len(names))[:, None]
    observed = _differences(profiles, is_topic)
    orders = permutations(len(said), draws, random_state=seed, blocks=blocks)
    null = np.stack([_differences(profiles, is_topic[:, order]) for order in orders])
    p = (1 + (null >= observed - 1e-15).sum(axis=0)) / (draws + 1)
    expected, spread = null.mean(axis=0), null.std(axis=0, ddof=1)
    leads = profiles.argmax(axis=0) == np.arange(len(groups))[:, None]
    rows = []
    for i, cluster in enumerate(groups):
        for j, name in enumerate(names):
            counts = [
                [int((leads[i] & is_topic[j]).sum()), int((leads[i] & ~is_topic[j]).sum())],
                [int((~leads[i] & is_topic[j]).sum()), int((~leads[i] & ~is_topic[j]).sum())],
            ]
            (a, b), (c, d) = np.array(counts) + 0.5
            rows.append(
                {
                    "cluster": int(cluster),
                    "topic": name,
                    "n_units": int((member == cluster).sum()),
                    "difference": observed[i, j],
                    "expected": expected[i, j],
                    "z": (observed[i, j] - expected[i, j]) / spread[i, j]
                    if spread[i, j] > 0
                    else float("nan"),
                    "p": p[i, j],
                    "log_odds": float(np.log(a * d / (b * c))),
                    "fisher_p": float(fisher_exact(counts, alternative="greater")[1]),
                }
            )
    table = pd.DataFrame(rows)
    table.insert(7, "q", benjamini_hochberg(table["p"]))
    table.attrs |= {"draws": draws, "seed": seed}
    return table


def cluster_contiguity(
    clusters: npt.ArrayLike, weights: SpatialWeights, *, draws: int = 999, seed: int = 0
) -> pd.DataFrame:
    """Whether units of a cluster are neighbours on the sheet more often than when units are dealt to places at random.

    The join count of cluster c is z' W z / 2 with z_u = 1 for its units and W with every pair of neighbours in both
    directions. All clusters take part in the same permuted layouts.

    Parameters
    ----------
    clusters : array of int, shape (n_units,)
        In the order of the places.
    weights : SpatialWeights
    draws, seed : int

    Returns
    -------
    DataFrame
        A row a cluster: ``cluster``, ``n_units``, ``joins``, ``expected`` (mean of the permuted layouts), ``z``, ``p``
        (one-sided), ``q``. In ``attrs`` the same over all clusters: ``joins``, ``expected``, ``p``.
    """
    member = np.asarray(clusters)
    if member.shape != (len(weights),):
        raise UserError(f"{member.shape} clusters do not fit {len(weights)} places")
    groups = np.unique(member)
    maps = (member == groups[:, None]).astype(np.float64)
    linked = (weights.pairs != 0).astype(np.float64)
    observed = _joins(maps.T, linked)
    null = np.concatenate(
        [_joins(block, linked).reshape(-1, len(groups)) for block in permuted_layouts(maps, draws, seed)]
    )
    p = (1 + (null >= observed - 1e-9).sum(axis=0)) / (draws + 1)
    spread = null.std(axis=0, ddof=1)
    table = pd.DataFrame(
        {
            "cluster": groups,
            "n_units": maps.sum(axis=1).astype(int),
            "joins": observed,
            "expected": null.mean(axis=0),
            "z": np.divide(
                observed - null.mean(axis=0), spread, out=np.full(len(groups), np.nan), where=spread > 0
            ),
            "p": p,
            "q": benjamini_hochberg(p),
        }
    )
    total = null.sum(axis=1)
    table.attrs |= {
        "joins": float(observed.sum()), "expected": float(total.mean()), "draws": draws,
        "p": float((1 + (total >= observed.sum() - 1e-9).sum()) / (draws + 1)),
    }  # fmt: skip
    return table


def _differences(profiles: Floats, is_topic: npt.NDArray[np.bool_]) -> Floats:
    """Mean share in a topic less that outside, (n_clusters, n_topics)."""
    n = is_topic.sum(axis=1)
    inside = profiles @ is_topic.T
    outside = profiles.sum(axis=1, keepdims=True) - inside
    found: Floats = inside / n - outside / (is_topic.shape[1] - n)
    return found


def _joins(columns: Floats, pairs: sparse.csr_array) -> Floats:
    """Z' W z of every column, each pair of neighbours once."""
    found: Floats = (columns * (pairs @ columns)).sum(axis=0)
    return found


def _by_size(labels: npt.ArrayLike) -> Indices:
    names, member, counts = np.unique(np.asarray(labels), return_inverse=True, return_counts=True)
    rank = np.empty(len(names), np.intp)
    rank[np.argsort(-counts, kind="stable")] = np.arange(len(names))
    return rank[member]
