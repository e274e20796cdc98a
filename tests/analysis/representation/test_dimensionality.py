"""Participation ratio: known dimensions, scikit-learn's eigenvalues, invariances."""

from itertools import permutations

import numpy as np
import pytest
from scipy import stats
from sklearn.decomposition import PCA

from brodmann import UserError
from brodmann.analysis import (
    corrected_participation_ratio,
    cross_validated_eigenvalues,
    effective_dimensionality,
    participation_ratio,
)
from brodmann.analysis.representation.traces import rows_of_one, rows_of_products, rows_of_two, traces_of


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
    with pytest.raises(UserError, match="at least 4 samples"):
        corrected_participation_ratio(np.eye(3))
    with pytest.raises(UserError, match="leave normal out"):
        corrected_participation_ratio(np.eye(5), normal=True, units="sampled")


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
        (lambda: effective_dimensionality(np.eye(2)), "at least 4 samples, not 2"),
        (lambda: effective_dimensionality(np.ones((5, 3))), "none of 3 units varies"),
        (lambda: effective_dimensionality(np.eye(6), fit_range=(1, 9)), "ranks 1 to 9 are not among the 5"),
        (lambda: cross_validated_eigenvalues(np.ones((4, 2)), np.ones((5, 2))), "same shape"),
    ],
)
def test_mistakes(call, message):
    with pytest.raises(UserError, match=message):
        call()


def designed(spectrum, n_samples, seed=0):
    """Responses whose sample covariance has exactly these eigenvalues, away from 0 on average."""
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(n_samples, len(spectrum)))
    scores = np.linalg.qr(scores - scores.mean(axis=0))[0] * np.sqrt((n_samples - 1) * np.asarray(spectrum))
    rotation = np.linalg.qr(rng.normal(size=(len(spectrum), len(spectrum))))[0]
    return scores @ rotation + rng.normal(size=len(spectrum))


def test_a_designed_spectrum_is_found_exactly():
    spectrum = np.arange(1, 31.0) ** -0.7
    found = effective_dimensionality(designed(spectrum, 50))
    np.testing.assert_allclose(found.eigenvalues, spectrum)
    assert found.exponent == pytest.approx(0.7)
    assert found.fit_range == (1, 15)
    assert found.participation_ratio == pytest.approx(spectrum.sum() ** 2 / (spectrum**2).sum())
    assert effective_dimensionality(designed(spectrum, 50), fit_range=(3, 7)).exponent == pytest.approx(0.7)
    assert np.isnan(effective_dimensionality(designed(spectrum, 50), fit_range=(3, 6)).exponent)
    bent = np.where(np.arange(30) < 20, spectrum, spectrum * 0.5)
    assert effective_dimensionality(designed(bent, 50), fit_range=(1, 20)).exponent == pytest.approx(0.7)
    assert effective_dimensionality(designed(bent, 50), fit_range=(1, 21)).exponent > 0.71
    bent = np.where(np.arange(30) < 10, 2 * spectrum, spectrum)
    assert effective_dimensionality(designed(bent, 50), fit_range=(11, 30)).exponent == pytest.approx(0.7)
    assert effective_dimensionality(designed(bent, 50), fit_range=(10, 30)).exponent > 0.71


def test_shares_that_components_reach_exactly_are_counted_as_reached():
    found = effective_dimensionality(designed(np.ones(10), 40), shares=(0.05, 0.1, 0.3, 0.55, 0.7, 0.9, 1.0))
    assert found.components == {0.05: 1, 0.1: 1, 0.3: 3, 0.55: 6, 0.7: 7, 0.9: 9, 1.0: 10}
    assert {type(share) for share in found.components} == {float}


@pytest.mark.parametrize(
    ("n_dimensions", "expected"),
    [(3, (1, 3)), (5, (1, 5)), (8, (1, 5)), (12, (1, 6)), (41, (1, 20)), (42, (11, 21)), (60, (11, 30))],
)
def test_the_power_law_is_fitted_to_half_of_the_rank_and_from_11_where_ten_ranks_are_left(
    n_dimensions, expected
):
    spectrum = np.append(np.arange(1, n_dimensions + 1.0) ** -1, np.full(4, 1e-16))
    assert effective_dimensionality(designed(spectrum, 100)).fit_range == expected


def test_the_power_law_is_fitted_up_to_rank_500():
    assert effective_dimensionality(np.diag(np.arange(1, 1011.0) ** -0.5)).fit_range == (11, 500)


@pytest.mark.parametrize("fit_range", [(0, 5), (3, 3), (4, 2), (2, 9)])
def test_ranks_that_are_not_there_are_named(fit_range):
    x = designed(np.arange(1, 9.0) ** -1, 20)
    with pytest.raises(UserError, match=f"ranks {fit_range[0]} to {fit_range[1]} are not among the 8"):
        effective_dimensionality(x, fit_range=fit_range)
    assert effective_dimensionality(x, fit_range=(1, 8)).exponent == pytest.approx(1)


@pytest.mark.parametrize("n_samples", [4, 5, 11])
@pytest.mark.parametrize("n_units", [1, 20])
def test_one_dimension_is_corrected_to_exactly_one(n_samples, n_units):
    """With one eigenvalue the traces are the same."""
    x = np.cos(np.arange(n_samples))[:, None] * np.linspace(1, 2, n_units)
    assert corrected_participation_ratio(x) == pytest.approx(1)
    assert corrected_participation_ratio(x, normal=True) == pytest.approx(1)
    if n_samples > 4:
        np.testing.assert_allclose(effective_dimensionality(x).interval, 1)


def test_corrected_traces_are_unbiased_over_normal_samples():
    """tr(C^2) and (tr C)^2 come back on average from 4 samples of 2 units with variances 1 and 3."""
    n, ratios = 3, []
    rng = np.random.default_rng(0)
    for _ in range(4000):
        x = rng.normal(size=(n + 1, 2)) * np.sqrt([1, 3])
        s = np.cov(x.T)
        of_square = n**2 / ((n - 1) * (n + 2)) * (np.trace(s @ s) - np.trace(s) ** 2 / n)
        ratios.append((of_square, np.trace(s) ** 2 - 2 * of_square / n))
        expected = ratios[-1][1] / of_square if of_square > 0 else np.inf
        if len(ratios) <= 20:
            assert corrected_participation_ratio(x, normal=True) == pytest.approx(expected)
    np.testing.assert_allclose(np.mean(ratios, axis=0), [10, 16], rtol=0.06)


def drawn_traces(first, second):
    """The averages over every four different samples that the closed form stands for."""
    found = [
        (
            (first[i] - first[j])
            @ (second[i] - second[j])
            * ((first[k] - first[m]) @ (second[k] - second[m])),
            (first[i] - first[j])
            @ (second[k] - second[m])
            * ((second[i] - second[j]) @ (first[k] - first[m])),
        )
        for i, j, k, m in permutations(range(len(first)), 4)
    ]
    return np.mean(found, axis=0) / 4


@pytest.mark.parametrize("n_units", [3, 9])
def test_traces_are_averages_over_four_different_samples(n_units):
    rng = np.random.default_rng(n_units)
    first = rng.exponential(size=(7, n_units)) + 5
    second = first + rng.normal(size=first.shape)
    found = traces_of(rows_of_two(first, second))
    np.testing.assert_allclose((found.squared, found.of_square), drawn_traces(first, second), rtol=1e-9)
    centered = first - first.mean(axis=0)
    for rows in (rows_of_products(centered @ centered.T), rows_of_one(first, centered.T @ centered)):
        same = traces_of(rows)
        np.testing.assert_allclose((same.squared, same.of_square), drawn_traces(first, first), rtol=1e-9)
        one = traces_of(rows_of_two(first, first))
        np.testing.assert_allclose(same.of_square_without, one.of_square_without, rtol=1e-9)
        np.testing.assert_allclose(same.squared_without, one.squared_without, rtol=1e-9)
        assert same.tails == pytest.approx(one.tails)
    products = first @ first.T  # U-centred as unbiased linear HSIC is
    n = len(products)
    np.fill_diagonal(products, 0)
    rows = products.sum(axis=0)
    hsic = (products**2).sum() + rows.sum() ** 2 / ((n - 1) * (n - 2)) - 2 * (rows**2).sum() / (n - 2)
    assert traces_of(rows_of_two(first, first)).of_square == pytest.approx(hsic / (n * (n - 3)))


@pytest.mark.parametrize("n_units", [4, 40])
@pytest.mark.parametrize("blocks", [1 << 22, 60])
def test_traces_without_a_sample_are_those_of_the_others(n_units, blocks, monkeypatch):
    monkeypatch.setattr("brodmann.analysis.representation.traces._BLOCK", blocks)
    rng = np.random.default_rng(n_units)
    first, second = rng.exponential(size=(2, 12, n_units)) + 3
    found = traces_of(rows_of_two(first, second))
    for i in range(12):
        one = traces_of(rows_of_two(np.delete(first, i, axis=0), np.delete(second, i, axis=0)))
        assert found.squared_without[i] == pytest.approx(one.squared)
        assert found.of_square_without[i] == pytest.approx(one.of_square)
    assert not len(traces_of(rows_of_two(first[:4], second[:4])).squared_without)


def test_traces_are_unbiased_for_responses_that_are_not_normal():
    """Rectified: the formula for normal responses misses tr(C^2) there."""
    rng = np.random.default_rng(0)
    scale = np.array([1, 2, 3])
    variance = scale**2 * (0.5 - 0.5 / np.pi)
    draws = [np.maximum(rng.normal(size=(6, 3)), 0) * scale for _ in range(6000)]
    found = [traces_of(rows_of_two(x, x)) for x in draws]
    squared, of_square = ([getattr(one, name) for one in found] for name in ("squared", "of_square"))
    for values, truth in ((squared, variance.sum() ** 2), (of_square, (variance**2).sum())):
        assert abs(np.mean(values) - truth) < 3 * np.std(values) / np.sqrt(6000)


@pytest.mark.parametrize("n_samples", [31, 80, 101])
@pytest.mark.parametrize("n_units", [12, 130])
def test_the_interval_is_a_jackknife_on_the_logarithm(n_samples, n_units):
    rng = np.random.default_rng(n_samples)
    x = rng.normal(size=(n_samples, n_units)) * np.linspace(0.3, 2, n_units) + 5
    found = effective_dimensionality(x)
    n = n_samples
    parts = [traces_of(rows_of_two(one, one)) for one in (np.delete(x, i, axis=0) for i in range(n))]
    logs = np.log([one.squared / one.of_square for one in parts])
    middle = n * np.log(found.corrected) - (n - 1) * logs.mean()
    error = np.sqrt((n - 1) ** 2 / n * logs.var(ddof=1))
    squares = (logs - logs.mean()) ** 2
    half = stats.t.ppf(0.975, squares.sum() ** 2 / (squares**2).sum() - 1) * error
    np.testing.assert_allclose(found.interval, np.exp([middle - half, middle + half]), rtol=1e-7)
    assert found.interval[0] < found.corrected < found.interval[1]


def heavy(n, seed, free=5):
    """Normal responses of 11.7 dimensions, times a gain that t has: heavy tails, the same dimensions."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 40)) * np.arange(1, 41.0) ** -0.5
    return x * np.sqrt((free - 2) / rng.chisquare(free, size=(n, 1)))


def test_heavy_tails_in_30_samples_are_too_few_and_normal_ones_are_not():
    told = [effective_dimensionality(heavy(30, seed)) for seed in range(30)]
    assert sum(np.isnan(one.corrected) for one in told) >= 28
    refused = next(one for one in told if np.isnan(one.corrected))
    assert refused.why_none == "too few samples (30): heavy tails need more than 30"
    assert np.isnan(refused.interval).all()
    assert 1 < refused.participation_ratio < 29
    assert np.isfinite([effective_dimensionality(heavy(31, seed)).corrected for seed in range(20)]).all()
    normal = [effective_dimensionality(heavy(30, seed, 1e9)) for seed in range(30)]
    assert sum(np.isfinite(one.corrected) for one in normal) >= 28


def test_few_samples_that_no_finite_dimension_fits_have_no_number():
    flat = effective_dimensionality(np.eye(4))
    assert "no finite dimension fits" in flat.why_none
    assert corrected_participation_ratio(np.eye(4), normal=True) == np.inf
    with_center = np.vstack([np.eye(4), np.full(4, 0.25)])
    for x in (with_center, np.hstack([with_center, np.zeros((5, 2))])):
        found = effective_dimensionality(x)  # without its center the simplex is left
        assert np.isnan([found.corrected, *found.interval]).all()
        assert np.isnan(corrected_participation_ratio(x))
    wide = np.random.default_rng(0).normal(size=(20, 200))
    assert "span at most 19" in effective_dimensionality(wide).why_none


@pytest.mark.parametrize("rectified", [False, True])
def test_it_is_right_and_covered_whatever_the_distribution(rectified):
    """Heavy tails, and rectified responses times a gain, with 100 samples; the truth from 200 000."""
    weights = np.random.default_rng(5).normal(size=(12, 60)) / np.sqrt(12)

    def drawn(n, seed):
        rng = np.random.default_rng(seed)
        x = rng.normal(size=(n, 12)) @ weights
        if rectified:
            return np.maximum(x, 0) * np.exp(0.4 * rng.normal(size=(n, 1)))
        return x * np.sqrt(3 / rng.chisquare(5, size=(n, 1)))

    if rectified:
        truth = participation_ratio(drawn(200_000, 1))
    else:
        values = np.linalg.eigvalsh(weights.T @ weights)
        truth = values.sum() ** 2 / (values**2).sum()
    found = [effective_dimensionality(drawn(100, seed)) for seed in range(2, 42)]
    corrected = np.array([one.corrected for one in found])
    normal = [corrected_participation_ratio(drawn(100, seed), normal=True) for seed in range(2, 42)]
    assert np.median(corrected) == pytest.approx(truth, rel=0.1)
    assert np.median(normal) < 0.9 * truth
    covered = np.mean([one.interval[0] <= truth <= one.interval[1] for one in found])
    assert covered >= 0.9 - 3 * np.sqrt(0.9 * 0.1 / 40)


def test_sampled_units_are_corrected_to_the_population_of_units():
    """12 latent dimensions in 50 units look like 12 * 50 / 62 = 9.7."""
    drawn = [np.random.default_rng(seed) for seed in range(40)]
    x = [rng.normal(size=(200, 12)) @ rng.normal(size=(12, 50)) for rng in drawn]
    assert np.mean([corrected_participation_ratio(one) for one in x]) == pytest.approx(9.7, abs=0.4)
    sampled = [corrected_participation_ratio(one, units="sampled") for one in x]
    assert abs(np.mean(sampled) - 12) < 3 * np.std(sampled) / np.sqrt(40) + 0.1


def test_components_of_one_repetition_weigh_the_other():
    rng = np.random.default_rng(0)
    for n, p in ((30, 12), (8, 20), (3, 5), (3, 2)):
        x = rng.normal(3, 1, size=(n, p)) * np.linspace(0.5, 2, p)
        peer = PCA(svd_solver="full").fit(x)
        k = min(n - 1, p)
        np.testing.assert_allclose(cross_validated_eigenvalues(x, x), peer.explained_variance_[:k])
        np.testing.assert_allclose(
            cross_validated_eigenvalues(x, 7 - 2 * x), -2 * peer.explained_variance_[:k]
        )
        y = rng.normal(size=(n, p)) - 4
        covariance = (x - x.mean(axis=0)).T @ (y - y.mean(axis=0)) / (n - 1)
        expected = [v @ covariance @ v for v in peer.components_[:k]]
        np.testing.assert_allclose(cross_validated_eigenvalues(x, y), expected, atol=1e-12)
        single = x.astype(np.float32), y.astype(np.float32)
        double = (one.astype(float) for one in single)
        np.testing.assert_allclose(
            cross_validated_eigenvalues(*single), cross_validated_eigenvalues(*double), rtol=1e-12
        )
    message = "at least 3 stimuli, not .2, 4. and .2, 4."
    with pytest.raises(UserError, match=message):
        cross_validated_eigenvalues(np.eye(2, 4), np.eye(2, 4))
    with pytest.raises(UserError, match="same shape"):
        cross_validated_eigenvalues(np.ones(4), np.ones(4))
    with pytest.raises(UserError, match="same shape"):
        cross_validated_eigenvalues(np.ones((4, 3)), np.ones((4, 2)))


def test_single_precision_whole_numbers_and_far_offsets_keep_the_answer():
    rng = np.random.default_rng(0)
    for shape in ((40, 15), (15, 40)):
        x = rng.integers(-50, 50, size=shape)
        expected = effective_dimensionality(x.astype(float))
        for other in (x, x.astype(np.float32), x.astype(np.int16), x + 1e4, 1e-8 * x):
            found = effective_dimensionality(other)
            assert found.participation_ratio == pytest.approx(expected.participation_ratio, rel=1e-5)
            np.testing.assert_allclose(found.interval, expected.interval, rtol=1e-4)
    tall = (1000 + rng.normal(size=(40, 15))).astype(np.float32)
    single, double = effective_dimensionality(tall), effective_dimensionality(tall.astype(float))
    assert single.corrected == pytest.approx(double.corrected, rel=1e-12)
    np.testing.assert_allclose(single.interval, double.interval, rtol=1e-9)
    with pytest.raises(UserError, match="none of 3 units varies over 8 samples"):
        participation_ratio(np.full((8, 3), 1e4 + 0.1))
    with pytest.raises(UserError, match="none of 9 units varies over 4 samples"):
        participation_ratio(np.zeros((4, 9)))
