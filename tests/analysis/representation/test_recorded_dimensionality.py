"""Dimensions of recordings across repetitions: planted signals under noise, and the voxels of one real slice."""

import numpy as np
import pytest

import brodmann
from brodmann import UserError
from brodmann.analysis import effective_dimensionality, participation_ratio, recorded_dimensionality
from brodmann.analysis.representation.traces import rows_of_two, traces_of

SPECTRUM = np.arange(1, 41.0) ** -0.5
ROTATION = np.linalg.qr(np.random.default_rng(5).normal(size=(200, 200)))[0][:40]
TRUTH = (SPECTRUM**2).sum() ** 2 / (SPECTRUM**4).sum()


def recorded(seed, n=100, repetitions=2, snr=0.44, rows=False):
    """Presentations of normal signals of 10.9 dimensions in 200 units, with white noise."""
    rng = np.random.default_rng(seed)
    signal = rng.normal(size=(n, 40)) * SPECTRUM @ ROTATION
    noise = rng.normal(size=(repetitions, n, 200)) * np.sqrt((SPECTRUM**2).sum() / 200 / snr)
    ids, blocks = np.tile(np.arange(n), repetitions), np.repeat(np.arange(repetitions), n)
    return (signal + noise).reshape(-1, 200), ids, blocks, signal


@pytest.mark.parametrize("whole_blocks", [True, False])
def test_noise_of_two_repetitions_is_no_dimension(whole_blocks):
    found, noisy = [], []
    for seed in range(20):
        x, ids, blocks, _ = recorded(seed)
        found.append(recorded_dimensionality(x, ids, blocks=blocks if whole_blocks else None))
        noisy.append(participation_ratio(x.reshape(2, 100, 200).mean(axis=0)))
    assert min(noisy) > 2 * TRUTH
    assert np.median([one.corrected for one in found]) == pytest.approx(TRUTH, rel=0.08)
    covered = np.mean([one.interval[0] <= TRUTH <= one.interval[1] for one in found])
    assert covered >= 0.9 - 3 * np.sqrt(0.9 * 0.1 / 20)
    assert {(one.n_samples, one.n_units, one.estimator) for one in found} == {
        (100, 200, "cross-validated over repetitions")
    }


def test_without_noise_it_is_that_of_the_signal():
    x, ids, blocks, signal = recorded(0, repetitions=3, snr=np.inf)
    expected = effective_dimensionality(signal)
    for found in (recorded_dimensionality(x, ids, blocks=blocks), recorded_dimensionality(x, ids)):
        assert found.participation_ratio == pytest.approx(expected.participation_ratio)
        assert found.corrected == pytest.approx(expected.corrected)
        assert found.interval == pytest.approx(expected.interval)
        np.testing.assert_allclose(found.eigenvalues, expected.eigenvalues, atol=1e-9)
        assert found.components == expected.components


def test_whole_blocks_are_halved_where_each_holds_every_stimulus():
    """What all presentations of a block share is then removed with its mean; order and names do not matter."""
    x, ids, blocks, _ = recorded(3, n=40)
    found = recorded_dimensionality(x, ids, blocks=blocks)
    expected = traces_of(rows_of_two(x[blocks == 0], x[blocks == 1]))
    assert found.corrected == pytest.approx(expected.squared / expected.of_square)
    order = np.random.default_rng(0).permutation(len(x))
    moved = recorded_dimensionality(
        (x + 100.0 * blocks[:, None])[order], [f"s{i:03d}" for i in ids[order]], blocks=blocks[order] == 1
    )
    assert moved.corrected == pytest.approx(found.corrected)


def test_stimuli_shown_once_are_left_out_and_unequal_repetitions_count():
    x, ids, _, _ = recorded(0, repetitions=4)
    kept = np.arange(len(x)) % 100 < 60 - 30 * (np.arange(len(x)) // 200)  # 4 for 30, 2 for the next 30
    kept[60:100] = True  # once
    found = recorded_dimensionality(x[kept], ids[kept])
    assert found.n_samples == 60
    assert found.interval[0] < TRUTH < found.interval[1]
    assert found.corrected == pytest.approx(TRUTH, rel=0.35)


def test_what_cannot_be_said_is_not_said():
    x, ids, _, _ = recorded(0, n=50)
    for some, why in (
        (slice(0, 50), "every stimulus has one response"),
        (slice(0, 53), "3 stimuli were shown more"),
    ):
        found = recorded_dimensionality(x[some], ids[some])
        assert found.why_none.startswith(why)
        assert np.isnan([found.participation_ratio, found.corrected, *found.interval, found.exponent]).all()
        assert not len(found.eigenvalues)
    noise = [
        recorded_dimensionality(np.random.default_rng(seed).normal(size=(20, 30)), np.tile(np.arange(10), 2))
        for seed in range(10)
    ]
    assert all(one.why_none for one in noise)
    assert all(not one.participation_ratio > 9 for one in noise)
    with pytest.raises(UserError, match=r"not \(4, 2\) and \(3,\)"):
        recorded_dimensionality(np.ones((4, 2)), [1, 2, 3])


def test_voxels_of_eight_categories_have_at_most_seven_dimensions(test_data):
    brodmann.add_dataset("haxby2001-slice", test_data / "haxby2001-sub001")
    responses = brodmann.load_dataset("haxby2001-slice").responses
    found = recorded_dimensionality(
        responses.values, responses["stimulus_id"].values, blocks=responses["run"].values
    )
    low, high = found.interval_of_these
    assert participation_ratio(responses.values) > 20  # of single presentations: their noise
    assert 2 < low < found.participation_ratio < high < 7
    assert found.participation_ratio == pytest.approx(3.6, abs=0.4)
    assert found.why_none.startswith("too few samples (8)")
    assert len(found.eigenvalues) == 7
