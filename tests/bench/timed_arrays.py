"""Curves over time of arrays, without data sets, keys or files: what can be asked of many seeds."""

import numpy as np
from timed_cases import course

from brodmann.analysis.encoding.nested_ridge import ALPHAS
from brodmann.bench.metrics.base import ScoringOptions
from brodmann.bench.metrics.headline import Headline
from brodmann.bench.metrics.normalization import none
from brodmann.bench.metrics.ridge import Encoding
from brodmann.bench.metrics.sampling import Sampling
from brodmann.bench.over_time.fits import fit_every_bin
from brodmann.bench.over_time.statistics import statistics
from brodmann.bench.over_time.timed import Timed


def simulated(seed, *, gain, latency=70.0, kind="sustained", n_stimuli=48, n_neuroids=5, n_features=4, width=20.0,
              first=-100, last=200, noise=1.0, memory=0.8):  # fmt: skip
    """Mean responses (n_bins, n_stimuli, n_neuroids) with AR(1) noise over bins; features; starts of bins."""
    generator = np.random.default_rng(seed)
    features = generator.normal(size=(n_stimuli, n_features))
    weights = generator.normal(size=(n_features, n_neuroids)) / np.sqrt(n_features)
    starts = np.arange(first, last, width)
    shape = course(kind, starts, int(width), latency)
    carried = generator.normal(size=(len(starts), n_stimuli, n_neuroids))
    for i in range(1, len(starts)):
        carried[i] = memory * carried[i - 1] + np.sqrt(1 - memory**2) * carried[i]
    return gain * shape[:, None, None] * (features @ weights) + noise * carried, features, starts


def found_in(mean, features, starts, *, width=20.0, groups=None, n_permutations=99, seed=0, generalize=False):
    """What ``score_over_time`` says of them."""
    n_bins, n_stimuli, n_neuroids = mean.shape
    position = np.arange(n_stimuli)
    sampled = (
        Sampling("independent", None, position)
        if groups is None
        else Sampling("groups", groups, position, column="story", n_splits=min(5, int(groups.max()) + 1))
    )
    metric = Encoding("ridge", ALPHAS, sampled)
    nothing = np.empty((0, n_neuroids))
    headline = Headline(
        [np.arange(n_neuroids)], (), none, None, nothing, np.empty(n_neuroids), np.ones(n_stimuli), sampled.tests,
        np.ones(n_stimuli),
    )  # fmt: skip
    windows = np.stack([starts, starts + width], axis=1)
    ids = np.array([f"n{i}" for i in range(n_neuroids)], object)
    timed = Timed(windows, mean.astype(np.float32), headline, np.full((n_bins, n_neuroids), np.nan), ids)
    tested = np.arange(n_neuroids)
    fitted = fit_every_bin({"z": features}, timed, metric, False, {}, tested)
    options = ScoringOptions(seed, 100, n_permutations)
    return statistics(timed, metric, fitted, tested, options, generalize)


def interval(found, windows_start, width=20.0):
    """Start and end, in ms, of the interval of the onset; None where there is no onset."""
    onset = found["onset"]
    if onset.bin < 0:
        return None
    low = windows_start[onset.first] if onset.first >= 0 else -np.inf
    high = windows_start[onset.last] + width if onset.last >= 0 else np.inf
    return float(low), float(high)
