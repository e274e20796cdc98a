"""Which penalties were chosen, and what a person is told where they stand at an end of the grid."""

import numpy as np
import pandas as pd
import pytest

from brodmann.analysis.encoding.nested_ridge import ALPHAS, LOWER
from brodmann.bench.metrics.base import ScoringOptions
from brodmann.bench.metrics.recording import Recording
from brodmann.bench.metrics.registries import METRICS

QUICK = ScoringOptions(n_bootstraps=1, n_permutations=39)


def scored(name, x, y, noise=0.1):
    draw = np.random.default_rng(4)
    cube = y[:, None] + noise * draw.normal(size=(len(y), 3, y.shape[1]))
    ids, order = np.arange(len(y)).astype(object), draw.permutation(len(y))
    one = Recording("made.IT", ids, cube, None, pd.DataFrame(), {}, position=order)
    metric = METRICS[name].make(one, {})
    return metric.evaluate({"x": x}, one, metric.ceiling(one), QUICK)


def signal(seed=0, n=200, smaller=1.0, n_useless=60):
    """Useful features many times smaller than useless ones, and what they explain."""
    draw = np.random.default_rng(seed)
    useful, useless = draw.normal(size=(n, 20)), draw.normal(size=(n, n_useless))
    return np.concatenate([useful / smaller, useless], axis=1), useful @ draw.normal(size=(20, 6)) / np.sqrt(
        20
    )


@pytest.mark.parametrize("smaller", [1e3, 1e5])
def test_useful_features_a_thousand_times_smaller_are_found_as_least_squares_finds_them(smaller):
    x, y = signal(smaller=smaller)
    ridge, linear = scored("ridge", x, y), scored("linear", x, y)
    assert linear.raw > 0.98
    assert ridge.raw > linear.raw - 0.01
    assert ridge.methods["penalties"][0] == pytest.approx(LOWER[0])
    assert "widened to 1e-13" in ridge.methods["penalties_told"]
    assert ridge.p == pytest.approx(1 / 40)
    quantiles = ridge.methods["penalties_chosen"]
    assert len(quantiles) == 5
    assert quantiles == sorted(quantiles)
    assert quantiles[2] < ALPHAS[0]
    assert ridge.ci[0] < ridge.value < ridge.ci[1]


def test_features_of_one_scale_keep_the_grid():
    x, y = signal()
    found = scored("ridge", x, y)
    assert found.methods["penalties"] == ALPHAS.tolist()
    assert "widened" not in found.methods.get("penalties_told", "")
    assert "penalties_chosen" not in scored("linear", x, y).methods


def test_where_nothing_can_be_predicted_the_highest_penalty_is_told_and_nothing_is_widened():
    x, _ = signal()
    found = scored("ridge", x, np.random.default_rng(1).normal(size=(200, 30)))
    assert found.methods["penalties"] == ALPHAS.tolist()
    assert found.methods["penalties_at_highest"] > 0.05
    assert "nothing can be predicted" in found.methods["penalties_told"]
