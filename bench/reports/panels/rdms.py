"""Dissimilarities in the brain beside those in models."""

import pandas as pd

from ..collect import Comparison
from ..map_figures import rdms_figure
from ..panel import Panel, counts, panel
from ..tables import rdms_table


@panel(
    "rdms",
    title="RDMs",
    order=80,
    sentence="Dissimilarities of stimuli in the brain and in the chosen layers, and MDS.",
)
def rdms(comparison: Comparison) -> list[Panel]:
    """One a benchmark whose RDMs were kept."""
    benchmarks = dict.fromkeys(one["benchmark"] for one in comparison.records)
    tables = {name: rdms_table(comparison.records, comparison.arrays, name) for name in benchmarks}
    return [_of_benchmark(comparison, name, table) for name, table in tables.items() if not table.empty]


def _of_benchmark(comparison: Comparison, benchmark: str, table: pd.DataFrame) -> Panel:
    here = [i for i, one in enumerate(comparison.records) if one["benchmark"] == benchmark]
    n, left_out = len(table.attrs["stimulus_ids"]), table.attrs["left_out"]
    missing = f" Not drawn: {'; '.join(left_out)}." if left_out else ""
    return Panel(
        table,
        lambda style: rdms_figure(table, benchmark, style),
        name=f"rdms-{benchmark}",
        title=f"RDMs of {benchmark}",
        alt=f"Dissimilarities of {n} stimuli in the brain and in the chosen layers, and MDS.{missing}",
        n=counts([comparison.records[i] for i in here], [comparison.arrays[i] for i in here]),
    )
