"""p of an encoding score is that of fitting every order anew, penalties and all."""

import numpy as np
import pandas as pd

from brodmann.analysis import nested_ridge
from brodmann.analysis.encoding.pooled import PooledFolds
from brodmann.bench import ScoringOptions, make_benchmark
from brodmann.bench.metrics import uncertainty
from brodmann.brain_data import Dataset

N = 60


def test_p_is_that_of_fitting_every_order_anew():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(N, 8))
    y = x[:, :3] @ rng.normal(size=(3, 6)) + 8 * rng.normal(size=(N, 6))
    table = pd.DataFrame(
        {"stimulus_id": [f"s{i:02d}" for i in range(N)], "sentence": [f"{i}" * 9 for i in range(N)]}
    )
    benchmark = make_benchmark(Dataset.from_arrays("mine", y, table, blocks="none"))
    options = ScoringOptions(seed=3, n_bootstraps=0, n_permutations=39)
    result = benchmark.metric.evaluate({"x": x}, benchmark.recording, benchmark.noise_ceiling, options)
    how = benchmark.metric.sampling
    orders, _, smallest = how.orders(39, options.seed + 2)
    null = []
    for order in orders:
        fits = list(nested_ridge(x, y[order], how.folds))
        null.append(np.median(PooledFolds(how.tests, y[order]).r([one.prediction for one in fits])))
    assert result.p == (1 + np.sum(np.array(null) >= result.raw)) / 40
    assert result.methods["smallest_p"] == smallest == 1 / 40


def test_neuroids_are_drawn_of_every_subject_and_only_where_there_are_many():
    members = [np.arange(300), np.arange(300, 303)]
    some = uncertainty.subsample_targets(members, 0, 20)
    assert len(np.intersect1d(some, members[0])) == 10
    assert set(members[1]) <= set(some)
    np.testing.assert_array_equal(uncertainty.subsample_targets(members, 0, 1000), np.arange(303))
