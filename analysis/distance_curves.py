"""How alike units are, by the distance between them: smoothness, and the length scale of tuning."""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

from ..errors import UserError
from ..models.sheet import Sheet
from .neighbours import Floats, Places, positions_of
from .resampling import bootstrap_weights, percentile_interval

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
        positions. Infinite or 0 where the data do not bound it.
    interval : (float, float)
        95 %, the stimuli drawn anew.
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


def smoothness(
    values: npt.ArrayLike, positions: Places, *, period: float | None = None, random_state: int = 0
) -> float:
    """How much more alike near units are than far ones (Margalit et al. 2024, Neuron 112:2435).

        S = (max_k c_k - c_0) / max_k c_k,   c_k = mean |v_i - v_j| over the pairs in the k-th of 9 bins of distance.

    The bins reach to 6/7 of the longer side of the sheet, fewer where the first would hold no pair; the curve is cut
    at the first empty bin. S is 1 where all values
    are the same, and slightly above 0 for a map laid out at random: see :func:`.layout_null.layout_null`.

    Parameters
    ----------
    values : array of shape (n_units,)
    positions : array of shape (n_units, 2) or (n_units, 3), or Sheet
    period : float, optional
        Of values that go around, e.g. 180 for orientations in degrees.
    random_state : int
        Above 2000 units, 25 draws of 500 are averaged.
    """
    known, places = _fitting(values, positions)
    found = []
    for units in _samples(len(known), random_state):
        curve = difference_curve(known[units], _subset(positions, places, units), period=period)
        filled = np.flatnonzero(curve.n_pairs == 0)
        values_by_bin = curve.value[: filled[0]] if len(filled) else curve.value
        if len(values_by_bin) == 0:
            raise UserError(
                "no two units lie in the first bin of distance: there is no smoothness to measure"
            )
        top = float(values_by_bin.max())
        found.append(1.0 if top <= 0 else (top - float(values_by_bin[0])) / top)
    return float(np.mean(found))


def difference_curve(
    values: npt.ArrayLike, positions: Places, *, n_bins: int = _SMOOTHNESS_BINS, period: float | None = None
) -> Curve:
    """Mean |v_i - v_j| of pairs of units, by distance, in bins of the same width.

    Parameters
    ----------
    values : array of shape (n_units,)
    positions : array of shape (n_units, 2) or (n_units, 3), or Sheet
    n_bins : int
    period : float, optional
        As in :func:`smoothness`.
    """
    known, _ = _fitting(values, positions)
    first, second, lengths = _pairs(positions)
    longest = _LONGEST * _longer_side(positions)
    apart_at_least = float(lengths[lengths > 0].min(initial=np.inf))
    if not np.isfinite(apart_at_least):
        raise UserError("all units lie on one place: there is no distance to compare them over")
    n_fitting = int(longest / (apart_at_least * (1 + 1e-9)))
    if n_fitting < 2:
        raise UserError(f"{len(known)} units span no two bins of distance: there is no smoothness to measure")
    edges = np.linspace(0, longest, min(n_bins, n_fitting) + 1)
    edges[1:] *= 1 + 1e-9
    apart = np.abs(known[first] - known[second])
    if period is not None:
        apart = np.mod(apart, period)
        apart = np.minimum(apart, period - apart)
    return _binned(lengths, apart, edges)


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
    positions : array of shape (n_units, 2) or (n_units, 3), or Sheet
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
    here = _subset(positions, places, units)
    first, second, lengths = _pairs(here)
    edges = np.linspace(0, longest or _longer_side(positions) / 2, n_bins + 1)
    bins = np.searchsorted(edges, lengths, side="right") - 1
    used = np.flatnonzero(bins < n_bins)
    first, second, lengths, bins = first[used], second[used], lengths[used], bins[used]
    z = values[:, units]
    curve = _by_bin(lengths, _correlations(z, np.ones(len(z)))[first, second], bins, n_bins)
    filled = np.flatnonzero(curve.n_pairs)
    if len(filled) < 3:
        raise UserError(
            f"only {len(filled)} bins of distance hold pairs of units: take fewer, or reach further"
        )
    shape, scale, height, floor = _fitted(
        curve.distance[filled], curve.value[filled][None], curve.n_pairs[filled]
    )
    interval = float("nan"), float("nan")
    if n_bootstraps:
        weights = bootstrap_weights(len(z), n_bootstraps, random_state=random_state)
        draws = np.stack(
            [
                _by_bin(lengths, _correlations(z, one)[first, second], bins, n_bins).value[filled]
                for one in weights
            ]
        )
        scales = _scales(curve.distance[filled], draws, curve.n_pairs[filled], shape)[0]
        interval = percentile_interval(scales, level)
    return Correlogram(curve, float(scale[0]), interval, shape, float(height[0]), float(floor[0]))


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
    refined by a parabola through the best three.
    """
    tried = np.geomspace(distance.min() / 50, 5 * distance.max(), _TRIALS)
    ratio = distance[None] / tried[:, None]
    basis = np.exp(-ratio if shape == "exponential" else -(ratio**2))
    share = weights / weights.sum()
    mean_basis = basis @ share
    centred = basis - mean_basis[:, None]
    spread = (centred**2) @ share
    mean_curve = curves @ share
    off = curves - mean_curve[:, None]
    product = (off * share) @ centred.T
    explained = np.where((spread > 1e-12) & (product > 0), product**2 / np.maximum(spread, 1e-300), 0.0)
    at = np.clip(explained.argmax(axis=1), 1, _TRIALS - 2)
    row = np.arange(len(curves))
    left, middle, right = explained[row, at - 1], explained[row, at], explained[row, at + 1]
    bend = left - 2 * middle + right
    shift = np.where(bend < 0, 0.5 * (left - right) / np.where(bend < 0, bend, -1.0), 0.0)
    step = np.log(tried[1] / tried[0])
    scale = tried[at] * np.exp(step * np.clip(shift, -1, 1))
    height = product[row, at] / np.maximum(spread[at], 1e-300)
    floor = mean_curve - height * mean_basis[at]
    error = (off**2) @ share - middle
    return scale, height, floor, error


def _correlations(values: Floats, weights: Floats) -> Floats:
    share = weights / weights.sum()
    centred = (values - share @ values) * np.sqrt(share)[:, None]
    norm = np.linalg.norm(centred, axis=0)
    unit = np.divide(centred, norm, out=np.zeros_like(centred), where=norm > 1e-12)
    r: Floats = unit.T @ unit
    return r


def _binned(lengths: Floats, values: Floats, edges: Floats) -> Curve:
    bins = np.searchsorted(edges, lengths, side="right") - 1
    used = bins < len(edges) - 1
    return _by_bin(lengths[used], values[used], bins[used], len(edges) - 1)


def _by_bin(lengths: Floats, values: Floats, bins: npt.NDArray[np.intp], n_bins: int) -> Curve:
    n = np.bincount(bins, minlength=n_bins).astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        distance = np.bincount(bins, lengths, n_bins) / n
        mean = np.bincount(bins, values, n_bins) / n
    return Curve(distance, mean, n)


def _pairs(places: Places) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], Floats]:
    """Every pair of units once, and how far apart they are."""
    positions = positions_of(places)
    first, second = np.triu_indices(len(positions), k=1)
    apart = np.abs(positions[first] - positions[second])
    if isinstance(places, Sheet) and places.periodic:
        apart = np.minimum(apart, places.extent() - apart)
    return first, second, np.sqrt((apart**2).sum(axis=1))


def _subset(places: Places, positions: Floats, units: npt.NDArray[np.intp]) -> Places:
    """Some units' places; a torus keeps its size, because its grid is no longer one."""
    if len(units) == len(positions):
        return places
    if isinstance(places, Sheet) and places.periodic:
        return _Torus.of(places, units)
    return positions[units]


@dataclass(frozen=True)
class _Torus(Sheet):
    """Part of a torus, as large as the whole."""

    size: tuple[float, float] = (1.0, 1.0)

    @classmethod
    def of(cls, sheet: Sheet, units: npt.NDArray[np.intp]) -> "_Torus":
        width, height = sheet.extent()
        return cls(
            sheet.layer,
            sheet.positions[units],
            sheet.unit,
            None,
            True,
            sheet.reads,
            sheet.layout,
            size=(float(width), float(height)),
        )

    def extent(self) -> Floats:
        return np.array(self.size)


def _longer_side(places: Places) -> float:
    if isinstance(places, Sheet):
        return float(places.extent().max())
    return float(np.ptp(positions_of(places), axis=0).max())


def _fitting(values: npt.ArrayLike, positions: Places) -> tuple[Floats, Floats]:
    known, places = np.asarray(values, np.float64), positions_of(positions)
    if known.shape != (len(places),):
        raise UserError(f"{known.shape} values do not fit {len(places)} positions")
    if not np.isfinite(known).all():
        raise UserError(
            f"{int((~np.isfinite(known)).sum())} values are NaN or infinite: leave their units out"
        )
    return known, places


def _samples(n_units: int, random_state: int) -> list[npt.NDArray[np.intp]]:
    if n_units <= 2000:
        return [np.arange(n_units)]
    generator = np.random.default_rng(random_state)
    return [np.sort(generator.choice(n_units, _UNITS, replace=False)) for _ in range(_DRAWS)]
