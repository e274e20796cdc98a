"""CKA by its definitions: features' cross-covariances, HSIC over every four stimuli, and what has no similarity."""

from itertools import permutations
from types import SimpleNamespace

import numpy as np
import pytest

from brodmann.bench.metrics import cka as module
from brodmann.bench.metrics.brainscore_similarity import BrainScoreSimilarity
from brodmann.bench.metrics.cka import biased_cka, cka, cka_biased, similarities, unbiased_cka


def pair(n=9, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 5))
    return x, x[:, :2] @ rng.normal(size=(2, 4)) + 0.5 * rng.normal(size=(n, 4))


def test_the_biased_one_is_of_cross_covariances():
    """|Y'X|^2 / (|X'X| |Y'Y|), Kornblith et al. (2019), equation 3."""
    x, y = pair()
    a, b = x - x.mean(axis=0), y - y.mean(axis=0)
    expected = np.linalg.norm(b.T @ a) ** 2 / (np.linalg.norm(a.T @ a) * np.linalg.norm(b.T @ b))
    assert biased_cka(similarities(x), similarities(y)) == pytest.approx(expected)
    assert biased_cka(x @ x.T, y @ y.T) == pytest.approx(expected)  # centred here
    assert biased_cka(similarities(x), similarities(x)) == pytest.approx(1)


def hsic(k, m):
    """Mean of k_ij (m_ij + m_kl - 2 m_ik) over all four different stimuli: unbiased, of no closed form."""
    terms = [k[i, j] * (m[i, j] + m[a, b] - 2 * m[i, a]) for i, j, a, b in permutations(range(len(k)), 4)]
    return np.mean(terms)


def test_the_unbiased_one_is_a_mean_over_every_four_different_stimuli():
    x, y = pair(7)
    k, m = x @ x.T, y @ y.T
    expected = hsic(k, m) / np.sqrt(hsic(k, k) * hsic(m, m))
    assert unbiased_cka(k, m) == pytest.approx(expected)
    assert unbiased_cka(similarities(x), similarities(y)) == pytest.approx(expected)
    before = k.copy()
    unbiased_cka(k, m)
    np.testing.assert_array_equal(k, before)


def test_what_does_not_vary_has_no_similarity():
    x, _ = pair()
    flat = similarities(np.full((9, 3), 7.0))
    assert (flat == 0).all()
    for compare in (biased_cka, unbiased_cka):
        assert compare(flat, similarities(x)) == 0
        assert compare(similarities(x), flat) == 0
    assert (similarities(np.zeros((9, 2))) == 0).all()


@pytest.mark.parametrize("block", [1 << 16, 2])
@pytest.mark.parametrize("unit", [1.0, 1e-200, 1e200])
def test_similarities_are_inner_products_less_the_mean_in_any_unit(block, unit, monkeypatch):
    monkeypatch.setattr(module, "_BLOCK", block)
    x, _ = pair()
    centered = x - x.mean(axis=0)
    expected = centered @ centered.T
    found = similarities(unit * x + 0.0)
    np.testing.assert_allclose(found, expected / np.sqrt((expected**2).mean()), rtol=1e-9, atol=1e-12)
    assert (found**2).mean() == pytest.approx(1)


def test_both_are_metrics_without_a_ceiling():
    for make, compare in (
        (cka.make if hasattr(cka, "make") else cka, unbiased_cka),
        (cka_biased, biased_cka),
    ):
        one = make.make(None, {}) if hasattr(make, "make") else make(None)
        assert isinstance(one, BrainScoreSimilarity)
        assert one.compare is compare
        assert one.ceiling(None).kind == "none"
        assert np.isnan(one.ceiling(None).value)
        x, y = pair()
        rows, other = np.array([0, 2, 3, 5, 8]), np.array([8, 5, 3, 2, 0])
        k, m = one.prepared(x), one.prepared(y)
        np.testing.assert_array_equal(k, similarities(x))
        expected = compare(k[rows][:, rows], m[other][:, other])
        assert one.compared(k, m, rows, other).tolist() == [expected]


def test_memory_is_a_block_of_features_and_ten_square_matrices():
    one = cka.make(None, {}) if hasattr(cka, "make") else cka(None)
    assert one.name == "cka"
    recorded = SimpleNamespace(n_stimuli=9)
    assert one.memory(recorded, 100) == 8 * (900 + 810)
    assert one.memory(recorded, 65_536) == one.memory(recorded, 10**9) == 8 * (9 * 65_536 + 810)
