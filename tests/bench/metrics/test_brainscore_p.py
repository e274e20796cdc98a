"""P of Brain-Score's metrics: every way of refitting gives that of loops, and what is too large is told."""

import numpy as np
import pandas as pd
import pytest

from brodmann.analysis.encoding.cross_validation import Split
from brodmann.bench.metrics import brainscore_p as module
from brodmann.bench.metrics.base import ScoringOptions
from brodmann.bench.metrics.brainscore_p import Dependence, PermutedSplits
from brodmann.bench.metrics.recording import Recording
from brodmann.bench.metrics.sampling import Sampling
from brodmann.bench.metrics.uncertainty import HeldOut

N = 24


def ridge(x, y, x_test):
    """Of penalty 2, about the training means: linear in the responses."""
    inner, mean = x - x.mean(axis=0), y.mean(axis=0)
    weights = np.linalg.solve(inner @ inner.T + 2 * np.eye(len(x)), y - mean)
    return (x_test - x.mean(axis=0)) @ inner.T @ weights + mean


def predict(x, y, splits):
    return [ridge(x[one.train], y[one.train], x[one.test]) for one in splits]


def of_draws(x, y, x_test):
    return np.array([ridge(x, one, x_test) for one in y])


def given(n=N, noise=1.0, n_features=3, n_splits=3, seed=0, n_neuroids=4):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, n_features))
    y = x[:, :1] + noise * rng.normal(size=(n, n_neuroids))
    splits = [
        Split(np.sort(order[n // 3 :]), np.sort(order[: n // 3]))
        for order in (rng.permutation(n) for _ in range(n_splits))
    ]
    held_out = [HeldOut(one, found) for one, found in zip(splits, predict(x, y, splits), strict=True)]
    return x, y, held_out, correlations(held_out, y)


def correlations(held_out, y):
    return np.array(
        [
            [np.corrcoef(one.prediction[:, j], y[one.split.test, j])[0, 1] for j in range(y.shape[1])]
            for one in held_out
        ]
    )


def p_of(
    made, sampling, *, layers=None, chosen=None, parted=False, n=39, together=False, rotates=False, draws=None
):
    x, y, held_out, r = made
    one = PermutedSplits(predict, together, rotates, draws, ScoringOptions(n_permutations=n, seed=5))
    chosen = chosen or ["only"] * len(held_out)
    return one.p(layers or {"only": x}, chosen, held_out, r, y, Dependence(sampling, parted))


def by_loops(made, orders):
    x, y, held_out, r = made
    splits = [one.split for one in held_out]
    null = []
    for order in orders:
        found = [HeldOut(s, one) for s, one in zip(splits, predict(x, y[order], splits), strict=True)]
        null.append(np.median(correlations(found, y[order]), axis=1).mean())
    return (1 + np.sum(np.array(null) >= np.median(r, axis=1).mean() - 1e-12)) / (1 + len(null))


WAYS = ({}, {"rotates": True}, {"together": True}, {"together": True, "draws": of_draws})


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("n_features", [3, 60])
@pytest.mark.parametrize("seed", [1, 2])
def test_p_is_that_of_refitting_what_was_permuted_in_a_loop(way, n_features, seed):
    made, how = (
        given(noise=3.0, n_features=n_features, seed=seed),
        Sampling("independent", None, np.arange(N)),
    )
    p, said = p_of(made, how, **way)
    orders, what, smallest = how.orders(39, 7)
    assert p == pytest.approx(by_loops(made, orders))
    assert p > smallest
    assert said == {"p": f"{what}, 39 times, fitted anew on all splits", "smallest_p": smallest}


@pytest.mark.parametrize("way", WAYS)
def test_blocks_of_draws_change_nothing(way, monkeypatch):
    made, how = given(noise=3.0, seed=1), Sampling("independent", None, np.arange(N))
    whole = p_of(made, how, **way)[0]
    if way.get("together"):
        monkeypatch.setattr(module, "PERMUTED_ENTRIES", 7 * made[1].size)
        assert p_of(made, how, **way)[0] == whole
        monkeypatch.setattr(module, "PERMUTED_ENTRIES", 1)
        assert p_of(made, how, **way)[0] == whole
    else:
        made = given(noise=0.01, seed=1, n_neuroids=9)
        monkeypatch.setattr(module, "PERMUTED_ENTRIES", 5 * N * 39)
        p, said = p_of(made, how, **way)
        assert said["p"].endswith("on all splits, over 5 of 9 neuroids")
        assert p == pytest.approx(1 / 40)


def test_neuroids_that_are_fitted_together_are_permuted_99_times_at_most():
    made, how = given(noise=0.01), Sampling("independent", None, np.arange(N))
    assert p_of(made, how, together=True, n=150)[1]["p"].split(", ")[1] == "99 times"
    p, said = p_of(made, how, n=150)
    assert said["p"].split(", ")[1] == "150 times"
    assert p == pytest.approx(1 / 151)
    assert p_of(made, how, n=99, draws=of_draws)[0] == pytest.approx(0.01)


def test_each_layer_is_refitted_on_the_splits_that_chose_it():
    """Of a layer that predicts and of one that is noise, whose predictions are as good as its null."""
    x, y, held_out, _ = given(noise=0.2, seed=3)
    noise = np.random.default_rng(9).normal(size=(N, 2))
    splits = [one.split for one in held_out]
    mixed = [held_out[0], HeldOut(splits[1], predict(noise, y, splits)[1]), held_out[2]]
    r = correlations(mixed, y)
    how = Sampling("independent", None, np.arange(N))
    layers, chosen = {"good": x, "noise": noise}, ["good", "noise", "good"]
    p, _ = p_of((x, y, mixed, r), how, layers=layers, chosen=chosen)
    orders = how.orders(39, 7)[0]
    null = [
        np.mean(
            [
                np.median(correlations([HeldOut(s, predict(layers[name], y[order], splits)[i])], y[order]))
                for i, (s, name) in enumerate(zip(splits, chosen, strict=True))
            ]
        )
        for order in orders
    ]
    assert p == pytest.approx((1 + np.sum(np.array(null) >= np.median(r, axis=1).mean())) / 40)


def test_what_was_not_asked_for_or_has_too_few_groups_has_no_p():
    made = given()
    p, said = p_of(made, Sampling("independent", None, np.arange(N)), n=0)
    assert np.isnan(p)
    assert said == {"p": "not asked for"}
    p, said = p_of(made, None)
    assert np.isnan(p)
    assert said == {"p": "none: too few groups to permute"}


@pytest.mark.parametrize(
    ("way", "most"),
    [
        ({}, 1000),
        ({"parted": True}, 1000),
        ({"together": True}, 60),
        ({"together": True, "parted": True}, 1000),
        ({"together": True, "draws": of_draws}, 400),
        ({"draws": of_draws}, 1000),
    ],
)
def test_many_stimuli_are_not_refitted(way, most, monkeypatch):
    monkeypatch.setattr(module, "_p_of_splits", lambda *args: (0.5, {"p": "of single splits"}))
    for n in (most, most + 1):
        rng = np.random.default_rng(0)
        splits = [Split(np.arange(5, n), np.arange(5))]
        y = rng.normal(size=(n, 1))
        made = rng.normal(size=(n, 1)), y, [HeldOut(splits[0], y[:5])], np.ones((1, 1))
        monkeypatch.setattr(
            PermutedSplits, "_null", lambda self, x, permuted, splits: np.zeros(len(permuted))
        )
        p, said = p_of(made, Sampling("independent", None, np.arange(n)), n=3, **way)
        if n == most:
            assert said["p"].endswith("3 times, fitted anew on all splits")
        elif way.get("parted"):
            assert np.isnan(p)
            assert said == {"p": f"none: of more than {most} stimuli that depend on each other"}
        else:
            assert (p, said["p"]) == (0.5, "of single splits")


def test_p_of_single_splits_is_twice_their_median(monkeypatch):
    monkeypatch.setattr(module, "_REFITTED", N - 1)
    how = Sampling("independent", None, np.arange(N))
    x, y, held_out, r = given(noise=0.01)
    p, said = p_of((x, y, held_out, r), how)
    assert p == pytest.approx(2 / 40)
    assert said == {
        "p": "twice the median over splits of the p of each: stimulus labels permuted among the held-out, 39 times",
        "smallest_p": pytest.approx(2 / 40),
    }
    against = [HeldOut(one.split, -one.prediction) for one in held_out]
    assert p_of((x, y, against, -r), how)[0] == 1.0
    # two of three splits predict: their median is that of those
    two = [held_out[0], against[1], held_out[2]]
    assert p_of((x, y, two, r), how)[0] == pytest.approx(2 / 40)


def test_groups_of_held_out_stimuli_are_permuted_as_wholes(monkeypatch):
    monkeypatch.setattr(module, "_REFITTED", N - 1)
    groups = np.arange(N) // 4
    split = Split(np.arange(8), np.arange(8, N))  # four groups of four are held out: 3 rotations of each
    rng = np.random.default_rng(2)
    y = rng.normal(size=(N, 3))
    held_out = [HeldOut(split, y[8:])]
    p, said = p_of(
        (y, y, held_out, np.ones((1, 3))), Sampling("groups", groups, np.arange(N), "story"), n=999
    )
    assert said["smallest_p"] == pytest.approx(2 / 82)
    assert said["p"].endswith("among the held-out, 999 times")
    assert said["p"].startswith(
        "twice the median over splits of the p of each: samples rotated within 4 groups "
    )
    assert p == pytest.approx(2 / 1000)


def test_what_splits_part_is_said():
    n = 60
    cube = np.random.default_rng(0).normal(size=(n, 2, 3))
    neuroids = pd.DataFrame({"neuroid_id": np.arange(3)})

    def recorded(story):
        columns = {"story": np.array(story, object)} if story is not None else {}
        return Recording(
            "made.IT", np.arange(n).astype(object), cube, None, neuroids, columns, position=np.arange(n)
        )

    whole = [
        Split(np.arange(n)[np.arange(n) // 6 != i], np.arange(n)[np.arange(n) // 6 == i]) for i in range(10)
    ]
    mixed = [
        Split(np.arange(n)[np.arange(n) % 10 != i], np.arange(n)[np.arange(n) % 10 == i]) for i in range(10)
    ]
    stories = [f"s{i // 6}" for i in range(n)]
    kept = Dependence.of(recorded(stories), whole)
    assert (kept.parted, kept.said) == (False, "")
    np.testing.assert_array_equal(kept.groups, kept.sampling.groups)
    assert len(set(kept.groups.tolist())) == 10
    parted = Dependence.of(recorded(stories), [*whole[:9], mixed[0]])
    assert parted.parted
    assert parted.said == (
        "Brain-Score's splits part what depends on each other (story): scores may come from that alone"
    )
    few = Dependence.of(recorded(["a"] * 30 + ["b"] * 30), whole)
    assert (few.sampling, few.groups, few.parted) == (None, None, True)
    assert few.said == (
        "Brain-Score's splits part what depends on each other (too few groups to keep whole): scores may come from "
        "that alone"
    )
    alone = Dependence.of(recorded(None), mixed)
    assert (alone.groups, alone.parted, alone.said) == (None, False, "")


@pytest.mark.parametrize(("n_features", "rotates", "fitted"), [(60, True, N), (60, False, 60), (5, True, 5)])
def test_many_features_are_replaced_by_as_many_as_stimuli_where_products_alone_count(
    n_features, rotates, fitted
):
    seen = []

    def remembered(x, y, splits):
        seen.append(x)
        return predict(x, y, splits)

    x, y, held_out, r = given(n_features=n_features)
    how = Sampling("independent", None, np.arange(N))
    one = PermutedSplits(remembered, False, rotates, None, ScoringOptions(n_permutations=9))
    one.p({"only": x}, ["only"] * 3, held_out, r, y, Dependence(how))
    assert {found.shape for found in seen} == {(N, fitted)}
    centered, found = x - x.mean(axis=0), seen[0] - seen[0].mean(axis=0)
    np.testing.assert_allclose(found @ found.T, centered @ centered.T, atol=1e-9)
