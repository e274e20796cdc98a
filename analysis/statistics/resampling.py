"""Resampling: bootstrap draws, permutations within blocks, intervals, p values, false discoveries."""

import numpy as np
import numpy.typing as npt

from ..masks import unmasked

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.intp]

ENTRIES = 1 << 23
"""Most numbers in one block of draws."""


def bootstrap_weights(
    n_samples: int, n_draws: int, *, random_state: int, groups: npt.ArrayLike | None = None
) -> Floats:
    """How often each sample is drawn, for many bootstrap draws with replacement.

    Parameters
    ----------
    n_samples : int
        Number of stimuli.
    n_draws : int
        Number of bootstrap draws.
    random_state : int
        Seed.
    groups : array of shape (n_samples,), optional
        Whole groups (stories) are drawn, where single samples are not independent.

    Returns
    -------
    array of shape (n_draws, n_samples)
    """
    generator = np.random.default_rng(random_state)
    if groups is None:
        return _counts(generator, n_samples, n_draws)
    _, member = np.unique(np.asarray(groups), return_inverse=True)
    return _counts(generator, int(member.max()) + 1, n_draws)[:, member]


def _counts(generator: np.random.Generator, n: int, n_draws: int) -> Floats:
    return generator.multinomial(n, np.full(n, 1 / n), size=n_draws).astype(np.float64)


def permutations(
    n_samples: int, n_draws: int, *, random_state: int, blocks: npt.ArrayLike | None = None
) -> Integers:
    """Random orders of the samples, shuffled within exchangeable blocks.

    Returns
    -------
    array of shape (n_draws, n_samples)
        Row k is an order: sample i receives the label of sample ``orders[k, i]``.
    """
    generator = np.random.default_rng(random_state)
    member = (
        np.zeros(n_samples, int) if blocks is None else np.unique(np.asarray(blocks), return_inverse=True)[1]
    )
    by_block = np.argsort(member, kind="stable")
    orders = np.empty((n_draws, n_samples), np.intp)
    for row in orders:
        shuffled = np.lexsort((generator.random(n_samples), member))
        row[by_block] = shuffled
    return orders


def p_value(observed: float, null: Floats) -> float:
    """One-sided permutation p: (1 + number of null values >= observed) / (1 + number of null values).

    Phipson & Smyth (2010), Stat. Appl. Genet. Mol. Biol. 9:39: never zero. NaN for an observed NaN.
    """
    if np.isnan(observed):
        return float("nan")
    null = null[np.isfinite(null)]
    return float((1 + np.count_nonzero(null >= observed)) / (1 + len(null)))


def percentile_interval(draws: Floats, level: float = 0.95) -> tuple[float, float]:
    """The central interval of bootstrap draws at a level of confidence."""
    draws = draws[np.isfinite(draws)]
    if len(draws) == 0:
        return float("nan"), float("nan")
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


@unmasked
def benjamini_hochberg(p_values: npt.ArrayLike) -> Floats:
    """Adjusted p values (q) that control the false discovery rate.

    q_(i) = min_{j >= i} p_(j) m / j over the m sorted p values; Benjamini & Hochberg (1995),
    J. R. Stat. Soc. B 57:289. NaN stays NaN and is not counted.
    """
    from scipy.stats import false_discovery_control

    p = np.asarray(p_values, np.float64)
    q = np.full(p.shape, np.nan)
    known = np.isfinite(p)
    q[known] = false_discovery_control(p[known])
    return q


@unmasked
def holm(p_values: npt.ArrayLike) -> Floats:
    """Adjusted p values that control the family-wise error, whatever the tests have in common.

    p'_(i) = max_{j <= i} min(1, (m - j + 1) p_(j)) over the m sorted p values; Holm (1979), Scand. J. Stat. 6:65.

    Parameters
    ----------
    p_values : array of shape (m,)
        All known.
    """
    p = np.asarray(p_values, np.float64)
    order = np.argsort(p, kind="stable")
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)), 1.0)
    return adjusted
