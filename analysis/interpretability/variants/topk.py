"""The k most active features of each row (Gao et al. 2024, arXiv 2406.04093), the dead ones revived by AuxK."""

from torch import Tensor

from ..codes import Codes, Weights
from ..sparse_products.products import Places
from .base import Batch, Learning, Outcome, active_values, decoded, largest_of_rows, variant


class TopK(Learning):
    """Loss: the fraction of variance that the k largest leave."""

    def run(self, batch: Batch) -> Outcome:
        """Loss and reconstruction of a batch."""
        raw, indices, centred = largest_of_rows(batch, batch.active)
        places = Places.regular(indices, batch.weights.n_features)
        values = active_values(batch, raw.view(-1), centred, places)
        made = self.made(batch, values, places)
        positive = values.detach() > 0
        loss = batch.error(made) + self.penalty(batch, values, places)
        return Outcome(loss, made, places.features[positive], float(positive.sum()) / len(batch.x))

    def made(self, batch: Batch, values: Tensor, places: Places) -> Tensor:
        """The reconstruction."""
        return decoded(batch, values, places)

    def penalty(self, batch: Batch, values: Tensor, places: Places) -> Tensor | float:
        """What is added to the loss."""
        del batch, values, places
        return 0.0


@variant("topk", "the k largest answers of each row, where they are above 0", TopK())
def topk_codes(pre: Tensor, weights: Weights) -> Codes:
    """F = ReLU of the k largest of pre.

    Parameters
    ----------
    pre : Tensor of shape (n_rows, n_features)
    weights : Weights
    """
    values, indices = pre.topk(min(weights.k, pre.shape[1]), dim=1)
    return Codes(values.clamp_min(0), indices, pre.shape[1])
