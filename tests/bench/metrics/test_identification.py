"""Identification by hand: what neuroids are divided by, who is told apart, and how presentations are halved."""

import numpy as np
import pandas as pd
import pytest

from brodmann import UserError
from brodmann.bench.metrics.identification import (
    Patterns,
    advantage,
    halves,
    mean_told,
    noise_scale,
    noise_scale_of_others,
    pairs_of,
    spread,
    told,
)
from brodmann.bench.metrics.recording import Recording


def cube(n=6, repetitions=4, n_neuroids=7, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, 1, n_neuroids)) + rng.normal(size=(n, repetitions, n_neuroids))


def test_a_neuroid_is_divided_by_the_sd_of_a_presentation_about_its_stimulus():
    one = cube()
    within = ((one - one.mean(axis=1, keepdims=True)) ** 2).sum(axis=(0, 1)) / (6 * 3)
    np.testing.assert_allclose(noise_scale(one), np.sqrt(within))
    odd = one.copy()
    odd[:, :, 0] = 3.0  # never varies
    odd[:, :, 1] = one[:, :1, 1]  # no noise: its own sd
    found = noise_scale(odd)
    assert found[0] == 0
    assert found[1] == pytest.approx(one[:, 0, 1].std())
    np.testing.assert_allclose(found[2:], np.sqrt(within)[2:])
    once = one[:, :1]
    np.testing.assert_allclose(noise_scale(once), once.std(axis=(0, 1)))
    for unit in (1e-6, 1e6):
        np.testing.assert_allclose(noise_scale(unit * odd), unit * found)
        assert spread(unit * odd)[0] == 0


def test_two_blocks_are_divided_by_the_noise_of_all_others():
    one, blocks = cube(8), np.array([0, 0, 1, 1, 2, 2, 3, 3])
    one[7, 2:] = np.nan
    found = noise_scale_of_others(one, blocks)
    assert found.shape == (4, 4, 7)
    np.testing.assert_array_equal(found, found.swapaxes(0, 1))
    for first, second in ((0, 1), (2, 3), (1, 1)):
        left = one[(blocks != first) & (blocks != second)]
        np.testing.assert_allclose(found[first, second], noise_scale(left), rtol=1e-9)
    two = noise_scale_of_others(one[:4], blocks[:4])
    np.testing.assert_allclose(two[0, 1], spread(one[:4]))  # nobody else is left
    np.testing.assert_allclose(two[0, 0], noise_scale(one[2:4]))


def test_the_advantage_is_straight_less_crossed():
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(2, 3, 4, 5))
    found = advantage(a, b)
    assert found.shape == (3, 4, 4)

    def r(x, y):
        return np.corrcoef(x, y)[0, 1]

    for k, i, j in ((0, 1, 2), (2, 0, 3), (1, 2, 2)):
        x, y = a[k], b[k]
        expected = r(x[i], y[i]) + r(x[j], y[j]) - r(x[i], y[j]) - r(x[j], y[i])
        assert found[k, i, j] == pytest.approx(expected, abs=1e-12)
    flat = np.ones((2, 5))
    assert (advantage(flat, b[0, :2]) == 0).all()


def test_a_tie_is_half_and_a_width_makes_the_step_smooth():
    values = np.array([-1.0, -1e-13, 0.0, 1e-13, 1.0])
    assert told(values).tolist() == [0, 0.5, 0.5, 0.5, 1]
    assert told(np.array([-1e-11, 1e-11])).tolist() == [0, 1]
    np.testing.assert_allclose(told(np.array([-1.0, 0.0, 1.96]), 1.0), [0.158655, 0.5, 0.975002], atol=1e-6)
    np.testing.assert_allclose(told(np.array([0.5]), 0.5), told(np.array([1.0]), 1.0))
    assert mean_told([np.array([1.0, 1.0, -1.0]), np.array([0.0])]) == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert mean_told([np.array([0.5])], 0.5) == pytest.approx(0.841345, abs=1e-6)
    assert np.isnan(mean_told([]))


def test_pairs_are_of_one_part_and_of_other_labels_once_each():
    labels = np.array([0, 1, 1, 2, 0])
    (rows, upper), (few, none) = pairs_of([np.array([0, 1, 2, 3]), np.array([4])], labels)
    assert rows.tolist() == [0, 1, 2, 3]
    assert [tuple(pair) for pair in np.argwhere(upper)] == [(0, 1), (0, 2), (0, 3), (1, 3), (2, 3)]
    assert few.tolist() == [4]
    assert not none.any()
    (kept, some), _ = pairs_of(
        [np.arange(4), np.array([4])], labels, np.array([True, False, True, True, True])
    )
    assert kept.tolist() == [0, 2, 3]
    assert some.sum() == 3


def test_halves_are_of_the_same_repetitions_and_no_two_are_alike():
    one = cube(repetitions=3)
    found = list(halves(one, 50, np.random.default_rng(0)))
    assert len(found) == 3  # one of three repetitions, and the two others
    seen = set()
    for a, b in found:
        (single,) = [k for k in range(3) if np.allclose(a, one[:, k])]
        np.testing.assert_allclose(b, np.delete(one, single, axis=1).mean(axis=1))
        seen.add(single)
    assert seen == {0, 1, 2}
    assert len(list(halves(one, 1, np.random.default_rng(0)))) == 1


def test_halves_of_what_was_shown_unequally_and_of_gaps():
    one = cube(3, 5)
    one[0, 2:] = np.nan  # shown twice: one in each half
    one[1, :, 3] = [np.nan, 1.0, 2.0, np.nan, 4.0]
    for a, b in halves(one, 20, np.random.default_rng(1)):
        np.testing.assert_allclose(np.sort([a[0, 0], b[0, 0]]), np.sort(one[0, :2, 0]))
        np.testing.assert_allclose(2 * a[2] + 3 * b[2], one[2].sum(axis=0))
        total = [x for x in (a[1, 3], b[1, 3]) if np.isfinite(x)]
        assert len(total) >= 1
        assert all(1 <= x <= 4 for x in total)


def recorded(one, subjects=None):
    table = {"neuroid_id": np.arange(one.shape[2])} | ({} if subjects is None else {"subject": subjects})
    return Recording("made", np.arange(len(one)).astype(object), one, None, pd.DataFrame(table), {})


def test_patterns_are_of_neuroids_that_vary_and_subjects_with_three_of_them():
    one = cube(n_neuroids=9)
    one[:, :, 1] = 2.0
    found = Patterns.of(recorded(one, list("aaaabbccc")))
    assert [member.tolist() for member in found.members] == [[0, 2, 3], [6, 7, 8]]
    assert (found.names, found.n_neuroids) == (("a", "c"), 6)
    assert dict(found.left_out) == {
        "neuroids that never vary": 1,
        "neuroids of subjects with fewer than 3": 2,
    }
    np.testing.assert_allclose(found.scale, noise_scale(one))
    assert found.said(np.array([0.5, 0.75])) == {"accuracy_of_each_subject": ["a 0.500", "c 0.750"]}
    nobody = Patterns.of(recorded(one))
    assert nobody.names == ()
    assert nobody.said(np.array([0.5])) == {}
    assert dict(Patterns.of(recorded(cube())).left_out) == {}
    some = found.only(np.array([2, 3, 7]))
    assert [member.tolist() for member in some.members] == [[0, 1], [2]]
    np.testing.assert_allclose(some.scale, noise_scale(one)[[2, 3, 7]])
    with pytest.raises(
        UserError, match="made: decoding compares patterns over neuroids and needs at least 3 .* not 2"
    ):
        Patterns.of(recorded(one[:, :, :3]))


def test_accuracy_is_the_share_of_pairs_told_apart_of_each_subject_and_part():
    one = cube(8, n_neuroids=6, seed=3)
    found = Patterns.of(recorded(one, list("aaabbb")))
    truth = one.mean(axis=1)
    parts = [np.arange(4), np.arange(4, 8)]
    pairs = pairs_of(parts, np.arange(8))
    assert found.accuracy([truth[part] for part in parts], truth, pairs).tolist() == [1, 1]
    swapped = pairs_of([np.array([0, 1])], np.arange(8))
    assert found.accuracy([truth[[1, 0]]], truth, swapped).tolist() == [0, 0]
    rng = np.random.default_rng(0)
    predictions = [truth[part] + rng.normal(size=(4, 6)) for part in parts]
    expected = []
    for member in found.members:
        shares = []
        for prediction, part in zip(predictions, parts, strict=True):
            a, b = prediction - prediction.mean(axis=0), truth[part] - truth[part].mean(axis=0)
            values = advantage(a[:, member] / found.scale[member], b[:, member] / found.scale[member])
            shares.append((values[np.triu_indices(4, 1)] > 0).mean())
        expected.append(np.mean(shares))
    np.testing.assert_allclose(found.accuracy(predictions, truth, pairs), expected)
    assert len(found.of_pairs(predictions, truth, pairs)) == 2
    none = pairs_of(parts, np.zeros(8, int))
    assert np.isnan(found.accuracy(predictions, truth, none)).all()
