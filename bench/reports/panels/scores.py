"""The scores themselves: ranked, as a heat map, and below their ceilings."""

from ...score_key import BRAIN
from .. import figures as draw
from ..collect import Comparison
from ..panel import Panel, panel


@panel(
    "ranked", title="Scores, ranked", order=10, sentence="Bars of scores with intervals, a panel a benchmark."
)
def ranked(comparison: Comparison) -> list[Panel]:
    """Models by score, with the differences that are clear."""
    scores, pairs = comparison.scores, comparison.differences
    of_models = scores[scores["model"] != BRAIN]
    best = of_models.sort_values("score", ascending=False).groupby("benchmark").first()
    first = "; ".join(f"{name}: {row['model']} ({row['score']:.3f})" for name, row in best.iterrows())
    n_models, n_benchmarks = of_models["model"].nunique(), scores["benchmark"].nunique()
    alt = f"Bars of {n_models} models on {n_benchmarks} benchmarks." + (
        f" Highest: {first}." if first else ""
    )
    if len(of_models) < len(scores):
        alt += " Dashed: the brain, decoded from itself."
    return [Panel(scores, lambda style: draw.ranked_figure(scores, pairs, style), alt=alt)]


@panel(
    "heat-map",
    title="Models by benchmarks",
    order=20,
    sentence="The same scores as a heat map, similar models side by side.",
)
def heat_map(comparison: Comparison) -> list[Panel]:
    """Several models on several benchmarks."""
    scores = comparison.scores[comparison.scores["model"] != BRAIN]
    if min(scores["model"].nunique(), scores["benchmark"].nunique()) < 2:
        return []
    table = scores[["model", "benchmark", "score"]]
    return [Panel(table, lambda style: draw.heat_map_figure(table, style))]


@panel(
    "ceilings",
    title="Ceilings and raw scores",
    order=40,
    sentence="The best that noise allows on each benchmark, and raw scores below it.",
)
def ceilings(comparison: Comparison) -> list[Panel]:
    """The ceiling of every benchmark."""
    table = comparison.scores[["benchmark", "model", "raw", "ceiling", "ceiling_kind", "best_raw"]]
    return [Panel(table, lambda style: draw.ceilings_figure(table, style))]
