"""Codes are averaged, not averages encoded."""

import numpy as np
import pytest
import torch

from brodmann.analysis.interpretability.codes import Codes
from brodmann.analysis.interpretability.voxels.expansions import random_relu_at_rate
from brodmann.analysis.interpretability.voxels.pooling import pooled
from brodmann.errors import UserError


def parts(rows, stimulus, size=7):
    for start in range(0, len(rows), size):
        yield rows[start : start + size], stimulus[start : start + size]


def test_the_mean_of_each_stimulus_whatever_the_parts():
    generator = np.random.default_rng(0)
    rows, stimulus = generator.normal(size=(60, 5)), generator.integers(0, 6, 60)
    found = pooled(parts(rows, stimulus), {"same": lambda x: x, "square": lambda x: x**2}, 6)
    for one in range(6):
        np.testing.assert_allclose(found["same"][one], rows[stimulus == one].mean(axis=0))
        np.testing.assert_allclose(found["square"][one], (rows[stimulus == one] ** 2).mean(axis=0))


def test_sparse_codes_count_as_their_dense_selves():
    generator = np.random.default_rng(1)
    values = torch.from_numpy(generator.random((40, 3)))
    indices = torch.from_numpy(np.stack([generator.choice(9, 3, replace=False) for _ in range(40)]))
    values[0, 1:] = 0  # unused entries name any feature
    codes = Codes(values, indices, 9)
    stimulus = np.sort(np.arange(40) % 4)
    taken = {"sparse": lambda at: Codes(values[at], indices[at], 9), "dense": lambda at: codes.dense()[at]}
    found = pooled(parts(np.arange(40), stimulus), taken, 4)
    np.testing.assert_allclose(found["sparse"], found["dense"])
    assert found["sparse"].shape == (4, 9)


def test_encoding_the_average_is_another_thing():
    generator = np.random.default_rng(2)
    rows, stimulus = generator.normal(size=(200, 16)), np.arange(200) % 10
    expand = random_relu_at_rate(rows, 64, 0.05)
    codes = pooled(parts(rows, stimulus), {"a": expand}, 10)["a"]
    averaged = expand(np.stack([rows[stimulus == one].mean(axis=0) for one in range(10)]))
    assert ((codes > 0).sum(axis=1) > 10).all()
    assert (averaged == 0).all()


def test_stimuli_without_rows_are_named():
    with pytest.raises(UserError, match=r"1 of 3 stimuli have no row \(first: number 1\)"):
        pooled([(np.ones((2, 2)), np.array([0, 2]))], {"a": lambda x: x}, 3)
    with pytest.raises(UserError, match="stimulus 3, and there are 3"):
        pooled([(np.ones((2, 2)), np.array([0, 3]))], {"a": lambda x: x}, 3)
