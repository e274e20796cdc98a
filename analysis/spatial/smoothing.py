"""Gaussian smoothing of maps on a sheet, over voxels, or on any positions: a step that is always stated."""

from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.spatial import cKDTree

from ...errors import UserError
from ..masks import unmasked
from .spatial_weights import Floats, Places, SpatialWeights, mesh_gaussian, positions_of, torus_of

_REACH = 4.0
"""Standard deviations after which the kernel is cut."""


@unmasked
def smooth(values: npt.ArrayLike, places: Places, fwhm: float) -> Floats:
    """Each value replaced by the weighted mean of those around it.

        s_i = sum_j g(d_ij) v_j / sum_j g(d_ij),   g(d) = exp(-d^2 / (2 sigma^2)),   sigma = fwhm / sqrt(8 ln 2).

    Dividing by the sum of the weights keeps the level at edges and around holes; the kernel is cut at 4 sigma.

    Parameters
    ----------
    values : array of shape (..., n_units)
    places : SpatialWeights, Sheet, or array of shape (n_units, 2) or (n_units, 3)
    fwhm : float
        Full width at half maximum, in the unit of the positions (mm, or cells); 0 leaves the values as they are. On a
        mesh distances are those along its edges.

    Returns
    -------
    array of the same shape
    """
    known = np.asarray(values, np.float64)
    if fwhm == 0:
        return known
    matrix = smoothing_matrix(places, fwhm)
    if known.shape[-1] != matrix.shape[0]:
        raise UserError(f"values of shape {known.shape} do not fit {matrix.shape[0]} positions")
    flat = known.reshape(-1, known.shape[-1])
    smoothed: Floats = (matrix @ flat.T).T.reshape(known.shape)
    return smoothed


def smoothing_matrix(places: Places, fwhm: float) -> sparse.csr_array:
    """The kernel's weights, rows that sum to 1.

    Parameters
    ----------
    places, fwhm
        As in :func:`smooth`.

    Returns
    -------
    csr_array of shape (n_units, n_units)
    """
    if not (np.isfinite(fwhm) and fwhm > 0):
        raise UserError(f"the width of smoothing (FWHM) must be above 0, not {fwhm:g}")
    if isinstance(places, SpatialWeights) and places.mesh is not None:
        return _along_mesh(places, float(fwhm))
    positions, box = positions_of(places), torus_of(places)
    return _matrix(positions.tobytes(), positions.shape, None if box is None else tuple(box), float(fwhm))


@lru_cache(maxsize=4)
def _along_mesh(weights: SpatialWeights, fwhm: float) -> sparse.csr_array:
    """The kernel over distances along the edges of a mesh: across a sulcus is far."""
    assert weights.mesh is not None
    sigma = fwhm / np.sqrt(8 * np.log(2))
    kernel = mesh_gaussian(weights.mesh, sigma, _REACH * sigma)
    return sparse.csr_array(sparse.diags_array(1 / np.asarray(kernel.sum(axis=1)).ravel()) @ kernel)


@lru_cache(maxsize=4)
def _matrix(
    raw: bytes, shape: tuple[int, int], box: tuple[float, ...] | None, fwhm: float
) -> sparse.csr_array:
    positions = np.frombuffer(raw).reshape(shape)
    positions = positions - positions.min(axis=0)
    sigma = fwhm / np.sqrt(8 * np.log(2))
    limit = _REACH * sigma
    if box is not None:
        limit = min(limit, 0.49 * min(box))
    tree = cKDTree(positions, boxsize=None if box is None else np.array(box) * (1 + 1e-12))
    found = tree.sparse_distance_matrix(tree, limit, output_type="coo_matrix")
    weights = np.exp(-(found.data**2) / (2 * sigma**2))
    matrix = sparse.csr_array((weights, (found.row, found.col)), shape=found.shape)
    return sparse.csr_array(sparse.diags_array(1 / np.asarray(matrix.sum(axis=1)).ravel()) @ matrix)
