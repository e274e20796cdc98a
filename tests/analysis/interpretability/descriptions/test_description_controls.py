"""Controls have the rates that they are to have, and stand for what they say."""

import numpy as np
import pytest
import torch
from scipy.sparse import csc_array

from brodmann.analysis.interpretability.codes import Weights
from brodmann.analysis.interpretability.descriptions.controls import at_rates, controls, sparse_codes
from brodmann.analysis.interpretability.dictionary import Dictionary


def test_columns_are_cut_at_the_rate_and_keep_their_order():
    x = np.random.default_rng(0).normal(size=(1000, 3)).astype(np.float32)
    found = at_rates(x, np.array([0.1, 0.02, 0.5])).toarray()
    assert (found > 0).mean(axis=0).tolist() == [0.1, 0.02, 0.5]
    order = np.argsort(x[:, 1])[-20:]
    assert np.argsort(found[:, 1])[-20:].tolist() == order.tolist()
    limit = np.sort(x[:, 1])[-21]
    assert np.allclose(found[order, 1], x[order, 1] - limit)


@pytest.fixture
def layer():
    generator = torch.Generator().manual_seed(0)
    rows = torch.randn(2000, 40, generator=generator).numpy()
    drawn = torch.nn.functional.normalize(torch.randn(64, 40, generator=generator), dim=1)
    weights = Weights(drawn, drawn.clone(), torch.zeros(64), torch.zeros(40), 3)
    return rows, Dictionary(weights, torch.zeros(40), 1.0, "topk")


def test_codes_are_the_dictionarys(layer):
    rows, dictionary = layer
    assert np.allclose(sparse_codes(dictionary, rows).toarray(), dictionary.encode(rows).dense().numpy())


def test_every_control_is_there_at_the_rates_of_the_features(layer):
    rows, dictionary = layer
    features = sparse_codes(dictionary, rows)
    chosen = np.arange(10)
    found = dict(controls(rows, features, dictionary, chosen, frozen=dictionary, random_state=0))
    assert list(found) == [
        "units at the same rate",
        "units",
        "random directions at that rate",
        "directions of the layer's covariance at that rate",
        "untrained dictionary",
        "frozen dictionary",
        "shuffled tokens",
    ]
    rates = np.sort(np.diff(features[:, chosen].indptr) / 2000)
    for kind in ("units at the same rate", "random directions at that rate"):
        assert np.allclose(np.sort(np.diff(found[kind].indptr) / 2000), rates), kind
    assert found["units"].shape == (2000, 10)
    assert found["units"].toarray().min() >= 0
    shuffled, real = found["shuffled tokens"].toarray(), features[:, chosen].toarray()
    assert np.allclose(np.sort(shuffled, axis=0), np.sort(real, axis=0))
    assert np.allclose(sorted(map(tuple, shuffled)), sorted(map(tuple, real)))  # whole rows, not each column
    assert not np.allclose(shuffled, real)
    assert found["untrained dictionary"].toarray().astype(bool).sum(axis=1).max() <= 3


def test_controls_are_the_same_for_a_seed(layer):
    rows, dictionary = layer
    features = sparse_codes(dictionary, rows)
    one, two = (dict(controls(rows, features, dictionary, np.arange(5), random_state=3)) for _ in range(2))
    assert all((one[kind] != two[kind]).nnz == 0 for kind in one)


def test_of_units_alone_rates_are_theirs(layer):
    rows, _ = layer
    found = dict(controls(rows, None, None, np.arange(6), random_state=0))
    assert "untrained dictionary" not in found
    expected = (rows[:, :6] > 0).mean(axis=0)
    assert np.allclose(np.diff(found["random directions at that rate"].indptr) / 2000, expected)
    sums = csc_array(found["shuffled tokens"]).sum(axis=0)
    assert np.allclose(sums, np.maximum(rows[:, :6], 0).sum(axis=0), rtol=1e-4)
