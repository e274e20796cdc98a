"""Where features write on the sheet, and which features write into a unit."""

from typing import Any

import numpy as np

from .....analysis.interpretability.sheets.feature_mass import effective_units, spreads, units_of_share
from .....errors import UserError, first_line
from ..content import Of, Section
from ..looked import Asked, Looked
from ..places import Floats, Places

_MOST_UNITS, _MOST_FEATURES, _SHARE = 32, 8, 0.9


def place(looked: Looked, asked: Asked) -> Section:
    """The mass of every feature, m_iu = D_iu^2 / sum_u D_iu^2: where it lies, how spread, and clustered, it is.

    Shown are the fewest units of nine tenths of it, 32 at most. The spread is the root of sum_u m_iu |x_u - c_i|^2, the
    number of units that carry it 1 / sum_u m_iu^2. Of single features there is no p of Moran's I, since features share
    units: that of their mean stands with the controls. Of a unit those eight active features that put most of
    their mass there.

    Parameters
    ----------
    looked : Looked
    asked : Asked
    """
    places = Places.of(looked)
    left_out = [f"place: {places.why}"] if places.why else []
    entries: dict[Of, list[Any]] = {}
    controls: list[dict[str, Any]] = []
    if places.mass is not None:
        clustered = None
        if places.sheet is not None:
            try:
                table = looked.table("mass")
                clustered = table["mass_I"].to_numpy()
                controls = _controls(table.attrs["controls"])
            except UserError as error:
                left_out.append(f"Moran's I of features: {first_line(error)}")
        entries = {
            "unit": _used_by(places.mass * (np.diff(looked.features.indptr) > 0)[:, None]),
            "feature": _features(places, places.mass, clustered),
        }
    return Section("place", entries=entries, controls=controls, left_out=left_out)


def _controls(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Directions that are no features, and the same features on permuted sheets."""
    shown = [
        {
            "kind": f"{row['kind']}, mean",
            "morans_i": row["mass_I"],
            "spread": row["spread"],
            "effective_units": row["effective_units"],
        }
        for row in rows
    ]
    own = next(row for row in rows if row["kind"] == "features")
    permuted = {
        "kind": "features on permuted sheets, mean",
        "morans_i": own["mass_null_mean"],
        "p": own["mass_p"],
    }
    return [*shown, permuted]


def _features(places: Places, mass: Floats, clustered: Floats | None) -> list[dict[str, Any] | None]:
    writes = mass.any(axis=1)
    effective = np.full(len(mass), np.nan)
    effective[writes] = effective_units(mass[writes])
    where, spread = places.points("feature"), np.full(len(mass), np.nan)
    if places.sheet is not None:
        spread[writes] = spreads(mass[writes], places.sheet)
    found: list[dict[str, Any] | None] = []
    for i, row in enumerate(mass):
        if not writes[i]:
            found.append(None)
            continue
        units = units_of_share(row, _SHARE)[:_MOST_UNITS]
        found.append(
            {
                "mass": [[int(unit), row[unit]] for unit in units],
                "x": None if where is None else where[i, 0],
                "y": None if where is None else where[i, 1],
                "spread": spread[i],
                "effective_units": effective[i],
                "morans_i": None if clustered is None else clustered[i],
                "p": None,
                "units": places.unit,
            }
        )
    return found


def _used_by(mass: Floats) -> list[dict[str, Any] | None]:
    """Of every unit the features with most of their mass there."""
    found: list[dict[str, Any] | None] = []
    for column in mass.T:
        largest = np.argsort(-column, kind="stable")[:_MOST_FEATURES]
        used = [[int(one), column[one]] for one in largest if column[one] > 0]
        found.append({"used_by": used} if used else None)
    return found
