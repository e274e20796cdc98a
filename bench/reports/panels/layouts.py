"""Layout reports: scores against what a layout is like, and maps of selectivity."""

import pandas as pd

from ..collect import Comparison, maps_of
from ..figures import against_figure
from ..map_figures import selectivity_maps_figure
from ..panel import Panel, between, panel
from ..tables import against_table, layouts_table, maps_table

_MEASURES = {
    "dimensionality": "participation ratio (corrected for n)",
    "morans_i": "Moran's I of selectivity",
}


@panel(
    "against-layout",
    title="Alignment against the layout",
    order=90,
    sentence="Score against dimensionality and against Moran's I, a point a model.",
)
def against_layout(comparison: Comparison) -> list[Panel]:
    """Models that have scores and layout reports."""
    measured = layouts_table(comparison.layouts)
    known = {measure: against_table(comparison.scores, measured, measure) for measure in _MEASURES}
    return [_against(table, measure) for measure, table in known.items() if not table.empty]


def _against(table: pd.DataFrame, measure: str) -> Panel:
    label = _MEASURES[measure]
    return Panel(
        table,
        lambda style: against_figure(table, measure, label, style),
        name=f"against-{measure.replace('_', '-')}",
        title=f"Alignment against {label}",
        alt=f"{table['model'].nunique()} models: score against {label}.",
    )


@panel(
    "selectivity-maps",
    title="Selectivity maps",
    order=100,
    sentence="Maps of selectivity, each beside a permuted layout.",
    needs="layouts",
)
def selectivity_maps(comparison: Comparison) -> list[Panel]:
    """Layout reports whose maps were kept."""
    table = maps_table(comparison.layouts, [maps_of(one) for one in comparison.layouts])
    if table.empty:
        return []
    n_units = table.groupby(["model", "layer", "contrast", "layout"]).size()
    n_samples = {one["dimensionality"]["n_samples"] for one in comparison.layouts}
    return [
        Panel(
            table,
            lambda style: selectivity_maps_figure(table, style),
            alt=f"Maps of selectivity of {table['model'].nunique()} models, each beside a permuted layout.",
            n=f"{between(n_samples)} stimuli, {between(n_units)} units",
        )
    ]
