"""Every feature whose answer is above 0, kept sparse by an L1 penalty (Bricken et al. 2023), dead ones set anew."""

from torch import Tensor

from ..codes import Codes, Weights, codes_of
from .base import Batch, Learning, Outcome, variant
from .penalised import answers, penalty_weight, read_out


class Relu(Learning):
    """Loss: the fraction of variance left + lambda mean sum_i f_i ||D_i||; the decoder's norms are free."""

    unit_norm, revives, resamples = False, False, True
    sparse = False

    def run(self, batch: Batch) -> Outcome:
        """Loss and reconstruction of a batch."""
        features = answers(batch).relu()
        made = read_out(batch, features)
        firing = features.detach() > 0
        n_active = float(firing.sum()) / len(features)
        weight = penalty_weight(batch, 0.1 / batch.x.shape[1], n_active)
        norms = batch.weights.decoder.norm(dim=1)
        loss = batch.error(made) + weight * (features @ norms).mean()
        return Outcome(loss, made, firing.any(0).nonzero()[:, 0], n_active)


@variant("relu", "every answer above 0, sparse by an L1 penalty", Relu())
def relu_codes(pre: Tensor, weights: Weights) -> Codes:
    """F = ReLU of pre.

    Parameters
    ----------
    pre : Tensor of shape (n_rows, n_features)
    weights : Weights
    """
    del weights
    return codes_of(pre.clamp_min(0))
