"""Geary's C: whether neighbours differ less than any two units."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ...errors import UserError
from ..masks import unmasked
from .morans_i import centered_maps, smoothed
from .permutation_null import permuted_layouts
from .smoothing import smoothing_matrix
from .spatial_weights import Floats, SpatialWeights

_TIE = 1e-12


@dataclass(frozen=True)
class GearysC:
    """Geary's C and what it is under layouts that were permuted: below 1 where neighbours are alike.

    Attributes
    ----------
    C : float
    p : float
        Share of permuted layouts, and of the observed one, whose C is at most as high (one-sided).
    null_mean, null_sd : float
    n : int
    exact_sd, exact_p : float
        From the moments under randomisation, whose mean is 1.
    """

    C: float
    p: float
    null_mean: float
    null_sd: float
    n: int
    exact_sd: float = float("nan")
    exact_p: float = float("nan")

    @property
    def z(self) -> float:
        """How many standard deviations of the null C lies above its mean: negative where values cluster."""
        return (self.C - self.null_mean) / self.null_sd if self.null_sd > 0 else float("nan")


@unmasked
def gearys_c(
    values: npt.ArrayLike,
    weights: SpatialWeights,
    permutations: int = 999,
    random_state: int = 0,
    *,
    fwhm: float = 0.0,
) -> GearysC:
    """Geary's C: squared differences of neighbours against those of all units.

        C = (N - 1) / (2 sum_ij w_ij) * sum_ij w_ij (v_i - v_j)^2 / sum_i z_i^2.

    Parameters
    ----------
    values : array of shape (n_units,)
    weights : SpatialWeights
    permutations, random_state, fwhm
        As in :func:`.morans_i.morans_i`.
    """
    known = np.asarray(values, np.float64)
    if known.ndim != 1:
        raise UserError(f"one map has the shape (n_units,), not {known.shape}")
    z = centered_maps(known[None], weights)
    kernel = smoothing_matrix(weights, fwhm) if fwhm else None
    scale = (len(weights) - 1) / (2 * weights.s0)

    def geary(columns: Floats) -> Floats:
        part: Floats = (
            scale * (columns * (weights.laplacian @ columns)).sum(axis=0) / (columns**2).sum(axis=0)
        )
        return part

    observed = geary(smoothed(z.T, kernel))
    blocks = [geary(smoothed(one, kernel)) for one in permuted_layouts(z, permutations, random_state)]
    null = np.concatenate([*blocks, np.empty(0)])[:, None]
    sd, p = (float("nan"), float("nan")) if kernel is not None else _exact(weights, z[0], float(observed[0]))
    reached = (null <= observed + _TIE).sum(axis=0)
    return GearysC(
        float(observed[0]),
        float((reached[0] + 1) / (permutations + 1)) if permutations else float("nan"),
        float(null.mean()) if permutations else float("nan"),
        float(null.std(ddof=1)) if permutations > 1 else float("nan"),
        len(weights),
        sd,
        p,
    )


def _exact(weights: SpatialWeights, z: Floats, observed: float) -> tuple[float, float]:
    """Standard deviation of C over all layouts (Cliff & Ord 1981), and the one-sided p of a normal C."""
    from scipy.stats import norm

    n = len(z)
    if n < 4:
        return float("nan"), float("nan")
    s0, s1, s2 = weights.s0, weights.s1, weights.s2
    k = float((z**4).mean() / (z**2).mean() ** 2)
    one = (n - 1) * s1 * (n**2 - 3 * n + 3 - (n - 1) * k)
    two = (n - 1) * s2 * (n**2 + 3 * n - 6 - (n**2 - n + 2) * k) / 4
    three = s0**2 * (n**2 - 3 - (n - 1) ** 2 * k)
    variance = (one - two + three) / (n * (n - 2) * (n - 3) * s0**2)
    sd = float(np.sqrt(max(variance, 0.0)))
    return sd, float(norm.cdf((observed - 1) / sd)) if sd > 0 else float("nan")
