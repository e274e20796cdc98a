"""The r of a flawless model: by the equation, over divisions of the repetitions, and where halves do not agree."""

from itertools import combinations

import numpy as np
import pytest

from brodmann.analysis.representation.rdm import correlation_rdm, crossnobis_rdm
from brodmann.analysis.representation.rdm_comparison import centered, standardized
from brodmann.bench.metrics.rsa_ceiling import (
    Halves,
    _divisions,
    _mean,
    _squared_distances,
    best_r,
    of_one,
    pairwise,
    split_halves,
)


def test_the_best_r_is_the_root_and_of_ranks_by_way_of_normal_scores():
    assert best_r(np.array(0.25), ranked=False) == pytest.approx(0.5)
    # half of the noise: 1 / (1 + .5 * 3) = .4
    assert best_r(np.array(0.25), ranked=False, noise_left=0.5) == pytest.approx(np.sqrt(0.4))
    rho = 2 * np.sin(np.pi * 0.25 / 6)
    assert best_r(np.array(0.25), ranked=True) == pytest.approx(6 / np.pi * np.arcsin(np.sqrt(rho) / 2))
    for ranked in (True, False):
        np.testing.assert_allclose(best_r(np.array([1.0, 0.0, -0.5]), ranked=ranked), [1, 0, 0], atol=1e-9)
    assert Halves(np.empty(0), np.empty(0), 0.5, False).best(np.array(0.25)) == pytest.approx(np.sqrt(0.4))


def test_normal_scores_with_noise_reach_the_r_that_is_foretold():
    rng = np.random.default_rng(0)
    truth = rng.normal(size=200_000)
    one, other = (np.argsort(np.argsort(truth + rng.normal(size=truth.size))) for _ in range(2))
    between = np.corrcoef(one, other)[0, 1]
    ranks = np.argsort(np.argsort(truth))
    assert float(best_r(np.array(between), ranked=True)) == pytest.approx(
        np.corrcoef(ranks, one)[0, 1], abs=3e-3
    )


def rdms(n_subjects=4, noise=1.0, n=14, seed=0):
    rng = np.random.default_rng(seed)
    shared = rng.normal(size=(n, 12))
    return np.array([correlation_rdm(shared + noise * rng.normal(size=(n, 12))) for _ in range(n_subjects)])


def test_every_two_subjects_are_correlated_and_agreement_is_beyond_relabelling():
    vectors = standardized(rdms())
    among, p = pairwise(vectors)
    rows = np.triu_indices(14, 1)
    expected = np.corrcoef([one[rows] for one in rdms()])
    np.testing.assert_allclose(among, expected)
    assert p == 1 / 100
    unrelated = [
        pairwise(standardized(np.stack([rdms(1, seed=s)[0] for s in (a, a + 50)])))[1] for a in range(30)
    ]
    assert 0.3 < np.mean(unrelated) < 0.7
    assert pairwise(vectors)[1] == p


def test_one_subject_has_the_best_r_of_its_halves_or_none():
    close = rdms(6, noise=0.3)
    halves = Halves(close[:3], close[3:], 0.5, ranked=False)
    vectors = [standardized(close[:3]), standardized(close[3:])]
    r = np.mean([(a * b).sum() for a, b in zip(*vectors, strict=True)])
    found, why = of_one(halves, standardized)
    assert (found, why) == (pytest.approx(float(best_r(np.array(r), ranked=False, noise_left=0.5))), "")
    far = Halves(rdms(3, seed=1), rdms(3, seed=9), 0.5, ranked=False)
    nothing, why = of_one(far, standardized)
    assert np.isnan(nothing)
    assert why.startswith("none: RDMs of halves of the repetitions agree too little (r ")
    # halves of very many stimuli that agree a little: certain, and too noisy
    weak = rdms(2, noise=6.0, n=150, seed=3)
    little, why = of_one(Halves(weak[:1], weak[1:], 1.0, ranked=False), standardized)
    r = float((standardized(weak[:1]) * standardized(weak[1:])).sum())
    if r < 0.1:
        assert np.isnan(little)
        assert why.startswith("none: ")


def test_every_division_of_few_repetitions_is_tried_once():
    for n, expected in ((2, 1), (3, 3), (4, 3), (5, 10), (6, 10), (7, 10)):
        found = _divisions(np.ones((3, n), bool))
        assert len(found) == expected
        seen = set()
        for first, second in found:
            assert (first == first[0]).all()
            one, other = (tuple(np.flatnonzero(half[0])) for half in (first, second))
            assert len(one) == len(other) == n // 2
            assert not set(one) & set(other)
            seen.add(frozenset((one, other)))
        assert len(seen) == expected or n == 7  # drawn at random, one may come twice
    every = {
        frozenset((a, b))
        for a in combinations(range(3), 1)
        for b in combinations(sorted(set(range(3)) - set(a)), 1)
    }
    found = {
        frozenset(tuple(np.flatnonzero(h[0])) for h in halves) for halves in _divisions(np.ones((2, 3), bool))
    }
    assert found == every


def test_stimuli_that_miss_repetitions_are_halved_each_by_what_it_has():
    shown = np.array([[True, True, False, True, False], [True] * 5, [False, True, True, True, True]])
    found = _divisions(shown)
    assert len(found) == 10
    for first, second in found:
        assert not (first & second).any()
        assert not ((first | second) & ~shown).any()
        assert first.sum(axis=1).tolist() == second.sum(axis=1).tolist() == [1, 2, 2]
    assert len({first.tobytes() for first, _ in found}) > 4


def test_means_and_squared_distances_by_hand():
    cube = np.array([[[1.0], [5.0], [np.nan]], [[2.0], [4.0], [9.0]]])
    taken = np.array([[True, True, False], [True, False, True]])
    np.testing.assert_array_equal(_mean(cube, taken), [[3.0], [5.5]])
    found = _squared_distances(np.array([[0.0, 0.0], [3.0, 4.0], [0.0, 2.0]]))
    np.testing.assert_allclose(found, [[0, 12.5, 2], [12.5, 0, 6.5], [2, 6.5, 0]])


def cube(n=12, repetitions=4, noise=0.5, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, 1, 20)) + noise * rng.normal(size=(n, repetitions, 20))


def halved(one, distance="correlation", ranked=False):
    return split_halves(one, distance, lambda rdm: 2 * rdm, centered, ranked=ranked)


def test_why_there_are_no_halves():
    assert halved(cube(repetitions=1)) == ""
    once = cube()
    once[2:4, 1:] = np.nan
    assert halved(once) == "none: 2 of 12 stimuli were shown once, so their noise is unknown"
    for repetitions in (2, 3):
        assert halved(cube(repetitions=repetitions), "crossnobis") == (
            "none: halves of fewer than 4 repetitions say too little about crossnobis distances"
        )
    assert isinstance(halved(cube(repetitions=2)), Halves)


@pytest.mark.parametrize("distance", ["correlation", "crossnobis"])
def test_halves_are_rdms_of_mean_patterns_as_they_are_compared(distance):
    one = cube()
    found = halved(one, distance, ranked=True)
    divisions = _divisions(np.ones((12, 4), bool))
    assert found.first.shape == found.second.shape == (3, 12, 12)
    assert found.ranked
    scaled = one
    if distance == "crossnobis":
        within = ((one - one.mean(axis=1, keepdims=True)) ** 2).sum(axis=(0, 1)) / (12 * 3)
        scaled = one / np.sqrt(within)
    make = correlation_rdm if distance == "correlation" else _squared_distances
    for got, got_other, (a, b) in zip(found.first, found.second, divisions, strict=True):
        np.testing.assert_allclose(got, 2 * make(scaled[:, a[0]].mean(axis=1)), atol=1e-10)
        np.testing.assert_allclose(got_other, 2 * make(scaled[:, b[0]].mean(axis=1)), atol=1e-10)
    assert 0.125 <= found.noise_left < 0.8
    assert np.isfinite(crossnobis_rdm(one)).all()


def test_the_noise_that_is_left_is_between_an_eighth_and_all():
    """Of linear noise half is left in all repetitions, of squared noise a quarter."""
    clean = [halved(cube(n=30, noise=0.2, seed=s)).noise_left for s in range(10)]
    assert np.mean(clean) == pytest.approx(0.5, abs=0.06)
    loud = [halved(cube(n=30, noise=4.0, seed=s)).noise_left for s in range(10)]
    assert 0.15 < np.mean(loud) < 0.45
