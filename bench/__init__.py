"""The verdict: metrics, benchmarks, scores, results, and the command line."""

from typing import TYPE_CHECKING

from ..lazy import attach

if TYPE_CHECKING:
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
    from .scoring import score

_WHERE = {
    "Benchmark": ".benchmark",
    "BenchmarkCard": ".benchmark",
    "Run": ".results",
    "add_benchmark": ".benchmark",
    "arrays_of": ".results",
    "benchmark_card": ".benchmark",
    "list_benchmarks": ".benchmark",
    "load_benchmark": ".benchmark",
    "make_benchmark": ".benchmark",
    "open_run": ".results",
    "record_of": ".results",
    "score": ".scoring",
}
__all__ = [
    "Benchmark",
    "BenchmarkCard",
    "Run",
    "add_benchmark",
    "arrays_of",
    "benchmark_card",
    "list_benchmarks",
    "load_benchmark",
    "make_benchmark",
    "open_run",
    "record_of",
    "score",
]
__getattr__, __dir__ = attach(__name__, _WHERE)
