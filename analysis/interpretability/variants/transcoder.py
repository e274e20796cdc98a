"""Features that make a block's output of its input (Dunefsky et al. 2024, arXiv 2406.11944)."""

from dataclasses import replace

import torch
from torch import Tensor

from ..codes import Codes, Weights
from .base import variant
from .topk import TopK, topk_codes


class Transcoder(TopK):
    """As topk, where what is made is the rows of another place; the input's bias stays zero."""

    transcodes = True
    fixed = ("bias",)

    def begin(self, weights: Weights, generator: torch.Generator) -> Weights:
        """With a bias of the output."""
        del generator
        output_bias = torch.zeros(weights.decoder.shape[1])
        return replace(weights, extra={**weights.extra, "output_bias": output_bias})


@variant("transcoder", "the k largest answers to a block's input, which make its output", Transcoder())
def transcoder_codes(pre: Tensor, weights: Weights) -> Codes:
    """F = ReLU of the k largest of pre.

    Parameters
    ----------
    pre : Tensor of shape (n_rows, n_features)
    weights : Weights
    """
    return topk_codes(pre, weights)
