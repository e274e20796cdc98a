"""What a representation is like: dissimilarity, resampling statistics, figures."""

from typing import TYPE_CHECKING

from ..lazy import attach

if TYPE_CHECKING:
    from .dissimilarity import correlation_rdm, crossnobis_rdm, kendall_tau_a, spearman
    from .figures import layer_curve
    from .resampling import benjamini_hochberg

_WHERE = {
    "benjamini_hochberg": ".resampling",
    "correlation_rdm": ".dissimilarity",
    "crossnobis_rdm": ".dissimilarity",
    "kendall_tau_a": ".dissimilarity",
    "layer_curve": ".figures",
    "spearman": ".dissimilarity",
}
__all__ = [
    "benjamini_hochberg",
    "correlation_rdm",
    "crossnobis_rdm",
    "kendall_tau_a",
    "layer_curve",
    "spearman",
]
__getattr__, __dir__ = attach(__name__, _WHERE)
