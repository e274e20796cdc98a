"""p of an encoding score is that of fitting every order anew, penalties and all."""

import numpy as np
import pandas as pd

from brodmann.analysis import nested_ridge
from brodmann.analysis.encoding.cross_validation import Split, nested_folds
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


def folds(n=20, n_targets=3, seed=0):
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=(n, n_targets))
    split = Split(np.arange(8, n), np.arange(8))
    other = Split(np.arange(12), np.arange(12, n))
    held_out = [
        uncertainty.HeldOut(one, truth[one.test] + rng.normal(size=(len(one.test), n_targets)))
        for one in (split, other)
    ]
    return truth, held_out


def test_draws_of_held_out_stimuli_are_r_of_the_stimuli_drawn():
    truth, held_out = folds()
    weights = np.random.default_rng(1).integers(1, 4, size=(5, 20)).astype(float)
    found = uncertainty.held_out_draws(held_out, truth, weights)
    assert found.shape == (5, 2, 3)
    for draw, w in enumerate(weights):
        for fold, one in enumerate(held_out):
            rows = np.repeat(np.arange(len(one.split.test)), w[one.split.test].astype(int))
            drawn = truth[one.split.test][rows]
            expected = [np.corrcoef(one.prediction[rows, i], drawn[:, i])[0, 1] for i in range(3)]
            np.testing.assert_allclose(found[draw, fold], expected)


def test_a_fold_of_one_drawn_stimulus_is_nothing_and_what_does_not_vary_is_0():
    truth, held_out = folds()
    weights = np.ones((3, 20))
    weights[0, :8], weights[1, :8], weights[2, :8] = 0, 0, 0
    weights[0, 3] = 5
    weights[1, [2, 3]] = 1
    found = uncertainty.held_out_draws(held_out, truth, weights)
    assert np.isnan(found[[0, 2], 0]).all()
    np.testing.assert_allclose(np.abs(found[1, 0]), 1)
    assert np.isfinite(found[:, 1]).all()
    flat = uncertainty.HeldOut(held_out[0].split, np.ones((8, 3)))
    assert (uncertainty.held_out_draws([flat], truth, np.ones((1, 20))) == 0).all()


def test_permuted_responses_stay_within_their_split():
    truth, held_out = folds()
    orders = np.stack([np.random.default_rng(seed).permutation(8) for seed in range(4)])
    found = uncertainty.permuted_split(held_out[0], truth, orders)
    assert found.shape == (4, 3)
    for r, order in zip(found, orders, strict=True):
        expected = [np.corrcoef(held_out[0].prediction[:, i], truth[:8][order, i])[0, 1] for i in range(3)]
        np.testing.assert_allclose(r, expected)
    flat = uncertainty.HeldOut(held_out[0].split, np.ones((8, 3)))
    assert (uncertainty.permuted_split(flat, truth, orders) == 0).all()


def test_neuroids_are_drawn_from_the_seed_at_most_128_and_4_of_a_subject():
    one = [np.arange(200)]
    drawn = uncertainty.subsample_targets(one, 0)
    assert len(set(drawn)) == 128
    assert (np.diff(drawn) > 0).all()
    np.testing.assert_array_equal(drawn, uncertainty.subsample_targets(one, 0))
    assert (drawn != uncertainty.subsample_targets(one, 1)).any()
    np.testing.assert_array_equal(uncertainty.subsample_targets([np.arange(128)], 0), np.arange(128))
    many = [np.arange(10 * i, 10 * i + 10) for i in range(40)]
    few = uncertainty.subsample_targets(many, 0)
    assert [len(np.intersect1d(few, member)) for member in many] == [4] * 40


def test_a_fit_of_some_targets_is_that_of_these():
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(30, 4)), rng.normal(size=(30, 5))
    fit = next(iter(nested_ridge(x, y, nested_folds(30))))
    some = uncertainty.select_targets(fit, np.array([3, 1]))
    np.testing.assert_array_equal(some.prediction, fit.prediction[:, [3, 1]])
    np.testing.assert_array_equal(some.alpha, fit.alpha[[3, 1]])
    np.testing.assert_array_equal(some.inner_score, fit.inner_score[[3, 1]])
    assert some.split is fit.split
