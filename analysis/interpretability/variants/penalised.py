"""What the variants share whose sparsity is a penalty: all answers at once, and a weight that seeks a number of active features."""

import math

from torch import Tensor

from .base import Batch

WARM_UP = 0.05
"""Share of the training over which the penalty grows to its weight."""
_PACE, _WIDEST = 0.02, 1.0
_PENALTY = "penalty"


def answers(batch: Batch) -> Tensor:
    """``E (x - b) + b_e`` of all features, (n, F), differentiable."""
    weights = batch.weights
    centred = (batch.x - weights.bias).to(batch.product)
    product: Tensor = centred @ weights.encoder.to(batch.product).T
    return product.float() + weights.encoder_bias


def read_out(batch: Batch, features: Tensor) -> Tensor:
    """``f D + b``, (n, d)."""
    product: Tensor = features.to(batch.product) @ batch.weights.decoder.to(batch.product)
    return product.float() + batch.put_back


def penalty_weight(batch: Batch, beginning: float, n_active: float) -> float:
    """The weight of the penalty: grows over the first 5 % of the training, then seeks the wanted number of active features.

    After the warm-up each batch moves the weight's logarithm by .02 times the logarithm of the number of active features
    over the number wanted, at most by .02. Where a weight is given (``state["fixed_penalty"]``) it stays.

    Parameters
    ----------
    batch : Batch
    beginning : float
        The weight before it seeks.
    n_active : float
        Mean active features of a row, in this batch.
    """
    state = batch.state
    if "fixed_penalty" in state:
        return state["fixed_penalty"] * min(1.0, batch.done / WARM_UP)
    weight = state.setdefault(_PENALTY, beginning)
    if batch.done < WARM_UP:
        return weight * batch.done / WARM_UP
    excess = math.log(max(n_active, 1e-3) / batch.active)
    state[_PENALTY] = weight * math.exp(_PACE * max(-_WIDEST, min(_WIDEST, excess)))
    return state[_PENALTY]
