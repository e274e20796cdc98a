"""Any statistic of a map against the same statistic of maps whose layout was permuted, at the same smoothing."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from ...errors import UserError
from ..masks import unmasked
from .smoothing import smooth
from .spatial_weights import Floats, Places, positions_of

Tail = Literal["upper", "lower", "both"]

_COLUMNS = 512
"""Permuted maps in one product."""


@dataclass(frozen=True)
class LayoutNull:
    """A statistic and what it is under permuted layouts.

    Attributes
    ----------
    observed : float
    mean, sd : float
        Over the permuted layouts.
    p : float
        Share of permuted layouts, and of the observed one, that lie at least as far out on the tail; never 0.
    n : int
        Permuted layouts.
    tail : {"upper", "lower", "both"}
    fwhm : float
        Smoothing of the map and of every permuted one.
    random_state : int
    """

    observed: float
    mean: float
    sd: float
    p: float
    n: int
    tail: Tail
    fwhm: float
    random_state: int

    @property
    def z(self) -> float:
        """How many standard deviations of the null the statistic lies above its mean."""
        return (self.observed - self.mean) / self.sd if self.sd > 0 else float("nan")


@unmasked
def layout_null(
    statistic: Callable[[Floats], float],
    values: npt.ArrayLike,
    places: Places,
    *,
    fwhm: float = 0.0,
    permutations: int = 199,
    random_state: int = 0,
    tail: Tail = "upper",
) -> LayoutNull:
    """Compare a statistic of a map with that of permuted layouts: the values are dealt to the places at random.

    Permuted values are smoothed as the map was, because smoothing alone makes noise look clustered.

    Parameters
    ----------
    statistic : callable
        -> float, of values (n_units,) in the order of the places.
    values : array of shape (n_units,)
        Not smoothed yet.
    places : SpatialWeights, Sheet, or array of shape (n_units, 2) or (n_units, 3)
    fwhm : float
        Of the smoothing, 0 for none.
    permutations, random_state : int
    tail : {"upper", "lower", "both"}
        What counts as far out.

    Raises
    ------
    UserError
        Where values and places do not fit, or there are too few permutations.
    """
    known = np.asarray(values, np.float64)
    n_units = len(positions_of(places))
    if known.shape != (n_units,):
        raise UserError(f"{known.shape} values do not fit {n_units} positions")
    if permutations < 2:
        raise UserError(f"a null needs at least 2 permutations, not {permutations}")
    if tail not in ("upper", "lower", "both"):
        raise UserError(f"the tail is 'upper', 'lower' or 'both', not {tail!r}")
    observed = float(statistic(smooth(known, places, fwhm)))
    null = np.array(
        [
            statistic(one)
            for block in permuted_layouts(known[None], permutations, random_state)
            for one in smooth(block.T, places, fwhm)
        ]
    )
    tie = 1e-12 * max(abs(observed), float(np.abs(null).max()))
    above, below = (int((null >= observed - tie).sum()), int((null <= observed + tie).sum()))
    reached = {"upper": above, "lower": below, "both": 2 * min(above, below)}[tail]
    p = min(1.0, (reached + 1) / (permutations + 1))
    return LayoutNull(
        observed, float(null.mean()), float(null.std(ddof=1)), p, permutations, tail, fwhm, random_state
    )


def permuted_layouts(maps: Floats, permutations: int, random_state: int) -> Iterator[Floats]:
    """Maps whose places were permuted, in blocks; all maps take part in the same permutations.

    Parameters
    ----------
    maps : array of shape (n_maps, n_units)
    permutations, random_state : int

    Yields
    ------
    array of shape (n_units, permutations in the block * n_maps)
        Maps vary fastest.
    """
    # not the permutation of Sheet.permuted(random_state)
    generator = np.random.default_rng([random_state, 41])
    columns = np.ascontiguousarray(maps.T)
    n_units, n_maps = columns.shape
    step = max(1, _COLUMNS // n_maps)
    for start in range(0, permutations, step):
        n = min(step, permutations - start)
        orders = np.stack([generator.permutation(n_units) for _ in range(n)], axis=1)
        yield columns[orders].reshape(n_units, n * n_maps)
