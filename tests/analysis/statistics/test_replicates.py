"""Intervals from replicates, against arithmetic and against recordings drawn again and again."""

import numpy as np
import pytest
from scipy.stats import t

from brodmann.analysis.statistics.replicates import Replicates


def jackknifed(values):
    """The mean of values, with its jackknife."""
    n = len(values)
    return Replicates(values.mean(), (values.sum() - values) / (n - 1), "jackknife", n)


def test_the_jackknife_of_a_mean_is_its_t_interval():
    values = np.random.default_rng(0).normal(size=12)
    low, high = jackknifed(values).interval()
    half = t.ppf(0.975, 11) * values.std(ddof=1) / np.sqrt(12)
    assert (low, high) == pytest.approx((values.mean() - half, values.mean() + half))
    assert jackknifed(values - values.mean() + 1e-9).p() > 0.99
    assert jackknifed(values + 5).p() == pytest.approx(
        2 * t.sf(abs((values + 5).mean()) / (values.std(ddof=1) / np.sqrt(12)), 11)
    )


def test_fewer_than_four_groups_and_draws_that_are_mostly_nothing_give_no_interval():
    assert np.isnan(jackknifed(np.arange(3.0)).interval()).all()
    assert np.isfinite(jackknifed(np.arange(4.0)).interval()).all()
    draws = np.r_[np.random.default_rng(0).normal(size=4), np.full(6, np.nan)]
    assert np.isnan(Replicates(0.0, draws, "bootstrap", 20).interval()).all()


def test_the_interval_holds_its_own_value_whatever_the_draws():
    found = Replicates(5.0, np.random.default_rng(0).normal(size=200), "bootstrap", 30)
    low, high = found.interval()
    assert low < 5 < high


def test_subjects_and_samples_add_up_and_one_subject_says_nothing_of_others():
    rng = np.random.default_rng(1)
    values, people = rng.normal(size=20), rng.normal(size=6)
    people += values.mean() - people.mean()
    one = jackknifed(values)
    both = Replicates(one.value, one.samples, "jackknife", 20, subjects=people)
    expected = np.hypot(one.error_of_samples, people.std(ddof=1) / np.sqrt(6))
    assert both.error[0] == pytest.approx(expected)
    assert both.error[1] <= 5
    assert both.interval_of_samples() == one.interval()
    assert np.isnan(one.error_of_subjects)


def test_what_subjects_have_in_common_place_by_place_is_no_chance_of_subjects():
    """The variance of neuroids that all subjects share is found, and none where they share nothing."""
    rng = np.random.default_rng(2)
    shared, own = [], []
    for _ in range(200):
        common, alone = rng.normal(size=40), rng.normal(size=(5, 40))
        for kept, influence in ((shared, common + alone), (own, alone)):
            kept.append(Replicates(0.0, crossed=influence).error_of_units ** 2)
    assert np.mean(shared) == pytest.approx(np.pi / 2 / 40, rel=0.1)
    assert np.mean(own) < 0.15 * np.pi / 2 / 40


def test_differences_are_paired():
    rng = np.random.default_rng(3)
    shared = rng.normal(size=15)
    first, second = (jackknifed(shared + 0.01 * rng.normal(size=15) + shift) for shift in (0.1, 0.0))
    difference = first - second
    assert difference.value == pytest.approx(first.value - second.value)
    assert difference.error[0] < 0.1 * first.error[0]
    assert difference.p() < 0.001
    assert np.isnan((first - jackknifed(rng.normal(size=9))).p())


def test_a_record_gives_back_what_it_kept():
    rng = np.random.default_rng(4)
    one = Replicates(
        0.5, rng.normal(size=6), "bootstrap", 9, rng.normal(size=3),
        crossed=rng.normal(size=(3, 5)), both=rng.normal(size=6),
    )  # fmt: skip
    back = Replicates.of(0.5, one.arrays())
    assert back.interval() == pytest.approx(one.interval(), rel=1e-6)
    assert (back.kind, back.n_samples) == ("bootstrap", 9)
    assert Replicates.of(0.5, {"draws": np.zeros(3)}) is None


def test_draws_have_their_own_spread_and_the_t_of_what_was_drawn():
    draws = np.array([0.1, 0.5, 0.9, 0.3, np.nan])
    found = Replicates(0.4, draws, "bootstrap", 12)
    error = draws[:4].std()
    assert found.error == pytest.approx((error, 11))
    half = t.ppf(0.95, 11) * error
    assert found.interval(0.9) == pytest.approx((0.4 - half, 0.4 + half))
    assert found.interval_of_samples(0.9) == found.interval(0.9)
    assert found.interval() == found.interval(0.95) == found.interval_of_samples()
    half_nothing = np.r_[draws[:4], np.full(4, np.nan)]
    assert Replicates(0.4, half_nothing, "bootstrap", 12).error_of_samples == pytest.approx(error)
    assert np.isnan(Replicates(0.4, draws[:1], "bootstrap", 12).error_of_samples)
    assert np.isfinite(Replicates(0.4, draws[:2], "bootstrap", 4).error_of_samples)
    assert np.isnan(Replicates(0.4, draws[:2], "bootstrap", 3).error_of_samples)
    assert np.isnan(Replicates(0.4).p())


def test_two_errors_have_welch_and_satterthwaites_freedom():
    values, people = np.arange(10.0), np.array([1.0, 4.0, 7.0, 6.0])
    found = Replicates(4.5, jackknifed(values).samples, "jackknife", 10, subjects=people)
    first, second = values.std(ddof=1) / np.sqrt(10), people.std(ddof=1) / 2
    free = (first**2 + second**2) ** 2 / (first**4 / 9 + second**4 / 3)
    assert found.error == pytest.approx((np.hypot(first, second), min(3, free)))
    close = Replicates(
        4.5, jackknifed(values).samples, "jackknife", 10, subjects=np.array([4.4, 4.6, 4.5, 4.5])
    )
    assert close.error[1] == 3
    half = t.ppf(0.975, found.error[1]) * found.error[0]
    assert found.interval() == pytest.approx((4.5 - half, 4.5 + half))
    assert np.isfinite(Replicates(4.5, found.samples, "jackknife", 10, subjects=people[:2]).error_of_subjects)


def test_draws_of_both_at_once_are_counted_once():
    """2 (v_samples + v_subjects) - v_both, and not below the larger: Schütt et al. (2023)."""
    people = np.array([1.0, 3.0, 5.0])
    samples, both = np.array([1.0, 3.0, 2.0, 4.0]), np.array([2.0, 4.0, 3.0, 5.5, np.nan])
    v_samples, v_subjects = samples.var(), people.var(ddof=1) / 3
    found = Replicates(3.0, samples, "bootstrap", 30, people, both=both)
    assert found.error == pytest.approx((np.sqrt(2 * (v_samples + v_subjects) - both[:4].var()), 2))
    wide = Replicates(3.0, samples, "bootstrap", 30, people, both=10 * both)
    assert wide.error[0] == pytest.approx(np.sqrt(max(v_samples, v_subjects)))
    few = Replicates(3.0, 3 * samples, "bootstrap", 30, people, both=10 * both)
    assert few.error[0] == pytest.approx(3 * np.sqrt(v_samples))


def test_neuroids_of_one_subject_add_what_samples_do_not_explain():
    """Of normal influences with unit variance, a median over q is off by sqrt(pi / (2 q))."""
    rng = np.random.default_rng(5)
    samples = 0.01 * rng.normal(size=20)
    whole = rng.normal(size=4000)
    units = np.vstack([whole, np.tile(whole, (20, 1))])
    found = Replicates(0.0, samples, "jackknife", 20, units=units)
    assert found.error_of_units == pytest.approx(np.sqrt(np.pi / 2 / 4000), rel=0.05)
    first = found.error_of_samples
    total = np.hypot(first, found.error_of_units)
    free = total**4 / (first**4 / 19 + found.error_of_units**4 / 3999)
    assert found.error == pytest.approx((total, free))
    # what every group moves is of the samples: var (G - 1) = 0.19 of it
    moved = units.copy()
    moved[1:] += 0.1 * rng.choice([-1.0, 1.0], (20, 1))
    of_samples = moved[1:].var(axis=0)[0] * 19
    less = Replicates(0.0, samples, "jackknife", 20, units=moved).error_of_units
    assert less**2 == pytest.approx(found.error_of_units**2 - of_samples * np.pi / 2 / 4000, rel=1e-6)
    assert Replicates(0.0, samples[:19], "jackknife", 19, units=units[:20]).error_of_units == 0
    assert Replicates(0.0, samples, "jackknife", 20).error_of_units == 0


def test_neuroids_of_several_subjects_add_what_they_share():
    influence = np.array([[1.0, 2.0, 6.0, 3.0], [2.0, 1.0, 5.0, 4.0]])
    common = influence.mean(axis=0)
    left = influence - common - influence.mean(axis=1, keepdims=True) + influence.mean()
    variance = common.var(ddof=1) - (left**2).sum() / 3 / 2
    expected = np.sqrt(variance * np.pi / 2 / 4)
    assert Replicates(0.0, crossed=influence).error_of_units == pytest.approx(expected)
    assert Replicates(0.0, crossed=influence[:, :2]).error_of_units == 0
    assert Replicates(0.0, crossed=influence[:1]).error_of_units == 0
    assert Replicates(0.0, crossed=influence[:, :3]).error_of_units > 0
    people = np.array([1.0, 2.0])
    found = Replicates(0.0, np.arange(9.0), "jackknife", 9, people, crossed=influence)
    alone = Replicates(0.0, np.arange(9.0), "jackknife", 9, people)
    assert found.error == pytest.approx((np.hypot(alone.error[0], expected), alone.error[1]))


def test_p_is_the_share_of_t_beyond_0_on_either_side():
    samples = jackknifed(np.array([1.0, 2.0, 4.0, 8.0])).samples
    error = Replicates(0.0, samples, "jackknife", 4).error_of_samples
    for value in (2.0, -2.0, 1.0):
        assert Replicates(value, samples, "jackknife", 4).p() == pytest.approx(
            2 * t.sf(abs(value) / error, 3)
        )
    assert Replicates(0.0, samples, "jackknife", 4).p() == 1
    still = Replicates(2.0, np.full(4, 2.0), "jackknife", 4)
    assert np.isnan(still.p())
    assert np.isnan(still.interval()).tolist() == [True, True]
    assert np.isnan(jackknifed(np.arange(3.0)).interval_of_samples()).tolist() == [True, True]


def test_differences_keep_what_both_have():
    rng = np.random.default_rng(6)
    one, other = (
        Replicates(v, rng.normal(size=8), "bootstrap", n, rng.normal(size=3), rng.normal(size=(9, 4)))
        for v, n in ((0.5, 8), (0.2, 7))
    )
    difference = one - other
    assert (difference.kind, difference.n_samples) == ("bootstrap", 7)
    np.testing.assert_array_equal(difference.samples, one.samples - other.samples)
    np.testing.assert_array_equal(difference.subjects, one.subjects - other.subjects)
    np.testing.assert_array_equal(difference.units, one.units - other.units)
    shorter = Replicates(0.2, other.samples, "bootstrap", 8, other.subjects[:2], other.units[:, :3])
    apart = one - shorter
    assert apart.n_samples == 8
    assert apart.subjects.shape == (0,)
    assert apart.units.shape == (0, 0)


def test_a_record_keeps_only_what_there_is():
    one = Replicates(0.5, np.arange(4.0), "jackknife", 4, units=np.ones((5, 2)))
    kept = one.arrays()
    assert set(kept) == {f"replicates_{part}" for part in ("samples", "units", "kind", "n")}
    assert kept["replicates_units"].dtype == np.float32
    back = Replicates.of(0.5, kept)
    assert (back.value, back.kind, back.n_samples) == (0.5, "jackknife", 4)
    np.testing.assert_array_equal(back.units, one.units)
    np.testing.assert_array_equal(back.samples, one.samples)
    assert back.subjects.size == 0
