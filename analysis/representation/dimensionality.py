"""How many dimensions responses spread over."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ...errors import UserError
from ..masks import unmasked
from ..statistics.paired_tests import t_quantile
from .gram import Floats, gram
from .traces import Rows, Traces, rows_of_one, rows_of_products, traces_of, variances_squared

SHARES = (0.8, 0.9, 0.95, 0.99)
ESTIMATOR = "Himeno & Yamada 2014"
FEW = 30
"""Up to so many samples, heavy tails leave nothing to say about others."""
_FIRST_RANK, _LAST_RANK = 11, 500
_HEAVY = 1.75
"""Variance of squared distances from the mean, in units of that of normal samples; t with 5 degrees of freedom: 11."""
_NOTHING = (float("nan"), float("nan"))


@dataclass(frozen=True)
class Dimensionality:
    """How many dimensions responses spread over, by every usual measure.

    Attributes
    ----------
    participation_ratio : float
        Of these very samples: at most `n_samples` - 1, and to be compared at the same `n_samples` only.
    corrected : float
        Of the population that they are drawn from, whatever its distribution; NaN with too few samples.
    interval : (float, float)
        95 % of the corrected one, by a jackknife over samples on its logarithm, with as many degrees of freedom as
        samples carry it.
    why_none : str
        Why there is no corrected one.
    eigenvalues : array
        Of the sample covariance, highest first.
    exponent : float
        alpha of l_k ~ k^-alpha, by least squares of log l on log k; NaN where fewer than 5 ranks are fitted.
    fit_range : (int, int)
        First and last rank of the fit (from 1).
    components : dict of float to int
        Share of the variance -> components that reach it.
    n_samples, n_units : int
    estimator : str
        Compare models and recordings by the same one at the same `n_samples`.
    interval_of_these : (float, float)
        95 % of `participation_ratio`, of recordings of few stimuli.
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
    why_none: str = ""
    estimator: str = ESTIMATOR
    interval_of_these: tuple[float, float] = _NOTHING


@unmasked
def effective_dimensionality(
    responses: npt.ArrayLike, *, fit_range: tuple[int, int] | None = None, shares: Sequence[float] = SHARES
) -> Dimensionality:
    """Participation ratio, its correction, the eigenspectrum, its exponent, and components by share of variance.

    For responses without noise; for recordings see :func:`.recorded_dimensionality.recorded_dimensionality`.

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
        With fewer than 4 samples, where nothing varies, or for a range of ranks that are not there.
    """
    source = np.asarray(responses)
    if source.ndim != 2:
        raise UserError(f"responses have the shape (n_samples, n_units), not {source.shape}")
    _enough(len(source))
    products, n_samples = _products(source)
    eigenvalues = np.maximum(np.linalg.eigvalsh(products)[::-1], 0.0) / (n_samples - 1)
    eigenvalues = eigenvalues[: min(n_samples - 1, source.shape[1])]
    ranks = ranks_of(eigenvalues, fit_range)
    corrected, interval, why_none = corrected_with_interval(traces_of(_rows(source, products)), n_samples)
    return Dimensionality(
        float(eigenvalues.sum() ** 2 / (eigenvalues**2).sum()),
        corrected,
        interval,
        eigenvalues,
        exponent_of(eigenvalues, ranks),
        ranks,
        components_of(eigenvalues, shares),
        n_samples,
        source.shape[1],
        why_none,
    )


@unmasked
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
    products, _ = _products(np.asarray(responses))
    return float(np.trace(products) ** 2 / np.square(products).sum())


@unmasked
def corrected_participation_ratio(
    responses: npt.ArrayLike, *, normal: bool = False, units: Literal["these", "sampled"] = "these"
) -> float:
    """The participation ratio without the bias of a finite number of samples.

    From unbiased traces of the covariance (:mod:`.traces`), whatever the distribution of the responses.

    Parameters
    ----------
    responses : array of shape (n_samples, n_units)
    normal : bool
        The traces that are unbiased for normal responses only: with S the sample covariance of n' = n - 1 degrees of
        freedom, tr(C^2) ~ n'^2 / ((n' - 1)(n' + 2)) (tr S^2 - (tr S)^2 / n') and (tr C)^2 ~ (tr S)^2 - 2 tr(C^2)~ / n'.
        Rectified responses come out too low: 12.2 for 17.1 from 100 samples.
    units : {"these", "sampled"}
        Of these very units, or of the many that they are drawn from: no unit is paired with itself then (Chun et al.
        2025). Units with noise of their own or of unequal variance need many: say how many there are.

    Returns
    -------
    float
        NaN with too few samples: where no finite dimension fits, or for heavy tails in at most 30 samples
        (:func:`effective_dimensionality` says which); infinite for `normal`.

    Raises
    ------
    UserError
        With fewer than 4 samples, where nothing varies, or for `normal` with `units` sampled.
    """
    source = np.asarray(responses)
    _enough(len(source))
    products, n_samples = _products(source)
    if normal:
        if units == "sampled":
            raise UserError("there is no correction for sampled units of normal responses: leave normal out")
        return _normal_ratio(float(np.trace(products)), float(np.square(products).sum()), n_samples)
    found = traces_of(_rows(source, products))
    corrected = corrected_with_interval(found, n_samples)[0]
    if units == "these" or not np.isfinite(corrected):
        return corrected
    with_itself = variances_squared(source, source)
    left = found.of_square - with_itself
    return (found.squared - with_itself) / left if left > 0 else float("nan")


def corrected_with_interval(found: Traces, n_samples: int) -> tuple[float, tuple[float, float], str]:
    """The corrected ratio, its interval, and why there is none.

    The logarithm is centred where the jackknife puts it, less its bias; t has one degree of freedom less than the
    samples that carry the variance, (sum d^2)^2 / sum d^4 of the deviations d: with heavy tails few do.
    """
    few = f"too few samples ({n_samples}): "
    parts = [found.squared, found.of_square, *found.squared_without, *found.of_square_without]
    if min(parts) <= 1e-12 * found.squared:
        return (
            float("nan"),
            _NOTHING,
            few + "no finite dimension fits, or one sample decides whether any does",
        )
    corrected = found.squared / found.of_square
    if n_samples <= FEW and found.tails > _HEAVY:
        return float("nan"), _NOTHING, few + f"heavy tails need more than {FEW}"
    if n_samples <= FEW and corrected > n_samples - 1:
        return (
            float("nan"),
            _NOTHING,
            few + f"they span at most {n_samples - 1} dimensions, and more are there",
        )
    if not len(found.squared_without):
        return corrected, _NOTHING, ""
    logs = np.log(found.squared_without / found.of_square_without)
    squares = np.square(logs - logs.mean())
    if squares.sum() <= 1e-24:
        return corrected, (corrected, corrected), ""
    middle = n_samples * np.log(corrected) - (n_samples - 1) * logs.mean()
    error = np.sqrt((n_samples - 1) / n_samples * squares.sum())
    free = min(max(squares.sum() ** 2 / np.square(squares).sum() - 1, 1.0), n_samples - 1.0)
    half = t_quantile(0.975, free) * error
    return corrected, (float(np.exp(middle - half)), float(np.exp(middle + half))), ""


def _enough(n_samples: int) -> None:
    if n_samples < 4:
        raise UserError(f"the corrected participation ratio needs at least 4 samples, not {n_samples}")


def _rows(source: npt.NDArray[Any], products: Floats) -> Rows:
    """Sums over the rows of the inner products of samples, from those of the units where these are fewer."""
    return rows_of_one(source, products) if source.shape[1] < len(source) else rows_of_products(products)


def _normal_ratio(trace: float, trace_of_square: float, n_samples: int) -> float:
    """From tr K and tr K^2 of the centred inner products."""
    n = n_samples - 1
    trace, trace_of_square = trace / n, trace_of_square / n**2
    unbiased = n**2 / ((n - 1) * (n + 2)) * (trace_of_square - trace**2 / n)
    squared = trace**2 - 2 * unbiased / n
    return squared / unbiased if unbiased > 0 else float("inf")


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


def ranks_of(eigenvalues: Floats, fit_range: tuple[int, int] | None) -> tuple[int, int]:
    """First and last rank that a power law is fitted to."""
    present = int((eigenvalues > 1e-12 * eigenvalues[0]).sum())
    if fit_range is None:
        last = min(_LAST_RANK, max(present // 2, min(present, 5)))
        return (_FIRST_RANK if last - _FIRST_RANK >= 10 else 1), last
    first, last = fit_range
    if not 1 <= first < last <= present:
        raise UserError(f"ranks {first} to {last} are not among the {present} eigenvalues above 0")
    return first, last


def exponent_of(eigenvalues: Floats, ranks: tuple[int, int]) -> float:
    """The exponent of the power law over these ranks; NaN for fewer than 5."""
    first, last = ranks
    if last - first + 1 < 5:
        return float("nan")
    k = np.log(np.arange(first, last + 1))
    found = np.polyfit(k, np.log(eigenvalues[first - 1 : last]), 1)
    return float(-found[0])


def components_of(eigenvalues: Floats, shares: Sequence[float]) -> dict[float, int]:
    """How many components reach each share of the variance."""
    running = np.cumsum(eigenvalues) / eigenvalues.sum()
    return {float(share): int((running >= share - 1e-12).argmax() + 1) for share in shares}
