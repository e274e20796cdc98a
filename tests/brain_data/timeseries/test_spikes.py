"""Spikes in windows after onsets, against loops and against rates that are known."""

import runpy

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brodmann.brain_data.read_options import ReadOptions
from brodmann.brain_data.timeseries import window_means as window_means_module
from brodmann.brain_data.timeseries.spikes import check_clock, counts, rates
from brodmann.brain_data.timeseries.units import chosen_units
from brodmann.brain_data.timeseries.window_means import samples_in, window_means
from brodmann.brain_data.timeseries.windows import bins, inside, overlaps, window, windows_of
from brodmann.errors import UserError


def by_hand(spikes, onsets, windows):
    """One comparison a spike, onset and window."""
    return np.array(
        [
            [
                sum(1 for t in spikes if onset + a / 1000 <= t < onset + b / 1000)
                for a, b in zip(windows.starts, windows.ends, strict=True)
            ]
            for onset in onsets
        ]
    ).reshape(len(onsets), -1)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 60), st.integers(1, 12))
def test_counts_are_those_of_a_loop(seed, n_spikes, n_onsets):
    rng = np.random.default_rng(seed)
    spikes = np.sort(rng.uniform(0, 3, n_spikes))
    onsets = rng.uniform(-0.5, 3.5, n_onsets)  # in no order, windows overlap
    for windows in (window(), window(-50, 400), bins(-100, 300, 40)):
        assert counts(spikes, onsets, windows).tolist() == by_hand(spikes, onsets, windows).tolist()


def test_bins_side_by_side_hold_every_spike_once():
    rng = np.random.default_rng(0)
    spikes, onsets = np.sort(rng.uniform(0, 100, 20_000)), np.arange(1, 99, 0.4)
    fine = counts(spikes, onsets, bins(-100, 300, 10)).sum(axis=1)
    np.testing.assert_array_equal(fine, counts(spikes, onsets, window(-100, 300))[:, 0])
    assert counts(spikes, onsets, bins()).shape == (len(onsets), 40)


def test_a_spike_on_a_border_belongs_to_the_window_that_starts_there():
    onsets = np.arange(1, 2000) * 0.1  # whose sums with 0.07 are early or late by a last digit
    spikes = np.round(onsets + 0.07, 2)
    assert ((onsets + 0.07 > spikes).any() and (onsets + 0.07 < spikes).any()) is np.True_
    assert (counts(spikes, onsets, window(70, 170)) == 1).all()
    assert (counts(spikes, onsets, window(0, 70)) == 0).all()
    assert (counts(spikes, onsets, window(-20, 70)) == 0).all()


def test_rates_are_per_second_and_unknown_outside_the_recording():
    spikes = np.arange(0, 10, 0.01)  # 100 a second
    onsets = np.array([1.0, 4.95, 6.0, 9.9, -0.2, 7.0, np.nan])
    found = rates(spikes, onsets, window(0, 100), [[5.5, 9.95], [0, 5], [6.4, 9.9]])
    np.testing.assert_allclose(found[:, 0], [100, np.nan, 100, np.nan, np.nan, 100, np.nan])
    touching = rates(spikes, [4.95], window(0, 100), [[5, 6], [0, 5]])
    np.testing.assert_allclose(touching, [[100]])
    assert not inside([1.0], window(), np.empty((0, 2))).any()


def test_a_window_may_share_time_with_an_interval_and_not_lie_in_it():
    onsets = [0.0, 0.9, 1.5, 2.0, 2.1, 9.0]
    assert overlaps(onsets, window(0, 100), [[1.0, 2.0]]).tolist() == [
        False,
        False,
        True,
        False,
        False,
        False,
    ]
    assert overlaps(onsets, window(-50, 150), [[1.0, 2.0]]).tolist() == [
        False,
        True,
        True,
        True,
        False,
        False,
    ]
    assert not overlaps(onsets, window(), np.empty((0, 2))).any()


def test_poisson_cells_show_their_rates(test_signals):
    """20 pictures x 8 trials: r .985 with the rates that made the spikes."""
    made = generated(test_signals, 0)
    found = np.stack([rates(one, made["onsets"])[:, 0] for one in made["spike_times"]], axis=1)
    mean = np.stack([found[made["stimulus"] == one].mean(axis=0) for one in range(20)])
    r = np.corrcoef(mean.ravel(), made["rate"].ravel())[0, 1]
    assert r == pytest.approx(0.985, abs=0.01)
    late = np.stack([rates(one, made["onsets"], window(0, 70))[:, 0] for one in made["spike_times"]], axis=1)
    before = np.stack([late[made["stimulus"] == one].mean(axis=0) for one in range(20)])
    assert abs(np.corrcoef(before.ravel(), made["rate"].ravel())[0, 1]) < 0.5


def generated(folder, seed):
    return runpy.run_path(str(folder / "generator.py"))["spikes"](seed)


def test_what_was_asked_of_time():
    assert str(windows_of(ReadOptions(), window())) == "70 to 170 ms after onset"
    assert windows_of(ReadOptions(window="0,250"), window()).bounds == (0, 0.25)
    asked = windows_of(ReadOptions(bins="-100,300,20"), window())
    assert str(asked) == "20 bins of 20 ms from -100 to 300 ms after onset"
    assert asked.table.iloc[[0, -1]].to_numpy().tolist() == [[-100, -80], [280, 300]]
    assert windows_of(ReadOptions(window="0,250"), None).table is None
    assert len(windows_of(ReadOptions(bins="default"), window()).starts) == 40


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"window": "170,70"}, "--window 170,70: it must end after it starts"),
        ({"window": "70"}, "--window must be 2 numbers"),
        ({"bins": "0,100,200"}, "the window of 100 ms is shorter than a bin of 200 ms"),
        ({"bins": "0,100,30"}, "100 ms are no whole number of bins of 30 ms"),
        ({"bins": "0,100,0"}, "a bin must be longer than 0 ms"),
        ({"bins": "100,0,10"}, "the last must end after the first starts"),
        ({"bins": "0,100,0.001"}, "100000 bins, and at most 10000 are read"),
        ({"bins": "0,100,10", "window": "0,100"}, "say one of them"),
        ({}, "say the window of a response by --window A,B"),
    ],
)
def test_windows_that_cannot_be_are_named(asked, message):
    with pytest.raises(UserError, match=message) as error:
        windows_of(ReadOptions(**asked), None)
    assert "\n" not in str(error.value)


def test_two_clocks_are_told():
    onsets = np.array([1000.0, 2000.0])
    with pytest.raises(UserError, match=r"all 2 presentations \(onsets from 1000 to 2000 s\) lie outside"):
        check_clock(np.zeros(2, bool), onsets, (0.0, 60.0), "x.nwb")


@pytest.mark.parametrize("together", [8, 1 << 20])
def test_means_in_windows_are_those_of_each_stretch(together, monkeypatch):
    """However many samples are read together, in whatever order the onsets stand, and where windows overlap."""
    monkeypatch.setattr(window_means_module, "_NUMBERS", together)
    rng = np.random.default_rng(0)
    signal, times = rng.normal(size=(400, 6)), np.arange(400) / 10 + 3
    onsets, columns = rng.permutation(np.arange(0, 45, 0.7)), np.array([1, 2, 5])
    for windows in (window(0, 500), window(-2000, 3000), bins(-300, 900, 300)):
        found = window_means(signal, samples_in(times, onsets, windows), columns)
        for i, onset in enumerate(onsets):
            for k, (a, b) in enumerate(zip(windows.starts / 1000, windows.ends / 1000, strict=True)):
                inside = (times >= onset + a - 1e-9) & (times < onset + b - 1e-9)
                expected = signal[inside][:, columns].mean(axis=0) if inside.any() else np.full(3, np.nan)
                np.testing.assert_allclose(found[i, :, k], expected)


def test_units_are_chosen_by_what_was_said_of_them():
    units = pd.DataFrame({"quality": ["good", "mua", "noise", "good"], "snr": [1, 2, 3, 3]})

    def chosen(asked, table=units):
        said, left_out = [], {}
        return chosen_units(table, asked, "x", said, left_out).tolist(), left_out

    assert chosen(None) == ([True, True, False, True], {"units of quality noise": 1})
    assert chosen("Good") == (
        [True, False, False, True],
        {"units of quality mua": 1, "units of quality noise": 1},
    )
    assert chosen("all") == ([True] * 4, {})
    assert chosen("snr=3") == ([False, False, True, True], {"units of snr 1": 1, "units of snr 2": 1})
    assert chosen(None, units[["snr"]]) == ([True] * 4, {})
    for asked, table, message in (
        ("good", units[["snr"]], "does not say how good a unit is: no column quality, group, KSLabel"),
        ("best", units, "unknown quality of units in x"),
        (
            None,
            units.assign(quality=["good", "", "", None]),
            "3 of 4 units have no quality: say which to take by",
        ),
        (None, units.assign(quality="noise"), "none of 4 units is left by their quality"),
    ):
        with pytest.raises(UserError, match=message):
            chosen(asked, table)
