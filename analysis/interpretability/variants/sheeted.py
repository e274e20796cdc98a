"""Features on a sheet of their own, where neighbours are active together (a topographic dictionary)."""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from ..codes import Codes, Weights
from ..sparse_products.products import Places, piece_rows
from .base import Batch, variant
from .topk import TopK, topk_codes

STRENGTH = 0.1
_EPSILON = 1e-6
SHEET = "sheet"


class Sheeted(TopK):
    """Loss: as topk + gamma mean over rows of P(f) / P_1(f).

    ``P(f) = sum_g sqrt(sum_{j in the 3 x 3 block around g} f_j^2 + eps)`` over all places g of a sheet that closes on
    itself. It is divided by its value were each active feature alone, ``P_1 = 9 sum_j f_j`` (without gradient), so that
    gamma is a pure number: 1 where active features lie apart, less where they lie together.
    """

    def begin(self, weights: Weights, generator: torch.Generator) -> Weights:
        """With the sheet's height and width."""
        del generator
        shape = torch.tensor(sheet_of(weights.n_features), dtype=torch.float32)
        return replace(weights, extra={**weights.extra, SHEET: shape})

    fixed = (f"extra.{SHEET}",)

    def penalty(self, batch: Batch, values: Tensor, places: Places) -> Tensor:
        """Gamma times how far active features lie apart."""
        apart: Tensor = _Apart.apply(values, places, sheet_of(places.n_features))  # type: ignore[no-untyped-call]
        alone = (9 * values.detach().sum()).clamp_min(1e-12)
        return STRENGTH * apart / alone


def sheet_of(n_features: int) -> tuple[int, int]:
    """Height and width of the sheet of features: the two factors of their number that are nearest to each other."""
    height = next(one for one in range(int(n_features**0.5), 0, -1) if n_features % one == 0)
    return height, n_features // height


class _Apart(torch.autograd.Function):
    """``sum_n sum_g sqrt(S_ng + eps) - sqrt(eps)``, S the sums of squares in blocks, some rows at a time."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, places: Places, sheet: tuple[int, int]) -> Tensor:
        n_rows, rows, features = len(places.starts), places.rows.long(), places.features.long()
        step = piece_rows(places.n_features)
        total, slopes = values.new_zeros(()), torch.empty_like(values)
        edges = torch.cat([places.starts.long(), torch.tensor([len(values)])])
        for start in range(0, n_rows, step):
            stop = min(start + step, n_rows)
            inside = slice(int(edges[start]), int(edges[stop]))
            squares = values.new_zeros((stop - start) * places.n_features)
            at = (rows[inside] - start) * places.n_features + features[inside]
            squares[at] = values[inside].square()
            roots = (blocks(squares.view(-1, *sheet)) + _EPSILON).sqrt()
            total += (roots - _EPSILON**0.5).sum()
            slopes[inside] = values[inside] * blocks(roots.reciprocal()).reshape(-1)[at]
        ctx.save_for_backward(slopes)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (slopes,) = ctx.saved_tensors
        return gradients[0] * slopes, None, None


def blocks(maps: Tensor) -> Tensor:
    """Sums over 3 x 3 blocks of maps (n, height, width) that close on themselves."""
    padded = F.pad(maps[:, None], (1, 1, 1, 1), mode="circular")
    return F.avg_pool2d(padded, 3, stride=1, divisor_override=1)[:, 0]


@variant(
    "sheeted", "the k largest answers, of features on a sheet whose neighbours are active together", Sheeted()
)
def sheeted_codes(pre: Tensor, weights: Weights) -> Codes:
    """F = ReLU of the k largest of pre.

    Parameters
    ----------
    pre : Tensor of shape (n_rows, n_features)
    weights : Weights
    """
    return topk_codes(pre, weights)
