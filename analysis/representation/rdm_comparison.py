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
def bootstrap_correlations(
    models: npt.ArrayLike,
    data: npt.ArrayLike,
    weights: npt.ArrayLike,
    *,
    groups: npt.ArrayLike | None = None,
    first_order: bool = False,
) -> Floats:
    """Pearson r of model and data dissimilarities over the pairs that each bootstrap draws.

    Parameters
    ----------
    models : array of shape (n_models, n_stimuli, n_stimuli)
        Symmetric; the diagonal is not read.
    data : array of shape (n_stimuli, n_stimuli)
    weights : array of shape (n_draws, n_stimuli)
        How often each draw holds each stimulus (:func:`.resampling.bootstrap_weights`).
    groups : array of shape (n_stimuli,), optional
        Where whole groups were drawn: pairs within a group count as often as it was drawn, and no pair joins two
        copies of a group.
    first_order : bool
        A pair counts w_i + w_j - 1 times instead of w_i w_j times: what single stimuli do, without what single pairs
        do, which a bootstrap counts three times over.

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
    matrices = np.concatenate([[off_diagonal, d, d * d], m, m * m, m * d])
    sums = _first_order_sums(matrices, weights) if first_order else _sums_over_pairs(matrices, weights)
    if groups is not None:
        sums -= _within_groups(matrices, np.asarray(weights, np.float64), np.asarray(groups), first_order)
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
    m, d = double_centered(m), double_centered(d[None])[0]
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


def _first_order_sums(matrices: Floats, weights: npt.ArrayLike) -> Floats:
    """Sum over pairs of (w_i + w_j - 1) A_ij for every draw and matrix, (n_draws, n_matrices)."""
    rows = matrices.sum(axis=2)
    sums: Floats = np.asarray(weights, np.float64) @ rows.T - rows.sum(axis=1) / 2
    return sums


def _within_groups(
    matrices: Floats, weights: Floats, groups: npt.NDArray[np.generic], first_order: bool
) -> Floats:
    """What pairs within groups count too much in sums over pairs: they belong to one copy of their group."""
    _, first, member, sizes = np.unique(groups, return_index=True, return_inverse=True, return_counts=True)
    surplus = np.zeros((len(weights), len(matrices)))
    for group in np.flatnonzero(sizes > 1):
        rows = np.flatnonzero(member == group)
        inside = matrices[:, rows][:, :, rows].sum(axis=(1, 2)) / 2
        drawn = weights[:, first[group]]
        surplus += np.outer(drawn - 1 if first_order else drawn**2 - drawn, inside)
    return surplus


def standardized(rdms: npt.ArrayLike) -> Floats:
    """Dissimilarities less their mean over pairs, of length 1: the sum of products of two such RDMs is Pearson's r.

    Parameters
    ----------
    rdms : array of shape (n_rdms, n_stimuli, n_stimuli)

    Returns
    -------
    array of the same shape
        Zero where nothing varies.
    """
    return _of_length_one(centered(rdms), rdms)


def whitened(rdms: npt.ArrayLike) -> Floats:
    """As :func:`standardized`, but that the sum of products is the whitened correlation."""
    return _of_length_one(double_centered(centered(rdms)), rdms)


def centered(rdms: npt.ArrayLike) -> Floats:
    """Dissimilarities less their mean over pairs, zero on the diagonal."""
    m = np.asarray(rdms, np.float64)
    n = m.shape[-1]
    off_diagonal = 1 - np.eye(n)
    less: Floats = (m - ((m * off_diagonal).sum(axis=(1, 2)) / (n * (n - 1)))[:, None, None]) * off_diagonal
    return less


def _of_length_one(vectors: Floats, rdms: npt.ArrayLike) -> Floats:
    length = np.linalg.norm(vectors, axis=(1, 2))[:, None, None]
    rounding = 1e-12 * np.linalg.norm(np.asarray(rdms, np.float64), axis=(1, 2))[:, None, None]
    return np.divide(vectors, length, out=np.zeros_like(vectors), where=length > rounding)


def double_centered(rdms: Floats) -> Floats:
    """Less the means of rows and columns."""
    rows = rdms - rdms.mean(axis=2, keepdims=True)
    centered: Floats = rows - rows.mean(axis=1, keepdims=True)
    return centered
