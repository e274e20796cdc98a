"""Steps of a recurrent model against bins of time: layers that are one module, read by call, ``cell@1 ... cell@T``."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ...analysis.statistics.paired_tests import t_quantile
from ...analysis.statistics.replicates import FEWEST_GROUPS
from ...correlation import pearson, tied_ranks

Floats = npt.NDArray[np.float64]

FEWEST_STEPS, FEWEST_BINS = 3, 4
"""Below which nothing can be said about their order."""
_STEP = re.compile(r"(.+)@(\d+)")


def steps_of(layers: Sequence[str]) -> dict[str, list[int]]:
    """Module -> its steps that are among the layers, in ascending order; those that are read at three or more."""
    found: dict[str, list[int]] = {}
    for layer in layers:
        match = _STEP.fullmatch(layer)
        if match:
            found.setdefault(match[1], []).append(int(match[2]))
    return {module: sorted(numbers) for module, numbers in found.items() if len(numbers) >= FEWEST_STEPS}


def monotony(
    curves: Floats, without: Floats, numbers: Sequence[int], bins: npt.NDArray[np.intp], level: float = 0.95
) -> dict[str, Any]:
    """Whether later bins are best predicted by later steps: Spearman's rho of the best step against the bin.

    Parameters
    ----------
    curves : array of shape (n_steps, n_bins)
    without : array of shape (n_groups, n_steps, n_bins)
        The same without each group of stimuli, of which the jackknife's interval is made.
    numbers : sequence of int
        Of the steps.
    bins : array of int
        That are compared: those where any step predicts more than chance does in the best bin.
    level : float

    Returns
    -------
    dict
        ``best`` (a step for every bin), ``bins``, ``rho``, ``low``, ``high``, ``said``.
    """
    best = np.asarray(numbers)[curves.argmax(axis=0)]
    found: dict[str, Any] = {
        "best": best.tolist(),
        "bins": bins.tolist(),
        "rho": None,
        "low": None,
        "high": None,
    }
    if len(bins) < FEWEST_BINS:
        return found | {"said": f"none: {len(bins)} bins of at least {FEWEST_BINS} have a score above chance"}
    rho = _spearman(best[bins])
    if not np.isfinite(rho):
        return found | {"said": "none: one step is the best of all bins"}
    found["rho"] = float(rho)
    each = np.array([_spearman(np.asarray(numbers)[one.argmax(axis=0)][bins]) for one in without])
    if len(each) < FEWEST_GROUPS or not np.isfinite(each).all():
        return found | {
            "said": f"no interval: fewer than {FEWEST_GROUPS} groups, or one step without one of them"
        }
    free = len(each) - 1
    half = t_quantile((1 + level) / 2, free) * float(np.sqrt(each.var() * free))
    return found | {
        "low": max(float(rho) - half, -1.0),
        "high": min(float(rho) + half, 1.0),
        "said": f"Spearman's rho over {len(bins)} bins, jackknife over {len(each)} groups of stimuli; bins are no "
        "independent samples",
    }


def _spearman(best: npt.NDArray[Any]) -> float:
    if len(set(best.tolist())) < 2:
        return float("nan")
    ranks = tied_ranks(np.asarray(best, np.float64))
    return float(pearson(ranks, np.arange(len(best), dtype=np.float64)))
