"""How long the connections between two sheets must be, at least (Margalit et al. 2024, Neuron 112:2435)."""

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from ...errors import UserError
from ...models.sheet import Sheet
from ..masks import unmasked
from .spatial_weights import Floats

_SIDES = {"left": (-1.0, 0.0), "right": (1.0, 0.0), "above": (0.0, -1.0), "below": (0.0, 1.0)}
_MOST_FIBERS = 100


@unmasked
def wiring_length(
    source: npt.ArrayLike,
    source_sheet: Sheet,
    target: npt.ArrayLike,
    target_sheet: Sheet,
    *,
    active: float = 0.01,
    within: float = 1.0,
    random_state: int = 0,
) -> Floats:
    """Total length of the fibres that join the active units of two sheets, for every stimulus.

    The most active units of each sheet are gathered into clusters, as few as keep the mean squared distance from the
    cluster's centre below ``within`` squared on the source sheet; the target sheet gets as many. The sheets lie side by
    side, the target on each of the four sides in turn; centres are joined so that the sum of lengths is least.

    Parameters
    ----------
    source, target : array of shape (n_stimuli, n_units)
        Responses on the two sheets.
    source_sheet, target_sheet : Sheet
        With positions in the same unit.
    active : float
        Share of the units.
    within : float
        In the unit of the positions.
    random_state : int
        Of the clusters.

    Returns
    -------
    array of shape (n_stimuli,)
        Mean over the four sides, in the unit of the positions.

    Raises
    ------
    UserError
        Where responses do not fit the sheets, or the sheets have different units.
    """
    first, second = np.asarray(source, np.float64), np.asarray(target, np.float64)
    for values, sheet in ((first, source_sheet), (second, target_sheet)):
        if values.ndim != 2 or values.shape[1] != len(sheet):
            raise UserError(f"responses {values.shape} do not fit a sheet of {len(sheet)} units")
    if len(first) != len(second):
        raise UserError(
            f"the sheets answer {len(first)} and {len(second)} stimuli: they must be the same ones"
        )
    if source_sheet.unit != target_sheet.unit:
        raise UserError(
            f"one sheet is in {source_sheet.unit}, the other in {target_sheet.unit}: scale one of them"
        )
    if not 0 < active <= 1 or not within > 0:
        raise UserError(
            f"the active share lies above 0 and not above 1, and is {active:g}; within is {within:g}"
        )
    return np.array(
        [
            _length(_active(a, source_sheet, active), _active(b, target_sheet, active), source_sheet, target_sheet,
            within,
                    random_state)
            for a, b in zip(first, second, strict=True)
        ]
    )  # fmt: skip


def _active(responses: Floats, sheet: Sheet, share: float) -> Floats:
    n = max(1, round(share * len(sheet)))
    places: Floats = sheet.positions[np.argsort(-responses, kind="stable")[:n]] - sheet.positions.min(axis=0)
    return places


def _length(
    here: Floats, there: Floats, source_sheet: Sheet, target_sheet: Sheet, within: float, random_state: int
) -> float:
    centers = _centers(here, within, random_state)
    others = _clusters(there, min(len(centers), len(np.unique(there, axis=0))), random_state)[0]
    size = np.maximum(np.ptp(source_sheet.positions, axis=0), np.ptp(target_sheet.positions, axis=0))
    lengths = []
    for side in _SIDES.values():
        moved = others + np.array(side) * size
        apart = np.linalg.norm(centers[:, None] - moved, axis=2)
        lengths.append(float(apart[linear_sum_assignment(apart)].sum()))
    return float(np.mean(lengths))


def _centers(places: Floats, within: float, random_state: int) -> Floats:
    """As few centres as keep the mean squared distance below `within` squared."""
    most = min(_MOST_FIBERS, len(np.unique(places, axis=0)))
    for n_clusters in range(1, most + 1):
        centers, inertia = _clusters(places, n_clusters, random_state)
        if inertia <= len(places) * within**2:
            break
    return centers


def _clusters(places: Floats, n_clusters: int, random_state: int) -> tuple[Floats, float]:
    from sklearn.cluster import KMeans

    found = KMeans(n_clusters, n_init=3, random_state=random_state).fit(places)
    return np.asarray(found.cluster_centers_, np.float64), float(found.inertia_)
