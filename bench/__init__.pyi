from .benchmark import (
    Benchmark as Benchmark,
    BenchmarkCard as BenchmarkCard,
    add_benchmark as add_benchmark,
    benchmark_card as benchmark_card,
    list_benchmarks as list_benchmarks,
    load_benchmark as load_benchmark,
    make_benchmark as make_benchmark,
)
from .leaderboard.submit import submit as submit
from .metrics.base import Ceiling as Ceiling, MetricResult as MetricResult, ScoringOptions as ScoringOptions
from .over_time.result import OverTime as OverTime
from .over_time.scoring import score_over_time as score_over_time
from .reports.collect import Comparison as Comparison, compare as compare
from .reports.html import write_report as write_report
from .reports.layer_curve import layer_curve as layer_curve
from .reports.over_time_figures import (
    generalization_figure as generalization_figure,
    over_time_figure as over_time_figure,
    steps_figure as steps_figure,
)
from .reports.panel import Panel as Panel, panels as panels
from .reports.variance_figure import variance_partition_figure as variance_partition_figure
from .results.store import Run as Run, arrays_of as arrays_of, open_run as open_run, record_of as record_of
from .scoring import score as score
from .studies.study import Study as Study
