"""Raw scores of layers against their depth."""

from .. import figures as draw
from ..collect import Comparison
from ..panel import Panel, panel
from ..tables import layers_table


@panel("layer-curves", title="Layer curves", order=30, sentence="Raw score against depth, a line a model.")
def layer_curves(comparison: Comparison) -> list[Panel]:
    """Models of several layers."""
    table = layers_table(comparison.records, comparison.arrays)
    if table.empty:
        return []
    alt = (
        f"Raw score against depth, {table['model'].nunique()} models of several layers, "
        f"{table['benchmark'].nunique()} benchmarks."
    )
    return [Panel(table, lambda style: draw.layer_curves_figure(table, style), alt=alt)]
