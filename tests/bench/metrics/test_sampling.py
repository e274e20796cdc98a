"""Which stimuli are fitted and which are held out: what depends on each other, or what was named."""

import numpy as np
import pandas as pd
import pytest

from brodmann import UserError
from brodmann.bench import make_benchmark
from brodmann.bench.metrics.base import ScoringOptions
from brodmann.bench.metrics.recording import Recording
from brodmann.bench.metrics.registries import METRICS
from brodmann.bench.metrics.sampling import sampling
from brodmann.brain_data import Dataset

NONE = ScoringOptions(n_bootstraps=0, n_permutations=0)


def holding(cube, position, **columns):
    ids = np.arange(len(cube)).astype(object)
    neuroids = pd.DataFrame({"neuroid_id": np.arange(cube.shape[2])})
    table = {name: np.array(list(values), object) for name, values in columns.items()}
    return Recording("made.IT", ids, cube, None, neuroids, table, position=position)


def recorded(n=60, seed=0, **columns):
    return holding(np.random.default_rng(seed).normal(size=(n, 2, 4)), np.arange(n), **columns)


def parts(how):
    """The folds as sets of training and test stimuli."""
    return [(set(one.split.train.tolist()), set(one.split.test.tolist())) for one in how.folds]


SETS = np.repeat(["a", "b", "c"], [30, 20, 10])


def test_named_test_stimuli_are_held_out_and_all_others_fitted():
    how = sampling(recorded(dataset=SETS), test="dataset=b")
    assert parts(how) == [({*range(30), *range(50, 60)}, {*range(30, 50)})]
    (fold,) = how.folds
    for inner in fold.parts():
        assert set(inner.train.tolist()) | set(inner.test.tolist()) <= parts(how)[0][0]
        assert not set(inner.train.tolist()) & set(inner.test.tolist())
    assert how.describe()["train"] == "all others: 40 stimuli"
    assert how.describe()["test"] == ["dataset=b: 20 stimuli"]


def test_named_training_stimuli_alone_are_fitted():
    how = sampling(recorded(dataset=SETS), train="dataset=a", test="dataset=b")
    assert parts(how) == [({*range(30)}, {*range(30, 50)})]
    assert how.n_used == 50
    assert (how.jackknife_groups[50:] == -1).all()


def test_several_test_sets_are_a_fold_each():
    how = sampling(recorded(dataset=SETS), test=["dataset=b", "dataset=c"])
    a, b, c = ({*np.flatnonzero(name == SETS).tolist()} for name in "abc")
    assert parts(how) == [(a | c, b), (a | b, c)]
    named = sampling(recorded(dataset=SETS), train="dataset=a", test=["dataset=b", "dataset=c"])
    assert parts(named) == [(a, b), (a, c)]
    both_ways = sampling(recorded(dataset=SETS), test=["dataset=a", "dataset=b"], train=None)
    assert parts(both_ways) == [(b | c, a), (a | c, b)]


def test_what_depends_on_a_test_stimulus_is_not_fitted():
    story = [f"s{i // 4:02d}" for i in range(60)]  # one of them lies across the border of the sets
    how = sampling(recorded(dataset=SETS, story=story), test="dataset=b")
    (train, test), groups = parts(how)[0], np.array(story)
    assert test == {*range(30, 50)}
    assert not set(groups[sorted(train)]) & set(groups[sorted(test)])
    assert len(train) == 60 - 20 - 2 - 2
    blocks = how.jackknife_groups
    for name in set(story):
        assert len(set(blocks[groups == name])) == 1


def test_blocks_of_the_jackknife_hold_test_and_training_stimuli():
    how = sampling(recorded(dataset=SETS), test="dataset=b")
    blocks = how.jackknife_groups
    assert len(set(blocks)) == 20
    assert sorted(blocks[30:50]) == [*range(20)]
    fitted = np.bincount(np.delete(blocks, np.s_[30:50]), minlength=20)
    assert (fitted == 2).all()


def test_permuted_stimuli_stay_in_training_or_test():
    how = sampling(recorded(dataset=SETS), test="dataset=b")
    orders, what, smallest = how.orders(50, 0)
    assert (np.sort(orders, axis=1) == np.arange(60)).all()
    assert (SETS[orders] == "b").sum() == 50 * 20
    assert ((SETS[orders] == "b") == (SETS == "b")).all()
    assert (orders != np.arange(60)).any(axis=0).all()
    assert "within training and test" in what
    assert smallest == pytest.approx(1 / 51)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"test": "dataset=d"}, "'d'"),
        ({"test": "nothing=a"}, "nothing"),
        ({"test": "dataset"}, "COLUMN=VALUE"),
        ({"test": ""}, "COLUMN=VALUE"),
        ({"train": "dataset=a"}, "needs a test"),
        ({"train": "dataset=a", "test": "dataset=a"}, "are among those"),
        ({"test": "dataset=b", "folds": 3}, "leave out folds"),
        ({"test": "dataset=b", "folds": "shuffled"}, "leave out folds"),
        ({"test": "dataset=b", "folds": "leave-dataset-out"}, "leave out folds"),
        ({"train": "one=yes", "test": "dataset=c"}, "few"),
        ({"test": "one=yes"}, "one stimulus"),
    ],
)
def test_sets_that_make_no_test_are_refused(options, said):
    one = ["yes", *["no"] * 59]
    with pytest.raises(UserError, match=said):
        _ = sampling(recorded(dataset=SETS, one=one), **options).folds


@pytest.mark.parametrize("name", ["rsa", "pls", "cka", "language_ridge", "ridgecv"])
@pytest.mark.parametrize("option", ["train", "test"])
def test_metrics_that_cannot_are_refusing(name, option):
    with pytest.raises(UserError, match=option):
        METRICS[name].make(recorded(dataset=SETS, story=SETS), {option: "dataset=a"})


@pytest.mark.parametrize("name", ["ridge", "linear", "decoding"])
def test_a_rule_that_holds_in_one_set_alone_is_found_to_fail_in_the_other(name):
    draw = np.random.default_rng(0)
    x, weights = draw.normal(size=(120, 5)), draw.normal(size=(5, 8))
    y = np.concatenate([x[:80] @ weights, -x[80:] @ weights])
    cube = y[:, None] + 0.3 * draw.normal(size=(120, 3, 8))
    split = np.array(["train"] * 60 + ["test"] * 20 + ["elsewhere"] * 40, object)
    one = holding(cube, draw.permutation(120), split=split)
    options = ScoringOptions(n_bootstraps=1, n_permutations=99)
    scores = {}
    for test in ("test", "elsewhere"):
        metric = METRICS[name].make(one, {"train": "split=train", "test": f"split={test}"})
        scores[test] = metric.evaluate({"x": x}, one, metric.ceiling(one), options)
    assert scores["test"].value > 0.9
    assert scores["test"].p == pytest.approx(0.01)
    assert scores["elsewhere"].value < -0.9
    assert scores["elsewhere"].p > 0.9
    assert scores["test"].n_stimuli == 20
    assert scores["test"].left_out["stimuli neither fitted nor held out"] == 40
    low, high = scores["test"].ci
    assert low < scores["test"].value < high


def test_intervals_of_named_test_stimuli_hold_the_mean_score():
    scores, ends = [], []
    for seed in range(40):
        draw = np.random.default_rng(seed)
        x = draw.normal(size=(110, 8))
        hidden = draw.normal(size=(110, 6))
        y = x @ np.random.default_rng(99).normal(size=(8, 20)) + hidden @ draw.normal(size=(6, 20))
        cube = y[:, None] + 2 * draw.normal(size=(110, 4, 20))
        one = holding(cube, np.arange(110), split=np.repeat(["train", "test"], [70, 40]))
        metric = METRICS["ridge"].make(one, {"test": "split=test"})
        found = metric.evaluate(
            {"x": x}, one, metric.ceiling(one), ScoringOptions(n_bootstraps=1, n_permutations=0)
        )
        scores.append(found.value)
        ends.append(found.ci)
    low, high = np.transpose(ends)
    covers = np.mean((low <= np.mean(scores)) & (np.mean(scores) <= high))
    assert covers >= 0.9 - 3 * np.sqrt(0.9 * 0.1 / 40)
    assert np.mean(high - low) / 2 / np.std(scores) < 4


@pytest.mark.parametrize("column", ["category", "dataset"])
def test_leave_a_column_out_holds_every_value_out_once(column):
    values = np.tile(["x", "y", "z", "w"], 15)
    how = sampling(recorded(**{column: values}), folds=f"leave-{column}-out")
    assert how.n_splits == 4
    held = [set(values[sorted(test)]) for _, test in parts(how)]
    assert sorted(map(tuple, held)) == [("w",), ("x",), ("y",), ("z",)]
    for train, test in parts(how):
        assert not set(values[sorted(train)]) & set(values[sorted(test)])
    for fold in how.folds:
        for inner in fold.parts():
            assert not set(values[inner.train]) & set(values[inner.test])


def test_a_code_of_the_category_is_nothing_beyond_it():
    """Random responses to 12 categories: shuffled folds score, categories that are left out do not."""
    draw = np.random.default_rng(1)
    category = np.repeat([f"c{i:02d}" for i in range(12)], 10)
    code, features = (draw.normal(size=(12, k)).repeat(10, axis=0) for k in (8, 20))
    cube = code[:, None] + 0.3 * draw.normal(size=(120, 4, 8))
    one = holding(cube, draw.permutation(120), category=category)
    values = {}
    for folds in ("shuffled", "leave-category-out"):
        metric = METRICS["ridge"].make(one, {"folds": folds})
        values[folds] = metric.evaluate({"x": features}, one, metric.ceiling(one), NONE).value
    assert values["shuffled"] > 0.9
    assert abs(values["leave-category-out"]) < 0.3


def test_what_is_kept_together_cannot_be_balanced():
    story = [f"s{i // 6}" for i in range(60)]
    one = recorded(story=story, kind=np.tile(["a", "b"], 30))
    with pytest.raises(UserError, match="both sides"):
        sampling(one, group="story", stratify="story")
    with pytest.raises(UserError, match="leave out one"):
        sampling(one, group="story", stratify="kind")
    found = sampling(one, stratify="kind")
    assert found.column == "story"
    assert "not balanced by kind" in found.describe()["dependence"]
    with pytest.raises(UserError, match="'story' is what folds keep together, so it cannot be stratified"):
        sampling(one, stratify="story")


def test_labels_that_cannot_stand_in_every_fold_are_refused():
    one = recorded(kind=["rare", *["a"] * 59])
    with pytest.raises(UserError, match="cannot be balanced by 'kind'"):
        sampling(one, stratify="kind")


def test_shuffled_folds_say_what_they_part():
    said = sampling(recorded(story=[f"s{i // 6}" for i in range(60)]), folds="shuffled").describe()
    assert "story" in said["dependence"]
    assert "nothing was found" in sampling(recorded(), folds="shuffled").describe()["dependence"]


def test_a_benchmark_names_its_test_stimuli():
    draw = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "stimulus_id": [f"s{i:02d}" for i in range(60)],
            "sentence": [f"{i} words" for i in draw.permutation(60)],
            "split": SETS,
        }
    )
    data = Dataset.from_arrays("mine", draw.normal(size=(60, 2, 3)), table)
    made = make_benchmark(data, metric="ridge", test="split=c")
    assert made.card.options == {"test": "split=c"}
    assert [len(one) for one in made.metric.sampling.tests] == [10]


def test_shuffled_folds_need_no_three_groups_that_they_part():
    two = np.repeat(["a", "b"], 30)
    with pytest.raises(UserError, match="at least 3 are needed; --folds shuffled"):
        sampling(recorded(story=two))
    how = sampling(recorded(story=two), folds="shuffled")
    assert how.kind == "independent"
    assert "part what depends on each other (story)" in how.said


@pytest.mark.parametrize(
    "time",
    [
        [f"{i // 20:02d}:{i % 20:02d}" for i in range(60)],
        [f"00:{i:02d}:00" for i in range(60)],
        list(pd.date_range("2020-01-01", periods=60, freq="s")),
        list(pd.to_timedelta(np.arange(60), unit="s")),
        [str(i) for i in range(60)],
    ],
)
def test_times_may_be_of_a_clock(time):
    backwards = sampling(recorded(time=time[::-1]))
    assert (backwards.kind, backwards.column) == ("serial", "time")
    assert backwards.position.tolist() == list(range(60))[::-1]


def test_times_that_tie_keep_the_order_recorded_and_one_time_says_nothing():
    shown = np.random.default_rng(3).permutation(60)
    noise = np.random.default_rng(0).normal(size=(60, 2, 4))
    tied = sampling(holding(noise, shown, time=shown // 20))
    assert tied.position.tolist() == shown.tolist()
    for time in (["t0"] * 60, [1.0] * 60, [np.nan] * 60, [f"a:{i}" for i in range(60)]):
        assert sampling(recorded(time=time)).kind == "independent"


def test_a_time_that_is_missing_is_no_reason_to_forget_the_others():
    for time in ([np.nan, *range(59)], [None, *(f"00:{i:02d}" for i in range(59))]):
        with pytest.raises(UserError, match="1 of 60 stimuli have no 'time': fill it in"):
            sampling(recorded(time=time))


def test_stimuli_without_a_group_are_said():
    story = [*[np.nan] * 7, *np.repeat(["a", "b", "c", "d"], [13, 13, 13, 14])]
    assert "; 7 stimuli without one are a group, too" in sampling(recorded(story=story)).said
    assert "7 stimuli without one" in sampling(recorded(part=story), group="part").said


def test_labels_may_be_missing():
    how = sampling(recorded(category=[*[np.nan] * 6, *["a", "b"] * 27]), stratify="category")
    assert [len(one.split.test) for one in how.folds] == [12] * 5


def test_a_group_of_one_stimulus_that_would_be_fitted_alone_is_refused():
    how = sampling(recorded(category=np.repeat(["a", "b", "c"], [29, 30, 1])), folds="leave-category-out")
    with pytest.raises(UserError, match="category: values of one stimulus leave a single one"):
        _ = how.folds


def test_too_few_stimuli_for_inner_folds_name_the_option():
    with pytest.raises(UserError, match="12 stimuli are too few .* set inner_folds = 4"):
        _ = sampling(recorded(12)).folds
    assert len(sampling(recorded(12), inner_folds=4).folds) == 5


def test_test_sets_that_overlap_or_leave_nothing_are_refused():
    for test in (["dataset=a", "dataset=a"], ["dataset=a", "half=1"]):
        with pytest.raises(UserError, match="a stimulus is in two of the test sets 'dataset=a'"):
            sampling(recorded(dataset=SETS, half=["1", "2"] * 30), test=test)
    with pytest.raises(UserError, match="'set=x' leaves 0 stimuli to fit"):
        sampling(recorded(set=["x"] * 60), test="set=x")


@pytest.mark.parametrize("given", ["x", -1, 1, 2, float("nan"), None])
def test_a_least_reliability_that_is_none_is_refused(given):
    with pytest.raises(UserError, match="least_reliability must be a number from 0 on and below 1"):
        METRICS["ridge"].make(recorded(), {"least_reliability": given})


def test_a_least_reliability_of_single_presentations_is_refused():
    once = holding(np.random.default_rng(0).normal(size=(60, 1, 4)), np.arange(60))
    with pytest.raises(
        UserError, match="every stimulus was shown once, so least_reliability = 0.3 has nothing"
    ):
        METRICS["ridge"].make(once, {"least_reliability": 0.3})


def test_stimuli_that_only_choose_neuroids_are_no_unequal_repetitions():
    draw = np.random.default_rng(0)
    features = draw.normal(size=(60, 3))
    cube = (features @ draw.normal(size=(3, 4)))[:, None] + 0.3 * draw.normal(size=(60, 3, 4))
    texts = [" ".join("".join(draw.choice(list("abcdefgh"), 6)) for _ in range(4)) for _ in range(60)]
    made = make_benchmark(Dataset.from_arrays("made", cube, texts), least_reliability=0.3)
    found = made.metric.evaluate({"layer": features}, made.recording, made.noise_ceiling, NONE)
    assert "weights" not in found.methods


@pytest.mark.parametrize(
    ("metric", "n_units"),
    [
        ("ridge", 5),
        ("ridge", 80),
        *((name, 5) for name in ("decoding", "rsa", "rsa_whitened", "pls", "ridgecv")),
    ]
    + [(name, 5) for name in ("cka", "rdm", "neuron_to_neuron", "language_linear")],
)
def test_features_that_are_not_finite_are_refused(metric, n_units):
    one = recorded()
    features = np.random.default_rng(1).normal(size=(60, n_units))
    features[3, 2] = np.nan
    made = METRICS[metric].make(one, {})
    with pytest.raises(UserError, match="NaN or infinite"):
        made.evaluate({"layer": features}, one, made.ceiling(one), NONE)


@pytest.mark.parametrize("metric", ["rsa", "pls"])
def test_bootstraps_of_groups_say_that_they_draw_groups(metric):
    one = recorded(story=np.repeat(["a", "b", "c", "d", "e"], 12))
    made = METRICS[metric].make(one, {})
    features = np.random.default_rng(1).normal(size=(60, 5))
    found = made.evaluate({"layer": features}, one, made.ceiling(one), ScoringOptions(0, 20, 0))
    assert "bootstrap over 5 groups of stimuli, 20 draws" in found.methods["interval"]
