"""Patches: connected units above a threshold, and how much of the sheet they take."""

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from ...errors import UserError
from ...models.sheet import Sheet
from ..masks import unmasked
from .smoothing import smooth
from .spatial_weights import Floats, Places, SpatialWeights, positions_of, torus_of, values_of

_POINTS = 400
"""Of the raster on the longer side, to share out the area between scattered units."""
_EDGE = 2.0
"""How far the area of a unit reaches at most, in typical distances of nearest neighbours."""


@unmasked
def patches(
    values: npt.ArrayLike,
    weights: SpatialWeights | npt.ArrayLike | Sheet,
    threshold: float,
    *,
    fwhm: float = 0.0,
    smallest: int = 1,
) -> pd.DataFrame:
    """Units above a threshold that are connected through neighbours above it.

    Parameters
    ----------
    values : array of shape (n_units,)
        E.g. t values of a contrast.
    weights : SpatialWeights, or positions or a Sheet
        Of positions, the queen's neighbours.
    threshold : float
        In the unit of the values.
    fwhm : float
        Values are smoothed first.
    smallest : int
        Patches with fewer units are left out, and counted in ``attrs["n_left_out"]``.

    Returns
    -------
    DataFrame
        A row a patch, largest first: ``n_units``, ``area`` (see :func:`unit_areas`; the volume for voxels), ``peak``,
        ``peak_unit``, ``peak_x``, ``peak_y`` (``peak_z``), ``centre_x``, ``centre_y`` (``centre_z``; weighted by the
        values above the threshold), and ``units``. ``attrs`` hold the threshold, the smoothing and the unit of area.
    """
    if not isinstance(weights, SpatialWeights):
        weights = SpatialWeights.from_positions(weights, isolates="keep")
    places = positions_of(weights)
    known = values_of(values, len(places))
    if not np.isfinite(threshold):
        raise UserError(f"the threshold must be a number, not {threshold}")
    if smallest < 1:
        raise UserError(f"the smallest patch has at least 1 unit, not {smallest}")
    smoothed = smooth(known, weights, fwhm)
    above, label = _connected(smoothed, weights, threshold)
    area, unit = unit_areas(weights.places if weights.mesh is None else weights)
    rows, n_left_out = [], 0
    for one in np.unique(label):
        units = above[label == one]
        if len(units) < smallest:
            n_left_out += 1
            continue
        height = smoothed[units] - threshold
        peak = int(units[np.argmax(smoothed[units])])
        center = _mean_position(weights, units, height)
        rows.append(
            {
                "n_units": len(units),
                "area": float(area[units].sum()),
                "peak": float(smoothed[peak]),
                "peak_unit": peak,
            }
            | {f"peak_{axis}": float(places[peak, i]) for i, axis in enumerate("xyz"[: places.shape[1]])}
            | {f"centre_{axis}": float(center[i]) for i, axis in enumerate("xyz"[: places.shape[1]])}
            | {"units": units}
        )
    axes = "xyz"[: places.shape[1]]
    columns = ["n_units", "area", "peak", "peak_unit"]
    columns += [f"{what}_{axis}" for what in ("peak", "centre") for axis in axes] + ["units"]
    table = pd.DataFrame(rows, columns=columns).sort_values(
        ["n_units", "peak"], ascending=False, ignore_index=True
    )
    table.attrs |= {
        "threshold": threshold, "fwhm": fwhm, "smallest": smallest, "n_left_out": n_left_out, "area_unit": unit,
        "share": len(above) / len(places),
    }  # fmt: skip
    return table


def largest_patch(values: Floats, weights: SpatialWeights, threshold: float) -> float:
    """How many units the largest patch has; without its area, quick enough for nulls.

    Parameters
    ----------
    values, weights, threshold
        As in :func:`patches`.
    """
    label = _connected(values, weights, threshold)[1]
    return float(np.bincount(label).max()) if len(label) else 0.0


def _connected(
    values: Floats, weights: SpatialWeights, threshold: float
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """The units above a threshold, and the number of the patch that each belongs to."""
    above = np.flatnonzero(values > threshold)
    if len(above) == 0:
        return above, above
    return above, connected_components(weights.matrix[above][:, above], directed=False)[1]


@unmasked
def unit_areas(positions: Places) -> tuple[Floats, str]:
    """The part of the sheet that belongs to each unit, and its unit: ``mm^2``, ``cell^2`` or ``mm^3``.

    On a grid, one cell. Among scattered units, the part of a fine raster that is nearer to a unit than to any other and
    no further than twice the typical distance of nearest neighbours; units at the same place share theirs. Voxels
    have a volume. On a mesh, a third of the triangles that meet at a vertex.

    Parameters
    ----------
    positions : array of shape (n_units, 2) or (n_units, 3), Sheet, or SpatialWeights
        Arrays are in mm.
    """
    if isinstance(positions, SpatialWeights) and positions.mesh is not None:
        return positions.mesh.areas[positions.mesh.vertices], "mm^2"
    places = positions_of(positions)
    unit = positions.unit if isinstance(positions, Sheet) else "mm"
    steps = _steps(places)
    if steps is not None:
        flat = [step for step in steps if step > 0]
        cell = float(np.prod(flat))
        return np.full(len(places), cell), f"{unit}^{len(flat)}"
    if places.shape[1] == 3:
        raise UserError(
            "scattered units in space have no area: give positions on a flattened surface (x and y)"
        )
    where, member = np.unique(places, axis=0, return_inverse=True)
    tree = cKDTree(where)
    near = tree.query(where, 2)[0][:, 1]
    limit = _EDGE * float(np.median(near))
    low, high = where.min(axis=0) - limit, where.max(axis=0) + limit
    pixel = float((high - low).max()) / _POINTS
    grid = np.stack(
        np.meshgrid(*(np.arange(a + pixel / 2, b, pixel) for a, b in zip(low, high, strict=True))), axis=-1
    ).reshape(-1, 2)
    length, owner = tree.query(grid)
    own = np.bincount(owner[length <= limit], minlength=len(where)) * pixel**2
    shared: Floats = (own / np.bincount(member.ravel()))[member.ravel()]
    return shared, f"{unit}^2"


def _steps(places: Floats) -> list[float] | None:
    """The steps of the grid that the places lie on (0 for an axis on which nothing differs); None off any grid."""
    steps = []
    for axis in range(places.shape[1]):
        known = np.unique(places[:, axis])
        gaps = np.diff(known)
        gaps = gaps[gaps > 1e-6 * max(float(np.ptp(known)), 1e-300)]
        if len(gaps) == 0:
            steps.append(0.0)
            continue
        step = float(gaps.min())
        index = (known - known[0]) / step
        if np.abs(index - np.round(index)).max() > 1e-2:
            return None
        steps.append(step)
    cells = np.prod([np.ptp(places[:, i]) / step + 1 if step else 1 for i, step in enumerate(steps)])
    scattered = cells > 100 * len(places) or len(np.unique(places, axis=0)) < len(places)
    return None if scattered or not any(steps) else steps


def _mean_position(places: Places, units: npt.NDArray[np.intp], heights: Floats) -> Floats:
    """The mean position of units, weighted by their heights; around a torus, the mean of angles."""
    positions, torus = positions_of(places), torus_of(places)
    share = heights / heights.sum()
    if torus is None:
        flat: Floats = share @ positions[units]
        return flat
    low = positions.min(axis=0)
    turned = np.exp(2j * np.pi * (positions[units] - low) / torus)
    around: Floats = low + np.mod(np.angle(share @ turned) / (2 * np.pi), 1.0) * torus
    return around
