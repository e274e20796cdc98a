"""Whether neighbours are alike, and orders that keep what depends together, against answers known by hand."""

import math

import numpy as np
import pytest
from scipy.stats import kstest

from brodmann.analysis.statistics.dependence import (
    decorrelation_lag,
    group_orders,
    rotations,
    serial_dependence,
)


def test_the_dependence_is_the_mean_autocorrelation_of_the_columns():
    rng = np.random.default_rng(0)
    values = np.cumsum(rng.normal(size=(40, 3)), axis=0) + np.array([5.0, 0.0, -7.0])
    centred = values - values.mean(axis=0)
    expected = np.mean((centred[1:] * centred[:-1]).sum(axis=0) / (centred**2).sum(axis=0))
    found, p = serial_dependence(values)
    assert found == pytest.approx(expected)
    assert p == 1 / 200
    assert serial_dependence(values * [1.0, 1e3, 1e-3], permutations=49) == pytest.approx((expected, 1 / 50))
    assert serial_dependence(np.column_stack([values, np.full(40, 3.0)]))[0] == pytest.approx(expected)


def test_independent_rows_have_a_uniform_p_that_follows_from_its_seed():
    rng = np.random.default_rng(1)
    p = [serial_dependence(rng.normal(size=(12, 2)), permutations=99)[1] for _ in range(300)]
    assert kstest(np.array(p) - 0.005, "uniform").pvalue > 0.01
    rows = rng.normal(size=(15, 2))
    assert serial_dependence(rows) == serial_dependence(rows, permutations=199, random_state=0)
    assert len({serial_dependence(rows, random_state=seed)[1] for seed in range(5)}) > 1


def test_nine_rows_and_rows_that_do_not_vary_say_nothing():
    rising = np.arange(10.0)[:, None]
    assert serial_dependence(rising[:9]) == (0.0, 1.0)
    assert serial_dependence(rising)[1] < 0.05
    assert serial_dependence(np.ones((20, 2))) == (0.0, 1.0)


def test_seven_groups_are_permuted_whole_in_the_order_recorded():
    groups = np.repeat(np.arange(7), 3)[::-1]
    position = np.arange(21)[::-1]
    orders, what, count = group_orders(groups, position, 200, random_state=0)
    assert (what, count) == ("7 whole groups permuted", math.factorial(7))
    assert orders.shape == (200, 21)
    for order in orders:
        assert sorted(order) == list(range(21))
        for group in range(7):
            mine = np.flatnonzero(groups == group)
            assert len(set(groups[order[mine]])) == 1  # all take the labels of one group
            assert (np.diff(order[mine]) == 1).all()  # in their order
    first = groups[orders[:, 0]]
    assert set(first) == set(range(7))
    again, other = (group_orders(groups, position, 200, random_state=seed)[0] for seed in (0, 1))
    np.testing.assert_array_equal(orders, again)
    assert (orders != other).any()


def test_groups_of_other_sizes_follow_each_other_in_a_new_order():
    """Samples are recorded as their position says, wherever they stand."""
    groups = np.array([f"g{i}" for i in range(8) for _ in range(1 + i % 3)])
    n = len(groups)
    position = np.random.default_rng(2).permutation(n)
    within = np.lexsort((position, groups))  # group after group, each in its time
    orders, what, count = group_orders(groups, position, 50, random_state=3)
    assert (what, count) == ("8 whole groups permuted", math.factorial(8))
    for order in orders:
        sequence = order[within]
        joints = np.flatnonzero(groups[sequence][1:] != groups[sequence][:-1])
        assert len(joints) == 7  # each group is one stretch
        for stretch in np.split(sequence, joints + 1):
            assert (np.diff(position[stretch]) > 0).all()


def test_six_groups_are_rotated_each_by_itself():
    groups = np.repeat(np.arange(6), 10)
    orders, what, count = group_orders(groups, np.arange(60), 300, random_state=0)
    assert what == "samples rotated within 6 groups"
    assert count == 7.0**6  # by 2 to 8 of ten samples
    shifts = set()
    for order in orders:
        for group in range(6):
            mine = order[10 * group : 10 * group + 10]
            shift = int(mine[0] - 10 * group)
            np.testing.assert_array_equal(mine, 10 * group + (np.arange(10) + shift) % 10)
            shifts.add(shift)
    assert shifts == set(range(2, 9))
    assert len({tuple(order % 10) for order in orders}) > 250  # groups turn independently
    turned = group_orders(groups, -np.arange(60), 5, random_state=0)[0]
    assert set((turned[:, 0] - turned[:, 1]) % 10) == {9}
    np.testing.assert_array_equal(orders, group_orders(groups, np.arange(60), 300, random_state=0)[0])


def test_a_series_is_rotated_by_every_shift_once():
    position = np.arange(100)[::-1]
    orders, what, count = rotations(position, 1000, random_state=0)
    assert (what, count) == ("the series rotated by at least 20 samples", 61.0)
    assert orders.shape == (61, 100)
    assert sorted(orders[:, 0]) == list(range(20, 81))
    for order in orders:
        np.testing.assert_array_equal(order, (np.arange(100) + order[0]) % 100)
    few = rotations(position, 10, random_state=0)[0]
    np.testing.assert_array_equal(few, orders[:10])
    assert (rotations(position, 10, random_state=1)[0] != few).any()
    shorter = rotations(np.arange(10), 99, random_state=0)
    assert shorter[1:] == ("the series rotated by at least 2 samples", 7.0)
    assert rotations(np.arange(2), 9, random_state=0)[1:] == ("the series rotated by at least 1 samples", 1.0)
    assert sorted(rotations(np.arange(1), 9, random_state=0)[0].ravel()) == [0]


def test_the_lag_at_which_samples_are_no_longer_alike_is_that_of_the_written_out_autocorrelation():
    rng = np.random.default_rng(3)
    values = np.cumsum(rng.normal(size=(60, 4)), axis=0)
    runs = [np.arange(25), np.arange(25, 60)]
    covariance = np.zeros((35, 4))
    for run in runs:
        part = values[run] - values[run].mean(axis=0)
        for lag in range(len(run)):
            covariance[lag] += (part[lag:] * part[: len(run) - lag]).sum(axis=0)
    mean = (covariance / covariance[0]).mean(axis=1)
    expected = next(lag for lag in range(35) if mean[lag] <= 1 / math.e)
    assert 1 < expected < 30
    assert decorrelation_lag(values, runs) == expected
    assert decorrelation_lag(np.column_stack([values, np.full(60, 2.0)]), runs) == expected


@pytest.mark.parametrize(("rho", "lag"), [(0.0, 1), (0.5, 2), (0.8, 5), (0.9, 10)])
def test_the_lag_of_a_first_order_process_is_where_its_power_falls_to_one_over_e(rho, lag):
    rng = np.random.default_rng(4)
    noise = rng.normal(size=(5000, 30))
    for row in range(1, 5000):
        noise[row] += rho * noise[row - 1]
    assert decorrelation_lag(noise, [np.arange(5000)]) == lag


def test_nothing_that_varies_has_no_lag_and_a_slope_keeps_its_own():
    assert decorrelation_lag(np.ones((20, 3)), [np.arange(20)]) == 0
    assert decorrelation_lag([[0.0], [1.0]], [np.arange(2)]) == 1
