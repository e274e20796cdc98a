"""Features that two dictionaries share, and whether they lie at the same place."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from brodmann import UserError
from brodmann.analysis.interpretability.codes import Weights
from brodmann.analysis.interpretability.dictionary import Dictionary
from brodmann.bench.studies.feature_places import places_of_shared, shared_features
from brodmann.models.sheet import grid_sheet

SIDE, N = 12, 60


def blobs(seed=0, width=1.0):
    """A dictionary whose features each write on one spot of the sheet, and rows of a few of them."""
    drawn = np.random.default_rng(seed)
    place = drawn.uniform(0, SIDE, (N, 2))
    grid = np.stack(np.meshgrid(np.arange(SIDE), np.arange(SIDE)), axis=-1).reshape(-1, 2)
    far = ((place[:, None] - grid[None]) ** 2).sum(axis=2)
    maps = np.exp(-far / (2 * width**2))
    directions = torch.from_numpy(maps / np.linalg.norm(maps, axis=1, keepdims=True)).float()
    weights = Weights(directions, directions.clone(), torch.zeros(N), torch.zeros(SIDE**2), 3)
    codes = (drawn.random((3000, N)) < 0.04) * drawn.uniform(0.5, 1.5, (3000, N))
    return Dictionary(weights, torch.zeros(SIDE**2), 1.0, "topk"), torch.from_numpy(
        codes
    ).float() @ directions


def turned(one, order):
    """The same dictionary and rows with the units in another order."""
    order = torch.from_numpy(np.asarray(order))
    w = one.weights
    moved = replace(w, encoder=w.encoder[:, order], decoder=w.decoder[:, order], bias=w.bias[order])
    return replace(one, weights=moved, mean=one.mean[order])


def shuffled(one, order):
    """The same dictionary with its features in another order."""
    w = one.weights
    moved = replace(w, encoder=w.encoder[order], decoder=w.decoder[order], encoder_bias=w.encoder_bias[order])
    return replace(one, weights=moved)


@pytest.fixture(scope="module")
def known():
    one, rows = blobs()
    return one, rows, grid_sheet("layer", SIDE**2, reads="unit")


def test_pairs_are_those_that_answer_most_alike(known):
    one, rows, _ = known
    order = torch.randperm(N, generator=torch.Generator().manual_seed(3))
    from brodmann.analysis.interpretability.quality.firing import codes_of_rows

    pairs = shared_features(codes_of_rows(one, rows), codes_of_rows(shuffled(one, order), rows))
    assert len(pairs) > 0.9 * N
    np.testing.assert_array_equal(order.numpy()[pairs[:, 1]], pairs[:, 0])


def test_the_same_features_lie_at_the_same_place(known):
    one, rows, sheet = known
    order = torch.randperm(N, generator=torch.Generator().manual_seed(3))
    found = places_of_shared((one, rows, sheet), (shuffled(one, order), rows, sheet), same_network=True)
    assert found["r"] == pytest.approx(1, abs=1e-6)
    assert found["p"] == 1 / (1 + found["n_shifts"])


def test_a_sheet_that_is_turned_is_turned_back(known):
    one, rows, sheet = known
    order = np.rot90(np.arange(SIDE**2).reshape(SIDE, SIDE)).ravel()
    other, theirs = turned(one, order), rows[:, torch.from_numpy(order.copy())]
    found = places_of_shared((one, rows, sheet), (other, theirs, sheet), same_network=False)
    assert found["r"] == pytest.approx(1, abs=1e-6)
    assert found["turns"] or found["flipped"]


def test_units_dealt_anew_have_features_at_no_place_in_common(known):
    one, rows, sheet = known
    p = []
    for seed in range(20):
        order = np.random.default_rng(seed).permutation(SIDE**2)
        other, theirs = turned(one, order), rows[:, torch.from_numpy(order)]
        p.append(places_of_shared((one, rows, sheet), (other, theirs, sheet), same_network=False)["p"])
    assert np.mean(np.array(p) <= 0.1) <= 0.3
    assert np.median(p) > 0.15


def test_what_cannot_be_compared_is_one_line(known):
    one, rows, sheet = known
    with pytest.raises(UserError, match="no sheet"):
        places_of_shared((one, rows, None), (one, rows, sheet), same_network=True)
    other = grid_sheet("layer", 36, reads="unit")
    with pytest.raises(UserError, match="the sheets are"):
        places_of_shared((one, rows, sheet), (one, rows, other), same_network=True)
    noise = torch.randn(3000, SIDE**2, generator=torch.Generator().manual_seed(1))
    with pytest.raises(UserError, match="features answer alike"):
        places_of_shared((one, rows, sheet), (one, noise, sheet), same_network=False)
