"""Which units answer one kind of stimulus more than the others."""

from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..errors import UserError, unknown
from .resampling import benjamini_hochberg

Spread = Literal["rms", "mean"]


def category_selectivity(
    responses: npt.ArrayLike, labels: npt.ArrayLike, target: object, *, spread: Spread = "rms"
) -> pd.DataFrame:
    """Selectivity of every unit for a target against all other stimuli.

    With means m, variances s^2 and numbers n of stimuli on and off target,

        t = (m_on - m_off) / sqrt(s_on^2 / n_on + s_off^2 / n_off)                     (Welch),
        d' = (m_on - m_off) / sqrt((s_on^2 + s_off^2) / 2)                             (``spread="rms"``),
        d' = (m_on - m_off) / ((s_on + s_off) / 2)                                     (``spread="mean"``, All-TNN's).

    Parameters
    ----------
    responses : array of shape (n_stimuli, n_units)
    labels : array of shape (n_stimuli,)
    target : object
        One of the labels.
    spread : {"rms", "mean"}
        The form of d'.

    Returns
    -------
    DataFrame
        A row a unit: ``t``, ``dprime``, ``p`` (two-sided), ``q`` (Benjamini-Hochberg over the units). A unit without
        variance has t and d' 0 and p 1. ``attrs`` holds ``n_on`` and ``n_off``.

    Raises
    ------
    UserError
        For an unknown target, fewer than two stimuli on either side, or values that are not finite.
    """
    values, names = np.asarray(responses, np.float64), np.asarray(labels)
    if values.ndim != 2 or names.shape != (len(values),):
        raise UserError(f"responses {values.shape} need one label a row, not {names.shape}")
    if spread not in ("rms", "mean"):
        raise UserError(f"the spread of d' is 'rms' or 'mean', not {spread!r}")
    if not np.isfinite(values).all():
        raise UserError(f"{int((~np.isfinite(values)).sum())} responses are NaN or infinite")
    on = names == target
    if not on.any():
        raise unknown("label", str(target), {str(name) for name in names})
    n_on, n_off = int(on.sum()), int((~on).sum())
    if min(n_on, n_off) < 2:
        raise UserError(
            f"{n_on} stimuli on target and {n_off} off are too few: at least 2 of each are needed"
        )
    difference = values[on].mean(axis=0) - values[~on].mean(axis=0)
    var_on, var_off = values[on].var(axis=0, ddof=1), values[~on].var(axis=0, ddof=1)
    rounding = (1e-14 * np.abs(values).max(axis=0, initial=0.0)) ** 2
    varies = var_on + var_off > rounding
    over_on, over_off = var_on / n_on, var_off / n_off
    scale = np.sqrt((var_on + var_off) / 2) if spread == "rms" else (np.sqrt(var_on) + np.sqrt(var_off)) / 2
    with np.errstate(invalid="ignore", divide="ignore"):
        t = np.where(varies, difference / np.sqrt(over_on + over_off), 0.0)
        dprime = np.where(varies, difference / scale, 0.0)
        freedom = (over_on + over_off) ** 2 / (over_on**2 / (n_on - 1) + over_off**2 / (n_off - 1))
    from scipy.stats import t as student

    p = np.where(varies, 2 * student.sf(np.abs(t), np.where(varies, freedom, 1.0)), 1.0)
    table = pd.DataFrame({"t": t, "dprime": dprime, "p": p, "q": benjamini_hochberg(p)})
    table.attrs |= {"n_on": n_on, "n_off": n_off, "target": target}
    return table
