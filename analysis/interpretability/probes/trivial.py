"""What predicts a property without any network: length, frequency, the first token, luminance; tables of tokens."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from .logistic import balanced_weights, fit_logistic
from .rows import Parts, Scale
from .scores import Scores, scores

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.intp]
Labels = npt.NDArray[np.bool_]

_PRIOR = 0.5


def trivial_scores(
    numbers: Mapping[str, npt.ArrayLike],
    keys: Mapping[str, npt.ArrayLike],
    labels: npt.ArrayLike,
    parts: Parts,
) -> dict[str, Scores]:
    """The scores of single trivial predictors on the test rows, fitted to the training rows.

    Parameters
    ----------
    numbers : mapping of str to array of shape (n_rows,)
        Such as a text's length: a logistic curve of the number and its square.
    keys : mapping of str to array of shape (n_rows,)
        Such as the first token: a table, see :func:`table_log_odds`.
    labels : bool array of shape (n_rows,)
    parts : Parts
    """
    true = np.asarray(labels, bool)
    y, y_test = true[parts.train], true[parts.test]
    found = {}
    for name, values in numbers.items():
        column = np.asarray(values, np.float64)[:, None]
        column = Scale.of(column[parts.train])(column)
        both = np.column_stack([column, 10 * column**2])  # the scale is a tenth
        fitted = fit_logistic(both[parts.train], y)
        found[name] = scores(fitted.decision(both[parts.test]), y_test)
    for name, key in keys.items():
        _, number = np.unique(np.asarray(key), return_inverse=True)
        found[name] = scores(table_log_odds(number[parts.train], y, number[parts.test]), y_test)
    return found


def table_log_odds(train: Integers, labels: Labels, test: Integers) -> Floats:
    """Log odds of a key by how often it came with each class: ln((n_1 + 1/2) / (n_0 + 1/2)), classes balanced.

    A key that never came gives 0.
    """
    weight = balanced_weights(labels)
    size = int(max(train.max(), test.max())) + 1
    with_true = np.bincount(train[labels], weight[labels], minlength=size)
    with_false = np.bincount(train[~labels], weight[~labels], minlength=size)
    table: Floats = np.log((with_true + _PRIOR) / (with_false + _PRIOR))
    return table[test]


def bag_log_odds(bags: Sequence[Integers], labels: Labels, parts: Parts) -> Floats:
    """Log odds of the test texts by their tokens alone, whatever their order: multinomial naive Bayes, 1/2 added.

    What a network adds to this is more than "it holds the byte 0xC3".

    Parameters
    ----------
    bags : sequence of intp array
        Token ids of every text.
    labels : bool array of shape (n_texts,)
    parts : Parts
    """
    size = 1 + max(int(one.max(initial=0)) for one in bags)
    share = []
    for kind in (True, False):
        count = np.full(size, _PRIOR)
        for i in parts.train:
            if labels[i] == kind:
                count += np.bincount(bags[i], minlength=size)
        share.append(np.log(count / count.sum()))
    table = share[0] - share[1]
    return np.array([table[bags[i]].sum() for i in parts.test])
