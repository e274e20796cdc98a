"""The control whose decoder stays at its random beginning (arXiv 2602.14111): only the encoder and the biases learn."""

from torch import Tensor

from ..codes import Codes, Weights
from .base import variant
from .topk import TopK, topk_codes


class Frozen(TopK):
    """As topk, with a decoder that does not learn."""

    fixed = ("decoder",)


@variant(
    "frozen", "a control: the k largest answers, read out along random directions that never learn", Frozen()
)
def frozen_codes(pre: Tensor, weights: Weights) -> Codes:
    """F = ReLU of the k largest of pre.

    Parameters
    ----------
    pre : Tensor of shape (n_rows, n_features)
    weights : Weights
    """
    return topk_codes(pre, weights)
