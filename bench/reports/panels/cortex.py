"""Scores of vertices, and the best that noise allows there, on the mesh that they were recorded on."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from ...metrics.registries import CEILING_KINDS
from ..collect import Comparison
from ..cortex import Cortex, cortex_figure, cortex_of_scores, surfaces_of
from ..cortex_pages import files_of
from ..flat_cortex import flat_figure
from ..panel import Panel, Record, counts, panel
from ..tables import units_table

_MOST = 6


@panel("cortex", title="Vertices on cortex", order=75, sentence="Raw values on the surface of cortex.")
def cortex(comparison: Comparison) -> list[Panel]:
    """Surfaces for each of the first scores whose neuroids name their vertex."""
    found: list[list[Panel]] = []
    for record, kept in zip(comparison.records, comparison.arrays, strict=True):
        if len(kept.get("neuroid_vertex", [])) and len(found) < _MOST and (drawn := _of_score(record, kept)):
            found.append(drawn)
    return [one for drawn in found for one in drawn]


def _of_score(record: Record, kept: Mapping[str, Any]) -> list[Panel]:
    """One score and its ceilings; nothing where neither its space nor its data set has a mesh here."""
    table = units_table([record], [kept])
    if not {"hemisphere", "vertex"} <= set(table.columns):
        return []
    name, title = f"{record['model']}-{record['benchmark']}", f"{record['model']} on {record['benchmark']}"
    space, surfaces, kind = str(record.get("space", "")), surfaces_of(record), record["ceiling_kind"]
    maps = {"cortex": ("raw", title, "raw value")}
    if "ceiling" in table and kind in CEILING_KINDS:
        table["best"] = [CEILING_KINDS[kind].best(float(one)) for one in table["ceiling"]]
        maps["cortex-ceiling"] = "best", f"{title}, ceilings", "best reachable raw value"
    made = partial(Panel, table.reset_index(drop=True), n=counts([record], [kept]))
    found = []
    for start, (column, named, quantity) in maps.items():
        if table[column].notna().sum() == 0:
            continue
        shown = cortex_of_scores(table, space, named, surfaces, column=column, quantity=quantity)
        if shown is None:
            return []
        found += _drawn(
            made, shown, f"{start}-{name}", named, quantity, len(table), flat=space == "fsaverage5"
        )
    return found


def _drawn(
    made: Any, shown: Cortex, name: str, title: str, quantity: str, n: int, *, flat: bool
) -> list[Panel]:
    """A map on the surface, with files beside it; of fsaverage5 on its flat patches, too."""
    said = f"{quantity[:1].upper()}{quantity[1:]} of {n} neuroids on {' and '.join(shown.sides)}"
    found = [
        made(
            lambda style: cortex_figure(shown, dark=style.dark),
            name=name,
            title=f"{title}, on the surface",
            alt=f"{said}.",
            beside=lambda: files_of(shown),
        )
    ]
    if flat:
        found.append(
            made(
                lambda style: flat_figure(shown, dark=style.dark),
                name=f"flat-{name}",
                title=f"{title}, flat",
                alt=f"{said}, cut open and laid flat.",
            )
        )
    return found
