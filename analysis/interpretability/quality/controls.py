"""Dictionaries that learnt nothing, to hold a learnt one against: random directions, rows of the data, no training."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import torch

from ....errors import UserError
from ..codes import Weights
from ..dictionary import Dictionary
from .reconstruction import Rows

Floats = npt.NDArray[np.float64]


def isotropic_directions(n_features: int, n_units: int, *, random_state: int) -> Floats:
    """Unit vectors without any preferred direction.

    Returns
    -------
    array of shape (n_features, n_units)
    """
    return unit_rows(np.random.default_rng(random_state).standard_normal((n_features, n_units)))


def covariance_matched_directions(rows: Rows, n_features: int, *, random_state: int) -> Floats:
    """Draws of N(0, Sigma), Sigma the covariance of rows, brought to norm 1.

    Parameters
    ----------
    rows : array of shape (n_rows, n_units)
    n_features : int
    random_state : int

    Returns
    -------
    array of shape (n_features, n_units)
    """
    values, vectors = np.linalg.eigh(covariance(rows))
    root = vectors * np.sqrt(np.clip(values, 0, None))
    drawn = np.random.default_rng(random_state).standard_normal((n_features, len(values)))
    return unit_rows(drawn @ root.T)


def data_directions(rows: Rows, n_features: int, *, random_state: int) -> Floats:
    """Rows of the data less their mean, brought to norm 1; drawn with replacement where there are too few.

    Parameters
    ----------
    rows : array of shape (n_rows, n_units)
    n_features : int
    random_state : int

    Returns
    -------
    array of shape (n_features, n_units)
    """
    taken = np.random.default_rng(random_state).choice(len(rows), n_features, replace=len(rows) < n_features)
    return unit_rows(np.asarray(rows[taken], np.float64) - row_mean(rows))


def untrained(dictionary: Dictionary, k: int, *, random_state: int) -> Dictionary:
    """A topk dictionary as before its first step: isotropic directions, the encoder the same, no bias.

    Parameters
    ----------
    dictionary : Dictionary
        Gives width, mean and scale.
    k : int
        Active features of a row, as many as the learnt one has.
    random_state : int
    """
    n_features, n_units = dictionary.n_features, dictionary.n_units
    drawn = isotropic_directions(n_features, n_units, random_state=random_state)
    directions = torch.from_numpy(drawn).float()
    weights = Weights(
        directions, directions.clone(), torch.zeros(n_features), torch.zeros(n_units), min(k, n_features)
    )
    facts = {"control": "untrained", "seeds": {"init": random_state}}
    return replace(
        dictionary, weights=weights, variant="topk", facts=facts, output_mean=None, output_scale=None
    )


def covariance(rows: Rows) -> Floats:
    """The covariance of rows, (n_units, n_units), in double precision, without holding them so."""
    mean = row_mean(rows)
    total = np.zeros((len(mean), len(mean)))
    for start in range(0, len(rows), 8192):
        part = np.asarray(rows[start : start + 8192], np.float64) - mean
        total += part.T @ part
    return total / max(len(rows) - 1, 1)


def row_mean(rows: Rows) -> Floats:
    """The mean of rows, (n_units,), in double precision."""
    if len(rows) < 2:
        raise UserError(f"controls of a dictionary need at least 2 rows, not {len(rows)}")
    total = sum(
        np.asarray(rows[start : start + 8192], np.float64).sum(axis=0) for start in range(0, len(rows), 8192)
    )
    return np.asarray(total / len(rows), np.float64)


def unit_rows(directions: npt.ArrayLike) -> Floats:
    """Directions brought to norm 1; those of norm 0 stay."""
    values = np.asarray(directions, np.float64)
    norm = np.linalg.norm(values, axis=1, keepdims=True)
    units: Floats = values / np.where(norm > 0, norm, 1)
    return units
