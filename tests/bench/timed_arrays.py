"""Curves over time of arrays, without data sets, keys or files: what can be asked of many seeds."""

from dataclasses import replace

import numpy as np
from timed_cases import course

from brodmann.analysis.encoding.nested_ridge import ALPHAS
from brodmann.analysis.statistics.over_bins import Spread
from brodmann.bench.metrics.base import ScoringOptions
from brodmann.bench.metrics.headline import Headline
from brodmann.bench.metrics.normalization import none
from brodmann.bench.metrics.ridge import Encoding
from brodmann.bench.metrics.sampling import Sampling
from brodmann.bench.over_time import statistics
from brodmann.bench.over_time.fits import fit_every_bin, permuted_bins, r_of_bins, without_groups
from brodmann.bench.over_time.timed import Timed


def simulated(features, seed, *, gain, latency=70.0, kind="sustained", n_neuroids=5, width=20.0, first=-100, last=200,
              noise=1.0, memory=0.8):  # fmt: skip
    """Mean responses (n_bins, n_stimuli, n_neuroids) with AR(1) noise over bins; and the starts of the bins."""
    generator = np.random.default_rng([seed, 3])
    n_stimuli, n_features = features.shape
    weights = generator.normal(size=(n_features, n_neuroids)) / np.sqrt(n_features)
    starts = np.arange(first, last, width)
    shape = course(kind, starts, int(width), latency)
    carried = generator.normal(size=(len(starts), n_stimuli, n_neuroids))
    for i in range(1, len(starts)):
        carried[i] = memory * carried[i - 1] + np.sqrt(1 - memory**2) * carried[i]
    return gain * shape[:, None, None] * (features @ weights) + noise * carried, starts


def many(means, features, starts, *, width=20.0, groups=None, n_permutations=39, seed=0):
    """What is said of each of many recordings of the same stimuli, (n_recordings, n_bins, n_stimuli, n_neuroids).

    All are columns of one fit, and every order is the same for all of them.
    """
    n, n_bins, n_stimuli, n_each = means.shape
    mean = means.transpose(1, 2, 0, 3).reshape(n_bins, n_stimuli, n * n_each).astype(np.float32)
    position = np.arange(n_stimuli)
    sampled = (
        Sampling("independent", None, position)
        if groups is None
        else Sampling("groups", groups, position, column="story", n_splits=min(5, int(groups.max()) + 1))
    )
    metric = Encoding("ridge", ALPHAS, sampled)
    whole = timed(mean, starts, width, sampled)
    everyone = np.arange(n * n_each)
    fitted = fit_every_bin({"z": features}, whole, metric, False, {}, everyone)
    r = r_of_bins(whole, metric, fitted.predictions)
    left = without_groups(whole, metric, everyone, fitted)
    orders = sampled.orders(n_permutations, seed + 2)
    null = permuted_bins(whole, metric, fitted, everyone, orders, generalized=False)
    return [
        _of_one(timed(mean[:, :, one], starts, width, sampled), r[:, one], left[:, :, one], null, one, seed)
        for one in np.split(everyone, n)
    ]


def timed(mean, starts, width, sampled):
    """Arrays as what was recorded of a region."""
    n_bins, n_stimuli, n_neuroids = mean.shape
    headline = Headline(
        [np.arange(n_neuroids)], (), none, None, np.empty((0, n_neuroids)), np.empty(n_neuroids), np.ones(n_stimuli),
        sampled.tests, np.ones(n_stimuli),
    )  # fmt: skip
    ids = np.array([f"n{i}" for i in range(n_neuroids)], object)
    windows = np.stack([starts, starts + width], axis=1)
    return Timed(windows, mean, headline, np.full((n_bins, n_neuroids), np.nan), ids)


def _of_one(one, r, left, null, columns, seed):
    curve = one.headline.raw(r)
    ones = np.ones(left.shape[::2])
    each = [one.headline.replicates(r[i], left[:, i], ones, one.headline, r[i]) for i in range(len(r))]
    without = np.array([replicates.samples for replicates in each]).T
    neuroids = null.neuroids[:, :, columns]
    own = replace(null, curves=one.headline.raw(neuroids.astype(float)), neuroids=neuroids)
    found = statistics.against_null(
        one, curve, r, np.empty((0, 0)), own, Spread(without), np.arange(len(columns)), ScoringOptions(seed)
    )
    return found | {"r": curve, "intervals": np.array([one.interval() for one in each])}


def ends(latency, starts, width=20.0):
    """Start and end, in ms, of the interval of a latency; None where there is none."""
    if latency.bin < 0:
        return None
    low = starts[latency.first] if latency.first >= 0 else -np.inf
    high = starts[latency.last] + width if latency.last >= 0 else np.inf
    return float(low), float(high)
