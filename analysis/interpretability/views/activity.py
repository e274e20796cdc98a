"""How often and how much units and features answer."""

import numpy as np
import pandas as pd

from .base import Inside, view


@view(
    "activity",
    "unit",
    "mean, spread, skewness of each unit, and how often it exceeds its mean by two spreads",
)
def of_units(inside: Inside) -> pd.DataFrame:
    """Moments over rows.

    Parameters
    ----------
    inside : Inside

    Returns
    -------
    DataFrame
        ``mean``, ``sd``, ``skewness``, ``high`` (share of rows above mean + 2 sd).
    """
    x = inside.activations("unit").astype(np.float64)
    mean, sd = x.mean(axis=0), x.std(axis=0)
    z = (x - mean) / np.where(sd > 0, sd, 1.0)
    return pd.DataFrame(
        {"mean": mean, "sd": sd, "skewness": (z**3).mean(axis=0), "high": (z > 2).mean(axis=0)}
    )


@view(
    "density",
    "feature",
    "how often each feature is active, how strongly where it is, and its share of all activity",
)
def of_features(inside: Inside) -> pd.DataFrame:
    """Rates over rows; a feature that never is active has no mean.

    Parameters
    ----------
    inside : Inside

    Returns
    -------
    DataFrame
        ``rate``, ``log10_rate`` (NaN of a silent one), ``mean_active``, ``most``, ``share`` of the summed squares.
    """
    codes = inside.features.encode(inside.rows)
    n, size = len(codes), codes.n_features
    values, indices = codes.values.double().numpy().ravel(), codes.indices.numpy().ravel()
    n_active = np.bincount(indices[values > 0], minlength=size)
    total = np.bincount(indices, values, minlength=size)
    squares = np.bincount(indices, values**2, minlength=size)
    most = np.zeros(size)
    np.maximum.at(most, indices, values)
    with np.errstate(divide="ignore", invalid="ignore"):
        table = pd.DataFrame(
            {
                "rate": n_active / n,
                "log10_rate": np.where(n_active > 0, np.log10(n_active / n), np.nan),
                "mean_active": np.where(n_active > 0, total / n_active, np.nan),
                "most": most,
                "share": squares / max(squares.sum(), np.finfo(float).tiny),
            }
        )
    table.attrs |= {"n_rows": n, "never_active": int((n_active == 0).sum())}
    return table
