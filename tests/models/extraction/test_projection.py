"""The matrices of projections: entry for entry those of scikit-learn, which made them before."""

import numpy as np
import pytest
import torch
from sklearn.random_projection import SparseRandomProjection

from brodmann.models.extraction import projection


@pytest.mark.parametrize(
    ("n_units", "n_kept", "seed"),
    [
        (2, 1, 0),
        (37, 5, 1),
        (9_999, 8, 0),
        (10_000, 8, 2),
        (10_001, 30, 3),
        (20_000, 40, 0),
        (300_000, 12, 7),
    ],
)
def test_a_matrix_is_that_of_scikit_learn_to_the_bit(n_units, n_kept, seed):
    reference = SparseRandomProjection(n_kept, random_state=seed).fit(np.zeros((1, n_units), np.float32))
    there = reference.components_.tocsr()
    there.sort_indices()
    made = projection.sparse_matrix(n_units, n_kept, seed, torch.device("cpu"))
    there = there.tocoo()
    np.testing.assert_array_equal(made.indices().numpy(), np.stack([there.row, there.col]))
    np.testing.assert_array_equal(made.values().numpy(), there.data.astype(np.float32))


def test_places_that_are_drawn_twice_are_drawn_again_as_one_by_one():
    """Hundreds of rows of a small layer, of which many draw a place twice."""
    generator = np.random.RandomState(0)
    for seed in range(300):
        generator.seed(seed)
        found = projection._without_replacement(2_500, 25, generator)
        stream, by_hand = np.random.RandomState(seed), []
        while len(by_hand) < 25:
            place = stream.randint(2_500)
            if place not in by_hand:
                by_hand.append(place)
        assert found.tolist() == by_hand
        assert generator.randint(10**6) == stream.randint(10**6)
