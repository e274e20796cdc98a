"""Ceilings: the best that a model could score, given the noise of the recordings."""

from collections.abc import Callable, Sequence
from itertools import combinations

import numpy as np
import numpy.typing as npt
from scipy.optimize import least_squares

from ..correlation import Floats, pearson, tied_ranks
from ..errors import UserError
from .repetitions import known_mean


def reliability(cube: Floats, *, n_halves: int = 100, random_state: int = 0) -> Floats:
    """Split-half reliability of the mean response, per neuroid.

    The repetitions are split at random into two halves of floor(R/2); r is Pearson's correlation of the
    halves' means over stimuli, and the Spearman-Brown formula takes it to all R repetitions,
    k r / (1 + (k - 1) r) with k = R / floor(R/2). The median over halves is kept. The best reachable
    correlation with the mean response is the square root.

    Parameters
    ----------
    cube : array of shape (n_stimuli, n_repetitions, n_neuroids)
        NaN where a repetition is missing.
    n_halves : int
        How many random halves.
    random_state : int
        Seed.

    Returns
    -------
    array of shape (n_neuroids,)
        NaN for a neuroid that does not vary.

    Raises
    ------
    UserError
        With fewer than two repetitions or three stimuli.
    """
    n_stimuli, n_repetitions, _ = cube.shape
    if n_repetitions < 2:
        raise UserError("a split-half reliability needs at least 2 repetitions of the stimuli, not 1")
    if n_stimuli < 3:
        raise UserError(f"a reliability over stimuli needs at least 3 of them, not {n_stimuli}")
    generator = np.random.default_rng(random_state)
    half = n_repetitions // 2
    every = list(combinations(range(n_repetitions), half)) if n_repetitions <= 4 else None
    draws = []
    for draw in range(n_halves if every is None or n_repetitions % 2 else len(every) // 2):
        if every is not None and n_repetitions % 2 == 0:
            first = np.array(every[draw])
            second = np.setdiff1d(np.arange(n_repetitions), first)
        else:
            order = generator.permutation(n_repetitions)
            first, second = order[:half], order[half : 2 * half]
        draws.append(_half_correlation(cube, first, second))
    factor = n_repetitions / half
    r = np.maximum(np.array(draws), -0.999 / max(factor - 1, 1))
    corrected: Floats = np.median(factor * r / (1 + (factor - 1) * r), axis=0)
    return corrected


def _half_correlation(cube: Floats, first: npt.NDArray[np.intp], second: npt.NDArray[np.intp]) -> Floats:
    one, other = known_mean(cube[:, first]), known_mean(cube[:, second])
    both = np.isfinite(one).all(axis=1) & np.isfinite(other).all(axis=1)
    if both.sum() < 3:
        raise UserError(
            f"only {int(both.sum())} stimuli have a response in both halves of the repetitions: "
            "too few for a reliability"
        )
    return pearson(one[both], other[both])


def variance_reliability(cube: Floats, weights: Floats | None = None) -> Floats:
    """Reliability of the mean response from the analysis of variance, per neuroid.

    1 - (mean variance of a stimulus' mean) / (variance of the means over stimuli), the value that
    split halves estimate too, at the cost of one product; under `weights` it follows a bootstrap.

    Parameters
    ----------
    cube : array of shape (n_stimuli, n_repetitions, n_neuroids)
    weights : array of shape (n_draws, n_stimuli), optional
        How often a bootstrap drew each stimulus.

    Returns
    -------
    array of shape (n_draws, n_neuroids), or (n_neuroids,) without weights
    """
    plain = weights is None
    draws = np.ones((1, len(cube))) if weights is None else weights
    counted = (~np.isnan(cube)).sum(axis=1)
    mean = known_mean(cube)
    with np.errstate(invalid="ignore", divide="ignore"):
        noise = np.nansum((cube - mean[:, None]) ** 2, axis=1) / (counted - 1) / counted
    several = (counted > 1).all(axis=1)
    mean, noise, draws = mean[several] - mean[several].mean(axis=0), noise[several], draws[:, several]
    total = draws.sum(axis=1, keepdims=True)
    variance = (draws @ mean**2 / total - (draws @ mean / total) ** 2) * total / (total - 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        value: Floats = 1 - (draws @ noise / total) / variance
    return value[0] if plain else value


def noise_variance(cube: Floats) -> Floats:
    """Variance of one presentation about its stimulus, per neuroid.

    sum_ir (y_ir - mean_i)^2 / sum_i (n_i - 1) over the stimuli that were shown more than once.

    Parameters
    ----------
    cube : array of shape (n_stimuli, n_repetitions, n_neuroids)
        NaN where a repetition is missing.

    Returns
    -------
    array of shape (n_neuroids,)
        NaN where no stimulus was repeated.
    """
    if cube.shape[1] < 2:
        return np.full(cube.shape[2], np.nan)
    counted = (~np.isnan(cube)).sum(axis=1)
    free = np.maximum(counted - 1, 0).sum(axis=0)
    squares = np.nansum((cube - known_mean(cube)[:, None]) ** 2, axis=(0, 1))
    variance: Floats = np.divide(squares, free, out=np.full(len(squares), np.nan), where=free > 0)
    return variance


def repetition_weights(cube: Floats) -> Floats:
    """Weight of each stimulus by how often it was shown: 1 / (q + (1 - q) / n_i), with mean 1.

    q is the share of signal in the variance of one presentation, median over neuroids: the weights are inverse
    variances of the mean responses. All 1 where every stimulus was shown as often.

    Parameters
    ----------
    cube : array of shape (n_stimuli, n_repetitions, n_neuroids)
    """
    counts = (~np.isnan(cube)).any(axis=2).sum(axis=1)
    if (counts == counts[0]).all():
        return np.ones(len(cube))
    noise, mean = noise_variance(cube), known_mean(cube)
    signal = np.maximum(mean.var(axis=0, ddof=1) - noise * (1 / counts).mean(), 0)
    known = np.isfinite(noise) & (noise + signal > 0)
    share = float(np.median(signal[known] / (signal + noise)[known])) if known.any() else 1.0
    weights = 1 / (share + (1 - share) / counts)
    normalized: Floats = weights / weights.mean()
    return normalized


def reliability_within(
    mean: Floats, noise: Floats, counts: Floats, parts: Sequence[npt.NDArray[np.intp]], weights: Floats
) -> Floats:
    """Reliability of mean responses within parts of the stimuli, the variance that a held-out r is computed of.

    With weights w, and W_f their sum in part f,

        1 - noise sum_f sum_i w_i (1 - w_i / W_f) / n_i  /  sum_f sum_i w_i (y_i - mean_f)^2,

    both sums being what is expected of noise alone and what is measured: right for unequal n_i, few parts, and any
    weights. Not clipped: below 0 where noise happens to exceed the measured variance.

    Parameters
    ----------
    mean : array of shape (n_stimuli, n_neuroids)
        Mean responses.
    noise : array of shape (n_neuroids,)
        Variance of one presentation.
    counts : array of shape (n_stimuli,)
        Presentations of each stimulus.
    parts : sequence of array of int
        Rows of each fold.
    weights : array of shape (n_stimuli,)

    Returns
    -------
    array of shape (n_neuroids,)
        NaN where nothing varies.
    """
    expected, measured = 0.0, np.zeros(mean.shape[1])
    for part in (one for one in parts if len(one) > 1):
        w, y = weights[part], mean[part]
        y = y - (w @ y) / w.sum()
        measured += w @ y**2
        expected += float((w * (1 - w / w.sum()) / counts[part]).sum())
    with np.errstate(invalid="ignore", divide="ignore"):
        value: Floats = np.where(measured > 0, 1 - noise * expected / measured, np.nan)
    return value


def rdm_ceiling(rdms: Floats) -> tuple[float, float, Floats, Floats]:
    """Between which bounds the best model's mean rank correlation with the subjects must lie.

    Each subject's dissimilarities are ranked. Upper: mean correlation of a subject with the mean of all
    (itself included, so no model can do better); lower: with the mean of the others. Nili et al. (2014),
    PLoS Comput. Biol. 10:e1003553.

    Parameters
    ----------
    rdms : array of shape (n_subjects, n_pairs)
        The dissimilarities above the diagonal, one row a subject.

    Returns
    -------
    lower, upper : float
    lower_by_subject, upper_by_subject : array of shape (n_subjects,)

    Raises
    ------
    UserError
        With fewer than two subjects.
    """
    if len(rdms) < 2:
        raise UserError(f"a ceiling over subjects needs at least 2 of them, not {len(rdms)}")
    ranks = tied_ranks(rdms)
    everyone = tied_ranks(ranks.mean(axis=0))
    upper = np.array([float(pearson(subject, everyone)) for subject in ranks])
    others = [tied_ranks(np.delete(ranks, i, axis=0).mean(axis=0)) for i in range(len(ranks))]
    lower = np.array([float(pearson(subject, rest)) for subject, rest in zip(ranks, others, strict=True)])
    return float(lower.mean()), float(upper.mean()), lower, upper


def extrapolated_ceiling(
    subjects: Sequence[Floats],
    predict: Callable[[Floats, Floats], Floats],
    *,
    n_subsets: int = 10,
    n_bootstraps: int = 100,
    random_state: int = 0,
) -> Floats:
    """Ceiling of single presentations: how well ever more other people would predict a person.

    Every subject's neuroids are predicted from the pooled neuroids of k others, k = 1 ... n - 1; per
    neuroid the curve v0 (1 - exp(-k / tau)) is fitted to the bootstrapped scores, and the median v0 is the
    ceiling in units of r (kind ``r_max``). Schrimpf et al. (2021), PNAS 118:e2105646118.

    Parameters
    ----------
    subjects : sequence of arrays of shape (n_stimuli, n_neuroids of the subject)
        Responses to the same stimuli in the same order.
    predict : callable
        ``predict(features, targets)`` -> cross-validated r per target, shape (n_targets,).
    n_subsets : int
        Most subsets of others that are tried for each k.
    n_bootstraps : int
        Bootstrap draws of the curve.
    random_state : int
        Seed.

    Returns
    -------
    array of shape (sum of the subjects' neuroids,)
        NaN where the curve cannot be fitted: it needs scores for at least two k. Scores that are NaN are left out
        before curves are drawn.

    Raises
    ------
    UserError
        With fewer than three subjects.
    """
    if len(subjects) < 3:
        raise UserError(
            f"extrapolating a ceiling over subjects needs at least 3 of them, not {len(subjects)}"
        )
    generator = np.random.default_rng(random_state)
    ceilings = []
    for target, responses in enumerate(subjects):
        others = [i for i in range(len(subjects)) if i != target]
        sizes, scores = [], []
        for k in range(1, len(others) + 1):
            subsets = list(combinations(others, k))
            chosen = generator.permutation(len(subsets))[:n_subsets]
            for subset in (subsets[i] for i in chosen):
                pooled = np.concatenate([subjects[i] for i in subset], axis=1)
                sizes.append(k)
                scores.append(predict(pooled, responses))
        table = np.array(scores)
        ceilings += [
            _asymptote(np.array(sizes, float), column, n_bootstraps, generator) for column in table.T
        ]
    return np.array(ceilings)


def _asymptote(sizes: Floats, scores: Floats, n_bootstraps: int, generator: np.random.Generator) -> float:
    known = np.isfinite(scores)
    sizes, scores = sizes[known], scores[known]
    rows = [np.flatnonzero(sizes == k) for k in np.unique(sizes)]
    if len(rows) < 2:
        return float("nan")
    fitted = []
    for _ in range(n_bootstraps):
        drawn = np.concatenate([generator.choice(some, len(some)) for some in rows])
        k, r = sizes[drawn], scores[drawn]
        fit = least_squares(
            lambda curve, k=k, r=r: curve[0] * (1 - np.exp(-k / curve[1])) - r,
            (0.5, 1.0),
            bounds=([0, 1e-3], [1, 1e3]),
        )
        if fit.success:  # else this draw's curve has no fit; the others decide
            fitted.append(float(fit.x[0]))
    return float(np.median(fitted)) if fitted else float("nan")
