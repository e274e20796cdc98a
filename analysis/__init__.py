"""What a representation is like: dissimilarity, resampling statistics, figures."""

from typing import TYPE_CHECKING

from ..lazy import attach

if TYPE_CHECKING:
    from .clustering import MoransI, morans_i
    from .dimensionality import corrected_participation_ratio, participation_ratio
    from .dissimilarity import correlation_rdm, crossnobis_rdm, kendall_tau_a, spearman
    from .figures import layer_curve
    from .rdm_comparison import (
        bootstrap_correlations,
        bootstrap_cosines,
        compare_models,
        whitened_correlation,
        whitened_cosine,
    )
    from .resampling import benjamini_hochberg
    from .selectivity import category_selectivity
    from .variance_figure import variance_partition_figure

_WHERE = {
    "MoransI": ".clustering",
    "benjamini_hochberg": ".resampling",
    "bootstrap_correlations": ".rdm_comparison",
    "bootstrap_cosines": ".rdm_comparison",
    "category_selectivity": ".selectivity",
    "compare_models": ".rdm_comparison",
    "corrected_participation_ratio": ".dimensionality",
    "correlation_rdm": ".dissimilarity",
    "crossnobis_rdm": ".dissimilarity",
    "kendall_tau_a": ".dissimilarity",
    "layer_curve": ".figures",
    "morans_i": ".clustering",
    "participation_ratio": ".dimensionality",
    "spearman": ".dissimilarity",
    "variance_partition_figure": ".variance_figure",
    "whitened_correlation": ".rdm_comparison",
    "whitened_cosine": ".rdm_comparison",
}
__all__ = [
    "MoransI",
    "benjamini_hochberg",
    "bootstrap_correlations",
    "bootstrap_cosines",
    "category_selectivity",
    "compare_models",
    "corrected_participation_ratio",
    "correlation_rdm",
    "crossnobis_rdm",
    "kendall_tau_a",
    "layer_curve",
    "morans_i",
    "participation_ratio",
    "spearman",
    "variance_partition_figure",
    "whitened_correlation",
    "whitened_cosine",
]
__getattr__, __dir__ = attach(__name__, _WHERE)
