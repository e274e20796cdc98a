"""Divisions of the stimuli: what each part holds, those of scikit-learn, and what cannot be divided."""

import numpy as np
import pytest
from sklearn.model_selection import GroupKFold, KFold, ShuffleSplit, StratifiedKFold, StratifiedShuffleSplit

from brodmann import UserError
from brodmann.analysis.encoding.cross_validation import Fold, Split, Splitter, nested_folds

ROWS = np.zeros((24, 1))
LABELS = np.repeat(["a", "b", "c"], 8)
GROUPS = np.arange(24) // 3


@pytest.mark.parametrize(
    ("splitter", "labels", "groups", "peer"),
    [
        (Splitter(), None, None, KFold(5, shuffle=True, random_state=1)),
        (Splitter(4, seed=7), None, None, KFold(4, shuffle=True, random_state=7)),
        (Splitter(), LABELS, None, StratifiedKFold(5, shuffle=True, random_state=1)),
        (Splitter(), None, GROUPS, GroupKFold(5, shuffle=True, random_state=1)),
        (Splitter(), LABELS, GROUPS, GroupKFold(5, shuffle=True, random_state=1)),
        (Splitter(3, "shuffles"), None, None, ShuffleSplit(3, train_size=0.9, random_state=1)),
        (
            Splitter(1, "shuffles", train_share=0.5),
            None,
            None,
            ShuffleSplit(1, train_size=0.5, random_state=1),
        ),
        (Splitter(3, "shuffles"), LABELS, None, StratifiedShuffleSplit(3, train_size=0.9, random_state=1)),
    ],
)
def test_divisions_are_scikit_learns_with_sorted_rows(splitter, labels, groups, peer):
    found = splitter.split(24, labels=labels, groups=groups)
    expected = list(peer.split(ROWS, labels, groups))
    assert len(found) == len(expected) == splitter.n_splits
    for one, (train, test) in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one.train, np.sort(train))
        np.testing.assert_array_equal(one.test, np.sort(test))


def test_blocks_are_neighbours_with_a_gap_that_is_fitted_by_nobody():
    found = Splitter(4, "blocks", gap=2).split(22)
    assert [one.test.tolist() for one in found] == [
        [*range(6)], [*range(6, 12)], [*range(12, 17)], [*range(17, 22)],
    ]  # fmt: skip
    assert found[0].train.tolist() == [*range(8, 22)]
    assert found[1].train.tolist() == [*range(4), *range(14, 22)]
    assert found[3].train.tolist() == [*range(15)]
    without = Splitter(2, "blocks").split(4)
    assert [one.train.tolist() for one in without] == [[2, 3], [0, 1]]


def test_a_label_that_cannot_stand_in_every_part_balances_nothing():
    rare = np.array(["a"] * 20 + ["b"] * 4)
    plain = Splitter().split(24)
    for one, other in zip(Splitter().split(24, labels=rare), plain, strict=True):
        np.testing.assert_array_equal(one.test, other.test)
    balanced = Splitter(4).split(24, labels=rare)
    assert [np.isin(one.test, np.arange(20, 24)).sum() for one in balanced] == [1, 1, 1, 1]
    single = np.array(["a"] * 23 + ["b"])
    shuffled = Splitter(2, "shuffles").split(24, labels=single)
    for one, other in zip(shuffled, Splitter(2, "shuffles").split(24), strict=True):
        np.testing.assert_array_equal(one.test, other.test)
    pair = np.array(["a"] * 22 + ["b"] * 2)
    peer = StratifiedShuffleSplit(2, train_size=0.9, random_state=1).split(ROWS, pair)
    for one, (_, test) in zip(Splitter(2, "shuffles").split(24, labels=pair), peer, strict=True):
        np.testing.assert_array_equal(one.test, np.sort(test))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Splitter(1), "the number of folds must be a whole number from 2, not 1"),
        (lambda: Splitter(0, "shuffles"), "the number of shuffles must be a whole number from 1, not 0"),
        (lambda: Splitter(2.5), "a whole number from 2, not 2.5"),
        (lambda: Splitter(0, "blocks"), "the number of blocks must be a whole number from 1, not 0"),
        (
            lambda: Splitter(5).split(9),
            "9 stimuli are too few for 5 folds of at least 2: record more, or use at most 4",
        ),
        (lambda: Splitter(5).split(1), "use at most 1 folds"),
        (lambda: Splitter(3, "blocks").split(5), "5 stimuli are too few for 3 folds"),
        (
            lambda: Splitter(3, "shuffles").split(9),
            "9 stimuli are too few to hold out a tenth of them: at least 10",
        ),
        (
            lambda: Splitter(9).split(24, groups=GROUPS),
            "8 groups are too few for 9 folds that keep them whole",
        ),
    ],
)
def test_mistakes(call, message):
    with pytest.raises(UserError, match=message):
        call()


def test_the_least_that_can_be_divided():
    assert len(Splitter(5).split(10)) == 5
    assert len(Splitter(3, "shuffles").split(10)) == 3
    assert len(Splitter(8).split(24, groups=GROUPS)) == 8
    assert len(Splitter(np.int64(2)).split(4)) == 2
    assert len(Splitter(1, "shuffles").split(10)) == 1
    assert len(Splitter(6, "shuffles").split(10)) == 6


def test_nested_folds_divide_the_training_rows_alone_by_what_both_keep():
    folds = nested_folds(24, labels=LABELS)
    assert len(folds) == 5
    for fold, outer in zip(folds, Splitter().split(24, labels=LABELS), strict=True):
        np.testing.assert_array_equal(fold.split.test, outer.test)
    for fold in folds:
        inner = Splitter(seed=2).split(len(fold.split.train), labels=LABELS[fold.split.train])
        for one, other, rows in zip(fold.inner, inner, fold.parts(), strict=True):
            np.testing.assert_array_equal(one.test, other.test)
            np.testing.assert_array_equal(rows.test, fold.split.train[other.test])
            np.testing.assert_array_equal(rows.train, fold.split.train[other.train])
    grouped = nested_folds(24, outer=Splitter(4), inner=Splitter(3, seed=5), groups=GROUPS)
    assert (len(grouped), len(grouped[0].inner)) == (4, 3)
    for fold in grouped:
        assert not set(GROUPS[fold.split.train]) & set(GROUPS[fold.split.test])
        for part in fold.parts():
            assert not set(GROUPS[part.train]) & set(GROUPS[part.test])


def test_a_fold_of_rows_that_stand_elsewhere():
    fold = Fold(Split(np.array([0, 2, 3, 5]), np.array([1, 4])), [Split(np.array([0, 1]), np.array([2, 3]))])
    rows = np.array([5, 4, 3, 2, 1, 0])
    moved = fold.reordered(rows)
    assert (moved.split.train.tolist(), moved.split.test.tolist()) == ([0, 2, 3, 5], [1, 4])
    (part,) = moved.parts()
    assert (part.train.tolist(), part.test.tolist()) == ([3, 5], [0, 2])  # of 0 and 2, and of 3 and 5
