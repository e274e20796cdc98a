"""Pearson's r, column by column, plain and under the weights of a bootstrap."""

import numpy as np
import numpy.typing as npt

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
    a = a - a.mean(axis=0)
    b = b - b.mean(axis=0)
    size = np.sqrt((a * a).sum(axis=0) * (b * b).sum(axis=0))
    with np.errstate(invalid="ignore", divide="ignore"):
        r: Floats = np.where(size > _nothing(a, b), (a * b).sum(axis=0) / size, np.nan)
    return r


def _nothing(a: Floats, b: Floats) -> float:
    """What rounding alone leaves of a variance that is zero."""
    scale = max(float(np.abs(a).max(initial=0.0)) * float(np.abs(b).max(initial=0.0)), 0.0)
    return len(a) * scale * 1e-14


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
