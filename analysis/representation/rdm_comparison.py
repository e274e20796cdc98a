"""Many model RDMs against one RDM of the brain: similarities, bootstraps over stimuli, paired differences.

A bootstrap of stimuli is a vector of weights w. Every sum over the pairs of stimuli it draws is w'Aw / 2, with
A zero on the diagonal, because the distance of a stimulus to itself is no pair; so all bootstraps of all
models are one product. Rank correlations are not among them: the ranks would change with every draw.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ...errors import UserError
from ..masks import unmasked
from ..statistics.resampling import Floats, benjamini_hochberg, percentile_interval

_BLOCK = 1 << 23


@unmasked
def bootstrap_correlations(models: npt.ArrayLike, data: npt.ArrayLike, weights: npt.ArrayLike) -> Floats:
    """Pearson r of model and data dissimilarities over the pairs that each bootstrap draws.

    Parameters
    ----------
    models : array of shape (n_models, n_stimuli, n_stimuli)
        Symmetric; the diagonal is not read.
    data : array of shape (n_stimuli, n_stimuli)
    weights : array of shape (n_draws, n_stimuli)
        How often each draw holds each stimulus (:func:`.resampling.bootstrap_weights`).

    Returns
    -------
    array of shape (n_draws, n_models)
        NaN where a draw leaves nothing that varies.
    """
    m, d = _prepared(models, data)
    n = m.shape[1]
    pairs = n * (n - 1)
    off_diagonal = 1 - np.eye(n)
    m = (m - (m.sum(axis=(1, 2)) / pairs)[:, None, None]) * off_diagonal
    d = (d - d.sum() / pairs) * off_diagonal
    sums = _sums_over_pairs(np.concatenate([[off_diagonal, d, d * d], m, m * m, m * d]), weights)
    total, sum_d, square_d = (sums[:, i, None] for i in range(3))
    sum_m, square_m, product = np.split(sums[:, 3:], 3, axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        covariance = product - sum_m * sum_d / total
        variances = (square_m - sum_m**2 / total) * (square_d - sum_d**2 / total)
        r: Floats = np.where(variances > 1e-24 * square_m * square_d, covariance / np.sqrt(variances), np.nan)
    return r


@unmasked
def bootstrap_cosines(models: npt.ArrayLike, data: npt.ArrayLike, weights: npt.ArrayLike) -> Floats:
    """Cosine of model and data dissimilarities over the pairs that each bootstrap draws.

    Arguments and result as for :func:`bootstrap_correlations`; for distances with a true zero (crossnobis).
    """
    m, d = _prepared(models, data)
    sums = _sums_over_pairs(np.concatenate([[d * d], m * m, m * d]), weights)
    square_m, product = np.split(sums[:, 1:], 2, axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        cosine: Floats = product / np.sqrt(square_m * sums[:, :1])
    return cosine


@unmasked
def whitened_cosine(models: npt.ArrayLike, data: npt.ArrayLike) -> Floats:
    """a'V^-1 b / sqrt(a'V^-1 a b'V^-1 b), with V the covariance of dissimilarities that share stimuli.

    For patterns whose noise is alike and independent, V = (CC') o (CC') with C the contrasts of all pairs, and
    the whitened cosine is the cosine of the double-centred matrices HAH and HBH, H = I - 11'/n, which costs
    n^2 where V has n^4 entries. Diedrichsen et al. (2021), Neurons Behav. Data Anal. Theory 5(3).

    Parameters
    ----------
    models : array of shape (n_models, n_stimuli, n_stimuli)
    data : array of shape (n_stimuli, n_stimuli)

    Returns
    -------
    array of shape (n_models,)
    """
    m, d = _prepared(models, data)
    m, d = _double_centered(m), _double_centered(d[None])[0]
    with np.errstate(invalid="ignore", divide="ignore"):
        cosine: Floats = (m * d).sum(axis=(1, 2)) / np.sqrt((m * m).sum(axis=(1, 2)) * (d * d).sum())
    return cosine


@unmasked
def whitened_correlation(models: npt.ArrayLike, data: npt.ArrayLike) -> Floats:
    """The whitened cosine of dissimilarities less their mean over pairs, for distances without a true zero.

    Arguments and result as for :func:`whitened_cosine`.
    """
    m, d = _prepared(models, data)
    n = len(d)
    off_diagonal = 1 - np.eye(n)
    m = m - (m.sum(axis=(1, 2)) / (n * (n - 1)))[:, None, None] * off_diagonal
    return whitened_cosine(m, d - d.sum() / (n * (n - 1)) * off_diagonal)


@dataclass(frozen=True)
class ModelComparison:
    """How well each model's RDM correlates with the data's, and which models differ.

    Attributes
    ----------
    r : array of shape (n_models,)
        Pearson r over all pairs of stimuli.
    interval : array of shape (n_models, 2)
        Percentile interval over the bootstraps.
    p, q : array of shape (n_models, n_models)
        Two-sided bootstrap p of each paired difference, and the same corrected for the false discovery rate
        over all pairs of models (Benjamini & Hochberg 1995). NaN on the diagonal.
    n_draws, n_stimuli : int
    """

    r: Floats
    interval: Floats
    p: Floats
    q: Floats
    n_draws: int
    n_stimuli: int


@unmasked
def compare_models(
    models: npt.ArrayLike, data: npt.ArrayLike, weights: npt.ArrayLike, *, level: float = 0.95
) -> ModelComparison:
    """Compare models on the same bootstraps of stimuli.

    p = 2 (1 + #{draws in which the worse model is at least as good}) / (1 + n_draws), at most 1.

    Parameters
    ----------
    models, data, weights
        As for :func:`bootstrap_correlations`.
    level : float
        Of the intervals.
    """
    w = np.asarray(weights, np.float64)
    draws = bootstrap_correlations(models, data, w)
    r = bootstrap_correlations(models, data, np.ones((1, w.shape[1])))[0]
    interval = np.array([percentile_interval(one, level) for one in draws.T])
    p, q = np.full((2, len(r), len(r)), np.nan)
    first, second = np.triu_indices(len(r), k=1)
    difference = draws[:, first] - draws[:, second]
    kept = np.isfinite(difference)
    below = (1 + (kept & (difference <= 0)).sum(axis=0)) / (1 + kept.sum(axis=0))
    above = (1 + (kept & (difference >= 0)).sum(axis=0)) / (1 + kept.sum(axis=0))
    p[first, second] = p[second, first] = np.minimum(1, 2 * np.minimum(below, above))
    q[first, second] = q[second, first] = benjamini_hochberg(p[first, second])
    return ModelComparison(r, interval, p, q, len(w), w.shape[1])


def _prepared(models: npt.ArrayLike, data: npt.ArrayLike) -> tuple[Floats, Floats]:
    m, d = np.array(models, np.float64), np.array(data, np.float64)
    if m.ndim != 3 or m.shape[1:] != d.shape or d.shape[0] != d.shape[1]:
        raise UserError(
            f"model RDMs of shape {m.shape} and data of shape {d.shape} do not fit: give "
            "(n_models, n_stimuli, n_stimuli) and (n_stimuli, n_stimuli)"
        )
    diagonal = np.arange(len(d))
    m[:, diagonal, diagonal] = d[diagonal, diagonal] = 0.0
    if not (np.isfinite(m).all() and np.isfinite(d).all()):
        raise UserError("a dissimilarity is missing (NaN): leave its stimuli out of models and data first")
    return m, d


def _sums_over_pairs(matrices: Floats, weights: npt.ArrayLike) -> Floats:
    """W'Aw / 2 for every draw and matrix, (n_draws, n_matrices)."""
    w = np.asarray(weights, np.float64)
    n = matrices.shape[1]
    if w.ndim != 2 or w.shape[1] != n:
        raise UserError(f"weights of shape {w.shape} do not fit {n} stimuli: give (n_draws, {n})")
    stacked = np.ascontiguousarray(matrices.transpose(1, 0, 2)).reshape(n, -1)
    sums = np.empty((len(w), len(matrices)))
    step = max(1, _BLOCK // stacked.shape[1])
    for start in range(0, len(w), step):
        part = w[start : start + step]
        products = (part @ stacked).reshape(len(part), len(matrices), n)
        sums[start : start + step] = np.matmul(products, part[:, :, None])[:, :, 0] / 2
    return sums


def _double_centered(rdms: Floats) -> Floats:
    rows = rdms - rdms.mean(axis=2, keepdims=True)
    centered: Floats = rows - rows.mean(axis=1, keepdims=True)
    return centered
