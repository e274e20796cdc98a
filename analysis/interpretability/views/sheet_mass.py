"""Where on the model's sheet each feature writes, beside directions that are no features."""

import numpy as np
import pandas as pd

from ...spatial.spatial_weights import SpatialWeights
from ..sheets.feature_mass import mass_table
from ..sheets.mass_nulls import mass_comparison
from .base import Inside, view

_PERMUTATIONS = 199
_SHOWN = ("signed_I", "mass_I", "spread", "effective_units", "mass_null_mean", "mass_null_sd", "mass_p")


@view(
    "mass",
    "feature",
    "where each feature writes on the sheet: center, spread, clustering, units of half its mass",
)
def of_features(inside: Inside) -> pd.DataFrame:
    """The table of :func:`..sheets.feature_mass.mass_table`; its controls in ``attrs["controls"]``.

    Parameters
    ----------
    inside : Inside
        Whose model has a sheet for the layer.
    """
    weights = SpatialWeights.from_positions(inside.sheet)
    decoder = inside.features.directions.numpy()
    table = mass_table(decoder, weights)
    rows = inside.rows.numpy()
    codes = inside.features.encode(inside.rows)
    alive = np.bincount(codes.indices[codes.values > 0].numpy(), minlength=codes.n_features) > 0
    beside = mass_comparison(
        decoder[alive], rows, weights, n_draws=5, permutations=_PERMUTATIONS, random_state=inside.seed
    )
    table.attrs["controls"] = beside[list(_SHOWN)].reset_index().to_dict("records")
    return table
