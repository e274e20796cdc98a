"""Differences between conditions that were measured in pairs, over seeds, subjects or sessions."""

from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt

from ...errors import UserError
from ..masks import unmasked
from .resampling import Floats, p_value

_ALL_SIGNS = 14
"""Up to so many pairs all changes of sign are taken, 2 to that power."""


@dataclass(frozen=True)
class PairedDifference:
    """The mean of paired differences.

    Attributes
    ----------
    mean : float
    interval : (float, float)
        95 % by the t distribution; NaN for one pair.
    p : float
        Two-sided: share of the changes of sign whose mean difference is at least as large.
    n : int
        Pairs.
    permuted : str
        What was permuted, in words.
    smallest_p : float
        What p could be at best with so many pairs.
    """

    mean: float
    interval: tuple[float, float]
    p: float
    n: int
    permuted: str
    smallest_p: float


@unmasked
def paired_difference(
    first: npt.ArrayLike,
    second: npt.ArrayLike,
    *,
    permutations: int = 9999,
    random_state: int = 0,
    level: float = 0.95,
) -> PairedDifference:
    """Whether one condition lies above the other, over pairs (seeds, subjects): the sign-flip permutation test.

    Under the null a pair's difference is as likely to have the other sign. Up to 14 pairs, every change of sign is
    taken, and p is exact; beyond, random ones and the observed one.

    Parameters
    ----------
    first, second : array of shape (n_pairs,)
    permutations, random_state : int
        For more than 14 pairs.
    level : float

    Raises
    ------
    UserError
        Where the conditions differ in length, are empty, or hold values that are not finite.
    """
    one, other = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if one.ndim != 1 or one.shape != other.shape or len(one) == 0:
        raise UserError(
            f"paired conditions must be two lists of the same length, not {one.shape} and {other.shape}"
        )
    difference = one - other
    if not np.isfinite(difference).all():
        raise UserError(f"{int((~np.isfinite(difference)).sum())} of {len(one)} pairs are not finite")
    n = len(difference)
    # scipy's permutation_test gives the same p, takes fifteen times as long and refuses a single pair
    exact = n <= _ALL_SIGNS
    if exact:
        signs: Floats = np.array(list(product((1.0, -1.0), repeat=n)))
    else:
        generator = np.random.default_rng(random_state)
        signs = np.concatenate([np.ones((1, n)), generator.choice([-1.0, 1.0], (permutations, n))])
    means = np.abs(signs @ difference) / n
    mean = float(difference.mean())
    p = float((means >= abs(mean) - 1e-12 * max(abs(mean), 1e-300)).mean())
    count = f"all {len(signs)} changes" if exact else f"{permutations} random changes"
    return PairedDifference(
        mean,
        t_interval(difference, level),
        p,
        n,
        f"{count} of the signs of {n} paired differences",
        2 / len(signs) if exact else 1 / len(signs),
    )


def t_interval(values: npt.ArrayLike, level: float = 0.95) -> tuple[float, float]:
    """The interval of a mean by the t distribution; NaN for one value.

    Parameters
    ----------
    values : array of shape (n,)
    level : float
    """
    from scipy.stats import t

    known = np.asarray(values, np.float64)
    n, mean = len(known), float(known.mean())
    if n < 2:
        return float("nan"), float("nan")
    half = float(t.ppf((1 + level) / 2, n - 1) * known.std(ddof=1) / np.sqrt(n))
    return mean - half, mean + half


def t_quantile(share: float, free: float) -> float:
    """Quantile of Student's t with `free` degrees of freedom."""
    from scipy.special import stdtrit

    return float(stdtrit(free, share))


def t_tail(value: float, free: float) -> float:
    """Share of Student's t above a value."""
    from scipy.special import stdtr

    return float(stdtr(free, -value))


def rank_correlation(
    x: npt.ArrayLike, y: npt.ArrayLike, *, permutations: int, generator: np.random.Generator
) -> tuple[float, float]:
    """Spearman's r, and its two-sided p from permuting one of the variables.

    Parameters
    ----------
    x, y : array of shape (n,)
        Neither all the same.
    permutations : int
    generator : numpy.random.Generator
    """
    from scipy.stats import rankdata

    first, second = rankdata(np.asarray(x, np.float64)), rankdata(np.asarray(y, np.float64))
    observed = float(np.corrcoef(first, second)[0, 1])
    null = np.array([np.corrcoef(generator.permutation(first), second)[0, 1] for _ in range(permutations)])
    return observed, p_value(abs(observed) - 1e-12, np.abs(null))
