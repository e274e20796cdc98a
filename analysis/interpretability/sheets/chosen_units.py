"""Whether the units that a voxel reads lie together: mean distance of what was chosen, beside permuted places.

Voxels choose among the same units, so what is tested is the mean over voxels, with places that are permuted for all of
them together:

    d = mean_v mean_{a<b in S_v} |x_a - x_b| = sum_ab N_ab |x_a - x_b|,

with N the share of the pairs that every two units make. Two voxels that choose the same units say the same thing twice;
permuting the places keeps that.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ....errors import UserError
from ...masks import unmasked
from .feature_mass import Floats, Indices


@dataclass(frozen=True)
class Coherence:
    """How far apart chosen units lie.

    Attributes
    ----------
    distance : float
        Mean over targets of the mean distance of two chosen units, in the unit of the distances.
    null_mean, null_sd : float
        Under permuted places.
    ratio : float
        `distance` / `null_mean`; below 1 they lie together.
    p : float
        Share of permuted places, and of the observed ones, with a distance as small; never 0.
    by_target : array of shape (n_targets,)
        NaN where fewer than two units were chosen.
    n_targets : int
        With at least two chosen units.
    permutations, random_state : int
    """

    distance: float
    null_mean: float
    null_sd: float
    ratio: float
    p: float
    by_target: Floats
    n_targets: int
    permutations: int
    random_state: int


@unmasked
def coherence_of_chosen(
    units: npt.ArrayLike, distances: npt.ArrayLike, *, permutations: int = 999, random_state: int = 0
) -> Coherence:
    """Mean distance of the units that each target chose, beside permuted places.

    Parameters
    ----------
    units : array of int, shape (n_splits, n_targets, k) or (n_targets, k)
        Chosen units, -1 for none: those of :class:`~brodmann.analysis.encoding.sparse.SparseCurve`, cut to k.
    distances : array of shape (n_units, n_units)
        Between units of a sheet (``sheet.distances()``), or between the centres of features.
    permutations, random_state : int

    Raises
    ------
    UserError
        Where no target chose two units, or units have no distance.
    """
    chosen, apart = np.asarray(units, np.intp), np.asarray(distances, np.float64)
    chosen = chosen[None] if chosen.ndim == 2 else chosen
    n_units = len(apart)
    if apart.shape != (n_units, n_units) or chosen.ndim != 3 or chosen.max(initial=-1) >= n_units:
        raise UserError(
            f"units of shape {chosen.shape} up to {chosen.max(initial=-1)} do not fit distances {apart.shape}"
        )
    if permutations < 2:
        raise UserError(f"a null needs at least 2 permutations, not {permutations}")
    one, other, share = _pairs(chosen)
    by_target = np.full(chosen.shape[1], np.nan)
    known = [len(weight) > 0 for weight in share]
    if not any(known):
        raise UserError("no target chose two units, which have a distance")
    for target in np.flatnonzero(known):
        by_target[target] = share[target] @ apart[one[target], other[target]]
    first, second = np.concatenate(one), np.concatenate(other)
    weight = np.concatenate(share) / sum(known)
    generator = np.random.default_rng([random_state, 47])
    null = np.empty(permutations)
    for i in range(permutations):
        order = generator.permutation(n_units)
        null[i] = weight @ apart[order[first], order[second]]
    distance = float(weight @ apart[first, second])
    p = (1 + int((null <= distance * (1 + 1e-12)).sum())) / (1 + permutations)
    mean = float(null.mean())
    return Coherence(
        distance, mean, float(null.std(ddof=1)), distance / mean if mean else float("nan"), p,
        by_target, sum(known), permutations, random_state,
    )  # fmt: skip


def _pairs(chosen: Indices) -> tuple[list[Indices], list[Indices], list[Floats]]:
    """Pairs of units of every target over its splits, and their weights, which sum to 1."""
    one: list[Indices] = []
    other: list[Indices] = []
    share: list[Floats] = []
    for target in range(chosen.shape[1]):
        ends: list[Indices] = []
        weights: list[Floats] = []
        for split in chosen[:, target]:
            kept = split[split >= 0]
            first, second = np.triu_indices(len(kept), 1)
            if len(first):
                ends.append(np.stack([kept[first], kept[second]]))
                weights.append(np.full(len(first), 1 / len(first)))
        joined = np.concatenate(ends, axis=1) if ends else np.empty((2, 0), np.intp)
        one.append(joined[0])
        other.append(joined[1])
        share.append(np.concatenate(weights) / len(weights) if weights else np.empty(0))
    return one, other, share
