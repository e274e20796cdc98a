"""Where units and features of a layer lie on its sheet."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ....analysis.interpretability.sheets.feature_mass import centers, decoder_mass
from ....errors import UserError, first_line
from ....models.sheet import Sheet
from .content import Of
from .looked import Looked

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Places:
    """The places of a layer's units and features.

    Attributes
    ----------
    sheet : Sheet or None
        None where the units have no places; `why` says so.
    mass : array of shape (n_features, n_units) or None
        The share of every feature that each unit carries; 0 of features that write nothing. None where there are no
        features, or they write into another layer.
    why : str
    """

    sheet: Sheet | None
    mass: Floats | None
    why: str = ""

    @classmethod
    def of(cls, looked: Looked) -> "Places":
        """Those of a layer.

        Parameters
        ----------
        looked : Looked
        """
        why, sheet, mass = "", None, None
        try:
            sheet = looked.inside.sheet
        except UserError as error:
            why = first_line(error)
        if looked.dictionary is not None:
            decoder = looked.dictionary.directions.numpy()
            if decoder.shape[1] == looked.inside.n_units:
                writes = np.abs(decoder).max(axis=1) > 0
                mass = np.zeros(decoder.shape)
                if writes.any():
                    mass[writes] = decoder_mass(decoder[writes])
            else:
                why = f"features of {decoder.shape[1]} units do not lie on a sheet of {looked.inside.n_units}"
        return cls(sheet, mass, why)

    @property
    def unit(self) -> str:
        """Of lengths on the sheet."""
        return "" if self.sheet is None else self.sheet.unit

    def points(self, of: Of) -> Floats | None:
        """Where every unit, or the centre of every feature's mass, lies: (n, 2); NaN for one that writes nothing.

        Parameters
        ----------
        of : {"unit", "feature"}
        """
        if self.sheet is None or of == "unit":
            return None if self.sheet is None else self.sheet.positions
        if self.mass is None:
            return None
        where = np.full((len(self.mass), 2), np.nan)
        writes = self.mass.any(axis=1)
        where[writes] = centers(self.mass[writes], self.sheet)
        return where

    def apart(self, one: Floats, other: Floats) -> Floats:
        """Distances between points, around a torus where the sheet is one.

        Parameters
        ----------
        one, other : array of shape (..., 2)
        """
        assert self.sheet is not None
        away = np.abs(one - other)
        if self.sheet.periodic:
            extent = self.sheet.extent()
            away = np.minimum(away, np.abs(extent - away))
        lengths: Floats = np.sqrt((away**2).sum(axis=-1))
        return lengths

    def nearest(self, points: Floats, k: int) -> Indices:
        """The k nearest of every point, (n_points, k), the nearest first; of equally near ones those of lower number.

        Parameters
        ----------
        points : array of shape (n_points, 2)
        k : int
            Less than the number of points.
        """
        from scipy.spatial import cKDTree

        assert self.sheet is not None
        size = None
        if self.sheet.periodic:
            size = self.sheet.extent()
            points = np.mod(points - points.min(axis=0), size)
        n = len(points)
        found = cKDTree(points, boxsize=size).query(points, min(n, 2 * k + 2))[1]
        apart = self.apart(points[:, None], points[found])
        apart[found == np.arange(n)[:, None]] = np.inf
        order = np.lexsort((found, np.round(apart, 9)), axis=1)[:, :k]
        nearest: Indices = np.take_along_axis(found, order, axis=1)
        return nearest
