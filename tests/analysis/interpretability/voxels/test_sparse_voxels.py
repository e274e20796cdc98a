"""Curves of voxels whose features are known, how many are needed, and what a paired bootstrap says of two of them."""

import numpy as np
import pandas as pd
import pytest
from planted_voxels import planted

from brodmann.analysis.encoding.nested_ridge import held_out_r, nested_ridge
from brodmann.analysis.encoding.pooled import PooledFolds
from brodmann.analysis.interpretability.voxels.sparse_voxels import (
    seeded_folds,
    voxel_curves,
    weighted_r,
)
from brodmann.errors import UserError

SIZES = (1, 2, 4, 8, 16, 32)


@pytest.fixture(scope="module")
def world():
    return planted()


@pytest.fixture(scope="module")
def curves(world):
    return voxel_curves(
        {"neurons": world.neurons, "codes": world.codes}, world.voxels, n_seeds=2, sizes=SIZES
    )


def test_true_codes_peak_at_the_four_that_voxels_read_and_neurons_climb(curves):
    table = curves.table()
    np.testing.assert_allclose(table.loc["neurons", ["k=1", "k=4", "k=32"]], [0.10, 0.17, 0.34], atol=0.06)
    np.testing.assert_allclose(table.loc["codes", ["k=1", "k=4", "k=32"]], [0.47, 0.82, 0.80], atol=0.06)
    assert table.loc["codes", [f"k={k}" for k in SIZES]].astype(float).idxmax() == "k=4"
    assert table.loc["codes", "chosen_k"] == pytest.approx(4, abs=0.3)
    assert table.loc["neurons", "chosen_k"] > 16


def test_the_features_that_voxels_read_are_found(world, curves):
    found = [
        set(one[:4]) == set(read)
        for one, read in zip(curves.curves["codes"].units[0], world.read, strict=True)
    ]
    assert np.mean(found) > 0.9


def test_how_many_are_needed_is_asked_of_the_full_ridge(curves):
    codes, table = curves.curves["codes"], curves.table()
    r, ridge = curves.region(codes.r.mean(axis=0)), curves.region(codes.ridge.mean(axis=0))
    expected = next(k for k, value in zip(SIZES, r, strict=True) if value >= 0.9 * ridge)
    assert table.loc["codes", "k90"] == expected <= 4
    assert table.loc["codes", "k50"] == 1
    # no number of neurons reaches what its own maximum would be content with
    assert np.isnan(curves.units_needed("neurons", 0.9, of=codes.ridge.mean(axis=0)))
    assert np.isnan(table.loc["codes", "k90 of neurons"]) == np.False_


def test_how_many_are_needed_of_a_ceiling(curves):
    ceiling = np.full(40, 1.5 / np.hypot(1, 1.5))  # what the noise allows
    table = curves.table(ceiling=ceiling)
    assert table.loc["codes", "k90 of the ceiling"] == 4
    assert np.isnan(table.loc["neurons", "k50 of the ceiling"])


def test_what_cannot_be_predicted_needs_no_number(world):
    noise = np.random.default_rng(3).normal(size=(1000, 6))
    made = voxel_curves({"codes": world.codes[:, :40]}, noise, n_seeds=1, sizes=(1, 2))
    ridge = made.curves["codes"].ridge[0]
    needed = made.units_needed("codes", 0.9, targets=True)
    assert np.isnan(needed[ridge <= 0]).all()
    assert abs(made.table().loc["codes", "ridge"]) < 0.06


def test_ridge_is_nested_ridge_on_the_benchmarks_folds(world):
    y = world.voxels[:300, :5]
    made = voxel_curves({"neurons": world.neurons[:300]}, y, n_seeds=1, sizes=(1,))
    folds = seeded_folds(300, 1)[0]
    fits = list(nested_ridge(world.neurons[:300], y, folds))
    pooled = PooledFolds([fold.split.test for fold in folds], y).r([fit.prediction for fit in fits])
    np.testing.assert_allclose(made.curves["neurons"].ridge[0], pooled, atol=1e-5)
    assert np.abs(pooled - held_out_r(fits, y).mean(axis=0)).max() < 0.1


def test_groups_are_never_torn(world):
    groups = np.arange(1000) // 25
    for folds in seeded_folds(1000, 3, groups):
        for fold in folds:
            parts = [fold.split, *fold.parts()]
            assert all(not set(groups[one.train]) & set(groups[one.test]) for one in parts)
    first, second = seeded_folds(1000, 2, groups)
    assert not np.array_equal(first[0].split.test, second[0].split.test)


def test_weights_of_one_give_the_pooled_r(world):
    generator = np.random.default_rng(0)
    y, p = generator.normal(size=(2, 60, 3))
    tests = [np.arange(0, 20), np.arange(20, 60)]
    predictions = [p[one] for one in tests]
    weights = generator.integers(0, 3, (4, 60)).astype(float)
    found = weighted_r(tests, y, predictions, np.concatenate([np.ones((1, 60)), weights]))
    np.testing.assert_allclose(found[0], PooledFolds(tests, y).r(predictions))
    for row, one in zip(found[1:], weights, strict=True):
        np.testing.assert_allclose(row, PooledFolds(tests, y, one).r(predictions))


def test_codes_exceed_neurons_and_neurons_do_not_exceed_themselves(world, curves):
    better = curves.difference("codes", "neurons", 4, n_draws=200)
    assert better.low > 0.4
    assert better.p == pytest.approx(2 / 201)
    assert better.value == pytest.approx(
        curves.table()["k=4"].loc["codes"] - curves.table()["k=4"].loc["neurons"], abs=0.02
    )
    same = curves.difference("codes", "codes", "ridge", n_draws=50)
    assert (same.value, same.low, same.high, same.p) == (0, 0, 0, 1)


def test_the_number_needed_has_an_interval(curves):
    low, high = curves.needed_interval("codes", 0.9, n_draws=100)
    assert 1 <= low <= curves.table().loc["codes", "k90"] <= high <= 8
    assert curves.needed_interval("neurons", 0.9, n_draws=100)[1] == np.inf


def test_subjects_count_alike():
    world = planted(n_stimuli=200, n_voxels=6)
    members = [np.arange(5), np.array([5])]
    made = voxel_curves({"codes": world.codes}, world.voxels, members=members, n_seeds=1, sizes=(4,))
    r = made.curves["codes"].ridge[0]
    assert made.table().loc["codes", "ridge"] == pytest.approx((np.median(r[:5]) + r[5]) / 2)


def test_sizes_that_do_not_fit_are_left_out():
    world = planted(n_stimuli=60, n_voxels=2, n_features=20, n_units=6)
    made = voxel_curves(
        {"neurons": world.neurons, "codes": world.codes}, world.voxels, n_seeds=1, sizes=(1, 8, 64)
    )
    assert made.curves["neurons"].sizes == (1,)
    assert made.curves["codes"].sizes == (1, 8)
    assert isinstance(made.table(), pd.DataFrame)
    assert np.isnan(made.table().loc["neurons", "k=8"])
    with pytest.raises(UserError, match="none of the sizes"):
        voxel_curves({"neurons": world.neurons}, world.voxels, n_seeds=1, sizes=(64,))
    with pytest.raises(UserError, match="finite columns of 60 stimuli"):
        voxel_curves({"neurons": world.neurons[:50]}, world.voxels, n_seeds=1)
    with pytest.raises(UserError, match="point of a curve"):
        made.draws("codes", 3)
