"""Where values cluster: the local Moran's I of every unit."""

import numpy as np
import numpy.typing as npt
import pandas as pd

from ...errors import UserError
from ..masks import unmasked
from ..statistics.resampling import benjamini_hochberg
from .morans_i import centered_maps
from .spatial_weights import Floats, SpatialWeights


@unmasked
def local_morans_i(
    values: npt.ArrayLike, weights: SpatialWeights, permutations: int = 999, random_state: int = 0
) -> pd.DataFrame:
    """Where values cluster: the local Moran's I of every unit (Anselin 1995, Geogr. Anal. 27:93).

        I_i = (n - 1) z_i sum_j w_ij z_j / sum_k z_k^2.

    Its p is two-sided, from conditional permutations: the unit keeps its value, its neighbours get those of other
    units.

    Parameters
    ----------
    values : array of shape (n_units,)
    weights : SpatialWeights
    permutations, random_state : int

    Returns
    -------
    DataFrame
        A row a unit: ``I``, ``p``, ``q`` (over the units), ``kind``: ``high`` or ``low`` (a unit and its neighbours are
        both above or both below the mean), ``high among low``, ``low among high``.
    """
    known = np.asarray(values, np.float64)
    if known.ndim != 1:
        raise UserError(f"one map has the shape (n_units,), not {known.shape}")
    form, centered = weights.matrix, centered_maps(known[None], weights)[0]
    lag: Floats = form @ centered
    scale = (len(centered) - 1) / (centered**2).sum()
    observed = scale * centered * lag
    generator = np.random.default_rng(random_state)
    most = int(np.diff(form.indptr).max())
    p = np.full(len(centered), np.nan)
    if permutations:
        draws = _without_replacement(generator, permutations, len(centered) - 1, most)
        before = centered[draws]  # the values of the others, where they come before the unit, and where after
        step = centered[draws + 1] - before
        for unit in range(len(centered)):
            own = form.data[form.indptr[unit] : form.indptr[unit + 1]]
            if len(own) == 0:
                continue
            k = len(own)
            others = before[:, :k] + step[:, :k] * (draws[:, :k] >= unit)
            null = scale * centered[unit] * (others @ own)
            above = int((null >= observed[unit]).sum())
            p[unit] = min(1.0, 2 * (min(above, permutations - above) + 1) / (permutations + 1))
    high, near = centered > 0, lag > 0
    kind = np.where(
        high & near,
        "high",
        np.where(~high & ~near, "low", np.where(high, "high among low", "low among high")),
    )
    return pd.DataFrame({"I": observed, "p": p, "q": benjamini_hochberg(p), "kind": kind})


def _without_replacement(
    generator: np.random.Generator, n_draws: int, n: int, k: int
) -> npt.NDArray[np.intp]:
    """Rows of k different numbers below n; rows with a number twice are drawn again."""
    if k * k > n:
        return np.argpartition(generator.random((n_draws, n)), k - 1, axis=1)[:, :k]
    draws: npt.NDArray[np.intp] = generator.integers(n, size=(n_draws, k))
    while True:
        twice = (np.diff(np.sort(draws, axis=1), axis=1) == 0).any(axis=1)
        if not twice.any():
            return draws
        draws[twice] = generator.integers(n, size=(int(twice.sum()), k))
