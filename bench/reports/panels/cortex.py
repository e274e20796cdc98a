"""Scores of vertices on the mesh that they were recorded on."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from ..collect import Comparison
from ..cortex import cortex_figure, cortex_of_scores, surfaces_of
from ..cortex_pages import files_of
from ..panel import Panel, Record, counts, panel
from ..tables import units_table

_MOST = 6


@panel("cortex", title="Vertices on cortex", order=75, sentence="Raw values on the surface of cortex.")
def cortex(comparison: Comparison) -> list[Panel]:
    """A surface for each of the first scores whose neuroids name their vertex."""
    found: list[Panel] = []
    for record, kept in zip(comparison.records, comparison.arrays, strict=True):
        if len(kept.get("neuroid_vertex", [])) and len(found) < _MOST:
            found += _of_score(record, kept)
    return found


def _of_score(record: Record, kept: Mapping[str, Any]) -> list[Panel]:
    """One score; nothing where neither its space nor its data set has a mesh here."""
    table = units_table([record], [kept])
    if not {"hemisphere", "vertex"} <= set(table.columns):
        return []
    name, title = f"{record['model']}-{record['benchmark']}", f"{record['model']} on {record['benchmark']}"
    shown = cortex_of_scores(table, str(record.get("space", "")), title, surfaces_of(record))
    if shown is None:
        return []
    made = partial(Panel, table.reset_index(drop=True), n=counts([record], [kept]))
    return [
        made(
            lambda style: cortex_figure(shown, dark=style.dark),
            name=f"cortex-{name}",
            title=f"{title}, on the surface",
            alt=f"Raw value of {len(table)} neuroids on {' and '.join(shown.sides)}.",
            beside=lambda: files_of(shown),
        )
    ]
