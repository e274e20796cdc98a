"""A metric made of a person's own function of features and responses."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from ...analysis.encoding.cross_validation import Indices
from ...errors import UserError
from .base import Ceiling, Floats
from .neuroid_ceiling import neuroid_ceiling
from .normalization import median_formula
from .recording import Recording
from .registries import Normalization
from .whole_comparison import WholeComparison

Function = Callable[[Floats, Floats], npt.ArrayLike]
_ROUNDING = 1e-6
"""What single precision leaves of an r of 1."""


@dataclass(frozen=True)
class FunctionMetric(WholeComparison):
    """Whatever a function says of every neuroid, normalised and resampled as other metrics are.

    The function is called anew for every draw and every permutation; fewer of them are asked for where it is slow.

    Attributes
    ----------
    name : str
    function : callable
        Features (n_stimuli, n_units), mean responses (n_stimuli, n_neuroids) -> r of every neuroid, (n_neuroids,),
        from -1 to 1. It holds out what must be held out; NaN where nothing varies counts as r = 0.
    """

    function: Function
    per_neuroid: ClassVar[bool] = True

    def ceiling(self, recorded: Recording) -> Ceiling:
        """Published r_max, else the reliability of the mean responses, else none."""
        rows = np.arange(recorded.n_stimuli)
        return neuroid_ceiling(recorded, [rows], np.ones(len(rows)))

    def memory(self, recorded: Recording, n_units: int) -> int:
        """Features in float64 and twice what is drawn of them; what the function takes is not known."""
        return 8 * recorded.n_stimuli * (3 * n_units + 3 * recorded.responses.shape[2])

    def prepared(self, values: npt.ArrayLike) -> Floats:
        """As they are, in double precision."""
        return np.asarray(values, np.float64)

    def compared(self, model: Floats, brain: Floats, rows: Indices, brain_rows: Indices) -> Floats:
        """The function's values."""
        features, responses = model[rows], brain[brain_rows]
        r = self.function(features, responses)
        if wrong := _wrong(r, features, responses):
            raise UserError(
                f"the metric {self.name!r} must give one r a neuroid, an array of shape {responses.shape[1:]} of real "
                f"numbers from -1 to 1, and gave {wrong}"
            )
        return np.nan_to_num(np.asarray(r, np.float64))

    def normalized(
        self, recorded: Recording, ceiling: Ceiling
    ) -> tuple[Indices, dict[str, int], Normalization, Floats]:
        """All neuroids, and their median r over the best reachable one."""
        everyone = np.arange(recorded.responses.shape[2])
        return everyone, {}, median_formula(ceiling.kind), np.asarray(ceiling.value)


def _wrong(given: object, features: Floats, responses: Floats) -> str:
    """Why what a function gave is not one r a neuroid; empty where it is."""
    if np.ma.is_masked(given):  # type: ignore[no-untyped-call]
        return "masked values"
    try:
        r = np.asarray(given)
    except ValueError:
        return "rows of different lengths"
    if r.shape != responses.shape[1:]:
        return f"one of shape {r.shape}"
    if r.dtype.kind not in "fiu":
        return f"{r.dtype}"
    values = r.astype(np.float64)
    if np.ptp(responses[:, np.isnan(values)], axis=0).any() and np.ptp(features, axis=0).any():
        return "NaN where features and responses vary"
    beyond = values[np.abs(values) > 1 + _ROUNDING]
    return f"{beyond[0]:.4g} (a metric of another range: docs/adding/metric.md)" if len(beyond) else ""


def function_metric(function: object) -> FunctionMetric:
    """The metric of a function, under the function's name.

    Raises
    ------
    UserError
        For what is no function.
    """
    if isinstance(function, type) or not callable(function):
        raise UserError(
            f"{function!r} is no metric: give a name, a function of features and responses, or an object with "
            "name, ceiling, evaluate and memory"
        )
    name = getattr(function, "__name__", type(function).__name__)
    return FunctionMetric(re.sub(r"\W+", "_", name).strip("_"), function)
