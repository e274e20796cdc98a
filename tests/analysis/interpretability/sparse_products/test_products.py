"""Sparse products beside dense ones: what they give, and every gradient."""

import pytest
import torch

from brodmann.analysis.interpretability.sparse_products.largest import group_size, largest
from brodmann.analysis.interpretability.sparse_products.products import (
    Places,
    choose,
    decode,
    piece_rows,
    with_gradient,
)


def stream(seed):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(
    ("n_features", "k"), [(512, 6), (1376, 16), (4096, 32), (37, 5), (40, 40), (16384, 64), (65536, 8)]
)
def test_the_largest_by_groups_are_the_largest(n_features, k):
    rows = torch.randn(23, n_features, generator=stream(0))
    values, indices = largest(rows, k)
    assert torch.equal(values.sort(1).values, rows.topk(k).values.sort(1).values)
    assert torch.equal(rows.gather(1, indices), values)
    assert all(len(set(row.tolist())) == k for row in indices)


def test_the_largest_may_all_lie_in_one_group():
    size, n_groups = group_size(4096, 32), 4096 // group_size(4096, 32)
    assert size > 1
    rows = torch.randn(4, 4096, generator=stream(1)).abs()
    rows[:, torch.arange(size) * n_groups + 7] += 100  # the members of group 7
    values, indices = largest(rows, 32)
    assert torch.equal(values.sort(1).values, rows.topk(32).values.sort(1).values)
    assert ((indices % n_groups == 7).sum(1) == size).all()


def test_bfloat16_keeps_the_order_of_what_is_not_negative():
    rows = torch.randn(50, 2048, generator=stream(2)).bfloat16()
    values, indices = largest(rows, 16)
    exact = rows.float().clamp_min(0).topk(16).values
    assert torch.equal(values.float().sort(1).values, exact.sort(1).values)
    assert torch.equal(rows.gather(1, indices).clamp_min(0), values)


def test_few_positive_answers_leave_zeros():
    rows = -torch.rand(3, 1024, generator=stream(3))
    rows[:, 5] = 1
    values, indices = largest(rows.bfloat16(), 8)
    assert (values > 0).sum(1).tolist() == [1, 1, 1]
    assert (indices[values > 0] == 5).all()


@pytest.fixture
def weights():
    """x, encoder, encoder bias, bias, decoder of 64 features in 24 units."""
    shapes = ((90, 24), (64, 24), (64,), (24,), (64, 24))
    generator = stream(4)
    return [torch.randn(shape, generator=generator) for shape in shapes]


def gradients(loss, leaves):
    return torch.autograd.grad(loss, leaves)


def relative(ours, dense):
    return [((a - b).norm() / b.norm()).item() for a, b in zip(ours, dense, strict=True)]


def test_gradients_are_those_of_dense_products(weights):
    x, *leaves = weights
    encoder, encoder_bias, bias, decoder = (one.requires_grad_() for one in leaves)
    centred = x - bias.detach()
    raw, indices = choose(centred, encoder.detach(), encoder_bias.detach(), 5)
    places = Places.regular(indices, 64)
    values = with_gradient(raw.view(-1), centred, bias, encoder, encoder_bias, places).relu()
    sparse = (decode(values, decoder, places) + bias - x).square().sum()
    answers = (x - bias) @ encoder.T + encoder_bias
    kept, at = answers.topk(5)
    codes = torch.zeros_like(answers).scatter(1, at, kept.relu())
    dense = (codes @ decoder + bias - x).square().sum()
    assert sparse.item() == pytest.approx(dense.item(), rel=1e-5)
    both = [encoder, encoder_bias, bias, decoder]
    assert max(relative(gradients(sparse, both), gradients(dense, both))) < 1e-4


def test_rows_may_hold_different_numbers_of_features_or_none(weights):
    x, *leaves = weights
    encoder, encoder_bias, bias, decoder = (one.requires_grad_() for one in leaves)
    centred = x - bias.detach()
    raw, indices = choose(centred, encoder.detach(), encoder_bias.detach(), 20)
    chosen = raw > 13
    counts = chosen.sum(1)
    assert counts.min() == 0
    assert counts.max() > 3
    places = Places.irregular(chosen, indices, 64)
    values = with_gradient(raw[chosen], centred, bias, encoder, encoder_bias, places)
    sparse = (decode(values, decoder, places) + bias - x).square().sum()
    answers = (x - bias) @ encoder.T + encoder_bias
    dense = (torch.where(answers > 13, answers, 0.0) @ decoder + bias - x).square().sum()
    both = [encoder, encoder_bias, bias, decoder]
    assert max(relative(gradients(sparse, both), gradients(dense, both))) < 1e-4


def test_rows_are_encoded_piece_by_piece_as_at_once():
    n_features = 1 << 15
    generator = stream(5)
    encoder, x = torch.randn(n_features, 8, generator=generator), torch.randn(150, 8, generator=generator)
    assert len(x) > 2 * piece_rows(n_features)
    values, indices = choose(x, encoder, torch.zeros(n_features), 4)
    whole = (x @ encoder.T).topk(4)
    assert torch.allclose(values.sort(1).values, whole.values.sort(1).values, atol=1e-5)
    assert torch.equal(indices.sort(1).values, whole.indices.sort(1).values)
