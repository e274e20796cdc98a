"""Metrics that compare stimuli as a whole: a mean of products, whose spread and chance are known."""

from dataclasses import dataclass
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest

from brodmann import UserError
from brodmann.bench.metrics.base import Ceiling, ScoringOptions
from brodmann.bench.metrics.normalization import median_formula
from brodmann.bench.metrics.rdm import rdm, rdm_agreement
from brodmann.bench.metrics.recording import Recording
from brodmann.bench.metrics.whole_comparison import WholeComparison

NONE = Ceiling("none", float("nan"))
NO_DRAWS = ScoringOptions(n_bootstraps=0, n_permutations=0)


@dataclass(frozen=True)
class Products(WholeComparison):
    """Mean over stimuli of feature 0 times each neuroid."""

    def prepared(self, values):
        return np.asarray(values, float)

    def compared(self, model, brain, rows, brain_rows):
        return (model[rows, :1] * brain[brain_rows]).mean(axis=0)[:1]


@dataclass(frozen=True)
class EachNeuroid(Products):
    """The same of every neuroid; the second does not count."""

    per_neuroid: ClassVar[bool] = True

    def compared(self, model, brain, rows, brain_rows):
        return (model[rows, :1] * brain[brain_rows]).mean(axis=0)

    def normalized(self, recorded, ceiling):
        return np.array([0, 2]), {"neuroids of no use": 1}, median_formula("r_max"), np.asarray(ceiling.value)


def recorded(responses, left_out=None, **columns):
    table = {name: np.array(list(values), object) for name, values in columns.items()}
    n = len(responses)
    neuroids = pd.DataFrame({"neuroid_id": np.arange(responses.shape[1])})
    return Recording(
        "made.IT", np.arange(n).astype(object), responses[:, None], None, neuroids, table, position=np.arange(n),
        n_left_out=left_out or {},
    )  # fmt: skip


def test_one_layer_is_compared_on_all_stimuli():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(20, 3)), rng.normal(size=(20, 2))
    found = Products("products").evaluate({"only": x}, recorded(y, {"dead": 3}), NONE, NO_DRAWS)
    expected = (x[:, 0] * y[:, 0]).mean()
    assert found.value == found.raw == found.layers["only"] == pytest.approx(expected)
    assert (found.layer, found.layer_by_split) == ("only", ["only"])
    assert (found.n_stimuli, found.n_neuroids, found.unit, found.normalization) == (20, 2, "none", "none")
    assert found.per_unit.shape == found.draws.shape == (0,)
    assert np.isnan([found.p, *found.ci]).all()
    assert dict(found.left_out) == {"dead": 3}
    assert found.methods["interval"] == "not asked for"
    assert found.methods["seed"] == 0


def test_each_half_reports_the_layer_that_is_best_on_the_other():
    """A layer that agrees everywhere by 2 beats one that agrees by 1; halves hold ten stimuli each."""
    y = np.ones((20, 1))
    layers = {"one": np.ones((20, 1)), "two": np.full((20, 1), 2.0), "none": np.zeros((20, 1))}
    found = Products("products").evaluate(layers, recorded(y), NONE, NO_DRAWS)
    assert found.layer_by_split == ["two", "two"]
    assert (found.layer, found.value) == ("two", 2.0)
    assert dict(found.layers) == {"one": 1.0, "two": 2.0, "none": 0.0}


def test_a_layer_that_is_good_on_one_half_alone_is_reported_where_it_is_bad():
    responses, asked = np.ones((20, 1)), []

    @dataclass(frozen=True)
    class Seen(Products):
        def compared(self, model, brain, rows, brain_rows):
            asked.append(rows.tolist())
            return super().compared(model, brain, rows, brain_rows)

    Seen("seen").evaluate({"a": responses, "b": responses}, recorded(responses), NONE, NO_DRAWS)
    halves = [one for one in asked if len(one) == 10]
    first = np.isin(np.arange(20), halves[0])
    a, b = np.where(first, 3.0, -1.0)[:, None], np.where(first, 0.0, 1.0)[:, None]
    found = Products("products").evaluate({"a": a, "b": b}, recorded(responses), NONE, NO_DRAWS)
    assert sorted(found.layer_by_split) == ["a", "b"]
    assert found.value == pytest.approx((-1 + 0) / 2)  # each on the half that it was not chosen on
    assert found.layers["a"] == pytest.approx(1.0)
    assert not np.array_equal(halves[0], np.arange(10))


def test_neuroids_that_do_not_count_are_nan_and_the_headline_is_over_the_best():
    x, y = np.ones((10, 1)), np.tile([1.0, 100.0, 4.0], (10, 1))
    found = EachNeuroid("each").evaluate(
        {"only": x}, recorded(y, {"dead": 2}), Ceiling("r_max", 0.5), NO_DRAWS
    )
    assert found.raw == pytest.approx(2.5)
    assert found.value == pytest.approx(2.5 / 0.5)
    assert found.layers["only"] == pytest.approx(2.5)
    np.testing.assert_array_equal(found.per_unit, [1.0, np.nan, 4.0])
    assert (found.unit, found.n_neuroids) == ("neuroid", 2)
    assert dict(found.left_out) == {"dead": 2, "neuroids of no use": 1}


def test_the_interval_of_a_mean_is_that_of_a_mean():
    """Its standard error is sd / sqrt(n), which a draw of two thirds without replacement gives when rescaled."""
    rng = np.random.default_rng(2)
    x = 3 + rng.normal(size=(60, 1))
    given = ScoringOptions(n_bootstraps=3000, n_permutations=0)
    found = Products("products").evaluate({"only": x}, recorded(np.ones((60, 1))), NONE, given)
    error = x.std() / np.sqrt(60)
    assert found.draws.shape == (3000,)
    assert found.draws.mean() == pytest.approx(x.mean())
    assert found.draws.std() == pytest.approx(error, rel=0.06)
    assert found.ci == pytest.approx((x.mean() - 1.96 * error, x.mean() + 1.96 * error), abs=0.15 * error)
    assert found.methods["interval"] == (
        "95% subsampling of two thirds of the stimuli without replacement, rescaled, 3000 draws"
    )
    again = Products("products").evaluate({"only": x}, recorded(np.ones((60, 1))), NONE, given)
    np.testing.assert_array_equal(found.draws, again.draws)
    given = ScoringOptions(n_bootstraps=3000, n_permutations=0, seed=1)
    other = Products("products").evaluate({"only": x}, recorded(np.ones((60, 1))), NONE, given)
    assert (found.draws != other.draws).any()
    assert other.methods["seed"] == 1


def test_stories_are_drawn_as_a_whole():
    rng = np.random.default_rng(3)
    of_story = 3 + rng.normal(size=12)
    x, story = np.repeat(of_story, 5)[:, None], np.repeat([f"s{i:02d}" for i in range(12)], 5)
    given = ScoringOptions(n_bootstraps=3000, n_permutations=99)
    one = recorded(np.ones((60, 1)), story=story)
    found = Products("products").evaluate({"only": x}, one, NONE, given)
    assert found.draws.std() == pytest.approx(of_story.std() / np.sqrt(12), rel=0.06)
    assert "two thirds of the groups without replacement" in found.methods["interval"]
    assert found.methods["group"] == "story"
    assert found.p == 1.0  # responses that are all the same are as good in every order


def test_p_is_the_share_of_other_orders_that_are_as_good():
    rng = np.random.default_rng(4)
    x = rng.normal(size=(40, 1))
    for sign, expected in ((1, 0.005), (-1, 1.0)):
        found = Products("products").evaluate(
            {"only": x}, recorded(sign * x), NONE, ScoringOptions(n_bootstraps=0, n_permutations=199)
        )
        assert found.p == pytest.approx(expected)
        assert found.methods["p"] == "stimulus labels permuted 199 times"
        assert found.methods["smallest_p"] == pytest.approx(0.005)
    story = np.repeat([f"s{i}" for i in range(10)], 4)
    found = Products("products").evaluate(
        {"only": x}, recorded(x, story=story), NONE, ScoringOptions(n_bootstraps=0, n_permutations=99)
    )
    assert found.p == pytest.approx(0.01)
    assert found.methods["p"] == "10 whole groups permuted, 99 times"
    assert found.methods["smallest_p"] == pytest.approx(0.01)
    assert Products("products").evaluate(
        {"only": x}, recorded(x, story=story), NONE, NO_DRAWS
    ).methods["p"] == "not asked for"  # fmt: skip


def test_p_of_noise_is_anything():
    rng = np.random.default_rng(5)
    given = ScoringOptions(n_bootstraps=0, n_permutations=99)
    found = [
        Products("products").evaluate(
            {"a": rng.normal(size=(16, 1)), "b": rng.normal(size=(16, 1))},
            recorded(rng.normal(size=(16, 1))),
            NONE,
            given,
        )
        for _ in range(60)
    ]
    p = np.array([one.p for one in found])
    assert 0.35 < p.mean() < 0.65
    assert p.std() > 0.2


def test_too_few_groups_leave_the_score_without_p():
    x = np.random.default_rng(6).normal(size=(20, 1))
    given = ScoringOptions(n_bootstraps=20, n_permutations=19)
    found = Products("products").evaluate(
        {"only": x}, recorded(x, story=["a"] * 10 + ["b"] * 10), NONE, given
    )
    assert np.isnan(found.p)
    assert found.methods["p"] == "none: too few groups to permute"
    assert found.value == pytest.approx((x**2).mean())


def test_fewer_than_eight_stimuli_and_missing_features_are_refused():
    metric = Products("products")
    for n in (8, 7):
        x = np.ones((n, 1))
        if n == 8:
            assert metric.evaluate({"only": x}, recorded(x), NONE, NO_DRAWS).value == 1.0
            continue
        with pytest.raises(UserError, match="^made.IT: products needs at least 8 stimuli, not 7$"):
            metric.evaluate({"only": x}, recorded(x), NONE, NO_DRAWS)
    with pytest.raises(UserError, match="layer 'only' has features that are NaN"):
        metric.evaluate({"only": np.full((9, 1), np.nan)}, recorded(np.ones((9, 1))), NONE, NO_DRAWS)


def test_rdms_are_compared_by_ranks_of_pairs():
    """Pairs of three stimuli: 1, 2, 3 against 10, 30, 20 have a rank correlation of 1/2."""
    first = np.array([[0, 1, 2], [1, 0, 3], [2, 3, 0.0]])
    second = np.array([[0, 10, 30], [10, 0, 20], [30, 20, 0.0]])
    assert rdm_agreement(first, second) == pytest.approx(0.5)
    responses = np.random.default_rng(7).normal(size=(9, 4))
    one = rdm(recorded(responses))
    assert one.name == "rdm"
    np.testing.assert_allclose(one.prepared(responses), 1 - np.corrcoef(responses), atol=1e-12)
    found = one.evaluate({"same": 7 + 3 * responses}, recorded(responses), NONE, NO_DRAWS)
    assert found.value == pytest.approx(1.0)
    with pytest.raises(UserError, match=r"^made.IT: .* at least 3 neuroids .*, not 2: predict"):
        rdm(recorded(responses[:, :2]))
    rdm(recorded(responses[:, :3]))
    assert rdm(SimpleNamespace(cube=None, name="made.IT")).name == "rdm"
