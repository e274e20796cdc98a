"""Features in nested groups (Bussmann et al. 2025, arXiv 2503.17547): the first ones must explain rows on their own."""

import torch
from torch import Tensor

from ..codes import Codes, Weights
from ..sparse_products.products import Places, decode
from .base import Batch, variant
from .batchtopk import BatchTopK, batchtopk_codes

_PARTS = (16, 8, 4, 2, 1)


def prefixes(n_features: int) -> list[int]:
    """How many features each group holds: F / 16, F / 8, F / 4, F / 2, F."""
    return sorted({max(1, n_features // part) for part in _PARTS})


class Matryoshka(BatchTopK):
    """Loss: the mean over groups of the fraction of variance that each leaves; one choice of the largest for all."""

    def made_and_loss(self, batch: Batch, values: Tensor, places: Places) -> tuple[Tensor, Tensor]:
        """Each ring of features is decoded once; a group is the sum of its rings."""
        ends = prefixes(batch.weights.n_features)
        rings = torch.bucketize(places.features, torch.tensor(ends), right=True)
        bags = places.rows.long() * len(ends) + rings
        order = torch.sort(bags, stable=True).indices
        counts = torch.bincount(bags, minlength=len(batch.x) * len(ends))
        inner = Places(places.features[order], (counts.cumsum(0) - counts).int(), places.n_features)
        parts = decode(values[order], batch.weights.decoder, inner).view(len(batch.x), len(ends), -1)
        groups = parts.cumsum(1) + batch.put_back
        loss = (batch.target[:, None] - groups).square().sum() / (batch.spread * len(ends))
        return groups[:, -1], loss


@variant("matryoshka", "nested groups of features, each of which explains rows on its own", Matryoshka())
def matryoshka_codes(pre: Tensor, weights: Weights) -> Codes:
    """F = ReLU(pre) where pre exceeds the threshold.

    Parameters
    ----------
    pre : Tensor of shape (n_rows, n_features)
    weights : Weights
    """
    return batchtopk_codes(pre, weights)
