"""How well a description predicts activation: r over all rows, detection of firing rows, coverage, purity."""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csc_array

from .base import Floats, Keys
from .evidence import Indices

_TINY = 1e-12
_GROUPS, _A_GROUP, _SILENT = 5, 10, 50
_LEAST_FIRING = 5
"""Firing rows without which nothing is detected."""


@dataclass(frozen=True)
class Scores:
    """Of n descriptions, NaN where there is none.

    Attributes
    ----------
    r, detection, coverage, purity : arrays of shape (n,)
        Correlation over all rows; balanced accuracy; share of the activation that lies on described keys; share of the
        rows with a described key that fire.
    """

    r: Floats
    detection: Floats
    coverage: Floats
    purity: Floats


def predicted(keys: Keys, rows: Indices, table: csc_array) -> csc_array:
    """What a table says of rows, (len(rows), n): the values of all keys that hold there, summed."""
    return csc_array(keys.held[rows] @ table)


def correlations(one: csc_array, other: csc_array) -> Floats:
    """Correlation of each column of two sparse arrays over all rows, zeros too; NaN where either is constant.

    Parameters
    ----------
    one, other : sparse arrays of shape (n_rows, n)
    """
    n = max(one.shape[0], 1)
    a, b = one.astype(np.float64), other.astype(np.float64)
    mean = [np.asarray(x.sum(axis=0)).ravel() / n for x in (a, b)]
    spread = [
        np.asarray(x.multiply(x).sum(axis=0)).ravel() / n - m**2 for x, m in zip((a, b), mean, strict=True)
    ]
    both = np.asarray(a.multiply(b).sum(axis=0)).ravel() / n - mean[0] * mean[1]
    below = np.sqrt(np.clip(spread[0], 0, None) * np.clip(spread[1], 0, None))
    return np.where(below > _TINY, both / np.where(below > _TINY, below, 1), np.nan)


def coverage_and_purity(guess: csc_array, activations: csc_array) -> tuple[Floats, Floats]:
    """Share of the summed activation in rows that are described, and share of those rows that fire.

    Parameters
    ----------
    guess, activations : sparse arrays of shape (n_rows, n)
        A row is described where the guess is above 0.
    """
    rule = (guess > 0).astype(np.float64)
    total = np.asarray(activations.sum(axis=0), np.float64).ravel()
    held = np.asarray(activations.multiply(rule).sum(axis=0), np.float64).ravel()
    fires = np.asarray((activations > 0).astype(np.float64).multiply(rule).sum(axis=0)).ravel()
    n = np.asarray(rule.sum(axis=0)).ravel()
    return _share(held, total), _share(fires, n)


def _share(part: Floats, whole: Floats) -> Floats:
    return np.where(whole > 0, part / np.where(whole > 0, whole, 1), np.nan)


@dataclass(frozen=True)
class Side:
    """A part of the rows: what is guessed there, what is true, and where the foremost key holds.

    Attributes
    ----------
    guess, activations : sparse arrays of shape (n_rows, n)
    keys : Keys
        Of those rows.
    """

    guess: csc_array
    activations: csc_array
    keys: Keys


def detections(chooses: Side, scores: Side, foremost: Indices, *, random_state: int) -> Floats:
    """Balanced accuracy of "it fires here" on 50 firing and 50 silent rows of one part, by a threshold of the other.

    Firing rows are ten of each fifth of the activations; half of the silent ones are near misses, in which the foremost
    key holds. It is said to fire where the guess reaches the threshold that is best on rows drawn likewise from the
    part that chooses; one that is never reached is among them.

    Parameters
    ----------
    chooses, scores : Side
    foremost : int array of shape (n,)
        The key of largest mass of each description, -1 for none.
    random_state : int

    Returns
    -------
    array of shape (n,)
        NaN where it fires in fewer than 5 rows of either part.
    """
    generator = np.random.default_rng([random_state, 22])
    found = np.full(len(foremost), np.nan)
    for column, key in enumerate(foremost.tolist()):
        drawn = [_drawn(side, column, key, generator) for side in (chooses, scores)]
        if drawn[0] is not None and drawn[1] is not None:
            limit = _threshold(*drawn[0])
            found[column] = _balanced(drawn[1][0] >= limit, drawn[1][1])
    return found


def _drawn(
    side: Side, column: int, key: int, generator: np.random.Generator
) -> tuple[Floats, Indices] | None:
    """Guesses at drawn rows, and whether it fires there."""
    f, n = side.activations, side.activations.shape[0]
    here = slice(f.indptr[column], f.indptr[column + 1])
    firing = f.indices[here][np.argsort(f.data[here], kind="stable")]
    if len(firing) < _LEAST_FIRING:
        return None
    fifths = np.array_split(firing, _GROUPS)
    chosen = [generator.choice(one, min(_A_GROUP, len(one)), replace=False) for one in fifths]
    fires = np.zeros(n, bool)
    fires[firing] = True
    near = np.empty(0, np.intp)
    if key >= 0:
        holds = side.keys.by_key
        near = holds.indices[holds.indptr[key] : holds.indptr[key + 1]]
        near = near[~fires[near]]
        near = generator.choice(near, min(_SILENT // 2, len(near)), replace=False)
    others = _silent(fires, _SILENT - len(near), generator)
    if not len(near) + len(others):
        return None
    rows = np.concatenate([*chosen, near, others])
    guess = np.zeros(n)
    there = slice(side.guess.indptr[column], side.guess.indptr[column + 1])
    guess[side.guess.indices[there]] = side.guess.data[there]
    return guess[rows], fires[rows].astype(np.intp)


def _silent(
    fires: "np.ndarray[tuple[int], np.dtype[np.bool_]]", size: int, generator: np.random.Generator
) -> Indices:
    tried = np.unique(generator.integers(0, len(fires), 6 * size))
    tried = tried[~fires[tried]]
    if len(tried) < size:
        tried = np.flatnonzero(~fires)
    return np.asarray(generator.choice(tried, min(size, len(tried)), replace=False), np.intp)


def _threshold(guess: Floats, fires: Indices) -> float:
    limits = np.concatenate([[np.inf], np.unique(guess[guess > 0])[::-1]])
    return float(limits[np.argmax([_balanced(guess >= one, fires) for one in limits])])


def _balanced(said: "np.ndarray[tuple[int], np.dtype[np.bool_]]", fires: Indices) -> float:
    real = fires > 0
    return float((said[real].mean() + (~said[~real]).mean()) / 2)


def score_tables(
    keys: Keys,
    table: csc_array,
    sides: tuple[tuple[Indices, csc_array], tuple[Indices, csc_array]],
    *,
    random_state: int,
) -> Scores:
    """All scores of tables of predictions.

    Parameters
    ----------
    keys : Keys
        Of all rows.
    table : sparse array of shape (n_keys, n)
        What is predicted where a key holds.
    sides : two pairs (rows, activations)
        The part that chooses thresholds, the part that scores.
    random_state : int
    """
    made = []
    for rows, activations in sides:
        made.append(Side(predicted(keys, rows, table), activations, Keys(keys.held[rows], keys.name)))
    chooses, scores = made
    foremost = _foremost(table, chooses.keys)
    has = np.diff(table.indptr) > 0
    coverage, purity = coverage_and_purity(scores.guess, scores.activations)
    return Scores(
        correlations(scores.guess, scores.activations),
        np.where(has, detections(chooses, scores, foremost, random_state=random_state), np.nan),
        np.where(has, coverage, np.nan),
        np.where(has, purity, np.nan),
    )


def _foremost(table: csc_array, keys: Keys) -> Indices:
    """The key of each column that most of what is predicted lies on."""
    frequent = np.asarray(keys.held.sum(axis=0)).ravel()
    weight = table.data * (frequent[table.indices] + 1)
    column = np.repeat(np.arange(table.shape[1]), np.diff(table.indptr))
    order = np.lexsort((-weight, column))
    found = np.full(table.shape[1], -1, np.intp)
    first = np.flatnonzero(np.diff(column[order], prepend=-1))
    found[column[order][first]] = table.indices[order][first]
    return found
