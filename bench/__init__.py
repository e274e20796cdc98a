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
    from .results import Run, arrays_of, open_run, record_of
    from .ridge import nested_ridge
    from .scoring import score
    from .sparse import sparse_encoding
    from .splits import Fold, Splitter, nested_folds

_WHERE = {
    "Benchmark": ".benchmark",
    "BenchmarkCard": ".benchmark",
    "Fold": ".splits",
    "Run": ".results",
    "Splitter": ".splits",
    "add_benchmark": ".benchmark",
    "arrays_of": ".results",
    "banded_ridge": ".banded",
    "benchmark_card": ".benchmark",
    "list_benchmarks": ".benchmark",
    "load_benchmark": ".benchmark",
    "make_benchmark": ".benchmark",
    "nested_folds": ".splits",
    "nested_ridge": ".ridge",
    "open_run": ".results",
    "record_of": ".results",
    "score": ".scoring",
    "sparse_encoding": ".sparse",
    "variance_partitioning": ".banded",
}
__all__ = [
    "Benchmark",
    "BenchmarkCard",
    "Fold",
    "Run",
    "Splitter",
    "add_benchmark",
    "arrays_of",
    "banded_ridge",
    "benchmark_card",
    "list_benchmarks",
    "load_benchmark",
    "make_benchmark",
    "nested_folds",
    "nested_ridge",
    "open_run",
    "record_of",
    "score",
    "sparse_encoding",
    "variance_partitioning",
]
__getattr__, __dir__ = attach(__name__, _WHERE)
