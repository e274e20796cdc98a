"""Nuisance spaces that need no model: where a sample stands in its sequence, how long its text is."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.ndimage import gaussian_filter1d

from ...brain_data.text_columns import text_column
from ...errors import UserError
from .recording import Recording
from .registries import nuisance_space
from .sampling import Sampling

Floats = npt.NDArray[np.float64]

_WIDTHS = 1.0, 2.0


@nuisance_space("position", "linear and quadratic position in the story or run, else in the order recorded")
def position(recorded: Recording, how: Sampling) -> Floats:
    """From -1 to 1 in each sequence, and its square; a sequence of one sample stands in the middle."""
    found = np.zeros((recorded.n_stimuli, 2))
    for rows in how.sequences:
        place = np.linspace(-1, 1, len(rows)) if len(rows) > 1 else np.zeros(1)
        found[rows] = np.stack([place, place**2], axis=1)
    return found


@nuisance_space(
    "oasm", "orthogonal autocorrelated sequences: the order alone, smoothed within each story or run"
)
def oasm(recorded: Recording, how: Sampling) -> Floats:
    """Identity over the samples under Gaussians of 1 and 2 samples within each sequence.

    It sees no stimulus: what it predicts is what folds let through (Feghhi et al. 2024, arXiv:2406.01538).
    """
    n = recorded.n_stimuli
    found = np.zeros((n, n, len(_WIDTHS)))
    for rows in how.sequences:
        for i, width in enumerate(_WIDTHS):
            smooth = gaussian_filter1d(np.eye(len(rows)), width, axis=0, mode="constant")
            found[rows[:, None], rows, i] = smooth
    return found.reshape(n, -1)


@nuisance_space("word-rate", "the number of words of a text")
def word_rate(recorded: Recording, how: Sampling) -> Floats:
    """Words between spaces."""
    del how
    column = text_column(recorded.columns)
    if column is None:
        raise UserError(f"{recorded.name}: the stimuli have no text whose words could be counted")
    return np.array([[float(len(str(text).split()))] for text in recorded.columns[column]])


def of_column(recorded: Recording, name: str) -> Floats:
    """A column of the stimuli: numbers as they are, standardized; anything else one indicator a value.

    Raises
    ------
    UserError
        For missing values, or values of which every stimulus has its own.
    """
    values = recorded.columns[name]
    missing = UserError(
        f"{recorded.name}: the column {name!r} has missing values, so it is no nuisance space"
    )
    if pd.isna(values).any():
        raise missing
    try:
        numbers = values.astype(np.float64)
    except (TypeError, ValueError):
        kinds, member = np.unique(values.astype(str), return_inverse=True)
        if len(kinds) == recorded.n_stimuli:
            raise UserError(
                f"{recorded.name}: every stimulus has its own {name!r}, so it is no nuisance space"
            ) from None
        indicators: Floats = np.eye(len(kinds))[member]
        return indicators
    if not np.isfinite(numbers).all():
        raise missing
    return numbers[:, None]
