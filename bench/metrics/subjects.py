"""What subjects share who were shown the same at the same time: the noise ceiling of recordings without repetitions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]

_PLACES = ("x", "y", "z", "vertex", "hemisphere")
FEWEST = 4
"""Subjects below which what they share is not told from noise."""


def corresponding(neuroids: pd.DataFrame, space: str = "") -> list[Indices] | None:
    """The neuroids of each subject, those of one place at the same index; None where places do not correspond.

    Neuroids correspond where there is one a region and subject, or where their vertices, or their positions in a
    standard space, are the same.

    Parameters
    ----------
    neuroids : DataFrame
        ``subject`` and ``region``, positions where known.
    space : str
        The standard space of positions.
    """
    if "subject" not in neuroids:
        return None
    people = [np.flatnonzero(neuroids["subject"] == one) for one in dict.fromkeys(neuroids["subject"])]
    if len({len(one) for one in people}) > 1 or len(people) < 2:
        return None
    if len(people[0]) == 1:
        return people
    names = [name for name in _PLACES if name in neuroids]
    if not names or not (space or {"vertex", "hemisphere"} <= set(names)):
        return None
    places = [neuroids[names].iloc[one].sort_values(names) for one in people]
    if any(not np.array_equal(one.to_numpy(), places[0].to_numpy()) for one in places):
        return None
    return [one.index.to_numpy(np.intp) for one in places]


def people_of(responses: Floats, matched: Sequence[Indices]) -> Floats:
    """Mean responses, ``(n_rows, n_neuroids)``, of each subject, ``(n_subjects, n_rows, n_places)``."""
    return np.stack([responses[:, one] for one in matched])


def shared_between(
    people: Floats, parts: Sequence[Indices], rows: npt.NDArray[np.bool_] | None = None
) -> Floats:
    """Mean correlation of two subjects, centred within parts of the rows, of each neuroid.

        q = (|sum_s u_s|^2 - S) / (S (S - 1)),

    with u_s the responses of subject s, less their mean in each part, of length 1.

    Parameters
    ----------
    people : array of shape (n_subjects, n_rows, n_neuroids)
    parts : sequence of array of int
        Rows of each held-out fold.
    rows : array of shape (n_rows,), optional
        Which count.

    Returns
    -------
    array of shape (n_neuroids,)
        NaN where a subject does not vary.
    """
    units = _units(people, parts, rows)
    n = len(people)
    total = np.square(units.sum(axis=0)).sum(axis=0)
    q: Floats = (total - n) / (n * (n - 1))
    return q


def _units(people: Floats, parts: Sequence[Indices], rows: npt.NDArray[np.bool_] | None) -> Floats:
    chosen = [part if rows is None else part[rows[part]] for part in parts]
    chosen = [part for part in chosen if len(part) > 1]
    centered = [people[:, part] - people[:, part].mean(axis=1, keepdims=True) for part in chosen]
    values = np.concatenate(centered, axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        units: Floats = values / np.sqrt(np.square(values).sum(axis=1, keepdims=True))
    return units


def shared_error(people: Floats, parts: Sequence[Indices]) -> Floats:
    """Standard error of :func:`shared_between` over subjects, by the jackknife, ``(n_neuroids,)``."""
    units, n = _units(people, parts, None), len(people)
    total = units.sum(axis=0)
    without = np.array(
        [(np.square(total - one).sum(axis=0) - (n - 1)) / ((n - 1) * (n - 2)) for one in units]
    )
    error: Floats = np.sqrt((n - 1) / n * np.square(without - without.mean(axis=0)).sum(axis=0))
    return error


def reliability_of(
    people: Floats, parts: Sequence[Indices], of_mean: bool, rows: npt.NDArray[np.bool_] | None = None
) -> Floats:
    """What subjects share, as the reliability of one of them, or of their mean."""
    q, n = shared_between(people, parts, rows), len(people)
    if not of_mean:
        return q
    mean: Floats = n * q / np.maximum(1 + (n - 1) * q, 1e-9)
    return mean
