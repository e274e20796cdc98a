"""Brain-Score vision's ``pls``."""

from typing import Any

from ...analysis.encoding.pls import held_out_predictions
from .brainscore_regression import FACTS, BrainScoreRegression, balanced
from .recording import Recording
from .registries import metric


@metric(
    "pls",
    sentence="every neuroid's response is predicted by partial least squares regression with 25 components",
    brainscore={"vision": "pls"},
    **FACTS,
)
def pls(recorded: Recording, **options: Any) -> BrainScoreRegression:
    """Partial least squares regression on ten stratified shuffles."""
    return balanced(BrainScoreRegression("pls", held_out_predictions, together=True), recorded, options)
