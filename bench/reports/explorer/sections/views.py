"""What views say of every unit and feature, a column each, and where each lies on the sheet."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from .....analysis.interpretability.views.base import VIEWS
from .....errors import UserError, first_line
from ..content import Column, Of, Section, plain
from ..looked import Asked, Looked
from ..places import Places

_GROUPS = {
    "activity": "activity",
    "density": "activity",
    "mass": "place",
    "writes": "vocabulary",
    "promotes": "vocabulary",
    "matters": "importance",
    "counts": "importance",
}
"""In menus; a view of another name is a group of its own."""
_TITLES = {
    "sd": "standard deviation",
    "high": "share above mean + 2 sd",
    "rate": "how often it is active",
    "log10_rate": "log10 of how often it is active",
    "mean_active": "mean where it is active",
    "most": "highest activation",
    "share": "share of all activity",
    "mass_I": "Moran's I of its mass",
    "signed_I": "Moran's I of what it writes",
    "effective_units": "units that carry its mass",
    "half_units": "units of half its mass",
    "largest_share": "mass in its largest patch",
    "promoted": "promotes",
    "suppressed": "suppresses",
    "kurtosis": "kurtosis of what it promotes",
    "first_order": "change of the loss by its gradient",
}
_LENGTHS = ("spread",)
"""Columns in the unit of the sheet."""
_SAME_AS_XY = ("mass.center_x", "mass.center_y")


def views(looked: Looked, asked: Asked) -> Section:
    """A column for every column of every view that is possible, and x and y.

    A unit lies where its sheet has it, a feature at the centre of its mass m_iu = D_iu^2 / sum_u D_iu^2:
    sum_u m_iu x_u, around a torus the mean of angles.

    Parameters
    ----------
    looked : Looked
    asked : Asked
    """
    columns: dict[Of, list[Column]] = {}
    controls: list[dict[str, Any]] = []
    left_out: list[str] = []
    places = Places.of(looked)
    if places.why:
        left_out.append(f"places: {places.why}")
    for of in looked.kinds:
        columns[of] = list(_xy(places, of))
        for name, one in VIEWS.items():
            if one.of != of:
                continue
            try:
                table = looked.table(name)
            except UserError as error:
                left_out.append(f"{name} of {of}s: {first_line(error)}")
                continue
            rows = _rows(table)
            controls += [{**row, "kind": f"{name}: {row['kind']}"} for row in rows]
            unit = places.unit
            columns[of] += _columns(name, one.sentence, table, rows, unit)
    return Section(
        "views",
        columns={of: _apart(some) for of, some in columns.items()},
        controls=controls,
        left_out=left_out,
    )


def _xy(places: Places, of: Of) -> Iterator[Column]:
    where = places.points(of)
    if where is None:
        return
    said = "of the unit on the sheet" if of == "unit" else "of the centre of its mass on the sheet"
    for axis, name in enumerate("xy"):
        yield Column(
            name, name, where[:, axis].tolist(), "place", unit=places.unit, sentence=f"{name} {said}"
        )


def _columns(
    view: str, sentence: str, table: pd.DataFrame, rows: Sequence[Mapping[str, Any]], unit: str
) -> Iterator[Column]:
    for name in map(str, table.columns):
        if f"{view}.{name}" in _SAME_AS_XY:
            continue
        series = table[name]
        kind, values, categories = _values(series)
        signed = kind == "number" and bool((series < 0).any() and (series > 0).any())
        yield Column(
            re.sub(r"[^A-Za-z0-9.]+", ".", f"{view}.{name}").strip("."),
            _TITLES.get(name, name.replace("_", " ")),
            values,
            _GROUPS.get(view, view),
            kind,  # type: ignore[arg-type]
            signed,
            unit if name in _LENGTHS else "",
            sentence,
            categories,
            _beside(name, rows, list(map(str, table.columns))) if kind == "number" else [],
        )


def _values(series: pd.Series) -> tuple[str, Any, list[str]]:
    """The kind of a column, its values, and its categories."""
    if isinstance(series.dtype, pd.CategoricalDtype):
        return "category", series.cat.codes.to_numpy(), [str(one) for one in series.cat.categories]
    if pd.api.types.is_bool_dtype(series):
        return "category", series.to_numpy(bool).astype(int), ["no", "yes"]
    if pd.api.types.is_numeric_dtype(series):
        return "number", series.to_numpy(np.float64, na_value=np.nan), []
    return "text", ["" if _absent(one) else str(one) for one in series], []


def _absent(value: object) -> bool:
    return value is None or (isinstance(value, float) and np.isnan(value)) or value is pd.NA


def _rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Controls of a view, as far as they are numbers and words."""
    given = table.attrs.get("controls")
    if not isinstance(given, Sequence) or isinstance(given, str):
        return []
    rows = [plain(dict(row)) for row in given if isinstance(row, Mapping)]
    return [{"kind": "control", **row} for row in rows]


def _beside(name: str, rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> list[dict[str, Any]]:
    """What controls say of one column; those that name none are of all."""
    null = f"{name.removesuffix('_I')}_null_mean"
    found: list[dict[str, Any]] = []
    for row in rows:
        if name in row:
            found.append({"kind": row["kind"], "value": row[name]})
        if null in row and null != name:
            found.append({"kind": f"{row['kind']}, permuted sheets", "value": row[null]})
        if not any(one in row for one in columns if one != "kind"):
            numbers = {key: value for key, value in row.items() if isinstance(value, float)}
            found += [{"kind": f"{row['kind']}: {key}", "value": value} for key, value in numbers.items()]
    return found


def _apart(columns: Sequence[Column]) -> list[Column]:
    """Without columns whose name an earlier one has."""
    return list({one.name: one for one in reversed(columns)}.values())[::-1]
