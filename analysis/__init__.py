"""What a representation is like: selectivity, clustering, dimensionality, dissimilarity, statistics, figures."""

from typing import TYPE_CHECKING

from ..lazy import attach

if TYPE_CHECKING:
    from .representation.dimensionality import (
        Dimensionality,
        corrected_participation_ratio,
        cross_validated_eigenvalues,
        effective_dimensionality,
        participation_ratio,
    )
    from .representation.rdm import correlation_rdm, crossnobis_rdm, kendall_tau_a, spearman
    from .representation.rdm_comparison import (
        bootstrap_correlations,
        bootstrap_cosines,
        compare_models,
        whitened_correlation,
        whitened_cosine,
    )
    from .representation.selectivity import (
        Reliability,
        category_selectivity,
        contrast_selectivity,
        fraction_selective,
        preferred_category,
        selectivity_reliability,
    )
    from .spatial.correlogram import Correlogram, correlation_by_distance, difference_curve, smoothness
    from .spatial.gearys_c import GearysC, gearys_c
    from .spatial.local_morans_i import local_morans_i
    from .spatial.morans_i import MoransI, morans_i, morans_i_of_maps
    from .spatial.patches import patches, unit_areas
    from .spatial.permutation_null import LayoutNull, layout_null
    from .spatial.pinwheels import Pinwheels, grating_tuning, pinwheels
    from .spatial.smoothing import smooth
    from .spatial.spatial_weights import SpatialWeights, mesh_distances
    from .spatial.wiring import wiring_length
    from .statistics.paired_tests import PairedDifference, paired_difference
    from .statistics.resampling import benjamini_hochberg
    from .topography.cortex_figure import brain_figure, cortical_surface_figure, surface_figure

_WHERE = {
    "Correlogram": ".spatial.correlogram",
    "Dimensionality": ".representation.dimensionality",
    "GearysC": ".spatial.gearys_c",
    "LayoutNull": ".spatial.permutation_null",
    "MoransI": ".spatial.morans_i",
    "PairedDifference": ".statistics.paired_tests",
    "Pinwheels": ".spatial.pinwheels",
    "Reliability": ".representation.selectivity",
    "SpatialWeights": ".spatial.spatial_weights",
    "benjamini_hochberg": ".statistics.resampling",
    "bootstrap_correlations": ".representation.rdm_comparison",
    "bootstrap_cosines": ".representation.rdm_comparison",
    "brain_figure": ".topography.cortex_figure",
    "cortical_surface_figure": ".topography.cortex_figure",
    "category_selectivity": ".representation.selectivity",
    "compare_models": ".representation.rdm_comparison",
    "contrast_selectivity": ".representation.selectivity",
    "corrected_participation_ratio": ".representation.dimensionality",
    "correlation_by_distance": ".spatial.correlogram",
    "correlation_rdm": ".representation.rdm",
    "cross_validated_eigenvalues": ".representation.dimensionality",
    "crossnobis_rdm": ".representation.rdm",
    "difference_curve": ".spatial.correlogram",
    "effective_dimensionality": ".representation.dimensionality",
    "fraction_selective": ".representation.selectivity",
    "gearys_c": ".spatial.gearys_c",
    "grating_tuning": ".spatial.pinwheels",
    "kendall_tau_a": ".representation.rdm",
    "layout_null": ".spatial.permutation_null",
    "local_morans_i": ".spatial.local_morans_i",
    "mesh_distances": ".spatial.spatial_weights",
    "morans_i": ".spatial.morans_i",
    "morans_i_of_maps": ".spatial.morans_i",
    "paired_difference": ".statistics.paired_tests",
    "participation_ratio": ".representation.dimensionality",
    "patches": ".spatial.patches",
    "pinwheels": ".spatial.pinwheels",
    "preferred_category": ".representation.selectivity",
    "selectivity_reliability": ".representation.selectivity",
    "smooth": ".spatial.smoothing",
    "smoothness": ".spatial.correlogram",
    "spearman": ".representation.rdm",
    "surface_figure": ".topography.cortex_figure",
    "unit_areas": ".spatial.patches",
    "whitened_correlation": ".representation.rdm_comparison",
    "whitened_cosine": ".representation.rdm_comparison",
    "wiring_length": ".spatial.wiring",
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
    "SpatialWeights",
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
    "layout_null",
    "local_morans_i",
    "mesh_distances",
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
    "whitened_correlation",
    "whitened_cosine",
    "wiring_length",
]
__getattr__, __dir__ = attach(__name__, _WHERE)
