"""Matrices of inner products, read a block of columns at a time, so that features need not fit in memory."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.linalg.blas import dsyrk, ssyrk

Floats = npt.NDArray[np.float64]
Real = npt.NDArray[np.floating[Any]]

_BLOCK = 1 << 22
"""Entries of one block."""


def gram(features: npt.ArrayLike, *, precision: type[np.floating[Any]] = np.float64) -> Floats:
    """X X' of the features less their mean over all rows.

    Parameters
    ----------
    features : array of shape (n_samples, n_features)
        May be a memory map larger than memory.
    precision : type
        Of the products within a block; blocks are always added in double precision.

    Returns
    -------
    array of shape (n_samples, n_samples)
    """
    source = np.asarray(features)
    total = np.zeros((len(source), len(source)))
    for part in _blocks(source, precision):
        part -= part.mean(axis=0, dtype=np.float64).astype(precision)
        total += _lower(part)
    return _whole(total)


def centered_patterns_gram(patterns: npt.ArrayLike) -> tuple[Floats, Floats]:
    """X X' of the patterns less the mean of each row, in the precision of the input.

    Parameters
    ----------
    patterns : array of shape (n_samples, n_features)

    Returns
    -------
    products : array of shape (n_samples, n_samples)
    mean : array of shape (n_samples,)
    """
    source = np.asarray(patterns)
    precision = np.float32 if source.dtype in (np.float32, np.float16) else np.float64
    mean = source.mean(axis=1, dtype=np.float64)
    total, left = np.zeros((len(source), len(source))), np.zeros(len(source))
    for part in _blocks(source, precision):
        part -= mean[:, None].astype(precision)
        left += part.sum(axis=1, dtype=np.float64)  # what rounding the mean left behind
        total += _lower(part)
    return _whole(total) - np.outer(left, left) / source.shape[1], mean


def _blocks(source: Real, precision: type[np.floating[Any]]) -> Iterator[Real]:
    step = max(256, _BLOCK // max(len(source), 1))
    for start in range(0, source.shape[1], step):
        # a copy of its own, rows contiguous, whatever the source is
        yield np.array(source[:, start : start + step], precision, order="C")


def _lower(part: Real) -> Real:
    """The triangle of part part' that BLAS fills (the lower one, seen in C order)."""
    product: Real = (ssyrk if part.dtype == np.float32 else dsyrk)(1.0, part.T, trans=1).T
    return product


def _whole(lower: Floats) -> Floats:
    """The other triangle filled in, in place."""
    for row in range(len(lower) - 1):
        lower[row, row + 1 :] = lower[row + 1 :, row]
    return lower
