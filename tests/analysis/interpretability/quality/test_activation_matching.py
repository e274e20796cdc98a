"""Who answers like whom: numpy's correlations, planted partners, and chance."""

import numpy as np
import pytest
import scipy.sparse

from brodmann.analysis.interpretability.quality import activation_matching
from brodmann.analysis.interpretability.quality.activation_matching import (
    best_correlations,
    match_activations,
)
from brodmann.errors import UserError


def _codes(random, n, n_features, k):
    values = random.random((n, n_features)) + 0.1
    keep = np.argsort(random.random((n, n_features)), axis=1)[:, :k]
    out = np.zeros((n, n_features))
    np.put_along_axis(out, keep, np.take_along_axis(values, keep, 1), 1)
    return out


@pytest.mark.parametrize("of_a", ["sparse", "dense"])
@pytest.mark.parametrize("of_b", ["sparse", "dense"])
def test_the_highest_correlation_is_numpys(of_a, of_b, monkeypatch):
    random = np.random.default_rng(1)
    a, b = _codes(random, 300, 17, 3), _codes(random, 300, 23, 4)
    if of_a == "dense":
        a = random.standard_normal((300, 17)) + 1e4  # a large mean costs no digits
    if of_b == "dense":
        b = b + 0.3 * random.standard_normal((300, 23))
    full = np.corrcoef(a.T, b.T)[:17, 17:]
    monkeypatch.setattr(activation_matching, "_BLOCK", 23 * 5)  # several blocks of A
    best, partner = best_correlations(
        scipy.sparse.csr_matrix(a) if of_a == "sparse" else a,
        scipy.sparse.csr_matrix(b) if of_b == "sparse" else b,
    )
    assert np.abs(best - full.max(axis=1)).max() < 1e-9
    assert (partner == full.argmax(axis=1)).all()


@pytest.mark.parametrize("block", [50, 10_000])
def test_features_that_are_never_active_together_have_numpys_correlation_too(block, monkeypatch):
    a, b = np.zeros((60, 3)), np.zeros((60, 4))
    a[:20, 0], a[20:40, 1], a[:50, 2] = 1, 2, np.arange(50) % 3 == 0
    b[40:50, 0], b[50:, 1], b[45:, 2], b[20:24, 3] = 1, 3, np.arange(15), 1
    full = np.corrcoef(a.T, b.T)[:3, 3:]
    assert (full[0] < 0).all()
    monkeypatch.setattr(activation_matching, "_BLOCK", block)
    best, partner = best_correlations(scipy.sparse.csr_matrix(a), scipy.sparse.csr_matrix(b))
    np.testing.assert_allclose(best, full.max(axis=1), atol=1e-12)
    assert (partner == full.argmax(axis=1)).all()


def test_who_never_changes_has_no_partner_and_is_none():
    random = np.random.default_rng(2)
    a, b = _codes(random, 200, 6, 2), _codes(random, 200, 5, 2)
    a[:, 2] = 0
    b[:, [0, 3]] = 0, 0.25
    best, partner = best_correlations(scipy.sparse.csr_matrix(a), scipy.sparse.csr_matrix(b))
    assert np.isnan(best[2])
    assert partner[2] == -1
    assert not set(partner[np.isfinite(best)]) & {0, 3}
    alone = np.corrcoef(a[:, 0], b[:, 1])[0, 1]
    assert best[0] >= alone - 1e-12


def test_a_permuted_copy_matches_perfectly_in_the_other_half_too():
    random = np.random.default_rng(3)
    a = _codes(random, 2000, 30, 3)
    order = random.permutation(30)
    owners = np.repeat(np.arange(40), 50)
    found = match_activations(scipy.sparse.csr_matrix(a), scipy.sparse.csr_matrix(a[:, order] * 3), owners)
    assert found.median == pytest.approx(1)
    assert found.above == {0.7: 1.0, 0.9: 1.0}
    assert (order[found.partner] == np.arange(30)).all()
    assert found.held_out_median == pytest.approx(1)
    assert found.interval == pytest.approx((1, 1))


def test_chance_is_high_on_the_same_rows_and_gone_on_other_ones():
    random = np.random.default_rng(4)
    a, b = random.standard_normal((400, 20)), random.standard_normal((400, 300))
    owners = np.repeat(np.arange(20), 20)
    found = match_activations(a, b, owners)
    assert found.median > 0.12
    assert abs(found.held_out_median) < 0.05
    low, high = found.interval
    assert low < 0.03
    assert high > -0.03


@pytest.mark.parametrize("kind", ["dense", "mixed", "sparse"])
def test_r_on_the_other_half_is_numpys(kind, monkeypatch):
    random = np.random.default_rng(5)
    a = _codes(random, 240, 7, 2)
    b = a[:, ::-1] + 0.5 * _codes(random, 240, 7, 3)
    owners = np.repeat(np.arange(12), 20)
    order = np.random.default_rng(0).permutation(12)
    second = np.isin(owners, order[6:])
    expected = []
    for chosen, tried in ((~second, second), (second, ~second)):
        partner = np.corrcoef(a[chosen].T, b[chosen].T)[:7, 7:].argmax(axis=1)
        expected.append([np.corrcoef(a[tried, i], b[tried, j])[0, 1] for i, j in enumerate(partner)])
    left = a if kind == "dense" else scipy.sparse.csr_matrix(a)
    right = scipy.sparse.csr_matrix(b) if kind == "sparse" else b
    monkeypatch.setattr(activation_matching, "_BLOCK", 1000)
    found = match_activations(left, right, owners, random_state=0)
    assert np.abs(found.held_out - np.mean(expected, axis=0)).max() < 1e-9
    low, high = found.interval
    assert low <= found.held_out_median <= high


def test_other_rows_are_refused():
    with pytest.raises(UserError, match="same rows"):
        match_activations(np.ones((4, 2)), np.ones((5, 2)), np.zeros(4, int))
