"""How often what is said of curves over time is wrong, over 200 simulated recordings of a kind."""

import numpy as np
import pytest
from timed_arrays import ends, many, simulated

N = 200
FEATURES = np.random.default_rng(0).normal(size=(48, 4))


def recordings(**how):
    """Many of a kind, each with a latency of its own; the latencies, in ms, and the starts of bins."""
    latencies = np.random.default_rng(5).uniform(30, 90, N)
    made = [simulated(FEATURES, seed, latency=one, **how) for seed, one in enumerate(latencies)]
    return np.array([mean for mean, _ in made]), latencies, made[0][1]


@pytest.mark.parametrize("groups", [None, np.arange(48) // 6], ids=["stimuli", "groups-of-6"])
def test_without_signal_a_twentieth_of_curves_has_a_bin_or_a_cluster_over_200_seeds(groups):
    """Noise that goes on from bin to bin, AR(1) of .9."""
    means, _, starts = recordings(gain=0.0, memory=0.9)
    found = many(means, FEATURES, starts, groups=groups)
    bins = np.mean([one["p"].min() <= 0.05 for one in found])
    clusters = np.mean([min((c.p for c in one["clusters"]), default=1) <= 0.05 for one in found])
    onsets = np.mean([one["onset"].bin >= 0 for one in found])
    print(f"wrong at .05: maximum {bins:.3f}, clusters {clusters:.3f}; onsets {onsets:.3f}")
    limit = 0.05 + 3 * np.sqrt(0.05 * 0.95 / N)
    assert bins <= limit
    assert clusters <= limit
    assert onsets <= limit


@pytest.mark.parametrize(
    ("kind", "gain"),
    [("sustained", 2.0), ("sustained", 1.0), ("transient", 2.0)],
    ids=["strong", "weaker", "transient"],
)
def test_the_interval_of_an_onset_holds_the_truth_over_200_seeds(kind, gain):
    means, latencies, starts = recordings(gain=gain, kind=kind)
    found = many(means, FEATURES, starts)
    pairs = [(ends(one["onset"], starts), true) for one, true in zip(found, latencies, strict=True)]
    known = [(*both, true) for both, true in pairs if both is not None]
    low, high, true = np.array(known).T
    covers = np.mean((low <= true) & (true <= high))
    width = np.median(np.minimum(high, 200) - np.maximum(low, 0))
    print(
        f"{kind}, peak r {np.median([one['r'].max() for one in found]):.2f}: onset in {len(known) / N:.3f}, its "
        f"interval holds the truth {covers:.3f}, width {width:.0f} ms, too late {np.mean(low > true):.3f}"
    )
    assert len(known) >= 0.9 * N
    assert covers >= 0.88
