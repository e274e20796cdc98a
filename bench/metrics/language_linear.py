"""Brain-Score language's ``linear``."""

from typing import Any

from ...analysis.encoding.cross_validation import Splitter
from .brainscore_regression import (
    FACTS,
    BrainScoreRegression,
    balanced,
    on_every_split,
    ordinary_least_squares,
)
from .normalization import r_over_ceiling
from .recording import Recording
from .registries import metric


@metric(
    "language_linear",
    sentence="every neuroid's response is predicted by least squares of minimum norm, on ten random shuffles",
    brainscore={"language": "linear"},
    **FACTS,
)
def language_linear(recorded: Recording, **options: Any) -> BrainScoreRegression:
    """Least squares on ten shuffles."""
    shuffles = Splitter(n_splits=10, kind="shuffles", seed=1)
    predict = on_every_split(ordinary_least_squares)
    made = BrainScoreRegression("language_linear", predict, shuffles, r_over_ceiling)
    return balanced(made, recorded, options)
