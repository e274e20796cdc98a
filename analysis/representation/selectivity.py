"""Which units answer one kind of stimulus more than the others."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from ...errors import UserError, unknown
from ..masks import unmasked
from ..statistics.resampling import Floats, benjamini_hochberg

Spread = Literal["rms", "mean"]

_NORMAL_95 = 1.959963984540054


@dataclass(frozen=True)
class Reliability:
    """How well a map of selectivity comes out again from other stimuli.

    Attributes
    ----------
    r : float
        Mean Pearson r over units between the t maps of two halves of the stimuli.
    corrected : float
        2 r / (1 + r): of all the stimuli (Spearman-Brown).
    n_halves : int
    random_state : int
    """

    r: float
    corrected: float
    n_halves: int
    random_state: int


@unmasked
def category_selectivity(
    responses: npt.ArrayLike,
    labels: npt.ArrayLike,
    target: object,
    *,
    against: Sequence[object] | None = None,
    spread: Spread = "rms",
    stimuli: npt.ArrayLike | None = None,
) -> pd.DataFrame:
    """Selectivity of every unit for a target against other stimuli.

    With means m, variances s^2 and numbers n of stimuli on and off target,

        t = (m_on - m_off) / sqrt(s_on^2 / n_on + s_off^2 / n_off)                     (Welch),
        d' = (m_on - m_off) / sqrt((s_on^2 + s_off^2) / 2)                             (``spread="rms"``),
        d' = (m_on - m_off) / ((s_on + s_off) / 2)                                     (``spread="mean"``, All-TNN's).

    The 95 % interval of d' is that of normal responses, to first order:
    Var d' = Var(m_on - m_off) / S^2 + d'^2 Var(S^2) / (4 S^4), with S^2 the mean variance (the rms form).

    Parameters
    ----------
    responses : array of shape (n_presentations, n_units)
    labels : array of shape (n_presentations,)
    target : object
        One of the labels.
    against : sequence of object, optional
        The labels off target; all others by default.
    spread : {"rms", "mean"}
        The form of d'.
    stimuli : array of shape (n_presentations,), optional
        What was shown. Repeated trials of a stimulus are averaged first, so that stimuli are the samples; without it,
        every row is one.

    Returns
    -------
    DataFrame
        A row a unit: ``t``, ``dprime``, ``p`` (two-sided), ``q`` (Benjamini-Hochberg over the units), ``low`` and
        ``high`` (of d'). A unit without variance has t and d' 0 and p 1. ``attrs`` holds ``n_on`` and ``n_off``.

    Raises
    ------
    UserError
        For an unknown target, fewer than two stimuli on either side, or values that are not finite.
    """
    values, names = _checked(responses, labels, stimuli)
    if spread not in ("rms", "mean"):
        raise UserError(f"the spread of d' is 'rms' or 'mean', not {spread!r}")
    for name in [target, *(against or ())]:
        if not (names == name).any():
            raise unknown("label", str(name), {str(one) for one in names})
    on = names == target
    off = ~on if against is None else np.isin(names, np.array(list(against), dtype=names.dtype)) & ~on
    n_on, n_off = int(on.sum()), int(off.sum())
    if min(n_on, n_off) < 2:
        raise UserError(
            f"{n_on} stimuli on target and {n_off} off are too few: at least 2 of each are needed"
        )
    difference = values[on].mean(axis=0) - values[off].mean(axis=0)
    var_on, var_off = values[on].var(axis=0, ddof=1), values[off].var(axis=0, ddof=1)
    varies = var_on + var_off > _rounding(values)
    over_on, over_off = var_on / n_on, var_off / n_off
    mean_variance = (var_on + var_off) / 2
    scale = np.sqrt(mean_variance) if spread == "rms" else (np.sqrt(var_on) + np.sqrt(var_off)) / 2
    with np.errstate(invalid="ignore", divide="ignore"):
        dprime = np.where(varies, difference / scale, 0.0)
        of_variance = (var_on**2 / (n_on - 1) + var_off**2 / (n_off - 1)) / 2
        error = np.sqrt((over_on + over_off) / scale**2 + dprime**2 * of_variance / (4 * mean_variance**2))
        half = np.where(varies, _NORMAL_95 * error, 0.0)
    table = _welch(difference, [over_on, over_off], [n_on, n_off], varies)
    table.insert(1, "dprime", dprime)
    table["low"], table["high"] = dprime - half, dprime + half
    others = tuple(against) if against is not None else tuple(sorted(set(names[off].tolist()), key=str))
    table.attrs |= {"n_on": n_on, "n_off": n_off, "target": target, "against": others}
    return table


@unmasked
def contrast_selectivity(
    responses: npt.ArrayLike,
    labels: npt.ArrayLike,
    contrast: Mapping[object, float],
    *,
    stimuli: npt.ArrayLike | None = None,
) -> pd.DataFrame:
    """Selectivity of every unit for a linear contrast of conditions.

    With a weight c_k, mean m_k, variance s_k^2 and number n_k of every condition,

        t = sum_k c_k m_k / sqrt(sum_k c_k^2 s_k^2 / n_k),

    with the degrees of freedom of Welch and Satterthwaite; d' divides by the root of the mean variance of the
    conditions and by sum |c_k| / 2, so that weights of 1 and -1 give that of :func:`category_selectivity`.

    Parameters
    ----------
    responses, labels, stimuli
        As in :func:`category_selectivity`.
    contrast : mapping of label to float
        The weights sum to 0; conditions that are not named count for nothing.

    Returns
    -------
    DataFrame
        A row a unit: ``t``, ``dprime``, ``p`` (two-sided), ``q``.

    Raises
    ------
    UserError
        For an unknown condition, weights that do not sum to 0, or a condition with fewer than two stimuli.
    """
    values, names = _checked(responses, labels, stimuli)
    weights = {name: float(weight) for name, weight in contrast.items() if weight}
    total, size = sum(weights.values()), sum(map(abs, weights.values()))
    if not weights or abs(total) > 1e-9 * size:
        raise UserError(f"the weights of a contrast sum to 0, and these sum to {total:g}")
    difference, mean_variance = np.zeros(values.shape[1]), np.zeros(values.shape[1])
    errors, counts = [], []
    for name, weight in weights.items():
        here = names == name
        if not here.any():
            raise unknown("label", str(name), {str(one) for one in names})
        n = int(here.sum())
        if n < 2:
            raise UserError(f"condition {str(name)!r} has 1 stimulus: at least 2 are needed")
        variance = values[here].var(axis=0, ddof=1)
        difference += weight * values[here].mean(axis=0)
        mean_variance += variance / len(weights)
        errors.append(weight**2 * variance / n)
        counts.append(n)
    varies = mean_variance > _rounding(values)
    table = _welch(difference, errors, counts, varies)
    with np.errstate(invalid="ignore", divide="ignore"):
        dprime = np.where(varies, difference / np.sqrt(mean_variance) / (size / 2), 0.0)
    table.insert(1, "dprime", dprime)
    table.attrs |= {"contrast": {str(name): weight for name, weight in weights.items()}, "n": sum(counts)}
    return table


@unmasked
def preferred_category(
    responses: npt.ArrayLike,
    labels: npt.ArrayLike,
    *,
    q: float = 0.05,
    stimuli: npt.ArrayLike | None = None,
) -> pd.DataFrame:
    """The category that every unit answers most, and whether more than the others.

    Parameters
    ----------
    responses, labels, stimuli
        As in :func:`category_selectivity`.
    q : float
        Most of the false discoveries, over all units and categories.

    Returns
    -------
    DataFrame
        A row a unit: ``category`` (highest t), ``t``, ``dprime``, ``q``, ``selective`` (q below the limit and t above
        0). ``attrs["fraction"]`` says for every category which part of the units is selective and prefers it.
    """
    values, names = _checked(responses, labels, stimuli)
    kinds = sorted(set(names.tolist()), key=str)
    if len(kinds) < 2:
        raise UserError(f"all stimuli are of one category, {str(kinds[0])!r}: a preference needs two")
    tables = [category_selectivity(values, names, kind) for kind in kinds]
    t = np.stack([one["t"].to_numpy() for one in tables])
    corrected = benjamini_hochberg(np.stack([one["p"].to_numpy() for one in tables]))
    best, unit = t.argmax(axis=0), np.arange(t.shape[1])
    found = pd.DataFrame(
        {
            "category": np.array(kinds, dtype=object)[best],
            "t": t[best, unit],
            "dprime": np.stack([one["dprime"].to_numpy() for one in tables])[best, unit],
            "q": corrected[best, unit],
        }
    )
    found["selective"] = (found["q"] < q) & (found["t"] > 0)
    found.attrs["fraction"] = {
        str(kind): float(((found["category"] == kind) & found["selective"]).mean()) for kind in kinds
    }
    return found


@unmasked
def fraction_selective(table: pd.DataFrame, *, q: float = 0.05, dprime: float = 0.0) -> float:
    """Which part of the units is selective for the target: q below a limit and d' above one.

    Parameters
    ----------
    table : DataFrame
        From :func:`category_selectivity` or :func:`contrast_selectivity`.
    q, dprime : float
    """
    return float(((table["q"] < q) & (table["dprime"] > dprime)).mean())


@unmasked
def selectivity_reliability(
    responses: npt.ArrayLike,
    labels: npt.ArrayLike,
    target: object,
    *,
    against: Sequence[object] | None = None,
    n_halves: int = 20,
    random_state: int = 0,
    stimuli: npt.ArrayLike | None = None,
) -> Reliability:
    """The correlation over units of two t maps, each from half of the stimuli of every category.

    Parameters
    ----------
    responses, labels, target, against, stimuli
        As in :func:`category_selectivity`.
    n_halves : int
        Random ways to halve.
    random_state : int

    Raises
    ------
    UserError
        Where a half would hold fewer than two stimuli on or off target, or fewer than 3 units.
    """
    values, names = _checked(responses, labels, stimuli)
    if values.shape[1] < 3:
        raise UserError(f"a map of {values.shape[1]} units has no reliability: at least 3 are needed")
    generator = np.random.default_rng(random_state)
    found = []
    for _ in range(n_halves):
        half = np.zeros(len(names), bool)
        for kind in sorted(set(names.tolist()), key=str):
            rows = generator.permutation(np.flatnonzero(names == kind))
            extra = int(generator.integers(2)) if len(rows) % 2 else 0
            half[rows[: len(rows) // 2 + extra]] = True
        maps = [
            category_selectivity(values[one], names[one], target, against=against)["t"].to_numpy()
            for one in (half, ~half)
        ]
        if min(float(one.std()) for one in maps) > 0:
            found.append(float(np.corrcoef(maps[0], maps[1])[0, 1]))
    r = float(np.mean(found)) if found else float("nan")
    return Reliability(r, 2 * r / (1 + r) if r > -1 else float("nan"), n_halves, random_state)


def _checked(
    responses: npt.ArrayLike, labels: npt.ArrayLike, stimuli: npt.ArrayLike | None
) -> tuple[Floats, npt.NDArray[Any]]:
    """Responses and labels, one row a stimulus where stimuli are named."""
    values, names = np.asarray(responses, np.float64), np.asarray(labels)
    if values.ndim != 2 or names.shape != (len(values),):
        raise UserError(f"responses {values.shape} need one label a row, not {names.shape}")
    if not np.isfinite(values).all():
        raise UserError(f"{int((~np.isfinite(values)).sum())} responses are NaN or infinite")
    if stimuli is None:
        return values, names
    shown = np.asarray(stimuli)
    if shown.shape != names.shape:
        raise UserError(f"{len(shown)} stimulus ids do not fit {len(names)} labels")
    _, first, member = np.unique(shown.astype(str), return_index=True, return_inverse=True)
    if (names != names[first][member]).any():
        which = shown[int((names != names[first][member]).argmax())]
        raise UserError(f"stimulus {str(which)!r} has more than one label")
    sums = np.zeros((len(first), values.shape[1]))
    np.add.at(sums, member, values)
    return sums / np.bincount(member)[:, None], names[first]


def _welch(
    difference: Floats, errors: Sequence[Floats], counts: Sequence[int], varies: npt.NDArray[np.bool_]
) -> pd.DataFrame:
    """T with the degrees of freedom of Welch and Satterthwaite, two-sided p, and q over the units.

    Of two conditions scipy's ``ttest_ind(equal_var=False)``, which has no contrasts of more, computes means and
    variances again, which d' needs anyhow, and gives NaN or infinity, not 0, where nothing varies.
    """
    from scipy.stats import t as student

    squared = np.sum(errors, axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        t = np.where(varies, difference / np.sqrt(squared), 0.0)
        freedom = squared**2 / np.sum([e**2 / (n - 1) for e, n in zip(errors, counts, strict=True)], axis=0)
    p = np.where(varies, 2 * student.sf(np.abs(t), np.where(varies, freedom, 1.0)), 1.0)
    return pd.DataFrame({"t": t, "p": p, "q": benjamini_hochberg(p)})


def _rounding(values: Floats) -> Floats:
    limit: Floats = (1e-14 * np.abs(values).max(axis=0, initial=0.0)) ** 2
    return limit
