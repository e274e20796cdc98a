"""Which sorted units of a recording are taken, by what was said of each."""

import numpy as np
import numpy.typing as npt
import pandas as pd

from ...errors import UserError, unknown
from .trials import text_of

QUALITY = ("quality", "group", "KSLabel", "ks_label", "label")
"""Columns that say what a unit is, such as good, mua, noise; the first there is taken."""
_NOISE = "noise"
_UNSORTED = "unsorted"
_ALL = "all"


def chosen_units(
    units: pd.DataFrame, asked: str | None, place: str, said: list[str], left_out: dict[str, int]
) -> npt.NDArray[np.bool_]:
    """The units to take.

    Where nothing was asked, all but those that are called noise; where some were never judged, it must be said.

    Parameters
    ----------
    units : DataFrame
        One row a unit; its columns are what was said of it.
    asked : str or None
        ``good,mua``, or ``COLUMN=good,mua`` of another column than the first of :data:`QUALITY`; ``all``.
    place : str
    said, left_out
        Added to.

    Raises
    ------
    UserError
        For a column or value that there is not, or where it is not clear which to take.
    """
    column, values = ("", None) if asked is None else _parted(asked)
    if column and column not in units:
        raise unknown(f"column of {place} (--quality)", column, map(str, units.columns))
    column = column or next((name for name in QUALITY if name in units), "")
    if not column:
        if values is None or values == [_ALL]:
            return np.ones(len(units), bool)
        labels = ", ".join(str(name) for name in units.columns[:8]) or "none"
        raise UserError(
            f"{place} does not say how good a unit is: no column {', '.join(QUALITY[:3])} (it has {labels}); "
            "say one by --quality COLUMN=VALUE"
        )
    texts = units[column].map(text_of)
    texts = texts.mask(texts == "", _UNSORTED)
    if values == [_ALL]:
        kept = np.ones(len(units), bool)
    elif values is None:
        kept = _all_but_noise(units, column, texts, place, said)
    else:
        lower = texts.str.lower()
        for value in values:
            if value.lower() not in set(lower):
                raise unknown(f"{column} of units in {place} (--quality)", value, texts)
        kept = lower.isin([value.lower() for value in values]).to_numpy()
    if not kept.any():
        raise UserError(
            f"{place}: none of {len(units)} units is left by their {column}: say which by --quality"
        )
    for value in sorted(set(texts[~kept])):
        left_out[f"units of {column} {value}"] = int((texts[~kept] == value).sum())
    return kept


def _parted(asked: str) -> tuple[str, list[str] | None]:
    column, _, rest = asked.rpartition("=")
    return column.strip(), [one.strip() for one in rest.split(",") if one.strip()]


def _all_but_noise(
    units: pd.DataFrame, column: str, texts: pd.Series, place: str, said: list[str]
) -> npt.NDArray[np.bool_]:
    unsorted = (texts == _UNSORTED).to_numpy()
    if unsorted.any() and not unsorted.all():
        values = ", ".join(sorted(set(texts)))
        other = next((name for name in QUALITY if name in units and name != column), None)
        ways = f"; or by another column, --quality {other}=good" if other else ""
        raise UserError(
            f"{place}: {int(unsorted.sum())} of {len(units)} units have no {column}: say which to take by --quality "
            f"({values}, all{ways})"
        )
    kept = (texts.str.lower() != _NOISE).to_numpy()
    others = sorted(set(texts[kept]))
    if len(set(texts)) > 1:
        said.append(f"units of {column} {', '.join(others)} are in; fewer by --quality")
    return kept
