from .encoding.banded import banded_ridge as banded_ridge, variance_partitioning as variance_partitioning
from .encoding.cross_validation import Fold as Fold, Splitter as Splitter, nested_folds as nested_folds
from .encoding.nested_ridge import nested_ridge as nested_ridge
from .encoding.sparse import sparse_encoding as sparse_encoding
from .representation.dimensionality import (
    Dimensionality as Dimensionality,
    corrected_participation_ratio as corrected_participation_ratio,
    effective_dimensionality as effective_dimensionality,
    participation_ratio as participation_ratio,
)
from .representation.recorded_dimensionality import (
    cross_validated_eigenvalues as cross_validated_eigenvalues,
    recorded_dimensionality as recorded_dimensionality,
)
from .representation.rdm import (
    correlation_rdm as correlation_rdm,
    crossnobis_rdm as crossnobis_rdm,
    kendall_tau_a as kendall_tau_a,
    spearman as spearman,
)
from .representation.rdm_comparison import (
    bootstrap_correlations as bootstrap_correlations,
    bootstrap_cosines as bootstrap_cosines,
    compare_models as compare_models,
    whitened_correlation as whitened_correlation,
    whitened_cosine as whitened_cosine,
)
from .representation.selectivity import (
    Reliability as Reliability,
    category_selectivity as category_selectivity,
    contrast_selectivity as contrast_selectivity,
    fraction_selective as fraction_selective,
    preferred_category as preferred_category,
    selectivity_reliability as selectivity_reliability,
)
from .spatial.correlogram import (
    Correlogram as Correlogram,
    correlation_by_distance as correlation_by_distance,
    difference_curve as difference_curve,
    smoothness as smoothness,
)
from .spatial.gearys_c import GearysC as GearysC, gearys_c as gearys_c
from .spatial.local_morans_i import local_morans_i as local_morans_i
from .spatial.morans_i import MoransI as MoransI, morans_i as morans_i, morans_i_of_maps as morans_i_of_maps
from .spatial.patches import patches as patches, unit_areas as unit_areas
from .spatial.permutation_null import LayoutNull as LayoutNull, layout_null as layout_null
from .spatial.pinwheels import (
    Pinwheels as Pinwheels,
    grating_tuning as grating_tuning,
    pinwheels as pinwheels,
)
from .spatial.smoothing import smooth as smooth
from .spatial.spatial_weights import SpatialWeights as SpatialWeights, mesh_distances as mesh_distances
from .spatial.wiring import wiring_length as wiring_length
from .statistics.paired_tests import (
    PairedDifference as PairedDifference,
    paired_difference as paired_difference,
)
from .statistics.resampling import benjamini_hochberg as benjamini_hochberg
from .topography.cortex_figure import (
    brain_figure as brain_figure,
    cortical_surface_figure as cortical_surface_figure,
    surface_figure as surface_figure,
)
