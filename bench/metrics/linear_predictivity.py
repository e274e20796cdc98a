"""Brain-Score vision's ``linear_predictivity``."""

from typing import Any

from .brainscore_regression import (
    FACTS,
    BrainScoreRegression,
    balanced,
    on_every_split,
    ordinary_least_squares,
)
from .recording import Recording
from .registries import metric


@metric(
    "linear_predictivity",
    sentence="every neuroid's response is predicted by least squares of minimum norm",
    brainscore={"vision": "linear_predictivity"},
    **FACTS,
)
def linear_predictivity(recorded: Recording, **options: Any) -> BrainScoreRegression:
    """Least squares on ten stratified shuffles."""
    predict = on_every_split(ordinary_least_squares)
    return balanced(BrainScoreRegression("linear_predictivity", predict), recorded, options)
