"""What predicts a property without any network: a number on one side of a threshold, a key in a table."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from .splits import Parts

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.intp]
Labels = npt.NDArray[np.bool_]

_PRIOR = 0.5


def trivial_f1(
    numbers: Mapping[str, npt.ArrayLike],
    keys: Mapping[str, npt.ArrayLike],
    labels: npt.ArrayLike,
    parts: Parts,
) -> dict[str, float]:
    """F1 of single trivial predictors on the test examples, fitted to the training examples.

    Parameters
    ----------
    numbers : mapping of str to array of shape (n,)
        Such as a text's length: positive beyond the threshold and on the side of the highest balanced accuracy.
    keys : mapping of str to array of shape (n,)
        Such as the first word: positive where :func:`table_log_odds` is above 0.
    labels : bool array of shape (n,)
    parts : Parts
    """
    true = np.asarray(labels, bool)
    y, y_test = true[parts.train], true[parts.test]
    found = {}
    for name, values in numbers.items():
        column = np.asarray(values, np.float64)
        found[name] = f1(beyond_threshold(column[parts.train], y, column[parts.test]), y_test)
    for name, key in keys.items():
        _, number = np.unique(np.asarray(key), return_inverse=True)
        found[name] = f1(table_log_odds(number[parts.train], y, number[parts.test]) > 0, y_test)
    return found


def f1(calls: Labels, labels: Labels) -> float:
    """2 tp / (2 tp + fp + fn); 0 where nothing is positive or called so."""
    right = 2 * int((calls & labels).sum())
    return right / max(1, right + int((calls != labels).sum()))


def beyond_threshold(values: Floats, labels: Labels, test: Floats) -> Labels:
    """Which test values are on the side of the positives of the threshold with the highest balanced accuracy.

    The threshold stands between two neighboring training values.
    """
    sign = 1.0 if values[labels].mean() >= values[~labels].mean() else -1.0
    order = np.argsort(-sign * values, kind="stable")
    ranked, true = sign * values[order], labels[order]
    gain = np.cumsum(true) / true.sum() - np.cumsum(~true) / (~true).sum()
    gain[:-1][ranked[:-1] == ranked[1:]] = -np.inf  # no threshold is between equal values
    at = int(gain.argmax())
    beyond: Labels = sign * test > (ranked[at] + ranked[min(at + 1, len(ranked) - 1)]) / 2
    return beyond


def table_log_odds(train: Integers, labels: Labels, test: Integers) -> Floats:
    """Log odds of a key by how often it came with each class: ln((n_1 + 1/2) / (n_0 + 1/2)), classes balanced.

    A key that never came gives 0.
    """
    weight = np.where(labels, len(labels) / (2 * labels.sum()), len(labels) / (2 * (~labels).sum()))
    size = int(max(train.max(), test.max())) + 1
    with_true = np.bincount(train[labels], weight[labels], minlength=size)
    with_false = np.bincount(train[~labels], weight[~labels], minlength=size)
    table: Floats = np.log((with_true + _PRIOR) / (with_false + _PRIOR))
    return table[test]
