"""Pearson's r, column by column, plain and under the weights of a bootstrap."""

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

Floats = npt.NDArray[np.float64]


def pearson(a: Floats, b: Floats) -> Floats:
    """Pearson's r of each column of `a` with the same column of `b`.

    Parameters
    ----------
    a, b : array of shape (n_samples, ...)
        The first axis is correlated over; the others must broadcast.

    Returns
    -------
    array of shape (...)
        NaN where a column does not vary.
    """
    x, y = a - a.mean(axis=0), b - b.mean(axis=0)
    size_x, size_y = np.sqrt((x * x).sum(axis=0)), np.sqrt((y * y).sum(axis=0))
    varies = (size_x > _rounding(a)) & (size_y > _rounding(b))
    with np.errstate(invalid="ignore", divide="ignore"):
        r: Floats = np.where(varies, (x * y).sum(axis=0) / (size_x * size_y), np.nan)
    return r


def _rounding(values: Floats) -> Floats:
    """What rounding alone leaves of the norm of a column that does not vary."""
    left: Floats = 1e-14 * len(values) * np.abs(values).max(axis=0, initial=0.0)
    return left


def weighted_pearson(a: Floats, b: Floats, weights: Floats) -> Floats:
    """Pearson's r of matching columns for many sets of sample weights at once.

    With weights v, r = cov_v(a, b) / sqrt(var_v(a) var_v(b)), every moment a product of the weights with
    a, b, a^2, b^2 and ab.

    Parameters
    ----------
    a, b : array of shape (n_samples, n_columns)
    weights : array of shape (n_draws, n_samples)
        E.g. how often a bootstrap drew each sample.

    Returns
    -------
    array of shape (n_draws, n_columns)
        NaN where a column does not vary under the weights.
    """
    a = a - a.mean(axis=0)
    b = b - b.mean(axis=0)
    total = np.maximum(weights.sum(axis=1, keepdims=True), 1e-300)
    mean_a, mean_b = weights @ a / total, weights @ b / total
    var_a = weights @ (a * a) / total - mean_a**2
    var_b = weights @ (b * b) / total - mean_b**2
    covariance = weights @ (a * b) / total - mean_a * mean_b
    floor = 1e-12 * a.var(axis=0) * b.var(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        r: Floats = np.where(var_a * var_b > floor, covariance / np.sqrt(var_a * var_b), np.nan)
    return r


def tied_ranks(values: Floats, tolerance: float = 1e-9) -> Floats:
    """Ranks along the last axis; values that differ by no more than rounding are ties.

    Parameters
    ----------
    values : array
    tolerance : float
        What values are rounded to before they are ranked, as a share of the largest of them.
    """
    largest = np.abs(values).max(axis=-1, keepdims=True, initial=0.0)
    unit = tolerance * np.where(largest > 0, largest, 1.0)
    ranks: Floats = rankdata(np.round(values / unit), axis=-1)
    return ranks
