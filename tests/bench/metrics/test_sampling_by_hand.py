"""Divisions, blocks and orders of a few samples by hand, and what a recording says of its stimuli."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from brodmann import UserError
from brodmann.analysis.statistics.dependence import group_orders, rotations
from brodmann.analysis.statistics.resampling import permutations
from brodmann.bench.metrics.recording import Recording, few_neuroids
from brodmann.bench.metrics.sampling import Sampling, sampling
from brodmann.brain_data.near_duplicates import Alike


def recorded(n=60, seed=0, position=None, repetitions=2, **columns):
    cube = np.random.default_rng(seed).normal(size=(n, repetitions, 4))
    table = {name: np.array(list(values), object) for name, values in columns.items()}
    neuroids = pd.DataFrame({"neuroid_id": np.arange(4)})
    place = np.arange(n) if position is None else position
    return Recording("made.IT", np.arange(n).astype(object), cube, None, neuroids, table, position=place)


def independent(n, **more):
    return Sampling("independent", None, np.arange(n), **more)


def grouped(groups, **more):
    return Sampling("groups", np.asarray(groups), np.arange(len(groups)), "story", **more)


def test_samples_alone_are_groups_of_one():
    one = independent(30)
    assert one.n_groups == 30
    assert sorted(one.jackknife_groups) == list(range(30))
    orders, what, smallest = one.orders(19, 3)
    np.testing.assert_array_equal(orders, permutations(30, 19, random_state=3))
    assert (what, smallest) == ("stimulus labels permuted", 1 / 20)
    assert [part.tolist() for part in one.sequences] == [list(range(30))]
    assert one.n_used == 30
    np.testing.assert_array_equal(np.sort(np.concatenate(one.tests)), np.arange(30))
    assert len(one.folds) == 5
    assert one.describe() == {"folds": 5, "inner_folds": 5, "samples": "independent"}


def test_many_samples_are_left_out_in_forty_blocks_of_one_size():
    blocks = independent(100).jackknife_groups
    sizes = np.bincount(blocks)
    assert len(sizes) == 40
    assert set(sizes) == {2, 3}
    assert (np.diff(blocks) != 0).any()
    assert (independent(60).jackknife_groups < 40).all()
    np.testing.assert_array_equal(blocks, independent(100).jackknife_groups)


def test_groups_are_left_out_as_they_are_up_to_sixty_of_them():
    groups = np.arange(120) // 2
    np.testing.assert_array_equal(grouped(groups).jackknife_groups, groups)
    more = np.arange(122) // 2
    blocks = grouped(more).jackknife_groups
    assert set(blocks) == set(range(40))
    assert all(len(set(blocks[more == one])) == 1 for one in range(61))
    assert grouped(more).n_groups == 61


def test_orders_of_groups_and_of_a_series_are_those_of_their_kind():
    groups = np.arange(40) // 4
    one = grouped(groups, said="found")
    orders, what, smallest = one.orders(9, 5)
    expected, words, _ = group_orders(groups, np.arange(40), 9, random_state=5)
    np.testing.assert_array_equal(orders, expected)
    assert (what, smallest) == (words, 1 / 10)
    assert one.describe_groups() == {
        "samples": "groups",
        "group": "story",
        "n_groups": 10,
        "dependence": "found",
    }
    series = Sampling("serial", groups, np.arange(40)[::-1], "time", n_splits=5)
    turned, said, least = series.orders(1000, 7)
    expected, words, count = rotations(np.arange(40)[::-1], 1000, random_state=7)
    np.testing.assert_array_equal(turned, expected)
    assert (said, least) == (words, 1 / (1 + count))


def test_a_series_is_divided_into_neighbours_with_a_gap():
    position = np.random.default_rng(0).permutation(120)
    series = Sampling("serial", None, position, "time", n_splits=4, inner_splits=3)
    for fold in series.folds:
        test, train = np.sort(position[fold.split.test]), np.sort(position[fold.split.train])
        assert (np.diff(test) == 1).all()
        assert len(test) == 30
        assert np.abs(train[:, None] - test).min() == 4  # 3 of 120 on both sides are fitted by nobody
        for part in fold.parts():
            assert set(part.train) | set(part.test) <= set(fold.split.train)
    assert len(series.folds[0].inner) == 3
    longer = Sampling("serial", None, np.arange(400), n_splits=4)
    split = longer.folds[1].split
    assert np.abs(split.train[:, None] - split.test).min() == 6


def test_named_sets_have_blocks_and_orders_of_their_own():
    test = np.arange(20, 32)
    one = independent(50, held_out=(("set=b", test),))
    blocks = one.jackknife_groups
    assert sorted(blocks[test]) == list(range(12))
    assert np.bincount(blocks[np.setdiff1d(np.arange(50), test)]).tolist() == [4] * 2 + [3] * 10 or set(
        np.bincount(blocks[np.setdiff1d(np.arange(50), test)])
    ) == {3, 4}
    orders, what, smallest = one.orders(9, 0)
    assert what == "stimulus labels permuted, within training and test"
    assert smallest == 1 / 10
    assert all(sorted(order[test]) == test.tolist() for order in orders)
    assert one.n_used == 50
    told = one.describe()
    assert (told["train"], told["test"]) == ("all others: 38 stimuli", ["set=b: 12 stimuli"])
    trained = replace(one, training=("set=a", np.arange(20)))
    assert trained.n_used == 32
    assert (trained.jackknife_groups[32:] == -1).all()
    assert trained.describe()["train"] == "set=a: 20 stimuli"
    two = replace(one, held_out=(("set=b", test), ("set=c", np.arange(40, 44))))
    assert two.describe()["train"] == "all others: 38 to 46 stimuli"


def test_the_smallest_p_of_named_groups_is_of_the_orders_in_both_parts():
    """Two groups of four that turn within the test set and one that turns in training: 3 x 3 x 3 orders."""
    groups = np.repeat([0, 1, 2], 4)
    one = grouped(groups, held_out=(("set=b", np.arange(8)),))
    _, what, smallest = one.orders(1000, 0)
    assert what.endswith("within training and test")
    assert smallest == 1 / (1 + 27)


def test_what_was_shown_in_one_go_is_one_sequence_each():
    groups = np.array([0, 0, 1, 1, 1, 2])
    assert [part.tolist() for part in grouped(groups).sequences] == [[0, 1], [2, 3, 4], [5]]
    mixed = grouped([0, 1, 0, 1, 2, 2])
    assert [part.tolist() for part in mixed.sequences] == [[0, 1, 2, 3, 4, 5]]
    back = replace(grouped(groups), position=np.array([5, 4, 3, 2, 1, 0]))
    assert [part.tolist() for part in back.sequences] == [[5], [4, 3, 2], [1, 0]]
    assert len(replace(grouped(groups), column="near-duplicates").sequences) == 1
    assert len(replace(grouped(groups), kind="serial").sequences) == 1


def test_too_few_stimuli_for_inner_folds_name_what_would_do():
    with pytest.raises(
        UserError, match=r"12 stimuli are too few for 5 folds of which each fits 9 .* inner_folds = 4"
    ):
        _ = independent(12).folds
    assert len(independent(13).folds) == 5
    with pytest.raises(UserError, match="9 stimuli are too few for 5 folds of at least 2"):
        _ = independent(9).folds


@pytest.mark.parametrize("column", ["story", "passage", "scene", "run", "session"])
def test_the_first_column_that_says_what_depends_is_taken(column):
    values = [f"v{i // 6}" for i in range(60)]
    found = sampling(recorded(**{column: values, "time": range(60), "colour": values}))
    assert (found.kind, found.column, found.n_groups) == ("groups", column, 10)
    assert found.said == f"folds keep {column} together (found the column {column!r})"
    assert found.n_splits == 5
    asked = sampling(recorded(**{column: values, "colour": [f"c{i % 4}" for i in range(60)]}), group="colour")
    assert (asked.column, asked.n_groups, asked.n_splits, asked.inner_splits, asked.said) == (
        "colour",
        4,
        4,
        3,
        "",
    )


def test_a_column_of_one_value_or_of_a_value_a_stimulus_says_nothing():
    for values in (["a"] * 60, [f"v{i}" for i in range(60)]):
        assert sampling(recorded(story=values)).kind == "independent"


def test_blocks_that_a_data_set_declares():
    values = [f"v{i // 6}" for i in range(60)]
    one = recorded(story=values, part=[f"p{i // 10}" for i in range(60)])
    declared = sampling(replace(one, blocks="part"))
    assert (declared.column, declared.said) == ("part", "folds keep part together (as the data set declares)")
    assert sampling(replace(one, blocks="none")).kind == "independent"


def test_time_makes_a_series_of_at_most_ten_folds_of_four():
    for n, n_splits in ((60, 10), (36, 9), (12, 3), (8, 2)):
        found = sampling(recorded(n, time=np.arange(n)[::-1] * 0.5))
        assert (found.kind, found.column, found.n_splits) == ("serial", "time", n_splits)
        np.testing.assert_array_equal(found.position, np.arange(n)[::-1])
        assert found.n_groups == min(2 * n_splits, n // 2)
        assert (np.diff(found.groups) <= 0).all()
    assert found.said == "folds are blocks of neighbours in time"


def test_neighbours_that_are_alike_make_a_series_and_labels_explain_them():
    n = 80
    drift = np.cumsum(np.random.default_rng(1).normal(size=(n, 1, 4)), axis=0)
    one = recorded(n)
    walked = replace(one, cube=one.cube + 3 * drift)
    found = sampling(walked)
    assert (found.kind, found.column) == ("serial", "order")
    assert "rows depend on their neighbours (mean autocorrelation 0." in found.said
    kinds = np.array([f"k{i // 10}" for i in range(n)], object)
    steps = replace(one, cube=one.cube + 5 * (np.arange(n) // 10 % 2)[:, None, None])
    assert sampling(steps).kind == "serial"
    assert sampling(replace(steps, columns={"category": kinds})).kind == "independent"
    assert sampling(replace(steps, columns={"shape": kinds}), stratify="shape").kind == "independent"
    scrambled = np.random.default_rng(2).permutation(n)
    moved = replace(walked, cube=walked.cube[scrambled], position=np.arange(n)[scrambled])
    assert sampling(moved).kind == "serial"


def test_stimuli_that_are_the_same_are_one_group():
    one = recorded(20)
    vars(one)["alike"] = Alike(np.r_[0, 0, 1:19], np.r_[0, 0, 1, 1, 2:18])
    found = sampling(one)
    assert (found.kind, found.column, found.n_groups) == ("groups", "near-duplicates", 18)
    assert found.said == (
        "2 stimuli are the same as others under another id and 2 stimuli are near-duplicates of others: folds keep "
        "them together"
    )
    stories = recorded(20, story=[f"s{i % 5}" for i in range(20)])
    vars(stories)["alike"] = Alike(np.r_[0, 0, 1:19], np.r_[0, 0, 1:19])
    parted = sampling(stories)
    assert parted.n_groups == 5
    assert parted.said.endswith(
        "2 stimuli are the same as others under another id, and folds by story may part them: scores may come from "
        "that alone"
    )
    many = recorded(20, story=[f"s{i % 10}" for i in range(20)])
    vars(many)["alike"] = Alike(np.r_[0, 0, 1:19], np.r_[0, 0, 1:19])
    joined = sampling(many)
    assert joined.n_groups == 9
    assert joined.groups[0] == joined.groups[1] == joined.groups[10]


def test_distinct_stimuli_hold_the_presentations_of_all_that_are_the_same():
    one = recorded(5, repetitions=2, story=list("aabbc"))
    one.cube[1, 1] = np.nan
    vars(one)["alike"] = Alike(np.array([0, 0, 1, 2, 3]), np.array([0, 0, 1, 1, 2]))
    found = one.distinct
    assert found.stimulus_ids.tolist() == [0, 2, 3, 4]
    assert found.cube.shape == (4, 3, 4)
    np.testing.assert_array_equal(found.cube[0], np.vstack([one.cube[0], one.cube[1, :1]]))
    np.testing.assert_array_equal(found.cube[1, :2], one.cube[2])
    assert np.isnan(found.cube[1:, 2]).all()
    assert found.counts.tolist() == [3, 2, 2, 2]
    assert found.position.tolist() == [0, 1, 2, 3]
    assert found.columns["story"].tolist() == list("abbc")
    assert found.alike.same is None
    assert found.alike.near.tolist() == [0, 1, 1, 2]
    assert one.kept.tolist() == [0, 2, 3, 4]
    plain = recorded(5)
    vars(plain)["alike"] = Alike()
    assert plain.distinct is plain
    assert plain.kept.tolist() == [0, 1, 2, 3, 4]


def test_rdms_of_the_same_stimuli_are_averaged():
    rdm = np.array([[0, 1, 2, 4], [1, 0, 6, 8], [2, 6, 0, 3], [4, 8, 3, 0.0]])
    one = Recording("made.IT", np.arange(4).astype(object), None, rdm[None], pd.DataFrame(), {})
    vars(one)["alike"] = Alike(np.array([0, 0, 1, 2]), np.array([0, 0, 1, 2]))
    np.testing.assert_allclose(one.distinct.rdms[0], [[0, 4, 6], [4, 0, 3], [6, 3, 0]])
    assert one.distinct.alike.near is None
    with pytest.raises(UserError, match="made.IT was published as RDMs only: it can be compared with rsa"):
        _ = one.responses


def test_what_a_recording_says_of_its_noise_and_subjects():
    one = recorded(30, repetitions=1)
    assert np.isnan(one.noise).all()
    ratio = np.array([0.5, 1.0, 2.0, 1.0])
    published = replace(one, neuroids=pd.DataFrame({"ncsnr": ratio, "subject": [7, 3, 7, 7]}))
    np.testing.assert_allclose(published.noise, one.mean.var(axis=0, ddof=1) / (ratio**2 + 1))
    assert [member.tolist() for member in published.members] == [[0, 2, 3], [1]]
    assert [member.tolist() for member in one.members] == [[0, 1, 2, 3]]
    gaps = recorded(3, repetitions=4)
    gaps.cube[0, 2:], gaps.cube[1, 3, 0] = np.nan, np.nan
    assert gaps.counts.tolist() == [2, 4, 4]
    np.testing.assert_allclose(gaps.mean[0], gaps.cube[0, :2].mean(axis=0))
    assert gaps.n_stimuli == 3
    assert gaps.column(None) is None
    with pytest.raises(UserError, match="unknown stimulus column of made.IT 'story'"):
        gaps.column("story")
    few_neuroids("made", 3)
    with pytest.raises(UserError, match=r"made: .* at least 3 neuroids .*, not 2: predict them instead"):
        few_neuroids("made", 2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"folds": 1}, r'the number of folds must be a whole number from 2, not 1 \(or "shuffled"'),
        ({"folds": True}, "must be a whole number from 2, not True"),
        ({"folds": "many"}, "not 'many'"),
        ({"inner_folds": 1}, "the number of inner folds must be a whole number from 2, not 1$"),
        (
            {"folds": "leave-story-out", "group": "story"},
            "already keep story together: leave out group = 'story'",
        ),
        ({"train": "set=a"}, r'train = .set=a. needs a test = "COLUMN=VALUE" beside it'),
        ({"test": "set=a", "folds": 3}, "says what is held out: leave out folds = 3"),
        ({"test": "set"}, r"'set' names no stimuli: write \"COLUMN=VALUE\""),
        ({"test": "=a"}, "'=a' names no stimuli"),
        ({"test": "set=x"}, "unknown value of 'set' 'x'"),
        ({"group": "set"}, "2 values of 'set' are too few to hold one out"),
    ],
)
def test_options_that_make_no_folds(options, message):
    with pytest.raises(UserError, match=message):
        sampling(recorded(story=[f"s{i % 6}" for i in range(60)], set=[*("a" * 30), *("b" * 30)]), **options)


def test_leave_out_and_shuffled_folds_say_so():
    one = recorded(story=[f"s{i % 6}" for i in range(60)])
    left = sampling(one, folds="leave-story-out")
    assert (left.n_splits, left.inner_splits, left.column) == (6, 5, "story")
    for fold in left.folds:
        assert len({i % 6 for i in fold.split.test}) == 1
    shuffled = sampling(one, folds="shuffled")
    assert (shuffled.kind, shuffled.n_splits) == ("independent", 5)
    assert shuffled.said == (
        "shuffled folds part what depends on each other (story): scores and p may come from that alone"
    )
    assert sampling(recorded(), folds="shuffled").said == "shuffled folds: nothing was found that they part"
    assert sampling(one, folds="3").n_splits == 3
    assert math.isclose(sampling(one, inner_folds=4).inner_splits, 4)


def test_stimuli_without_a_group_are_counted_whoever_named_the_column():
    values = [None if i < 7 else f"s{i % 5}" for i in range(60)]
    found = sampling(recorded(story=values), group="story")
    assert found.said == "folds keep story together; 7 stimuli without one are a group, too"
    assert found.n_groups == 6
    asked = sampling(recorded(story=values))
    assert asked.said.startswith("folds keep story together (found the column 'story'); 7 stimuli")
