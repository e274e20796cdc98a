"""When the response to a word is highest: the peak of a course over delays, between its samples, with an interval."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ..statistics.paired_tests import t_quantile

Floats = npt.NDArray[np.float64]
_LEAST = 0.2


def peak_of(profile: npt.ArrayLike, delays_s: Sequence[float]) -> float:
    """Where the gamma density that is nearest to a course over delays is highest, in s.

        log h(t) = c + a log t - b t,    peak = a / b,

    by least squares weighted by h^2, over the delays about the highest at which h is more than a fifth of it. Between
    samples 2 s apart it is right to .05 s, where a spline is wrong by up to .16 s.

    Parameters
    ----------
    profile : array of shape (n_delays,)
    delays_s : sequence of float
        In s, rising.

    Returns
    -------
    float
        NaN where the course is highest at its first or last delay, or is no peak.
    """
    values, at = np.asarray(profile, np.float64), np.asarray(delays_s, np.float64)
    if len(at) < 3 or not np.isfinite(values).all() or values.argmax() in (0, len(at) - 1):
        return float("nan")
    highest = int(values.argmax())
    low = (values <= _LEAST * values[highest]) | (at <= 0)
    first = int(np.flatnonzero(low[:highest])[-1]) + 1 if low[:highest].any() else 0
    last = highest + int(np.flatnonzero(low[highest:])[0]) if low[highest:].any() else len(at)
    t, h = at[first:last], values[first:last] / values[highest]
    if len(t) < 3:
        return float("nan")
    columns = np.stack([np.ones(len(t)), np.log(t), -t], axis=1)
    _, rise, fall = np.linalg.lstsq(columns * h[:, None], np.log(h) * h, rcond=None)[0]
    peak = float(rise / fall) if fall > 0 else float("nan")
    return peak if at[0] < peak < at[-1] else float("nan")


def haemodynamic_peak(
    profile: npt.ArrayLike, without: npt.ArrayLike, delays_s: Sequence[float], level: float = 0.95
) -> tuple[float, tuple[float, float]]:
    """The peak of a course over delays, and its interval by the jackknife over runs or blocks.

        se^2 = (G - 1) / G sum_g (peak_g - mean)^2,    peak +- t(G - 1) se

    Parameters
    ----------
    profile : array of shape (n_delays,)
        As :func:`.delay_profile.delay_profile` finds it.
    without : array of shape (n_groups, n_delays)
        The same without each run or block.
    delays_s : sequence of float
        In s, rising; they must reach beyond the peak on both sides.
    level : float

    Returns
    -------
    peak : float
        In s; NaN where the course is highest at its first or its last delay.
    interval : (float, float)
        NaN below 4 groups, or where a course without one of them has no peak.
    """
    found = peak_of(profile, delays_s)
    each = np.array([peak_of(one, delays_s) for one in np.asarray(without, np.float64)])
    n = len(each)
    if n < 4 or not np.isfinite(each).all() or not np.isfinite(found):
        return found, (float("nan"), float("nan"))
    half = t_quantile((1 + level) / 2, n - 1) * float(np.sqrt((n - 1) * each.var()))
    return found, (found - half, found + half)
