"""A panel: every raw value beside its ceiling."""

from brodmann.bench.reports.panel import Panel, panel


@panel(
    "guest-raw-beside-ceiling",
    title="Raw values beside their ceilings",
    order=500,
    sentence="A point a score: its raw value against its noise ceiling.",
)
def raw_beside_ceiling(comparison):
    """All scores with a ceiling."""
    table = comparison.scores[["model", "benchmark", "raw", "ceiling"]].dropna()
    return [Panel(table, lambda style: drawn(table, style))] if len(table) else []


def drawn(table, style):
    """Points under the diagonal."""
    with style.applied():
        figure = style.figure(60)
        axes = figure.add_subplot()
        for model, rows in table.groupby("model"):
            axes.plot(rows["ceiling"], rows["raw"], style.marker(model), color=style.color(model))
        axes.set(xlabel="noise ceiling", ylabel="raw value")
        return figure
