"""Two models on the same benchmarks, by the paired test that the report has."""

from typing import Any

import numpy as np

from ..storage.draws import arrays_of_draws
from ..storage.snapshot import BenchmarkEntry, ModelEntry, ScoreEntry, Snapshot


def paired_scores(snapshot: Snapshot, a: ModelEntry, b: ModelEntry) -> list[dict[str, Any]]:
    """Every benchmark that both were scored on: both values, which is better, and whether that can be told.

    ``p`` is of the difference on the same stimuli, subjects and neuroids, ``q`` Benjamini-Hochberg's over all that are
    here, as :func:`~brodmann.bench.reports.tables.differences_table` has them; None where draws were not submitted, or
    are not of the same stimuli. Reads the board.
    """
    from ...reports.tables import differences_table

    shared = [
        (benchmark, one, other)
        for benchmark, one in snapshot.scores_of(a.id)
        if (other := snapshot.scores.get((b.id, benchmark.id))) is not None
        and one.value is not None
        and other.value is not None
    ]
    drawn = arrays_of_draws([one.id for _, *both in shared for one in both])
    scores = [
        (benchmark, model, one)
        for benchmark, *both in shared
        for model, one in zip((a, b), both, strict=True)
    ]
    records = [_record(*each) for each in scores]
    table = differences_table(records, [drawn.get(one.id, {}) for _, _, one in scores])
    tested = {str(row["benchmark"]): row for _, row in table.iterrows()}
    return [_pair(benchmark, one, other, tested[str(benchmark.id)]) for benchmark, one, other in shared]


def _record(benchmark: BenchmarkEntry, model: ModelEntry, one: ScoreEntry) -> dict[str, Any]:
    """As the report reads it."""
    return {
        "benchmark": str(benchmark.id),
        "benchmark_version": benchmark.version,
        "model": model.name,
        "score": one.value,
        "n_stimuli": one.n_stimuli,
        "provenance": {name: one.shown.get(name) for name in ("seed", "n_bootstraps", "data_digest")},
    }


def _pair(benchmark: BenchmarkEntry, one: ScoreEntry, other: ScoreEntry, row: Any) -> dict[str, Any]:
    difference = float(one.value or 0.0) - float(other.value or 0.0)
    sign = 1 if row["difference"] == difference else -1
    bounds = sorted((sign * row["low"], sign * row["high"]))
    tested = bool(np.isfinite(row["p"]))
    return {
        "benchmark": benchmark,
        "a": one.value,
        "b": other.value,
        "difference": difference,
        "better": (-difference if benchmark.lower_is_better else difference)
        if one.ranked and other.ranked
        else 0.0,
        "low": bounds[0] if tested else None,
        "high": bounds[1] if tested else None,
        "p": float(row["p"]) if tested else None,
        "q": float(row["q"]) if tested else None,
    }
