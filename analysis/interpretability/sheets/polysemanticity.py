"""How many things units and features stand for, and differences between networks at the same value of a covariate.

Two networks whose activations have another dimensionality are fitted unequally well by dictionaries of one size and
sparsity: their features are compared at equal error (:mod:`..quality.matched_error`).
"""

import numpy as np
import numpy.typing as npt

from ....errors import UserError
from ...masks import unmasked
from .feature_mass import Floats


@unmasked
def effective_classes(activations: npt.ArrayLike, labels: npt.ArrayLike) -> Floats:
    """exp(H(p)) over classes: 1 for what answers one class alone, the number of classes for what answers all alike.

        p_ic = a_ic / sum_c a_ic,   a_ic = mean over the rows of class c of max(activation, 0),

    a mean over rows, so that large classes are no more than small ones.

    Parameters
    ----------
    activations : array of shape (n_rows, n_features)
        Codes; or units, of which only what lies above 0 counts.
    labels : array of shape (n_rows,)

    Returns
    -------
    array of shape (n_features,)
        NaN for what never is above 0. Shuffled labels give what chance has: few rows look selective.
    """
    values, kinds = np.maximum(np.asarray(activations, np.float64), 0), np.asarray(labels)
    if values.ndim != 2 or kinds.shape != values.shape[:1]:
        raise UserError(f"{kinds.shape} labels do not fit activations of shape {values.shape}")
    member = np.unique(kinds, return_inverse=True)[1]
    sums = np.zeros((member.max() + 1, values.shape[1]))
    np.add.at(sums, member, values)
    mean = sums / np.bincount(member)[:, None]
    total = mean.sum(axis=0)
    p = np.divide(mean, total, out=np.full_like(mean, np.nan), where=total > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        entropy = -np.where(p > 0, p * np.log(p), np.where(np.isnan(p), np.nan, 0.0)).sum(axis=0)
    found: Floats = np.exp(entropy)
    return found


@unmasked
def beside_covariate(
    one: npt.ArrayLike, other: npt.ArrayLike, covariate_one: npt.ArrayLike, covariate_other: npt.ArrayLike
) -> float:
    """The difference of two networks' means, one less other, at the same value of a covariate.

    The slope within both is fitted in common (analysis of covariance). Features of a network share units and a network
    is one of many, so that there is no p here: networks are paired and tested over seeds.

    Parameters
    ----------
    one, other : array of shape (n_features,)
        A measure of either network's features, e.g. Moran's I.
    covariate_one, covariate_other : array of shape (n_features,)
        Such as the logarithm of effective units.
    """
    y = [np.asarray(values, np.float64) for values in (one, other)]
    x = [np.asarray(values, np.float64) for values in (covariate_one, covariate_other)]
    if any(a.shape != b.shape or a.ndim != 1 or len(a) < 2 for a, b in zip(x, y, strict=True)):
        raise UserError("every feature has one value and one covariate, and there are at least two of either")
    inside = [values - values.mean() for values in (*x, *y)]
    below = float(sum((part**2).sum() for part in inside[:2]))
    slope = float(sum(a @ b for a, b in zip(inside[:2], inside[2:], strict=True))) / below if below else 0.0
    return float(y[0].mean() - y[1].mean() - slope * (x[0].mean() - x[1].mean()))
