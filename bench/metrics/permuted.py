"""Responses in other orders, predicted anew: what a p of held-out predictions is computed from."""

from collections.abc import Sequence
from dataclasses import dataclass

from ...analysis.encoding.cross_validation import Indices
from ...analysis.encoding.nested_ridge import Fit, Targets, products_device
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
    folds : list of (array, array)
        Predictions and responses of each fold's held-out stimuli, ``(n_test, n_orders, n_neuroids)``.
    n_orders : int
    said : dict
        For the methods of a record.
    """

    neuroids: Indices
    folds: list[tuple[Floats, Floats]]
    n_orders: int
    said: dict[str, object]


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
    responses = targets[:, some][orders].transpose(1, 0, 2)
    device = products_device()
    fitted = responses if training is None else training[:, some][orders].transpose(1, 0, 2)
    columns = Targets(fitted.reshape(len(targets), -1), device)
    folds: dict[int, tuple[Floats, Floats]] = {}
    for layer in dict.fromkeys(chosen):
        penalties = fits[chosen.index(layer)].penalties
        engine = KeptRidge(layers[layer], sampling.folds, penalties, device, columns)
        for i in (i for i, name in enumerate(chosen) if name == layer):
            found = engine.fit(i).prediction
            folds[i] = found.reshape(-1, len(orders), len(some)), responses[sampling.tests[i]]
    over = f", over {len(some)} of {targets.shape[1]} neuroids" if len(some) < targets.shape[1] else ""
    said = f"{what}, {len(orders)} times, penalties chosen anew{over}"
    by_fold = [folds[i] for i in range(len(folds))]
    return Permuted(some, by_fold, len(orders), {"p": said, "smallest_p": smallest})
