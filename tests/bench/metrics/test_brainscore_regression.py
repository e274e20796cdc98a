"""Brain-Score's metrics give Brain-Score's own numbers.

The constants were printed by brainscore_vision 2.4.2 and brainscore_language 2.3.0 on the data made here.
"""

import numpy as np
import pandas as pd
import pytest

from brodmann.bench.metrics.base import ScoringOptions
from brodmann.bench.metrics.brainscore_regression import (
    generalized_ridge,
    generalized_ridge_draws,
    internal_consistency,
)
from brodmann.bench.metrics.language_ridge import PENALTIES as LANGUAGE_PENALTIES
from brodmann.bench.metrics.recording import Recording
from brodmann.bench.metrics.registries import METRICS
from brodmann.bench.metrics.ridgecv import PENALTIES as VISION_PENALTIES

VISION = {
    "pls": (0.7474812499, 1e-4),  # scikit-learn stops its power iterations early; brodmann does not
    "ridge1": (0.7402504948, 1e-6),
    "linear_predictivity": (0.7381797698, 1e-6),
    "neuron_to_neuron": (0.5684806428, 1e-6),
    "ridgecv": (0.7909070682, 1e-6),
    "cka": (0.5058075733, 1e-6),
    "cka_biased": (0.5182151248, 1e-6),
    "rdm": (0.4683868550, 1e-6),
}
LANGUAGE = {"language_linear": 0.5568312834, "language_ridge": 0.6785236197}
QUICK = ScoringOptions(n_bootstraps=100, n_permutations=99)


@pytest.fixture(scope="module")
def vision():
    rng = np.random.default_rng(0)
    n, repetitions, neuroids, features = 320, 6, 12, 60
    latent, weights = rng.normal(size=(n, 10)), rng.normal(size=(10, neuroids))
    x = latent @ rng.normal(size=(10, features)) + 0.5 * rng.normal(size=(n, features))
    y = (latent @ weights)[:, None, :] + 6 * rng.normal(size=(n, repetitions, neuroids))
    ids = np.array([f"im{i:04d}" for i in rng.permutation(n)], object)
    objects = np.array([f"o{i % 8}" for i in range(n)], object)
    order = np.argsort(ids)
    columns = {"object_name": objects[order]}
    return x[order], Recording("golden.IT", ids[order], y[order], None, pd.DataFrame(), columns)


@pytest.fixture(scope="module")
def language():
    rng = np.random.default_rng(0)
    n, neuroids, features = 243, 20, 64
    latent = rng.normal(size=(n, 8))
    x = latent @ rng.normal(size=(8, features)) + rng.normal(size=(n, features))
    y = latent @ rng.normal(size=(8, neuroids)) + 3 * rng.normal(size=(n, neuroids))
    story = np.array([f"st{i // 10:02d}" for i in range(n)], object)
    ids = np.arange(n).astype(object)
    return x, Recording("golden.language", ids, y[:, None], None, pd.DataFrame(), {"story": story})


@pytest.mark.parametrize("name", VISION)
def test_vision(vision, name):
    x, recorded = vision
    metric = METRICS[name].make(recorded, {})
    metric_result = metric.evaluate({"layer": x}, recorded, metric.ceiling(recorded), QUICK)
    expected, tolerance = VISION[name]
    assert metric_result.raw == pytest.approx(expected, abs=tolerance)
    assert metric_result.layers["layer"] == pytest.approx(expected, abs=tolerance)
    assert metric_result.ci[0] < metric_result.value < metric_result.ci[1]
    # neuroids that are fitted together: twice the median over splits, since fitting anew would take too long
    assert metric_result.p == pytest.approx(0.02 if name == "pls" else 0.01)
    assert metric_result.methods.get("smallest_p", 0.01) == pytest.approx(metric_result.p)


def test_ceiling_error_and_normalisation(vision):
    x, recorded = vision
    metric = METRICS["pls"].make(recorded, {})
    ceiling = metric.ceiling(recorded)
    assert ceiling.value == pytest.approx(0.6518893323, abs=1e-6)
    metric_result = metric.evaluate({"layer": x}, recorded, ceiling, QUICK)
    assert metric_result.methods["error"] == pytest.approx(0.0080004599, abs=1e-4)
    assert metric_result.value == pytest.approx(0.8570906000, abs=1e-4)
    assert metric_result.normalization == "r2_over_ceiling"


@pytest.mark.parametrize("name", LANGUAGE)
def test_language(language, name):
    x, recorded = language
    metric = METRICS[name].make(recorded, {})
    metric_result = metric.evaluate({"layer": x}, recorded, metric.ceiling(recorded), QUICK)
    assert metric_result.raw == pytest.approx(LANGUAGE[name], abs=1e-6)


@pytest.mark.parametrize("shape", [(40, 7), (40, 90)])
def test_draws_of_the_ridge_are_those_of_scikit_learn(shape):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=shape), rng.normal(size=(5, shape[0], 6))
    y[2:] += x[:, :6] * np.array([0.2, 1, 5])[:, None, None]
    for penalties in (VISION_PENALTIES, LANGUAGE_PENALTIES):
        found = generalized_ridge_draws(x[:30], y[:, :30], x[30:], penalties=penalties)
        for one, each in zip(y, found, strict=True):
            expected = generalized_ridge(x[:30], one[:30], x[30:], penalties=penalties)
            np.testing.assert_allclose(each, expected, atol=1e-8)


def test_a_missing_repetition_is_skipped_not_counted(vision):
    _, recorded = vision
    cube = recorded.responses.copy()
    cube[::7, 5] = np.nan
    value, _ = internal_consistency(cube)
    assert value == pytest.approx(0.65, abs=0.05)


def test_a_constant_feature_is_counted_and_not_a_silent_nan(vision):
    _, recorded = vision
    metric = METRICS["neuron_to_neuron"].make(recorded, {})
    metric_result = metric.evaluate({"flat": np.ones((320, 3))}, recorded, metric.ceiling(recorded), QUICK)
    assert metric_result.raw == 0.0
    assert list(metric_result.left_out.values()) == [12]


def test_the_layer_is_chosen_on_training_stimuli(vision):
    x, recorded = vision
    noise = np.random.default_rng(1).normal(size=x.shape)
    metric = METRICS["ridge1"].make(recorded, {})
    metric_result = metric.evaluate({"noise": noise, "good": x}, recorded, metric.ceiling(recorded), QUICK)
    assert metric_result.layer == "good"
    assert set(metric_result.layer_by_split) == {"good"}
    assert abs(metric_result.layers["noise"]) < 0.15
