"""Codes with few entries: choosing them, decoding them, and gradients that touch only what is active.

No array of (rows, features) is kept and none of (rows, k, units) is made: the encoder's product is searched piece by
piece, the decoder is a sum over a bag of its rows, and both gradients are such sums over the entries sorted by feature.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from .largest import largest

_PIECE_ENTRIES = 1 << 21
"""Pre-activations that are held at once: 4 MiB of bfloat16, which stay near the processor."""
_LEAST_ROWS = 64
_SUM = 0
_NO_PADDING = -1


@dataclass(frozen=True)
class Places:
    """Which features are active in which row, row after row.

    Attributes
    ----------
    features : int32 Tensor of shape (n_entries,)
        The feature of each entry.
    starts : int32 Tensor of shape (n_rows,)
        The first entry of each row.
    n_features : int
    """

    features: Tensor
    starts: Tensor
    n_features: int

    @classmethod
    def regular(cls, indices: Tensor, n_features: int) -> "Places":
        """Of as many entries in each row: indices (n_rows, k)."""
        n, k = indices.shape
        return cls(indices.reshape(-1).int(), torch.arange(n, dtype=torch.int32) * k, n_features)

    @classmethod
    def irregular(cls, chosen: Tensor, indices: Tensor, n_features: int) -> "Places":
        """Of the entries that `chosen`, bool (n_rows, m), marks among indices (n_rows, m)."""
        counts = chosen.sum(1)
        return cls(indices[chosen].int(), (counts.cumsum(0) - counts).int(), n_features)

    @cached_property
    def rows(self) -> Tensor:
        """The row of each entry, int32."""
        ends = torch.cat([self.starts[1:], torch.tensor([len(self.features)], dtype=torch.int32)])
        return torch.repeat_interleave(torch.arange(len(self.starts), dtype=torch.int32), ends - self.starts)

    @cached_property
    def by_feature(self) -> tuple[Tensor, Tensor, Tensor]:
        """The order that sorts entries by feature, their rows in it, and the first entry of each feature."""
        order = torch.sort(self.features, stable=True).indices
        counts = torch.bincount(self.features, minlength=self.n_features)
        return order, self.rows[order], (counts.cumsum(0) - counts).int()


def piece_rows(n_features: int) -> int:
    """How many rows are encoded at a time."""
    return max(_LEAST_ROWS, _PIECE_ENTRIES // n_features)


@torch.no_grad()
def choose(x: Tensor, encoder: Tensor, encoder_bias: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k largest of ``encoder x + encoder_bias`` for each row.

    Parameters
    ----------
    x : Tensor of shape (n, d)
    encoder : Tensor of shape (F, d)
        In the type of `x`; bfloat16 takes the processor's fast product where it has one, and negative values are 0.
    encoder_bias : Tensor of shape (F,)
    k : int

    Returns
    -------
    values : Tensor of shape (n, k)
        float32.
    indices : int64 Tensor of shape (n, k)
    """
    n, k = len(x), min(k, len(encoder))
    values = torch.empty(n, k, dtype=x.dtype)
    indices = torch.empty(n, k, dtype=torch.int64)
    step = piece_rows(len(encoder))
    for start in range(0, n, step):
        piece = slice(start, start + step)
        values[piece], indices[piece] = largest(torch.addmm(encoder_bias, x[piece], encoder.T), k)
    return values.float(), indices


def gathered(source: Tensor, which: Tensor, starts: Tensor, weights: Tensor) -> Tensor:
    """Weighted sums of rows of `source`, one a bag: ``out_g = sum_{i in bag g} weights_i source[which_i]``."""
    return F.embedding_bag(which, source, starts, mode="sum", per_sample_weights=weights)


class _Values(torch.autograd.Function):
    """Values that were read from the encoder's product, with their gradient to what they were made of."""

    @staticmethod
    def forward(
        ctx: Any,
        values: Tensor,
        x: Tensor,
        bias: Tensor,
        encoder: Tensor,
        encoder_bias: Tensor,
        places: Places,
    ) -> Tensor:
        ctx.save_for_backward(x, encoder)
        ctx.places = places
        return values.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, encoder = ctx.saved_tensors
        order, rows, starts = ctx.places.by_feature
        gradient = gradients[0]
        of_bias = torch.bincount(ctx.places.features, gradient, len(encoder)).to(gradient.dtype)
        return None, None, -(of_bias @ encoder), gathered(x, rows, starts, gradient[order]), of_bias, None


def with_gradient(
    values: Tensor, centred: Tensor, bias: Tensor, encoder: Tensor, encoder_bias: Tensor, places: Places
) -> Tensor:
    """Pre-activations at given places, differentiable in the encoder and both biases.

    ``a_nj = E_j . (x_n - b) + b_e_j`` at the entries (n, j) of `places`.

    Parameters
    ----------
    values : Tensor of shape (n_entries,)
        The pre-activations themselves, from `choose`.
    centred : Tensor of shape (n, d)
        x - b; no gradient flows to x.
    bias : Tensor of shape (d,)
    encoder : Tensor of shape (F, d)
    encoder_bias : Tensor of shape (F,)
    places : Places
    """
    result: Tensor = _Values.apply(values, centred, bias, encoder, encoder_bias, places)  # type: ignore[no-untyped-call]
    return result


class _Decode(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, decoder: Tensor, places: Places) -> Tensor:
        ctx.save_for_backward(values, decoder)
        ctx.places = places
        return gathered(decoder, places.features, places.starts, values)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        values, decoder = ctx.saved_tensors
        gradient, places = gradients[0].contiguous(), ctx.places
        of_values = torch.ops.aten._embedding_bag_per_sample_weights_backward(
            gradient, decoder, places.features, places.starts, places.rows, _SUM, _NO_PADDING
        )
        of_decoder = None
        if ctx.needs_input_grad[1]:
            order, rows, starts = places.by_feature
            of_decoder = gathered(gradient, rows, starts, values[order])
        return of_values, of_decoder, None


def decode(values: Tensor, decoder: Tensor, places: Places) -> Tensor:
    """``sum_j f_nj D_j`` for each row, differentiable in values and decoder.

    Parameters
    ----------
    values : Tensor of shape (n_entries,)
    decoder : Tensor of shape (F, d)
    places : Places
        Rows, or parts of rows: one sum each.

    Returns
    -------
    Tensor of shape (n, d)
    """
    result: Tensor = _Decode.apply(values, decoder, places)  # type: ignore[no-untyped-call]
    return result
