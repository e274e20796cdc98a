"""Brain-Score vision's ``ridge``."""

from typing import Any

from .brainscore_regression import FACTS, BrainScoreRegression, Floats, balanced, on_every_split
from .recording import Recording
from .registries import metric


def fixed_ridge(x: Floats, y: Floats, x_test: Floats) -> Floats:
    """Ridge with the penalty 1."""
    from sklearn.linear_model import Ridge

    prediction: Floats = Ridge(1.0).fit(x, y).predict(x_test).reshape(len(x_test), y.shape[1])
    return prediction


@metric(
    "ridge1",
    sentence="every neuroid's response is predicted by ridge regression with the penalty 1",
    brainscore={"vision": "ridge"},
    **FACTS,
)
def ridge1(recorded: Recording, **options: Any) -> BrainScoreRegression:
    """Ridge regression on ten stratified shuffles."""
    return balanced(BrainScoreRegression("ridge1", on_every_split(fixed_ridge)), recorded, options)
