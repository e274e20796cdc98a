"""Recordings of one neuroid, of few stimuli, and draws that all end alike: said, and no number from nothing."""

import math

import numpy as np
import pytest

from brodmann.analysis import layout_null
from brodmann.analysis.statistics.replicates import Replicates
from brodmann.analysis.statistics.resampling import p_value
from brodmann.bench.cli.terminal import summary_rows
from brodmann.bench.metrics.base import ScoringOptions
from brodmann.bench.metrics.recording import Recording
from brodmann.bench.metrics.registries import METRICS
from brodmann.errors import UserError


def recorded(n, n_neuroids, noise=0.1, seed=0, n_repetitions=4):
    import pandas as pd

    draw = np.random.default_rng(seed)
    x = draw.normal(size=(n, 10))
    y = x @ draw.normal(size=(10, n_neuroids)) / np.sqrt(10)
    cube = y[:, None] + noise * draw.normal(size=(n, n_repetitions, n_neuroids))
    table = pd.DataFrame({"neuroid_id": np.arange(n_neuroids)})
    return x, Recording("made.IT", np.arange(n).astype(object), cube, None, table, {}, position=np.arange(n))


def evaluated(name, x, one, **settings):
    metric = METRICS[name].make(one, settings)
    options = ScoringOptions(n_bootstraps=60, n_permutations=19)
    return metric.evaluate({"layer": x}, one, metric.ceiling(one), options)


@pytest.mark.parametrize("n_neuroids", [1, 2])
@pytest.mark.parametrize("name", ["rsa", "rsa_whitened", "rdm"])
def test_patterns_of_one_or_two_neuroids_are_refused_as_the_recordings_fault(name, n_neuroids):
    x, one = recorded(24, n_neuroids)
    with pytest.raises(
        UserError, match=f"at least 3 neuroids.*not {n_neuroids}: predict them instead, by ridge"
    ):
        evaluated(name, x, one)


@pytest.mark.parametrize("name", ["pls", "linear_predictivity", "language_linear", "ridge1"])
def test_twelve_stimuli_print_no_interval_of_no_width(name):
    x, one = recorded(12, 6)
    found = evaluated(name, x, one)
    low, high = found.ci
    assert math.isnan(low) == math.isnan(high) == found.methods["interval"].startswith("none: ")
    assert math.isnan(low) or high - low > 1e-6


@pytest.mark.parametrize("kind", ["jackknife", "bootstrap"])
def test_draws_that_all_end_alike_make_no_interval(kind):
    assert np.isnan(Replicates(1.0, np.ones(30), kind, 30).interval()).all()
    low, high = Replicates(1.0, np.linspace(0.9, 1.1, 30), kind, 30).interval()
    assert low < 1 < high


def test_no_value_has_no_p():
    assert math.isnan(p_value(float("nan"), np.array([0.1, 0.2])))


def test_the_unit_of_a_map_does_not_move_its_null():
    places = np.indices((12, 12)).reshape(2, -1).T * 1.0
    values = np.sin(places[:, 0] / 3)

    def steps(one):
        return float(np.abs(one[1:] - one[:-1]).mean())

    found = [
        layout_null(steps, values * scale, places, permutations=49, tail="lower").p
        for scale in (1, 1e-13, 1e13)
    ]
    assert found == [0.02] * 3


def test_the_ceiling_belongs_to_the_neuroids_that_the_score_is_about():
    x, one = recorded(120, 12, noise=1.0)
    draw = np.random.default_rng(5)
    cube = one.cube.copy()
    cube[:, :, :6] = draw.normal(size=(120, 4, 6))  # half of the neuroids are noise
    noisy = Recording(one.name, one.stimulus_ids, cube, None, one.neuroids, {}, position=one.position)
    metric = METRICS["ridge"].make(noisy, {"least_reliability": 0.3})
    ceiling = metric.ceiling(noisy)
    found = metric.evaluate({"layer": x}, noisy, ceiling, ScoringOptions(n_bootstraps=0, n_permutations=0))
    assert found.n_neuroids == 6
    assert ceiling.value > 0.6  # of all twelve it would lie near 0.3
    assert found.value == pytest.approx(found.raw / np.sqrt(ceiling.value))


def test_scores_without_interval_and_p_are_listed():
    one = {"benchmark": "b", "model": "m", "score": None, "ci": [None, None], "ceiling": None, "p": None}
    assert summary_rows([one]) == [("b", "", "", "", ""), ("  m", "none", "none", "none", "none")]


@pytest.mark.parametrize("n_neuroids", [1, 2, 3, 4])
def test_few_neuroids_have_an_interval_and_no_p_of_zero(n_neuroids):
    """The quartiles of two values lie between them, so that there is no middle half."""
    x, one = recorded(60, n_neuroids, noise=2.0)
    metric = METRICS["ridge"].make(one, {})
    blurred = x + np.random.default_rng(1).normal(size=x.shape)
    good, bad = (
        metric.evaluate({"a": features}, one, metric.ceiling(one), ScoringOptions(n_permutations=0))
        for features in (x, blurred)
    )
    assert 0.02 < good.ci[1] - good.ci[0] < 1.5
    assert 0 < (good.replicates - bad.replicates).p() < 0.5


def test_a_difference_of_no_width_has_no_p():
    same = Replicates(0.05, np.zeros(40), "jackknife", 40)
    assert np.isnan(same.p())
    assert np.isnan(same.interval()).all()
