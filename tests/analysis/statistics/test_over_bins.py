"""Statistics of curves over bins, by hand."""

import numpy as np
import pytest

from brodmann.analysis.statistics.over_bins import (
    Spread,
    cluster_masses,
    first_of_run,
    onset,
    p_of_maximum,
    peak,
)

JOINED = np.ones(9, bool)


def test_p_counts_the_orders_whose_largest_value_is_as_large():
    largest = np.array([0.1, 0.2, 0.3, 0.4])
    np.testing.assert_allclose(p_of_maximum([0.5, 0.4, 0.25, 0.0], largest), [1 / 5, 2 / 5, 3 / 5, 1.0])
    assert p_of_maximum([[0.5], [0.3]], largest).shape == (2, 1)


def test_clusters_are_stretches_above_the_null_of_their_bins():
    null = np.random.default_rng(0).normal(size=(999, 10))
    curve = np.array([0, 0, 5.0, 4, 6, 0, 0, 3, 0, 0])
    found = cluster_masses(curve, null, JOINED)
    assert [(one.first, one.last) for one in found] == [(2, 4), (7, 7)]
    z = (curve - null.mean(axis=0)) / null.std(axis=0)
    assert found[0].mass == pytest.approx(z[2:5].sum())
    assert found[0].p == 0.001
    assert found[1].p > found[0].p
    apart = JOINED.copy()
    apart[3] = False
    assert [(one.first, one.last) for one in cluster_masses(curve, null, apart)] == [(2, 3), (4, 4), (7, 7)]


def test_p_of_a_cluster_is_that_of_the_largest_of_each_order():
    """Orders by hand: two of nine have a cluster of two bins, at 2 each."""
    null = np.zeros((200, 4))
    null[:, :] = np.linspace(-1, 1, 200)[:, None] * [1, -1, 1, -1]
    curve = np.array([0.99, 0.0, 0.0, 0.0])
    (one,) = cluster_masses(curve, null, np.ones(3, bool))
    z = null / null.std(axis=0)
    high = np.quantile(null, 0.95, axis=0) / null.std(axis=0)
    masses = [max([row[i] for i in range(4) if row[i] > high[i]], default=0) for row in z]
    assert one.mass == pytest.approx(0.99 / null.std(axis=0)[0])
    assert one.p == pytest.approx((1 + sum(m >= one.mass for m in masses)) / 201)


def test_no_bin_above_its_null_is_no_cluster():
    null = np.random.default_rng(0).normal(size=(99, 10))
    assert cluster_masses(np.zeros(10) - 1, null, JOINED) == []


def test_a_run_is_three_in_a_row_that_touch():
    above = np.array([0, 1, 1, 0, 1, 1, 1, 1, 0, 0], bool)
    assert first_of_run(above, JOINED) == 4
    apart = JOINED.copy()
    apart[5] = False
    assert first_of_run(above, apart) == -1
    apart = JOINED.copy()
    apart[4] = False
    assert first_of_run(above, apart) == 5
    assert first_of_run(np.array([above, ~above]), JOINED).tolist() == [4, -1]
    assert first_of_run(above[:2], JOINED[:1]) == -1


def spread(curve, noise, n_groups=30, seed=0):
    """Without-group curves whose jackknife error is `noise` in every bin, independently."""
    moved = np.random.default_rng(seed).normal(size=(n_groups, len(curve)))
    moved -= moved.mean(axis=0)
    moved *= noise / np.sqrt((n_groups - 1) * moved.var(axis=0))
    return Spread(curve + moved)


def test_draws_have_the_jackknifes_variance():
    curve = np.linspace(0, 1, 10)
    one = spread(curve, 0.1)
    drawn = one.draws(curve, 0, n_draws=40000)
    np.testing.assert_allclose(drawn.mean(axis=0), curve, atol=0.005)
    np.testing.assert_allclose(
        drawn.std(axis=0), 0.1 * np.sqrt(29 / 27), rtol=0.03
    )  # t of 29 degrees of freedom


def test_onset_and_peak_with_little_noise_are_the_bins_themselves():
    curve = np.array([0, 0, 0, 0, 0, 0.5, 0.6, 0.8, 0.6, 0.5])
    baseline = np.arange(10) < 3
    found = onset(curve, baseline, 0.1, JOINED, spread(curve, 0.01))
    assert (found.bin, found.first, found.last, found.said) == (5, 5, 5, "")
    top = peak(curve, baseline, spread(curve, 0.01))
    assert (top.bin, top.first, top.last) == (7, 7, 7)


def test_an_uncertain_onset_has_a_wide_or_an_open_interval():
    curve = np.array([0, 0, 0, 0.02, 0.05, 0.12, 0.3, 0.3, 0.3, 0.3])
    baseline = np.arange(10) < 3
    found = onset(curve, baseline, 0.1, JOINED, spread(curve, 0.03))
    assert found.bin == 5
    assert found.first <= 5 <= found.last
    assert found.last > found.first
    open_ended = onset(curve, baseline, 0.14, JOINED, spread(curve, 0.3))
    assert open_ended.last == -1


def test_there_may_be_no_onset_no_interval_and_too_few_bins():
    curve = np.array([0.9, 0.9, 0.9, 0, 0, 0.5, 0.6, 0, 0.6, 0.5])
    baseline = np.arange(10) < 3
    sure = spread(curve, 0.01)
    assert onset(curve, baseline, 0.1, JOINED, sure).said == "no onset: no 3 bins in a row above 0.100"
    curve[7] = 0.5
    few = Spread(np.tile(curve, (3, 1)))
    found = onset(curve, baseline, 0.1, JOINED, few)
    assert (found.bin, found.first, found.last) == (5, -1, -1)
    assert "fewer than 4 groups" in found.said
    assert "fewer than 3 bins after" in onset(curve, np.arange(10) < 8, 0.1, JOINED, sure).said
    assert peak(curve, np.ones(10, bool), sure).bin == -1
    assert "fewer than 4 groups" in peak(curve, baseline, few).said


def test_a_curve_that_is_above_the_threshold_before_0_ms_already_has_no_onset():
    curve, baseline = np.full(10, 0.8), np.arange(10) < 4
    assert (
        onset(curve, baseline, 0.1, JOINED, spread(curve, 0.01)).said
        == "no onset: above 0.100 before 0 ms already"
    )
    curve[3] = 0.0
    assert onset(curve, baseline, 0.1, JOINED, spread(curve, 0.01)).bin == 4


def test_an_interval_that_was_not_asked_for_is_not_called_one_of_few_groups():
    curve = np.r_[0.0, 0.0, np.full(8, 0.8)]
    found = onset(curve, np.arange(10) < 2, 0.1, JOINED, Spread(np.empty((0, 10))))
    assert (found.bin, found.said[:28]) == (2, "no interval: not asked for, ")
