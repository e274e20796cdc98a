"""Participation ratio: known dimensions, scikit-learn's eigenvalues, invariances."""

import numpy as np
import pytest
from sklearn.decomposition import PCA

from brodmann import UserError
from brodmann.analysis import (
    corrected_participation_ratio,
    cross_validated_eigenvalues,
    effective_dimensionality,
    participation_ratio,
)


@pytest.mark.parametrize(
    ("n", "p", "dtype"), [(50, 200, np.float64), (200, 50, np.float64), (80, 3000, np.float32)]
)
def test_it_is_that_of_scikit_learns_eigenvalues(n, p, dtype):
    rng = np.random.default_rng(0)
    x = (rng.normal(3, 1, size=(n, p)) * np.linspace(0.1, 2, p)).astype(dtype)
    values = PCA(svd_solver="full").fit(x.astype(float)).explained_variance_
    assert participation_ratio(x) == pytest.approx(values.sum() ** 2 / (values**2).sum(), rel=1e-6)


def test_isotropic_noise_is_biased_by_the_number_of_samples_and_corrected():
    d, n = 60, 40
    rng = np.random.default_rng(1)
    draws = [rng.normal(size=(n, d)) for _ in range(200)]
    assert np.mean([participation_ratio(x) for x in draws]) == pytest.approx(
        (n - 1) * d / (n - 1 + d), rel=0.03
    )
    assert np.median([corrected_participation_ratio(x) for x in draws]) == pytest.approx(d, rel=0.03)


def test_known_dimensions():
    rng = np.random.default_rng(2)
    line = rng.normal(size=(30, 1)) * rng.normal(size=(1, 100))
    assert participation_ratio(line) == pytest.approx(1)
    three = np.kron(np.eye(3), np.ones((10, 1)))  # three groups: their means span a plane
    assert participation_ratio(three) == pytest.approx(2)


def test_rotation_scale_offset_and_duplicated_units_change_nothing():
    rng = np.random.default_rng(3)
    x = rng.normal(size=(40, 30)) * np.linspace(1, 3, 30)
    rotation = np.linalg.qr(rng.normal(size=(30, 30)))[0]
    for other in (x @ rotation, 7 * x + 2, np.hstack([x, x])):
        assert participation_ratio(other) == pytest.approx(participation_ratio(x))
        assert corrected_participation_ratio(other) == pytest.approx(corrected_participation_ratio(x))


def test_nothing_that_varies_and_too_few_samples_are_named():
    with pytest.raises(UserError, match="none of 7 units varies"):
        participation_ratio(np.full((5, 7), 0.1))
    with pytest.raises(UserError, match="at least 2 samples"):
        participation_ratio(np.ones((1, 7)))
    with pytest.raises(UserError, match="at least 3 samples"):
        corrected_participation_ratio(np.eye(2))


def test_the_whole_answer_agrees_with_its_parts_and_with_scikit_learn():
    rng = np.random.default_rng(0)
    for n, p in ((60, 200), (200, 40)):
        x = rng.normal(size=(n, p)) * np.linspace(0.2, 2, p)
        found = effective_dimensionality(x)
        peer = PCA(svd_solver="full").fit(x)
        k = min(n - 1, p)
        np.testing.assert_allclose(found.eigenvalues, peer.explained_variance_[:k], rtol=1e-8)
        assert found.participation_ratio == pytest.approx(participation_ratio(x))
        assert found.corrected == pytest.approx(corrected_participation_ratio(x))
        running = np.cumsum(peer.explained_variance_ratio_)
        assert found.components == {
            share: int((running < share).sum()) + 1 for share in (0.8, 0.9, 0.95, 0.99)
        }
        assert (found.n_samples, found.n_units) == (n, p)


def test_the_corrected_ratio_is_unbiased_where_the_raw_one_is_off_and_its_interval_covers_the_truth():
    """A power-law spectrum of 300 units, 100 samples, 200 seeds; the truth is that of the spectrum itself."""
    spectrum = np.arange(1, 301) ** -0.3
    truth = spectrum.sum() ** 2 / (spectrum**2).sum()
    raw, corrected, inside = [], [], 0
    for seed in range(200):
        x = np.random.default_rng(seed).normal(size=(100, 300)) * np.sqrt(spectrum)
        found = effective_dimensionality(x)
        raw.append(found.participation_ratio)
        corrected.append(found.corrected)
        inside += found.interval[0] <= truth <= found.interval[1]
    print(
        f"true {truth:.1f}: raw {np.mean(raw):.1f} ({100 * (np.mean(raw) / truth - 1):.0f} %), corrected "
        f"{np.mean(corrected):.1f} ({100 * (np.mean(corrected) / truth - 1):.1f} %), in the interval {inside} of 200"
    )
    assert np.mean(corrected) == pytest.approx(truth, rel=0.02)
    assert np.mean(raw) < 0.8 * truth
    assert inside >= 180


@pytest.mark.parametrize("alpha", [0.5, 1.0, 1.5])
def test_a_planted_exponent_is_found_and_its_range_stated(alpha):
    spectrum = np.arange(1, 401.0) ** -alpha
    x = np.random.default_rng(0).normal(size=(20000, 400)) * np.sqrt(spectrum)
    found = effective_dimensionality(x)
    assert found.fit_range == (11, 200)
    assert found.exponent == pytest.approx(alpha, abs=0.06)
    assert effective_dimensionality(x, fit_range=(1, 50)).fit_range == (1, 50)


def test_the_jackknife_is_that_of_samples_left_out():
    """Both ways of leaving samples out, through inner products of samples and of units, are the same."""
    x = np.random.default_rng(0).normal(size=(30, 30)) * np.linspace(0.3, 2, 30)
    wide = effective_dimensionality(np.hstack([x, np.zeros((30, 5))])).interval
    tall = effective_dimensionality(x[:, :29] if x.shape[1] > 29 else x).interval
    logs = [
        np.log(corrected_participation_ratio(np.delete(x, i, axis=0))) for i in range(30)
    ]  # fmt: skip
    error = np.sqrt(29 / 30 * ((np.array(logs) - np.mean(logs)) ** 2).sum())
    from scipy.stats import t

    middle = np.log(corrected_participation_ratio(x))
    expected = np.exp([middle - t.ppf(0.975, 29) * error, middle + t.ppf(0.975, 29) * error])
    np.testing.assert_allclose(wide, expected, rtol=1e-8)
    assert tall[0] < np.exp(middle) < tall[1]


def test_noise_of_recordings_is_no_dimension_across_repetitions():
    rng = np.random.default_rng(0)
    signal = rng.normal(size=(500, 3)) @ rng.normal(size=(3, 80))
    first, second = (signal + 2 * rng.normal(size=signal.shape) for _ in range(2))
    found = cross_validated_eigenvalues(first, second)
    assert found[:3].sum() > 20 * np.abs(found[3:]).max()
    assert effective_dimensionality(first).participation_ratio > 5
    assert found.sum() ** 2 / (found**2).sum() == pytest.approx(3, abs=0.6)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: effective_dimensionality(np.ones(5)), r"not \(5,\)"),
        (lambda: effective_dimensionality(np.eye(2)), "at least 3 samples, not 2"),
        (lambda: effective_dimensionality(np.ones((5, 3))), "none of 3 units varies"),
        (lambda: effective_dimensionality(np.eye(6), fit_range=(1, 9)), "ranks 1 to 9 are not among the 5"),
        (lambda: cross_validated_eigenvalues(np.ones((4, 2)), np.ones((5, 2))), "same shape"),
    ],
)
def test_mistakes(call, message):
    with pytest.raises(UserError, match=message):
        call()
