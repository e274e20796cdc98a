"""Representational dissimilarity: RDMs and how two of them agree."""

import numpy as np
import numpy.typing as npt
from scipy.stats import kendalltau, rankdata

from ...brain_data.noise_ceiling import noise_variance
from ...correlation import pearson
from ...errors import UserError
from ..masks import unmasked
from .gram import Floats, centered_patterns_gram


@unmasked
def correlation_rdm(patterns: npt.ArrayLike) -> Floats:
    """1 - Pearson r between the response patterns of every two stimuli.

    Parameters
    ----------
    patterns : array of shape (n_stimuli, n_neuroids)
        A stimulus whose pattern does not vary over neuroids has no correlation.
        May be a memory map larger than memory; single precision stays single.

    Returns
    -------
    array of shape (n_stimuli, n_stimuli)
        Symmetric, zero on the diagonal.

    Raises
    ------
    UserError
        Where a pattern does not vary over neuroids.
    """
    products, mean = centered_patterns_gram(patterns)
    n_neuroids = np.shape(patterns)[1]
    size = np.sqrt(np.diag(products))
    flat = size <= 1e-12 * np.maximum(np.abs(mean), 1e-300) * np.sqrt(n_neuroids)
    if flat.any():
        raise UserError(
            f"{int(flat.sum())} of {len(products)} stimuli give the same value in every unit (first: row "
            f"{int(flat.argmax())}), so they have no correlation distance: choose another layer"
        )
    rdm: Floats = 1 - products / np.outer(size, size)
    np.fill_diagonal(rdm, 0.0)
    return (rdm + rdm.T) / 2


@unmasked
def crossnobis_rdm(cube: Floats) -> Floats:
    """Cross-validated squared Mahalanobis distance between stimuli, each neuroid scaled by its noise.

    d_ij = mean over pairs of different repetitions a, b of (x_i^a - x_j^a)' S^-1 (x_i^b - x_j^b) / n_neuroids,
    with S the diagonal of the noise variances. Unbiased: 0 on average where two stimuli evoke the same
    response, so it may be negative. Walther et al. (2016), NeuroImage 137:188.

    Parameters
    ----------
    cube : array of shape (n_stimuli, n_repetitions, n_neuroids)
        NaN where a repetition is missing. Neuroids without noise (:func:`has_noise`) are left out.

    Raises
    ------
    UserError
        With a stimulus shown less than twice, or where nothing is noisy.
    """
    if cube.shape[1] < 2:
        raise UserError("crossnobis distances need at least 2 repetitions of the stimuli, not 1")
    shown = np.isfinite(cube).all(axis=2)
    if (np.isfinite(cube).any(axis=2) != shown).any():
        raise UserError(
            "crossnobis distances need every neuroid in every repetition: some are missing in one"
        )
    once = shown.sum(axis=1) < 2
    if once.any():
        raise UserError(
            f"crossnobis distances need at least 2 repetitions of every stimulus: {int(once.sum())} of {len(cube)} "
            f"have fewer (first: row {int(once.argmax())})"
        )
    noisy = has_noise(cube)
    if not noisy.any():
        raise UserError("crossnobis distances need noise to scale by: no neuroid differs between repetitions")
    cube = cube[:, :, noisy]
    scaled = np.where(shown[:, :, None], cube, 0.0) / np.sqrt(noise_variance(cube))
    total, counts = scaled.sum(axis=1), shown.astype(float)
    same = sum(scaled[:, a] @ scaled[:, a].T for a in range(cube.shape[1]))
    n_pairs = np.outer(counts.sum(axis=1), counts.sum(axis=1)) - counts @ counts.T
    across = (total @ total.T - same) / (n_pairs * cube.shape[2])
    own = np.diag(across)
    rdm: Floats = own[:, None] + own - across - across.T
    np.fill_diagonal(rdm, 0.0)
    return rdm


def has_noise(cube: Floats) -> npt.NDArray[np.bool_]:
    """Which neuroids differ between repetitions of a stimulus by more than rounding: what noise can be scaled by."""
    size = np.nanmean(cube**2, axis=(0, 1))
    found: npt.NDArray[np.bool_] = np.nan_to_num(noise_variance(cube)) > 1e-18 * size
    return found


def pairs(rdm: Floats) -> Floats:
    """The dissimilarities above the diagonal, row by row, of the last two axes."""
    row, column = np.triu_indices(rdm.shape[-1], k=1)
    return rdm[..., row, column]


@unmasked
def kendall_tau_a(a: Floats, b: Floats) -> float:
    """Kendall's tau-a of two vectors: the share of concordant less discordant pairs, ties counted as neither.

    Nili et al. (2014) advise it where models predict ties.
    """
    tau_b = float(kendalltau(a, b, variant="b").statistic)
    n = len(a) * (len(a) - 1) / 2
    ties = [(np.unique(v, return_counts=True)[1]).astype(float) for v in (a, b)]
    untied = [n - float((t * (t - 1) / 2).sum()) for t in ties]
    return tau_b * float(np.sqrt(untied[0] * untied[1])) / n


@unmasked
def spearman(a: Floats, b: Floats) -> float:
    """Spearman's rank correlation of two vectors; NaN where one does not vary."""
    return float(pearson(rankdata(a), rankdata(b)))
