"""What a representation is like: selectivity, clustering, dimensionality, dissimilarity, statistics, figures."""

from typing import TYPE_CHECKING

from ..lazy import attach

if TYPE_CHECKING:
    from .clustering import MoransI, morans_i, morans_i_of_maps
    from .comparison import PairedDifference, paired_difference
    from .cortex_figures import brain_figure, cortical_surface_figure, surface_figure
    from .dimensionality import (
        Dimensionality,
        corrected_participation_ratio,
        cross_validated_eigenvalues,
        effective_dimensionality,
        participation_ratio,
    )
    from .dissimilarity import correlation_rdm, crossnobis_rdm, kendall_tau_a, spearman
    from .distance_curves import Correlogram, correlation_by_distance, difference_curve, smoothness
    from .figures import layer_curve
    from .geary import GearysC, gearys_c
    from .grating_maps import Pinwheels, grating_tuning, pinwheels
    from .layout_null import LayoutNull
    from .local_clustering import local_morans_i
    from .neighbours import mesh_distances, mesh_neighbours
    from .patch import patches, unit_areas
    from .rdm_comparison import (
        bootstrap_correlations,
        bootstrap_cosines,
        compare_models,
        whitened_correlation,
        whitened_cosine,
    )
    from .resampling import benjamini_hochberg
    from .selectivity import (
        Reliability,
        category_selectivity,
        contrast_selectivity,
        fraction_selective,
        preferred_category,
        selectivity_reliability,
    )
    from .smoothing import smooth
    from .variance_figure import variance_partition_figure
    from .wiring import wiring_length

_WHERE = {
    "Correlogram": ".distance_curves",
    "Dimensionality": ".dimensionality",
    "GearysC": ".geary",
    "LayoutNull": ".layout_null",
    "MoransI": ".clustering",
    "PairedDifference": ".comparison",
    "Pinwheels": ".grating_maps",
    "Reliability": ".selectivity",
    "benjamini_hochberg": ".resampling",
    "bootstrap_correlations": ".rdm_comparison",
    "bootstrap_cosines": ".rdm_comparison",
    "brain_figure": ".cortex_figures",
    "cortical_surface_figure": ".cortex_figures",
    "category_selectivity": ".selectivity",
    "compare_models": ".rdm_comparison",
    "contrast_selectivity": ".selectivity",
    "corrected_participation_ratio": ".dimensionality",
    "correlation_by_distance": ".distance_curves",
    "correlation_rdm": ".dissimilarity",
    "cross_validated_eigenvalues": ".dimensionality",
    "crossnobis_rdm": ".dissimilarity",
    "difference_curve": ".distance_curves",
    "effective_dimensionality": ".dimensionality",
    "fraction_selective": ".selectivity",
    "gearys_c": ".geary",
    "grating_tuning": ".grating_maps",
    "kendall_tau_a": ".dissimilarity",
    "layer_curve": ".figures",
    "local_morans_i": ".local_clustering",
    "mesh_distances": ".neighbours",
    "mesh_neighbours": ".neighbours",
    "morans_i": ".clustering",
    "morans_i_of_maps": ".clustering",
    "paired_difference": ".comparison",
    "participation_ratio": ".dimensionality",
    "patches": ".patch",
    "pinwheels": ".grating_maps",
    "preferred_category": ".selectivity",
    "selectivity_reliability": ".selectivity",
    "smooth": ".smoothing",
    "smoothness": ".distance_curves",
    "spearman": ".dissimilarity",
    "surface_figure": ".cortex_figures",
    "unit_areas": ".patch",
    "variance_partition_figure": ".variance_figure",
    "whitened_correlation": ".rdm_comparison",
    "whitened_cosine": ".rdm_comparison",
    "wiring_length": ".wiring",
}
__all__ = [
    "Correlogram",
    "Dimensionality",
    "GearysC",
    "LayoutNull",
    "MoransI",
    "PairedDifference",
    "Pinwheels",
    "Reliability",
    "benjamini_hochberg",
    "bootstrap_correlations",
    "bootstrap_cosines",
    "brain_figure",
    "category_selectivity",
    "compare_models",
    "contrast_selectivity",
    "corrected_participation_ratio",
    "correlation_by_distance",
    "correlation_rdm",
    "cortical_surface_figure",
    "cross_validated_eigenvalues",
    "crossnobis_rdm",
    "difference_curve",
    "effective_dimensionality",
    "fraction_selective",
    "gearys_c",
    "grating_tuning",
    "kendall_tau_a",
    "layer_curve",
    "local_morans_i",
    "mesh_distances",
    "mesh_neighbours",
    "morans_i",
    "morans_i_of_maps",
    "paired_difference",
    "participation_ratio",
    "patches",
    "pinwheels",
    "preferred_category",
    "selectivity_reliability",
    "smooth",
    "smoothness",
    "spearman",
    "surface_figure",
    "unit_areas",
    "variance_partition_figure",
    "whitened_correlation",
    "whitened_cosine",
    "wiring_length",
]
__getattr__, __dir__ = attach(__name__, _WHERE)
