"""Brain-Score's metrics that fit nothing: what ``rdm``, ``cka`` and ``cka_biased`` share."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ...analysis.encoding.cross_validation import Indices
from .base import Ceiling
from .recording import Recording
from .whole_comparison import WholeComparison

Floats = npt.NDArray[np.float64]

FACTS: dict[str, Any] = {"axis": "similarity", "ceilings": ("none",)}
"""What the cards of these metrics say alike."""


@dataclass(frozen=True)
class BrainScoreSimilarity(WholeComparison):
    """One number for a layer and a region, nothing fitted.

    Attributes
    ----------
    name : str
    relate : callable
        Features or responses, (n_stimuli, n_units) -> how every two stimuli relate, (n_stimuli, n_stimuli).
    compare : callable
        Two such matrices -> similarity.
    """

    relate: Callable[[npt.ArrayLike], Floats]
    compare: Callable[[Floats, Floats], float]

    def ceiling(self, recorded: Recording) -> Ceiling:
        """Brain-Score's own registry gives these no ceiling."""
        del recorded
        return Ceiling("none", float("nan"))

    def memory(self, recorded: Recording, n_units: int) -> int:
        """One block of features in float64 and a few square matrices."""
        return 8 * (recorded.n_stimuli * min(n_units, 1 << 16) + 10 * recorded.n_stimuli**2)

    def prepared(self, values: npt.ArrayLike) -> Floats:
        """How every two stimuli relate."""
        return self.relate(values)

    def compared(self, model: Floats, brain: Floats, rows: Indices, brain_rows: Indices) -> Floats:
        """The similarity, as an array of one."""
        return np.array([self.compare(model[np.ix_(rows, rows)], brain[np.ix_(brain_rows, brain_rows)])])
