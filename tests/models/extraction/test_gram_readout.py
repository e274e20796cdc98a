"""A Gram matrix that is accumulated is that of the stored layer, however few stimuli are held at once."""

import numpy as np
import pytest
import torch
from torch import nn

from brodmann.analysis.representation.gram import gram
from brodmann.errors import UserError
from brodmann.models import ImagePreprocessing, LanguageModel, Readout, VisionModel
from brodmann.models.architectures.random_transformer import ByteTokenizer, RandomTransformer
from brodmann.models.extraction import gram_readout
from brodmann.models.extraction.gram_readout import gram_matrices

A_STIMULUS = 4 * (4 * 36 + 2 * 16)
"""Bytes of both layers."""


def vision(**options):
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 2, 3))
    return VisionModel(
        module,
        identifier="net",
        preprocess=ImagePreprocessing(8),
        layers=["0", "2"],
        **{"batch_size": 2, "cache": False} | options,
    )


@pytest.mark.parametrize(("n_held", "n_passes"), [(0, 4), (2, 4), (3, 3), (4, 2), (6, 2), (7, 1), (100, 1)])
def test_it_is_the_gram_matrix_of_the_layer_in_as_many_passes_as_memory_needs(
    pictures, monkeypatch, n_held, n_passes
):
    model, passes = vision(), []
    own = type(model)._read_batches

    def counted(self, *given):
        passes.append(1)
        return own(self, *given)

    monkeypatch.setattr(type(model), "_read_batches", counted)
    found = model.gram(pictures, held_bytes=n_held * A_STIMULUS)
    assert len(passes) == n_passes
    for name, values in model.extract(pictures).items():
        expected = gram(values.values)
        np.testing.assert_allclose(found[name], expected, rtol=1e-12, atol=1e-12 * np.abs(expected).max())
        np.testing.assert_array_equal(found[name], found[name].T)


def test_units_are_taken_in_parts_and_a_large_mean_costs_no_digits(monkeypatch):
    """Responses of about 1 on a mean of 1000, whose inner products uncentred would keep ten digits fewer."""
    monkeypatch.setattr(gram_readout, "_UNITS", 7)
    values = torch.from_numpy(np.random.default_rng(0).normal(1000, 1, (11, 40)).astype(np.float32))
    plan = [np.array([3, 1, 0]), np.array([2, 4, 5, 6]), np.array([10, 9, 8, 7])]

    def batches(first):
        return ((rows, {"a": values[torch.from_numpy(rows)]}) for rows in plan[first:])

    exact = values.double().numpy() - values.double().numpy().mean(axis=0)
    for held in (0, 7 * 160, 1 << 20):
        found = gram_matrices(batches, plan, {"a": 40}, 4, held)["a"]
        np.testing.assert_allclose(found, exact @ exact.T, atol=1e-9)


def test_texts_of_any_order_and_pooled_projected_half_layers(sentences, pictures):
    reader = LanguageModel(
        RandomTransformer(width=32, n_layers=1), ByteTokenizer(), identifier="reader", layers=["blocks.0"],
        batch_size=2, cache=False,
    )  # fmt: skip
    for model, stimuli, readout in (
        (reader, sentences, None),
        (vision(), pictures, Readout(pool="mean")),
        (vision(), pictures, Readout(project=5, seed=1)),
        (vision(), pictures, Readout(half=True)),
    ):
        found = model.gram(stimuli, readout=readout, held_bytes=0)
        for name, values in model.extract(stimuli, readout=readout).items():
            expected = gram(np.asarray(values.values, np.float64))
            np.testing.assert_allclose(found[name], expected, rtol=1e-9, atol=1e-9 * np.abs(expected).max())


def test_what_does_not_fit_and_what_is_not_finite_are_one_line(pictures, monkeypatch):
    with monkeypatch.context() as little:
        little.setenv("BRODMANN_MEMORY_GB", "0.0000001")
        with pytest.raises(UserError, match="the Gram matrices of 1 layers of 7 stimuli"):
            gram_matrices(None, [np.arange(7)], {"a": 3}, 4, 0)
    model = vision()
    model.module[2].bias.data[0] = float("nan")
    with pytest.raises(
        UserError, match=r"layer '2' of net gives 32 values that are NaN or infinite \(first stimulus: 'p0'"
    ):
        model.gram(pictures)
