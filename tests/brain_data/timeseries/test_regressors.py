"""From words to samples: by hand, by other libraries, and on a recording whose authors published the rate of words."""

import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from brodmann.brain_data.timeseries.regressors import (
    at_samples,
    delayed,
    delays_of,
    haemodynamic_response,
    kept,
    standardized,
    timing,
    without_drift,
)
from brodmann.brain_data.timeseries.textgrid import textgrid_words
from brodmann.errors import UserError


def words(n: int = 300, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features, onsets and offsets of words that come some three a second."""
    rng = np.random.default_rng(seed)
    onsets = np.cumsum(rng.gamma(4, 1 / 12, n))
    return rng.normal(size=(n, 4)), onsets, onsets + rng.uniform(0.05, 0.3, n)


def test_the_response_is_that_of_two_gammas_with_a_peak_at_five_seconds() -> None:
    h = haemodynamic_response(0.01)
    assert h.sum() == pytest.approx(1)
    assert np.argmax(h) * 0.01 == pytest.approx(5.0, abs=0.02)
    assert h.min() / h.max() == pytest.approx(-0.1, abs=0.05)  # the undershoot


def test_lanczos_reproduces_what_is_slower_than_the_samples() -> None:
    onsets = np.arange(0, 200, 0.25)
    slow = np.sin(2 * np.pi * onsets / 20)
    found = at_samples(slow, onsets, onsets, np.arange(10, 190, 2.0), 2.0)[:, 0]
    expected = np.sin(2 * np.pi * np.arange(10, 190, 2.0) / 20) * 8  # 8 words a sample
    assert np.corrcoef(found, expected)[0, 1] > 0.999
    assert found.std() / expected.std() == pytest.approx(1, abs=0.05)


def test_lanczos_is_the_sum_that_its_definition_says() -> None:
    values, onsets, offsets = words(20)
    times = np.arange(0, 8, 2.0)
    found = at_samples(values, onsets, offsets, times, 2.0)
    for j, t in enumerate(times):
        total = np.zeros(4)
        for v, u in zip(values, (onsets + offsets) / 2, strict=True):
            x = (t - u) / 2
            if x == 0:
                total += v
            elif abs(x) < 3:
                total += v * 3 * np.sin(np.pi * x) * np.sin(np.pi * x / 3) / (np.pi * x) ** 2
        assert np.allclose(found[j], total)


def test_sums_means_and_last_words_of_a_sample() -> None:
    onsets = np.array([0.1, 0.5, 2.1, 7.0, 9.9])
    values = np.array([1.0, 2, 3, 4, 5])
    times = np.arange(0, 8, 2.0)  # the last word is beyond the last sample
    by = {
        method: at_samples(values, onsets, onsets, times, 2.0, method)[:, 0].tolist()
        for method in ("sum", "mean", "last")
    }
    assert by == {"sum": [3, 3, 0, 4], "mean": [1.5, 3, 0, 4], "last": [2, 3, 0, 4]}


def test_convolution_is_that_of_numpy_on_the_grid() -> None:
    values, onsets, offsets = words(60)
    times = np.arange(0, 40, 2.0)
    found = at_samples(values, onsets, offsets, times, 2.0, "hrf")
    grid = np.zeros((800, 4))
    np.add.at(grid, np.round(offsets / 0.1).astype(int), values)
    expected = np.apply_along_axis(lambda one: np.convolve(one, haemodynamic_response())[:800], 0, grid)
    assert np.allclose(found, expected[np.round(times / 0.1).astype(int)], atol=1e-3)


def test_delays_stay_within_their_run() -> None:
    values = np.arange(1, 7.0)[:, None]
    runs = ["a", "a", "a", "b", "b", "b"]
    found = delayed(values, [0, 1, 2, -1, 5], runs)
    assert found[:, 0].tolist() == [1, 2, 3, 4, 5, 6]
    assert found[:, 1].tolist() == [0, 1, 2, 0, 4, 5]
    assert found[:, 2].tolist() == [0, 0, 1, 0, 0, 4]
    assert found[:, 3].tolist() == [2, 3, 0, 5, 6, 0]
    assert not found[:, 4].any()


def test_delays_in_seconds_are_whole_samples() -> None:
    assert delays_of([2, 4, 6, 8], 2.0) == [1, 2, 3, 4]
    assert delays_of([2, 4, 6, 8], 1.49) == [1, 3, 4, 5]
    with pytest.raises(UserError, match="delays of 1.5, 2 s are not different samples at a TR of 2 s"):
        delays_of([1.5, 2], 2.0)


def test_drifts_of_every_run_are_gone_and_nothing_else() -> None:
    rng = np.random.default_rng(0)
    runs = np.repeat([0, 1], 90)
    time = np.tile(np.linspace(-1, 1, 90), 2)
    drift = (runs + 1) * time**2 + 5 * time + 3
    fast = rng.normal(size=180)
    found = without_drift((fast + drift)[:, None], 2.0, runs)[:, 0]
    assert np.corrcoef(found, fast)[0, 1] > 0.97
    assert np.allclose(without_drift(drift[:, None], 2.0, runs), 0, atol=1e-10)


def test_standardized_within_runs_and_constants_are_zero() -> None:
    values = np.column_stack([np.r_[np.arange(10), 100 + np.arange(10)], np.ones(20)])
    found = standardized(values, np.repeat([0, 1], 10))
    assert np.allclose(found[:10], found[10:])
    assert not found[:, 1].any()


def test_ends_are_cut_from_every_run() -> None:
    assert kept(10, (2, 1), [0] * 5 + [1] * 5).tolist() == [False, False, True, True, False] * 2
    with pytest.raises(UserError, match="a run of 5 samples has none left"):
        kept(10, (3, 2), [0] * 5 + [1] * 5)


def test_what_does_not_fit_is_one_line() -> None:
    with pytest.raises(UserError, match="unknown way of down-sampling 'lancos': did you mean 'lanczos'"):
        at_samples([1.0], [0], [1], [0.0], 2.0, "lancos")  # type: ignore[arg-type]
    with pytest.raises(UserError, match="2 rows of features, but 1 onsets"):
        at_samples([1.0, 2.0], [0], [1], [0.0], 2.0)


@pytest.fixture(scope="module")
def alice(test_data: Path) -> Path:
    """Brennan et al. 2016."""
    folder = test_data / "brennan2016-alice"
    if not folder.is_dir():
        pytest.skip(f"no real files: {folder} is absent")
    return folder


@pytest.mark.parametrize(("offset", "r"), [(10, 0.9903), (9, 0.814), (11, 0.793), (8, 0.490)])
def test_the_rate_of_words_is_that_of_the_authors_at_the_true_clock(
    alice: Path, offset: int, r: float
) -> None:
    heard = textgrid_words(next((alice / "stim").glob("*.TextGrid")))
    published = np.mean([np.loadtxt(file) for file in sorted((alice / "data").glob("s??-rate.txt"))], axis=0)
    times = 2.0 * (np.arange(362) + offset)
    rate = at_samples(np.ones(len(heard)), heard["onset"], heard["offset"], times, 2.0, "hrf")[:, 0]
    assert np.corrcoef(rate, published)[0, 1] == pytest.approx(r, abs=0.0025)


def test_the_clock_of_a_recording_is_found(alice: Path) -> None:
    heard = textgrid_words(next((alice / "stim").glob("*.TextGrid")))
    people = [np.loadtxt(file) for file in sorted((alice / "data" / "6mm").glob("*.txt"))]
    mean = np.mean([standardized(one).mean(axis=1) for one in people], axis=0)[10:]
    times = 2.0 * (np.arange(362) + 10)[10:]
    found = timing(mean, heard["onset"], heard["offset"], times, 2.0)
    assert max(found, key=found.__getitem__) == 0
    late = timing(mean, heard["onset"], heard["offset"], times - 4.0, 2.0)
    assert max(late, key=late.__getitem__) == 2


METHODS = ["lanczos", "mean", "sum", "last", "hrf"]


@pytest.mark.parametrize("method", METHODS)
def test_samples_in_any_order_and_words_of_any_precision_are_the_same_numbers(method: str) -> None:
    values, onsets, offsets = words(9000)  # more than are put at samples at once
    times = np.sort(np.random.default_rng(1).uniform(0, 3000, 400))  # irregular
    whole = at_samples(values.astype(np.float32), onsets, offsets, times, 2.0, method)
    parts = [
        at_samples(values.astype(np.float32)[rows], onsets[rows], offsets[rows], times, 2.0, method)
        for rows in (slice(0, 4321), slice(4321, 9000))
    ]
    if method in ("lanczos", "sum", "hrf"):
        assert np.allclose(whole, parts[0] + parts[1], atol=1e-12)
    mixed = np.random.default_rng(2).permutation(400)
    again = at_samples(values.astype(np.float32), onsets, offsets, times[mixed], 2.0, method)
    assert np.allclose(again, whole[mixed], atol=1e-12)
    assert whole.dtype == np.float64


@pytest.mark.parametrize("method", METHODS)
def test_nothing_to_put_anywhere_is_zero(method: str) -> None:
    none = np.zeros((0, 3))
    assert not at_samples(none, [], [], [0.0, 2.0], 2.0, method).any()
    assert at_samples(none, [], [], [0.0, 2.0], 2.0, method).shape == (2, 3)
    assert at_samples(np.ones((4, 3)), [1, 2, 3, 4], [1, 2, 3, 4], [], 2.0, method).shape == (0, 3)


def test_a_story_of_one_word_and_words_over_one_another() -> None:
    times = np.arange(0, 8, 2.0)
    one = {method: at_samples([5.0], [2.5], [3.5], times, 2.0, method)[:, 0] for method in METHODS}
    for method in ("mean", "sum", "last"):
        assert one[method].tolist() == [0, 5, 0, 0]
    x = (times - 3.0) / 2
    assert np.allclose(one["lanczos"], 5 * np.sinc(x) * np.sinc(x / 3))
    h = haemodynamic_response()
    assert np.allclose(one["hrf"], [0, 0, 5 * h[5], 5 * h[25]])  # 0.5 s and 2.5 s after it ended
    both = at_samples([1.0, 10.0], [2.0, 2.2], [4.0, 3.0], times, 2.0, "sum")[:, 0]
    assert both.tolist() == [0, 11, 0, 0]


def test_twenty_hours_of_story_need_no_table_of_words_by_samples() -> None:
    """36 000 samples x 200 000 words would be 58 GB."""
    onsets = np.sort(np.random.default_rng(0).uniform(0, 72_000, 200_000))
    values = np.random.default_rng(1).normal(size=(200_000, 2)).astype(np.float32)
    times = np.arange(0, 72_000, 2.0)
    for method in METHODS:
        tracemalloc.start()
        found = at_samples(values, onsets, onsets + 0.2, times, 2.0, method)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert most < 300e6
        assert found.shape == (36_000, 2)
    near = np.abs(onsets + 0.1 - 40_000) < 6
    x = (40_000 - onsets[near] - 0.1) / 2
    expected = (np.sinc(x) * np.sinc(x / 3)) @ values[near].astype(np.float64)
    assert np.allclose(at_samples(values, onsets, onsets + 0.2, times, 2.0)[20_000], expected, atol=1e-12)


def test_delayed_copies_may_be_in_half_the_room() -> None:
    values = np.random.default_rng(0).normal(size=(50, 3))
    found = delayed(values, [1, 2], dtype=np.float32)
    assert found.dtype == np.float32
    assert np.array_equal(found, delayed(values, [1, 2]).astype(np.float32))
