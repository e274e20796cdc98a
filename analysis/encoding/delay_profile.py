"""The course over delays of what features predict: the response to one word, as an encoding model has learned it.

With the delayed features side by side, X = [X_1 ... X_D], a model's weights are B = [B_1; ...; B_D]. Were the response
to a word h(d) times one pattern b for every delay, then X_1 B_d = h(d) X_1 b: what the weights of each delay say of the
same, undelayed features. The profile is that h,

    h = argmin_h min_b sum_d |X_1 B_d - h(d) X_1 b|^2,

the first eigenvector of G_de = <X_1 B_d, X_1 B_e>, scaled to sum_d |h(d)| = 1, with a sum above 0. G does not know the
sign of b, so it may be added over neuroids that words excite or inhibit, and neuroids of which nothing is predicted add
nothing.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .nested_ridge import Fit

Floats = npt.NDArray[np.float64]
_COLUMNS = 256
"""Targets whose weights are held at once."""


def ridge_weights(fit: Fit, features: Floats, targets: Floats) -> Floats:
    """The weights of a fit, B = argmin_B |Y - X B|^2 + alpha |B|^2, ``(n_features, n_targets)``.

    Parameters
    ----------
    fit : Fit
    features : array of shape (n_rows, n_features)
        Those of the fit.
    targets : array of shape (n_rows, n_targets)
        As many as the fit has penalties.
    """
    basis, train = fit.basis, fit.split.train
    shrunk = basis.shrink(basis.project(targets[train] - targets[train].mean(axis=0)), fit.alpha)
    # columns of the eigenvectors sum to 0, so that the features need not be centred
    found: Floats = (
        features[train].T @ (basis.rows @ shrunk) if basis.rotation is None else basis.rotation @ shrunk
    )
    return found


def delay_products(features: Floats, weights: Floats, n_delays: int) -> Floats:
    """G_de = <X_1 B_d, X_1 B_e> of each target, ``(n_targets, n_delays, n_delays)``.

    Parameters
    ----------
    features : array of shape (n_rows, n_delays x n_features)
        Delay by delay.
    weights : array of shape (n_delays x n_features, n_targets)
    n_delays : int
    """
    n_features, n_targets = len(weights) // n_delays, weights.shape[1]
    undelayed = features[:, :n_features] - features[:, :n_features].mean(axis=0)
    products = np.empty((n_targets, n_delays, n_delays))
    for start in range(0, n_targets, _COLUMNS):
        some = slice(start, start + _COLUMNS)
        of_delays = weights.reshape(n_delays, n_features, n_targets)[:, :, some]
        courses = undelayed @ of_delays  # (n_delays, n_rows, n_targets)
        products[some] = np.einsum("dtn,etn->nde", courses, courses, optimize=True)
    return products


def delay_profile(products: Floats) -> tuple[Floats, Floats]:
    """The profile h, and how much of G one profile explains, from 1 / n_delays to 1.

    Parameters
    ----------
    products : array of shape (..., n_delays, n_delays)
        Of one target, or added over several.

    Returns
    -------
    profile : array of shape (..., n_delays)
        NaN where nothing is predicted.
    explained : array of shape (...)
    """
    values, vectors = np.linalg.eigh(products)
    first, total = vectors[..., -1], values.sum(axis=-1)
    first = first * np.where(first.sum(axis=-1) < 0, -1, 1)[..., None]
    known = total > 0
    scaled = first / np.abs(first).sum(axis=-1, keepdims=True)
    explained = np.divide(values[..., -1], total, out=np.full_like(total, np.nan), where=known)
    return np.where(known[..., None], scaled, np.nan), explained
