"""Do two dictionaries have the same features? By their directions in one space, against floors of chance."""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

from ....errors import UserError
from ....memory import require
from ...statistics.resampling import percentile_interval
from .controls import (
    Floats,
    covariance_matched_directions,
    data_directions,
    isotropic_directions,
    unit_rows,
)
from .reconstruction import Rows

HIGH = (0.7, 0.9)
ABOVE = 0.1
"""By how much the mean of the best cosines must exceed that of covariance-matched directions."""
ENOUGH = 10_000_000
"""Training rows from which on seeds can be asked to agree."""
_MOST_ASSIGNED = 8192
"""Features of a set up to which the best assignment is sought: its time grows with their third power."""
_BLOCK = 1 << 24
_DRAWS = 1000


@dataclass(frozen=True)
class DirectionMatch:
    """Each direction of A and the one of B that is nearest.

    Attributes
    ----------
    best : array of shape (n_a,)
        Cosine with the nearest of B.
    partner : int array of shape (n_a,)
        Which one that is.
    mmcs : float
        Mean of `best`: the mean maximum cosine similarity, signed, for features only add.
    interval : (float, float)
        95 % of it, over features drawn anew.
    above : dict of float to float
        Share of A with a cosine above .7 and .9.
    assigned : float
        Mean cosine where no two of A may have the same partner (Hungarian method); NaN for more than 8192 features.
    n_a, n_b : int
    """

    best: Floats = field(repr=False)
    partner: npt.NDArray[np.intp] = field(repr=False)
    mmcs: float
    interval: tuple[float, float]
    above: dict[float, float]
    assigned: float
    n_a: int
    n_b: int


def match_directions(a: npt.ArrayLike, b: npt.ArrayLike, *, random_state: int = 0) -> DirectionMatch:
    """Each direction of A and the nearest of B.

    mmcs = mean_i max_j <a_i, b_j> / (||a_i|| ||b_j||), without absolute values: codes are never negative, and a
    direction turned around is another feature.

    Parameters
    ----------
    a, b : array of shape (n_features, n_units)
        Of features that are alive, in one space.
    random_state : int
        Of the interval.

    Raises
    ------
    UserError
        For directions of different spaces, or none.
    """
    left, right = unit_rows(a).astype(np.float32), unit_rows(b).astype(np.float32)
    if (
        left.ndim != 2
        or right.ndim != 2
        or left.shape[1] != right.shape[1]
        or not len(left)
        or not len(right)
    ):
        raise UserError(
            f"directions of shapes {left.shape} and {right.shape} cannot be matched: they need one space"
        )
    best, partner = np.empty(len(left)), np.empty(len(left), np.intp)
    step = max(1, _BLOCK // len(right))
    for start in range(0, len(left), step):
        cosines = left[start : start + step] @ right.T
        partner[start : start + step] = cosines.argmax(axis=1)
        best[start : start + step] = cosines.max(axis=1)
    return DirectionMatch(
        best=best,
        partner=partner,
        mmcs=float(best.mean()),
        interval=mean_interval(best, random_state=random_state),
        above={level: float((best > level).mean()) for level in HIGH},
        assigned=_assigned(left, right),
        n_a=len(left),
        n_b=len(right),
    )


def _assigned(a: npt.NDArray[np.float32], b: npt.NDArray[np.float32]) -> float:
    from scipy.optimize import linear_sum_assignment

    if max(len(a), len(b)) > _MOST_ASSIGNED:
        return float("nan")
    require(24 * len(a) * len(b), "assigning features to one another", remedy="take fewer features")
    cosines = (a @ b.T).astype(np.float64)
    rows, columns = linear_sum_assignment(cosines, maximize=True)
    return float(cosines[rows, columns].mean())


def mean_interval(values: Floats, *, random_state: int) -> tuple[float, float]:
    """95 % of the mean of values drawn anew with replacement.

    Parameters
    ----------
    values : array of shape (n,)
    random_state : int
    """
    generator = np.random.default_rng(random_state)
    draws = np.array([values[generator.integers(0, len(values), len(values))].mean() for _ in range(_DRAWS)])
    return percentile_interval(draws)


def direction_floors(
    a: npt.ArrayLike, n_b: int, rows: Rows, *, random_state: int
) -> dict[str, DirectionMatch]:
    """A against as many directions as B has that learnt nothing.

    Parameters
    ----------
    a : array of shape (n_features, n_units)
    n_b : int
    rows : array of shape (n_rows, n_units)
        Of the layer, not those that A learnt from.
    random_state : int

    Returns
    -------
    dict of str to DirectionMatch
        ``isotropic`` directions, draws of N(0, Sigma) (``covariance_matched``), centred ``data_rows``.
    """
    n_units = np.shape(a)[1]
    floors = {
        "isotropic": isotropic_directions(n_b, n_units, random_state=random_state),
        "covariance_matched": covariance_matched_directions(rows, n_b, random_state=random_state + 1),
        "data_rows": data_directions(rows, n_b, random_state=random_state + 2),
    }
    return {name: match_directions(a, floor, random_state=random_state) for name, floor in floors.items()}


Verdict = Literal["reproducible", "not reproducible"]


def verdict(mmcs: float, floor: float, rows_seen: int | None) -> tuple[Verdict, str]:
    """Whether two seeds found the same features, and why.

    Parameters
    ----------
    mmcs : float
        Of the two.
    floor : float
        Of the one against covariance-matched random directions.
    rows_seen : int or None
        Training rows of the one that saw fewer; None where it is not known.
    """
    gap = mmcs - floor
    side = "above" if gap >= 0 else "below"
    said = f"MMCS {mmcs:.3f} is {abs(gap):.3f} {side} covariance-matched directions ({floor:.3f})"
    if gap >= ABOVE:
        return "reproducible", said
    seen = "trained on an unknown number of rows" if rows_seen is None else f"trained on {rows_seen:,} rows"
    few = rows_seen is None or rows_seen < ENOUGH
    advice = f"; {seen}, {ENOUGH:,} are due before seeds can agree" if few else f"; {seen}"
    return "not reproducible", f"{said}, less than {ABOVE}{advice}"
