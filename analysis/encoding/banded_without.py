"""Banded predictions as if groups of training rows had not been fitted: what their intervals are made of."""

import numpy as np

from .banded import BandedFold
from .banded_spaces import Spaces
from .cross_validation import Indices
from .nested_ridge import Fit, Floats
from .pooled import predictions_without


def without_each_group(
    spaces: Spaces, fit: BandedFold, targets: Floats, weightings: Floats, groups: Indices
) -> Floats:
    """Predictions of the test rows without each group in turn, ``(n_groups, n_test, n_targets)``.

    Weightings and penalties are kept, so that the hat matrix is that of ridge on the mixture of the kernels:
    :func:`.pooled.predictions_without`.

    Parameters
    ----------
    spaces : Spaces
    fit : BandedFold
        Of these targets.
    targets : array of shape (n_stimuli, n_targets)
    weightings : array of shape (n_weightings, n_spaces)
        Those that the fit chose of.
    groups : array of shape (n_stimuli,)
        The number of each row's group, from 0.
    """
    split, prediction = fit.split, fit.prediction + targets[fit.split.train].mean(axis=0)
    moved = np.empty((int(groups.max()) + 1, *prediction.shape))
    for number in np.unique(fit.weighting):
        ours = np.flatnonzero(fit.weighting == number)
        mixture = spaces.mixed(split.train, weightings[number])
        kept = Fit(split, mixture, fit.alpha[ours], prediction[:, ours], fit.inner_score[ours])
        for group, found in enumerate(predictions_without(kept, targets[:, ours], groups)):
            moved[group][:, ours] = found
    return moved
