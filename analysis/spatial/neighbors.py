"""Pairs of neighbours among positions: steps on a grid, all within a distance, the nearest ones."""

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from ...errors import UserError

Floats = npt.NDArray[np.float64]
_SAME_PLACE = 1e-6


def grid_index(positions: Floats) -> tuple[Floats, Floats]:
    """Whole numbers of steps from the first place, and the step of every axis."""
    shifted = positions - positions.min(axis=0)
    size = float(shifted.max(initial=0.0))
    if not size > 0:
        raise UserError("all units lie on one place")
    steps = np.ones(positions.shape[1])
    for axis in range(positions.shape[1]):
        gaps = np.diff(np.unique(shifted[:, axis]))
        gaps = gaps[gaps > _SAME_PLACE * size]
        steps[axis] = gaps.min() if len(gaps) else size
    index = np.round(shifted / steps)
    off = float(np.abs(shifted / steps - index).max())
    n_shared = len(index) - len(np.unique(index, axis=0))
    if n_shared or off > 1e-2:
        why = f"{n_shared} units share a place" if n_shared and off <= 1e-2 else "they lie on no square grid"
        raise UserError(f"queen and rook neighbours need a grid, and {why}: use weights='nearest' or 'band'")
    return index, steps


def pairs_within(positions: Floats, limit: float, box: Floats | None, norm: float) -> npt.NDArray[np.intp]:
    """Ordered pairs of different units whose distance is at most the limit."""
    shifted = positions - positions.min(axis=0)
    pairs = cKDTree(shifted, boxsize=box).query_pairs(limit, p=norm, output_type="ndarray")
    both: npt.NDArray[np.intp] = np.concatenate([pairs, pairs[:, ::-1]]).astype(np.intp)
    return both


def pairs_nearest(positions: Floats, count: int, box: Floats | None) -> npt.NDArray[np.intp]:
    """Every unit with its nearest ones; of those at the same distance the first."""
    shifted = positions - positions.min(axis=0)
    tree = cKDTree(shifted, boxsize=box)
    lengths = tree.query(shifted, count + 1)[0][:, -1]
    found = []
    for unit, limit in enumerate(lengths):
        near = np.sort(tree.query_ball_point(shifted[unit], limit * (1 + 1e-9) + 1e-300))
        near = near[near != unit]
        apart = np.abs(shifted[near] - shifted[unit])
        apart = apart if box is None else np.minimum(apart, box - apart)
        order = np.argsort(np.round((apart**2).sum(axis=1) / max(limit**2, 1e-300), 9), kind="stable")[:count]
        found.append(np.stack([np.full(count, unit), near[order]], axis=1))
    every: npt.NDArray[np.intp] = np.concatenate(found).astype(np.intp)
    return every
