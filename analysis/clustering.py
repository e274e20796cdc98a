"""Whether values that lie close together are alike."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import sparse

from ..errors import UserError
from ..models.sheet import Sheet

Floats = npt.NDArray[np.float64]
Neighbours = Literal["queen", "rook", "nearest", "band"]


@dataclass(frozen=True)
class MoransI:
    """Moran's I and what it is under layouts that were permuted.

    Attributes
    ----------
    I : float
    p : float
        Share of permuted layouts, and of the observed one, whose I is at least as high (one-sided); never 0.
    expected : float
        -1 / (n - 1).
    null_mean, null_sd : float
        Over the permuted layouts.
    n : int
        Units.
    """

    I: float  # noqa: E741
    p: float
    expected: float
    null_mean: float
    null_sd: float
    n: int

    @property
    def z(self) -> float:
        """How many standard deviations of the null I lies above its mean."""
        return (self.I - self.null_mean) / self.null_sd if self.null_sd > 0 else float("nan")


def morans_i(
    values: npt.ArrayLike,
    positions: "npt.ArrayLike | Sheet",
    weights: Neighbours = "queen",
    permutations: int = 999,
    random_state: int = 0,
    *,
    reach: float | None = None,
    standardised: bool = True,
) -> MoransI:
    """Moran's I of values on a sheet, with its permutation null.

        I = (N / sum_ij w_ij) * sum_ij w_ij z_i z_j / sum_i z_i^2,   z = values - mean.

    Parameters
    ----------
    values : array of shape (n_units,)
    positions : array of shape (n_units, 2), or Sheet
        A sheet that is a torus has neighbours across its edges.
    weights : {"queen", "rook", "nearest", "band"}
        The eight or four neighbours on a grid; the `reach` nearest units (8 by default); or all within `reach`.
    permutations : int
        Layouts of the null.
    random_state : int
    reach : float, optional
        Number of units for ``nearest``; distance for ``band``.
    standardised : bool
        Whether every unit's weights sum to 1 (esda's default) or are 0 and 1.

    Raises
    ------
    UserError
        Where values do not vary or are not finite, or units have no grid, no neighbours or no common place.
    """
    known = np.asarray(values, np.float64)
    sheet = positions if isinstance(positions, Sheet) else Sheet("values", np.asarray(positions, np.float64))
    if known.shape != (len(sheet),):
        raise UserError(f"{known.shape} values do not fit {len(sheet)} positions")
    if not np.isfinite(known).all():
        raise UserError(
            f"{int((~np.isfinite(known)).sum())} values are NaN or infinite: leave their units out"
        )
    z = known - known.mean()
    if not (z**2).sum() > 1e-24 * len(z) * np.abs(known).max(initial=0.0) ** 2:
        raise UserError("all values are the same: there is nothing to cluster")
    matrix = neighbours(sheet, weights, reach=reach)
    if standardised:
        sums = np.asarray(matrix.sum(axis=1)).ravel()
        matrix = sparse.diags_array(np.divide(1.0, sums, out=np.zeros_like(sums), where=sums > 0)) @ matrix
    scale = len(z) / matrix.sum() / (z**2).sum()
    observed = float(scale * (z @ (matrix @ z)))
    generator = np.random.default_rng(random_state)
    null = np.empty(permutations)
    for start in range(0, permutations, 128):
        stop = min(start + 128, permutations)
        layouts = np.stack([generator.permutation(z) for _ in range(start, stop)], axis=1)
        null[start:stop] = scale * (layouts * (matrix @ layouts)).sum(axis=0)
    reached = int((null >= observed - 1e-12).sum())
    return MoransI(
        observed,
        (reached + 1) / (permutations + 1),
        -1 / (len(z) - 1),
        float(null.mean()) if permutations else float("nan"),
        float(null.std(ddof=1)) if permutations > 1 else float("nan"),
        len(z),
    )


def neighbours(
    sheet: Sheet, weights: Neighbours = "queen", *, reach: float | None = None
) -> sparse.csr_array:
    """Who is next to whom: 1 for neighbours, 0 else, (n_units, n_units).

    Parameters
    ----------
    sheet : Sheet
    weights, reach
        As in :func:`morans_i`.
    """
    places = sheet.positions
    if weights not in ("queen", "rook", "nearest", "band"):
        raise UserError(f"neighbours are 'queen', 'rook', 'nearest' or 'band', not {weights!r}")
    if weights in ("queen", "rook"):
        step = _grid_step(sheet)
        limit = 1.5 * step if weights == "queen" else 1.1 * step
        rows, columns = _pairs_within(sheet, limit)
    elif weights == "band":
        if reach is None or not reach > 0:
            raise UserError(f"the weights 'band' need a reach above 0, not {reach}")
        rows, columns = _pairs_within(sheet, reach)
    else:
        count = 8 if reach is None else int(reach)
        if not 1 <= count < len(sheet):
            raise UserError(f"{count} nearest neighbours cannot be found among {len(sheet)} units")
        rows = np.repeat(np.arange(len(sheet)), count)
        columns = np.concatenate([_nearest(sheet, unit, count) for unit in range(len(sheet))])
    if len(rows) == 0:
        raise UserError(f"no two units are neighbours by {weights!r} (n = {len(places)})")
    ones = np.ones(len(rows))
    return sparse.csr_array((ones, (rows, columns)), shape=(len(sheet), len(sheet)))


def _nearest(sheet: Sheet, unit: int, count: int) -> npt.NDArray[np.intp]:
    lengths = sheet.distances_from(unit)
    lengths[unit] = np.inf
    found: npt.NDArray[np.intp] = np.argsort(lengths, kind="stable")[:count]
    return found


def _pairs_within(sheet: Sheet, limit: float) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Ordered pairs of different units whose distance is at most the limit."""
    from scipy.spatial import cKDTree

    places, box = sheet.positions - sheet.positions.min(axis=0), None
    if sheet.periodic:
        box = sheet.extent() * (1 + 1e-12)
    pairs = cKDTree(places, boxsize=box).query_pairs(limit * (1 + 1e-9), output_type="ndarray")
    return np.concatenate([pairs[:, 0], pairs[:, 1]]), np.concatenate([pairs[:, 1], pairs[:, 0]])


def _grid_step(sheet: Sheet) -> float:
    """The step of the grid, checked: every place a whole number of steps away, no two units on one place."""
    places = sheet.positions - sheet.positions.min(axis=0)
    gaps = np.concatenate([np.diff(np.unique(places[:, axis])) for axis in (0, 1)])
    if len(gaps) == 0:
        raise UserError("all units lie on one place")
    step = float(gaps.min())
    off = np.abs(places / step - np.round(places / step)).max()
    if off > 1e-3 or sheet.n_collisions:
        why = (
            f"{sheet.n_collisions} units share a place"
            if sheet.n_collisions
            else "they lie on no square grid"
        )
        raise UserError(f"queen and rook neighbours need a grid, and {why}: use weights='nearest' or 'band'")
    return step
