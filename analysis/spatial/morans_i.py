"""Whether values that lie close together are alike: Moran's I of one map or of many, with its null.

It is a ratio of quadratic forms of the centred values, z' W z / z' z. A map laid out at random is a permutation of z,
so the null of many maps is one product with the matrix a permutation, which all maps share.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse

from ...errors import UserError
from ...models.sheet import Sheet
from ..masks import unmasked
from ..statistics.resampling import benjamini_hochberg
from .permutation_null import permuted_layouts
from .smoothing import smoothing_matrix
from .spatial_weights import Floats, Kind, SpatialWeights

_TIE = 1e-12


@dataclass(frozen=True)
class MoransI:
    """Moran's I and what it is under layouts that were permuted.

    Attributes
    ----------
    I : float
    p : float
        Share of permuted layouts, and of the observed one, whose I is at least as high (one-sided); never 0. NaN
        without permutations.
    expected : float
        -1 / (n - 1).
    null_mean, null_sd : float
        Over the permuted layouts.
    n : int
        Units.
    exact_sd : float
        Standard deviation over all layouts (the moments under randomisation); NaN after smoothing.
    exact_p : float
        One-sided, from I as normal with the exact moments; no permutation.
    n_isolates : int
        Units without a neighbour, where they were kept.
    """

    I: float  # noqa: E741  the statistic's name, in esda and in the papers
    p: float
    expected: float
    null_mean: float
    null_sd: float
    n: int
    exact_sd: float = float("nan")
    exact_p: float = float("nan")
    n_isolates: int = 0

    @property
    def z(self) -> float:
        """How many standard deviations of the null I lies above its mean."""
        return (self.I - self.null_mean) / self.null_sd if self.null_sd > 0 else float("nan")

    @property
    def exact_z(self) -> float:
        """The same with the exact moments."""
        return (self.I - self.expected) / self.exact_sd if self.exact_sd > 0 else float("nan")


@unmasked
def morans_i(
    values: npt.ArrayLike,
    positions: npt.ArrayLike | Sheet | SpatialWeights,
    weights: Kind | sparse.csr_array | SpatialWeights = "queen",
    permutations: int = 999,
    random_state: int = 0,
    *,
    reach: float | None = None,
    fwhm: float = 0.0,
) -> MoransI:
    """Moran's I of values on a sheet, with its permutation null.

        I = (N / sum_ij w_ij) * sum_ij w_ij z_i z_j / sum_i z_i^2,   z = values - mean.

    The exact variance over all layouts is that of Cliff & Ord (1981), with S1, S2 and the kurtosis of the values.

    Parameters
    ----------
    values : array of shape (n_units,)
    positions : array of shape (n_units, 2) or (n_units, 3), Sheet, or SpatialWeights
        Of the weights, all that is needed: ``morans_i(values, weights)``.
    weights : {"queen", "rook", "nearest", "band"}, csr_array, or SpatialWeights
        Standardised, and units without a neighbour refused, where they are made here; see
        :meth:`.SpatialWeights.from_positions`.
    permutations : int
        Layouts of the null.
    random_state : int
    reach : float, optional
        Number of units for ``nearest``; distance for ``band``.
    fwhm : float
        Values are smoothed first, and permuted values are smoothed likewise; see :mod:`.smoothing`.

    Raises
    ------
    UserError
        Where values do not vary or are not finite, or units have no grid, no neighbours or no common place.
    """
    if np.ndim(values) != 1:
        raise UserError(f"one map has the shape (n_units,), not {np.shape(values)}: see morans_i_of_maps")
    if isinstance(weights, SpatialWeights):
        chosen = weights
    elif isinstance(positions, SpatialWeights):
        chosen = positions
    else:
        chosen = SpatialWeights.from_positions(positions, weights, reach=reach)
    clustering = _clustering(np.asarray(values, np.float64)[None], chosen, permutations, random_state, fwhm)
    return MoransI(
        float(clustering.observed[0]),
        float(clustering.p[0]),
        -1 / (len(chosen) - 1),
        float(clustering.null_mean[0]),
        float(clustering.null_sd[0]),
        len(chosen),
        float(clustering.exact_sd[0]),
        float(clustering.exact_p[0]),
        len(chosen.isolates),
    )


@unmasked
def morans_i_of_maps(
    maps: npt.ArrayLike,
    weights: SpatialWeights,
    permutations: int = 999,
    random_state: int = 0,
    *,
    fwhm: float = 0.0,
) -> pd.DataFrame:
    """Moran's I of many maps of the same units; the permuted layouts are shared.

    Parameters
    ----------
    maps : array of shape (n_maps, n_units)
    weights : SpatialWeights
    permutations, random_state, fwhm
        As in :func:`morans_i`.

    Returns
    -------
    DataFrame
        A row a map: ``I``, ``p`` (one-sided), ``q`` (Benjamini-Hochberg over the maps), ``z``, ``null_mean``,
        ``null_sd``, ``exact_z``, ``exact_p``, and ``clustered``: q < 0.05. ``attrs`` say what was permuted, how often
        and the seed.
    """
    if np.ndim(maps) != 2:
        raise UserError(f"maps have the shape (n_maps, n_units), not {np.shape(maps)}")
    clustering = _clustering(np.asarray(maps, np.float64), weights, permutations, random_state, fwhm)
    p = clustering.p if permutations else clustering.exact_p
    with np.errstate(invalid="ignore", divide="ignore"):
        table = pd.DataFrame(
            {
                "I": clustering.observed,
                "p": p,
                "q": benjamini_hochberg(p),
                "z": (clustering.observed - clustering.null_mean) / clustering.null_sd,
                "null_mean": clustering.null_mean,
                "null_sd": clustering.null_sd,
                "exact_z": (clustering.observed + 1 / (len(weights) - 1)) / clustering.exact_sd,
                "exact_p": clustering.exact_p,
            }
        )
    table["clustered"] = table["q"] < 0.05
    table.attrs |= {
        "permuted": "the places of the units, shared by the maps",
        "permutations": permutations,
        "random_state": random_state,
        "fwhm": fwhm,
        "n_units": len(weights),
        "n_isolates": len(weights.isolates),
    }
    return table


@dataclass(frozen=True)
class _Clustering:
    """Moran's I of maps, its null's mean, sd and p, and the exact sd and p; (n_maps,) each."""

    observed: Floats
    p: Floats
    null_mean: Floats
    null_sd: Floats
    exact_sd: Floats
    exact_p: Floats


def _clustering(
    maps: Floats, weights: SpatialWeights, permutations: int, random_state: int, fwhm: float
) -> _Clustering:
    z = centered_maps(maps, weights)
    kernel = smoothing_matrix(weights, fwhm) if fwhm else None
    observed = _ratio(weights, z, kernel)
    null = _permuted(weights, z, kernel, permutations, random_state)
    missing = np.full(len(z), np.nan)
    exact_sd, exact_p = _exact(weights, z, observed) if kernel is None else (missing, missing)
    return _Clustering(
        observed,
        ((null >= observed - _TIE).sum(axis=0) + 1) / (len(null) + 1) if len(null) else missing,
        null.mean(axis=0) if len(null) else missing,
        null.std(axis=0, ddof=1) if len(null) > 1 else missing,
        exact_sd,
        exact_p,
    )


def centered_maps(maps: Floats, weights: SpatialWeights) -> Floats:
    """Maps (n_maps, n_units) less their means.

    Raises
    ------
    UserError
        Where they do not fit the weights, are not finite, or do not vary.
    """
    n_units = len(weights)
    if maps.shape[1] != n_units:
        raise UserError(f"{maps.shape[1:]} values do not fit {n_units} positions")
    bad = ~np.isfinite(maps)
    if bad.any():
        raise UserError(f"{int(bad.sum())} values are NaN or infinite: leave their units out")
    z: Floats = maps - maps.mean(axis=1, keepdims=True)
    still = ~((z**2).sum(axis=1) > 1e-24 * n_units * np.abs(maps).max(axis=1, initial=0.0) ** 2)
    if still.any():
        which = f"of map {int(still.argmax())} " if len(maps) > 1 else ""
        raise UserError(f"all values {which}are the same: there is nothing to cluster")
    return z


def _ratio(weights: SpatialWeights, z: Floats, kernel: sparse.csr_array | None) -> Floats:
    """Moran's I of every map, (n_maps,)."""
    columns = smoothed(z.T, kernel)
    scale = len(columns) / weights.s0
    ratio: Floats = scale * (columns * (weights.matrix @ columns)).sum(axis=0) / (columns**2).sum(axis=0)
    return ratio


def _permuted(
    weights: SpatialWeights,
    z: Floats,
    kernel: sparse.csr_array | None,
    permutations: int,
    random_state: int,
) -> Floats:
    """Moran's I of every map under permuted layouts, (permutations, n_maps)."""
    norms = (z**2).sum(axis=1)
    parts = []
    for block in permuted_layouts(z, permutations, random_state):
        columns = smoothed(block, kernel)
        products = np.einsum("ij,ij->j", columns, weights.pairs @ columns)
        if kernel is None:
            parts.append(products.reshape(-1, len(z)) / norms)
        else:
            parts.append((products / np.einsum("ij,ij->j", columns, columns)).reshape(-1, len(z)))
    return z.shape[1] / weights.s0 * np.concatenate(parts) if parts else np.empty((0, len(z)))


def smoothed(columns: Floats, kernel: sparse.csr_array | None) -> Floats:
    """Columns (n_units, n) under the kernel, centred; as they are without one."""
    if kernel is None:
        return columns
    smooth = kernel @ columns
    centered: Floats = smooth - smooth.mean(axis=0)
    return centered


def _exact(weights: SpatialWeights, z: Floats, observed: Floats) -> tuple[Floats, Floats]:
    """Standard deviation of I over all layouts, and the one-sided p of a normal I."""
    from scipy.stats import norm

    n = len(weights)
    if n < 4:
        return np.full(len(z), np.nan), np.full(len(z), np.nan)
    s0, s1, s2 = weights.s0, weights.s1, weights.s2
    kurtosis = (z**4).mean(axis=1) / (z**2).mean(axis=1) ** 2
    a = n * ((n * n - 3 * n + 3) * s1 - n * s2 + 3 * s0**2)
    b = kurtosis * ((n * n - n) * s1 - 2 * n * s2 + 6 * s0**2)
    variance = (a - b) / ((n - 1) * (n - 2) * (n - 3) * s0**2) - 1 / (n - 1) ** 2
    with np.errstate(invalid="ignore", divide="ignore"):
        sd = np.sqrt(np.maximum(variance, 0))
        p: Floats = norm.sf((observed + 1 / (n - 1)) / sd)
    return sd, p
