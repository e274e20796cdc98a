"""Brain-Score vision's ``neuron_to_neuron``."""

from typing import Any

import numpy as np

from .brainscore_regression import FACTS, BrainScoreRegression, Floats, balanced, on_every_split
from .recording import Recording
from .registries import metric


def best_unit(x: Floats, y: Floats, x_test: Floats) -> Floats:
    """Every target is predicted by the one unit that correlates most with it on the training stimuli."""
    x_centered, y_centered = x - x.mean(axis=0), y - y.mean(axis=0)
    size = np.linalg.norm(x_centered, axis=0)[:, None] * np.linalg.norm(y_centered, axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        r = np.where(size > 0, x_centered.T @ y_centered / size, -np.inf)
    return x_test[:, r.argmax(axis=0)]


@metric(
    "neuron_to_neuron",
    sentence="every neuroid is predicted by the one unit that correlates most with it on the training stimuli",
    brainscore={"vision": "neuron_to_neuron"},
    **FACTS,
)
def neuron_to_neuron(recorded: Recording, **options: Any) -> BrainScoreRegression:
    """One unit a neuroid, on ten stratified shuffles."""
    made = BrainScoreRegression("neuron_to_neuron", on_every_split(best_unit), rotates=False)
    return balanced(made, recorded, options)
