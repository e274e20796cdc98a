"""Banded ridge and variance partitioning: fractions known by construction, himalaya's own estimator."""

import sys
from itertools import combinations, permutations

import numpy as np
import pytest

from brodmann import UserError
from brodmann.analysis.encoding import banded
from brodmann.analysis.encoding.banded import (
    VariancePartition,
    banded_ridge,
    banded_weights,
    draw_weightings,
    variance_partitioning,
)
from brodmann.analysis.encoding.cross_validation import Fold, Splitter
from brodmann.analysis.encoding.nested_ridge import ALPHAS


def folds_of(n):
    return [Fold(one, Splitter(n_splits=3).split(len(one.train))) for one in Splitter(n_splits=3).split(n)]


def spaces_and_targets(n=600, shares=(0.4, 0.2), n_targets=8, seed=0):
    """Independent spaces that explain known shares of a variance of one."""
    rng = np.random.default_rng(seed)
    spaces = {f"space {i}": rng.normal(size=(n, 20)) for i in range(len(shares))}
    y = np.sqrt(1 - sum(shares)) * rng.normal(size=(n, n_targets))
    for x, share in zip(spaces.values(), shares, strict=True):
        weights = rng.normal(size=(20, n_targets))
        y += np.sqrt(share) * x @ weights / np.linalg.norm(weights, axis=0)
    return spaces, y


def test_known_shares_are_recovered_and_noise_explains_nothing():
    spaces, y = spaces_and_targets(shares=(0.4, 0.2, 0.0))
    found = variance_partitioning(spaces, y, folds_of(len(y)), n_draws=20)
    np.testing.assert_allclose(found.unique.mean(axis=1), [0.4, 0.2, 0.0], atol=0.05)
    np.testing.assert_allclose(found.shapley.mean(axis=1), [0.4, 0.2, 0.0], atol=0.05)
    np.testing.assert_allclose(found.shapley.sum(axis=0), found.full)
    np.testing.assert_allclose(found.unique.sum(axis=0) + found.shared, found.full)
    assert len(found.r2) == 7


def test_two_copies_of_a_space_share_everything():
    spaces, y = spaces_and_targets(n=300, shares=(0.6,))
    twice = {"one": spaces["space 0"], "two": spaces["space 0"]}
    found = variance_partitioning(twice, y, folds_of(len(y)), n_draws=10)
    np.testing.assert_allclose(found.unique, 0, atol=0.02)
    np.testing.assert_allclose(found.shapley[0], found.shapley[1], atol=1e-5)
    np.testing.assert_allclose(found.shared, found.full, atol=0.03)


def test_one_space_is_himalayas_kernel_ridge_at_the_same_penalties():
    pytest.importorskip("himalaya")
    from himalaya.kernel_ridge import KernelRidgeCV

    spaces, y = spaces_and_targets(n=150, shares=(0.5,))
    x, folds = spaces["space 0"], folds_of(len(y))
    found = banded_ridge(spaces, y, folds)
    for fold, parts in zip(folds, found.predictions, strict=True):
        train, test = fold.split.train, fold.split.test
        mean = ((x[train] - x[train].mean(axis=0)) ** 2).sum() / (len(train) - 1)
        inner = [(part.train, part.test) for part in fold.inner]
        model = KernelRidgeCV(alphas=ALPHAS * mean, cv=inner, warn=False).fit(
            x[train] - x[train].mean(axis=0), y[train] - y[train].mean(axis=0)
        )
        np.testing.assert_allclose(parts[0], model.predict(x[test] - x[train].mean(axis=0)), atol=1e-3)


def test_predictions_per_space_add_up_and_seeds_repeat():
    spaces, y = spaces_and_targets(n=200)
    folds = folds_of(len(y))
    one, again = (banded_ridge(spaces, y, folds, n_draws=10, random_state=4) for _ in range(2))
    np.testing.assert_array_equal(one.r2, again.r2)
    error = sum(
        np.square(y[f.split.test] - y[f.split.train].mean(axis=0) - p.sum(axis=0)).sum(axis=0)
        for f, p in zip(folds, one.predictions, strict=True)
    )
    total = sum(np.square(y[f.split.test] - y[f.split.train].mean(axis=0)).sum(axis=0) for f in folds)
    np.testing.assert_allclose(one.r2, 1 - error / total)
    assert one.log_weights.shape == (3, 2, 8)


def test_units_of_measurement_change_nothing():
    """Tesla beside volts beside numbers near one."""
    spaces, y = spaces_and_targets(n=200)
    units = 10.0 ** -np.array([0, 6, 13, 0, 6, 13, 3, -6])
    folds = folds_of(len(y))
    one, other = (banded_ridge(spaces, t, folds, n_draws=10) for t in (y, y * units))
    np.testing.assert_allclose(other.r2, one.r2, atol=1e-6)
    np.testing.assert_allclose(other.r, one.r, atol=1e-6)
    np.testing.assert_allclose(other.predictions[0], one.predictions[0] * units, rtol=1e-4, atol=1e-18)


def test_banded_beats_plain_ridge_where_one_space_is_noise():
    """Two hundred noise features beside ten that matter: one common penalty pays for them."""
    rng = np.random.default_rng(1)
    good, noise = rng.normal(size=(150, 10)), rng.normal(size=(150, 200))
    y = good @ rng.normal(size=(10, 6)) + 3 * rng.normal(size=(150, 6))
    folds = folds_of(150)
    banded = banded_ridge({"good": good, "noise": noise}, y, folds, n_draws=30)
    joined = banded_ridge({"joined": np.hstack([good, noise])}, y, folds)
    assert banded.r.mean() > joined.r.mean() + 0.05


def test_mistakes_are_one_line():
    spaces, y = spaces_and_targets(n=60)
    with pytest.raises(UserError, match="at most 6"):
        variance_partitioning({str(i): np.ones((60, 1)) for i in range(7)}, y, folds_of(60))
    with pytest.raises(UserError, match="'short' has shape"):
        banded_ridge({"short": np.ones((59, 2))}, y, folds_of(60))
    with pytest.raises(UserError, match="no feature space"):
        banded_ridge({}, y, folds_of(60))
    with pytest.raises(UserError, match=r"targets have shape \(60,\)"):
        banded_ridge(spaces, y[:, 0], folds_of(60))
    with pytest.raises(UserError, match="1 of 8 targets"):
        banded_ridge(spaces, np.where(y == y[5, 1], np.nan, y), folds_of(60))
    with pytest.raises(UserError, match="'nan' has values that are not finite"):
        banded_ridge({"nan": np.where(np.eye(60, 20), np.nan, 1.0)}, y, folds_of(60))


def test_himalaya_is_not_needed(monkeypatch):
    spaces, y = spaces_and_targets(n=60)
    monkeypatch.setitem(sys.modules, "himalaya", None)
    monkeypatch.setitem(sys.modules, "himalaya.kernel_ridge", None)
    assert banded_ridge(spaces, y, folds_of(60), n_draws=3).r.mean() > 0.2


def test_weights_of_noiseless_targets_are_those_that_made_them():
    rng = np.random.default_rng(4)
    spaces = {"small": rng.normal(size=(120, 3)), "large": 100 * rng.normal(size=(120, 4)) + 7}
    true = {"small": rng.normal(size=(3, 2)), "large": rng.normal(size=(4, 2)) / 100}
    targets = 5 + sum(x @ true[name] for name, x in spaces.items())
    inner = Splitter(n_splits=3).split(120)
    found = banded_weights(spaces, targets, inner, n_draws=20)
    for name, weights in true.items():
        np.testing.assert_allclose(found.weights[name], weights, atol=0.02 * np.abs(weights).max())
    assert found.log_weights.shape == (2, 2)
    assert (found.inner_score > 0.99).all()
    assert (found.inner_score <= 1).all()
    again = banded_weights(spaces, targets, inner, n_draws=20, random_state=0)
    np.testing.assert_array_equal(found.log_weights, again.log_weights)
    noise = rng.normal(size=(120, 2))
    assert (np.abs(banded_weights(spaces, noise, inner, n_draws=20).inner_score) < 0.2).all()
    in_tesla = banded_weights(spaces, 1e-13 * targets, inner, n_draws=20)
    np.testing.assert_allclose(in_tesla.weights["small"], 1e-13 * found.weights["small"], rtol=1e-5)


def test_weightings_are_of_each_space_alone_of_all_alike_and_drawn():
    found = draw_weightings(3, 5, 0)
    assert found.shape == (9, 3)
    np.testing.assert_allclose(found.sum(axis=1), 1)
    np.testing.assert_allclose(found[:3], np.eye(3), atol=3e-6)
    np.testing.assert_allclose(found[3], 1 / 3)
    assert (found > 0).all()
    np.testing.assert_array_equal(found, draw_weightings(3, 5, 0))
    assert (found[4:] != draw_weightings(3, 5, 1)[4:]).any()
    assert draw_weightings(1, 5, 0).tolist() == [[1.0]]
    many = draw_weightings(3, 4000, 0)[4:]
    # squares of Dirichlet shares sum to (a + 1) / (3 a + 1): drawn sparse (0.1), and all as likely (1)
    assert (many[::2] ** 2).sum(axis=1).mean() == pytest.approx(1.1 / 1.3, abs=0.015)
    assert (many[1::2] ** 2).sum(axis=1).mean() == pytest.approx(0.5, abs=0.015)


def test_a_partition_by_hand_comes_back_from_its_file(tmp_path):
    """r2 of two spaces .5 and .3, together .6: unique .3 and .1, shared .2, Shapley .4 and .2."""
    r2 = {("a",): np.array([0.5]), ("b",): np.array([0.3]), ("a", "b"): np.array([0.6])}
    one = VariancePartition(("a", "b"), r2, 40)
    np.testing.assert_allclose(one.full, [0.6])
    np.testing.assert_allclose(one.unique, [[0.3], [0.1]])
    np.testing.assert_allclose(one.shared, [0.2])
    np.testing.assert_allclose(one.shapley, [[0.4], [0.2]])
    path = tmp_path / "mine.partition.npz"
    one.save(path)
    again = VariancePartition.load(str(path))
    assert (again.names, again.n_stimuli, list(again.r2)) == (("a", "b"), 40, [("a",), ("b",), ("a", "b")])
    assert [value.tolist() for value in again.r2.values()] == [[0.5], [0.3], [0.6]]
    np.savez(tmp_path / "other.npz", names=np.array(["a"]))
    with pytest.raises(UserError, match=r"other.npz is no variance partition that can be read \(.*members"):
        VariancePartition.load(tmp_path / "other.npz")
    (tmp_path / "text.npz").write_text("no archive")
    with pytest.raises(UserError, match=r"text.npz"):
        VariancePartition.load(tmp_path / "text.npz")


def test_shapley_values_of_three_spaces_are_means_over_six_orders():
    rng = np.random.default_rng(5)
    names = ("a", "b", "c")
    r2 = {c: rng.random(2) for size in (1, 2, 3) for c in combinations(names, size)}
    gains = {name: [] for name in names}
    for order in permutations(names):
        before = np.zeros(2)
        for i, name in enumerate(order):
            after = r2[tuple(sorted(order[: i + 1]))]
            gains[name].append(after - before)
            before = after
    found = VariancePartition(names, r2, 9)
    np.testing.assert_allclose(found.shapley, [np.mean(gains[name], axis=0) for name in names])
    np.testing.assert_allclose(found.unique[1], found.full - r2["a", "c"])


def test_every_combination_is_fitted_and_named_while_it_lasts(monkeypatch):
    named = []
    monkeypatch.setattr(banded, "track", lambda folds, what: named.append(what) or folds)
    spaces, y = spaces_and_targets(60, n_targets=1)
    found = variance_partitioning(spaces, y, folds_of(60), n_draws=2)
    assert named == ["fitting space 0", "fitting space 1", "fitting space 0 + space 1"]
    assert found.n_stimuli == 60
    assert list(found.r2) == [("space 0",), ("space 1",), ("space 0", "space 1")]
