"""Whether features are clustered on the sheet: beside permuted layouts, and beside directions that are no features.

Features share units, so their values of Moran's I are not independent, and what is tested is their mean. Under a
permutation p of the layout, the same for all features,

    mean_i I_i(p) = n / S0 sum_uv w_uv C_p(u)p(v),   C = mean_i z_i z_i' / |z_i|^2,

so that one matrix of units by units stands for any number of features. Neighbours on a topographic sheet correlate, and
then *any* direction that activations take is smooth: features are clustered as features only where they exceed
directions drawn with the covariance of the activations.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
import pandas as pd

from ....errors import UserError
from ...masks import unmasked
from ...spatial.morans_i import centered_maps
from ...spatial.spatial_weights import SpatialWeights
from ..quality.controls import covariance_matched_directions, data_directions, isotropic_directions
from .feature_mass import Floats, directions, mass_table

MEASURES = ("signed_I", "mass_I", "spread", "largest_share", "effective_units")
_TIE = 1e-12


@dataclass(frozen=True)
class MeanClustering:
    """Moran's I, mean over features, and what it is under permuted layouts.

    Attributes
    ----------
    I : float
    null_mean, null_sd : float
        Over layouts that were permuted for all features together.
    p : float
        Share of permuted layouts, and of the observed one, whose mean is at least as high; never 0.
    n_features, permutations, random_state : int
    """

    I: float  # noqa: E741  the statistic's name, in esda and in the papers
    null_mean: float
    null_sd: float
    p: float
    n_features: int
    permutations: int
    random_state: int


@unmasked
def clustering_of_mean(
    maps: npt.ArrayLike, weights: SpatialWeights, *, permutations: int = 999, random_state: int = 0
) -> MeanClustering:
    """Moran's I averaged over features, with the null of layouts that are permuted for all of them together.

    Parameters
    ----------
    maps : array of shape (n_features, n_units)
        Signed decoder rows, or their mass.
    weights : SpatialWeights
    permutations, random_state : int

    Raises
    ------
    UserError
        For maps that do not fit, do not vary or are not finite, or fewer than 2 permutations.
    """
    if permutations < 2:
        raise UserError(f"a null needs at least 2 permutations, not {permutations}")
    z = centered_maps(np.atleast_2d(np.asarray(maps, np.float64)), weights)
    z /= np.linalg.norm(z, axis=1, keepdims=True)
    shared = z.T @ z / len(z)
    pairs = weights.pairs.tocoo()
    scale = len(weights) / weights.s0

    def mean_of(order: npt.NDArray[np.intp]) -> float:
        return float(scale * (pairs.data @ shared[order[pairs.row], order[pairs.col]]))

    observed = mean_of(np.arange(len(weights)))
    generator = np.random.default_rng([random_state, 43])
    null = np.array([mean_of(generator.permutation(len(weights))) for _ in range(permutations)])
    p = (1 + int((null >= observed - _TIE).sum())) / (1 + permutations)
    return MeanClustering(
        observed, float(null.mean()), float(null.std(ddof=1)), p, len(z), permutations, random_state
    )


@unmasked
def mass_comparison(
    decoder: npt.ArrayLike,
    rows: npt.ArrayLike,
    weights: SpatialWeights,
    *,
    unit_sd: npt.ArrayLike | None = None,
    n_draws: int = 20,
    permutations: int = 999,
    random_state: int = 0,
) -> pd.DataFrame:
    """Features on the sheet beside as many directions that are no features.

    Parameters
    ----------
    decoder : array of shape (n_features, n_units)
        Features that fire at all.
    rows : array of shape (n_rows, n_units)
        Activations, for the directions of their covariance and for data rows.
    weights : SpatialWeights
    unit_sd : array of shape (n_units,), optional
        As in :func:`.decoder_mass`; for all kinds of directions.
    n_draws : int
        Sets of directions of every kind; a set has as many as there are features.
    permutations, random_state : int

    Returns
    -------
    DataFrame
        A row a kind: ``features``, ``covariance-matched``, ``data rows``, ``isotropic``. For each of ``signed_I``,
        ``mass_I``, ``spread``, ``largest_share``, ``effective_units`` the mean over directions and, ``MEASURE_sd``,
        its standard deviation over sets. ``signed_null_mean``, ``signed_null_sd``, ``signed_p`` and the same of the
        mass: layouts permuted. Of kinds that are no features ``signed_beyond`` and ``mass_beyond``: the share of
        their sets, and of the features, whose I is at least that of the features, a one-sided p that never is 0.
        ``attrs`` say what was drawn.
    """
    own = directions(decoder)
    n_features, n_units = own.shape
    if n_units != len(weights):
        raise UserError(f"features of {n_units} units do not fit a sheet of {len(weights)}")
    if n_draws < 1:
        raise UserError(f"beside features at least 1 set of directions is drawn, not {n_draws}")
    values = np.asarray(rows, np.float32)
    ways: dict[str, Callable[..., Floats]] = {
        "features": lambda random_state: own,
        "covariance-matched": partial(covariance_matched_directions, values, n_features),
        "data rows": partial(data_directions, values, n_features),
        "isotropic": partial(isotropic_directions, n_features, n_units),
    }
    found, observed = [], pd.Series(dtype=float)
    for kind, draw in ways.items():
        n = 1 if kind == "features" else n_draws
        sets = [draw(random_state=random_state + i) for i in range(n)]
        means = pd.DataFrame(
            [mass_table(one, weights, unit_sd=unit_sd)[list(MEASURES)].mean() for one in sets]
        )
        observed = means.iloc[0] if kind == "features" else observed
        row: dict[str, object] = {"kind": kind, "n_sets": n}
        for measure in MEASURES:
            row[measure] = float(means[measure].mean())
            row[f"{measure}_sd"] = float(means[measure].std(ddof=1)) if n > 1 else np.nan
        signed = directions(sets[0], unit_sd)
        for name, maps in {"signed": signed, "mass": signed**2}.items():
            null = clustering_of_mean(maps, weights, permutations=permutations, random_state=random_state)
            row |= {f"{name}_null_mean": null.null_mean, f"{name}_null_sd": null.null_sd, f"{name}_p": null.p}
            above = int((means[f"{name}_I"] >= observed[f"{name}_I"] - _TIE).sum())
            row[f"{name}_beyond"] = np.nan if kind == "features" else (1 + above) / (1 + n)
        found.append(row)
    table = pd.DataFrame(found).set_index("kind")
    table.attrs |= {
        "n_features": n_features,
        "n_units": n_units,
        "n_rows": len(np.asarray(rows)),
        "weighting": "raw" if unit_sd is None else "standardized",
        "permuted": "the places of the units, the same permutation for all features of a draw",
        "permutations": permutations,
        "random_state": random_state,
    }
    return table
