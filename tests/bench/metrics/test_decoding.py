"""Decoding: identification from the recording itself and from a model's predictions."""

import numpy as np
import pandas as pd
import pytest

from brodmann import UserError
from brodmann.bench.metrics.base import ScoringOptions
from brodmann.bench.metrics.decoding import Decoding
from brodmann.bench.metrics.recording import Recording, recording
from brodmann.brain_data.simulated_cortex import simulated_cortex

QUICK = ScoringOptions(n_bootstraps=50, n_permutations=99)


def conditions(noise, seed=0, n_conditions=8, n_repetitions=12, n_neuroids=50):
    rng = np.random.default_rng(seed)
    signal = rng.normal(size=(n_conditions, 1, n_neuroids))
    cube = 5 + signal + noise * rng.normal(size=(n_conditions, n_repetitions, n_neuroids))
    ids = np.array([f"c{i}" for i in range(n_conditions)], object)
    return Recording("made.IT", ids, cube, None, pd.DataFrame(), {})


def test_clear_patterns_are_all_identified():
    metric_result = Decoding().evaluate_recording(conditions(0.5), QUICK)
    assert metric_result.raw == 1.0
    assert metric_result.p == pytest.approx(0.01)


def test_noise_is_identified_at_chance():
    found = [
        Decoding()
        .evaluate_recording(conditions(1e6, seed), ScoringOptions(n_bootstraps=0, n_permutations=0))
        .raw
        for seed in range(60)
    ]
    assert np.mean(found) == pytest.approx(0.5, abs=0.05)


def test_a_wrong_pairing_falls_to_chance():
    recorded = conditions(0.5)
    rng = np.random.default_rng(1)
    found = []
    for _ in range(60):
        cube = recorded.responses.copy()
        for repetition in range(cube.shape[1]):
            cube[:, repetition] = cube[rng.permutation(8), repetition]
        wrong = Recording("wrong.IT", recorded.stimulus_ids, cube, None, pd.DataFrame(), {})
        found.append(
            Decoding().evaluate_recording(wrong, ScoringOptions(n_bootstraps=0, n_permutations=0)).raw
        )
    assert np.mean(found) == pytest.approx(0.5, abs=0.06)


def test_labels_generalise_across_positions_only_where_the_code_does():
    objects, places = np.repeat(list("abcd"), 3), np.tile(["up", "mid", "low"], 4)
    columns = {"object": objects.astype(object), "position": places.astype(object)}
    ids = np.array([f"{o}_{p}" for o, p in zip(objects, places, strict=True)], object)
    decoding = Decoding(label="object", across="position")
    found = {"identity": [], "tied to place": []}
    for seed in range(20):
        rng = np.random.default_rng(seed)
        identity = np.repeat(rng.normal(size=(4, 1, 40)), 3, axis=0)
        for name, signal in (("identity", identity), ("tied to place", rng.normal(size=(12, 1, 40)))):
            cube = signal + 0.3 * rng.normal(size=(12, 10, 40))
            recorded = Recording("made.IT", ids, cube, None, pd.DataFrame(), columns)
            metric_result = decoding.evaluate_recording(
                recorded, ScoringOptions(n_bootstraps=0, n_permutations=0)
            )
            found[name].append(metric_result.raw)
    assert np.mean(found["identity"]) == 1.0
    assert np.mean(found["tied to place"]) == pytest.approx(0.5, abs=0.1)


def test_a_model_identifies_what_it_can_predict():
    data = simulated_cortex(n_stimuli=200)
    recorded = recording(data, "IT")
    decoding = Decoding()
    ceiling = decoding.ceiling(recorded)
    assert ceiling.kind == "accuracy"
    noise = np.random.default_rng(0).normal(size=(200, 12))
    layers = {"noise": noise, "truth": data.truth["features"]["IT"]}
    good = decoding.evaluate(layers, recorded, ceiling, QUICK)
    assert good.layer == "truth"
    assert good.raw > 0.97
    assert good.p == pytest.approx(0.01)
    nothing = decoding.evaluate({"noise": noise}, recorded, ceiling, QUICK)
    assert nothing.ci[0] < 0 < nothing.ci[1]


def test_single_presentations_cannot_be_decoded_from_themselves():
    with pytest.raises(UserError, match="at least 2 of them, not 1"):
        Decoding().evaluate_recording(conditions(0.5, n_repetitions=1), QUICK)
