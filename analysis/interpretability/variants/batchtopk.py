"""The k n most active features of n rows together (Bussmann et al. 2024, arXiv 2412.06410): rows differ in how many."""

from dataclasses import replace

import torch
from torch import Tensor

from ..codes import Codes, Weights, codes_of
from ..sparse_products.products import Places
from .base import Batch, Learning, Outcome, active_values, decoded, largest_of_rows, variant

MEMORY = 0.999
_FIRST_WIDTH = 4
_THRESHOLD, _WEIGHT = "threshold", "threshold_weight"


class BatchTopK(Learning):
    """Loss: the fraction of variance that the k n largest of a batch leave.

    At inference a feature is active where its answer exceeds a threshold: the running mean (memory .999, without the
    pull of its beginning at zero) of each batch's smallest kept answer.
    """

    def run(self, batch: Batch) -> Outcome:
        """Loss and reconstruction of a batch."""
        raw, chosen, indices, centred = largest_of_batch(batch)
        remember_threshold(batch.state, float(raw[chosen].min()) if bool(chosen.any()) else 0.0)
        places = Places.irregular(chosen, indices, batch.weights.n_features)
        values = active_values(batch, raw[chosen], centred, places)
        made, loss = self.made_and_loss(batch, values, places)
        return Outcome(loss, made, places.features, len(places.features) / len(batch.x))

    def made_and_loss(self, batch: Batch, values: Tensor, places: Places) -> tuple[Tensor, Tensor]:
        """The reconstruction, and what it leaves."""
        made = decoded(batch, values, places)
        return made, batch.error(made)

    def finished(self, weights: Weights, state: dict[str, float]) -> Weights:
        """With the threshold, the same for all features."""
        threshold = state.get(_THRESHOLD, 0.0) / max(state.get(_WEIGHT, 0.0), 1e-12)
        return replace(weights, threshold=torch.full_like(weights.encoder_bias, threshold))


def largest_of_batch(batch: Batch) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The k n largest positive answers of n rows.

    Each row's largest are found first, as many as hold all of those: a row of which every candidate was taken may have
    more, and then twice as many are looked at.

    Returns
    -------
    values : Tensor of shape (n, m)
        Candidates.
    chosen : bool Tensor of shape (n, m)
    indices : Tensor of shape (n, m)
        Their features.
    centred : Tensor of shape (n, d)
    """
    n_features, wanted = batch.weights.n_features, batch.active * len(batch.x)
    width = min(_FIRST_WIDTH * batch.active, n_features)
    while True:
        values, indices, centred = largest_of_rows(batch, width)
        flat = values.reshape(-1)
        if wanted < len(flat):
            chosen = torch.zeros(len(flat), dtype=torch.bool)
            chosen[flat.topk(wanted, sorted=False).indices] = True
            chosen = chosen.view_as(values) & (values > 0)
        else:
            chosen = values > 0
        if width == n_features or not bool(chosen.all(1).any()):
            return values, chosen, indices, centred
        width = min(2 * width, n_features)


def remember_threshold(state: dict[str, float], smallest: float) -> None:
    """One more smallest kept answer in the running mean."""
    state[_THRESHOLD] = MEMORY * state.get(_THRESHOLD, 0.0) + (1 - MEMORY) * smallest
    state[_WEIGHT] = MEMORY * state.get(_WEIGHT, 0.0) + (1 - MEMORY)


@variant(
    "batchtopk",
    "the k n largest answers of n rows while learning, every answer above a threshold after",
    BatchTopK(),
)
def batchtopk_codes(pre: Tensor, weights: Weights) -> Codes:
    """F = ReLU(pre) where pre exceeds the threshold.

    Parameters
    ----------
    pre : Tensor of shape (n_rows, n_features)
    weights : Weights
    """
    threshold = 0.0 if weights.threshold is None else weights.threshold
    return codes_of(torch.where(pre > threshold, pre.clamp_min(0), 0.0))
