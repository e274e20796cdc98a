"""A transcoder with a linear way around its features (Paulo et al. 2025, arXiv 2501.18823)."""

from dataclasses import replace

import torch
from torch import Tensor

from ..codes import Codes, Weights
from ..sparse_products.products import Places
from .base import Batch, decoded, variant
from .topk import topk_codes
from .transcoder import Transcoder


class Skip(Transcoder):
    """``y^ = f D + b + W x``, W of shape (d_out, d), from zero."""

    def begin(self, weights: Weights, generator: torch.Generator) -> Weights:
        """With the map."""
        weights = super().begin(weights, generator)
        skip = torch.zeros(weights.decoder.shape[1], weights.n_units)
        return replace(weights, extra={**weights.extra, "skip": skip})

    def made(self, batch: Batch, values: Tensor, places: Places) -> Tensor:
        """The reconstruction."""
        return decoded(batch, values, places) + batch.x @ batch.weights.extra["skip"].T


@variant("skip", "a transcoder with a linear map beside its features", Skip())
def skip_codes(pre: Tensor, weights: Weights) -> Codes:
    """F = ReLU of the k largest of pre.

    Parameters
    ----------
    pre : Tensor of shape (n_rows, n_features)
    weights : Weights
    """
    return topk_codes(pre, weights)
