"""Scores over time: truths known by construction, and ridge itself in each bin."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from timed_cases import Lookup, dataset, gaussian, in_parts, poisson

import brodmann
from brodmann.analysis.encoding.pooled import PooledFolds
from brodmann.bench.over_time import fits, statistics
from brodmann.bench.over_time.result import OverTime
from brodmann.bench.over_time.timed import chosen_windows, window_pairs
from brodmann.errors import UserError

QUICK = {"n_permutations": 99}


@pytest.fixture(scope="module")
def cells():
    return poisson(0, n_neuroids=10, n_stimuli=70)


@pytest.fixture(scope="module")
def found(cells, tmp_path_factory):
    data, z = cells
    return brodmann.score_over_time(Lookup({"z": z}), data, run=tmp_path_factory.mktemp("run"), **QUICK)


def test_poisson_cells_are_predicted_from_their_latency_on(found):
    after = found.windows[:, 0] >= 80
    before = found.windows[:, 1] <= 60
    assert (found.r[after] > 0.55).all()
    assert (found.r[before] < 0.2).all()
    assert (found.p[after] == 0.01).all()
    assert (found.p[before] > 0.05).all()
    start, end, low, high = found.ms(found.onset)
    assert start <= 73 < end
    assert low <= 73 <= high
    assert (start, end) in [(60, 80)]
    assert [(found.windows[c.first, 0], found.windows[c.last, 1], c.p) for c in found.clusters] == [
        (60, 300, 0.01)
    ]
    assert (found.low < found.r).all()
    assert (found.r < found.high).all()


def test_the_ceiling_is_that_of_poisson_counts(found, cells):
    """Rates are known: reliability of a mean of 8 counts is var(rate) / (var(rate) + mean(rate) / (8 * bin))."""
    z = cells[1]
    generator = np.random.default_rng(0)
    generator.normal(size=z.shape)
    weights = generator.normal(size=(z.shape[1], 10)) / np.sqrt(z.shape[1])
    rates = 10 + 60 * np.maximum(z @ weights, 0)
    signal = rates.var(axis=0, ddof=1)
    reliability = signal / (signal + rates.mean(axis=0) / (8 * 0.02))
    after = found.windows[:, 0] >= 80
    assert found.ceiling[after].mean() == pytest.approx(np.sqrt(np.median(reliability)), abs=0.03)
    assert (found.r[after] < found.ceiling[after]).all()


def test_a_transient_response_peaks_and_falls(tmp_path):
    data, z = gaussian(3, kind="transient", n_stimuli=100, noise=1.0, latency=100.0)
    found = brodmann.score_over_time(Lookup({"z": z}), data, run=tmp_path, **QUICK)
    start, end, low, high = found.ms(found.peak)
    assert 100 <= start <= 120
    assert low <= 110 <= high
    assert end - start == 20
    peak = found.r[found.peak.bin]
    assert found.r[-1] < peak / 2
    assert found.ms(found.onset)[0] == 100


def test_every_bin_is_what_ridge_finds_in_it(tmp_path):
    """The same folds, penalties and r, neuroid by neuroid."""
    data, z = gaussian(1, latency=0.0, n_repetitions=1, noise=0.3, n_stimuli=60, first=0, last=80)
    model = Lookup({"z": z})
    found = brodmann.score_over_time(model, data, run=tmp_path, n_permutations=0)
    for i, (start, end) in enumerate(found.windows):
        benchmark = brodmann.bench.make_benchmark(data.window(start, end))
        one = brodmann.score(model, benchmark, run=tmp_path, n_permutations=0)
        np.testing.assert_allclose(found.of_neuroids[i], one.attrs["raw"].values, atol=2e-5)
        assert found.r[i] == pytest.approx(one.attrs["raw_value"], abs=2e-5)
        np.testing.assert_allclose([found.low[i], found.high[i]], one.attrs["ci"], atol=2e-4)


def test_p_of_a_bin_is_the_permutation_of_ridge(tmp_path):
    """One window after onset beside one before: the null of a bin is that of the metric."""
    data, z = gaussian(2, gain=0.25, n_stimuli=60, noise=2.0, memory=0.0)
    found = brodmann.score_over_time(
        Lookup({"z": z}), data, run=tmp_path, windows=[(-100, 0), (100, 300)], n_permutations=400
    )
    benchmark = brodmann.bench.make_benchmark(data.window(100, 300))
    one = brodmann.score(Lookup({"z": z}), benchmark, run=tmp_path, n_permutations=400)
    assert found.r[1] == pytest.approx(one.attrs["raw_value"], abs=0.01)
    assert found.p[1] >= one.attrs["p"] - 0.02  # of two bins, not of one
    assert found.null_mean[1] < 0.02


def test_bins_in_several_passes_are_the_same(cells, found, tmp_path, monkeypatch):
    data, z = cells
    monkeypatch.setattr(fits, "COLUMNS", 70 * 10 * 3)
    again = brodmann.score_over_time(Lookup({"z": z}), data, run=tmp_path, **QUICK)
    np.testing.assert_allclose(again.r, found.r, atol=1e-3)
    np.testing.assert_allclose(again.p, found.p, atol=0.04)
    np.testing.assert_allclose(again.generalization, found.generalization, atol=1e-3)


def test_a_code_that_stays_generalizes_and_one_that_drifts_does_not(tmp_path):
    z = np.random.default_rng(5).normal(size=(90, 12))
    stays = in_parts([(z, 0, 300)], seed=1)
    drifts = in_parts([(z, 0, 100), (z, 100, 200), (z, 200, 300)], seed=1)
    squares = []
    for data in (stays, drifts):
        found = brodmann.score_over_time(Lookup({"z": z}), data, run=tmp_path, **QUICK)
        np.testing.assert_allclose(np.diag(found.generalization), found.r, atol=1e-6)
        after = found.windows[:, 0] >= 0
        squares.append(
            (found.generalization[np.ix_(after, after)], found.generalization_p[np.ix_(after, after)])
        )
    period = np.arange(15) // 5
    same = period[:, None] == period[None]
    assert squares[0][0].min() > 0.7
    assert (squares[0][1] == 0.01).all()
    assert squares[1][0][same].min() > 0.7
    assert np.abs(squares[1][0][~same]).max() < 0.5
    assert (squares[1][1][~same] > 0.05).all()


def test_generalization_is_what_a_loop_over_pairs_finds():
    generator = np.random.default_rng(0)
    tests = [np.arange(0, 7), np.arange(7, 15)]
    predictions = [generator.normal(size=(3, len(one), 4)) for one in tests]
    truth = generator.normal(size=(3, 15, 4))
    weights = generator.uniform(0.5, 2, 15)

    class Timed:
        class headline:
            pass

    Timed.headline.weights = weights
    found = fits.generalization(Timed, tests, predictions, [truth[:, one] for one in tests])
    for a in range(3):
        for b in range(3):
            pooled = PooledFolds(tests, truth[b], weights)
            np.testing.assert_allclose(found[a, b], pooled.r([one[a] for one in predictions]), atol=1e-10)


def test_a_bin_that_codes_nothing_generalizes_to_none_though_others_code_features(tmp_path):
    """Weights of a silent bin predict within the features: alike by chance more often than permuted responses are."""
    z = np.random.default_rng(6).normal(size=(80, 3))
    wrong = 0
    for seed in range(8):
        data = in_parts([(z, 100, 300)], seed=seed, n_neuroids=4, width=50, identifier=f"d{seed}")
        found = brodmann.score_over_time(Lookup({"z": z}), data, run=tmp_path, **QUICK)
        silent, coding = found.windows[:, 1] <= 100, found.windows[:, 0] >= 100
        wrong += bool((found.generalization_p[np.ix_(silent, coding)] <= 0.05).any())
        assert (found.generalization_p[np.ix_(coding, coding)] <= 0.05).all()
    assert wrong <= 2


def test_each_bin_may_choose_its_layer(tmp_path):
    generator = np.random.default_rng(7)
    early, late = generator.normal(size=(2, 80, 8))
    data = in_parts([(early, 40, 160), (late, 160, 300)], seed=2)
    model = Lookup({"early": early, "late": late})
    each = brodmann.score_over_time(model, data, run=tmp_path, layer="each", **QUICK)
    one = brodmann.score_over_time(model, data, run=tmp_path, layer="one", **QUICK)
    first, second = (each.windows[:, 0] >= 60) & (each.windows[:, 1] <= 160), each.windows[:, 0] >= 160
    assert {each.layer_by_bin[i] for i in np.flatnonzero(first)} == {"early"}
    assert {each.layer_by_bin[i] for i in np.flatnonzero(second)} == {"late"}
    assert each.r[first | second].min() > 0.6
    assert set(one.layer_by_bin) == {"late"}
    assert one.r[first].max() < 0.3
    np.testing.assert_allclose(each.by_layer, one.by_layer, atol=1e-9)
    np.testing.assert_allclose(each.r[second], one.r[second], atol=1e-6)
    assert (each.p[first | second] == 0.01).all()


@pytest.mark.parametrize("order", [1, -1])
def test_a_recording_of_a_recurrent_nets_own_steps_is_recovered(order, tmp_path):
    generator = np.random.default_rng(8)
    states = [generator.normal(size=(80, 10))]
    mix = generator.normal(size=(10, 10)) / np.sqrt(10)
    for _ in range(3):
        states.append(np.tanh(1.4 * states[-1] @ mix + 0.7 * generator.normal(size=(80, 10))))
    features = {f"cell@{i + 1}": one for i, one in enumerate(states)}
    shown = states[::order]
    data = in_parts(
        [(one, 60 * i, 60 * (i + 1)) for i, one in enumerate(shown)], width=20, last=240, noise=0.4
    )
    found = brodmann.score_over_time(Lookup(features), data, run=tmp_path, **QUICK)
    assert (found.steps["layer"], found.steps["numbers"]) == ("cell", [1, 2, 3, 4])
    assert found.steps["bins"] == list(range(5, 17))
    expected = np.repeat([1, 2, 3, 4][::order], 3)
    assert [found.steps["best"][i] for i in found.steps["bins"]] == expected.tolist()
    assert order * found.steps["rho"] > 0.95
    assert found.steps["low"] <= found.steps["rho"] <= found.steps["high"]


def test_steps_in_no_order_have_no_monotony(tmp_path):
    generator = np.random.default_rng(9)
    states = list(generator.normal(size=(4, 70, 8)))
    data = in_parts([(states[i], 60 * k, 60 * (k + 1)) for k, i in enumerate((2, 0, 3, 1))], last=240)
    model = Lookup({f"cell@{i + 1}": one for i, one in enumerate(states)})
    found = brodmann.score_over_time(model, data, run=tmp_path, **QUICK)
    assert abs(found.steps["rho"]) < 0.5


def test_subjects_are_scored_by_themselves_and_averaged(tmp_path):
    data, z = gaussian(10, n_neuroids=12, noise=0.6)
    named = data.responses.assign_coords(subject=("neuroid", np.repeat(["a", "b", "c"], 4).astype(object)))
    found = brodmann.score_over_time(Lookup({"z": z}), replace(data, responses=named), run=tmp_path, **QUICK)
    by_subject = [np.median(found.of_neuroids[:, 4 * i : 4 * i + 4], axis=1) for i in range(3)]
    np.testing.assert_allclose(found.r, np.mean(by_subject, axis=0), atol=1e-12)
    without = brodmann.score_over_time(Lookup({"z": z}), data, run=tmp_path, **QUICK)
    after = found.windows[:, 0] >= 80
    assert (found.high - found.low)[after].mean() > (without.high - without.low)[after].mean()


def test_few_groups_are_permuted_and_left_out_whole(tmp_path):
    story = [f"st{i // 12}" for i in range(60)]
    data, z = gaussian(11, n_stimuli=60, columns={"story": story}, blocks="story")
    found = brodmann.score_over_time(Lookup({"z": z}), data, run=tmp_path, **QUICK)
    assert found.n_groups == 5
    assert found.methods["samples"] == "groups"
    assert "rotated within 5 groups" in found.methods["p"]
    assert found.ms(found.onset)[0] in (40, 60, 80)
    three = [f"st{i // 20}" for i in range(60)]
    data, z = gaussian(11, n_stimuli=60, columns={"story": three}, blocks="story")
    found = brodmann.score_over_time(Lookup({"z": z}), data, run=tmp_path, **QUICK)
    assert np.isnan(found.low).all()
    assert "fewer than 4 groups" in found.onset.said


def test_what_does_not_vary_in_a_bin_counts_as_nothing(tmp_path):
    data, z = gaussian(12, n_neuroids=4)
    values = data.responses.values.copy()
    values[:, 0, :5] = 7.0
    still = replace(data, responses=data.responses.copy(data=values))
    found = brodmann.score_over_time(Lookup({"z": z}), still, run=tmp_path, **QUICK)
    assert (found.of_neuroids[:5, 0] == 0).all()
    assert np.isfinite(found.r).all()


def test_electrodes_have_a_row_each(tmp_path):
    """High gamma of continuous signals: the amplitude of a carrier follows what was shown, at some electrodes.

    Filters of 10 Hz, forth and back, see some 80 ms ahead: an onset at 80 ms is found from 0 ms on.
    """
    from brodmann.brain_data.timeseries.field_potentials import band_amplitude, mean_in_bins

    generator = np.random.default_rng(13)
    rate, n, gap = 500.0, 60, 0.6
    z = generator.normal(size=(n, 3))
    signal_of = [True, True, False, False]
    onsets = 0.3 + gap * np.arange(n)
    time = np.arange(0, onsets[-1] + 1, 1 / rate)
    starts = np.arange(-100, 300, 20)
    amplitude = []
    for on in signal_of:
        drive = np.exp(0.8 * z @ generator.normal(size=3) / np.sqrt(3)) if on else np.ones(n)
        envelope = np.ones_like(time)
        for onset, gain in zip(onsets, drive, strict=True):
            envelope[(time >= onset + 0.08) & (time < onset + 0.25)] = 2 * gain
        carrier = generator.normal(size=len(time))
        pink = np.cumsum(generator.normal(size=len(time))) * 0.05 + np.sin(2 * np.pi * 60 * time)
        amplitude.append(band_amplitude(envelope * carrier + pink, rate, (70.0, 150.0), 60.0))
    first = [np.searchsorted(time, onset + starts / 1000 - 1e-9) for onset in onsets]
    values = np.stack([mean_in_bins(np.array(amplitude), one, one + 10) for one in first])
    data = dataset(values[:, None], starts, 20)
    found = brodmann.score_over_time(
        Lookup({"z": z}), data, run=tmp_path, every_neuroid=True, n_permutations=199
    )
    rows = pd.DataFrame(found.neuroids)
    assert rows["neuroid_id"].tolist() == ["n0", "n1", "n2", "n3"]
    assert (rows["q"] <= 0.05).tolist() == signal_of
    assert rows["peak_r"][:2].min() > 0.5
    assert rows["onset_ms"][:2].between(-20, 100).all()
    assert (rows["q"] >= rows["p"]).all()


def test_more_neuroids_than_may_be_tested_are_drawn(tmp_path, monkeypatch):
    data, z = gaussian(14, n_neuroids=12)
    monkeypatch.setattr(statistics, "PERMUTED", 80 * 20 * 99 * 5)
    found = brodmann.score_over_time(Lookup({"z": z}), data, run=tmp_path, **QUICK)
    assert found.methods["n_tested"] == 5
    assert "over 5 of 12 neuroids" in found.methods["onset"]
    assert len(found.neuroids) == 5
    assert found.of_neuroids.shape == (20, 12)
    every = brodmann.score_over_time(Lookup({"z": z}), data, run=tmp_path, every_neuroid=True, **QUICK)
    assert len(every.neuroids) == 12
    np.testing.assert_allclose(every.r, found.r)


def test_asking_again_reads_what_was_kept(cells, found, tmp_path):
    data, z = cells
    model = Lookup({"z": z})
    first = brodmann.score_over_time(model, data, run=tmp_path, n_permutations=19)
    again = brodmann.score_over_time(model, data, run=tmp_path, n_permutations=19)
    assert (first.cached, again.cached) == (False, True)
    assert again.file == first.file
    assert json.dumps(again.as_dict() | {"cached": False}) == json.dumps(first.as_dict())
    other = brodmann.score_over_time(model, data, run=tmp_path, n_permutations=19, bins_of=40)
    assert not other.cached
    values = data.responses.values.copy()
    values[0, 0, 0] += 1
    moved = replace(data, responses=data.responses.copy(data=values))
    assert not brodmann.score_over_time(model, moved, run=tmp_path, n_permutations=19).cached
    with Path(first.file).open("r+b") as file:
        file.truncate(1000)
    with pytest.raises(UserError, match="is no score over time that can be read"):
        OverTime.load(first.file)
    assert not brodmann.score_over_time(model, data, run=tmp_path, n_permutations=19).cached


def test_no_intervals_and_no_p_where_none_are_asked_for(cells, tmp_path):
    data, z = cells
    found = brodmann.score_over_time(
        Lookup({"z": z}), data, run=tmp_path, n_permutations=0, n_bootstraps=0, generalize=False
    )
    assert np.isnan(found.p).all()
    assert np.isnan(found.low).all()
    assert found.generalization.size == 0
    assert found.onset.said == "not asked for: no permutations"
    assert (found.clusters, found.neuroids) == ([], [])


@pytest.mark.parametrize(
    ("asked", "pairs"),
    [
        ({"bins_of": 50}, [(-100, -50), (-50, 0), (0, 50), (50, 100), (100, 150)]),
        ({"windows": [(70, 150), (-30, 20)]}, [(-30, 20), (70, 150)]),
        ({"bins_of": 100}, [(-100, 0), (0, 100)]),
    ],
)
def test_windows_are_means_of_the_bins_within(asked, pairs):
    values = np.random.default_rng(0).normal(size=(6, 2, 4, 27))
    data = dataset(values, np.arange(-120, 150, 10), 10)
    windows, weights = chosen_windows(data.responses, "d", asked.get("windows"), asked.get("bins_of"))
    assert [tuple(one) for one in windows.tolist()] == pairs
    for (start, end), weight in zip(pairs, weights.T, strict=True):
        expected = data.window(start, end).responses.values
        np.testing.assert_allclose(data.responses.values @ weight, expected, atol=1e-12)


def test_bins_of_unlike_width_weigh_by_it():
    data = dataset(np.ones((4, 1, 3, 3)), [0, 10, 40], 10)
    wide = data.responses.assign_coords(time_bin_end=("time_bin", [10.0, 40, 60]))
    _, weights = chosen_windows(wide, "d", [(0, 60), (0, 40)], None)
    np.testing.assert_allclose(weights[:, 1], [10 / 60, 30 / 60, 20 / 60])


def test_windows_read():
    assert window_pairs("70-170, 170-270") == [(70, 170), (170, 270)]
    assert window_pairs("-100-0,-50--25.5") == [(-100, 0), (-50, -25.5)]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"windows": [(500, 600), (0, 100)]}, r"has no time bin from 500 to 600 ms: it has 20 time bins \("),
        ({"windows": [(100, 0), (0, 100)]}, "the window 100-0 ms must end after it starts"),
        ({"windows": [(70, 170)]}, "has one time bin .*: score it without --over-time"),
        ({"bins_of": 10}, "recorded in bins of 20 ms, which cannot be parted"),
        ({"bins_of": 0}, "must be longer than 0 ms"),
        ({"bins_of": 30}, "has no|fill|cannot"),
        ({"bins_of": 40, "windows": [(0, 100)]}, "leave one of them out"),
        ({"layers": ["nowhere"]}, "nowhere"),
        ({"layer": "both"}, "unknown choice of layers over time 'both'"),
        ({"metric": "rsa"}, "is no regression of brodmann's own"),
        ({"seed": -1}, "must not be negative"),
        ({"region": "V9"}, "V9"),
    ],
)
def test_a_mistake_is_a_line(asked, said, cells, tmp_path):
    data, z = cells
    with pytest.raises((UserError, KeyError), match=said) as stopped:
        brodmann.score_over_time(Lookup({"z": z}), data, **{"run": tmp_path, **QUICK, **asked})
    assert "\n" not in str(stopped.value)


def test_data_without_bins_are_refused(cells, tmp_path):
    data, z = cells
    with pytest.raises(UserError, match="has no time bins: score it without --over-time"):
        brodmann.score_over_time(Lookup({"z": z}), data.window(70, 170), run=tmp_path)


def test_without_a_baseline_there_is_no_onset(cells, tmp_path):
    data, z = cells
    found = brodmann.score_over_time(
        Lookup({"z": z}), data, run=tmp_path, windows=[(0, 60), (80, 140), (140, 200)], **QUICK
    )
    assert found.onset.bin == -1
    assert found.onset.said == "none: no bin ends at or before 0 ms, so there is no baseline"
    assert np.isnan(found.threshold)
    assert (found.p[1:] == 0.01).all()
    assert found.peak.bin in (1, 2)


def test_too_much_for_memory_is_said_before(cells, tmp_path, monkeypatch):
    data, z = cells
    monkeypatch.setenv("BRODMANN_MEMORY_GB", "0.01")
    with pytest.raises(
        UserError, match=r"in 20 bins with layer 'z' \(6 units\) would take about .*--bins-of"
    ):
        brodmann.score_over_time(Lookup({"z": z}), data, run=tmp_path)


def test_a_large_recording_is_estimated_by_its_columns():
    from brodmann.analysis.encoding.nested_ridge import ALPHAS
    from brodmann.bench.metrics.recording import recording
    from brodmann.bench.metrics.ridge import Encoding
    from brodmann.bench.metrics.sampling import sampling

    data, _ = gaussian(0)
    encoding = Encoding("ridge", ALPHAS, sampling(recording(data.window(0, 300), "IT")))
    few, many = (fits.fitting_memory(encoding, n, 3200, 168, 1000) for n in (10, 40))
    assert few < many < 16 * 2**30
    assert many - few < 8 * 30 * 3200 * 168 + 40 * fits.COLUMNS


def test_bins_in_seconds_are_one_line():
    data, _ = gaussian(0, n_stimuli=20)
    ends = {
        name: ("time_bin", data.responses[name].values / 1000) for name in ("time_bin_start", "time_bin_end")
    }
    with pytest.raises(UserError, match="-0.1 to 0.3 ms: .* look like seconds"):
        chosen_windows(data.responses.assign_coords(ends), "made", None, None)
