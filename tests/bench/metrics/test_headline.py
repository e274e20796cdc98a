"""The number on top, by hand: two subjects, medians, best r, influences, and what groups of stimuli do to it."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from brodmann.bench.metrics.base import Ceiling
from brodmann.bench.metrics.headline import Headline
from brodmann.bench.metrics.neuroid_ceiling import neuroid_ceiling
from brodmann.bench.metrics.normalization import none, r_over_r_max, ratio_of_medians
from brodmann.bench.metrics.recording import Recording
from brodmann.brain_data.noise_ceiling import noise_variance, reliability_within

N = 24
R = np.array([0.1, 0.3, 0.5, 0.2, 0.6, 0.4, 0.8])
"""Subject a has the first three neuroids, b the others: medians .3 and .5."""


def recorded(subjects=("a",) * 3 + ("b",) * 4, noise=0.7, r_max=None):
    rng = np.random.default_rng(0)
    cube = rng.normal(size=(N, 1, 7)) * np.linspace(0.5, 2, 7) + noise * rng.normal(size=(N, 3, 7))
    table = pd.DataFrame({"subject": list(subjects)} if subjects else {"neuroid_id": np.arange(7)})
    ids = np.arange(N).astype(object)
    return Recording("made", ids, cube, None, table, {}, position=np.arange(N), r_max=r_max)


PARTS = np.array_split(np.arange(N), 4)
WEIGHTS = np.ones(N)
EVERYTHING = np.arange(N)


def headline(one, kind="reliability", value=0.5, parts=PARTS, weights=WEIGHTS, note=""):
    return Headline.of(one, Ceiling(kind, value, note=note), parts, weights)


def reliability(one, rows=EVERYTHING):
    parts = [np.intersect1d(part, rows) for part in PARTS]
    return reliability_within(
        one.cube.mean(axis=1), noise_variance(one.cube), np.full(N, 3.0), parts, WEIGHTS
    )


def test_the_headline_is_the_mean_of_medians_over_the_mean_of_best_r():
    one = recorded()
    found = headline(one)
    each = reliability(one)
    np.testing.assert_allclose(found.reliability(), each)
    best = np.sqrt([np.median(each[:3]), np.median(each[3:])])
    np.testing.assert_allclose(found.best(), best)
    assert found.names == ("a", "b")
    assert found.medians(R).tolist() == pytest.approx([0.3, 0.5])
    assert found.raw(R) == pytest.approx(0.4)
    assert found.value(R) == pytest.approx(0.4 / best.mean())
    np.testing.assert_allclose(found.raw(np.stack([R, 2 * R])), [0.4, 0.8])
    assert found.by_subject(R).mean() == pytest.approx(found.value(R))
    value = found.value(R)
    expected = [value + (m - value * c) / best.mean() for m, c in zip((0.3, 0.5), best, strict=True)]
    np.testing.assert_allclose(found.by_subject(R), expected)
    of_variance = replace(found, of_variance=True)
    np.testing.assert_allclose(of_variance.best(), best**2)
    assert of_variance.value(R) == pytest.approx(0.4 / (best**2).mean())


def test_some_stimuli_have_a_reliability_of_their_own():
    one = recorded()
    found = headline(one)
    rows = np.arange(N) % 3 > 0
    np.testing.assert_allclose(found.reliability(rows), reliability(one, np.flatnonzero(rows)))
    assert (found.best(rows) != found.best()).all()
    weighted = headline(one, weights=np.where(rows, 1.0, 0.0))
    np.testing.assert_allclose(weighted.reliability(), found.reliability(rows))
    np.testing.assert_allclose(weighted.reliability(np.ones(N, bool)), found.reliability(rows))


def test_published_and_missing_ceilings():
    published = headline(recorded(r_max=0.6), "r_max", 0.6)
    assert published.normalization is r_over_r_max
    assert published.published == 0.6
    np.testing.assert_allclose(published.reliability(), np.full(7, 0.36))
    assert published.value(R) == pytest.approx(0.4 / 0.6)
    missing = headline(recorded(), "none", float("nan"), note="none: too noisy")
    assert missing.normalization is none
    assert missing.published is None
    np.testing.assert_array_equal(missing.reliability(), np.ones(7))
    assert missing.value(R) == pytest.approx(0.4)
    assert missing.methods(R)["ceiling"] == "none: too noisy"
    assert headline(recorded()).normalization is ratio_of_medians


def test_some_neuroids_keep_their_subject():
    one = recorded()
    found = headline(one).only(np.array([1, 2, 4, 6]))
    assert [member.tolist() for member in found.members] == [[0, 1], [2, 3]]
    assert found.names == ("a", "b")
    np.testing.assert_allclose(found.reliability(), reliability(one)[[1, 2, 4, 6]])
    alone = headline(one).only(np.array([3, 5]))
    assert (alone.names, [member.tolist() for member in alone.members]) == (("b",), [[0, 1]])
    assert headline(recorded(subjects=None)).names == ()


def test_what_is_not_known_is_passed_over_by_a_median():
    found = headline(recorded())
    gaps = R.copy()
    gaps[1] = np.nan
    assert found.medians(gaps).tolist() == pytest.approx([0.3, 0.5])  # of .1 and .5
    gaps[:3] = np.nan
    assert found.medians(gaps).tolist() == pytest.approx([0.0, 0.5])
    two = np.stack([gaps, R])
    np.testing.assert_allclose(found.medians(two), [[0, 0.5], [0.3, 0.5]])


def test_a_reliability_below_0_is_no_best_r():
    one = recorded(noise=30.0)
    found = headline(one)
    assert (found.best() >= 0).all()
    assert (found.medians(found.reliability()) < 0).any()


def test_influences_add_up_to_the_change_of_the_headline():
    """r_j / mean(c) - value rel_j / (2 c_s mean(c)), of as many neuroids of each subject."""
    one = recorded(subjects=("a",) * 3 + ("b",) * 3 + ("c",))
    assert headline(one).influences(R).shape == (0, 0)
    assert headline(recorded(subjects=("a",) * 7)).influences(R).shape == (0, 0)
    equal = headline(one).only(np.arange(6))
    r, each, best = R[:6], reliability(one)[:6], equal.best()
    value = equal.value(r)
    expected = [
        (r[rows] - value * each[rows] / (2 * c)) / best.mean()
        for rows, c in zip((slice(0, 3), slice(3, 6)), best, strict=True)
    ]
    np.testing.assert_allclose(equal.influences(r), expected)
    share = replace(equal, of_variance=True)
    value = share.value(r)
    np.testing.assert_allclose(share.influences(r)[1], (r[3:] - value * each[3:]) / share.best().mean())


def test_a_group_left_out_moves_the_middle_half_of_the_neuroids():
    """What a group does to a median is read off the neuroids between the quartiles, here the middle three of five."""
    one = recorded(subjects=("a",) * 7)
    whole = headline(one).only(np.arange(5))
    r = np.array([0.9, 0.5, 0.4, 0.3, 0.0])
    without = np.tile(r, (2, 1))
    without[0] += [5.0, 0.1, 0.2, 0.3, -7.0]  # the outer two do not count
    reliable = np.tile(whole.reliability(), (2, 1))
    found = whole.replicates(r, without, reliable, whole, r)
    best = whole.best()[0]
    assert found.value == whole.value(r) == pytest.approx(0.4 / best)
    np.testing.assert_allclose(found.samples, [(0.4 + 0.2) / best, 0.4 / best])
    assert (found.kind, found.n_samples) == ("jackknife", 2)
    np.testing.assert_allclose(found.subjects, [found.value])
    slope = 1 / (2 * best)
    expected = (
        np.vstack([r, without]) / best - found.value * np.vstack([reliable[:1], reliable]) * slope / best
    )
    np.testing.assert_allclose(found.units, expected)
    # a reliability that falls, too; and one that falls below 0 leaves nothing to compare with
    order = np.argsort(whole.reliability())
    reliable[1, order[1:4]] -= 0.1
    moved = whole.replicates(r, without, reliable, whole, r)
    squared = np.median(whole.reliability()) - 0.1
    assert moved.samples[1] == pytest.approx(0.4 / np.sqrt(squared))
    reliable[1, order[1:4]] -= 2
    assert np.isnan(whole.replicates(r, without, reliable, whole, r).samples).all()


def test_replicates_of_some_neuroids_stand_around_the_headline_of_all():
    one = recorded()
    whole = headline(one)
    few = whole.only(np.array([0, 1, 2, 4, 5, 6]))
    r = R[[0, 1, 2, 4, 5, 6]]
    without, reliable = np.tile(r, (3, 1)), np.tile(few.reliability(), (3, 1))
    found = few.replicates(r, without, reliable, whole, R)
    np.testing.assert_allclose(found.samples, np.full(3, whole.value(R)))
    assert found.value == whole.value(R)
    np.testing.assert_allclose(found.subjects, whole.by_subject(R))
    assert found.units.shape == (0, 0)
    nobody = headline(recorded(subjects=None))
    assert (
        nobody.replicates(
            R, np.tile(R, (3, 1)), np.tile(nobody.reliability(), (3, 1)), nobody, R
        ).subjects.size
        == 0
    )


def test_a_record_says_weights_and_subjects():
    one = recorded()
    found = headline(one)
    said = found.methods(R)
    each = found.medians(R) / found.best()
    assert said == {"score_of_each_subject": [f"a {each[0]:.3f}", f"b {each[1]:.3f}"]}
    uneven = headline(one, weights=np.where(np.arange(N) < 5, 0.5, 1.0))
    assert uneven.methods(R)["weights"] == "stimuli weighted by their repetitions"
    choosing = headline(one, weights=np.where(np.arange(N) < 5, 0.0, 1.0))
    assert "weights" not in choosing.methods(R)
    assert headline(recorded(subjects=("a",) * 7)).methods(R) == {}


def test_the_ceiling_of_subjects_is_the_square_of_their_mean_best_r():
    one = recorded()
    each = reliability(one)
    found = neuroid_ceiling(one, PARTS, WEIGHTS)
    best = np.sqrt([np.median(each[:3]), np.median(each[3:])])
    assert (found.kind, found.value) == ("reliability", pytest.approx(best.mean() ** 2))
    np.testing.assert_allclose(found.per_neuroid, each)
    kept = neuroid_ceiling(one, PARTS, WEIGHTS, np.array([0, 1, 2]))
    assert kept.value == pytest.approx(np.median(each[:3]))
    np.testing.assert_allclose(kept.per_neuroid, each)
    weights = np.where(np.arange(N) % 3 > 0, 1.0, 0.0)
    expected = reliability(one, np.flatnonzero(weights))
    np.testing.assert_allclose(neuroid_ceiling(one, PARTS, weights).per_neuroid, expected)
    published = neuroid_ceiling(recorded(r_max=0.6), PARTS, WEIGHTS)
    assert (published.kind, published.value, published.per_neuroid.tolist()) == ("r_max", 0.6, [0.6] * 7)
    once = replace(one, cube=one.cube[:, :1])
    assert neuroid_ceiling(once, PARTS, WEIGHTS).kind == "none"
    assert np.isnan(neuroid_ceiling(once, PARTS, WEIGHTS).value)
    noisy = recorded(noise=30.0)
    low = neuroid_ceiling(noisy, PARTS, WEIGHTS)
    found = np.mean([np.median(reliability(noisy)[:3]), np.median(reliability(noisy)[3:])])
    assert low.kind == "none"
    assert np.isnan(low.value)
    assert low.note == f"none: too noisy, reliability {found:.2f} of at least 0.1; the raw value stands"


def test_a_subject_of_whom_nothing_is_known_moves_nothing():
    found = headline(recorded())
    gaps = R.copy()
    gaps[:3] = np.nan
    without = np.tile(gaps, (4, 1))
    without[:, 3:] += 0.1
    moved = found._middle(gaps, without)
    np.testing.assert_allclose(moved, np.tile([0.0, 0.1], (4, 1)))
    two = headline(recorded(subjects=("a",) * 2 + ("b",) * 5))
    np.testing.assert_allclose(two._middle(R, R + np.array([[0.2], [-0.1]])), [[0.2, 0.2], [-0.1, -0.1]])
