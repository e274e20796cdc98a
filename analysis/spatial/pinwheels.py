"""What units prefer among gratings: orientation, spatial frequency, colour; pinwheels of the orientation map."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from ...errors import UserError
from ...models.sheet import Sheet
from ..masks import unmasked
from .smoothing import smooth
from .spatial_weights import Floats

PINWHEEL_DENSITY = float(np.pi)
"""Per hypercolumn squared, in the visual cortex of mammals (Kaschube et al. 2010, Science 330:1113)."""


@dataclass(frozen=True)
class Pinwheels:
    """Points around which every orientation occurs once.

    Attributes
    ----------
    places : array of shape (n, 2)
        x and y, in the unit of the positions.
    sign : array of shape (n,)
        1 where orientation turns counterclockwise (x to the right, y upwards) as one goes around counterclockwise, else
        -1.
    spacing : float
        Width of a hypercolumn, at which an orientation comes again, in the unit of the positions; NaN where the map
        has no period.
    density : float
        Pinwheels per hypercolumn squared; about pi in cortex.
    area : float
        Of the part of the sheet that was searched.
    """

    places: Floats
    sign: npt.NDArray[np.intp]
    spacing: float
    density: float
    area: float

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.sign)


@unmasked
def grating_tuning(responses: npt.ArrayLike, gratings: pd.DataFrame) -> pd.DataFrame:
    """The preferred orientation, spatial frequency and colour of every unit.

    With r(theta) the mean response to orientation theta, less the unit's lowest,

        R = sum_theta r(theta) exp(2 i theta) / sum_theta r(theta),
        orientation = arg(R) / 2,   circular variance = 1 - |R|.

    Frequency and colour are those with the highest mean response. Ringach et al. (2002), J. Neurosci. 22:5639.

    Parameters
    ----------
    responses : array of shape (n_gratings, n_units)
    gratings : DataFrame
        ``orientation`` in degrees from 0 to below 180, ``frequency``, and, where it is varied, ``colour``.

    Returns
    -------
    DataFrame
        A row a unit: ``orientation`` (degrees), ``circular_variance``, ``frequency``, ``colour``, ``peak`` (peak to
        peak of the orientation curve).

    Raises
    ------
    UserError
        Where the gratings lack orientations or do not fit the responses.
    """
    values = np.asarray(responses, np.float64)
    if values.ndim != 2 or len(values) != len(gratings):
        raise UserError(f"responses {values.shape} do not fit {len(gratings)} gratings")
    absent = [name for name in ("orientation", "frequency") if name not in gratings.columns]
    if absent:
        raise UserError(f"the gratings have no column {absent[0]!r}")
    angles, by_angle = _means(values, gratings["orientation"])
    if len(angles) < 3:
        raise UserError(f"{len(angles)} orientations are too few for a preference: at least 3 are needed")
    curve = by_angle - by_angle.min(axis=0)
    total = curve.sum(axis=0)
    turned = np.exp(2j * np.deg2rad(angles.astype(np.float64))) @ curve
    vector = np.divide(
        turned, total, out=np.zeros_like(turned), where=total > 1e-12 * np.abs(by_angle).max(axis=0)
    )
    found = pd.DataFrame(
        {
            "orientation": np.mod(np.rad2deg(np.angle(vector)) / 2, 180.0),
            "circular_variance": 1 - np.abs(vector),
        }
    )
    for name in ("frequency", "colour"):
        if name in gratings.columns:
            levels, means = _means(values, gratings[name])
            found[name] = levels[means.argmax(axis=0)]
    found["peak"] = np.ptp(by_angle, axis=0)
    return found


@unmasked
def pinwheels(
    orientation: npt.ArrayLike, sheet: Sheet, *, fwhm: float = 0.0, spacing: float | None = None
) -> Pinwheels:
    """Pinwheels of an orientation map on a grid.

    Around every square of four neighbouring units the orientation is followed; it is a pinwheel where the differences,
    wrapped to -90 to 90 degrees, sum to 180 or -180.

    Parameters
    ----------
    orientation : array of shape (n_units,)
        In degrees.
    sheet : Sheet
        With units on a grid.
    fwhm : float
        Orientations are smoothed first, as unit vectors of twice the angle.
    spacing : float, optional
        Width of a hypercolumn. By default the period of the map: 1 over the mean spatial frequency of exp(2 i theta),
        weighted by its squared power.

    Raises
    ------
    UserError
        Where the sheet has no full grid.
    """
    angle = np.asarray(orientation, np.float64)
    if angle.shape != (len(sheet),):
        raise UserError(f"{angle.shape} orientations do not fit {len(sheet)} positions")
    order, shape, steps = _grid_order(sheet)
    vector = np.exp(2j * np.deg2rad(angle))
    if fwhm:
        vector = smooth(vector.real, sheet, fwhm) + 1j * smooth(vector.imag, sheet, fwhm)
    turned = np.angle(vector[order].reshape(shape))
    corners = [turned[:-1, :-1], turned[:-1, 1:], turned[1:, 1:], turned[1:, :-1]]
    around = sum(
        _wrapped(after - before) for before, after in zip(corners, corners[1:] + corners[:1], strict=True)
    )
    winding = np.round(np.asarray(around) / (2 * np.pi)).astype(np.intp)
    row, column = np.nonzero(winding)
    low = sheet.positions.min(axis=0)
    places = low + (np.stack([column, row], axis=1) + 0.5) * steps
    area = float((shape[0] - 1) * (shape[1] - 1) * steps[0] * steps[1])
    width = _period(vector[order].reshape(shape), steps) if spacing is None else float(spacing)
    return Pinwheels(places, np.sign(winding[row, column]), width, len(row) * width**2 / area, area)


def _wrapped(difference: Floats) -> Floats:
    return np.mod(difference + np.pi, 2 * np.pi) - np.pi


def _grid_order(sheet: Sheet) -> tuple[npt.NDArray[np.intp], tuple[int, int], Floats]:
    """Units row by row, rows and columns, and the steps in x and y."""
    rows, columns = (
        np.unique(np.round(sheet.positions[:, 1], 9)),
        np.unique(np.round(sheet.positions[:, 0], 9)),
    )
    if len(rows) * len(columns) != len(sheet) or sheet.n_collisions or min(len(rows), len(columns)) < 2:
        raise UserError(
            f"pinwheels need a full grid; layer {sheet.layer!r} has {len(sheet)} units at {len(columns)} x and "
            f"{len(rows)} y"
        )
    order = np.lexsort((sheet.positions[:, 0], sheet.positions[:, 1]))
    steps = np.array([np.diff(columns).mean(), np.diff(rows).mean()])
    return order, (len(rows), len(columns)), steps


def _period(field: npt.NDArray[np.complex128], steps: Floats) -> float:
    """1 over the mean spatial frequency, weighted by squared power, of the map less its mean under a Hann window."""
    window = np.hanning(field.shape[0] + 2)[1:-1, None] * np.hanning(field.shape[1] + 2)[1:-1]
    centered = (field - (field * window).sum() / window.sum()) * window
    weight = np.abs(np.fft.fft2(centered, s=[4 * n for n in field.shape])) ** 4
    fy = np.fft.fftfreq(4 * field.shape[0], steps[1])[:, None]
    fx = np.fft.fftfreq(4 * field.shape[1], steps[0])[None]
    total = float(weight.sum())
    return float(total / (weight * np.hypot(fx, fy)).sum()) if total > 0 else float("nan")


def _means(values: Floats, levels: "pd.Series[float]") -> tuple[npt.NDArray[np.generic], Floats]:
    known, member = np.unique(levels.to_numpy(), return_inverse=True)
    sums = np.zeros((len(known), values.shape[1]))
    np.add.at(sums, member, values)
    return known, sums / np.bincount(member)[:, None]
