"""Distances between noise-free patterns: unbiased where the truth is known, and the share of pairs that follows."""

import numpy as np
import pytest
from scipy.stats import norm

from brodmann.bench.metrics.identification import noise_scale, pairs_of
from brodmann.bench.metrics.identification_ceiling import Distances, _second_moments

N, N_NEUROIDS = 10, 40


def world(seed, repetitions=4, size=0.6, shared=0.0, missing=False):
    """Patterns of known distance and noise of sd 1, of which a share is common to all neuroids along one pattern."""
    rng = np.random.default_rng(seed)
    patterns = size * np.random.default_rng(99).normal(size=(N, N_NEUROIDS))
    direction = np.random.default_rng(98).normal(size=N_NEUROIDS)
    noise = rng.normal(size=(N, repetitions, N_NEUROIDS)) * np.sqrt(1 - shared)
    noise += np.sqrt(shared) * rng.normal(size=(N, repetitions, 1)) * direction
    cube = patterns[:, None] + noise
    if missing:
        cube[:5, 2:] = np.nan
    return patterns, cube


def distance_of(cube, **more):
    return Distances.of(cube, noise_scale(cube), **more)


@pytest.mark.parametrize("missing", [False, True])
def test_squared_distances_are_unbiased(missing):
    """Those of patterns less their mean over neuroids, in units of the noise of one presentation."""
    patterns, _ = world(0)
    z = patterns - patterns.mean(axis=0)
    z -= z.mean(axis=1, keepdims=True)
    truth = ((z[:, None] - z) ** 2).sum(axis=-1)[np.triu_indices(N, 1)]
    pairs = pairs_of([np.arange(N)], np.arange(N))
    found = np.array([distance_of(world(s, missing=missing)[1])._pairs(pairs, None)[1] for s in range(200)])
    error = found.std(axis=0) / np.sqrt(200)
    assert np.abs((found.mean(axis=0) - truth) / error).max() < 5
    assert found.mean() == pytest.approx(truth.mean(), rel=0.02)


def test_the_sum_over_pairs_is_of_each_ones_presentations():
    _, cube = world(1, missing=True)
    pairs = pairs_of([np.array([0, 4, 7]), np.array([8, 9])], np.arange(N))
    inverse, _ = distance_of(cube)._pairs(pairs, None)
    np.testing.assert_allclose(inverse, [1 / 2 + 1 / 2, 1 / 2 + 1 / 4, 1 / 2 + 1 / 4, 1 / 4 + 1 / 4])
    half = np.arange(N) < 5
    one = distance_of(cube)
    trace = one.residuals[half].sum() / (one.counts[half] - 1).sum()
    every = one.residuals.sum() / (one.counts - 1).sum()
    given, _ = one._pairs(pairs, half), None
    np.testing.assert_allclose(given[1] + inverse * trace, one._pairs(pairs, None)[1] + inverse * every)


def test_moments_of_the_noise_are_those_of_its_covariance():
    """tr(C^2) of independent noise of unit variance is the number of neuroids; centring leaves one less."""
    squares = [distance_of(world(s)[1]).square_trace for s in range(60)]
    assert np.mean(squares) == pytest.approx(N_NEUROIDS - 1, rel=0.08)  # the sd is an estimate, too
    rng = np.random.default_rng(0)
    found = []
    for n_samples in (5, 30):  # fewer and more than neuroids
        c = np.diag([1.0, 4.0, 9.0, 0.25, 1.0, 1.0, 1.0, 2.0])
        z = rng.normal(size=(6, 8))
        draws = []
        for _ in range(4000):
            noise = rng.normal(size=(n_samples, 8)) @ np.sqrt(c)
            draws.append(_second_moments(noise, z, n_samples))
        found.append(np.mean(draws, axis=0))
        np.testing.assert_allclose(found[-1], [(c**2).sum(), np.trace(c @ (z.T @ z)) / 5], rtol=0.08)


def test_noise_along_the_signal_weighs_one_where_neuroids_are_independent_and_more_where_they_share_it():
    free = N * 3
    alone = np.mean([distance_of(world(s)[1]).along for s in range(60)])
    assert alone == pytest.approx(1 + 2 / (free - 4), abs=0.08)
    shared = np.mean([distance_of(world(s, shared=0.3)[1]).along for s in range(60)])
    assert shared != pytest.approx(alone, abs=0.02)


def test_the_best_share_is_that_of_linear_discrimination():
    """All pairs equally far: Phi(d / sqrt(k s)), with d known."""
    truth = 3.0
    z = np.sqrt(truth / 2) * np.eye(N)  # every two are sqrt(truth) apart
    squares = ((z[:, None] - z) ** 2).sum(axis=-1)
    counts, residuals = np.full(N, 4.0), np.zeros(N)
    one = Distances(squares, residuals, counts, 0.0, 1.5)
    pairs = pairs_of([np.arange(5), np.arange(5, 10)], np.arange(N))
    expected = norm.cdf(np.sqrt(truth / (1.5 * 0.5)))
    assert one.accuracy(pairs) == pytest.approx(expected)
    assert Distances(squares, np.full(N, 3.0 * 2), counts, 0.0, 1.5).accuracy(pairs) == pytest.approx(
        norm.cdf(np.sqrt((truth - 0.5 * 2) / (1.5 * 0.5)))
    )
    assert Distances(squares, np.full(N, 3.0 * 99), counts, 0.0, 1.5).accuracy(pairs) == 0.5
    assert one.certainty(pairs) == float("inf")
    known = Distances(squares, residuals, counts, 18.0, 1.5)
    assert known.certainty(pairs) == pytest.approx(truth / (np.sqrt(2 * 18 / 9) / 4 * 2))


def test_distances_that_differ_by_noise_alone_are_shrunk_to_their_mean():
    rng = np.random.default_rng(0)
    counts = np.full(N, 4.0)
    squares = np.zeros((N, N))
    rows = np.triu_indices(N, 1)
    squares[rows] = 3 + 0.1 * rng.normal(size=45)
    squares += squares.T
    pairs = pairs_of([np.arange(N)], np.arange(N))
    noisy = Distances(squares, np.zeros(N), counts, 50.0, 1.0)
    assert noisy.accuracy(pairs) == pytest.approx(norm.cdf(np.sqrt(squares[rows].mean() / 0.5)))
    far = squares.copy()
    far[rows] += 40 * (np.arange(45) % 2)
    far = np.triu(far, 1)
    far += far.T
    clear = Distances(far, np.zeros(N), counts, 1e-3, 1.0)
    values = far[rows]
    mean, noise = values.mean(), 4 * values.mean() * 0.5 + 2 * 0.25 * 1e-3
    left = ((values - mean) ** 2).mean() - noise
    shrunk = mean + np.sqrt(left / (left + noise)) * (values - mean)
    assert clear.accuracy(pairs) == pytest.approx(norm.cdf(np.sqrt(np.maximum(shrunk, 0) / 0.5)).mean())


def test_too_few_repetitions_say_nothing_of_the_noise():
    _, cube = world(0)
    few = cube[:, :2].copy()
    few[5:, 1] = np.nan  # five are free
    assert distance_of(few) is None
    few[5, 1] = cube[5, 1]
    assert distance_of(few) is not None
