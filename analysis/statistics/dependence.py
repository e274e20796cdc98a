"""Whether samples that follow each other are alike, and orders of samples that keep what depends together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from .resampling import Integers, p_value

FEWEST_PERMUTED = 7
"""Groups from which on whole groups are permuted: 7! orders."""
LEAST_SHIFT = 20
"""Samples by which a series is rotated at least, either way, where it is long enough."""


def serial_dependence(
    rows: npt.ArrayLike, *, permutations: int = 199, random_state: int = 0
) -> tuple[float, float]:
    """Whether rows that follow each other are alike.

    The lag-1 autocorrelation of every column, mean over columns, against random orders of the rows.

    Parameters
    ----------
    rows : array of shape (n_samples, n_columns)
        In the order recorded.
    permutations, random_state : int

    Returns
    -------
    float
        The mean autocorrelation; 0 where nothing varies.
    float
        One-sided p.
    """
    values = np.asarray(rows, np.float64)
    values = values - values.mean(axis=0)
    size = (values**2).sum(axis=0)
    values = values[:, size > 0] / np.sqrt(size[size > 0])
    if len(values) < 10 or values.shape[1] == 0:
        return 0.0, 1.0
    products = values @ values.T / values.shape[1]
    observed = float(np.diagonal(products, 1).sum())
    generator = np.random.default_rng(random_state)
    null = np.empty(permutations)
    for i in range(permutations):
        order = generator.permutation(len(values))
        null[i] = products[order[:-1], order[1:]].sum()
    return observed, p_value(observed, null)


def decorrelation_lag(rows: npt.ArrayLike, sequences: Sequence[Integers]) -> int:
    """Samples after which the mean autocorrelation of the columns has fallen to 1/e.

    Autocovariances are added over sequences, each less its own mean.

    Parameters
    ----------
    rows : array of shape (n_samples, n_columns)
    sequences : sequence of array of int
        Rows of each run, in the order recorded.

    Returns
    -------
    int
        The length of the longest sequence where it stays above; 0 where nothing varies.
    """
    values = np.asarray(rows, np.float64)
    longest = max(len(one) for one in sequences)
    size = 1 << (2 * longest - 1).bit_length()
    products = np.zeros((longest, values.shape[1]))
    for one in sequences:
        part = values[one] - values[one].mean(axis=0)
        power = np.abs(np.fft.rfft(part, size, axis=0)) ** 2
        products[: len(one)] += np.fft.irfft(power, size, axis=0)[: len(one)]
    varying = products[0] > 0
    if not varying.any():
        return 0
    mean = (products[:, varying] / products[0, varying]).mean(axis=1)
    below = np.flatnonzero(mean <= np.exp(-1))
    return int(below[0]) if len(below) else longest


def group_orders(
    groups: npt.ArrayLike,
    position: npt.ArrayLike,
    n_draws: int,
    *,
    random_state: int,
    least: int = LEAST_SHIFT,
) -> tuple[Integers, str, float]:
    """Orders that take samples with their whole group.

    From 7 groups on, groups are permuted: one takes the place of another of its size, and where sizes differ the
    groups follow each other in a new order. With fewer, every group is rotated by itself.

    Parameters
    ----------
    groups : array of shape (n_samples,)
    position : array of shape (n_samples,)
        When a sample was recorded; orders samples within their group.
    n_draws, random_state : int
    least : int
        Samples by which a group is rotated at least; of short ones a fifth.

    Returns
    -------
    array of shape (n_draws, n_samples)
        Row k is an order: sample i receives the label of sample ``orders[k, i]``.
    str
        What was permuted.
    float
        How many orders there are.
    """
    member = np.unique(np.asarray(groups), return_inverse=True)[1]
    place = np.asarray(position)
    rows = [np.flatnonzero(member == group) for group in range(int(member.max()) + 1)]
    rows = [one[np.argsort(place[one], kind="stable")] for one in rows]
    generator = np.random.default_rng(random_state)
    orders = np.empty((n_draws, len(member)), np.intp)
    if len(rows) < FEWEST_PERMUTED:
        spans = [_shifts(len(one), least) for one in rows]
        for order in orders:
            for one, span in zip(rows, spans, strict=True):
                order[one] = np.roll(one, int(generator.choice(span)))
        return (
            orders,
            f"samples rotated within {len(rows)} groups",
            float(np.prod([float(len(s)) for s in spans])),
        )
    sequence = np.concatenate(rows)
    for order in orders:
        order[sequence] = np.concatenate([rows[i] for i in generator.permutation(len(rows))])
    return orders, f"{len(rows)} whole groups permuted", _factorial(len(rows))


def rotations(
    position: npt.ArrayLike, n_draws: int, *, random_state: int, least: int = LEAST_SHIFT
) -> tuple[Integers, str, float]:
    """Orders that rotate all samples against each other, at most every shift once. As :func:`group_orders`."""
    sequence = np.argsort(np.asarray(position), kind="stable")
    shifts = _shifts(len(sequence), least)
    drawn = np.random.default_rng(random_state).permutation(shifts)[:n_draws]
    orders = np.empty((len(drawn), len(sequence)), np.intp)
    for order, shift in zip(orders, drawn, strict=True):
        order[sequence] = np.roll(sequence, int(shift))
    return orders, f"the series rotated by at least {int(shifts.min())} samples", float(len(shifts))


def _shifts(n: int, least: int) -> Integers:
    least = min(least, max(n // 5, 1))
    shifts = np.arange(least, n - least + 1)
    return shifts if len(shifts) else np.arange(n)


def _factorial(n: int) -> float:
    return float(np.prod(np.arange(1.0, min(n, 170) + 1)))
