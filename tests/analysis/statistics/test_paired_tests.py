"""Paired differences against enumeration, scipy, and their own false positives."""

import numpy as np
import pytest
from scipy import stats

from brodmann.analysis import paired_difference
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
    with pytest.raises(UserError, match="1 of 2 pairs are not finite"):
        paired_difference([1, np.nan], [1, 2])
    assert np.isnan(paired_difference([1], [2]).interval[0])
