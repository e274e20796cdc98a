"""Positions for given responses: units change places until those that answer alike lie together.

TDANN prepares its sheets so before training (Margalit et al. 2024, Neuron 112:2435): a swap of two units inside a small
neighbourhood is kept where it lowers the spatial correlation loss, (1 - corr(r_ij, 1 / (1 + d_ij))) / 2. A swap moves
the same distances to other pairs, so only the sum of products changes: with R the correlations and N = 1 / (1 + d),
swapping i and j adds

    2 * (-(P_ii + P_jj - P_ij - P_ji) + 2 (1 - R_ij)(1 - N_ij)),     P = R N.
"""

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from ...errors import UserError
from ...progress import track
from ..sheet import Floats, Sheet


def swapped_positions(
    sheet: Sheet,
    responses: npt.ArrayLike,
    *,
    n_neighborhoods: int = 1000,
    neighborhood_size: int = 64,
    swaps: int = 8,
    random_state: int = 0,
) -> Sheet:
    """The same places, dealt to the units so that the spatial correlation loss is low.

    Parameters
    ----------
    sheet : Sheet
        Places to begin with; no place is lost or used twice.
    responses : array of shape (n_stimuli, n_units)
        E.g. an untrained network's to gratings.
    n_neighborhoods : int
        Each is the units around one drawn at random.
    neighborhood_size : int
        Units.
    swaps : int
        At most so many in a neighbourhood, each the best that is left.
    random_state : int

    Returns
    -------
    Sheet
        With the layout ``fitted(SEED)``.

    Raises
    ------
    UserError
        Where the responses do not fit the sheet, or are too few.
    """
    units = _standardized(sheet, responses)
    if min(n_neighborhoods, swaps) < 1 or neighborhood_size < 3:
        raise UserError("neighbourhoods, swaps and their size must be at least 1, 1 and 3")
    size = min(neighborhood_size, len(sheet))
    generator = np.random.default_rng(random_state)
    places = sheet
    for _ in track(range(n_neighborhoods), "swapping units"):
        center = int(generator.integers(len(sheet)))
        near = np.argpartition(places.distances_from(center), size - 1)[:size]
        order = _swapped(units[:, near], places.distances(near), swaps)
        positions = places.positions.copy()
        positions[near] = places.positions[near[order]]
        places = replace(places, positions=positions, shape=None, layout=f"fitted({random_state})")
    return places


def fitted_positions(
    sheet: Sheet, responses: npt.ArrayLike, *, n_neighborhoods: int | None = None, random_state: int = 0
) -> Sheet:
    """The same places, dealt to the units so that they cluster as well as can be: what any network can look like.

    Units are laid out by their two first principal axes (sorted by one into strips, within a strip by the other), then
    swapped as in :func:`swapped_positions`. A topographic network must be compared with this control, fitted on other
    stimuli than those that its maps are made with.

    Parameters
    ----------
    sheet : Sheet
    responses : array of shape (n_stimuli, n_units)
    n_neighborhoods : int, optional
        Of the swapping; as many as units by default, at most 2000.
    random_state : int

    Returns
    -------
    Sheet
        With the layout ``fitted(SEED)``.
    """
    units = _standardized(sheet, responses)
    axes = np.linalg.svd(units, full_matrices=False)[2][:2].T
    if axes.shape[1] < 2:
        axes = np.column_stack([axes, np.zeros(len(axes))])
    strip = max(1, round(np.sqrt(len(sheet))))
    positions = np.empty_like(sheet.positions)
    positions[_in_strips(axes, strip)] = sheet.positions[_in_strips(sheet.positions, strip)]
    placed = replace(sheet, positions=positions, shape=None, layout=f"fitted({random_state})")
    n_swapped = min(len(sheet), 2000) if n_neighborhoods is None else n_neighborhoods
    return swapped_positions(placed, responses, n_neighborhoods=n_swapped, random_state=random_state)


def _in_strips(points: Floats, strip: int) -> npt.NDArray[np.intp]:
    """The order of points: strips of as many by the first axis, each by the second."""
    by_first = np.lexsort((points[:, 1], points[:, 0]))
    parts = [by_first[start : start + strip] for start in range(0, len(points), strip)]
    return np.concatenate([part[np.argsort(points[part, 1], kind="stable")] for part in parts])


def _swapped(units: Floats, distances: Floats, swaps: int) -> npt.NDArray[np.intp]:
    """For every unit of a neighbourhood, whose place it takes."""
    similar, nearness = units.T @ units, 1 / (1 + distances)
    np.fill_diagonal(similar, 1.0)
    order = np.arange(len(similar))
    for _ in range(swaps):
        product = similar @ nearness
        own = np.diag(product)
        gain = product + product.T - own[:, None] - own + 2 * (1 - similar) * (1 - nearness)
        i, j = np.unravel_index(int(np.argmax(gain)), gain.shape)
        if not gain[i, j] > 1e-12:
            break
        order[[i, j]] = order[[j, i]]
        nearness[[i, j]] = nearness[[j, i]]
        nearness[:, [i, j]] = nearness[:, [j, i]]
    return order


def _standardized(sheet: Sheet, responses: npt.ArrayLike) -> Floats:
    """Responses that fit a sheet, each column of mean 0 and norm 1; one that does not vary is 0, alike to none."""
    values = np.asarray(responses, np.float64)
    if values.ndim != 2 or values.shape[1] != len(sheet):
        raise UserError(f"responses {values.shape} do not fit a sheet of {len(sheet)} units")
    if len(values) < 3 or not np.isfinite(values).all():
        raise UserError(
            f"{len(values)} stimuli, or values that are not finite: at least 3 finite ones are needed"
        )
    centered = values - values.mean(axis=0)
    norm = np.linalg.norm(centered, axis=0)
    unit: Floats = np.divide(centered, norm, out=np.zeros_like(centered), where=norm > 1e-12)
    return unit
