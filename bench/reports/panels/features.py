"""Features of dictionaries: what learning adds to their score, and how few of them carry it."""

from functools import partial

import pandas as pd

from ..collect import Comparison
from ..feature_figures import sae_scores_figure, voxel_curves_figure
from ..panel import Panel, counts, panel

_MOST = 6


@panel(
    "sae-scores",
    title="What learning features adds",
    order=56,
    sentence="Scores of features less those of untrained dictionaries as wide and as sparse.",
)
def sae_scores(comparison: Comparison) -> list[Panel]:
    """Every score of features, beside its control."""
    pairs = [
        (one, kept)
        for one, kept in zip(comparison.records, comparison.arrays, strict=True)
        if one.get("sae_score") is not None
    ]
    if not pairs:
        return []
    fields = (
        "model",
        "benchmark",
        "score",
        "sae_control",
        "sae_n_controls",
        "sae_score",
        "sae_p",
        "k50",
        "k90",
    )
    rows = [
        {name: one[name] for name in fields} | {"low": one["sae_ci"][0], "high": one["sae_ci"][1]}
        for one, _ in pairs
    ]
    table = pd.DataFrame(rows)
    said = ", ".join(f"{one.model} on {one.benchmark} {one.sae_score:+.3f}" for one in table.itertuples())
    n = counts([one for one, _ in pairs], [kept for _, kept in pairs])
    return [Panel(table, partial(sae_scores_figure, table), alt=f"SAE score of {said}.", n=n)]


@panel(
    "feature-curves",
    title="How few features predict",
    order=57,
    sentence="Held-out r against the number of features, neurons or random units.",
)
def feature_curves(comparison: Comparison) -> list[Panel]:
    """Curves of the first scores of features."""
    found: list[Panel] = []
    for record, kept in zip(comparison.records, comparison.arrays, strict=True):
        if "feature_curves" not in kept or len(found) == _MOST:
            continue
        columns = [f"k={size}" for size in kept["feature_sizes"]]
        table = pd.DataFrame(kept["feature_curves"], columns=columns)
        table.insert(0, "columns", kept["feature_columns"].astype(str))
        table["ridge"] = kept["feature_ridge"]
        table[["k50", "k90"]] = kept["feature_needed"]
        title = f"{record['model']} on {record['benchmark']}"
        best = ", ".join(f"{one.columns} {one.ridge:.2f}" for one in table.itertuples())
        found.append(
            Panel(
                table,
                partial(voxel_curves_figure, {str(record["benchmark"]): table}),
                name=f"feature-curves-{record['model']}-{record['benchmark']}",
                title=f"{title}, how few features",
                alt=f"r of ridge on all columns: {best}.",
                n=counts([record], [kept]),
            )
        )
    return found
