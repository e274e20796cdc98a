"""Paired differences against enumeration, scipy, and their own false positives."""

import numpy as np
import pytest
from scipy import stats

from brodmann.analysis import paired_difference
from brodmann.analysis.statistics.paired_tests import rank_correlation, t_interval, t_quantile, t_tail
from brodmann.errors import UserError


def test_five_pairs_are_enumerated():
    found = paired_difference([3, 4, 5, 6, 9], [1, 1, 1, 1, 1])
    assert found.p == 2 / 32  # only all signs kept, or all changed
    assert found.smallest_p == 2 / 32
    assert found.permuted == "all 32 changes of the signs of 5 paired differences"
    assert found.interval == pytest.approx(stats.t.interval(0.95, 4, 4.4, stats.sem([2, 3, 4, 5, 8])))


def test_it_is_scipys_permutation_test():
    generator = np.random.default_rng(0)
    a, b = generator.normal(0.5, 1, 11), generator.normal(size=11)
    expected = stats.permutation_test(
        (a - b,), np.mean, permutation_type="samples", n_resamples=np.inf, alternative="two-sided"
    )
    assert paired_difference(a, b).p == pytest.approx(expected.pvalue)


def test_false_positives_are_five_of_a_hundred():
    generator = np.random.default_rng(0)
    p = [paired_difference(*generator.normal(size=(2, 20)), permutations=499).p for _ in range(400)]
    assert np.mean(np.array(p) <= 0.05) == pytest.approx(0.05, abs=0.03)


def test_mistakes():
    with pytest.raises(UserError, match="two lists of the same length"):
        paired_difference([1, 2], [1, 2, 3])
    with pytest.raises(UserError, match="1 of 3 pairs are not finite"):
        paired_difference([1, np.nan, 3], [1, 2, 5])
    for one, other in (([], []), ([[1.0]], [[2.0]])):
        with pytest.raises(UserError, match=r"two lists of the same length, not \(.*\) and \("):
            paired_difference(one, other)
    assert np.isnan(paired_difference([1], [2]).interval[0])


def test_fifteen_pairs_are_drawn_and_fourteen_enumerated():
    rng = np.random.default_rng(1)
    one, other = rng.normal(3, 1, 15), rng.normal(size=15)
    found = paired_difference(one, other)
    assert found.permuted == "9999 random changes of the signs of 15 paired differences"
    assert (found.p, found.smallest_p, found.n) == (1 / 10000, 1 / 10000, 15)
    assert found.mean == pytest.approx((one - other).mean())
    fewer = paired_difference(one[:14], other[:14], permutations=9)
    assert fewer.permuted == "all 16384 changes of the signs of 14 paired differences"
    assert fewer.smallest_p == 2 / 2**14
    near = [
        paired_difference(one, one + rng.normal(size=15), permutations=99, random_state=s).p
        for s in (0, 0, 1)
    ]
    assert min(near) > 0.01
    drawn = [
        paired_difference(other, -one / 9, permutations=99, random_state=seed).p
        for seed in (0, 0, *range(1, 6))
    ]
    assert drawn[0] == drawn[1]
    assert len(set(drawn)) > 1
    assert paired_difference(other, -one / 9, permutations=99).p == drawn[0]


def test_drawn_signs_give_the_p_of_all_signs():
    rng = np.random.default_rng(2)
    one = rng.normal(0.3, 1, 15)
    signs = 1 - 2 * ((np.arange(2**15)[:, None] >> np.arange(15)) & 1)
    exact = np.mean(np.abs(signs @ one) >= abs(one.sum()) - 1e-12)
    assert paired_difference(one, np.zeros(15)).p == pytest.approx(exact, abs=0.02)
    assert paired_difference(np.ones(15), np.ones(15)).p == 1


def test_the_level_is_that_of_scipys_t():
    values = np.array([1.0, 4.0, 2.0, 8.0])
    for level in (0.5, 0.95):
        expected = stats.t.interval(level, 3, values.mean(), stats.sem(values))
        assert t_interval(values, level) == pytest.approx(expected)
        assert paired_difference(values, values * 0, level=level).interval == pytest.approx(expected)
    assert t_interval(values) == t_interval(values, 0.95)
    assert t_interval([1.0, 3.0]) == pytest.approx(stats.t.interval(0.95, 1, 2.0, 1.0))
    assert np.isnan(t_interval([1.0])).tolist() == [True, True]
    assert t_quantile(0.9, 7) == pytest.approx(stats.t.ppf(0.9, 7))
    assert t_tail(1.3, 4.5) == pytest.approx(stats.t.sf(1.3, 4.5))


def test_a_rank_correlation_is_scipys_with_ties():
    rng = np.random.default_rng(3)
    x, y = rng.integers(0, 5, 12), rng.normal(size=12)
    expected = stats.spearmanr(x, y)
    r, p = rank_correlation(x, y, permutations=2000, generator=np.random.default_rng(0))
    assert r == pytest.approx(expected.statistic)
    assert p == pytest.approx(expected.pvalue, abs=0.03)
    for sign in (1, -1):  # two-sided, and what is reached counts
        found = rank_correlation(y, sign * y**3, permutations=99, generator=np.random.default_rng(0))
        assert found == (pytest.approx(sign), 1 / 100)
    three = rank_correlation([1, 2, 3], [1, 2, 3], permutations=600, generator=np.random.default_rng(0))
    assert three[1] == pytest.approx(1 / 3, abs=0.06)
