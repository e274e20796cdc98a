"""The raw value of every neuroid or subject, also where it was recorded."""

import numpy as np

from ..collect import Comparison
from ..figures import units_figure
from ..map_figures import unit_maps_figure
from ..panel import Panel, panel
from ..tables import units_table


@panel(
    "units",
    title="Neuroids and subjects",
    order=50,
    sentence="The raw value of every neuroid or subject, by model.",
)
def units(comparison: Comparison) -> list[Panel]:
    """All that have a raw value of their own."""
    table = units_table(comparison.records, comparison.arrays)
    return [] if table.empty else [Panel(table, lambda style: units_figure(table, style))]


@panel(
    "unit-maps",
    title="Scores where they were recorded",
    order=60,
    sentence="The raw value of every neuroid at its place.",
)
def unit_maps(comparison: Comparison) -> list[Panel]:
    """Neuroids with positions."""
    table = units_table(comparison.records, comparison.arrays)
    if not {"x", "y", "z"} <= set(table.columns):
        return []
    placed = table[np.isfinite(table["x"])].reset_index(drop=True)
    return [] if placed.empty else [Panel(placed, lambda style: unit_maps_figure(placed, style))]
