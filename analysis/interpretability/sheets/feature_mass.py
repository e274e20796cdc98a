"""Where a feature lies on the sheet: the share of its decoder row that every unit carries.

    m_iu = w_iu^2 / sum_u w_iu^2,   w_iu = D_iu,

or, ``standardized``, w_iu = D_iu / sd_u: activations are scaled by one number for all units, so that units of high
variance attract every feature of the first kind.
"""

from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from ....errors import UserError
from ....models.sheet import Sheet
from ...masks import unmasked
from ...spatial.morans_i import morans_i_of_maps
from ...spatial.spatial_weights import SpatialWeights, positions_of, torus_of

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]
Weighting = Literal["raw", "standardized"]
_HALF = 0.5
_LINKS = 1 << 22
"""Links of maps that are looked at together."""


@unmasked
def decoder_mass(decoder: npt.ArrayLike, unit_sd: npt.ArrayLike | None = None) -> Floats:
    """The mass of every feature, rows that sum to 1.

    Parameters
    ----------
    decoder : array of shape (n_features, n_units)
        A row a feature, in the units of the activations (a common scale is of no account).
    unit_sd : array of shape (n_units,), optional
        Standard deviation of every unit: makes the mass ``standardized``; units that do not vary have none.

    Raises
    ------
    UserError
        For a feature that writes nothing, or values that are not finite.
    """
    rows = directions(decoder, unit_sd)
    squares = rows**2
    mass: Floats = squares / squares.sum(axis=1, keepdims=True)
    return mass


@unmasked
def directions(decoder: npt.ArrayLike, unit_sd: npt.ArrayLike | None = None) -> Floats:
    """The signed rows w that the mass is made of, each of unit length.

    Parameters
    ----------
    decoder, unit_sd
        As in :func:`decoder_mass`.
    """
    rows = np.asarray(decoder, np.float64)
    if rows.ndim != 2 or rows.size == 0 or not np.isfinite(rows).all():
        raise UserError(
            f"a decoder has finite values of shape (n_features, n_units), at least one, not {rows.shape}"
        )
    if unit_sd is not None:
        sd = np.asarray(unit_sd, np.float64)
        if sd.shape != rows.shape[1:] or not (sd >= 0).all():
            raise UserError(f"{sd.shape} standard deviations from 0 on do not fit {rows.shape[1]} units")
        rows = np.divide(rows, sd, out=np.zeros_like(rows), where=sd > 1e-12 * sd.max(initial=0))
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    if not lengths.all():
        raise UserError(
            f"feature {int(np.argmin(lengths))} writes nothing into any unit: leave out those that do not"
        )
    scaled: Floats = rows / lengths
    return scaled


def centers(mass: Floats, sheet: Sheet | npt.ArrayLike) -> Floats:
    """The centre of every feature's mass, (n_features, 2): around a torus, the mean of angles.

    Parameters
    ----------
    mass : array of shape (n_features, n_units)
    sheet : Sheet, or array of shape (n_units, 2)
    """
    places, torus = positions_of(sheet), torus_of(sheet)
    if torus is None:
        flat: Floats = mass @ places
        return flat
    low = places.min(axis=0)
    turned = np.exp(2j * np.pi * (places - low) / torus)
    around: Floats = low + np.mod(np.angle(mass @ turned) / (2 * np.pi), 1.0) * torus
    return around


def spreads(mass: Floats, sheet: Sheet | npt.ArrayLike) -> Floats:
    """Root mean squared distance of every feature's mass from its centre, (n_features,), in the sheet's unit.

    Parameters
    ----------
    mass, sheet
        As in :func:`centers`.
    """
    places, torus = positions_of(sheet), torus_of(sheet)
    middle, squared = centers(mass, sheet), np.zeros(len(mass))
    for axis in range(places.shape[1]):
        apart = np.abs(places[None, :, axis] - middle[:, None, axis])
        if torus is not None:
            apart = np.minimum(apart, torus[axis] - apart)
        squared += (mass * apart**2).sum(axis=1)
    found: Floats = np.sqrt(squared)
    return found


def effective_units(mass: Floats) -> Floats:
    """1 / sum_u m_iu^2: how many units would carry the mass in equal parts, (n_features,)."""
    found: Floats = 1 / (mass**2).sum(axis=1)
    return found


def largest_shares(mass: Floats, weights: SpatialWeights) -> Floats:
    """The share of every feature's mass in its largest connected patch of units above the mean, 1 / n_units.

    Parameters
    ----------
    mass : array of shape (n_features, n_units)
    weights : SpatialWeights
        Who is connected with whom.
    """
    n_units = len(weights)
    linked = sparse.coo_array(weights.symmetric)
    step = max(1, _LINKS // max(linked.nnz, 1))
    parts = []
    for start in range(0, len(mass), step):
        block = mass[start : start + step]
        above = block > 1 / n_units
        feature, link = np.nonzero(above[:, linked.row] & above[:, linked.col])
        one, other = (feature * n_units + ends[link] for ends in (linked.row, linked.col))
        links = sparse.csr_array((np.ones(len(one), bool), (one, other)), shape=(block.size, block.size))
        label = connected_components(links, directed=False)[1]
        total = np.bincount(label, weights=np.where(above, block, 0.0).ravel())
        parts.append(total[label].reshape(block.shape).max(axis=1))
    return np.concatenate(parts)


def units_of_share(mass: npt.ArrayLike, share: float = _HALF) -> Indices:
    """The fewest units that hold a share of one feature's mass, the heaviest first.

    Parameters
    ----------
    mass : array of shape (n_units,)
    share : float
    """
    if not 0 < share <= 1:
        raise UserError(f"the share of the mass lies above 0 and not above 1, and is {share:g}")
    one = np.asarray(mass, np.float64)
    order = np.argsort(-one, kind="stable")
    held = np.cumsum(one[order])
    n = int(np.searchsorted(held, share * held[-1] * (1 - 1e-12))) + 1
    return order[:n]


@unmasked
def mass_table(
    decoder: npt.ArrayLike, weights: SpatialWeights, *, unit_sd: npt.ArrayLike | None = None
) -> pd.DataFrame:
    """How compact every feature lies on the sheet.

    p values of single features are not here: features share units, so that they are not independent; see
    :func:`.mass_nulls.clustering_of_mean`.

    Parameters
    ----------
    decoder : array of shape (n_features, n_units)
    weights : SpatialWeights
        Of the units' sheet.
    unit_sd : array of shape (n_units,), optional
        As in :func:`decoder_mass`.

    Returns
    -------
    DataFrame
        A row a feature: ``center_x``, ``center_y``, ``spread`` (in the sheet's unit), ``largest_share``,
        ``effective_units``, ``half_units`` (:func:`units_of_share`), and Moran's I of the mass, ``mass_I``, and of
        the signed row, ``signed_I``.
    """
    signed = directions(decoder, unit_sd)
    mass = signed**2
    places = weights.places
    middle = centers(mass, places)
    held = np.cumsum(-np.sort(-mass, axis=1), axis=1)
    return pd.DataFrame(
        {
            "center_x": middle[:, 0],
            "center_y": middle[:, 1],
            "spread": spreads(mass, places),
            "largest_share": largest_shares(mass, weights),
            "effective_units": effective_units(mass),
            "half_units": (held < _HALF * (1 - 1e-12)).sum(axis=1) + 1,
            "mass_I": morans_i_of_maps(mass, weights, 0)["I"],
            "signed_I": morans_i_of_maps(signed, weights, 0)["I"],
        }
    )
