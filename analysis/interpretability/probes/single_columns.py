"""Every column of a layer as a probe of its own: Welch's t, and what one threshold tells on other documents."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ....brain_data.probing.splits import Parts
from ...representation.selectivity import category_selectivity

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.intp]
Labels = npt.NDArray[np.bool_]
_BLOCK = 512


@dataclass(frozen=True)
class SingleColumns:
    """What each column says about one property.

    Attributes
    ----------
    t : array of shape (n_columns,)
        Welch's, of the training rows: positives less negatives; 0 for a column without variance in the classes.
    f1, precision, recall : array of shape (n_columns,)
        Of the test rows beyond the threshold, and on the side of the positives, of highest balanced accuracy on the
        training rows.
    """

    t: Floats
    f1: Floats
    precision: Floats
    recall: Floats

    def rank(self, columns: slice) -> Integers:
        """The place of some columns among themselves by |t|, 1 for the largest.

        Parameters
        ----------
        columns : slice
        """
        size = np.abs(self.t[columns])
        found = np.empty(len(size), np.intp)
        found[np.argsort(-size, kind="stable")] = np.arange(1, len(size) + 1)
        return found


def single_columns(rows: npt.ArrayLike, labels: npt.ArrayLike, parts: Parts) -> SingleColumns:
    """Every column alone.

    Parameters
    ----------
    rows : array of shape (n_rows, n_columns)
    labels : bool array of shape (n_rows,)
    parts : Parts
    """
    x, true = np.asarray(rows), np.asarray(labels, bool)
    y, y_test = true[parts.train], true[parts.test]
    blocks = [
        _block(x[parts.train, start : start + _BLOCK].T, y, x[parts.test, start : start + _BLOCK].T, y_test)
        for start in range(0, x.shape[1], _BLOCK)
    ]
    return SingleColumns(welch_t(x[parts.train], y), *np.concatenate(blocks, axis=1))


def welch_t(rows: npt.ArrayLike, labels: Labels) -> Floats:
    """Welch's t of every column, positives less negatives; 0 for a column without variance in the classes.

    Parameters
    ----------
    rows : array of shape (n_rows, n_columns)
    labels : bool array of shape (n_rows,)
    """
    x = np.asarray(rows)
    found = np.zeros(x.shape[1])
    for start in range(0, x.shape[1], _BLOCK):
        table = category_selectivity(x[:, start : start + _BLOCK], labels, True)
        found[start : start + _BLOCK] = table["t"].to_numpy(np.float64)
    return np.nan_to_num(found, nan=0.0, posinf=0.0, neginf=0.0)


def _block(
    train: npt.NDArray[Any],
    y: Labels,
    test: npt.NDArray[Any],
    y_test: Labels,
) -> Floats:
    """F1, precision, recall of columns (n_columns, n_rows)."""
    values = np.ascontiguousarray(train, dtype=np.float64)
    sign = np.where(values[:, y].mean(axis=1) >= values[:, ~y].mean(axis=1), 1.0, -1.0)[:, None]
    order = np.argsort(-sign * values, axis=1)
    ranked = np.take_along_axis(sign * values, order, axis=1)
    hits = y[order]
    gain = np.cumsum(hits, axis=1) / y.sum() - np.cumsum(~hits, axis=1) / (~y).sum()
    gain[:, :-1][ranked[:, :-1] == ranked[:, 1:]] = -np.inf  # no threshold is between equal values
    at = gain.argmax(axis=1)[:, None]
    after = np.minimum(at + 1, ranked.shape[1] - 1)
    middle = (np.take_along_axis(ranked, at, axis=1) + np.take_along_axis(ranked, after, axis=1)) / 2
    calls = sign * test.astype(np.float64) > middle
    right = (calls & y_test).sum(axis=1)
    called, n_true = calls.sum(axis=1), int(y_test.sum())
    return np.stack(
        [2 * right / np.maximum(called + n_true, 1), right / np.maximum(called, 1), right / max(n_true, 1)]
    )
