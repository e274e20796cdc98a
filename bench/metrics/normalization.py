"""From raw correlations to the headline: each formula by its name.

A negative correlation never becomes a positive score, and a score above 1 is shown, except where the
definition clips.
"""

import numpy as np
import numpy.typing as npt

from .registries import Normalization, normalization

Floats = npt.NDArray[np.float64]

CHANCE = 0.5
"""Accuracy of a model that knows nothing, where one of two is identified."""


def median_r(r: Floats) -> Floats:
    """Median over neuroids of the mean over splits; r has shape (..., n_splits, n_neuroids)."""
    median: Floats = np.median(r.mean(axis=-2), axis=-1)
    return median


def mean_of_medians(r: Floats) -> Floats:
    """Mean over splits of the median over neuroids, as Brain-Score aggregates."""
    mean: Floats = np.median(r, axis=-1).mean(axis=-1)
    return mean


@normalization(
    "r_over_sqrt_reliability",
    sentence="the median over neuroids of r, each divided by the best r that it could reach",
    formula="median over neuroids of r / best reachable r",
    of_each=True,
)
def r_over_sqrt_reliability(r: Floats, ceiling: Floats) -> Floats:
    """Median over neuroids of r / r_max, where r_max = sqrt(reliability); ceiling is r_max, (..., n_neuroids)."""
    median: Floats = np.median(r.mean(axis=-2) / ceiling, axis=-1)
    return median


@normalization(
    "ratio_of_medians",
    sentence="the median r over neuroids divided by the square root of their median reliability, both averaged over "
    "subjects where there are several",
    formula="median r / sqrt(median reliability), over all neuroids",
)
def ratio_of_medians(r: Floats, ceiling: Floats) -> Floats:
    """Median r / sqrt(c), with c the median reliability: nobody is left out by the noise that is divided by."""
    value: Floats = median_r(r) / np.sqrt(ceiling)
    return value


@normalization(
    "r_over_r_max",
    sentence="the median r over neuroids divided by the best r that a model could reach",
    formula="median r / best reachable r",
)
def r_over_r_max(r: Floats, ceiling: Floats) -> Floats:
    """Median r / r_max."""
    value: Floats = median_r(r) / ceiling
    return value


@normalization(
    "r2_over_ceiling",
    sentence="the square of r, with its sign, divided by the ceiling",
    formula="r^2 / ceiling",
    expression="np.sign(raw) * raw**2 / CEILING",
)
def r2_over_ceiling(r: Floats, ceiling: Floats) -> Floats:
    """sign(r) r^2 / c, with r = mean over splits of the median: Brain-Score vision since December 2025."""
    raw = mean_of_medians(r)
    value: Floats = np.sign(raw) * raw**2 / ceiling
    return value


@normalization(
    "r_over_ceiling_squared",
    sentence="the square of the ratio of r to the ceiling, with the sign of r",
    formula="(r / ceiling)^2",
)
def r_over_ceiling_squared(r: Floats, ceiling: Floats) -> Floats:
    """sign(r) (r / c)^2: Brain-Score vision before December 2025, and Coggan et al. (2024)."""
    raw = mean_of_medians(r)
    value: Floats = np.sign(raw) * (raw / ceiling) ** 2
    return value


@normalization(
    "r_over_ceiling",
    sentence="r divided by the ceiling, and 0 or 1 where that would lie below or above",
    formula="r / ceiling, clipped to 0 ... 1",
    clips=True,
    expression="np.clip(raw / CEILING, 0, 1)",
)
def r_over_ceiling(r: Floats, ceiling: Floats) -> Floats:
    """Ratio r / c, clipped to [0, 1]: Brain-Score language, and RSA."""
    return np.clip(mean_of_medians(r) / ceiling, 0, 1)


@normalization(
    "r_over_best_r",
    sentence="r divided by the r that a flawless model would reach",
    formula="r / r of a flawless model",
    expression="raw / CEILING",
)
def r_over_best_r(r: Floats, ceiling: Floats) -> Floats:
    """Ratio r / c, not clipped: a flawless model's is 1 on average, and so is above 1 half of the time."""
    value: Floats = mean_of_medians(r) / ceiling
    return value


@normalization(
    "above_chance",
    sentence="how far the accuracy lies above chance, as a share of how far the best one does (1 where no ceiling is "
    "known)",
    formula="accuracy above chance, as a share of the best",
    chance=CHANCE,
    without_ceiling=1.0,
)
def above_chance(r: Floats, ceiling: Floats) -> Floats:
    """(accuracy - 1/2) / (ceiling - 1/2)."""
    return (median_r(r) - CHANCE) / (ceiling - CHANCE)


@normalization(
    "none",
    sentence="the raw value itself, for want of a ceiling",
    formula="raw: these recordings allow no ceiling",
    axis="raw score (no noise ceiling)",
    expression="raw",
    without_ceiling=1.0,
)
def none(r: Floats, ceiling: Floats) -> Floats:
    """The median r itself, where no ceiling is known."""
    del ceiling
    return median_r(r)


def median_formula(ceiling_kind: str) -> Normalization:
    """The formula of a median r for a kind of ceiling."""
    found = {
        "reliability": ratio_of_medians,
        "between_subjects": ratio_of_medians,
        "r_max": r_over_r_max,
    }
    return found.get(ceiling_kind, none)
