"""Minimal pairs: accuracies that are known, ties, chance, and what is said of the interval."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from behavior_worlds import pairs

import brodmann
from brodmann import UserError
from brodmann.bench import make_benchmark
from brodmann.bench.metrics.accuracy import rightly
from brodmann.bench.metrics.base import ScoringOptions
from brodmann.bench.metrics.registries import METRICS
from brodmann.brain_data import Dataset

QUICK = ScoringOptions(n_bootstraps=10, n_permutations=199)


def evaluated(told, recorded, options=QUICK, **settings):
    metric = METRICS["accuracy"].make(recorded, settings)
    return metric.evaluate({"surprisal": told[:, None]}, recorded, metric.ceiling(recorded), options)


def test_the_mean_of_paradigms_is_known():
    """Of paradigm i the first 10 + 3 i of 40 pairs are right: whatever the surprisal of both."""
    good, pair, paradigm, recorded = pairs()
    right = pair % 40 < 10 + 3 * paradigm
    told = 30 + pair % 7 - np.where(good == 1, 1.0, -1.0) * np.where(right, 1, -1)
    found = evaluated(told, recorded)
    each = (10 + 3 * np.arange(8)) / 40
    assert found.raw == found.value == pytest.approx(each.mean())
    assert found.methods["accuracy_of_paradigms"][2] == f"paradigm02 {16 / 40:.3f}"
    assert (
        found.methods["fields"]
        == f"semantics {each[::2].mean():.3f}, syntax {each[1::2].mean():.3f} (chance 0.5)"
    )
    assert (found.n_stimuli, found.methods["n_pairs"], found.unit) == (640, 320, "none")
    error = each.std(ddof=1) / np.sqrt(8)
    assert found.ci[1] - found.value == pytest.approx(2.3646 * error, rel=1e-3)
    within = np.sqrt((each * (1 - each) / 39).sum()) / 8
    low, high = found.methods["interval_of_these_paradigms"]
    assert (high - low) / 2 == pytest.approx(1.9676 * within, rel=1e-3)


def test_ties_count_half_and_rounding_is_a_tie():
    np.testing.assert_array_equal(
        rightly(np.array([1.0, 2.0, 3.0, 40.0]), np.array([2.0, 1.0, 3.0, 40.0 + 1e-10])), [1, 0, 0.5, 0.5]
    )
    recorded = pairs()[-1]
    found = evaluated(np.full(recorded.n_stimuli, 3.0), recorded)
    assert found.value == 0.5
    assert found.p == 1


def test_noise_is_at_chance_and_a_perfect_model_at_one():
    good, _, _, recorded = pairs()
    rng = np.random.default_rng(1)
    noise = [evaluated(rng.normal(size=len(good)), recorded) for _ in range(40)]
    assert np.mean([one.value for one in noise]) == pytest.approx(0.5, abs=0.01)
    assert np.mean([one.ci[0] <= 0.5 <= one.ci[1] for one in noise]) >= 0.85
    assert np.mean([one.p <= 0.05 for one in noise]) <= 0.15
    perfect = evaluated(-good, recorded)
    assert perfect.value == 1
    assert perfect.p == pytest.approx(perfect.methods["smallest_p"], abs=0.01)


def test_pairs_of_which_one_has_no_surprisal_are_left_out_and_counted():
    good, pair, _, recorded = pairs()
    told = -good
    told[pair == 3] = [np.nan, 1.0]
    found = evaluated(told, recorded)
    assert found.left_out == {"pairs of which a sentence has no surprisal": 1}
    assert found.n_stimuli == 638


def test_a_table_without_paradigms_is_one_whose_pairs_are_drawn():
    good, pair, _, recorded = pairs(1, 100)
    for column in ("paradigm", "field"):
        del recorded.columns[column]
    told = np.where(pair % 4 == 0, good, -good)
    found = evaluated(told, recorded)
    assert found.value == 0.75
    assert found.ci[1] - 0.75 == pytest.approx(1.984 * np.sqrt(0.75 * 0.25 / 99), rel=1e-3)
    assert "fields" not in found.methods


def test_pairs_that_are_none_are_one_line():
    recorded = pairs()[-1]
    recorded.columns["pair"][0] = "alone"
    with pytest.raises(UserError, match="the pair 'alone' has 1 sentences, not 2"):
        METRICS["accuracy"].make(recorded, {})
    recorded = pairs()[-1]
    recorded.cube[:] = 1
    with pytest.raises(UserError, match="are equally acceptable"):
        METRICS["accuracy"].make(recorded, {})
    with pytest.raises(UserError, match="unknown stimulus column of made.pairs 'pear'"):
        METRICS["accuracy"].make(recorded, {"pair": "pear"})


def test_a_table_of_ones_own_is_scored_and_comes_back(tmp_path):
    good, _, _, recorded = pairs()
    table = pd.DataFrame(
        {"stimulus_id": recorded.stimulus_ids, "sentence": [f"text {i}" for i in recorded.stimulus_ids]}
    )
    table = table.assign(**recorded.columns, known=-good)
    data = Dataset.from_arrays("pairs", good[:, None], table, region="grammar")
    benchmark = make_benchmark(data, metric="accuracy")
    first, again = (
        brodmann.score("column:known", benchmark, run=tmp_path, n_permutations=19) for _ in range(2)
    )
    assert float(first) == float(again) == 1
    assert again.attrs["cached"]


def test_few_paradigms_are_swapped_in_every_way_there_is():
    """Four pairs, all right: of 16 ways one is as good."""
    recorded = pairs(n_paradigms=1, n_pairs=4)[-1]
    found = evaluated(-recorded.mean[:, 0], recorded, ScoringOptions(n_bootstraps=0, n_permutations=500))
    assert found.p == found.methods["smallest_p"] == 1 / 16
    assert "in all 16 ways" in found.methods["p"]


def test_a_second_column_of_answers_is_one_line():
    recorded = pairs()[-1]
    two = replace(recorded, cube=np.repeat(recorded.responses, 2, axis=2))
    with pytest.raises(UserError, match="one column must say which sentence is acceptable, not 2"):
        METRICS["accuracy"].make(two, {})


def test_rounding_of_single_precision_is_a_tie():
    np.testing.assert_array_equal(
        rightly(np.array([61.820000, 61.82]), np.array([61.820005, 61.83])), [0.5, 1]
    )
