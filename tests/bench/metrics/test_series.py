"""Recordings in time as rows of samples: what is cut, delayed, averaged, held out and shared between subjects."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from brodmann.bench.benchmark import Benchmark, make_benchmark
from brodmann.bench.metrics.base import MetricResult, ScoringOptions
from brodmann.bench.metrics.ridge import Encoding
from brodmann.bench.metrics.series_options import SeriesOptions, series_options
from brodmann.bench.metrics.subjects import corresponding, reliability_of, shared_between, shared_error
from brodmann.brain_data.dataset import Dataset
from brodmann.brain_data.stimulus_set import StimulusSet
from brodmann.errors import UserError

TR, STEP = 2.0, 0.5
POINT = ScoringOptions(0, 0, 0)


def words_of(stories: Sequence[str], seconds: float) -> pd.DataFrame:
    """A word every half second."""
    onsets = np.arange(0, seconds, STEP)
    parts = [
        pd.DataFrame(
            {
                "stimulus_id": [f"{story}-{i:04d}" for i in range(len(onsets))],
                "story": story,
                "word": "tick",
                "onset": onsets,
                "offset": onsets + 0.4,
            }
        )
        for story in stories
    ]
    return pd.concat(parts, ignore_index=True)


def dataset(
    values: np.ndarray[Any, Any],
    runs: Sequence[str],
    stories: Sequence[str],
    times: np.ndarray[Any, Any],
    subjects: Sequence[str] = ("s1",),
    **more: Any,
) -> Dataset:
    stimuli = StimulusSet(words_of(list(dict.fromkeys(stories)), float(times.max()) + 4))
    stimuli.identifier = "heard"
    n = values.shape[1] // len(subjects)
    responses = xr.DataArray(
        values,
        dims=("presentation", "neuroid"),
        coords={
            "stimulus_id": ("presentation", np.array(stories, object)),
            "run": ("presentation", np.array(runs, object)),
            "time": ("presentation", times),
            "neuroid_id": ("neuroid", [f"{one}-{i}" for one in subjects for i in range(n)]),
            "region": ("neuroid", ["A1"] * values.shape[1]),
            "subject": ("neuroid", np.repeat(np.array(subjects, object), n)),
        },
    )
    return Dataset("heard", "language", stimuli, responses, kind="series", tr=TR, **more)


def runs_of(
    values: np.ndarray[Any, Any], n_runs: int, stories: Sequence[str] | None = None, **more: Any
) -> Dataset:
    """Runs of equal length, a story each unless it is said which."""
    n = len(values) // n_runs
    names = [f"run{i}" for i in range(n_runs)]
    told = names if stories is None else stories
    times = np.tile(TR * np.arange(n), n_runs)
    return dataset(values, np.repeat(names, n).tolist(), np.repeat(told, n).tolist(), times, **more)


def noise(n: int, columns: int, seed: int = 0) -> np.ndarray[Any, Any]:
    found: np.ndarray[Any, Any] = np.random.default_rng(seed).normal(size=(n, columns))
    return found


def evaluated(benchmark: Benchmark, features: np.ndarray[Any, Any]) -> MetricResult:
    return benchmark.metric.evaluate({"layer": features}, benchmark.recording, benchmark.noise_ceiling, POINT)


def test_rows_are_samples_without_the_ends_of_their_runs() -> None:
    data = runs_of(noise(400, 3), 4)
    found = make_benchmark(data, trim_s=[20, 10]).recording
    assert found.n_stimuli == 4 * (100 - 10 - 5)
    assert found.stimulus_ids[0] == "run0@20.000"
    assert found.columns["run"][85] == "run1"
    assert found.columns["time"][85] == 20
    assert np.allclose([part.mean(axis=0) for part in np.split(found.mean, 4)], 0)
    assert np.allclose([part.std(axis=0) for part in np.split(found.mean, 4)], 1)


def test_features_of_words_are_delayed_within_their_story_and_cut_as_the_responses() -> None:
    data = runs_of(noise(400, 3), 4)
    made = make_benchmark(data, trim_s=[20, 10], delays_s=[2, 4], downsample="sum")
    series = made.recording.series
    assert series is not None
    assert series.delays == (1, 2)
    number = np.tile(np.arange(len(series.words) // 4) // 4, 4)[:, None]  # the sample that a word falls into
    plain = series.at_samples(number)
    assert plain[:3, 0].tolist() == [40, 44, 48]  # four words in each of the samples 10, 11, 12
    found = series.regressors(number)
    raw = np.tile(4 * np.arange(10, 95), 4).astype(float)
    expected = np.stack([raw - 4, raw - 8], axis=1)
    assert np.allclose(found, (expected - expected.mean(axis=0)) / expected.std(axis=0))


def test_a_response_to_words_that_came_earlier_is_predicted_by_delays_alone() -> None:
    generator = np.random.default_rng(0)
    data = runs_of(noise(600, 5), 6)
    series = make_benchmark(data).recording.series
    assert series is not None
    features = generator.normal(size=(len(series.words), 4))
    truth = make_benchmark(data, trim_s=[0, 0], delays_s=[4]).recording.series
    assert truth is not None
    heard = truth.regressors(features) @ generator.normal(size=(4, 5))
    heard = runs_of(heard + 0.1 * noise(600, 5, 1), 6)
    with_delay = make_benchmark(heard, detrend="none", delays_s=[2, 4])
    without = make_benchmark(heard, detrend="none", delays_s=[0])
    r = [
        evaluated(one, one.recording.series.regressors(features)).raw  # type: ignore[union-attr]
        for one in (with_delay, without)
    ]
    assert r[0] > 0.98
    assert abs(r[1]) < 0.3


def test_runs_of_one_story_are_its_repetitions() -> None:
    signal = noise(100, 40, 1)
    values = np.vstack([signal + noise(100, 40, seed) for seed in (2, 3, 4)])
    one_more = noise(100, 40, 5)
    data = runs_of(np.vstack([values, one_more]), 4, ["a", "a", "a", "b"])
    made = make_benchmark(data, trim_s=[0, 0], detrend="none")
    assert made.recording.responses.shape == (200, 3, 40)
    assert made.recording.counts.tolist() == [3.0] * 100 + [1.0] * 100
    assert "run" not in made.recording.columns
    repeated = make_benchmark(runs_of(values, 3, ["a"] * 3), trim_s=[0, 0], detrend="none")
    assert repeated.noise_ceiling.kind == "reliability"
    assert repeated.noise_ceiling.value == pytest.approx(0.75, abs=0.04)  # 1 / (1 + 1/3)


def test_bad_samples_are_not_scored_and_keep_their_place() -> None:
    good = np.ones(400, bool)
    good[150:160] = False
    values = noise(400, 3)
    values[150:160] = 1e6
    found = make_benchmark(runs_of(values, 4, good=good), trim_s=[0, 0]).recording
    assert found.n_stimuli == 390
    assert np.abs(found.mean).max() < 6
    times = found.columns["time"][found.columns["run"] == "run1"].astype(float)
    assert not set(np.arange(100, 120, 2.0)) & set(times.tolist())


def test_drifts_and_confounds_are_regressed_out() -> None:
    n = 400
    moved = noise(n, 2, 3)
    slow = np.tile(np.linspace(-5, 5, 100) ** 2, 4)[:, None]
    clean = noise(n, 3)
    confounds = pd.DataFrame({"s1:x": moved[:, 0], "s2:x": 100 * moved[:, 1]})
    values = clean + slow + 20 * moved[:, :1]
    data = runs_of(values, 4, confounds=confounds)
    found = make_benchmark(data, trim_s=[0, 0], detrend=2, confounds=True).recording.mean
    plain = make_benchmark(runs_of(clean, 4), trim_s=[0, 0], detrend=2).recording.mean
    assert np.diagonal(np.corrcoef(found.T, plain.T)[:3, 3:]).min() > 0.98
    kept = make_benchmark(data, trim_s=[0, 0], detrend=2).recording.mean
    assert np.abs(np.diagonal(np.corrcoef(kept.T, plain.T)[:3, 3:])).max() < 0.2
    cosine = make_benchmark(data, trim_s=[0, 0], detrend="cosine").recording.mean
    assert cosine.shape == found.shape


def test_confounds_that_are_not_there_are_one_line() -> None:
    with pytest.raises(UserError, match="the data set holds none"):
        make_benchmark(runs_of(noise(400, 3), 4), confounds=True)


def test_whole_runs_are_held_out_and_of_one_run_blocks_with_a_gap() -> None:
    many = make_benchmark(runs_of(noise(400, 3), 4), trim_s=[0, 0])
    assert isinstance(many.metric, Encoding)
    for fold in many.metric.sampling.folds:
        runs = many.recording.columns["run"]
        assert not set(runs[fold.split.train]) & set(runs[fold.split.test])
    one = make_benchmark(runs_of(noise(300, 3), 1), trim_s=[0, 0], folds={"n": 5, "gap_s": 12})
    assert isinstance(one.metric, Encoding)
    folds = one.metric.sampling.folds
    assert len(folds) == 5
    for fold in folds:
        apart = np.abs(fold.split.train[:, None] - fold.split.test[None]).min()
        assert apart == 7  # 6 samples of 2 s lie between
        for part in fold.parts():
            assert np.abs(part.train[:, None] - part.test[None]).min() >= 7
    assert "6 samples on both sides" in one.metric.sampling.said


def test_a_fold_by_run_where_stories_were_heard_again_is_refused() -> None:
    with pytest.raises(UserError, match="repetitions: take 'story'"):
        make_benchmark(runs_of(noise(400, 3), 4, ["a", "a", "b", "c"]), folds={"by": "run"})


def people(n: int, shared: float, n_samples: int = 400, columns: int = 1) -> Dataset:
    """People who share so much of the variance of one."""
    signal = noise(n_samples, columns, 100)
    each = [np.sqrt(shared) * signal + np.sqrt(1 - shared) * noise(n_samples, columns, i) for i in range(n)]
    return runs_of(np.hstack(each), 4, subjects=[f"s{i}" for i in range(n)])


@pytest.mark.parametrize("n", [4, 12])
def test_what_subjects_share_is_the_ceiling_of_one_and_of_their_mean(n: int) -> None:
    data = people(n, 0.3)
    options: dict[str, Any] = {"trim_s": [0, 0], "detrend": "none"}
    one, mean = make_benchmark(data, **options), make_benchmark(data, train="group", **options)
    assert one.noise_ceiling.kind == mean.noise_ceiling.kind == "between_subjects"
    assert one.noise_ceiling.value == pytest.approx(0.3, abs=0.06)
    assert mean.noise_ceiling.value == pytest.approx(n * 0.3 / (1 + (n - 1) * 0.3), abs=0.06)
    assert mean.recording.responses.shape == (400, 1, 1)
    assert one.recording.responses.shape == (400, 1, n)


def test_the_mean_correlation_of_two_is_that_of_all_pairs() -> None:
    values = np.stack([noise(60, 3, seed) + noise(60, 3, 9) for seed in range(5)])
    parts = [np.arange(0, 30), np.arange(30, 60)]
    left = np.concatenate(
        [values[:, part] - values[:, part].mean(axis=1, keepdims=True) for part in parts], axis=1
    )
    expected = [np.corrcoef(left[:, :, k])[np.triu_indices(5, 1)].mean() for k in range(3)]
    # r of values that are centred by part is not centred again: the mean of all is 0 as it is
    assert shared_between(values, parts) == pytest.approx(np.array(expected), abs=1e-12)
    one = reliability_of(values, parts, False)
    mean = reliability_of(values, parts, True)
    assert mean == pytest.approx(5 * one / (1 + 4 * one))
    assert (shared_error(values, parts) > 0).all()


def test_few_subjects_or_nothing_shared_have_no_ceiling() -> None:
    three = make_benchmark(people(3, 0.3), detrend="none").noise_ceiling
    assert three.kind == "none"
    assert "3 subjects are too few" in three.note
    nothing = make_benchmark(people(8, 0.0), detrend="none").noise_ceiling
    assert nothing.kind == "none"
    assert "not told from noise" in nothing.note


def test_a_model_fitted_to_the_others_never_sees_whom_it_predicts() -> None:
    data = people(6, 0.4)
    options: dict[str, Any] = {"trim_s": [0, 0], "detrend": "none", "delays_s": [0]}
    made = make_benchmark(data, train="others", **options)
    found = made.recording
    others = np.stack([np.delete(found.mean, i, axis=1).mean(axis=1) for i in range(6)], axis=1)
    assert found.fitted == pytest.approx(others)
    # what all share as the features: r of each is what one shares with it, whoever is fitted
    signal = noise(400, 1, 100)
    result = evaluated(made, signal)
    assert result.value == pytest.approx(1, abs=0.12)
    own = evaluated(make_benchmark(data, **options), signal)
    assert own.raw == pytest.approx(result.raw, abs=0.05)


def test_neuroids_that_do_not_correspond_have_no_common_ceiling() -> None:
    data = people(6, 0.4, columns=2)
    assert make_benchmark(data).recording.people is None
    with pytest.raises(UserError, match="neuroids correspond"):
        make_benchmark(data, train="group")
    placed = pd.DataFrame({"subject": np.repeat(["a", "b"], 2), "hemisphere": "L", "vertex": [7, 3, 3, 7]})
    matched = corresponding(placed)
    assert matched is not None
    assert [one.tolist() for one in matched] == [[1, 0], [2, 3]]
    assert corresponding(placed.assign(vertex=[7, 3, 3, 8])) is None


def test_a_subject_without_a_run_is_left_out_and_counted() -> None:
    values = noise(400, 4)
    values[300:, 1] = np.nan
    found = make_benchmark(runs_of(values, 4)).recording
    assert found.responses.shape[2] == 3
    assert found.n_left_out == {"neuroids that lack a run, or do not vary in one": 1}
    with pytest.raises(UserError, match="no neuroid varies in every run"):
        make_benchmark(runs_of(np.where(np.arange(400)[:, None] < 100, np.nan, values), 4))


def test_metrics_of_single_stimuli_refuse_samples() -> None:
    with pytest.raises(UserError, match="rsa compares single stimuli: score it by .*ridge"):
        make_benchmark(runs_of(noise(400, 3), 4), "A1", "rsa")


def test_options_of_time_need_a_series() -> None:
    trials = Dataset.from_arrays("trials", noise(60, 3), [f"text {i}" for i in range(60)])
    with pytest.raises(UserError, match="need a series, and trials holds trials"):
        make_benchmark(trials, delays_s=[2, 4])


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"downsample": "cubic"}, "downsample must be one of 'lanczos'"),
        ({"delays_s": 2}, "delays_s must be a list of seconds"),
        ({"delays_s": ["2"]}, "delays_s must be a list of seconds"),
        ({"trim_s": [20]}, "trim_s must be two numbers"),
        ({"trim_s": [-1, 0]}, "trim_s must be two numbers"),
        ({"detrend": "linear"}, "detrend must be one of 'polynomial'"),
        ({"train": "both"}, "train must be one of 'own'"),
        ({"confounds": "motion"}, "confounds must be true or false"),
        ({"folds": {"by": "subject"}}, "by must be one of 'run'"),
        ({"folds": {"n": 1}}, "n must be a whole number from 2"),
        ({"folds": {"gap": 1}}, "unknown entry of folds"),
        ({"folds": {"gap_s": float("nan")}}, "gap_s must be a number of seconds"),
    ],
)
def test_an_option_that_cannot_be_is_one_line(given: dict[str, Any], line: str) -> None:
    with pytest.raises(UserError, match=line):
        series_options(given, "mine")


def test_options_are_told_apart() -> None:
    found, others = series_options({"inner_folds": 3, "delays_s": [1], "train": "group"}, "mine")
    assert found == SeriesOptions(delays_s=(1.0,), train="group")
    assert others == {"inner_folds": 3}
    assert series_options({"train": "category=face", "folds": 4}, "x") == (
        None,
        {"train": "category=face", "folds": 4},
    )
    assert SeriesOptions(downsample="hrf").delays == (0.0,)
    assert SeriesOptions().delays == (2.0, 4.0, 6.0, 8.0)


def test_a_run_that_is_cut_away_is_one_line() -> None:
    with pytest.raises(UserError, match="none are left without the first 20 s and the last 10 s: set trim_s"):
        make_benchmark(runs_of(noise(40, 3), 4))


def test_runs_that_are_short_for_how_slow_responses_are_are_warned_of():
    """Samples that stay alike for long leave few independent ones to rotate; whole runs are permuted from seven on."""
    draw = np.random.default_rng(0)

    def said(rho: float, n_runs: int) -> str:
        values = draw.normal(size=(n_runs * 60, 8))
        for row in range(1, len(values)):
            values[row] += rho * values[row - 1]
        made = make_benchmark(runs_of(values, n_runs), metric="ridge", trim_s=[0, 0], detrend=0)
        assert isinstance(made.metric, Encoding)
        return made.metric.sampling.said

    assert "shorter than 20 times that: p of rotated runs may be too small" in said(0.9, 4)
    assert "the shortest run of 60" in said(0.9, 4)
    assert "shorter" not in said(0.0, 4)
    assert "shorter" not in said(0.9, 8)
    assert "shorter than 20 times" in said(0.95, 1)


def heard_twice(n_stories: int, shift: float = 0.0, cut: int = 0) -> Dataset:
    """Each story in two runs that answer alike, of which the second is sampled later or ends earlier."""
    parts = []
    for story in range(n_stories):
        signal = noise(60, 3, story)
        for again, n in enumerate((60, 60 - cut)):
            name = (f"run{story}-{again}", f"story{story}")
            parts.append((signal[:n], *name, TR * np.arange(n) + again * shift))
    values, runs, stories, times = zip(*parts, strict=True)
    rows = [len(one) for one in values]
    named = [np.repeat(np.array(each, object), rows).tolist() for each in (runs, stories)]
    return dataset(np.vstack(values), *named, np.concatenate(times))


@pytest.mark.parametrize("apart", [{"shift": 1.0}, {"cut": 7}])
def test_a_story_that_is_heard_again_at_other_times_is_held_out_as_a_whole(apart: dict[str, Any]) -> None:
    made = make_benchmark(heard_twice(4, **apart), trim_s=[0, 0])
    assert isinstance(made.metric, Encoding)
    stories = made.recording.columns["story"]
    for fold in made.metric.sampling.folds:
        assert not set(stories[fold.split.train]) & set(stories[fold.split.test])
    # nothing but its own place in the story is known to this model, which has seen each place once
    place = (
        made.recording.columns["time"].astype(float) // TR + 60 * np.unique(stories, return_inverse=True)[1]
    )
    assert abs(evaluated(made, np.eye(240)[place.astype(int)]).value) < 0.2
    with pytest.raises(UserError, match="take 'story'"):
        make_benchmark(heard_twice(4, **apart), folds={"by": "run"})
    with pytest.raises(UserError, match="'story0' was heard in several runs at other times"):
        make_benchmark(heard_twice(2, **apart), trim_s=[0, 0])


def test_a_story_that_is_parted_into_runs_is_held_out_by_run() -> None:
    times = np.tile(TR * np.arange(100), 3)
    runs = np.repeat([f"part{i}" for i in range(6)], 50).tolist()
    data = dataset(noise(300, 3), runs, np.repeat(["a", "b", "c"], 100).tolist(), times)
    assert make_benchmark(data).recording.series.heard_again == ""  # type: ignore[union-attr]
    assert "keep run together" in make_benchmark(data).metric.sampling.said  # type: ignore[attr-defined]


def test_folds_by_run_of_a_single_run_are_blocks() -> None:
    made = make_benchmark(runs_of(noise(300, 3), 1), folds={"by": "run", "n": 10, "gap_s": 10})
    assert "blocks of neighbours in time" in made.metric.sampling.said  # type: ignore[attr-defined]
    with pytest.raises(
        UserError, match="gaps of 300 s .* leave 0 of 285 samples to fit: set a shorter gap_s"
    ):
        make_benchmark(runs_of(noise(300, 3), 1), folds={"gap_s": 300})


def test_a_delay_that_no_run_is_long_enough_for_is_one_line() -> None:
    with pytest.raises(UserError, match="run 'run0' of 200 s holds no samples 200 s apart: set delays_s"):
        make_benchmark(runs_of(noise(400, 3), 4), delays_s=[2, 200])


def test_a_run_without_a_good_sample_is_one_line() -> None:
    with pytest.raises(UserError, match="none of the 100 samples of run 'run1' are good"):
        make_benchmark(runs_of(noise(400, 3), 4, good=np.arange(400) // 100 != 1))


@pytest.mark.parametrize(
    ("confounds", "line"),
    [
        (pd.DataFrame({"s9:x": noise(400, 1)[:, 0]}), "there are none of subject 's1' in run 'run0'"),
        (
            pd.DataFrame({"s1:x": [np.nan, *range(399)]}),
            "'s1:x' has no number in 1 of 100 samples of run 'run0'",
        ),
        (pd.DataFrame(noise(400, 98)), "101 columns, which leave nothing of its 100 samples"),
    ],
)
def test_confounds_that_cannot_be_taken_out_are_one_line(confounds: pd.DataFrame, line: str) -> None:
    data = runs_of(noise(400, 3), 4, confounds=confounds)
    with pytest.raises(UserError, match=line):
        make_benchmark(data, confounds=True)
    assert make_benchmark(data).recording.n_stimuli == 340


def test_confounds_are_those_of_the_subject_whatever_its_name() -> None:
    moved, clean = noise(400, 1, 3), noise(400, 3)
    both = pd.DataFrame({"sub:1:x": moved[:, 0], "sub:2:x": noise(400, 1, 4)[:, 0]})
    both.loc[7] = np.nan
    good = np.arange(400) != 7
    data = runs_of(clean + 20 * moved, 4, subjects=["sub:1"], confounds=both, good=good)
    found = make_benchmark(data, confounds=True).recording.mean
    plain = make_benchmark(runs_of(clean, 4, good=good)).recording.mean
    assert np.diagonal(np.corrcoef(found.T, plain.T)[:3, 3:]).min() > 0.98


@pytest.mark.parametrize("said", [None, "none", 0, 20])
def test_a_context_that_is_said_to_be_none_is_none(said: Any) -> None:
    given = {} if said is None else {"context": said}
    data = runs_of(noise(400, 3), 4)
    assert make_benchmark(data, **given).card.context == {None: 20, "none": 0}.get(said, said)
    trials = Dataset.from_arrays("trials", noise(60, 3), [f"text {i}" for i in range(60)])
    assert make_benchmark(trials, context="none").card.context == "none"


def test_a_misspelt_option_of_time_is_recognised() -> None:
    with pytest.raises(UserError, match="'delay_s': did you mean 'delays_s'"):
        make_benchmark(runs_of(noise(400, 3), 4), delay_s=[2])


def test_samples_that_are_not_a_tr_apart_are_one_line() -> None:
    times = TR * np.arange(100)
    times[50:] += TR  # a scan that was lost
    with pytest.raises(UserError, match="run 'one' has samples 4 s apart .at 98 s., but tr is 2 s"):
        dataset(noise(100, 3), ["one"] * 100, ["a"] * 100, times)
    with pytest.raises(UserError, match="run 'one' has samples 0 s apart"):
        dataset(noise(100, 3), ["one"] * 100, ["a"] * 100, np.tile(TR * np.arange(50), 2))
    data = runs_of(noise(100, 3), 1)
    unknown = data.responses.assign_coords(time=("presentation", [np.nan, *times[1:]]))  # type: ignore[union-attr]
    with pytest.raises(UserError, match="1 samples have no time"):
        Dataset("heard", "language", data.stimuli, unknown, kind="series", tr=TR)


@pytest.mark.parametrize(
    ("column", "value", "line"),
    [
        ("onset", np.nan, "1 words or frames have no onset"),
        ("offset", -1.0, "'run0-0003' .* ends before it begins"),
    ],
)
def test_a_word_without_a_time_is_one_line(column: str, value: float, line: str) -> None:
    data = runs_of(noise(100, 3), 1)
    stimuli = StimulusSet(data.stimuli.copy())
    stimuli.loc[3, column] = value
    with pytest.raises(UserError, match=line):
        Dataset("heard", "language", stimuli, data.responses, kind="series", tr=TR)
    with pytest.raises(UserError, match="tr must be its seconds"):
        Dataset("heard", "language", data.stimuli, data.responses, kind="series", tr="2")  # type: ignore[arg-type]


def test_delays_by_default_are_those_that_are_written_out() -> None:
    data = runs_of(noise(400, 3), 4)
    cards = [make_benchmark(data, **given).card for given in ({}, {"delays_s": [2, 4, 6, 8]})]
    assert cards[0].series == cards[1].series


def test_the_curve_of_one_layer_is_the_raw_value_of_several_subjects() -> None:
    """A board computes one from the other."""
    values = np.random.default_rng(3).normal(size=(400, 5)) @ np.diag([1, 2, 3, 4, 5])
    made = make_benchmark(runs_of(values, 4, subjects=[f"s{i}" for i in range(5)]), delays_s=[0])
    result = evaluated(made, values[: made.recording.n_stimuli, :2])
    assert result.layers["layer"] == pytest.approx(result.raw, abs=1e-12)
