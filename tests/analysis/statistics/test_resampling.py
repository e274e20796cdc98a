"""Draws, intervals, p values, false discoveries."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import false_discovery_control

from brodmann.analysis.statistics.resampling import (
    benjamini_hochberg,
    bootstrap_weights,
    holm,
    p_value,
    percentile_interval,
    permutations,
)
from brodmann.correlation import pearson, weighted_pearson


@given(st.lists(st.floats(0, 1), min_size=1, max_size=50))
def test_benjamini_hochberg_is_scipys(p):
    np.testing.assert_allclose(benjamini_hochberg(p), false_discovery_control(p))


def test_a_missing_p_is_neither_counted_nor_filled():
    q = benjamini_hochberg([0.01, np.nan, 0.04])
    assert np.isnan(q[1])
    np.testing.assert_allclose(q[[0, 2]], [0.02, 0.04])


@given(st.integers(2, 30), st.integers(1, 5), st.integers(0, 100))
def test_permutations_stay_within_blocks(n, n_blocks, seed):
    blocks = np.random.default_rng(seed).integers(0, n_blocks, n)
    for order in permutations(n, 5, random_state=seed, blocks=blocks):
        assert sorted(order) == list(range(n))
        assert (blocks[order] == blocks).all()


def test_permutations_of_small_sets_are_uniform():
    orders = permutations(3, 6000, random_state=0)
    _, counts = np.unique(orders, axis=0, return_counts=True)
    assert len(counts) == 6
    assert counts.min() > 900


def test_the_seed_decides_orders_and_draws():
    for drawn in (permutations, bootstrap_weights):
        one, again, other = (drawn(40, 5, random_state=seed) for seed in (0, 0, 1))
        np.testing.assert_array_equal(one, again)
        assert (one != other).any()
        assert len(np.unique(one, axis=0)) == 5


def test_draws_are_with_replacement_and_as_many_as_there_are():
    weights = bootstrap_weights(30, 4000, random_state=0)
    assert weights.shape == (4000, 30)
    assert (weights.sum(axis=1) == 30).all()
    np.testing.assert_allclose(weights.mean(axis=0), 1, atol=0.1)
    np.testing.assert_allclose(weights.var(axis=0), 29 / 30, rtol=0.15)


def test_labels_of_blocks_may_be_words_and_lie_anywhere():
    blocks = np.array(["b", "a", "b", "c", "a", "b"])
    orders = permutations(6, 3000, random_state=0, blocks=blocks)
    assert (blocks[orders] == blocks).all()
    _, counts = np.unique(orders, axis=0, return_counts=True)
    assert len(counts) == 12
    assert counts.min() > 180


def test_groups_are_drawn_whole():
    groups = np.array(["a", "a", "b", "b", "b", "c"])
    weights = bootstrap_weights(6, 50, random_state=0, groups=groups)
    assert (weights[:, 0] == weights[:, 1]).all()
    assert (weights[:, 2] == weights[:, 4]).all()
    assert (weights[:, [0, 2, 5]].sum(axis=1) == 3).all()


def test_p_is_never_zero_and_counts_ties():
    assert p_value(5.0, np.zeros(99)) == pytest.approx(0.01)
    assert p_value(0.0, np.zeros(99)) == 1.0
    assert np.isnan(p_value(float("nan"), np.zeros(99)))
    assert p_value(2.0, np.array([1.0, 2.0, 3.0, np.nan, np.inf])) == 3 / 4


def test_interval_holds_the_level():
    low, high = percentile_interval(np.arange(1001.0), 0.9)
    assert (low, high) == pytest.approx((50, 950))
    assert percentile_interval(np.r_[np.nan, np.arange(1001.0)]) == pytest.approx((25, 975))
    assert percentile_interval(np.array([3.0])) == (3, 3)
    assert np.isnan(percentile_interval(np.full(3, np.nan))).tolist() == [True, True]


@given(st.integers(3, 20), st.integers(0, 100))
def test_weighted_correlation_is_that_of_the_drawn_samples(n, seed):
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(2, n, 3))
    weights = rng.integers(1, 4, size=(2, n)).astype(float)
    for draw, found in zip(weights, weighted_pearson(a, b, weights), strict=True):
        drawn = np.repeat(np.arange(n), draw.astype(int))
        np.testing.assert_allclose(found, pearson(a[drawn], b[drawn]), atol=1e-8)


def test_a_constant_has_no_correlation():
    a = np.random.default_rng(0).normal(size=(10, 2))
    b = np.column_stack([np.full(10, 0.1), a[:, 1]])
    assert np.isnan(pearson(a, b)[0])
    assert pearson(a, b)[1] == pytest.approx(1)


def test_holm_steps_down_and_never_falls():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == pytest.approx([1, 1])
