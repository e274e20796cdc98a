"""How a headline over subjects moves: against subjects left out, against its equation, and against new subjects."""

import numpy as np
import pytest

from brodmann.analysis.statistics.resampling import bootstrap_weights
from brodmann.bench.metrics.rsa_replicates import Agreement, _scaled, _without_pairs, replicates

R = np.array([[0.2, 0.4, 0.3, 0.5, 0.1]])


def headline(r, among):
    off = ~np.eye(len(among), dtype=bool)
    return r.mean() / np.sqrt(among[off].mean())


def symmetric(n=5, seed=0):
    rng = np.random.default_rng(seed)
    among = 0.5 + 0.05 * rng.normal(size=(n, n))
    among = (among + among.T) / 2
    np.fill_diagonal(among, 1.0)
    return among


def of(r, among):
    n = len(among)
    return Agreement(r, ((among.sum(axis=1) - 1) / (n - 1))[None])


def test_influences_are_the_derivative_by_the_weight_of_a_subject():
    """With weights w the mean of r is w'r and best the mean over pairs of different subjects."""
    among = symmetric()
    found, influence = of(R, among).linearized()
    assert found[0] == pytest.approx(headline(R[0], among))
    assert influence.mean() == pytest.approx(0)
    off = among * (1 - np.eye(5))
    for subject in range(5):
        step = 1e-6
        w = np.full(5, 1.0)
        w[subject] += step
        pairs = np.outer(w, w) * (1 - np.eye(5))
        moved = (w @ R[0] / w.sum()) / np.sqrt((pairs * off).sum() / pairs.sum())
        slope = (moved - found[0]) / step * 5
        assert influence[0, subject] == pytest.approx(slope, rel=0.01, abs=0.02)


def test_two_subjects_and_a_best_r_below_the_least():
    found, influence = Agreement(np.array([[0.2, 0.4]]), np.array([[0.25, 0.25]])).linearized()
    assert found[0] == pytest.approx(0.6)
    np.testing.assert_allclose(influence, [[-0.2, 0.2]])
    low, moved = Agreement(np.array([[0.2, 0.4]]), np.array([[-0.5, 0.1]])).linearized(0.25)
    assert low[0] == pytest.approx(0.6)
    np.testing.assert_allclose(moved, [[-0.2 + 0.6 / 0.25 * 0.3, 0.2 - 0.6 / 0.25 * 0.3]])


def test_draws_are_scaled_to_twice_the_first_order_less_the_whole():
    first, whole = np.array([1.0, 3.0, 2.0, 6.0]), np.array([0.0, 4.0])  # variances 3.5 and 4
    found = _scaled(10.0, first, whole, (1.0, 1.0))
    np.testing.assert_allclose(found, 10 + (first - 3) * np.sqrt(3 / 3.5))
    np.testing.assert_allclose(_scaled(10.0, first, 10 * whole, (1.0, 1.0)), 10 + (first - 3) / np.sqrt(2))
    np.testing.assert_allclose(_scaled(10.0, first, 0 * whole, (1.0, 1.0)), 10 + first - 3)
    np.testing.assert_allclose(_scaled(10.0, first, whole, (2.0, 1.5)), 10 + (first - 3) * np.sqrt(7 / 3.5))
    np.testing.assert_allclose(_scaled(10.0, first, whole, (2.0, 2.0)), 10 + (first - 3) * np.sqrt(6 / 3.5))
    gaps = np.r_[first, np.nan]
    np.testing.assert_allclose(_scaled(10.0, gaps, whole, (1.0, 1.0))[:4], found)
    assert np.isnan(_scaled(10.0, gaps, whole, (1.0, 1.0))[4])
    assert _scaled(10.0, np.full(3, 2.0), whole, (1.0, 1.0)).tolist() == [10.0] * 3
    assert _scaled(10.0, np.full(3, np.nan), whole, (1.0, 1.0)).tolist() == [10.0] * 3


def test_the_noise_of_pairs_shrinks_influences_and_not_below_its_share():
    among = symmetric(6)
    influence = np.array([0.3, -0.1, 0.2, -0.4, 0.1, -0.1])
    off = ~np.eye(6, dtype=bool)
    mean = among[off].mean()
    design = np.array(
        [[float(k in pair) for k in range(6)] for pair in zip(*np.triu_indices(6, 1), strict=True)]
    )
    pairs = among[np.triu_indices(6, 1)]
    residual = pairs - design @ np.linalg.lstsq(design, pairs, rcond=None)[0]
    noise = (residual**2).sum() / (15 - 6)
    excess = (0.7 / mean) ** 2 * noise / 6 * (1 / 4 - 1 / 10)
    spread = influence.var(ddof=1) / 6
    assert _without_pairs(0.7, influence, among) == pytest.approx(np.sqrt(1 - excess / spread))
    assert _without_pairs(0.7, 1e-4 * influence, among) == pytest.approx(np.sqrt(4 / 10))
    assert _without_pairs(0.7, 0 * influence, among) == 1
    assert _without_pairs(0.7, influence[:3], among[:3, :3]) == 1
    assert _without_pairs(0.7, influence[:4], among[:4, :4]) < 1


def draws(n_draws=30, seed=0):
    rng = np.random.default_rng(seed)
    r, among = R + 0.05 * rng.normal(size=(n_draws, 1)), symmetric()
    best = of(R, among).best + 0.02 * rng.normal(size=(n_draws, 1))
    return Agreement(r, best), Agreement(r[:20] * 1.1, best[:20])


def test_subjects_are_the_value_and_their_influences():
    among = symmetric()
    observed, (first, whole) = of(R, among), draws()
    found = replicates(0.4, observed, among, first, whole, n_samples=30, seed=3, named=True)
    theta, influence = (one[0] for one in observed.linearized())
    kept = _without_pairs(float(theta), influence, among)
    np.testing.assert_allclose(found.subjects, 0.4 + kept * influence)
    assert (found.value, found.kind, found.n_samples) == (0.4, "bootstrap", 30)
    least = observed.best.mean() / 4
    expected = _scaled(0.4, first.linearized(least)[0], whole.linearized(least)[0], (1.0, 1.0))
    np.testing.assert_allclose(found.samples, expected)
    drawn = (bootstrap_weights(5, 30, random_state=3) - 1) / 5 * kept * np.sqrt(5 / 4)
    both = [
        theta + (drawn[: len(theta)] * change).sum(axis=1)
        for theta, change in (one.linearized(least) for one in (first, whole))
    ]
    np.testing.assert_allclose(found.both, _scaled(0.4, *both, (1.0, 1.0)))
    plain = replicates(0.4, observed, None, first, whole, n_samples=30, seed=3, named=True)
    np.testing.assert_allclose(plain.subjects, 0.4 + influence)
    other = replicates(0.4, observed, among, first, whole, n_samples=30, seed=4, named=True)
    assert (other.both != found.both).any()
    np.testing.assert_array_equal(other.samples, found.samples)


def test_one_subject_has_no_others_and_counts_where_it_is_named():
    observed = Agreement(np.array([[0.3]]), np.array([[0.36]]))
    rng = np.random.default_rng(1)
    many = Agreement(0.3 + 0.1 * rng.normal(size=(9, 1)), np.full((9, 1), 0.36))
    for named, subjects in ((True, [0.5]), (False, [])):
        found = replicates(0.5, observed, None, many, many, n_samples=12, seed=0, named=named)
        assert found.subjects.tolist() == subjects
        assert found.both.size == 0
        np.testing.assert_allclose(found.samples - 0.5, (many.r[:, 0] - many.r.mean()) / 0.6)
