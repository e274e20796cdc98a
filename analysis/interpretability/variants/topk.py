"""The k most active features of each row (Gao et al. 2024)."""

from torch import Tensor

from ..codes import Codes, Weights
from .base import variant


@variant("topk", "the k largest answers of each row, where they are above 0")
def topk_codes(pre: Tensor, weights: Weights) -> Codes:
    """F = ReLU of the k largest of pre.

    Parameters
    ----------
    pre : Tensor of shape (n_rows, n_features)
    weights : Weights
    """
    values, indices = pre.topk(min(weights.k, pre.shape[1]), dim=1)
    return Codes(values.clamp_min(0), indices, pre.shape[1])
