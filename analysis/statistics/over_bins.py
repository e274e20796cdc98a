"""Curves over bins of time, which are no independent samples: p that holds for all, when they begin, their peak.

Maris & Oostenveld (2007), J. Neurosci. Methods 164:177, for clusters; Nichols & Holmes (2002), Hum. Brain Mapp. 15:1,
for the maximum.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from .replicates import FEWEST_GROUPS

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Indices = npt.NDArray[np.intp]

CONSECUTIVE = 3
"""Bins in a row that must be above the threshold, for there to be an onset."""
CLUSTER_LEVEL = 0.05
"""Share of the null of a bin above which it may belong to a cluster."""
_DRAWS = 2000


@dataclass(frozen=True)
class Cluster:
    """Neighbouring bins that are above the threshold.

    Attributes
    ----------
    first, last : int
        Bins, both inside.
    mass : float
        Sum over them of (r - mean of the null) / sd of the null.
    p : float
        Share of the orders whose largest cluster has as much.
    """

    first: int
    last: int
    mass: float
    p: float


@dataclass(frozen=True)
class Latency:
    """When a curve begins, or is highest.

    Attributes
    ----------
    bin : int
        -1 where there is none.
    first, last : int
        Bins from which to which the interval goes, both inside; -1 for an end that is not known.
    said : str
        Why there is none, or no interval.
    """

    bin: int
    first: int = -1
    last: int = -1
    said: str = ""


@dataclass(frozen=True)
class Spread:
    """How a curve would move with other stimuli.

    Attributes
    ----------
    without : array of shape (n_groups, n_bins)
        The curve without each group of stimuli in turn.
    """

    without: Floats = field(repr=False)

    @property
    def known(self) -> bool:
        """Whether there are enough groups to say anything."""
        return len(self.without) >= FEWEST_GROUPS and bool(np.isfinite(self.without).all())

    @property
    def unknown(self) -> str:
        """Why there is no interval."""
        few = f"fewer than {FEWEST_GROUPS} groups of stimuli"
        return f"no interval: {few if len(self.without) else 'not asked for, or ' + few}"

    def draws(self, curve: Floats, random_state: int, n_draws: int = _DRAWS) -> Floats:
        """Curves with the jackknife's covariance over bins, t distributed with G - 1 degrees of freedom.

        curve + s sqrt((G - 1) / G) sum_g z_g (curve_(g) - mean), z normal, G - 1 over s squared chi-squared.

        Returns
        -------
        array of shape (n_draws, n_bins)
        """
        generator, free = np.random.default_rng([random_state, 13]), len(self.without) - 1
        moved = (self.without - self.without.mean(axis=0)) * np.sqrt(free / (free + 1))
        scale = np.sqrt(free / generator.chisquare(free, n_draws))[:, None]
        drawn: Floats = curve + scale * (generator.standard_normal((n_draws, free + 1)) @ moved)
        return drawn


def p_of_maximum(observed: npt.ArrayLike, largest: Floats) -> Floats:
    """P of every value against the largest value of each order: (1 + #{largest >= value}) / (1 + n_orders).

    Parameters
    ----------
    observed : array of any shape
    largest : array of shape (n_orders,)
        The maximum over all that is in `observed`, with the responses in other orders.
    """
    values = np.asarray(observed, np.float64)
    at_least = len(largest) - np.searchsorted(np.sort(largest), values.ravel(), side="left")
    p: Floats = ((1 + at_least) / (1 + len(largest))).reshape(values.shape)
    return p


def cluster_masses(
    observed: Floats, null: Floats, joined: Bools, level: float = CLUSTER_LEVEL
) -> list[Cluster]:
    """The clusters of a curve, each with its p against the largest cluster of every order.

    Parameters
    ----------
    observed : array of shape (n_bins,)
    null : array of shape (n_orders, n_bins)
    joined : array of shape (n_bins - 1,)
        Whether a bin touches, or overlaps, the next.
    level : float
        A bin belongs to a cluster above the 1 - level point of its own null.
    """
    middle, spread = null.mean(axis=0), np.maximum(null.std(axis=0), 1e-12)
    least = (np.quantile(null, 1 - level, axis=0) - middle) / spread
    largest = np.array(
        [
            max((mass for _, _, mass in _masses(row, least, joined)), default=0.0)
            for row in (null - middle) / spread
        ]
    )
    found = _masses((observed - middle) / spread, least, joined)
    return [Cluster(first, last, mass, float(p_of_maximum(mass, largest))) for first, last, mass in found]


def _masses(values: Floats, least: Floats, joined: Bools) -> list[tuple[int, int, float]]:
    """First bin, last bin and sum of every stretch above `least`."""
    inside = np.flatnonzero(values > least)
    if not len(inside):
        return []
    breaks = np.flatnonzero((np.diff(inside) > 1) | ~joined[inside[:-1]]) + 1
    return [(int(one[0]), int(one[-1]), float(values[one].sum())) for one in np.split(inside, breaks)]


def first_of_run(above: Bools, joined: Bools, n: int = CONSECUTIVE) -> Indices:
    """The first of n bins in a row, over the last axis; -1 where there are none.

    Parameters
    ----------
    above : array of shape (..., n_bins)
    joined : array of shape (n_bins - 1,)
    """
    n_starts = above.shape[-1] - n + 1
    if n_starts < 1:
        return np.full(above.shape[:-1], -1, np.intp)
    run = np.ones((*above.shape[:-1], n_starts), bool)
    for step in range(n):
        run &= above[..., step : step + n_starts]
        if step:
            run &= joined[step - 1 : step - 1 + n_starts]
    found: Indices = np.where(run.any(axis=-1), run.argmax(axis=-1), -1)
    return found


def begun_before(above: Bools, baseline: Bools, joined: Bools, n: int = CONSECUTIVE) -> Bools:
    """Whether the last n bins of the baseline, or all where there are fewer, are above and touch what comes next.

    Parameters
    ----------
    above : array of shape (..., n_bins)
    baseline : array of shape (n_bins,)
    joined : array of shape (n_bins - 1,)
    """
    last = np.flatnonzero(baseline)[-n:]
    if not len(last) or last[-1] + 1 == len(baseline):
        return np.zeros(above.shape[:-1], bool)
    found: Bools = above[..., last].all(axis=-1) & joined[last].all()
    return found


def onset(
    curve: Floats,
    baseline: Bools,
    threshold: float,
    joined: Bools,
    spread: Spread,
    *,
    level: float = 0.95,
    random_state: int = 0,
) -> Latency:
    """The first of three bins in a row after the baseline that are above a threshold, and its interval.

    A curve that is above it in the last bins of the baseline already, and goes on, has none: it began before 0 ms.

    The interval is that of the same question asked of :meth:`Spread.draws`; an end is open (-1) where more draws than
    that tail holds have no onset.

    Parameters
    ----------
    curve : array of shape (n_bins,)
    baseline : array of shape (n_bins,)
        Bins that end at or before 0 ms.
    threshold : float
        The 95 % point of the maximum over baseline bins, of responses in other orders.
    joined : array of shape (n_bins - 1,)
    spread : Spread
    level, random_state
        Of the interval.
    """
    after = ~baseline
    if after.sum() < CONSECUTIVE:
        return Latency(-1, said=f"none: fewer than {CONSECUTIVE} bins after the baseline")
    found = int(first_of_run((curve > threshold) & after, joined))
    if found < 0:
        return Latency(-1, said=f"no onset: no {CONSECUTIVE} bins in a row above {threshold:.3f}")
    if begun_before(curve > threshold, baseline, joined)[()] and found == np.flatnonzero(after)[0]:
        return Latency(-1, said=f"no onset: above {threshold:.3f} before 0 ms already")
    if not spread.known:
        return Latency(found, said=spread.unknown)
    drawn = first_of_run((spread.draws(curve, random_state) > threshold) & after, joined)
    return Latency(found, *_ends(drawn, found, len(curve), level))


def peak(
    curve: Floats, baseline: Bools, spread: Spread, *, level: float = 0.95, random_state: int = 0
) -> Latency:
    """The highest bin after the baseline, and its interval over :meth:`Spread.draws`."""
    after = np.flatnonzero(~baseline)
    if not len(after):
        return Latency(-1, said="none: no bin after the baseline")
    found = int(after[curve[after].argmax()])
    if not spread.known:
        return Latency(found, said=spread.unknown)
    drawn = after[spread.draws(curve, random_state)[:, after].argmax(axis=1)]
    return Latency(found, *_ends(drawn, found, len(curve), level))


def _ends(drawn: Indices, found: int, n_bins: int, level: float) -> tuple[int, int]:
    """Bins between which the draws lie, with what was found; no onset counts as later than the last bin."""
    placed = np.where(drawn < 0, n_bins, drawn)
    low, high = np.quantile(placed, [(1 - level) / 2, (1 + level) / 2], method="nearest").astype(int)
    last = max(int(high), found)
    return min(int(low), found), -1 if last >= n_bins else last
