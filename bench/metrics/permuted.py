"""Responses in other orders, predicted anew: what a p of held-out predictions is computed from."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from ...analysis.encoding.cross_validation import Indices
from ...analysis.encoding.nested_ridge import Fit, Reordered, products_device
from ...analysis.encoding.pooled import PooledFolds
from . import uncertainty
from .base import Floats, Layers, ScoringOptions
from .kept_fits import KeptRidge
from .sampling import Sampling

PERMUTED_ENTRIES = 1 << 24
"""Most numbers of all permuted responses together; fewer neuroids are tested where there would be more."""


@dataclass(frozen=True)
class Permuted:
    """Predictions of permuted responses, with penalties chosen anew for every order.

    At the penalties of the true responses p would be far too large: a penalty that is chosen where training responses
    are related to the features by chance goes with held-out ones that are so much less.

    Attributes
    ----------
    neuroids : array of int
        Those that are tested.
    orders : array of shape (n_orders, n_stimuli)
    said : dict
        For the methods of a record.
    """

    neuroids: Indices
    orders: Indices
    said: dict[str, object]
    _fits: Sequence[Fit]
    _responses: Floats

    @property
    def n_orders(self) -> int:
        """How many orders."""
        return len(self.orders)

    @cached_property
    def folds(self) -> list[tuple[Floats, Floats]]:
        """Predictions and responses of each fold's held-out stimuli, ``(n_test, n_orders, n_neuroids)``."""
        shape = self.n_orders, len(self.neuroids)
        tests = [one.split.test for one in self._fits]
        truths = [self._responses[self.orders[:, test].T] for test in tests]
        return [
            (one.prediction.reshape(-1, *shape), truth) for one, truth in zip(self._fits, truths, strict=True)
        ]

    def r(self, pooled: PooledFolds) -> Floats:
        """Pearson's r in every order, pooled over folds, ``(n_orders, n_neuroids)``."""
        return pooled.r_of_orders(self._fits, self._responses, self.orders)


def permuted(
    layers: Layers,
    chosen: Sequence[str],
    fits: Sequence[Fit],
    sampling: Sampling,
    targets: Floats,
    members: Sequence[Indices],
    options: ScoringOptions,
    training: Floats | None = None,
) -> Permuted:
    """Fit the layer that each fold chose to responses in orders that keep what depends on each other.

    Parameters
    ----------
    layers, chosen
        Features by layer, and the layer of each fold.
    fits : sequence of Fit
        Of the true responses, whose penalties are tried.
    sampling : Sampling
    targets : array of shape (n_stimuli, n_neuroids)
    members : sequence of array of int
        The neuroids of each subject.
    options : ScoringOptions
        ``n_permutations`` and ``seed``.
    training : array of shape (n_stimuli, n_neuroids), optional
        What is fitted, where it is not `targets`; it is put in the same orders.
    """
    orders, what, smallest = sampling.orders(options.n_permutations, options.seed + 2)
    most = min(PERMUTED_ENTRIES // (len(targets) * len(orders)), uncertainty.MOST_TESTED)
    some = uncertainty.subsample_targets(members, options.seed, most)
    responses = targets[:, some]
    device = products_device()
    columns = Reordered(responses if training is None else training[:, some], orders, device)
    fitted: dict[int, Fit] = {}
    for layer in dict.fromkeys(chosen):
        penalties = fits[chosen.index(layer)].penalties
        ours = [i for i, name in enumerate(chosen) if name == layer]
        folds = [sampling.folds[i] for i in ours]
        engine = KeptRidge(layers[layer], folds, penalties, device, columns)
        fitted |= {i: engine.fit(at) for at, i in enumerate(ours)}
    over = f", over {len(some)} of {targets.shape[1]} neuroids" if len(some) < targets.shape[1] else ""
    said = f"{what}, {len(orders)} times, penalties chosen anew{over}"
    by_fold = [fitted[i] for i in range(len(fitted))]
    return Permuted(some, orders, {"p": said, "smallest_p": smallest}, by_fold, responses)
