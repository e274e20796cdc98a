"""Dictionaries of several k compared at equal error: how many active features leave the same share of variance."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ....errors import UserError

TARGETS = (0.05, 0.1, 0.2)


@dataclass(frozen=True)
class Frontier:
    """Active features against the error that they leave.

    Attributes
    ----------
    fvu, l0 : array of shape (n_dictionaries,)
        By falling error; those that another beats in both are left out.
    left_out : int
        How many were.
    at : dict of float to float
        L0 at a fraction of variance left, interpolated in log L0 over log FVU; NaN outside what was measured.
    """

    fvu: npt.NDArray[np.float64]
    l0: npt.NDArray[np.float64]
    left_out: int
    at: dict[float, float]


def frontier(fvu: npt.ArrayLike, l0: npt.ArrayLike, targets: Sequence[float] = TARGETS) -> Frontier:
    """L0 at equal error from dictionaries of several k.

    Two models at the same k are not at the same error: one whose layer spreads over fewer dimensions is explained
    better. They are compared where both leave as much.

    Parameters
    ----------
    fvu, l0 : array of shape (n_dictionaries,)
        Of one model and layer, one entry a dictionary.
    targets : sequence of float
        Fractions of variance left.

    Raises
    ------
    UserError
        For fewer than two dictionaries, or numbers that are not above 0.
    """
    error, active = np.asarray(fvu, np.float64), np.asarray(l0, np.float64)
    if error.ndim != 1 or error.shape != active.shape or len(error) < 2:
        raise UserError("a frontier needs the error and the active features of at least 2 dictionaries")
    if not (
        np.isfinite(error).all() and np.isfinite(active).all() and (error > 0).all() and (active > 0).all()
    ):
        raise UserError("a frontier needs errors and numbers of active features above 0")
    order = np.lexsort((error, active))
    error, active = error[order], active[order]
    best = np.minimum.accumulate(error)
    kept = np.concatenate([[True], error[1:] < best[:-1]])
    error, active = error[kept], active[kept]
    at = {target: _between(target, error, active) for target in targets}
    return Frontier(error, active, int((~kept).sum()), at)


def _between(target: float, error: npt.NDArray[np.float64], active: npt.NDArray[np.float64]) -> float:
    if not error[-1] <= target <= error[0]:
        return float("nan")
    return float(np.exp(np.interp(np.log(target), np.log(error[::-1]), np.log(active[::-1]))))
