"""Where it fires more often: against scipy's exact test, and against tokens that explain it."""

import numpy as np
import pytest
from scipy.sparse import csc_array, csr_array
from scipy.stats import false_discovery_control, fisher_exact

from brodmann.analysis.interpretability.descriptions.base import Keys, counts, masses, one_key
from brodmann.analysis.interpretability.descriptions.enrichment import (
    beyond_tokens,
    enrichment,
    firing_counts,
    strong,
)


@pytest.fixture
def drawn():
    rng = np.random.default_rng(0)
    classes = rng.random((300, 4)) < [0.1, 0.3, 0.5, 0.02]
    f = rng.random((300, 6)) * (rng.random((300, 6)) < 0.1 + 0.3 * classes[:, [0, 1, 2, 3, 0, 1]])
    return Keys(csr_array(classes.astype(np.float32)), str), classes, f


def test_ratios_and_q_are_those_of_fishers_exact_test(drawn):
    keys, classes, f = drawn
    both, fires = firing_counts(keys, csc_array(f))
    found = enrichment(both, fires, counts(keys), 300)
    p = np.empty((4, 6))
    for i in range(4):
        for j in range(6):
            a, b = classes[:, i], f[:, j] > 0
            table = [[(a & b).sum(), (~a & b).sum()], [(a & ~b).sum(), (~a & ~b).sum()]]
            p[i, j] = fisher_exact(table, alternative="greater")[1]
            assert found.ratio[i, j] == pytest.approx((a & b).sum() / b.sum() / a.mean())
    assert np.allclose(found.q, false_discovery_control(p.ravel()).reshape(4, 6), rtol=1e-8)


def test_a_class_that_tokens_decide_is_not_more_often_than_they_are():
    """Token 0 is of class 0 always; class 1 holds at half of the rows of every token."""
    token = np.repeat([0, 1], 200)
    half = np.arange(400) % 2 == 0
    tokens = Keys(one_key(token, 2), str)
    classes = Keys(csr_array(np.stack([token == 0, half], axis=1).astype(np.float32)), str)
    f = csc_array(np.stack([token == 0, (token == 0) & half], axis=1).astype(float))
    both, _ = firing_counts(classes, f)
    found = beyond_tokens(both, classes, tokens, masses(tokens, f))
    assert np.allclose(found, [[1, 1], [1, 2]])


def test_only_the_strongest_rows_stay():
    f = np.zeros((10, 2))
    f[:, 0] = np.arange(10)
    f[3, 1] = 1
    kept = strong(csc_array(f), 0.3).toarray()
    assert np.flatnonzero(kept[:, 0]).tolist() == [7, 8, 9]
    assert np.flatnonzero(kept[:, 1]).tolist() == [3]
