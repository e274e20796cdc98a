"""The verdict: metrics, benchmarks, scores, results, and the command line."""

from typing import TYPE_CHECKING

from ..lazy import attach

if TYPE_CHECKING:
    from ..analysis.encoding.banded import banded_ridge, variance_partitioning
    from ..analysis.encoding.cross_validation import Fold, Splitter, nested_folds
    from ..analysis.encoding.nested_ridge import nested_ridge
    from ..analysis.encoding.sparse import sparse_encoding
    from .benchmark import (
        Benchmark,
        BenchmarkCard,
        add_benchmark,
        benchmark_card,
        list_benchmarks,
        load_benchmark,
        make_benchmark,
    )
    from .leaderboard.submit import submit
    from .reports.collect import Comparison, compare
    from .reports.html import write_report
    from .reports.layer_curve import layer_curve
    from .reports.panel import Panel, panels
    from .reports.variance_figure import variance_partition_figure
    from .results.store import Run, arrays_of, open_run, record_of
    from .scoring import score

_WHERE = {
    "ScoringOptions": ".metrics.base",
    "MetricResult": ".metrics.base",
    "Ceiling": ".metrics.base",
    "Benchmark": ".benchmark",
    "BenchmarkCard": ".benchmark",
    "Comparison": ".reports.collect",
    "Fold": "..analysis.encoding.cross_validation",
    "Panel": ".reports.panel",
    "Run": ".results.store",
    "Splitter": "..analysis.encoding.cross_validation",
    "add_benchmark": ".benchmark",
    "arrays_of": ".results.store",
    "banded_ridge": "..analysis.encoding.banded",
    "benchmark_card": ".benchmark",
    "compare": ".reports.collect",
    "layer_curve": ".reports.layer_curve",
    "list_benchmarks": ".benchmark",
    "load_benchmark": ".benchmark",
    "make_benchmark": ".benchmark",
    "nested_folds": "..analysis.encoding.cross_validation",
    "nested_ridge": "..analysis.encoding.nested_ridge",
    "open_run": ".results.store",
    "panels": ".reports.panel",
    "record_of": ".results.store",
    "score": ".scoring",
    "sparse_encoding": "..analysis.encoding.sparse",
    "submit": ".leaderboard.submit",
    "variance_partition_figure": ".reports.variance_figure",
    "variance_partitioning": "..analysis.encoding.banded",
    "write_report": ".reports.html",
}
__all__ = [
    "Benchmark",
    "BenchmarkCard",
    "Ceiling",
    "Comparison",
    "Fold",
    "MetricResult",
    "Panel",
    "Run",
    "ScoringOptions",
    "Splitter",
    "add_benchmark",
    "arrays_of",
    "banded_ridge",
    "benchmark_card",
    "compare",
    "layer_curve",
    "list_benchmarks",
    "load_benchmark",
    "make_benchmark",
    "nested_folds",
    "nested_ridge",
    "open_run",
    "panels",
    "record_of",
    "score",
    "sparse_encoding",
    "submit",
    "variance_partition_figure",
    "variance_partitioning",
    "write_report",
]
__getattr__, __dir__ = attach(__name__, _WHERE)
