"""The scale in which rows are probed."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

_NARROW = 10.0
"""Standardised rows are divided by this, at which the exact search is solvable."""
_LEAST_SPREAD = 1e-3


@dataclass(frozen=True)
class Scale:
    """(x - m) / (10 max(sd, .001)), with the mean and standard deviation of the training rows.

    Attributes
    ----------
    mean, spread : array of shape (n_units,)
    """

    mean: Floats
    spread: Floats

    @classmethod
    def of(cls, x: npt.ArrayLike) -> "Scale":
        """That of training rows (n_rows, n_units)."""
        rows = np.asarray(x, np.float64)
        return cls(rows.mean(axis=0), _NARROW * np.maximum(rows.std(axis=0), _LEAST_SPREAD))

    def __call__(self, x: npt.ArrayLike) -> Floats:
        """The same rows in this scale."""
        scaled: Floats = (np.asarray(x, np.float64) - self.mean) / self.spread
        return scaled
