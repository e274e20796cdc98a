"""Who lies next to whom: on grids, among scattered points, around a torus, between voxels, on a mesh."""

from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.spatial import cKDTree

from ...errors import UserError
from ...models.sheet import Sheet

Floats = npt.NDArray[np.float64]
Places = npt.ArrayLike | Sheet
Kind = Literal["queen", "rook", "nearest", "band"]
Weights = Kind | sparse.csr_array
Islands = Literal["refuse", "keep"]

_KINDS = ("queen", "rook", "nearest", "band")
_SAME_PLACE = 1e-6


def positions_of(places: Places) -> Floats:
    """The positions as an array, (n_units, 2) or (n_units, 3).

    Raises
    ------
    UserError
        For positions of another shape, or that are not finite.
    """
    if isinstance(places, Sheet):
        return places.positions
    positions = np.asarray(places, np.float64)
    if positions.ndim != 2 or positions.shape[1] not in (2, 3):
        raise UserError(f"positions must have the shape (n_units, 2) or (n_units, 3), not {positions.shape}")
    if not np.isfinite(positions).all():
        raise UserError(f"{int((~np.isfinite(positions)).any(axis=1).sum())} positions are NaN or infinite")
    return positions


def neighbors(places: Places, weights: Kind = "queen", *, reach: float | None = None) -> sparse.csr_array:
    """Who is next to whom: 1 for neighbours, 0 else.

    Parameters
    ----------
    places : array of shape (n_units, 2) or (n_units, 3), or Sheet
        A grid may have holes, and steps of another length on each axis (voxels). A sheet that is a torus has neighbours
        across its edges.
    weights : {"queen", "rook", "nearest", "band"}
        All that touch on the grid (8 in the plane, 26 in space); those that differ by a step on one axis (4, 6); the
        `reach` nearest units (8 by default), which need not be mutual; or all within the distance `reach`.
    reach : float, optional

    Returns
    -------
    csr_array of shape (n_units, n_units)

    Raises
    ------
    UserError
        Where no two units are neighbours, or queen and rook find no grid.
    """
    if weights not in _KINDS:
        raise UserError(f"neighbours are 'queen', 'rook', 'nearest' or 'band', not {weights!r}")
    positions = positions_of(places)
    n_units = len(positions)
    box = places.extent() * (1 + 1e-12) if isinstance(places, Sheet) and places.periodic else None
    if weights in ("queen", "rook"):
        index, steps = _grid(positions)
        box = None if box is None else np.round(box / steps)
        norm = np.inf if weights == "queen" else 1
        pairs = _within(index, 1.1, box, norm)
    elif weights == "band":
        if reach is None or not reach > 0:
            raise UserError(f"the weights 'band' need a reach above 0, not {reach}")
        pairs = _within(positions, reach * (1 + 1e-9), box, 2)
    else:
        count = 8 if reach is None else int(reach)
        if not 1 <= count < n_units:
            raise UserError(f"{count} nearest neighbours cannot be found among {n_units} units")
        pairs = _nearest(positions, count, box)
    if len(pairs) == 0:
        raise UserError(f"no two units are neighbours by {weights!r} (n = {n_units})")
    return sparse.csr_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(n_units, n_units))


def mesh_neighbors(
    faces: npt.ArrayLike, positions: npt.ArrayLike, *, reach: float | None = None
) -> sparse.csr_array:
    """Who is next to whom on a surface of triangles.

    Parameters
    ----------
    faces : array of int, shape (n_faces, 3)
    positions : array of shape (n_vertices, 3)
    reach : float, optional
        Vertices within this distance along the edges (an upper bound of the geodesic one); without it those that share
        an edge.

    Returns
    -------
    csr_array of shape (n_vertices, n_vertices)

    Raises
    ------
    UserError
        For faces that name vertices which are not there.
    """
    edges = _edges(faces, positions)
    if reach is None:
        linked = edges
    else:
        if not reach > 0:
            raise UserError(f"the reach along a mesh must be above 0, not {reach:g}")
        linked = mesh_distances(faces, positions, longest=reach)
    ones = sparse.csr_array(linked)
    ones.data = np.ones_like(ones.data)
    return ones


def mesh_distances(faces: npt.ArrayLike, positions: npt.ArrayLike, *, longest: float) -> sparse.csr_array:
    """Distances along the edges of a mesh, up to `longest`: entries that are absent lie further.

    Dijkstra's algorithm over the edges, each as long as its vertices are apart (mm where the positions are).

    Parameters
    ----------
    faces, positions
        As in :func:`mesh_neighbors`.
    longest : float
    """
    from scipy.sparse.csgraph import dijkstra

    edges = _edges(faces, positions)
    n_vertices, parts = edges.shape[0], []
    for start in range(0, n_vertices, 512):
        found = dijkstra(
            edges, directed=False, indices=np.arange(start, min(start + 512, n_vertices)), limit=longest
        )
        found[~np.isfinite(found)] = 0
        parts.append(sparse.csr_array(found))
    return sparse.csr_array(sparse.vstack(parts))


def refuse_islands(matrix: sparse.csr_array, islands: Islands = "refuse") -> sparse.csr_array:
    """The neighbours, unless some unit has none.

    Parameters
    ----------
    matrix : csr_array of shape (n_units, n_units)
    islands : {"refuse", "keep"}
        Units without a neighbour count for nothing in the products where they are kept.

    Raises
    ------
    UserError
        Names how many, and the first.
    """
    if islands not in ("refuse", "keep"):
        raise UserError(f"islands are 'refuse' or 'keep', not {islands!r}")
    alone = islands_of(matrix)
    if len(alone) and islands == "refuse":
        raise UserError(
            f"{len(alone)} of {matrix.shape[0]} units have no neighbour (first: unit {alone[0]}): leave them "
            f"out, reach "
            "further, or islands='keep'"
        )
    return matrix


def islands_of(matrix: sparse.csr_array) -> npt.NDArray[np.intp]:
    """The units without a neighbour."""
    alone: npt.NDArray[np.intp] = np.flatnonzero(
        (np.diff(matrix.indptr) == 0) & (np.bincount(matrix.indices, minlength=matrix.shape[0]) == 0)
    )
    return alone


def standardize(matrix: sparse.csr_array) -> sparse.csr_array:
    """Every unit's weights divided by their sum, so that a neighbourhood counts 1 (esda's default)."""
    sums = np.asarray(matrix.sum(axis=1)).ravel()
    inverse = np.divide(1.0, sums, out=np.zeros_like(sums), where=sums > 0)
    return sparse.csr_array(sparse.diags_array(inverse) @ matrix)


def _grid(positions: Floats) -> tuple[Floats, Floats]:
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


def _within(positions: Floats, limit: float, box: Floats | None, norm: float) -> npt.NDArray[np.intp]:
    """Ordered pairs of different units whose distance is at most the limit."""
    shifted = positions - positions.min(axis=0)
    pairs = cKDTree(shifted, boxsize=box).query_pairs(limit, p=norm, output_type="ndarray")
    both: npt.NDArray[np.intp] = np.concatenate([pairs, pairs[:, ::-1]]).astype(np.intp)
    return both


def _nearest(positions: Floats, count: int, box: Floats | None) -> npt.NDArray[np.intp]:
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


def _edges(faces: npt.ArrayLike, positions: npt.ArrayLike) -> sparse.csr_array:
    """The edges of a mesh with their lengths, both ways."""
    triangles, places = np.asarray(faces), positions_of(positions)
    if triangles.ndim != 2 or triangles.shape[1] != 3 or not np.issubdtype(triangles.dtype, np.integer):
        raise UserError(
            f"faces must be whole numbers of shape (n_faces, 3), not {triangles.dtype} {triangles.shape}"
        )
    if triangles.min(initial=0) < 0 or triangles.max(initial=0) >= len(places):
        raise UserError(
            f"a face names vertex {triangles.max()}, and there are {len(places)}: do they belong together?"
        )
    ends = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    ends = np.unique(np.sort(ends, axis=1), axis=0)
    ends = ends[ends[:, 0] != ends[:, 1]]
    lengths = np.linalg.norm(places[ends[:, 0]] - places[ends[:, 1]], axis=1)
    both = np.concatenate([ends, ends[:, ::-1]])
    return sparse.csr_array(
        (np.tile(np.maximum(lengths, 1e-12), 2), (both[:, 0], both[:, 1])), shape=(len(places), len(places))
    )
