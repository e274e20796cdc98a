"""The encoding score on simulated recordings, whose truth is known by construction."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kstest

from brodmann.bench.metrics.base import ScoringOptions
from brodmann.bench.metrics.recording import Recording, recording
from brodmann.bench.metrics.ridge import ridge
from brodmann.brain_data.simulated_cortex import simulated_cortex, simulated_language

SEEDS = 60
N_STIMULI = 200
INTERVAL_ONLY = ScoringOptions(n_bootstraps=300, n_permutations=0)


def found(features, recorded, options=INTERVAL_ONLY):
    """What ridge finds of layers, by itself or by name."""
    metric = ridge(replace(recorded, blocks="none"), inner_folds=3)
    layers = features if isinstance(features, dict) else {"layer": features}
    return metric.evaluate(layers, recorded, metric.ceiling(recorded), options)


def covers(ci, truth):
    return ci[0] <= truth <= ci[1]


@pytest.mark.parametrize("reliability", [0.4, 0.7, 0.9])
@pytest.mark.parametrize("region", ["V1", "IT"])
def test_the_generating_process_reaches_the_ceiling_and_noise_scores_nothing(region, reliability):
    data = simulated_cortex(reliability=reliability)
    recorded = recording(data, region)
    ceiling = ridge(replace(recorded, blocks="none")).ceiling(recorded)
    assert ceiling.value == pytest.approx(reliability, abs=0.02)
    options = ScoringOptions(n_bootstraps=300, n_permutations=199)
    truth = found(data.truth["features"][region], recorded, options)
    assert covers(truth.ci, 1.0)
    assert truth.value == pytest.approx(1.0, abs=0.02)
    assert truth.p == pytest.approx(1 / 200)
    noise = np.random.default_rng(0).normal(size=(recorded.n_stimuli, 20))
    nothing = found(noise, recorded, options)
    assert nothing.ci[0] < 0.0
    assert nothing.p > 0.01


def test_the_interval_covers_the_truth_and_p_is_uniform():
    """A cross-validated r of nothing is a little below 0: its interval covers what it is on average."""
    units = np.arange(0, 256, 9)
    best, flawless, nothing, scores, p = [], [], [], [], []
    for seed in range(SEEDS):
        data = simulated_language(seed=seed, n_stimuli=N_STIMULI, n_repetitions=4)
        whole = recording(data, "language")
        recorded = replace(whole, cube=whole.responses[:, :, units], neuroids=whole.neuroids.iloc[units])
        truth = found(data.truth["features"]["language"], recorded)
        best.append(truth.ci)
        flawless.append(truth.value)
        features = np.random.default_rng(10**6 + seed).normal(size=(N_STIMULI, 12))
        noise = found(features, recorded, replace(INTERVAL_ONLY, n_permutations=99))
        nothing.append(noise.ci)
        scores.append(noise.value)
        p.append(noise.p)
    covered = np.mean([covers(ci, np.mean(scores)) for ci in nothing])
    reached = np.mean([covers(ci, np.mean(flawless)) for ci in best])
    print(f"coverage: generating process {reached:.3f}, mean {np.mean(flawless):.3f}")
    print(f"coverage: noise {covered:.3f}, mean {np.mean(scores):.3f}")
    print(f"p of noise against uniform: Kolmogorov-Smirnov p = {kstest(p, 'uniform').pvalue:.3f}")
    assert reached >= 0.88
    assert 0.97 < np.mean(flawless) < 1.01
    assert covered >= 0.88
    assert -0.15 < np.mean(scores) < 0.02
    assert kstest(p, "uniform").pvalue > 0.01


def test_the_interval_covers_the_truth_of_a_model_that_knows_half():
    """Units weigh 3 features that the model has by 1 and 3 that it lacks by 0.7: true score 1 / sqrt(1.49)."""
    truth, reliability, n_repetitions, n_units = 1 / np.sqrt(1.49), 0.6, 4, 30
    hits = []
    for seed in range(SEEDS):
        rng = np.random.default_rng(seed)
        z = rng.normal(size=(N_STIMULI, 6))
        weights = np.repeat([1.0, 0.7], 3)[:, None] * rng.choice([-1, 1], (6, n_units))
        sd = np.sqrt((weights**2).sum(axis=0) * (1 / reliability - 1) * n_repetitions)
        shared = rng.normal(size=(N_STIMULI, n_repetitions, 1))
        own = rng.normal(size=(N_STIMULI, n_repetitions, n_units))
        cube = (z @ weights)[:, None] + sd * (np.sqrt(0.3) * shared + np.sqrt(0.7) * own)
        ids = np.arange(N_STIMULI).astype(object)
        recorded = Recording("half.IT", ids, cube, None, pd.DataFrame(), {})
        hits.append(covers(found(z[:, :3], recorded).ci, truth))
    print(f"coverage: a model that knows half {np.mean(hits):.3f}")
    assert np.mean(hits) >= 0.88


def test_the_layer_is_chosen_on_training_stimuli():
    data = simulated_language(n_stimuli=N_STIMULI)
    recorded = recording(data, "language")
    rng = np.random.default_rng(0)
    z = data.truth["features"]["language"]
    layers = {"noise": rng.normal(size=z.shape), "blurred": z + rng.normal(size=z.shape), "truth": z}
    metric_result = found(layers, recorded, replace(INTERVAL_ONLY, n_bootstraps=0))
    assert metric_result.layer == "truth"
    assert metric_result.layers["noise"] < metric_result.layers["blurred"] < metric_result.layers["truth"]
    assert np.isnan(metric_result.ci).all()


def test_among_many_layers_of_noise_the_best_one_scores_nothing():
    """Choosing on the reported data would give a positive score here."""
    data = simulated_language(n_stimuli=N_STIMULI)
    recorded = recording(data, "language")
    rng = np.random.default_rng(3)
    layers = {f"noise{i}": rng.normal(size=(N_STIMULI, 10)) for i in range(20)}
    metric_result = found(layers, recorded)
    raw = list(metric_result.layers.values())
    assert max(raw) > np.mean(raw) + 0.04
    assert metric_result.raw < max(raw) - 0.02
