"""Who lies next to whom: on grids, among scattered points, around a torus, between voxels, on a mesh."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, Self

import numpy as np
import numpy.typing as npt
from scipy import sparse

from ...errors import UserError
from ...models.sheet import Sheet
from ..masks import unmasked
from .neighbors import grid_index, pairs_nearest, pairs_within

Floats = npt.NDArray[np.float64]
Kind = Literal["queen", "rook", "nearest", "band"]
Isolates = Literal["refuse", "keep"]

_KINDS = ("queen", "rook", "nearest", "band")
_HELD = 1 << 24
"""Distances that are held at once."""


@dataclass(frozen=True, eq=False)
class OnMesh:
    """The edges of a whole mesh with their lengths, the area of its vertices, and the vertex of every unit.

    The area of a vertex is a third of that of the triangles that meet there.
    """

    edges: sparse.csr_array
    vertices: npt.NDArray[np.intp]
    areas: Floats


@dataclass(frozen=True, eq=False, repr=False)
class SpatialWeights:
    """Who lies next to whom, made once and handed to every statistic of the same units.

    Made by :meth:`from_positions` or :meth:`from_mesh`. Nothing of it can be changed; what statistics derive from the
    matrix is kept with it.

    Attributes
    ----------
    places : Sheet, or array of shape (n_units, 2) or (n_units, 3)
    matrix : csr_array of shape (n_units, n_units)
        w_ij, how much unit j counts among the neighbours of unit i.
    kernel : str
        ``queen``, ``rook``, ``nearest``, ``band``, ``mesh`` or ``own``.
    reach : float or None
        Units for ``nearest``, distance for ``band`` and ``mesh``.
    standardized : bool
        Whether the weights of every unit sum to 1.
    mesh : OnMesh or None
        The mesh that the units lie on.
    """

    places: Sheet | Floats
    matrix: sparse.csr_array
    kernel: str
    reach: float | None = None
    standardized: bool = False
    mesh: OnMesh | None = None

    def __post_init__(self) -> None:
        """Sort the entries of the matrix and lock them."""
        self.matrix.sum_duplicates()
        for part in (self.matrix.data, self.matrix.indices, self.matrix.indptr):
            part.setflags(write=False)

    @classmethod
    @unmasked
    def from_positions(
        cls,
        positions: npt.ArrayLike | Sheet,
        kernel: Kind | sparse.csr_array = "queen",
        *,
        reach: float | None = None,
        standardized: bool = True,
        isolates: Isolates = "refuse",
    ) -> Self:
        """Weights of units by their places.

        Parameters
        ----------
        positions : array of shape (n_units, 2) or (n_units, 3), or Sheet
            A grid may have holes, and steps of another length on each axis (voxels). A sheet that is a torus has
            neighbours across its edges.
        kernel : {"queen", "rook", "nearest", "band"} or csr_array
            All that touch on the grid (8 in the plane, 26 in space); those that differ by a step on one axis (4, 6);
            the `reach` nearest units (8 by default), which need not be mutual; all within the distance `reach`; or
            weights of one's own.
        reach : float, optional
        standardized : bool
            Whether the weights of every unit are made to sum to 1 (esda's default).
        isolates : {"refuse", "keep"}
            What is done about units without a neighbour; kept ones count for nothing in the products.

        Raises
        ------
        UserError
            Where no two units are neighbours, queen and rook find no grid, or units without a neighbour are refused.
        """
        places = _locked(positions)
        if isinstance(kernel, str):
            return cls._of(places, _neighbors(places, kernel, reach), kernel, reach, standardized, isolates)
        return cls._of(places, _own(kernel, len(positions_of(places))), "own", None, standardized, isolates)

    @classmethod
    @unmasked
    def from_mesh(
        cls,
        faces: npt.ArrayLike,
        positions: npt.ArrayLike,
        *,
        reach: float | None = None,
        vertices: npt.ArrayLike | None = None,
        standardized: bool = True,
        isolates: Isolates = "refuse",
    ) -> Self:
        """Weights of the vertices of a surface of triangles.

        Parameters
        ----------
        faces : array of int, shape (n_faces, 3)
        positions : array of shape (n_vertices, 3)
        reach : float, optional
            Vertices within this distance along the edges (an upper bound of the geodesic one); without it those that
            share an edge.
        vertices : array of int, optional
            The units, in their order, where they are not all vertices, e.g. without the medial wall. Ways along the
            mesh may lead over the others.
        standardized, isolates
            As in :meth:`from_positions`.

        Raises
        ------
        UserError
            For faces that name vertices which are not there, or vertices without a neighbour that are refused.
        """
        if reach is not None and not reach > 0:
            raise UserError(f"the reach along a mesh must be above 0, not {reach:g}")
        edges = _edges(faces, positions)
        linked = edges if reach is None else _along(edges, reach)
        chosen = np.arange(linked.shape[0]) if vertices is None else np.asarray(vertices, np.intp)
        if len(chosen) and (chosen.min() < 0 or chosen.max() >= linked.shape[0]):
            raise UserError(f"a unit lies on vertex {chosen.max()}, and the mesh has {linked.shape[0]}")
        linked = sparse.csr_array(linked[chosen][:, chosen])
        if linked.nnz == 0:
            raise UserError(f"no two of the {len(chosen)} vertices are neighbours on the mesh")
        ones = sparse.csr_array(
            (np.ones_like(linked.data), linked.indices, linked.indptr), shape=linked.shape
        )
        made = cls._of(_locked(positions_of(positions)[chosen]), ones, "mesh", reach, standardized, isolates)
        return replace(made, mesh=OnMesh(edges, chosen, _areas(faces, positions)))

    @classmethod
    def _of(
        cls,
        places: Sheet | Floats,
        matrix: sparse.csr_array,
        kernel: str,
        reach: float | None,
        standardized: bool,
        isolates: Isolates,
    ) -> Self:
        if isolates not in ("refuse", "keep"):
            raise UserError(f"isolates are 'refuse' or 'keep', not {isolates!r}")
        if standardized:
            sums = np.asarray(matrix.sum(axis=1)).ravel()
            inverse = np.divide(1.0, sums, out=np.zeros_like(sums), where=sums > 0)
            matrix = sparse.csr_array(sparse.diags_array(inverse) @ matrix)
        weights = cls(places, matrix, kernel, reach, standardized)
        if len(weights.isolates) and isolates == "refuse":
            raise UserError(
                f"{len(weights.isolates)} of {len(weights)} units have no neighbour (first: unit "
                f"{weights.isolates[0]}): leave them out, reach further, or isolates='keep'"
            )
        return weights

    def __len__(self) -> int:
        return int(self.matrix.shape[0])

    def __repr__(self) -> str:
        reach = "" if self.reach is None else f" {self.reach:g}"
        torus = ", torus" if torus_of(self) is not None else ""
        kind = "standardized" if self.standardized else "as they are"
        return (
            f"SpatialWeights({len(self)} units, {self.kernel}{reach}{torus}, {kind}, {self.matrix.nnz} links, "
            f"{len(self.isolates)} isolates)"
        )

    def permuted(self, order: npt.ArrayLike) -> Self:
        """The same places with the units dealt to them anew: unit i lies where unit ``order[i]`` lay."""
        chosen = np.asarray(order, np.intp)
        if isinstance(self.places, Sheet):
            raise UserError("a sheet is permuted by Sheet.permuted")
        places = self.places[chosen]
        places.setflags(write=False)
        mesh = None if self.mesh is None else replace(self.mesh, vertices=self.mesh.vertices[chosen])
        return replace(
            self, places=places, matrix=sparse.csr_array(self.matrix[chosen][:, chosen]), mesh=mesh
        )

    @cached_property
    def isolates(self) -> npt.NDArray[np.intp]:
        """The units without a neighbour."""
        n_links = np.diff(self.matrix.indptr) + np.bincount(self.matrix.indices, minlength=len(self))
        return np.flatnonzero(n_links == 0)

    @cached_property
    def symmetric(self) -> sparse.csr_array:
        """w_ij + w_ji."""
        return sparse.csr_array(self.matrix + self.matrix.T)

    @cached_property
    def pairs(self) -> sparse.csr_array:
        """w_ij + w_ji of every pair once, i below j: z' W z needs no more."""
        return sparse.csr_array(sparse.triu(self.symmetric, k=1))

    @cached_property
    def laplacian(self) -> sparse.csr_array:
        """L with z' L z = sum_ij w_ij (z_i - z_j)^2."""
        rows, columns = self._margins
        return sparse.csr_array(sparse.diags_array(columns + rows) - self.matrix - self.matrix.T)

    @cached_property
    def s0(self) -> float:
        """sum_ij w_ij."""
        return float(self.matrix.sum())

    @cached_property
    def s1(self) -> float:
        """sum_ij (w_ij + w_ji)^2 / 2."""
        return float(self.symmetric.multiply(self.symmetric).sum() / 2)

    @cached_property
    def s2(self) -> float:
        """sum_i (sum_j w_ij + sum_j w_ji)^2."""
        rows, columns = self._margins
        return float(((rows + columns) ** 2).sum())

    @cached_property
    def _margins(self) -> tuple[Floats, Floats]:
        return np.asarray(self.matrix.sum(axis=1)).ravel(), np.asarray(self.matrix.sum(axis=0)).ravel()


Places = npt.ArrayLike | Sheet | SpatialWeights


def positions_of(places: Places) -> Floats:
    """The positions as an array, (n_units, 2) or (n_units, 3).

    Raises
    ------
    UserError
        For positions of another shape, or that are not finite.
    """
    if isinstance(places, SpatialWeights):
        places = places.places
    if isinstance(places, Sheet):
        return places.positions
    positions = np.asarray(places, np.float64)
    if positions.ndim != 2 or positions.shape[1] not in (2, 3):
        raise UserError(f"positions must have the shape (n_units, 2) or (n_units, 3), not {positions.shape}")
    if not np.isfinite(positions).all():
        raise UserError(f"{int((~np.isfinite(positions)).any(axis=1).sum())} positions are NaN or infinite")
    return positions


def values_of(values: npt.ArrayLike, n_units: int) -> Floats:
    """One finite value for each of the units, or an error."""
    known = np.asarray(values, np.float64)
    if known.shape != (n_units,):
        raise UserError(f"{known.shape} values do not fit {n_units} positions")
    if not np.isfinite(known).all():
        raise UserError(
            f"{int((~np.isfinite(known)).sum())} values are NaN or infinite: leave their units out"
        )
    return known


def torus_of(places: Places) -> Floats | None:
    """Width and height of the torus that the places lie on, None for a flat sheet."""
    if isinstance(places, SpatialWeights):
        places = places.places
    return places.extent() if isinstance(places, Sheet) and places.periodic else None


def mesh_gaussian(mesh: OnMesh, sigma: float, longest: float) -> sparse.csr_array:
    """exp(-d^2 / (2 sigma^2)) of the units of a mesh, d along its edges up to `longest`; 1 of each with itself."""
    near = sparse.csr_array(_along(mesh.edges, longest)[mesh.vertices][:, mesh.vertices])
    kernel = sparse.csr_array(
        (np.exp(-(near.data**2) / (2 * sigma**2)), near.indices, near.indptr), shape=near.shape
    )
    return sparse.csr_array(kernel + sparse.eye_array(near.shape[0], format="csr"))


@unmasked
def mesh_distances(faces: npt.ArrayLike, positions: npt.ArrayLike, *, longest: float) -> sparse.csr_array:
    """Distances along the edges of a mesh, up to `longest`: entries that are absent lie further.

    Dijkstra's algorithm over the edges, each as long as its vertices are apart (mm where the positions are).

    Parameters
    ----------
    faces, positions
        As in :meth:`SpatialWeights.from_mesh`.
    longest : float
    """
    return _along(_edges(faces, positions), longest)


def _along(edges: sparse.csr_array, longest: float) -> sparse.csr_array:
    from scipy.sparse.csgraph import dijkstra

    n_vertices, parts = edges.shape[0], []
    step = max(1, min(512, _HELD // n_vertices))
    for start in range(0, n_vertices, step):
        found = dijkstra(
            edges, directed=False, indices=np.arange(start, min(start + step, n_vertices)), limit=longest
        )
        found[~np.isfinite(found)] = 0
        parts.append(sparse.csr_array(found))
    return sparse.csr_array(sparse.vstack(parts))


def _locked(positions: npt.ArrayLike | Sheet) -> Sheet | Floats:
    """A sheet as it is, positions as a copy that cannot be written to."""
    if isinstance(positions, Sheet):
        return positions
    places = positions_of(positions).copy()
    places.setflags(write=False)
    return places


def _own(matrix: sparse.csr_array, n_units: int) -> sparse.csr_array:
    """A copy of weights that someone brings along, checked."""
    own = sparse.csr_array(matrix, dtype=np.float64, copy=True)
    if own.shape != (n_units, n_units):
        raise UserError(f"weights of shape {own.shape} do not fit {n_units} positions")
    if not own.sum() > 0:
        raise UserError("the weights are all 0: no two units are neighbours")
    if own.diagonal().any():
        raise UserError("a unit is its own neighbour in these weights: set their diagonal to 0")
    return own


def _neighbors(places: Sheet | Floats, kernel: str, reach: float | None) -> sparse.csr_array:
    """1 for neighbours, 0 else; see :meth:`SpatialWeights.from_positions`."""
    if kernel not in _KINDS:
        raise UserError(f"neighbours are 'queen', 'rook', 'nearest' or 'band', not {kernel!r}")
    positions, torus = positions_of(places), torus_of(places)
    n_units = len(positions)
    box = None if torus is None else torus * (1 + 1e-12)
    if kernel in ("queen", "rook"):
        index, steps = grid_index(positions)
        box = None if box is None else np.round(box / steps)
        pairs = pairs_within(index, 1.1, box, np.inf if kernel == "queen" else 1)
    elif kernel == "band":
        if reach is None or not reach > 0:
            raise UserError(f"the weights 'band' need a reach above 0, not {reach}")
        pairs = pairs_within(positions, reach * (1 + 1e-9), box, 2)
    else:
        count = 8 if reach is None else int(reach)
        if not 1 <= count < n_units:
            raise UserError(f"{count} nearest neighbours cannot be found among {n_units} units")
        pairs = pairs_nearest(positions, count, box)
    if len(pairs) == 0:
        raise UserError(f"no two units are neighbours by {kernel!r} (n = {n_units})")
    return sparse.csr_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(n_units, n_units))


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


def _areas(faces: npt.ArrayLike, positions: npt.ArrayLike) -> Floats:
    """A third of the area of the triangles that meet at a vertex."""
    triangles, places = np.asarray(faces), positions_of(positions)
    first, second, third = (places[triangles[:, corner]] for corner in range(3))
    across = np.zeros((len(triangles), 3))
    across[:, : places.shape[1]] = second - first
    along = np.zeros_like(across)
    along[:, : places.shape[1]] = third - first
    area = np.linalg.norm(np.cross(across, along), axis=1) / 6
    whole = np.bincount(triangles.ravel(), weights=np.repeat(area, 3), minlength=len(places))
    return whole.astype(np.float64)
