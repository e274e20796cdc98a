"""The codes of many rows as one sparse matrix, and how often each feature is active."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse
from scipy.sparse import csc_array

from ....errors import UserError
from ..codes import Codes
from ..dictionary import Dictionary
from .reconstruction import Rows, batches

Floats = npt.NDArray[np.float64]
RARE, DENSE = 1e-5, 0.1
"""Features active in fewer, or in more, of the rows."""
_FIRST, _N_BINS = -7, 50
"""The histogram of log10 of the rate: from 10^-7 to 1."""


@dataclass(frozen=True)
class Density:
    """How often features are active.

    Attributes
    ----------
    rate : array of shape (n_features,)
        Share of the rows in which each is active.
    dead, rare, dense : float
        Share of features that are never active in these rows, in fewer than 1e-5 of them (the dead ones included), in
        more than a tenth. With fewer than 1e5 rows a feature that is rare is dead.
    counts : int array of shape (50,)
        Of features by log10 of their rate, from -7 to 0; the dead are in none.
    effective : float
        exp(H(p)), p_i a feature's share of all squared activation: how many features carry the code.
    n_rows : int
    """

    rate: Floats = field(repr=False)
    dead: float
    rare: float
    dense: float
    counts: npt.NDArray[np.int64] = field(repr=False)
    effective: float
    n_rows: int

    @property
    def edges(self) -> Floats:
        """Of the bins of `counts`, (51,)."""
        return np.linspace(_FIRST, 0, _N_BINS + 1)


def sparse(codes: Codes) -> Any:
    """Codes as a sparse matrix.

    Returns
    -------
    scipy.sparse.csr_matrix of shape (n_rows, n_features)
        Active features alone, in double precision.
    """
    values, columns = codes.values.double().numpy(), codes.indices.numpy()
    active = values > 0
    starts = np.concatenate([[0], np.cumsum(active.sum(axis=1))])
    shape = (len(values), codes.n_features)
    return scipy.sparse.csr_matrix((values[active], columns[active], starts), shape=shape)


def codes_of_rows(dictionary: Dictionary, rows: Rows) -> Any:
    """The codes of rows as one sparse matrix: memory for active features alone.

    Parameters
    ----------
    dictionary : Dictionary
    rows : array of shape (n_rows, n_units)

    Returns
    -------
    scipy.sparse.csr_matrix of shape (n_rows, n_features)
    """
    return stacked(sparse(dictionary.encode(x)) for x in batches(rows))


def sparse_codes(dictionary: Dictionary, rows: Rows) -> csc_array:
    """The codes of rows by column, in single precision: what looks at one feature after the other reads these.

    Parameters
    ----------
    dictionary : Dictionary
    rows : array of shape (n_rows, n_units)

    Returns
    -------
    csc_array of shape (n_rows, n_features)

    Raises
    ------
    UserError
        For activations that single precision does not hold.
    """
    codes = csc_array(codes_of_rows(dictionary, rows).astype(np.float32))
    if not np.isfinite(codes.data).all():
        raise UserError(
            "activations of the dictionary are not finite: its numbers are too large for these rows"
        )
    return codes


def stacked(parts: Iterable[Any]) -> Any:
    """Sparse matrices below one another."""
    each = list(parts)
    if not each:
        raise UserError("there are no rows")
    return scipy.sparse.vstack(each, format="csr")


def density(codes: Any) -> Density:
    """How often features are active.

    Parameters
    ----------
    codes : sparse matrix of shape (n_rows, n_features)
        As of :func:`codes_of_rows`.
    """
    n_rows, n_features = codes.shape
    if n_rows == 0:
        raise UserError("how often features are active needs rows")
    rate = np.bincount(codes.indices, minlength=n_features) / n_rows
    alive = rate > 0
    logs = np.clip(np.log10(rate[alive]), _FIRST, 0)
    counts, _ = np.histogram(logs, bins=_N_BINS, range=(_FIRST, 0))
    energy = np.bincount(codes.indices, weights=codes.data**2, minlength=n_features)
    return Density(
        rate=rate,
        dead=float(1 - alive.mean()),
        rare=float((rate < RARE).mean()),
        dense=float((rate > DENSE).mean()),
        counts=counts.astype(np.int64),
        effective=effective_number(energy),
        n_rows=n_rows,
    )


def effective_number(energy: npt.ArrayLike) -> float:
    """exp(H(p)) with p_i = energy_i / sum energy: n where n features share it equally, 1 where one has it all.

    Parameters
    ----------
    energy : array of shape (n_features,)
        At least 0. NaN where all are 0.
    """
    values = np.asarray(energy, np.float64)
    total = values.sum()
    if not total > 0:
        return float("nan")
    share = values[values > 0] / total
    return float(np.exp(-np.sum(share * np.log(share))))
