"""What variants share whose sparsity is a penalty: all answers at once, and a weight that seeks a sparsity."""

import math

from torch import Tensor

from .base import Batch

WARM_UP = 0.05
"""Share of the training over which the penalty grows to its weight."""
_ARRIVAL = 0.7
_PACE, _WIDEST = 0.02, 0.5
_PENALTY, _BEGAN, FIXED = "penalty", "began_with_active", "fixed_penalty"


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
    """The weight of the penalty: it grows over the first 5 % of the training, then leads to the wanted sparsity.

    The number of active features aimed at falls, by equal factors, from what there was after the growth to what is
    wanted at seven tenths of the training; each batch moves the logarithm of the weight by .02 times the logarithm of
    actual over aimed number (at most a half). A weight that is given, ``state["fixed_penalty"]``, only grows.

    Parameters
    ----------
    batch : Batch
    beginning : float
        The weight at the end of its growth.
    n_active : float
        Mean active features of a row, in this batch.
    """
    state, done = batch.state, batch.done
    if FIXED in state:
        return state[FIXED] * min(1.0, done / WARM_UP)
    weight = state.setdefault(_PENALTY, beginning)
    if done < WARM_UP:
        return weight * done / WARM_UP
    active = math.log(max(n_active, 1e-3))
    began = state.setdefault(_BEGAN, active)
    passed = min(1.0, (done - WARM_UP) / (_ARRIVAL - WARM_UP))
    aim = began + (math.log(batch.active) - began) * passed
    state[_PENALTY] = weight * math.exp(_PACE * max(-_WIDEST, min(_WIDEST, active - aim)))
    return state[_PENALTY]
