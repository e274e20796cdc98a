"""Orders of units by how much each says about a property alone, or in a probe of few."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from ....errors import unknown
from ...representation.selectivity import category_selectivity
from .logistic import fit_l1_logistic

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.intp]
Labels = npt.NDArray[np.bool_]

_BINS = 16
_L1_STRENGTH = 1.0


def mean_difference(x: Floats, labels: Labels) -> Floats:
    """|m_1 - m_0| of every unit, in the scale of x (n_rows, n_units)."""
    difference: Floats = np.abs(x[labels].mean(axis=0) - x[~labels].mean(axis=0))
    return difference


def welch(x: Floats, labels: Labels) -> Floats:
    """|t| of Welch."""
    t: Floats = np.abs(category_selectivity(x, labels, True)["t"].to_numpy(np.float64))
    return t


def mutual_information(x: Floats, labels: Labels) -> Floats:
    """Nats that a unit, cut into 16 bins of as many rows, has in common with the label.

    sum_bc p(b, c) ln(p(b, c) / (p(b) p(c))); equal values stand in one bin. Of unrelated units about 15 / (2 n).
    """
    n, found = len(x), np.empty(x.shape[1])
    prior = np.array([np.mean(~labels), np.mean(labels)])
    for unit, values in enumerate(x.T):
        edges = np.unique(np.quantile(values, np.linspace(0, 1, _BINS + 1)[1:-1]))
        bins = np.searchsorted(edges, values, side="right")
        joint = np.bincount(2 * bins + labels, minlength=2 * (len(edges) + 1)).reshape(-1, 2) / n
        expected = joint.sum(axis=1, keepdims=True) * prior
        there = joint > 0
        found[unit] = (joint[there] * np.log(joint[there] / expected[there])).sum()
    return found


def l1_logistic(x: Floats, labels: Labels) -> Floats:
    """|w| of a logistic probe over all units whose absolute weights cost: many are 0."""
    return np.abs(fit_l1_logistic(x, labels, strength=_L1_STRENGTH).weights)


RANKINGS: dict[str, Callable[[Floats, Labels], Floats]] = {
    "mean difference": mean_difference,
    "welch": welch,
    "mutual information": mutual_information,
    "l1 logistic": l1_logistic,
}
"""Name -> how much every unit says, from standardised training rows and their labels."""


def ranked(name: str, x: Floats, labels: Labels) -> Integers:
    """Units from the one that says most, by a ranking of ``RANKINGS``.

    Raises
    ------
    UserError
        For a name that is none.
    """
    if name not in RANKINGS:
        raise unknown("ranking", name, RANKINGS)
    return np.argsort(-RANKINGS[name](x, labels), kind="stable")
