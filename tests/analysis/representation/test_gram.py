"""Inner products read in blocks: those of numpy at once, whatever the blocks, the order in memory and the precision."""

import numpy as np
import pytest

from brodmann.analysis.representation import gram as module
from brodmann.analysis.representation.gram import centered_patterns_gram, gram


@pytest.fixture(params=[1 << 22, 1], ids=["one block", "blocks of 256"])
def blocks(request, monkeypatch):
    monkeypatch.setattr(module, "_BLOCK", request.param)


def features(dtype=np.float64):
    return (np.random.default_rng(0).normal(size=(7, 700)) + np.arange(7)[:, None]).astype(dtype)


@pytest.mark.usefixtures("blocks")
@pytest.mark.parametrize("order", ["C", "F"])
def test_products_are_of_features_less_their_mean_over_samples(order):
    x = np.asarray(features(), order=order)
    before = x.copy()
    centered = x - x.mean(axis=0)
    np.testing.assert_allclose(gram(x), centered @ centered.T, rtol=1e-10)
    np.testing.assert_array_equal(x, before)
    single = gram(x, precision=np.float32)
    np.testing.assert_allclose(single, centered @ centered.T, rtol=1e-4, atol=1e-2)
    assert (single != gram(x)).any()
    assert single.dtype == np.float64
    np.testing.assert_array_equal(gram(x), gram(x, precision=np.float64))


@pytest.mark.usefixtures("blocks")
@pytest.mark.parametrize(("dtype", "rtol"), [(np.float64, 1e-10), (np.float32, 1e-4), (np.float16, 1e-4)])
def test_patterns_are_less_their_own_mean(dtype, rtol):
    x = features(dtype) + np.asarray(50, dtype)
    exact = x.astype(np.float64)
    centered = exact - exact.mean(axis=1, keepdims=True)
    found, mean = centered_patterns_gram(x)
    np.testing.assert_allclose(mean, exact.mean(axis=1), rtol=1e-12)
    np.testing.assert_allclose(found, centered @ centered.T, rtol=rtol, atol=0.05 if rtol > 1e-6 else 1e-9)
    np.testing.assert_array_equal(found, found.T)
    assert mean.dtype == np.float64


def test_a_far_mean_is_taken_away_exactly_in_single_precision():
    """Rounding the mean of 1e4 leaves 5e-4 in each of 10 000 entries; the diagonal is that of double precision."""
    x = (np.random.default_rng(1).normal(size=(4, 10_000)) + 1e4 + np.pi).astype(np.float32)
    exact = x.astype(np.float64)
    centered = exact - exact.mean(axis=1, keepdims=True)
    np.testing.assert_allclose(np.diag(centered_patterns_gram(x)[0]), (centered**2).sum(axis=1), rtol=1e-6)
    x = np.full((3, 300_000), 2049.3, np.float32)
    assert np.abs(centered_patterns_gram(x)[0]).max() < 1e-2


def test_patterns_of_whole_numbers_are_multiplied_in_double_precision():
    """Deviations of 0 2 7 from 3 are -3 -1 4; of 5 5 8 from 6 they are -1 -1 2."""
    found, mean = centered_patterns_gram(np.array([[0, 2, 7], [5, 5, 8]], np.uint8))
    np.testing.assert_allclose(found, [[26, 12], [12, 6]])
    np.testing.assert_allclose(mean, [3, 6])
