"""Every feature whose answer is above 0, kept sparse by an L1 penalty (Bricken et al. 2023)."""

from torch import Tensor

from ..codes import Codes, Weights, codes_of
from .base import variant


@variant("relu", "every answer above 0, sparse by an L1 penalty")
def relu_codes(pre: Tensor, weights: Weights) -> Codes:
    """F = ReLU of pre.

    Parameters
    ----------
    pre : Tensor of shape (n_rows, n_features)
    weights : Weights
    """
    del weights
    return codes_of(pre.clamp_min(0))
