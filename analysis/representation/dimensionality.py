"""How many dimensions responses spread over."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import UserError
from .gram import Floats, gram

SHARES = (0.8, 0.9, 0.95, 0.99)
_FIRST_RANK, _LAST_RANK = 11, 500
_MOST_GROUPS = 40


@dataclass(frozen=True)
class Dimensionality:
    """How many dimensions responses spread over, by every usual measure.

    Attributes
    ----------
    participation_ratio : float
        Biased by the number of samples: compare it only at the same `n_samples`.
    corrected : float
        Without that bias.
    interval : (float, float)
        95 % of the corrected one, by a jackknife over groups of samples on its logarithm.
    eigenvalues : array
        Of the sample covariance, highest first.
    exponent : float
        alpha of l_k ~ k^-alpha, by least squares of log l on log k; NaN where fewer than 5 ranks are fitted.
    fit_range : (int, int)
        First and last rank of the fit (from 1).
    components : dict of float to int
        Share of the variance -> components that reach it.
    n_samples, n_units : int
    """

    participation_ratio: float
    corrected: float
    interval: tuple[float, float]
    eigenvalues: Floats = field(repr=False)
    exponent: float
    fit_range: tuple[int, int]
    components: dict[float, int]
    n_samples: int
    n_units: int


def effective_dimensionality(
    responses: npt.ArrayLike, *, fit_range: tuple[int, int] | None = None, shares: Sequence[float] = SHARES
) -> Dimensionality:
    """Participation ratio, its correction, the eigenspectrum, its exponent, and components by share of variance.

    Parameters
    ----------
    responses : array of shape (n_samples, n_units)
        How feature maps were pooled over space changes everything: state it.
    fit_range : (int, int), optional
        Ranks that the power law is fitted to, from 1; by default 11 to 500 (Stringer et al. 2019, Nature 571:361), at
        most to half of the rank, and from 1 where that leaves fewer than 10.
    shares : sequence of float
        Of the variance.

    Raises
    ------
    UserError
        With fewer than 3 samples, where nothing varies, or for a range of ranks that are not there.
    """
    source = np.asarray(responses)
    if source.ndim != 2:
        raise UserError(f"responses have the shape (n_samples, n_units), not {source.shape}")
    products, n_samples = _products(source)
    eigenvalues = np.maximum(np.linalg.eigvalsh(products)[::-1], 0.0) / (n_samples - 1)
    eigenvalues = eigenvalues[: min(n_samples - 1, source.shape[1])]
    if n_samples < 3:
        raise UserError(f"the corrected participation ratio needs at least 3 samples, not {n_samples}")
    running = np.cumsum(eigenvalues) / eigenvalues.sum()
    ranks = _ranks(eigenvalues, fit_range)
    corrected, interval = _corrected_with_interval(source, products)
    return Dimensionality(
        float(eigenvalues.sum() ** 2 / (eigenvalues**2).sum()),
        corrected,
        interval,
        eigenvalues,
        _exponent(eigenvalues, ranks),
        ranks,
        {float(share): int(np.searchsorted(running, share - 1e-12) + 1) for share in shares},
        n_samples,
        source.shape[1],
    )


def cross_validated_eigenvalues(first: npt.ArrayLike, second: npt.ArrayLike) -> Floats:
    """The variance along every principal component of one repetition that another repeats (Stringer et al. 2019).

        l_k = sum_i (x_i v_k)(y_i v_k) / (n - 1),   v_k the components of the first repetition x, y the second.

    Noise of recordings is independent over repetitions and averages out; without this it counts as dimensions.

    Parameters
    ----------
    first, second : array of shape (n_stimuli, n_units)

    Returns
    -------
    array of shape (min(n_stimuli - 1, n_units),)
        In the order of the first repetition's variance; may be negative.
    """
    x, y = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if x.ndim != 2 or x.shape != y.shape or len(x) < 3:
        raise UserError(
            f"two repetitions need the same shape and at least 3 stimuli, not {x.shape} and {y.shape}"
        )
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    components = np.linalg.svd(x, full_matrices=False)[2][: min(len(x) - 1, x.shape[1])]
    found: Floats = ((x @ components.T) * (y @ components.T)).sum(axis=0) / (len(x) - 1)
    return found


def participation_ratio(responses: npt.ArrayLike) -> float:
    """(tr C)^2 / tr(C^2), with C the covariance of the units: (sum l)^2 / sum l^2 of its eigenvalues.

    From the inner products of the samples or of the units, whichever are fewer; nothing is decomposed.
    Biased by the number of samples: isotropic noise in d dimensions gives about n d / (n + d) with n samples.
    Gao et al. (2017), bioRxiv 214262.

    Parameters
    ----------
    responses : array of shape (n_samples, n_units)
        May be a memory map larger than memory.

    Raises
    ------
    UserError
        With fewer than two samples, or where nothing varies.
    """
    trace, trace_of_square, _ = _traces(responses)
    return trace**2 / trace_of_square


def corrected_participation_ratio(responses: npt.ArrayLike) -> float:
    """The participation ratio without the bias of a finite number of samples.

    With S the sample covariance of n' = n - 1 degrees of freedom, the unbiased traces for normal responses are

        tr(C^2) ~ n'^2 / ((n' - 1)(n' + 2)) (tr S^2 - (tr S)^2 / n'),
        (tr C)^2 ~ (tr S)^2 - 2 tr(C^2)~ / n'.

    Parameters
    ----------
    responses : array of shape (n_samples, n_units)

    Returns
    -------
    float
        Infinite where noise alone explains tr S^2, so that no finite dimension fits.

    Raises
    ------
    UserError
        With fewer than three samples, or where nothing varies.
    """
    trace, trace_of_square, n_samples = _traces(responses)
    if n_samples < 3:
        raise UserError(f"the corrected participation ratio needs at least 3 samples, not {n_samples}")
    return _unbiased_ratio(trace, trace_of_square, n_samples)


def _unbiased_ratio(trace: float, trace_of_square: float, n_samples: int) -> float:
    """From tr K and tr K^2 of the centred inner products."""
    n = n_samples - 1
    trace, trace_of_square = trace / n, trace_of_square / n**2
    unbiased = n**2 / ((n - 1) * (n + 2)) * (trace_of_square - trace**2 / n)
    squared = trace**2 - 2 * unbiased / n
    return squared / unbiased if unbiased > 0 else float("inf")


def _traces(responses: npt.ArrayLike) -> tuple[float, float, int]:
    """Tr K and tr K^2 of the centred responses' inner products, and the number of samples."""
    products, n_samples = _products(np.asarray(responses))
    return float(np.trace(products)), float(np.square(products).sum()), n_samples


def _products(source: npt.NDArray[Any]) -> tuple[Floats, int]:
    """Inner products of the centred samples, or of the units, whichever are fewer."""
    n_samples, n_units = source.shape
    if n_samples < 2:
        raise UserError(f"a dimensionality needs at least 2 samples, not {n_samples}")
    if n_units < n_samples:
        centered = source - source.mean(axis=0, dtype=np.float64)
        products: Floats = centered.T @ centered
    else:
        products = gram(source, precision=np.float32 if source.dtype == np.float32 else np.float64)
    if not float(np.trace(products)) > 1e-12 * n_samples * float(
        np.square(source[0], dtype=np.float64).sum()
    ):
        raise UserError(
            f"none of {n_units} units varies over {n_samples} samples: there is no dimension to count"
        )
    return products, n_samples


def _corrected_with_interval(source: npt.NDArray[Any], products: Floats) -> tuple[float, tuple[float, float]]:
    """The corrected ratio, and a jackknife over groups of samples: each left out in turn, centred anew."""
    n_samples = len(source)
    whole = _unbiased_ratio(float(np.trace(products)), float(np.square(products).sum()), n_samples)
    n_groups = min(_MOST_GROUPS, n_samples)
    nothing = (float("nan"), float("nan"))
    if not np.isfinite(whole) or n_samples < 2 * n_groups:
        n_groups = n_samples
    if not np.isfinite(whole) or n_samples - -(-n_samples // n_groups) < 3:
        return whole, nothing
    of_samples = len(products) == n_samples and source.shape[1] >= n_samples
    total = None if of_samples else source.sum(axis=0, dtype=np.float64)
    center = 0.0 if total is None else total / n_samples
    logs = []
    for group in np.array_split(np.arange(n_samples), n_groups):
        n_left = n_samples - len(group)
        if total is None:
            kept = np.delete(np.delete(products, group, axis=0), group, axis=1)
            rows = kept.mean(axis=0)
            kept = kept - rows - rows[:, None] + rows.mean()
        else:
            out = source[group].astype(np.float64) - center
            shift = -out.sum(axis=0) / n_left
            kept = products - out.T @ out - n_left * np.outer(shift, shift)
        one = _unbiased_ratio(float(np.trace(kept)), float(np.square(kept).sum()), n_left)
        if not np.isfinite(one) or one <= 0:
            return whole, nothing
        logs.append(np.log(one))
    spread = np.array(logs)
    error = np.sqrt((n_groups - 1) / n_groups * ((spread - spread.mean()) ** 2).sum())
    from scipy.stats import t

    half = float(t.ppf(0.975, n_groups - 1) * error)
    return whole, (whole * float(np.exp(-half)), whole * float(np.exp(half)))


def _ranks(eigenvalues: Floats, fit_range: tuple[int, int] | None) -> tuple[int, int]:
    present = int((eigenvalues > 1e-12 * eigenvalues[0]).sum())
    if fit_range is None:
        last = min(_LAST_RANK, max(present // 2, min(present, 5)))
        return (_FIRST_RANK if last - _FIRST_RANK >= 10 else 1), last
    first, last = fit_range
    if not 1 <= first < last <= present:
        raise UserError(f"ranks {first} to {last} are not among the {present} eigenvalues above 0")
    return first, last


def _exponent(eigenvalues: Floats, ranks: tuple[int, int]) -> float:
    first, last = ranks
    if last - first + 1 < 5:
        return float("nan")
    k = np.log(np.arange(first, last + 1))
    found = np.polyfit(k, np.log(eigenvalues[first - 1 : last]), 1)
    return float(-found[0])
