"""How many things units and features stand for, compared where dictionaries err alike.

Two networks whose activations have another dimensionality are fitted unequally well by dictionaries of one size and
sparsity. So every measure is taken of several dictionaries of different sparsity and read off where their share of
unexplained variance (FVU) is the same.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from ....errors import UserError
from ...masks import unmasked
from .feature_mass import Floats

WANTED_FVU = (0.05, 0.1, 0.2)


@unmasked
def effective_features(squares: npt.ArrayLike) -> float:
    """exp(H(p)): how many features would carry the code in equal parts.

    Parameters
    ----------
    squares : array of shape (n_features,)
        Sum of squares of every feature's code over rows; p is their share of the total. Over the number of units it
        is called superposition.
    """
    known = np.asarray(squares, np.float64)
    if not (np.isfinite(known).all() and (known >= 0).all() and known.any()):
        raise UserError("sums of squares are finite, not negative, and not all 0")
    p = known[known > 0] / known.sum()
    return float(np.exp(-(p * np.log(p)).sum()))


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
def at_matched_fvu(
    frontier: pd.DataFrame, *, wanted: Sequence[float] = WANTED_FVU, logarithmic: Sequence[str] = ("l0",)
) -> pd.DataFrame:
    """Measures of dictionaries of several sparsities, read off where their error is the same.

    Straight lines between neighbours in log FVU; nothing is continued beyond the dictionaries that there are.

    Parameters
    ----------
    frontier : DataFrame
        A row a dictionary: ``fvu``, and any measures.
    wanted : sequence of float
        Errors at which measures are read.
    logarithmic : sequence of str
        Measures of which the logarithm is interpolated.

    Returns
    -------
    DataFrame
        A row a wanted error, which is its index, NaN outside of the range of the errors.

    Raises
    ------
    UserError
        For fewer than two dictionaries, equal errors, or values that are not above 0 where a logarithm is taken.
    """
    if "fvu" not in frontier or len(frontier) < 2:
        raise UserError("a frontier has at least two dictionaries, each with its fvu")
    ordered = frontier.sort_values("fvu")
    fvu = ordered["fvu"].to_numpy(np.float64)
    if not (fvu > 0).all() or (np.diff(fvu) == 0).any():
        raise UserError(
            "errors of a frontier are above 0 and all different: leave out dictionaries that are alike"
        )
    measures = [name for name in ordered.columns if name != "fvu"]
    at = np.log(np.asarray(wanted, np.float64))
    found = {}
    for name in measures:
        values = ordered[name].to_numpy(np.float64)
        if name in logarithmic and not (values > 0).all():
            raise UserError(f"{name} has no logarithm: it is not above 0 everywhere")
        known = np.log(values) if name in logarithmic else values
        read = np.interp(at, np.log(fvu), known, left=np.nan, right=np.nan)
        found[name] = np.exp(read) if name in logarithmic else read
    return pd.DataFrame(found, index=pd.Index(list(wanted), name="fvu"))


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
