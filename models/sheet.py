"""Where a layer's units lie on a model's cortical sheet."""

from dataclasses import dataclass, field, replace
from math import isqrt
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from ..bounded import read_npz
from ..errors import UserError
from ..memory import NotEnoughMemory

Floats = npt.NDArray[np.float64]
Unit = Literal["mm", "cell"]


@dataclass(frozen=True)
class Sheet:
    """The places of a layer's units.

    Attributes
    ----------
    layer : str
        The dotted name of the module whose output the units are.
    positions : array of shape (n_units, 2)
        x and y of every unit.
    unit : {"mm", "cell"}
        Of the positions.
    shape : (int, int) or None
        Rows and columns, where the units fill a grid in the order of the positions; None otherwise.
    periodic : bool
        Whether the sheet is a torus.
    reads : {"unit", "channel"}
        Whether a place belongs to every unit of the output, or to a channel, whose units share it.
    layout : str
        Where the places come from: ``native``, ``row-major``, ``permuted(SEED)``.
    """

    layer: str
    positions: Floats = field(repr=False)
    unit: Unit = "cell"
    shape: tuple[int, int] | None = None
    periodic: bool = False
    reads: Literal["unit", "channel"] = "unit"
    layout: str = "native"

    def __post_init__(self) -> None:
        """Check that places are finite, two-dimensional, and as many as the grid has."""
        positions = np.asarray(self.positions, np.float64)
        if positions.ndim != 2 or positions.shape[1] != 2 or not np.isfinite(positions).all():
            raise UserError(
                f"positions of layer {self.layer!r} must be finite and of shape (n_units, 2), not {positions.shape}"
            )
        if self.shape is not None and self.shape[0] * self.shape[1] != len(positions):
            raise UserError(
                f"layer {self.layer!r} has {len(positions)} positions, its grid {self.shape[0]} x {self.shape[1]}"
            )
        object.__setattr__(self, "positions", positions)

    def __len__(self) -> int:
        return len(self.positions)

    @property
    def n_collisions(self) -> int:
        """How many units share a place with an earlier one."""
        return len(self) - len(np.unique(self.positions, axis=0))

    def describe(self) -> str:
        """In words: ``8 x 8 channels, native``."""
        what = "channels" if self.reads == "channel" else "units"
        size = f"{len(self)}" if self.shape is None else f"{self.shape[0]} x {self.shape[1]}"
        torus = ", torus" if self.periodic else ""
        mm = " in mm" if self.unit == "mm" else ""
        shared = f", {self.n_collisions} share a place" if self.n_collisions else ""
        return f"{size} {what}{mm}, {self.layout}{torus}{shared}"

    def permuted(self, random_state: int) -> "Sheet":
        """The same places, dealt to the units at random: the control for every spatial number."""
        order = np.random.default_rng(random_state).permutation(len(self))
        return replace(self, positions=self.positions[order], shape=None, layout=f"permuted({random_state})")

    def scaled(self, factor: float) -> "Sheet":
        """The same layout, every distance times a factor."""
        return replace(self, positions=factor * self.positions)

    def extent(self) -> Floats:
        """Width and height: of the torus where periodic, else of the box around the places."""
        if self.shape is not None and self.periodic:
            step = _pitch(self.positions)
            return step * np.array(self.shape[::-1], np.float64)
        size: Floats = np.ptp(self.positions, axis=0)
        return size

    def distances(self, units: npt.ArrayLike | None = None) -> Floats:
        """Distances between units, (n, n), around the torus where the sheet is one.

        Parameters
        ----------
        units : array of int, optional
            Only between these.
        """
        places = self.positions if units is None else self.positions[np.asarray(units)]
        return self._lengths(places[:, None] - places)

    def distances_from(self, unit: int) -> Floats:
        """Distances of all units from one, (n,)."""
        return self._lengths(self.positions - self.positions[unit])

    def _lengths(self, differences: Floats) -> Floats:
        apart = np.abs(differences)
        if self.periodic:
            apart = np.minimum(apart, self.extent() - apart)
        lengths: Floats = np.sqrt((apart**2).sum(axis=-1))
        return lengths


def grid_shape(n_units: int) -> tuple[int, int]:
    """Rows and columns of the grid nearest to a square: the largest divisor not above the root, and the rest."""
    rows = next(d for d in range(isqrt(n_units), 0, -1) if n_units % d == 0)
    return rows, n_units // rows


def grid_sheet(
    layer: str,
    n_units: int,
    *,
    shape: tuple[int, int] | None = None,
    unit: Unit = "cell",
    periodic: bool = False,
    reads: Literal["unit", "channel"] = "unit",
    layout: str = "row-major",
) -> Sheet:
    """Units in their order on a grid, row by row: unit k at row k // columns, column k % columns.

    What TopoLoss trains (its own layout, ``native``), and channel order for a network without a sheet.

    Parameters
    ----------
    layer : str
    n_units : int
    shape : (int, int), optional
        :func:`grid_shape` by default. Neighbours lie at a distance of 1; see :meth:`Sheet.scaled`.
    unit, periodic, reads, layout
        As in :class:`Sheet`.
    """
    rows, columns = shape or grid_shape(n_units)
    row, column = np.divmod(np.arange(rows * columns), columns)
    positions = np.stack([column, row], axis=1).astype(np.float64)
    return Sheet(layer, positions[:n_units], unit, (rows, columns), periodic, reads, layout)


def interleaved_sheet(layer: str, shape: tuple[int, int, int]) -> Sheet:
    """The sheet of All-TNN: every place of an output (channels, height, width) is a square of its channels.

    Units in the order (channel, row, column); a torus, as its loss treats it.

    Parameters
    ----------
    layer : str
    shape : (int, int, int)
        Channels, height, width; the channels must be a square number.
    """
    channels = shape[0]
    side = isqrt(channels)
    if side * side != channels:
        raise UserError(
            f"layer {layer!r} has {channels} channels, which is no square number: it has no such sheet"
        )
    channel, row, column = np.indices(shape)
    y = row * side + channel // side
    x = column * side + channel % side
    positions = np.stack([x.ravel(), y.ravel()], axis=1).astype(np.float64)
    return Sheet(layer, positions, periodic=True)


def tdann_sheet(path: str | Path, layer: str) -> Sheet:
    """Positions as TDANN stores them: an ``.npz`` with ``coordinates`` (n, 2) in mm and ``dims`` (channels, y, x).

    Raises
    ------
    UserError
        For a file that cannot be read, lacks them, or whose numbers disagree.
    """
    try:
        stored = read_npz(Path(path))
        coordinates, dims = stored["coordinates"], stored["dims"]
    except NotEnoughMemory:
        raise
    except (OSError, KeyError, ValueError) as reason:
        raise UserError(f"cannot read positions from {path}: {reason}") from None
    if int(np.prod(dims)) != len(coordinates):
        raise UserError(
            f"{path} has {len(coordinates)} positions for an output of {' x '.join(map(str, dims))}"
        )
    return Sheet(layer, coordinates, "mm")


def _pitch(positions: Floats) -> float:
    steps = np.diff(np.unique(positions[:, 0]))
    return float(steps.min()) if len(steps) else 1.0
