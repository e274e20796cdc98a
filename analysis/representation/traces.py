"""Traces of a covariance without bias, whatever the distribution, and the same without every sample in turn.

All of it comes from K = A B', the inner products of the centred rows of two independent measurements A and B of the
same n samples (the same one twice where nothing is noise). With the sums

    t = sum_i K_ii,   s = sum_i K_ii^2,   p = sum_ij K_ij K_ji,   q = sum_ij K_ij^2

the averages over four different samples each are, with g = n^2 - 3 n + 1 and d = n (n - 1) (n - 2) (n - 3),

    (tr C)^2 = (g t^2 - n (n - 1) s + p + q) / d,
    tr(C^2)  = (g p - n (n - 1) s + t^2 + q) / d,

with C the covariance of what A and B share. For A = B that is Himeno & Yamada (2014), J. Multivariate Analysis 130:27.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .gram import Floats

_BLOCK = 1 << 22
"""Entries of a block of rows of K."""


@dataclass(frozen=True)
class Traces:
    """Unbiased traces of a covariance.

    Attributes
    ----------
    squared, of_square : float
        (tr C)^2 and tr(C^2).
    squared_without, of_square_without : array of shape (n_samples,)
        The same without each sample; empty for fewer than 5.
    tails : float
        Variance of the samples' squared distances from their mean, over that of normal samples of this covariance.
    """

    squared: float
    of_square: float
    squared_without: Floats = field(repr=False)
    of_square_without: Floats = field(repr=False)
    tails: float


class Rows(NamedTuple):
    """Of every sample i: K_ii, sum_j K_ij K_ji, sum_j (K_ij^2 + K_ji^2) / 2, sum_j (K_ij + K_ji) K_jj / 2."""

    own: Floats
    crossed: Floats
    squares: Floats
    weighted: Floats


def traces_of(rows: Rows) -> Traces:
    """Traces, and traces without each sample, from sums over the rows of K.

    Without sample i all rows are centred anew, K_jk + (K_ji + K_ik) / (n - 1) + K_ii / (n - 1)^2, whose sums have a
    closed form in the sums of the rows: nothing is computed n times.
    """
    own, n = rows.own, len(rows.own)
    t, s, p, q = own.sum(), np.square(own).sum(), rows.crossed.sum(), rows.squares.sum()
    squared, of_square = _solved(t, s, p, q, n)
    _, of_both = _solved(t, s, q, p, n)  # of tr(C_A C_B), noise with it
    spread = float(own.var(ddof=1)) * (n / (n - 1)) ** 2
    tails = spread / (of_square + of_both) if of_square + of_both > 0 else float("inf")
    if n < 5:
        return Traces(float(squared), float(of_square), np.empty(0), np.empty(0), tails)
    m, f = n - 1, n / (n - 1)
    mixed = (rows.squares + rows.crossed) / 2
    s_without = (
        s + 4 * mixed / m**2 + n * own**2 / m**4 + 4 * rows.weighted / m + 2 * own * t / m**2 - own**2 * f**4
    )
    without = _solved(
        t - f * own,
        s_without,
        p - 2 * f * rows.crossed + f**2 * own**2,
        q - 2 * f * rows.squares + f**2 * own**2,
        m,
    )
    return Traces(float(squared), float(of_square), *without, tails)


def _solved(t: Any, s: Any, p: Any, q: Any, n: int) -> tuple[Any, Any]:
    g, d = n**2 - 3 * n + 1, n * (n - 1) * (n - 2) * (n - 3)
    return (g * t**2 - n * (n - 1) * s + p + q) / d, (g * p - n * (n - 1) * s + t**2 + q) / d


def rows_of_products(products: Floats) -> Rows:
    """From the whole symmetric K of centred samples."""
    own = np.diag(products).copy()
    squares = np.einsum("ij,ij->i", products, products)
    return Rows(own, squares, squares, products @ own)


def rows_of_one(source: npt.NDArray[Any], scatter: Floats) -> Rows:
    """From responses of fewer units than samples, and the units' scatter matrix, a block of rows at a time."""
    mean = source.mean(axis=0, dtype=np.float64)
    own, squares, pull = [], [], np.zeros(source.shape[1])
    for part in _centered(source, mean):
        own.append(np.einsum("ij,ij->i", part, part))
        squares.append(np.einsum("ij,ij->i", part, part @ scatter))
        pull += own[-1] @ part
    every = np.concatenate(squares)
    weighted = [part @ pull for part in _centered(source, mean)]
    return Rows(np.concatenate(own), every, every, np.concatenate(weighted))


def rows_of_two(first: Floats, second: Floats) -> Rows:
    """From two measurements of the same samples; a K of more than 4 million entries is made block by block."""
    a, b = first - first.mean(axis=0), second - second.mean(axis=0)
    own = np.einsum("ij,ij->i", a, b)
    weighted = (a @ (own @ b) + b @ (own @ a)) / 2
    if a.shape[1] < len(a):
        crossed = np.einsum("ij,ij->i", a @ (b.T @ a), b)
        squares = (np.einsum("ij,ij->i", a @ (b.T @ b), a) + np.einsum("ij,ij->i", b @ (a.T @ a), b)) / 2
        return Rows(own, crossed, squares, weighted)
    if len(a) ** 2 <= _BLOCK:
        products = a @ b.T
        crossed, square = np.einsum("ij,ji->i", products, products), np.square(products)
        return Rows(own, crossed, (square.sum(axis=0) + square.sum(axis=1)) / 2, weighted)
    crossed, squares = np.empty(len(a)), np.empty(len(a))
    step = max(1, _BLOCK // len(a))
    for start in range(0, len(a), step):
        some = slice(start, start + step)
        forth, back = a[some] @ b.T, b[some] @ a.T
        crossed[some] = np.einsum("ij,ij->i", forth, back)
        squares[some] = (np.einsum("ij,ij->i", forth, forth) + np.einsum("ij,ij->i", back, back)) / 2
    return Rows(own, crossed, squares, weighted)


def variances_squared(first: Floats, second: Floats) -> float:
    """The sum over units of the squared variance that A and B share, without bias: (tr C)^2 of every unit alone."""
    a, b = (one - one.mean(axis=0, dtype=np.float64) for one in (first, second))
    t, s = (a * b).sum(axis=0), np.square(a * b).sum(axis=0)
    q = np.square(a).sum(axis=0) * np.square(b).sum(axis=0)
    return float(_solved(t, s, t**2, q, len(a))[0].sum())


def _centered(source: npt.NDArray[Any], mean: Floats) -> Iterator[Floats]:
    step = max(1, _BLOCK // source.shape[1])
    for start in range(0, len(source), step):
        yield source[start : start + step].astype(np.float64) - mean
