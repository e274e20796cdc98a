"""Do two sets of features, units or both answer alike to the same rows? The highest correlation that each finds."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse

from ....errors import UserError
from ...statistics.resampling import bootstrap_weights, percentile_interval
from .controls import Floats
from .matching import HIGH

_BLOCK = 1 << 23
"""Most correlations that are held at once."""
_DRAWS = 500
_FEW = 4
"""Documents below which none are drawn anew."""


@dataclass(frozen=True)
class ActivationMatch:
    """Each of A and the one of B that answers most like it.

    Attributes
    ----------
    best : array of shape (n_a,)
        Pearson r with that one over all rows; NaN for those of A that never change.
    partner : int array of shape (n_a,)
        Which one that is; -1 where there is none.
    median, mean : float
        Of `best`. A maximum over many is high by chance: read it beside the floors.
    above : dict of float to float
        Share with r above .7 and .9.
    held_out : array of shape (n_a,)
        r over one half of the documents with the partner that was chosen on the other half; mean of both ways.
    held_out_median : float
    interval : (float, float)
        95 % of `held_out_median`, over documents drawn anew (partners stay); NaN for fewer than 4 documents a half.
    n_rows, n_documents : int
    """

    best: Floats = field(repr=False)
    partner: npt.NDArray[np.intp] = field(repr=False)
    median: float
    mean: float
    above: dict[float, float]
    held_out: Floats = field(repr=False)
    held_out_median: float
    interval: tuple[float, float]
    n_rows: int
    n_documents: int


def match_activations(a: Any, b: Any, documents: npt.ArrayLike, *, random_state: int = 0) -> ActivationMatch:
    """Each column of A and the column of B with the highest Pearson r over the same rows.

    r_ij = cov(a_i, b_j) / (sd a_i sd b_j), best_i = max_j r_ij. Codes stay sparse, and correlations are made a block of
    A at a time, those of codes where both are active in a row: memory for active features and one block, never for
    rows x A x B.

    Parameters
    ----------
    a, b : sparse matrix or array of shape (n_rows, n_a) and (n_rows, n_b)
        Codes of features, or answers of units.
    documents : int array of shape (n_rows,)
        Whose rows they are: halves and intervals take documents whole.
    random_state : int
        Of halves and intervals.

    Raises
    ------
    UserError
        For different rows, or fewer than two.
    """
    owners = np.unique(np.asarray(documents), return_inverse=True)[1]
    n_rows = a.shape[0]
    if b.shape[0] != n_rows or owners.shape != (n_rows,) or n_rows < 2:
        raise UserError(
            f"activations of {n_rows} and {b.shape[0]} rows of {owners.shape[0]} documents' entries cannot be matched: "
            "they need the same rows"
        )
    best, partner = best_correlations(a, b)
    n_documents = int(owners.max()) + 1
    held_out, interval = _across_halves(a, b, owners, n_documents, random_state)
    known = best[np.isfinite(best)]
    return ActivationMatch(
        best=best,
        partner=partner,
        median=float(np.median(known)) if len(known) else float("nan"),
        mean=float(known.mean()) if len(known) else float("nan"),
        above={level: float((known > level).mean()) if len(known) else float("nan") for level in HIGH},
        held_out=held_out,
        held_out_median=_median(held_out),
        interval=interval,
        n_rows=n_rows,
        n_documents=n_documents,
    )


def best_correlations(a: Any, b: Any) -> tuple[Floats, npt.NDArray[np.intp]]:
    """The highest Pearson r of each column of A with any of B, and the column that has it.

    Parameters
    ----------
    a, b : sparse matrix or array of shape (n_rows, n_a) and (n_rows, n_b)

    Returns
    -------
    array of shape (n_a,), int array of shape (n_a,)
        NaN and -1 for columns that do not change.
    """
    left, right = _columns(a), _columns(b)
    moments_a, moments_b = _moments(left), _moments(right)
    best, partner = np.full(left.shape[1], np.nan), np.full(left.shape[1], -1, np.intp)
    alive = np.flatnonzero(moments_a[1] > 0)
    if not (moments_b[1] > 0).any():
        return best, partner
    are_codes = all(scipy.sparse.issparse(one) and one.min() >= 0 for one in (left, right))
    rows_of_b = right.tocsr() if scipy.sparse.issparse(right) else right
    for some in _blocks(left, right, alive, are_codes):
        cross = left[:, some].T @ rows_of_b
        of_some = moments_a[0][some], moments_a[1][some]
        if are_codes:
            best[some], partner[some] = _best_of_codes(cross.tocsr(), a.shape[0], of_some, moments_b)
        else:
            cross = cross.toarray() if scipy.sparse.issparse(cross) else np.asarray(cross)
            best[some], partner[some] = _best_of_all(cross, a.shape[0], of_some, moments_b)
    return best, partner


def _blocks(
    left: Any, right: Any, alive: npt.NDArray[np.intp], are_codes: bool
) -> list[npt.NDArray[np.intp]]:
    """Columns of A whose products with B are held at once."""
    each = np.full(len(alive), right.shape[1])
    if are_codes:  # no more products than rows in which one is active, times how many of B are
        each = np.minimum(each, np.diff(left.indptr)[alive] * (1 + right.nnz // right.shape[0]))
    return np.split(alive, np.flatnonzero(np.diff(np.cumsum(each) // _BLOCK)) + 1)


Moments = tuple[Floats, Floats]


def _best_of_all(cross: Floats, n: int, of_a: Moments, of_b: Moments) -> tuple[Floats, npt.NDArray[np.intp]]:
    changing = of_b[1] > 0
    r = (cross / n - np.outer(of_a[0], of_b[0])) / np.outer(of_a[1], np.where(changing, of_b[1], 1))
    r[:, ~changing] = -np.inf
    partner = r.argmax(axis=1)
    return np.clip(r[np.arange(len(r)), partner], -1, 1), partner


def _best_of_codes(cross: Any, n: int, of_a: Moments, of_b: Moments) -> tuple[Floats, npt.NDArray[np.intp]]:
    """As :func:`_best_of_all`: codes are never negative, so those that are never active together have r <= 0."""
    cross.sort_indices()
    counts = np.diff(cross.indptr)
    row = np.repeat(np.arange(len(counts)), counts)
    spread = of_a[1][row] * of_b[1][cross.indices]
    r = cross.data / n - of_a[0][row] * of_b[0][cross.indices]
    r = np.divide(r, spread, out=np.full(len(r), -np.inf), where=spread > 0)
    best, partner = np.full(len(counts), -np.inf), np.full(len(counts), -1, np.intp)
    some = np.flatnonzero(counts)
    if len(some):
        best[some] = np.maximum.reduceat(r, cross.indptr[some])
        first = np.flatnonzero(r == best[row])[::-1]  # of equal ones the first stays
        partner[row[first]] = cross.indices[first]
    for one in np.flatnonzero(best <= 0):
        of_one = of_a[0][[one]], of_a[1][[one]]
        (best[one],), (partner[one],) = _best_of_all(cross[[one]].toarray(), n, of_one, of_b)
    return np.clip(best, -1, 1), partner


def _columns(values: Any) -> Any:
    if scipy.sparse.issparse(values):
        return values.tocsc().astype(np.float64)
    dense = np.asarray(values, np.float64)
    return dense - dense.mean(axis=0)  # r does not change, and large means cost no digits


def _moments(columns: Any) -> Moments:
    """Mean and standard deviation of each column; 0 for one that does not change."""
    n = columns.shape[0]
    if scipy.sparse.issparse(columns):
        mean = np.asarray(columns.sum(axis=0)).ravel() / n
        square = np.asarray(columns.multiply(columns).sum(axis=0)).ravel() / n
        variance = square - mean**2
        return mean, np.sqrt(np.where(variance > 1e-12 * square, variance, 0))
    mean, square = columns.mean(axis=0), np.square(columns).mean(axis=0)
    return mean, np.sqrt(np.where(np.ptp(columns, axis=0) > 0, square - mean**2, 0))


def _across_halves(
    a: Any, b: Any, owners: npt.NDArray[np.intp], n_documents: int, random_state: int
) -> tuple[Floats, tuple[float, float]]:
    """R in one half with partners of the other, and 95 % of its median over documents."""
    nothing = np.full(a.shape[1], np.nan), (float("nan"), float("nan"))
    if n_documents < 2:
        return nothing
    order = np.random.default_rng(random_state).permutation(n_documents)
    second = np.isin(owners, order[n_documents // 2 :])
    rows_a, rows_b = (one.tocsr() if scipy.sparse.issparse(one) else np.asarray(one) for one in (a, b))
    halves = []
    for chosen_on, tried_on in ((~second, second), (second, ~second)):
        _, partner = best_correlations(rows_a[chosen_on], rows_b[chosen_on])
        halves.append(_paired_sums(rows_a[tried_on], rows_b[tried_on], partner, owners[tried_on]))
    both = _mean_of_known(np.stack([_pearson(np.ones((1, half.shape[1])), half)[0] for half in halves]))
    if min(half.shape[1] for half in halves) < _FEW:
        return both, nothing[1]
    drawn = [
        bootstrap_weights(half.shape[1], _DRAWS, random_state=random_state + 1 + i)
        for i, half in enumerate(halves)
    ]
    medians: list[float] = []
    step = max(1, _BLOCK // a.shape[1])
    for start in range(0, _DRAWS, step):
        some = slice(start, start + step)
        r = np.stack([_pearson(weights[some], half) for weights, half in zip(drawn, halves, strict=True)])
        medians.extend(_median(one) for one in _mean_of_known(r))
    return both, percentile_interval(np.array(medians))


def _paired_sums(a: Any, b: Any, partner: npt.NDArray[np.intp], owners: npt.NDArray[np.intp]) -> Floats:
    """Of each document and pair: n, sum a, sum b, sum a^2, sum b^2, sum a b; (6, n_documents, n_a)."""
    owner = np.unique(owners, return_inverse=True)[1]
    n_rows, n_documents = len(owner), int(owner.max()) + 1
    gather = scipy.sparse.csr_matrix(
        (np.ones(n_rows), (owner, np.arange(n_rows))), shape=(n_documents, n_rows)
    )
    found = np.empty((6, n_documents, a.shape[1]))
    found[0] = np.bincount(owner, minlength=n_documents)[:, None]
    is_sparse = scipy.sparse.issparse(a) and scipy.sparse.issparse(b)
    step = a.shape[1] if is_sparse else max(1, _BLOCK // n_rows)
    for start in range(0, a.shape[1], step):
        some = slice(start, start + step)
        x, y = a[:, some], b[:, np.maximum(partner[some], 0)]
        if is_sparse:
            parts = [x, y, x.multiply(x), y.multiply(y), x.multiply(y)]
        else:
            x, y = _centred(x), _centred(y)
            parts = [x, y, x * x, y * y, x * y]
        for i, one in enumerate(parts):
            sums = gather @ one
            found[i + 1, :, some] = sums.toarray() if scipy.sparse.issparse(sums) else sums
    found[:, :, partner < 0] = np.nan
    return found


def _centred(values: Any) -> Floats:
    dense = np.asarray(values.toarray() if scipy.sparse.issparse(values) else values, np.float64)
    centred: Floats = dense - dense.mean(axis=0)
    return centred


def _pearson(weights: Floats, sums: Floats) -> Floats:
    """R of each pair with documents weighted, (n_draws, n_a)."""
    n, x, y, xx, yy, xy = (weights @ one for one in sums)
    spread = (xx - x**2 / n) * (yy - y**2 / n)
    with np.errstate(invalid="ignore", divide="ignore"):
        r = (xy - x * y / n) / np.sqrt(spread)
    return np.where(spread > 1e-18 * xx * yy, r, np.nan)


def _mean_of_known(values: Floats) -> Floats:
    known = np.isfinite(values)
    total = np.where(known, values, 0).sum(axis=0)
    return np.where(known.any(axis=0), total / np.maximum(known.sum(axis=0), 1), np.nan)


def _median(values: Floats) -> float:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if len(known) else float("nan")
