"""The verdict: metrics, benchmarks, scores, results, and the command line."""

from typing import TYPE_CHECKING

from ..lazy import attach

if TYPE_CHECKING:
    from .banded import banded_ridge, variance_partitioning
    from .benchmark import (
        Benchmark,
        BenchmarkCard,
        add_benchmark,
        benchmark_card,
        list_benchmarks,
        load_benchmark,
        make_benchmark,
    )
    from .comparison import Comparison, compare
    from .comparison_panels import Panel, panels
    from .comparison_report import write_report
    from .leaderboard import submit
    from .results import Run, arrays_of, open_run, record_of
    from .ridge import nested_ridge
    from .scoring import score
    from .sparse import sparse_encoding
    from .splits import Fold, Splitter, nested_folds

_WHERE = {
    "Benchmark": ".benchmark",
    "BenchmarkCard": ".benchmark",
    "Comparison": ".comparison",
    "Fold": ".splits",
    "Panel": ".comparison_panels",
    "Run": ".results",
    "Splitter": ".splits",
    "add_benchmark": ".benchmark",
    "arrays_of": ".results",
    "banded_ridge": ".banded",
    "benchmark_card": ".benchmark",
    "compare": ".comparison",
    "list_benchmarks": ".benchmark",
    "load_benchmark": ".benchmark",
    "make_benchmark": ".benchmark",
    "nested_folds": ".splits",
    "nested_ridge": ".ridge",
    "open_run": ".results",
    "panels": ".comparison_panels",
    "record_of": ".results",
    "score": ".scoring",
    "sparse_encoding": ".sparse",
    "submit": ".leaderboard",
    "variance_partitioning": ".banded",
    "write_report": ".comparison_report",
}
__all__ = [
    "Benchmark",
    "BenchmarkCard",
    "Comparison",
    "Fold",
    "Panel",
    "Run",
    "Splitter",
    "add_benchmark",
    "arrays_of",
    "banded_ridge",
    "benchmark_card",
    "compare",
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
    "variance_partitioning",
    "write_report",
]
__getattr__, __dir__ = attach(__name__, _WHERE)
