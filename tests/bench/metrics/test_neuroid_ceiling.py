"""Ceilings of single neuroids: of the variance within folds, of unequal repetitions, of published ncsnr, and none."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from brodmann.bench import ScoringOptions, make_benchmark
from brodmann.bench.metrics.headline import LEAST_RELIABILITY
from brodmann.brain_data import Dataset
from brodmann.brain_data.noise_ceiling import noise_variance, reliability_within, repetition_weights

N = 400


def cube(reliability, repetitions, *, seed=0, n=N, n_neuroids=40):
    """Signal of variance 1 and the noise that gives the mean of all repetitions its reliability."""
    rng = np.random.default_rng(seed)
    noise = np.sqrt((1 / reliability - 1) * repetitions)
    return rng.normal(size=(n, 1, n_neuroids)) + noise * rng.normal(size=(n, repetitions, n_neuroids))


def benchmark(responses, **options):
    table = pd.DataFrame(
        {"stimulus_id": [f"s{i:03d}" for i in range(N)], "sentence": [f"{i}" * 9 for i in range(N)]}
    )
    data = Dataset.from_arrays("mine", responses, table, blocks="none")
    return make_benchmark(data, metric="ridge", **options)


def test_the_ceiling_is_the_reliability_of_the_mean_response():
    ceiling = benchmark(cube(0.4, 3)).noise_ceiling
    assert ceiling.kind == "reliability"
    assert ceiling.value == pytest.approx(0.4, abs=0.03)
    assert ceiling.per_neuroid.mean() == pytest.approx(0.4, abs=0.02)


def test_a_recording_of_noise_has_no_ceiling_and_says_why():
    ceiling = benchmark(np.random.default_rng(0).normal(size=(N, 3, 40))).noise_ceiling
    assert (ceiling.kind, ceiling.per_neuroid.shape) == ("none", (40,))
    assert f"too noisy, reliability {np.median(ceiling.per_neuroid):.2f}" in ceiling.note
    assert str(LEAST_RELIABILITY) in ceiling.note


def test_variance_between_parts_is_no_part_of_the_ceiling():
    """Groups that differ much: the variance between them is not what a held-out r is of."""
    rng = np.random.default_rng(1)
    parts = np.array_split(np.arange(N), 5)
    responses = cube(0.4, 2)
    for part in parts:
        responses[part] += 10 * rng.normal(size=responses.shape[2])
    counts, weights = np.full(N, 2.0), np.ones(N)
    mean, noise = responses.mean(axis=1), noise_variance(responses)
    within = reliability_within(mean, noise, counts, parts, weights)
    whole = reliability_within(mean, noise, counts, [np.arange(N)], weights)
    assert np.median(within) == pytest.approx(0.4, abs=0.03)
    assert np.median(whole) > 0.9


@pytest.mark.parametrize("weighted", [False, True])
def test_unequal_repetitions_are_right_under_any_weights(weighted):
    responses = cube(0.5, 6, seed=2)
    once = np.random.default_rng(3).random(N) < 0.5
    responses[once, 1:] = np.nan
    counts = (~np.isnan(responses[:, :, 0])).sum(axis=1).astype(float)
    weights = repetition_weights(responses) if weighted else np.ones(N)
    mean = np.nanmean(responses, axis=1)
    found = reliability_within(mean, noise_variance(responses), counts, [np.arange(N)], weights)
    signal, noise = 1.0, 6.0
    variance = (weights * (signal + noise / counts)).sum()
    assert np.median(found) == pytest.approx(signal * weights.sum() / variance, abs=0.03)
    if weighted:
        assert weights[~once].min() > 2 * weights[once].max()


def test_a_published_ncsnr_stands_for_repetitions_that_were_not_released():
    """ncsnr^2 / (ncsnr^2 + 1 / n), here of the mean of what was one presentation."""
    rng = np.random.default_rng(4)
    ratio, features = 0.8, rng.normal(size=(N, 5))
    signal = features @ rng.normal(size=(5, 30))
    responses = signal / signal.std(axis=0) + rng.normal(size=(N, 30)) / ratio
    assert benchmark(responses).noise_ceiling.kind == "none"
    ids, neuroids = [f"s{i:03d}" for i in range(N)], [f"n{i}" for i in range(30)]
    known = {"stimulus_id": ("presentation", ids), "neuroid_id": ("neuroid", neuroids)}
    published = known | {"ncsnr": ("neuroid", np.full(30, ratio))}
    made = benchmark(xr.DataArray(responses, dims=("presentation", "neuroid"), coords=published))
    ceiling = made.noise_ceiling
    assert ceiling.kind == "reliability"
    assert ceiling.value == pytest.approx(ratio**2 / (ratio**2 + 1), abs=0.02)
    options = ScoringOptions(n_permutations=0)
    result = made.metric.evaluate({"truth": features}, made.recording, ceiling, options)
    assert result.value == pytest.approx(1, abs=0.03)
    assert result.ci[0] < 1 < result.ci[1]


def test_neuroids_are_chosen_on_other_stimuli_than_they_are_scored_on():
    responses = cube(0.5, 3, seed=5)
    responses[:, :, 20:] = np.random.default_rng(6).normal(size=(N, 3, 20))
    chosen = benchmark(responses, least_reliability=0.2)
    weights, kept = chosen.metric.chosen(chosen.recording)
    assert set(kept) >= set(range(18))
    assert len(set(kept) & set(range(20, 40))) <= 4
    assert 0.3 < (weights == 0).mean() < 0.7
    assert chosen.noise_ceiling.value == pytest.approx(0.5, abs=0.06)
