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
