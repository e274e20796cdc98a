"""Brain-Score vision's ``ridgecv``."""

from functools import partial
from typing import Any

import numpy as np

from .brainscore_regression import (
    FACTS,
    BrainScoreRegression,
    Floats,
    balanced,
    generalized_ridge,
    generalized_ridge_draws,
    on_every_split,
)
from .recording import Recording
from .registries import metric

PENALTIES: Floats = np.concatenate(
    [
        [0.01, 0.1, 0.5, 1],
        np.linspace(10, 100, 4, endpoint=False),
        *(np.linspace(10.0**k, 10.0 ** (k + 1), 18, endpoint=False) for k in range(2, 6)),
        np.linspace(1e6, 1e7, 19),
    ]
)
"""The 99 penalties of Brain-Score vision."""


@metric(
    "ridgecv",
    sentence="every neuroid's response is predicted by ridge regression, its penalty chosen by leave-one-out error",
    brainscore={"vision": "ridgecv"},
    **FACTS,
)
def ridgecv(recorded: Recording, **options: Any) -> BrainScoreRegression:
    """Ridge regression with one chosen penalty for all neuroids, on ten stratified shuffles."""
    predict = on_every_split(partial(generalized_ridge, penalties=PENALTIES))
    of_draws = partial(generalized_ridge_draws, penalties=PENALTIES)
    made = BrainScoreRegression("ridgecv", predict, together=True, of_draws=of_draws)
    return balanced(made, recorded, options)
