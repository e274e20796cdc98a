"""What is said of a fitted curve: intervals, p over all bins, clusters, latencies, single neuroids, steps."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ...analysis.statistics.over_bins import (
    CLUSTER_LEVEL,
    Latency,
    Spread,
    begun_before,
    cluster_masses,
    first_of_run,
    onset,
    p_of_maximum,
    peak,
)
from ...analysis.statistics.resampling import benjamini_hochberg
from ..metrics.base import Floats, ScoringOptions
from ..metrics.ridge import Encoding
from ..metrics.uncertainty import MOST_TESTED, subsample_targets
from .fits import Fitted, Null, generalization, only_tested, permuted_bins, r_of_bins, without_groups
from .steps import monotony
from .timed import Timed

PERMUTED = 1 << 26
"""Most numbers of all responses in other orders; fewer neuroids are tested where there would be more."""
_THRESHOLD = 0.95


def tested_neuroids(read: Timed, options: ScoringOptions, every: bool) -> npt.NDArray[np.intp]:
    """Neuroids that intervals, orders and onsets are computed for."""
    n_bins, n_stimuli, n_neuroids = read.mean.shape
    if every:
        return np.arange(n_neuroids)
    room = PERMUTED // (n_stimuli * n_bins * max(options.n_permutations, 1))
    return subsample_targets(read.headline.members, options.seed, min(room, MOST_TESTED))


def statistics(
    read: Timed,
    metric: Encoding,
    fitted: Fitted,
    tested: npt.NDArray[np.intp],
    options: ScoringOptions,
    generalize: bool,
) -> dict[str, Any]:
    """The curve, its intervals, p, clusters, latencies, neuroids and generalization."""
    n_bins = len(read.mean)
    r = r_of_bins(read, metric, fitted.predictions)
    headline, some = read.headline, read.headline.only(tested)
    curve, of_tested = headline.raw(r), some.raw(r[:, tested])
    low, high = np.full((2, n_bins), np.nan)
    without = np.empty((0, n_bins))
    if options.n_bootstraps:
        left = without_groups(read, metric, tested, fitted)
        ones = np.ones(left.shape[::2])
        each = [some.replicates(r[i, tested], left[:, i], ones, headline, r[i]) for i in range(n_bins)]
        low, high = np.array([one.interval(options.level) for one in each]).T
        without = np.array([one.samples for one in each]).T - curve + of_tested
    matrix = np.empty((0, 0))
    if generalize:
        found = only_tested(fitted.predictions, tested)
        truths = [read.mean[:, test][:, :, tested] for test in metric.sampling.tests]
        matrix = some.raw(generalization(read, metric.sampling.tests, found, truths))
    null = None
    if options.n_permutations:
        orders = metric.sampling.orders(options.n_permutations, options.seed + 2)
        null = permuted_bins(read, metric, fitted, tested, orders, generalize)
    told = {
        "r": curve, "low": low, "high": high, "ceiling": read.best, "without": without, "of_neuroids": r,
        "generalization": matrix, "n_groups": len(without),
    }  # fmt: skip
    return told | against_null(read, of_tested, r[:, tested], matrix, null, Spread(without), tested, options)


def against_null(
    read: Timed,
    curve: Floats,
    of_tested: Floats,
    matrix: Floats,
    null: Null | None,
    spread: Spread,
    tested: npt.NDArray[np.intp],
    options: ScoringOptions,
) -> dict[str, Any]:
    """P over all bins, clusters, latencies and single neuroids, against the responses in other orders."""
    n_bins, baseline, joined = len(curve), read.baseline, read.joined
    highest = peak(curve, baseline, spread, level=options.level, random_state=options.seed)
    names = read.neuroid_ids[tested]
    if null is None:
        nothing = np.full(n_bins, np.nan)
        return {
            "p": nothing, "null_mean": nothing, "null_high": nothing, "clusters": [], "peak": highest,
            "generalization_p": np.full(matrix.shape, np.nan), "threshold": float("nan"), "neuroids": [],
            "onset": Latency(-1, said="not asked for: no permutations"), "chance": 0.0,
            "said": {"p": "not asked for"},
        }  # fmt: skip
    threshold, first = (
        float("nan"),
        Latency(-1, said="none: no bin ends at or before 0 ms, so there is no baseline"),
    )
    if baseline.any():
        threshold = float(np.quantile(null.curves[:, baseline].max(axis=1), _THRESHOLD))
        first = onset(
            curve, baseline, threshold, joined, spread, level=options.level, random_state=options.seed
        )
    return {
        "p": p_of_maximum(curve, null.curves.max(axis=1)),
        "null_mean": null.curves.mean(axis=0),
        "null_high": np.quantile(null.curves, 1 - CLUSTER_LEVEL, axis=0),
        "clusters": cluster_masses(curve, null.curves, joined),
        "generalization_p": p_of_maximum(matrix, null.largest) if matrix.size else matrix,
        "threshold": threshold,
        "onset": first,
        "chance": float(np.quantile(null.curves.max(axis=1), 1 - CLUSTER_LEVEL)),
        "peak": highest,
        "neuroids": _each_neuroid(read, of_tested, null, names),
        "said": {"p": null.said, "smallest_p": null.smallest},
    }


def _each_neuroid(read: Timed, r: Floats, null: Null, names: npt.NDArray[Any]) -> list[dict[str, Any]]:
    """Peak, onset and q of every tested neuroid, each against orders of its own responses."""
    baseline, windows = read.baseline, read.windows
    largest = null.neuroids.max(axis=1)
    at_least = (largest >= r.max(axis=0)).sum(axis=0)
    p = (1 + at_least) / (1 + len(largest))
    q = benjamini_hochberg(p)
    begins = np.full(r.shape[1], -1)
    if baseline.any():
        threshold = np.quantile(null.neuroids[:, baseline].max(axis=1), _THRESHOLD, axis=0)
        above = (r > threshold).T
        begins = first_of_run(above & ~baseline, read.joined)
        begins[begun_before(above, baseline, read.joined) & (begins == baseline.argmin())] = -1
    top = r.argmax(axis=0)
    return [
        {
            "neuroid_id": str(name), "peak_r": float(r[top[i], i]), "peak_ms": float(windows[top[i], 0]),
            "onset_ms": None if begins[i] < 0 else float(windows[begins[i], 0]), "p": float(p[i]), "q": float(q[i]),
        }
        for i, name in enumerate(names)
    ]  # fmt: skip


def of_steps(
    read: Timed,
    names: list[str],
    fitted: Fitted,
    steps: dict[str, Floats],
    recurrent: dict[str, list[int]],
    tested: npt.NDArray[np.intp],
    chance: float,
) -> dict[str, Any]:
    """Of the module that is read at most steps: which step predicts which bin best."""
    if not recurrent:
        return {"steps": {}, "steps_without": np.empty((0, 0, len(read.mean)))}
    module = max(recurrent, key=lambda one: len(recurrent[one]))
    numbers = recurrent[module]
    curves = fitted.by_layer[[names.index(f"{module}@{number}") for number in numbers]]
    without = np.empty((0, *curves.shape))
    if steps:
        some = read.headline.only(tested)
        without = np.stack([some.raw(steps[f"{module}@{number}"]) for number in numbers], axis=1)
    bins = np.flatnonzero((curves.max(axis=0) > chance) & ~read.baseline)
    return {
        "steps": {"layer": module, "numbers": numbers} | monotony(curves, without, numbers, bins),
        "steps_without": without,
    }
