"""Whether values that lie close together are alike: Moran's I, its local form, Geary's C, each with its null.

Both are ratios of quadratic forms of the centred values, z' M z / z' z. A map laid out at random is a permutation of z,
so the null of many maps is one product with the matrix a permutation, which all maps share.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse

from ...errors import UserError
from ..statistics.resampling import benjamini_hochberg
from .smoothing import smoothing_matrix
from .spatial_weights import (
    Floats,
    Islands,
    Places,
    Weights,
    islands_of,
    neighbors,
    positions_of,
    refuse_islands,
    standardize,
)

_COLUMNS = 512
"""Permuted maps in one product."""
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
    n_islands : int
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
    n_islands: int = 0

    @property
    def z(self) -> float:
        """How many standard deviations of the null I lies above its mean."""
        return (self.I - self.null_mean) / self.null_sd if self.null_sd > 0 else float("nan")

    @property
    def exact_z(self) -> float:
        """The same with the exact moments."""
        return (self.I - self.expected) / self.exact_sd if self.exact_sd > 0 else float("nan")


def morans_i(
    values: npt.ArrayLike,
    positions: Places,
    weights: Weights = "queen",
    permutations: int = 999,
    random_state: int = 0,
    *,
    reach: float | None = None,
    standardized: bool = True,
    fwhm: float = 0.0,
    islands: Islands = "refuse",
) -> MoransI:
    """Moran's I of values on a sheet, with its permutation null.

        I = (N / sum_ij w_ij) * sum_ij w_ij z_i z_j / sum_i z_i^2,   z = values - mean.

    The exact variance over all layouts is that of Cliff & Ord (1981), with S1, S2 and the kurtosis of the values.

    Parameters
    ----------
    values : array of shape (n_units,)
    positions : array of shape (n_units, 2) or (n_units, 3), or Sheet
        A sheet that is a torus has neighbours across its edges.
    weights : {"queen", "rook", "nearest", "band"} or csr_array
        As in :func:`.spatial_weights.neighbors`, or weights of one's own, e.g. a mesh's.
    permutations : int
        Layouts of the null.
    random_state : int
    reach : float, optional
        Number of units for ``nearest``; distance for ``band``.
    standardized : bool
        Whether every unit's weights sum to 1 (esda's default) or stay as they are.
    fwhm : float
        Values are smoothed first, and permuted values are smoothed likewise; see :mod:`.smoothing`.
    islands : {"refuse", "keep"}
        What is done about units without a neighbour.

    Raises
    ------
    UserError
        Where values do not vary or are not finite, or units have no grid, no neighbours or no common place.
    """
    known = np.asarray(values, np.float64)
    if known.ndim != 1:
        raise UserError(f"one map has the shape (n_units,), not {known.shape}: see morans_i_of_maps")
    z, form, kernel = prepared(known[None], positions, weights, reach, standardized, fwhm, islands)
    observed = _ratio(form, z, kernel)
    null = _permuted(form, z, kernel, permutations, random_state)
    sd, p = _exact(form, z, observed) if kernel is None else (_nan(1), _nan(1))
    return MoransI(
        float(observed[0]),
        float(_upper(observed, null)[0]),
        -1 / (len(known) - 1),
        float(_mean(null)[0]),
        float(_sd(null)[0]),
        len(known),
        float(sd[0]),
        float(p[0]),
        len(islands_of(form)),
    )


def morans_i_of_maps(
    maps: npt.ArrayLike,
    positions: Places,
    weights: Weights = "queen",
    permutations: int = 999,
    random_state: int = 0,
    *,
    reach: float | None = None,
    standardized: bool = True,
    fwhm: float = 0.0,
    islands: Islands = "refuse",
) -> pd.DataFrame:
    """Moran's I of many maps of the same units; the permuted layouts are shared.

    Parameters
    ----------
    maps : array of shape (n_maps, n_units)
    positions, weights, permutations, random_state, reach, standardized, fwhm, islands
        As in :func:`morans_i`.

    Returns
    -------
    DataFrame
        A row a map: ``I``, ``p`` (one-sided), ``q`` (Benjamini-Hochberg over the maps), ``z``, ``null_mean``,
        ``null_sd``, ``exact_z``, ``exact_p``, and ``clustered``: q < 0.05. ``attrs`` say what was permuted, how often
        and the seed.
    """
    known = np.asarray(maps, np.float64)
    if known.ndim != 2:
        raise UserError(f"maps have the shape (n_maps, n_units), not {known.shape}")
    z, form, kernel = prepared(known, positions, weights, reach, standardized, fwhm, islands)
    observed = _ratio(form, z, kernel)
    null = _permuted(form, z, kernel, permutations, random_state)
    mean, sd = _mean(null), _sd(null)
    exact_sd, exact_p = _exact(form, z, observed) if kernel is None else (_nan(len(z)), _nan(len(z)))
    p = _upper(observed, null) if permutations else exact_p
    with np.errstate(invalid="ignore", divide="ignore"):
        table = pd.DataFrame(
            {
                "I": observed,
                "p": p,
                "q": benjamini_hochberg(p),
                "z": (observed - mean) / sd,
                "null_mean": mean,
                "null_sd": sd,
                "exact_z": (observed + 1 / (z.shape[1] - 1)) / exact_sd,
                "exact_p": exact_p,
            }
        )
    table["clustered"] = table["q"] < 0.05
    table.attrs |= {
        "permuted": "the places of the units, shared by the maps",
        "permutations": permutations,
        "random_state": random_state,
        "fwhm": fwhm,
        "n_units": int(z.shape[1]),
        "n_islands": len(islands_of(form)),
    }
    return table


def prepared(
    maps: Floats,
    positions: Places,
    weights: Weights,
    reach: float | None,
    standardized: bool,
    fwhm: float,
    islands: Islands,
) -> tuple[Floats, sparse.csr_array, sparse.csr_array | None]:
    """Centred maps, checked; the weights; the kernel that smooths, or None."""
    n_units = len(positions_of(positions))
    if maps.shape[1] != n_units:
        raise UserError(f"{maps.shape[1:]} values do not fit {n_units} positions")
    bad = ~np.isfinite(maps)
    if bad.any():
        raise UserError(f"{int(bad.sum())} values are NaN or infinite: leave their units out")
    z = maps - maps.mean(axis=1, keepdims=True)
    still = ~((z**2).sum(axis=1) > 1e-24 * n_units * np.abs(maps).max(axis=1, initial=0.0) ** 2)
    if still.any():
        which = f"of map {int(still.argmax())} " if len(maps) > 1 else ""
        raise UserError(f"all values {which}are the same: there is nothing to cluster")
    if not sparse.issparse(weights):
        matrix = neighbors(positions, weights, reach=reach)
    else:
        matrix = sparse.csr_array(weights, dtype=np.float64)
        if matrix.shape != (n_units, n_units):
            raise UserError(f"weights of shape {matrix.shape} do not fit {n_units} positions")
        if not matrix.sum() > 0:
            raise UserError("the weights are all 0: no two units are neighbours")
        if matrix.diagonal().any():
            raise UserError("a unit is its own neighbour in these weights: set their diagonal to 0")
    refuse_islands(matrix, islands)
    if standardized:
        matrix = standardize(matrix)
    return z, matrix, smoothing_matrix(positions, fwhm) if fwhm else None


def _ratio(form: sparse.csr_array, z: Floats, kernel: sparse.csr_array | None) -> Floats:
    """Moran's I of every map, (n_maps,)."""
    columns = smoothed(z.T, kernel)
    scale = len(columns) / form.sum()
    found: Floats = scale * (columns * (form @ columns)).sum(axis=0) / (columns**2).sum(axis=0)
    return found


def _permuted(
    form: sparse.csr_array,
    z: Floats,
    kernel: sparse.csr_array | None,
    permutations: int,
    random_state: int,
) -> Floats:
    """Moran's I of every map under permuted layouts, (permutations, n_maps)."""
    half = sparse.csr_array(sparse.triu(form + form.T, k=1))  # z' W z needs each pair once
    scale = z.shape[1] / form.sum()
    norms = (z**2).sum(axis=1)
    parts = []
    for block in permuted_layouts(z, permutations, random_state):
        columns = smoothed(block, kernel)
        products = np.einsum("ij,ij->j", columns, half @ columns)
        if kernel is None:
            parts.append(products.reshape(-1, len(z)) / norms)
        else:
            parts.append((products / np.einsum("ij,ij->j", columns, columns)).reshape(-1, len(z)))
    return scale * np.concatenate(parts) if parts else np.empty((0, len(z)))


def permuted_layouts(maps: Floats, permutations: int, random_state: int) -> Iterator[Floats]:
    """Maps whose places were permuted, in blocks; all maps take part in the same permutations.

    Parameters
    ----------
    maps : array of shape (n_maps, n_units)
    permutations, random_state : int

    Yields
    ------
    array of shape (n_units, permutations in the block * n_maps)
        Maps vary fastest.
    """
    generator = np.random.default_rng(
        [random_state, 41]
    )  # not the permutation of Sheet.permuted(random_state)
    columns = np.ascontiguousarray(maps.T)
    n_units, n_maps = columns.shape
    step = max(1, _COLUMNS // n_maps)
    for start in range(0, permutations, step):
        n = min(step, permutations - start)
        orders = np.stack([generator.permutation(n_units) for _ in range(n)], axis=1)
        yield columns[orders].reshape(n_units, n * n_maps)


def smoothed(columns: Floats, kernel: sparse.csr_array | None) -> Floats:
    """Columns (n_units, n) under the kernel, centred; as they are without one."""
    if kernel is None:
        return columns
    smoothed = kernel @ columns
    centered: Floats = smoothed - smoothed.mean(axis=0)
    return centered


def _exact(form: sparse.csr_array, z: Floats, observed: Floats) -> tuple[Floats, Floats]:
    """Standard deviation of I over all layouts, and the one-sided p of a normal I."""
    from scipy.stats import norm

    n = z.shape[1]
    s0, s1, s2 = weight_sums(form)
    kurtosis = (z**4).mean(axis=1) / (z**2).mean(axis=1) ** 2
    if n < 4:
        return _nan(len(z)), _nan(len(z))
    a = n * ((n * n - 3 * n + 3) * s1 - n * s2 + 3 * s0**2)
    b = kurtosis * ((n * n - n) * s1 - 2 * n * s2 + 6 * s0**2)
    variance = (a - b) / ((n - 1) * (n - 2) * (n - 3) * s0**2) - 1 / (n - 1) ** 2
    with np.errstate(invalid="ignore", divide="ignore"):
        sd = np.sqrt(np.maximum(variance, 0))
        p: Floats = norm.sf((observed + 1 / (n - 1)) / sd)
    return sd, p


def weight_sums(form: sparse.csr_array) -> tuple[float, float, float]:
    """S0, S1 and S2 of the weights."""
    both = form + form.T
    rows, columns = np.asarray(form.sum(axis=1)).ravel(), np.asarray(form.sum(axis=0)).ravel()
    return float(form.sum()), float((both.multiply(both)).sum() / 2), float(((rows + columns) ** 2).sum())


def _upper(observed: Floats, null: Floats) -> Floats:
    if len(null) == 0:
        return _nan(len(observed))
    p: Floats = ((null >= observed - _TIE).sum(axis=0) + 1) / (len(null) + 1)
    return p


def _mean(null: Floats) -> Floats:
    mean: Floats = null.mean(axis=0) if len(null) else _nan(null.shape[1])
    return mean


def _sd(null: Floats) -> Floats:
    sd: Floats = null.std(axis=0, ddof=1) if len(null) > 1 else _nan(null.shape[1])
    return sd


def _nan(n: int) -> Floats:
    return np.full(n, np.nan)
