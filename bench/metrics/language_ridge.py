"""Brain-Score language's ``ridge``."""

from functools import partial

import numpy as np

from ...analysis.encoding.cross_validation import Splitter
from .brainscore_regression import (
    FACTS,
    BrainScoreRegression,
    Floats,
    generalized_ridge,
    generalized_ridge_draws,
    on_every_split,
)
from .normalization import r_over_ceiling
from .recording import Recording
from .registries import metric

PENALTIES: Floats = np.logspace(-3, 3, 7)
"""The 7 penalties of Brain-Score language."""


@metric(
    "language_ridge",
    sentence="every neuroid's response is predicted by ridge regression, its penalty chosen by leave-one-out error, "
    "on ten folds that keep stories whole",
    brainscore={"language": "ridge"},
    **{**FACTS, "options": ()},
)
def language_ridge(recorded: Recording) -> BrainScoreRegression:
    """Ridge regression on ten folds by the column ``story``."""
    del recorded
    folds = Splitter(n_splits=10, group="story", seed=1234)
    predict = on_every_split(partial(generalized_ridge, penalties=PENALTIES))
    of_draws = partial(generalized_ridge_draws, penalties=PENALTIES)
    return BrainScoreRegression(
        "language_ridge", predict, folds, r_over_ceiling, together=True, of_draws=of_draws
    )
