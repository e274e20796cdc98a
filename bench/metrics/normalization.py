"""From raw correlations to the headline: each formula by its name.

A negative correlation never becomes a positive score, and a score above 1 is shown, except where the
definition clips.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def median_r(r: Floats) -> Floats:
    """Median over neuroids of the mean over splits; r has shape (..., n_splits, n_neuroids)."""
    median: Floats = np.median(r.mean(axis=-2), axis=-1)
    return median


def mean_of_medians(r: Floats) -> Floats:
    """Mean over splits of the median over neuroids, as Brain-Score aggregates."""
    mean: Floats = np.median(r, axis=-1).mean(axis=-1)
    return mean


def r_over_sqrt_reliability(r: Floats, ceiling: Floats) -> Floats:
    """Median over neuroids of r / r_max, where r_max = sqrt(reliability); ceiling is r_max, (..., n_neuroids)."""
    median: Floats = np.median(r.mean(axis=-2) / ceiling, axis=-1)
    return median


def r2_over_ceiling(r: Floats, ceiling: Floats) -> Floats:
    """sign(r) r^2 / c, with r = mean over splits of the median: Brain-Score vision since December 2025."""
    raw = mean_of_medians(r)
    value: Floats = np.sign(raw) * raw**2 / ceiling
    return value


def r_over_ceiling_squared(r: Floats, ceiling: Floats) -> Floats:
    """sign(r) (r / c)^2: Brain-Score vision before December 2025, and Coggan et al. (2024)."""
    raw = mean_of_medians(r)
    value: Floats = np.sign(raw) * (raw / ceiling) ** 2
    return value


def r_over_ceiling(r: Floats, ceiling: Floats) -> Floats:
    """Ratio r / c, clipped to [0, 1]: Brain-Score language, and RSA."""
    value: Floats = np.clip(mean_of_medians(r) / ceiling, 0, 1)
    return value


def none(r: Floats, ceiling: Floats) -> Floats:
    """The median r itself, where no ceiling is known."""
    del ceiling
    return median_r(r)


NORMALIZATIONS: dict[str, Callable[[Floats, Floats], Floats]] = {
    "r_over_sqrt_reliability": r_over_sqrt_reliability,
    "r2_over_ceiling": r2_over_ceiling,
    "r_over_ceiling_squared": r_over_ceiling_squared,
    "r_over_ceiling": r_over_ceiling,
    "none": none,
}
