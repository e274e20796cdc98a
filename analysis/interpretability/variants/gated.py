"""A gate says which features are active, a magnitude how much (Rajamanoharan et al. 2024, arXiv 2404.16014)."""

from dataclasses import replace

import torch
from torch import Tensor

from ..codes import Codes, Weights, codes_of
from .base import Batch, Learning, Outcome, variant
from .penalised import answers, penalty_weight, read_out

LOG_MAGNITUDE, MAGNITUDE_BIAS = "log_magnitude", "magnitude_bias"


class Gated(Learning):
    """Loss: fraction of variance left + lambda mean sum ReLU(g) + what ReLU(g) through the detached decoder leaves.

    ``g = E (x - b) + b_e``, ``m = exp(r) (g - b_e) + b_m``, ``f = H(g) ReLU(m)``.
    """

    sparse = False

    def begin(self, weights: Weights, generator: torch.Generator) -> Weights:
        """With the magnitudes' scale and bias."""
        del generator
        zeros = torch.zeros_like(weights.encoder_bias)
        extra = {LOG_MAGNITUDE: zeros, MAGNITUDE_BIAS: zeros.clone()}
        return replace(weights, extra={**weights.extra, **extra})

    def run(self, batch: Batch) -> Outcome:
        """Loss and reconstruction of a batch."""
        weights = batch.weights
        gate = answers(batch)
        features = activation(gate, weights)
        made = read_out(batch, features)
        opened = gate.relu()
        seen = opened @ weights.decoder.detach() + batch.put_back.detach()
        firing = features.detach() > 0
        n_active = float(firing.sum()) / len(features)
        weight = penalty_weight(batch, 0.1 / batch.x.shape[1], n_active)
        loss = batch.error(made) + weight * opened.sum(1).mean() + batch.error(seen)
        return Outcome(loss, made, firing.any(0).nonzero()[:, 0], n_active)


def activation(gate: Tensor, weights: Weights) -> Tensor:
    """``H(g) ReLU(exp(r) (g - b_e) + b_m)``."""
    stretch, bias = weights.extra[LOG_MAGNITUDE].exp(), weights.extra[MAGNITUDE_BIAS]
    magnitude = (gate - weights.encoder_bias) * stretch + bias
    return torch.where(gate > 0, magnitude.relu(), 0.0)


@variant("gated", "a gate that says which features are active, and a magnitude that says how much", Gated())
def gated_codes(pre: Tensor, weights: Weights) -> Codes:
    """F = H(g) ReLU(m), with g = pre.

    Parameters
    ----------
    pre : Tensor of shape (n_rows, n_features)
    weights : Weights
        With ``log_magnitude`` and ``magnitude_bias`` in `extra`.
    """
    return codes_of(activation(pre, weights))
