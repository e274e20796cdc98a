"""How alike units are, by the distance between them: smoothness, and the length scale of tuning."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

from ...errors import UserError
from ..masks import unmasked
from ..statistics.resampling import bootstrap_weights, percentile_interval
from .spatial_weights import Floats, Places, positions_of, torus_of, values_of

Shape = Literal["exponential", "gaussian"]

_SMOOTHNESS_BINS = 9
_LONGEST = 60 / 70
"""Of the sheet's longer side: TDANN bins distances up to 60 mm of a sheet of 70 mm."""
_UNITS = 500
_DRAWS = 25
_TRIALS = 240
"""Length scales that are tried, from a fiftieth of the shortest to five times the longest distance."""


@dataclass(frozen=True)
class Curve:
    """A mean over pairs of units, by the distance between them.

    Attributes
    ----------
    distance : array of shape (n_bins,)
        Mean distance of the pairs of a bin; NaN for an empty bin.
    value : array of shape (n_bins,)
    n_pairs : array of shape (n_bins,)
    """

    distance: Floats
    value: Floats
    n_pairs: Floats


@dataclass(frozen=True)
class Correlogram:
    """The correlation of units' responses, by the distance between them.

    Attributes
    ----------
    curve : Curve
    length_scale : float
        The distance at which the fitted curve has fallen to 1/e of its height above its floor; in the unit of the
        positions. NaN where none is found: the correlation does not fall beyond chance, or the best one or an end of
        the interval is an end of the range that is searched.
    interval : (float, float)
        95 %, the stimuli drawn anew; an end that the data do not bound is 0 or infinite.
    shape : {"exponential", "gaussian"}
        r(d) = a exp(-d / l) + c, or r(d) = a exp(-(d / l)^2) + c, whichever fits better.
    height, floor : float
        a and c.
    """

    curve: Curve = field(repr=False)
    length_scale: float
    interval: tuple[float, float]
    shape: Shape
    height: float
    floor: float


@unmasked
def smoothness(
    values: npt.ArrayLike, positions: Places, *, period: float | None = None, random_state: int = 0
) -> float:
    """How much more alike near units are than far ones (Margalit et al. 2024, Neuron 112:2435).

        S = (max_k c_k - c_0) / max_k c_k,   c_k = mean |v_i - v_j| over the pairs in the k-th of 9 bins of distance.

    The bins reach to 6/7 of the longer side of the sheet, fewer where the first would hold no pair; the curve is cut
    at the first empty bin. S is 1 where all values
    are the same, and slightly above 0 for a map laid out at random: see :func:`.permutation_null.layout_null`.

    Parameters
    ----------
    values : array of shape (n_units,)
    positions : array of shape (n_units, 2) or (n_units, 3), Sheet, or SpatialWeights
    period : float, optional
        Of values that go around, e.g. 180 for orientations in degrees.
    random_state : int
        Above 2000 units, 25 draws of 500 are averaged.
    """
    return smoothness_of(positions, period=period, random_state=random_state)(values)


@unmasked
def smoothness_of(
    positions: Places, *, period: float | None = None, random_state: int = 0
) -> Callable[[npt.ArrayLike], float]:
    """:func:`smoothness` as a function of the values: which pair lies in which bin is found once for many maps.

    Parameters
    ----------
    positions, period, random_state
        As in :func:`smoothness`.
    """
    n_units = len(positions_of(positions))
    draws = [(units, _smoothness_bins(positions, units)) for units in _samples(n_units, random_state)]

    def measured(values: npt.ArrayLike) -> float:
        known = values_of(values, n_units)
        return float(np.mean([_rise(bins.mean(_apart(known[units], bins, period))) for units, bins in draws]))

    return unmasked(measured)


@unmasked
def difference_curve(
    values: npt.ArrayLike, positions: Places, *, n_bins: int = _SMOOTHNESS_BINS, period: float | None = None
) -> Curve:
    """Mean |v_i - v_j| of pairs of units, by distance, in bins of the same width.

    Parameters
    ----------
    values : array of shape (n_units,)
    positions : array of shape (n_units, 2) or (n_units, 3), Sheet, or SpatialWeights
    n_bins : int
    period : float, optional
        As in :func:`smoothness`.
    """
    n_units = len(positions_of(positions))
    known = values_of(values, n_units)
    bins = _smoothness_bins(positions, np.arange(n_units), n_bins)
    return bins.mean(_apart(known, bins, period))


@dataclass(frozen=True)
class _PairBins:
    """Pairs of units and the bin of distance that each lies in.

    Attributes
    ----------
    first, second, bin : array of int, shape (n_pairs,)
    lengths : array of shape (n_pairs,)
    n_bins : int
    """

    first: npt.NDArray[np.intp]
    second: npt.NDArray[np.intp]
    bin: npt.NDArray[np.intp]
    lengths: Floats
    n_bins: int

    @classmethod
    def within(
        cls, pairs: tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], Floats], edges: Floats
    ) -> "_PairBins":
        """Those of the pairs that lie below the last edge."""
        first, second, lengths = pairs
        bins = np.searchsorted(edges, lengths, side="right") - 1
        used = np.flatnonzero(bins < len(edges) - 1)
        return cls(first[used], second[used], bins[used], lengths[used], len(edges) - 1)

    def mean(self, values: Floats) -> Curve:
        """The mean of a value of every pair, by bin."""
        n = np.bincount(self.bin, minlength=self.n_bins).astype(np.float64)
        with np.errstate(invalid="ignore", divide="ignore"):
            distance = np.bincount(self.bin, self.lengths, self.n_bins) / n
            mean = np.bincount(self.bin, values, self.n_bins) / n
        return Curve(distance, mean, n)


@unmasked
def correlation_by_distance(
    responses: npt.ArrayLike,
    positions: Places,
    *,
    n_bins: int = 15,
    longest: float | None = None,
    n_bootstraps: int = 200,
    random_state: int = 0,
    level: float = 0.95,
) -> Correlogram:
    """The Pearson correlation of units' responses over stimuli, by distance, and its length scale.

    Parameters
    ----------
    responses : array of shape (n_stimuli, n_units)
    positions : array of shape (n_units, 2) or (n_units, 3), Sheet, or SpatialWeights
    n_bins : int
        Of the same width, from 0 to `longest`.
    longest : float, optional
        Half of the longer side of the sheet by default.
    n_bootstraps : int
        Draws of the stimuli for the interval; 0 for none.
    random_state : int
        Of the draws; above 500 units, as many are drawn once.
    level : float

    Raises
    ------
    UserError
        With fewer than 4 stimuli, or fewer than 3 bins that hold pairs.
    """
    values = np.asarray(responses, np.float64)
    places = positions_of(positions)
    if values.ndim != 2 or values.shape[1] != len(places):
        raise UserError(f"responses {values.shape} do not fit {len(places)} positions")
    if len(values) < 4:
        raise UserError(f"correlations need at least 4 stimuli, not {len(values)}")
    if not np.isfinite(values).all():
        raise UserError(f"{int((~np.isfinite(values)).sum())} responses are NaN or infinite")
    varies = np.flatnonzero(values.std(axis=0) > 1e-12 * np.abs(values).max(initial=0.0))
    if len(varies) < 3:
        raise UserError(f"only {len(varies)} units vary over the stimuli: there is nothing to correlate")
    generator = np.random.default_rng(random_state)
    units = varies if len(varies) <= _UNITS else np.sort(generator.choice(varies, _UNITS, replace=False))
    edges = np.linspace(0, longest or _size(positions, places).max() / 2, n_bins + 1)
    pairs = _PairBins.within(_pairs(positions, units), edges)
    z = values[:, units]

    def by_bin(weights: Floats) -> Curve:
        return pairs.mean(_correlations(z, weights)[pairs.first, pairs.second])

    curve = by_bin(np.ones(len(z)))
    filled = np.flatnonzero(curve.n_pairs)
    if len(filled) < 3:
        raise UserError(
            f"only {len(filled)} bins of distance hold pairs of units: take fewer, or reach further"
        )
    shape, scale, height, floor = _fitted(
        curve.distance[filled], curve.value[filled][None], curve.n_pairs[filled]
    )
    interval = float("nan"), float("nan")
    found = 0 < scale[0] < np.inf
    if n_bootstraps:
        weights = bootstrap_weights(len(z), n_bootstraps, random_state=random_state)
        draws = np.stack([by_bin(one).value[filled] for one in weights])
        scales = _scales(curve.distance[filled], draws, curve.n_pairs[filled], shape)[0]
        reached = 5 * float(curve.distance[filled].max())
        ends = percentile_interval(np.minimum(scales, 1e9 * reached), level)
        interval = ends[0] if ends[0] <= reached else np.inf, ends[1] if ends[1] <= reached else np.inf
        falls = draws[:, 0] - draws[:, len(filled) // 2 :].mean(axis=1)
        found &= interval[0] > 0 and interval[1] < np.inf and percentile_interval(falls, level)[0] > 0
    length_scale = float(scale[0]) if found else float("nan")
    return Correlogram(curve, length_scale, interval, shape, float(height[0]), float(floor[0]))


def _fitted(distance: Floats, curves: Floats, weights: Floats) -> tuple[Shape, Floats, Floats, Floats]:
    best: tuple[Shape, Floats, Floats, Floats] | None = None
    least = np.inf
    shapes: tuple[Shape, ...] = ("exponential", "gaussian")
    for shape in shapes:
        scale, height, floor, error = _scales(distance, curves, weights, shape)
        if best is None or float(error[0]) < least:
            best, least = (shape, scale, height, floor), float(error[0])
    assert best is not None
    return best


def _scales(
    distance: Floats, curves: Floats, weights: Floats, shape: Shape
) -> tuple[Floats, Floats, Floats, Floats]:
    """Length scale, height, floor and error of the best fit to every curve, (n_curves,) each.

    For a given length scale height and floor are linear least squares; scales are tried on a logarithmic grid and
    refined by a parabola through the best three. The shortest and the longest that are tried are no best: 0, infinite.
    """
    tried = np.geomspace(distance.min() / 50, 5 * distance.max(), _TRIALS)
    ratio = distance[None] / tried[:, None]
    basis = np.exp(-ratio if shape == "exponential" else -(ratio**2))
    share = weights / weights.sum()
    mean_basis = basis @ share
    centered = basis - mean_basis[:, None]
    spread = (centered**2) @ share
    mean_curve = curves @ share
    off = curves - mean_curve[:, None]
    product = (off * share) @ centered.T
    explained = np.where((spread > 1e-12) & (product > 0), product**2 / np.maximum(spread, 1e-300), 0.0)
    best = explained.argmax(axis=1)
    at = np.clip(best, 1, _TRIALS - 2)
    row = np.arange(len(curves))
    left, middle, right = explained[row, at - 1], explained[row, at], explained[row, at + 1]
    bend = left - 2 * middle + right
    shift = np.where(bend < 0, 0.5 * (left - right) / np.where(bend < 0, bend, -1.0), 0.0)
    step = np.log(tried[1] / tried[0])
    scale = tried[at] * np.exp(step * np.clip(shift, -1, 1))
    scale = np.where(best == 0, 0.0, np.where(best == _TRIALS - 1, np.inf, scale))
    height = product[row, at] / np.maximum(spread[at], 1e-300)
    floor = mean_curve - height * mean_basis[at]
    error = (off**2) @ share - middle
    return scale, height, floor, error


def _correlations(values: Floats, weights: Floats) -> Floats:
    share = weights / weights.sum()
    centered = (values - share @ values) * np.sqrt(share)[:, None]
    norm = np.linalg.norm(centered, axis=0)
    unit = np.divide(
        centered, norm, out=np.zeros_like(centered), where=norm > 1e-12 * np.abs(values).max(axis=0)
    )
    r: Floats = unit.T @ unit
    return r


def _smoothness_bins(
    places: Places, units: npt.NDArray[np.intp], n_bins: int = _SMOOTHNESS_BINS
) -> _PairBins:
    """Bins up to 6/7 of the longer side; fewer, so that the first is wide enough for the nearest pair."""
    pairs = _pairs(places, units)
    longest = _LONGEST * float(_size(places, positions_of(places)[units]).max())
    apart_at_least = float(pairs[2][pairs[2] > 0].min(initial=np.inf))
    if not np.isfinite(apart_at_least):
        raise UserError("all units lie on one place: there is no distance to compare them over")
    n_fitting = int(longest / (apart_at_least * (1 + 1e-9)))
    if n_fitting < 2:
        raise UserError(f"{len(units)} units span no two bins of distance: there is no smoothness to measure")
    edges = np.linspace(0, longest, min(n_bins, n_fitting) + 1)
    edges[1:] *= 1 + 1e-9
    return _PairBins.within(pairs, edges)


def _apart(values: Floats, pairs: _PairBins, period: float | None) -> Floats:
    """How much the values of every pair differ, around the period where there is one."""
    apart = np.abs(values[pairs.first] - values[pairs.second])
    if period is None:
        return apart
    apart = np.mod(apart, period)
    return np.minimum(apart, period - apart)


def _rise(curve: Curve) -> float:
    """(max - first) / max of a curve, cut at its first empty bin; 1 for a flat one at 0."""
    empty = np.flatnonzero(curve.n_pairs == 0)
    values = curve.value[: empty[0]] if len(empty) else curve.value
    if len(values) == 0:
        raise UserError("no two units lie in the first bin of distance: there is no smoothness to measure")
    top = float(values.max())
    return 1.0 if top <= 0 else (top - float(values[0])) / top


def _pairs(
    places: Places, units: npt.NDArray[np.intp]
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], Floats]:
    """Every pair of some units once, as places in `units`, and how far apart they are."""
    positions = positions_of(places)[units]
    first, second = np.triu_indices(len(positions), k=1)
    apart = np.abs(positions[first] - positions[second])
    torus = torus_of(places)
    if torus is not None:
        apart = np.minimum(apart, torus - apart)
    return first, second, np.sqrt((apart**2).sum(axis=1))


def _size(places: Places, positions: Floats) -> Floats:
    """Of the torus where the sheet is one, else of the box around the positions."""
    torus = torus_of(places)
    return np.ptp(positions, axis=0) if torus is None else torus


def _samples(n_units: int, random_state: int) -> list[npt.NDArray[np.intp]]:
    if n_units <= 2000:
        return [np.arange(n_units)]
    generator = np.random.default_rng(random_state)
    return [np.sort(generator.choice(n_units, _UNITS, replace=False)) for _ in range(_DRAWS)]
