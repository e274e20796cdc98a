"""The feature of a region: found where it is, and worth nothing where there is none."""

import numpy as np
import pytest
from planted_voxels import planted
from scipy.stats import kstest

from brodmann.analysis.interpretability.voxels.feature_regions import best_features, region_bars
from brodmann.errors import UserError


def test_bars_are_correlations():
    world = planted(n_stimuli=300, n_voxels=6, n_features=30)
    regions = {"a": np.array([0]), "b": np.arange(1, 6)}
    bars = region_bars(world.codes, world.voxels, regions)
    direct = np.array([[np.corrcoef(f, v)[0, 1] for v in world.voxels.T] for f in world.codes.T])
    np.testing.assert_allclose(bars["a"], direct[:, 0])
    np.testing.assert_allclose(bars["b"], np.median(direct[:, 1:], axis=1))
    assert set(bars["a"].nlargest(4).index) == set(world.read[0])


def test_the_feature_that_a_region_reads_is_found_and_reported_without_bias():
    world = planted(n_stimuli=800, n_voxels=1, n_read=1)
    found = best_features(world.codes, world.voxels, {"a": np.array([0])}, n_shuffles=99)["a"]
    assert found.features == (world.read[0, 0],) * 2
    truth = np.corrcoef(world.codes[:, world.read[0, 0]], world.voxels[:, 0])[0, 1]
    assert found.r == pytest.approx(truth, abs=0.03)
    assert found.p == 0.01


def test_the_best_of_many_columns_of_noise_is_biased_and_the_other_half_is_not():
    generator = np.random.default_rng(0)
    noise, voxels = generator.normal(size=(1000, 2048)), generator.normal(size=(1000, 6))
    assert region_bars(noise, voxels, {"a": np.array([0])}).abs()["a"].max() == pytest.approx(0.11, abs=0.025)
    regions = {str(i): np.array([i]) for i in range(6)}
    found = best_features(noise, voxels, regions, n_shuffles=19)
    assert min(one.selected_r for one in found.values()) > 0.12
    assert abs(np.mean([one.r for one in found.values()])) < 0.03


@pytest.mark.parametrize("grouped", [False, True])
def test_p_is_uniform_where_features_tell_nothing(grouped):
    ps = []
    for seed in range(100):
        generator = np.random.default_rng([seed, 5])
        groups = np.arange(80) // 4 if grouped else None
        common = generator.normal(size=(20, 41)).repeat(4, axis=0) if grouped else 0
        both = generator.normal(size=(80, 41)) + common
        found = best_features(
            both[:, :40], both[:, 40:], {"a": np.array([0])}, groups=groups, n_shuffles=59, random_state=seed
        )
        ps.append(found["a"].p)
    assert kstest(ps, "uniform").pvalue > 0.01


def test_groups_stand_on_one_side_and_few_are_refused():
    x = np.random.default_rng(0).normal(size=(12, 3))
    with pytest.raises(UserError, match="3 groups are too few"):
        best_features(x, x, {"a": np.array([0])}, groups=np.arange(12) // 4)
    with pytest.raises(UserError, match="4 stimuli are too few"):
        best_features(x[:4], x[:4], {"a": np.array([0])})
    with pytest.raises(UserError, match="one row a stimulus"):
        region_bars(x, x[:4], {"a": np.array([0])})
