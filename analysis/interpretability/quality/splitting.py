"""What becomes of features in a wider dictionary: split into several, or silent where a more special one is active."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse

from ....errors import UserError
from .controls import Floats, unit_rows
from .reconstruction import Rows

ALIKE, GIVEN, RELATED = 0.7, 0.8, 0.2
_BLOCK = 1 << 24
_FEWEST = 5
"""Rows in which a feature must be active for a share of them to be spoken of."""


@dataclass(frozen=True)
class Splitting:
    """Features of a narrow dictionary and what is like them in a wide one.

    Attributes
    ----------
    parts : dict of int to tuple of int
        Split features -> those of the wide dictionary that they came apart into, at least two.
    kept : int
        Features with one counterpart.
    lost : int
        With none of cosine above .7.
    share : float
        Split ones of those that are alive.
    n_small, n_large : int
        Features that are alive.
    """

    parts: dict[int, tuple[int, ...]]
    kept: int
    lost: int
    share: float
    n_small: int
    n_large: int


def splitting(small: npt.ArrayLike, large: npt.ArrayLike, small_codes: Any, large_codes: Any) -> Splitting:
    """Which features come apart in a wider dictionary.

    A narrow feature i is split where at least two wide ones j have cos(d_i, d_j) > .7 and are active nearly only
    where i is, P(i active | j active) > .8.

    Parameters
    ----------
    small, large : array of shape (n_features, n_units)
        Directions.
    small_codes, large_codes : sparse matrix of shape (n_rows, n_features)
        Of the same rows.

    Raises
    ------
    UserError
        For different rows or spaces.
    """
    a, b = unit_rows(small).astype(np.float32), unit_rows(large).astype(np.float32)
    if small_codes.shape[0] != large_codes.shape[0] or a.shape[1] != b.shape[1]:
        raise UserError("splitting compares two dictionaries of one layer on the same rows")
    if small_codes.shape[1] != len(a) or large_codes.shape[1] != len(b):
        raise UserError("the codes have other numbers of features than the directions")
    fires_a, fires_b = (
        scipy.sparse.csc_matrix(one > 0, dtype=np.float64) for one in (small_codes, large_codes)
    )
    often_a, often_b = (np.asarray(one.sum(axis=0)).ravel() for one in (fires_a, fires_b))
    parts: dict[int, tuple[int, ...]] = {}
    kept = lost = 0
    alive = np.flatnonzero(often_a > 0)
    step = max(1, _BLOCK // len(b))
    for start in range(0, len(alive), step):
        some = alive[start : start + step]
        alike = (a[some] @ b.T > ALIKE) & (often_b >= _FEWEST)
        for i, near in zip(some, alike, strict=True):
            candidates = np.flatnonzero(near)
            if not len(candidates):
                lost += 1
                continue
            together = np.asarray((fires_a[:, [i]].T @ fires_b[:, candidates]).todense()).ravel()
            within = candidates[together / often_b[candidates] > GIVEN]
            if len(within) >= 2:
                parts[int(i)] = tuple(int(j) for j in within)
            else:
                kept += 1
    n_small = len(alive)
    return Splitting(
        parts,
        kept,
        lost,
        len(parts) / n_small if n_small else float("nan"),
        n_small,
        int((often_b > 0).sum()),
    )


@dataclass(frozen=True)
class Absorption:
    """Rows of a property where its general feature is silent and a more special one speaks for it.

    Attributes
    ----------
    share : float
        Of the rows with the property in which the general feature is silent although the probe's direction is there,
        and another feature of cosine > .2 with that direction is active; NaN where no row has the property.
    silent : float
        Of the same rows, those in which the general feature is silent and the direction is there.
    absorbers : int array
        Features that speak in its place, the most frequent first.
    n_rows : int
        With the property.
    """

    share: float
    silent: float
    absorbers: npt.NDArray[np.intp] = field(repr=False)
    n_rows: int


def absorption(
    rows: Rows,
    has_property: npt.ArrayLike,
    probe: npt.ArrayLike,
    feature: int,
    directions: npt.ArrayLike,
    codes: Any,
) -> Absorption:
    """How often a general feature is silent because a special one took over its part.

    The direction of the probe is there where a row's projection on it lies above the middle of the two means, of rows
    with and without the property.

    Parameters
    ----------
    rows : array of shape (n_rows, n_units)
    has_property : bool array of shape (n_rows,)
        By a rule that needs no network, such as a token's first letter.
    probe : array of shape (n_units,)
        The property's direction, from other rows.
    feature : int
        The general feature.
    directions : array of shape (n_features, n_units)
    codes : sparse matrix of shape (n_rows, n_features)

    Raises
    ------
    UserError
        Where all rows have the property, or shapes differ.
    """
    has, direction = np.asarray(has_property, bool), np.asarray(probe, np.float64)
    d = unit_rows(directions)
    if has.shape != (len(rows),) or codes.shape != (len(rows), len(d)) or direction.shape != (d.shape[1],):
        raise UserError("rows, property, probe, directions and codes are of different sizes")
    if has.all():
        raise UserError("all rows have the property: without others nothing says where its direction begins")
    nothing = np.empty(0, np.intp)
    if not has.any():
        return Absorption(float("nan"), float("nan"), nothing, 0)
    along = np.asarray(rows, np.float64) @ direction
    there = along > (along[has].mean() + along[~has].mean()) / 2
    table = scipy.sparse.csc_matrix(codes)
    silent = has & there & (table[:, [feature]].toarray().ravel() <= 0)
    related = np.flatnonzero(d @ unit_rows(direction[None])[0] > RELATED)
    related = related[related != feature]
    speaks = scipy.sparse.csr_matrix(table[:, related] > 0)[silent]
    often: Floats = np.asarray(speaks.sum(axis=0)).ravel()
    order = np.argsort(-often, kind="stable")
    taken = int((np.asarray(speaks.sum(axis=1)).ravel() > 0).sum())
    return Absorption(
        share=taken / int(has.sum()),
        silent=int(silent.sum()) / int(has.sum()),
        absorbers=related[order][often[order] > 0],
        n_rows=int(has.sum()),
    )
