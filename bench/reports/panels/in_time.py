"""Recordings in time: predicted and recorded courses, the course over delays, regions and layers with baselines."""

from functools import partial

from .. import series_figures as draw
from ..collect import Comparison
from ..panel import Panel, counts, panel
from ..series_tables import courses_table, delays_table, regions_table

_MOST = 6


@panel(
    "time-courses",
    title="Prediction against recording",
    order=51,
    sentence="A minute of held-out predictions beside what was recorded.",
)
def time_courses(comparison: Comparison) -> list[Panel]:
    """The first scores of recordings in time."""
    found: list[Panel] = []
    for record, kept in zip(comparison.records, comparison.arrays, strict=True):
        table = courses_table(record, kept)
        if table.empty or len(found) == _MOST:
            continue
        model, title = str(record["model"]), f"{record['model']} on {record['benchmark']}"
        shown = ", ".join(
            f"{name} {one['r'].iloc[0]:.2f}" for name, one in table.groupby("neuroid", sort=False)
        )
        found.append(
            Panel(
                table,
                partial(draw.courses_figure, table, model, title),
                name=f"time-courses-{record['model']}-{record['benchmark']}",
                title=f"{title}, a minute",
                alt=f"Held-out prediction beside the recording, standardized, of neuroids with r of {shown}.",
                n=counts([record], [kept]),
            )
        )
    return found


@panel(
    "delays",
    title="Weights over delays",
    order=52,
    sentence="The course over delays that a model's weights have in common, beside the canonical response.",
)
def delays(comparison: Comparison) -> list[Panel]:
    """Models with several delays."""
    pairs = list(zip(comparison.records, comparison.arrays, strict=True))
    members = [(one, kept) for one, kept in pairs if "delay_profile" in kept]
    table = delays_table(*map(list, zip(*members, strict=True))) if members else None
    if table is None:
        return []
    top = table.loc[table.groupby(["benchmark", "model"], sort=False)["share"].idxmax()]
    highest = ", ".join(
        f"{one.delay:g} s ({one.model} on {one.benchmark})" for one in top.head(_MOST).itertuples()
    )
    return [
        Panel(
            table,
            partial(draw.delays_figure, table),
            alt=f"The course over delays of the weights; highest at {highest}.",
            n=counts([one for one, _ in members], [kept for _, kept in members]),
        )
    ]


@panel(
    "regions-in-time",
    title="Regions and layers in time",
    order=54,
    sentence="Scores of recordings in time by region and layer, with ceilings and what is beyond nuisance spaces.",
)
def regions(comparison: Comparison) -> list[Panel]:
    """A figure a data set and metric."""
    table = regions_table(comparison.records)
    found = []
    if table.empty:
        return []
    for (dataset, metric), here in table.groupby(["dataset", "metric"], sort=True):
        chosen = [
            pair
            for pair in zip(comparison.records, comparison.arrays, strict=True)
            if (pair[0]["dataset"], pair[0]["metric"]) == (dataset, metric)
        ]
        scores, title = here[here["layer"] == ""], f"{dataset}, {metric}"
        best = scores.loc[scores.groupby("region", sort=False)["raw"].idxmax()]
        first = ", ".join(f"{one.region} {one.raw:.2f} ({one.model})" for one in best.itertuples())
        found.append(
            Panel(
                here,
                partial(draw.regions_figure, here, title),
                name=f"regions-in-time-{dataset}-{metric}",
                title=f"Regions of {title}",
                alt=f"r by region and layer; highest: {first}.",
                n=counts([one for one, _ in chosen], [kept for _, kept in chosen]),
            )
        )
    return found
