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
from brodmann.analysis.representation.rdm import has_noise, pairs


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


def test_a_pattern_is_flat_relative_to_its_own_size():
    patterns = np.random.default_rng(0).normal(size=(4, 8))
    expected = correlation_rdm(patterns)
    assert (np.diag(expected) == 0).all()
    for unit in (1e-150, 1e100):
        np.testing.assert_allclose(correlation_rdm(unit * patterns), expected, atol=1e-12)
    patterns[1:3] = [[1e6], [0.0]]
    with pytest.raises(UserError, match=r"2 of 4 stimuli give the same value in every unit \(first: row 1\)"):
        correlation_rdm(patterns)


def test_crossnobis_by_hand():
    """Two stimuli, two repetitions, one neuroid of noise variance 2: (1 - 4)(3 - 6) / 2."""
    cube = np.array([[[1.0], [3.0]], [[4.0], [6.0]]])
    assert crossnobis_rdm(cube)[0, 1] == pytest.approx(9 / 2)
    # a third, missing, repetition of one stimulus changes nothing; of two neuroids the mean
    missing = np.concatenate([cube, np.full((2, 1, 1), np.nan)], axis=1)
    assert crossnobis_rdm(missing)[0, 1] == pytest.approx(9 / 2)
    twice = np.concatenate([cube, 10 * cube[::-1]], axis=2)
    assert crossnobis_rdm(twice)[0, 1] == pytest.approx(9 / 2)
    # a neuroid without noise is left out
    still = np.concatenate([cube, np.full((2, 2, 1), 5.0)], axis=2)
    assert crossnobis_rdm(still)[0, 1] == pytest.approx(9 / 2)


def test_crossnobis_says_what_it_needs():
    cube = np.random.default_rng(0).normal(size=(5, 3, 4))
    with pytest.raises(UserError, match="at least 2 repetitions of the stimuli, not 1"):
        crossnobis_rdm(cube[:, :1])
    gaps = cube.copy()
    gaps[1, 0, 2] = np.nan
    with pytest.raises(UserError, match="every neuroid in every repetition: some are missing in one"):
        crossnobis_rdm(gaps)
    once = cube.copy()
    once[2:4, 1:] = np.nan
    with pytest.raises(UserError, match=r"of every stimulus: 2 of 5 have fewer \(first: row 2\)"):
        crossnobis_rdm(once)
    with pytest.raises(UserError, match="no neuroid differs between repetitions"):
        crossnobis_rdm(np.repeat(cube[:, :1], 3, axis=1))
    assert np.isfinite(crossnobis_rdm(cube[:, :2])).all()


@pytest.mark.parametrize("unit", [1e-6, 1.0, 1e6])
def test_noise_is_what_differs_by_more_than_rounding(unit):
    cube = np.random.default_rng(0).normal(size=(6, 2, 3))
    cube[:, 1, 1] = cube[:, 0, 1] * (1 + 1e-15)
    cube[:, :, 2] = 7.0
    assert has_noise(unit * cube).tolist() == [True, False, False]
    cube[:, 1, 1] = cube[:, 0, 1] * (1 + 1e-6)
    assert has_noise(unit * cube).tolist() == [True, True, False]
    assert has_noise(unit * cube[:, :1]).tolist() == [False, False, False]


def test_ties_count_as_neither():
    """Of six pairs four agree, one disagrees and one is tied."""
    assert kendall_tau_a(np.array([1, 2, 3, 4]), np.array([1, 1, 4, 3])) == pytest.approx(3 / 6)
    assert kendall_tau_a(np.array([1, 1, 2, 2]), np.array([1, 2, 3, 3])) == pytest.approx(4 / 6)
    assert np.isnan(spearman(np.ones(4), np.arange(4.0)))
    assert pairs(np.arange(18).reshape(2, 3, 3)).tolist() == [[1, 2, 5], [10, 11, 14]]
