"""i2n: worlds in which it is known which pictures are hard."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

import brodmann
from brodmann import UserError
from brodmann.bench import make_benchmark
from brodmann.bench.metrics.base import ScoringOptions
from brodmann.bench.metrics.i2n import correlation, i2n, model_rates
from brodmann.bench.metrics.recording import recording
from brodmann.bench.metrics.registries import METRICS
from brodmann.brain_data import Dataset
from brodmann.brain_data.formats.folder import load_folder
from brodmann.brain_data.formats.folder_writer import save_folder

QUICK = ScoringOptions(n_bootstraps=10, n_permutations=49)
N_OBJECTS, N_PICTURES, N_TRIALS = 5, 30, 30
OBJECTS = [f"object{i}" for i in range(N_OBJECTS)]


def world(seed=0, *, n_repetitions=4, noise=0.0):
    """Pictures about the place of their object in a space; people choose by a readout of it, with chance."""
    rng = np.random.default_rng(seed)
    own = np.repeat(np.arange(N_OBJECTS), N_PICTURES)
    features = 1.5 * rng.normal(size=(N_OBJECTS, 12))[own] + 2 * rng.normal(size=(len(own), 12))
    seen = i2n(model_rates(features, own), own)
    true = norm.cdf(1 + 4 * (seen + noise * seen.std() * rng.normal(size=seen.shape)))
    rates = rng.binomial(N_TRIALS, true[:, None].repeat(n_repetitions, 1)) / N_TRIALS
    rates[np.arange(len(own)), :, own] = 1
    ids = [f"s{i:03d}" for i in range(len(own))]
    columns = {"object": np.array(OBJECTS)[own], "sentence": [f"picture {i}" for i in ids]}
    table = pd.DataFrame({"stimulus_id": ids} | columns)
    responses = pd.DataFrame(
        rates.reshape(-1, N_OBJECTS), columns=OBJECTS, index=np.repeat(ids, n_repetitions)
    )
    return features, own, Dataset.from_arrays("made", responses, table, region="people")


def evaluated(layers, data, options=QUICK):
    recorded = recording(data, "people")
    metric = METRICS["i2n"].make(recorded, {})
    return metric.evaluate(layers, recorded, metric.ceiling(recorded), options)


def test_a_pattern_is_what_is_left_of_d_prime_without_its_objects_mean():
    own = np.array([0, 0, 1, 1])
    rates = np.array([[1, 0.9], [1, 0.6], [0.7, 1], [0.8, 1]])
    far = [1 - norm.cdf(norm.ppf(rates[own != one, one])).mean() for one in (0, 1)]
    d_prime = np.array([norm.ppf(rates[i, 1 - own[i]]) - norm.ppf(far[own[i]]) for i in range(4)])
    expected = [d_prime[i] - d_prime[own == own[i]].mean() for i in range(4)]
    np.testing.assert_allclose(i2n(rates, own)[np.arange(4), 1 - own], expected)
    assert np.abs(i2n(np.array([[1.0, 1.0], [1.0, 0.0]]), np.array([0, 0]))[:, 1]).tolist() == [2.5, 2.5]


def test_people_who_see_what_the_layer_holds_are_met_up_to_their_noise():
    """Rates of all or none are held at z of 2.5, more of them in halves: the ceiling errs a little low."""
    results = []
    for seed in range(5):
        features, _, data = world(seed)
        results.append(evaluated({"seen": features}, data))
    assert 0.9 < np.mean([one.value for one in results]) < 1.12
    assert max(one.raw for one in results) < 0.97
    assert {one.p for one in results} == {1 / 50}
    assert all(one.ci[0] < one.value < one.ci[1] for one in results)
    assert results[0].normalization == "ratio_of_medians"


def test_the_ceiling_is_the_reliability_of_the_pattern():
    """More trials, more of it; r of two worlds of answers to the same truth is what it says."""
    _, own, data = world(1)
    again = world(1, n_repetitions=8)[2]
    recorded = recording(data, "people")
    more = recording(again, "people")
    ceilings = [METRICS["i2n"].make(one, {}).ceiling(one).value for one in (recorded, more)]
    assert 0.3 < ceilings[0] < ceilings[1] < 1
    asked = own[:, None] != np.arange(N_OBJECTS)
    halves = [i2n(more.cube[:, part].mean(axis=1), own) for part in (slice(0, 4), slice(4, 8))]
    assert correlation(*halves, asked) == pytest.approx(ceilings[0], abs=0.06)


def test_objects_that_are_easy_say_nothing_of_pictures():
    """A layer that knows the object, and nothing of its pictures, has no i2n; neither has noise."""
    _, own, data = world(2)
    rng = np.random.default_rng(3)
    only_objects = [np.eye(N_OBJECTS)[own] + 0.5 * rng.normal(size=(len(own), N_OBJECTS)) for _ in range(6)]
    noise = [rng.normal(size=(len(own), 8)) for _ in range(6)]
    for layers in (only_objects, noise):
        results = [evaluated({"layer": one}, data) for one in layers]
        assert abs(np.mean([one.value for one in results])) < 0.08
        assert np.mean([one.p for one in results]) > 0.2
        assert np.mean([one.ci[0] <= 0 <= one.ci[1] for one in results]) > 0.6


def test_of_several_layers_the_better_one_and_the_record_keeps_its_promises():
    features, _, data = world(4)
    noise = np.random.default_rng(5).normal(size=features.shape)
    result = evaluated({"noise": noise, "seen": features}, data)
    assert set(result.layer_by_split) == {"seen"} == {result.layer}
    assert result.layers["seen"] > result.layers["noise"] + 0.3
    assert result.replicates.value == pytest.approx(result.value)
    np.testing.assert_array_equal(result.replicates.interval(), result.ci)
    assert {"interval", "p", "seed", "smallest_p"} <= set(result.methods)


def test_people_asked_once_have_no_ceiling():
    features, _, data = world(6, n_repetitions=1)
    result = evaluated({"seen": features}, data)
    assert result.value == result.raw > 0.3
    assert result.methods["ceiling"] == "none: shown once"


def test_a_folder_of_ones_own_is_scored(tmp_path):
    features, _, data = world(7)
    data.stimuli["size"] = features[:, 0]
    save_folder(data, tmp_path / "choices")
    benchmark = make_benchmark(load_folder(tmp_path / "choices", "choices"), metric="i2n")
    score = brodmann.score("column:size", benchmark, run=tmp_path / "run", n_permutations=19)
    assert -1 < score.attrs["raw_value"] < 1
    assert score.attrs["record"]["ceiling_kind"] == "reliability"


def test_what_does_not_fit_is_one_line():
    data = world()[2]
    recorded = recording(data, "people")
    with pytest.raises(UserError, match="unknown stimulus column of made.people 'thing'"):
        METRICS["i2n"].make(recorded, {"label": "thing"})
    with pytest.raises(UserError, match="objects in 'sentence' and neuroids must be the same"):
        METRICS["i2n"].make(recorded, {"label": "sentence"})
    recorded.cube[0, 0, 0] = 1.5
    with pytest.raises(UserError, match="needs rates from 0 to 1"):
        METRICS["i2n"].make(recorded, {})
