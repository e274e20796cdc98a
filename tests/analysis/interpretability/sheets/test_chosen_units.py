"""Distance of chosen units: known patches, and a p that holds where voxels choose alike."""

import numpy as np
import pytest
from scipy.stats import kstest

from brodmann.analysis.interpretability.sheets.chosen_units import coherence_of_chosen
from brodmann.errors import UserError
from brodmann.models.sheet import grid_sheet

DISTANCES = grid_sheet("l", 256, shape=(16, 16)).distances()


def test_the_distance_is_the_mean_over_pairs_splits_and_targets():
    units = np.array([[[0, 1, 2], [0, 16, -1]], [[5, 6, 7], [-1, -1, -1]]])
    found = coherence_of_chosen(units, DISTANCES, permutations=9)
    np.testing.assert_allclose(found.by_target, [4 / 3, 1.0])
    assert found.distance == pytest.approx((4 / 3 + 1) / 2)
    assert found.n_targets == 2


def test_patches_lie_together_and_drawn_units_do_not():
    generator = np.random.default_rng(0)
    middle = generator.integers(0, 256, 30)
    near = np.argsort(DISTANCES[middle], axis=1)[:, :6]
    found = coherence_of_chosen(near, DISTANCES)
    assert found.p == 0.001
    assert found.ratio < 0.3
    drawn = np.stack([generator.choice(256, 6, replace=False) for _ in range(30)])
    assert coherence_of_chosen(drawn, DISTANCES).p > 0.01


def test_p_is_uniform_where_all_voxels_choose_much_the_same():
    ps = []
    for seed in range(200):
        generator = np.random.default_rng([seed, 3])
        common = generator.choice(256, 8, replace=False)
        units = np.stack([generator.choice(common, 4, replace=False) for _ in range(50)])
        ps.append(coherence_of_chosen(units, DISTANCES, permutations=199, random_state=seed).p)
    assert kstest(ps, "uniform").pvalue > 0.01


def test_units_without_a_distance_are_refused():
    with pytest.raises(UserError, match="no target chose two units"):
        coherence_of_chosen(np.array([[3, -1], [4, -1]]), DISTANCES)
    with pytest.raises(UserError, match="do not fit distances"):
        coherence_of_chosen(np.array([[3, 256]]), DISTANCES)
