"""RDMs and their comparison against rsatoolbox and scipy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rsatoolbox.data import Dataset
from rsatoolbox.rdm import RDMs, calc_rdm, compare
from scipy.stats import spearmanr

from brodmann import UserError
from brodmann.analysis import correlation_rdm, crossnobis_rdm, kendall_tau_a, spearman
from brodmann.analysis.representation.rdm import pairs


@settings(deadline=None, max_examples=20)
@given(st.integers(3, 12), st.integers(3, 40), st.integers(0, 1000), st.sampled_from([1000.0, 2.0]))
def test_correlation_rdm_is_rsatoolboxs(n, p, seed, offset):
    patterns = np.random.default_rng(seed).normal(offset, 1, size=(n, p))
    expected = calc_rdm(Dataset(patterns), method="correlation").dissimilarities[0]
    np.testing.assert_allclose(pairs(correlation_rdm(patterns)), expected, atol=1e-10)


@pytest.mark.parametrize("offset", [0.0, 1000.0])
def test_single_precision_and_blocks_keep_the_correlations(offset, monkeypatch):
    monkeypatch.setattr("brodmann.analysis.representation.gram._BLOCK", 1 << 14)
    patterns = np.random.default_rng(0).normal(offset, 1, size=(30, 5000)).astype(np.float32)
    expected = calc_rdm(Dataset(patterns.astype(float)), method="correlation").dissimilarities[0]
    np.testing.assert_allclose(pairs(correlation_rdm(patterns)), expected, atol=2e-6)


@pytest.mark.filterwarnings("ignore:invalid value encountered in cast:RuntimeWarning")  # inside rsatoolbox
def test_crossnobis_rdm_is_rsatoolboxs():
    cube = np.random.default_rng(0).normal(size=(10, 4, 30)) * np.linspace(1, 3, 30)
    labels = {"stimulus": np.repeat(np.arange(10), 4), "run": np.tile(np.arange(4), 10)}
    noise = np.diag(1 / cube.var(axis=1, ddof=1).mean(axis=0))
    data = Dataset(cube.reshape(40, 30), obs_descriptors=labels)
    expected = calc_rdm(data, method="crossnobis", descriptor="stimulus", cv_descriptor="run", noise=noise)
    np.testing.assert_allclose(pairs(crossnobis_rdm(cube)), expected.dissimilarities[0], atol=1e-12)


def test_crossnobis_is_zero_on_average_where_nothing_differs():
    cube = np.random.default_rng(0).normal(size=(40, 6, 200))
    assert pairs(crossnobis_rdm(cube)).mean() == pytest.approx(0, abs=0.01)
    assert pairs(correlation_rdm(cube.mean(axis=1))).mean() > 0.9


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 1000), st.booleans())
def test_rank_correlations_are_the_references(seed, ties):
    a, b = np.random.default_rng(seed).normal(size=(2, 66))
    if ties:
        a, b = np.round(a), np.round(b)
    assert spearman(a, b) == pytest.approx(spearmanr(a, b).statistic)
    expected = compare(RDMs(a[None]), RDMs(b[None]), method="tau-a")[0, 0]
    assert kendall_tau_a(a, b) == pytest.approx(expected)


def test_a_flat_pattern_is_named():
    patterns = np.random.default_rng(0).normal(size=(5, 8))
    patterns[3] = 2.0
    with pytest.raises(UserError, match=r"1 of 5 stimuli .* \(first: row 3\)"):
        correlation_rdm(patterns)
