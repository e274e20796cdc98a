"""How a score over time was made, in words."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ...analysis.statistics.over_bins import CLUSTER_LEVEL, CONSECUTIVE
from ..metrics.ridge import Encoding
from .timed import Timed

LayerOf = Literal["one", "each"]
LAYER = {
    "one": "one for all bins, by fold: the largest mean over bins of the inner explained variance on training stimuli "
    "(median over neuroids, where above 0)",
    "each": "one for each bin, by fold: the largest inner explained variance on training stimuli (median of neuroids)",
}


def methods_of(
    read: Timed,
    metric: Encoding,
    layer: str,
    tested: npt.NDArray[np.intp],
    n_neuroids: int,
    said: dict[str, Any],
) -> dict[str, Any]:
    """For the record: folds, layers, penalties, and what each number is."""
    over = f", over {len(tested)} of {n_neuroids} neuroids" if len(tested) < n_neuroids else ""
    return (
        metric.sampling.describe()
        | {
            "metric": metric.name,
            "score": "Pearson r of held-out predictions, pooled over folds and centred within each; median over "
            "neuroids, mean over subjects",
            "layers": LAYER[layer],
            "penalties": "the same to choose from in every bin, per neuroid and bin",
            "bins": "no independent samples: r of neighbouring bins rises and falls together",
            "interval": f"of each bin alone, 95 % jackknife over groups of stimuli{over}",
            "family": "p against the maximum over bins: at .05 at most 5 % of curves without any signal have a bin",
            "clusters": f"bins above the {1 - CLUSTER_LEVEL:.0%} point of their own null; mass: sum of (r - mean) / sd "
            "of that null; p against the largest of each order",
            "onset": f"first of {CONSECUTIVE} bins in a row above the 95 % point of the maximum over baseline bins "
            "(those that end at or before 0 ms) with responses in other orders; its interval: the same of curves drawn "
            f"with the jackknife's covariance, from the start of the first to the end of the last bin{over}",
            "generalization": "weights of one bin, responses of another; p against the maximum over all pairs, with "
            "what is fitted in other orders and what is predicted as it is",
            "n_neuroids": n_neuroids,
            "n_tested": len(tested),
        }
        | said
    )
