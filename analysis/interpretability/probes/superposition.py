"""Fingerprints of superposition: how many units a property needs, and how many properties a unit serves, by layer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .sparse_probe import Point

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.intp]

CHANCE = 0.5
SHARE = 0.9


@dataclass(frozen=True)
class Needed:
    """How few units a property needs in one layer.

    Attributes
    ----------
    k : int
        The fewest of the curve whose AUROC is 90 % of the way from .5 to that of all units.
    gap : float
        F1 of all units - F1 of one.
    all_units : float
        AUROC of all units.
    units : intp array of shape (k,)
    """

    k: int
    gap: float
    all_units: float
    units: Integers


def needed(curve: Sequence[Point], *, share: float = SHARE) -> Needed:
    """From a property's curve of probes, the last of all units."""
    whole = curve[-1].scores.auroc
    goal = CHANCE + share * max(whole - CHANCE, 0.0)
    point = next(one for one in curve if one.scores.auroc >= goal or one is curve[-1])
    return Needed(point.k, curve[-1].scores.f1 - curve[0].scores.f1, whole, point.units)


@dataclass(frozen=True)
class Fingerprint:
    """Of the properties of one layer.

    Attributes
    ----------
    n_properties : int
    median_k : float
        Of the units that a property needs.
    median_gap : float
        Of F1 of all units - F1 of one.
    serves : intp array of shape (n_units,)
        For how many properties each unit is among the first `top` of the curve's probe of so many.
    shared : float
        Part of these places that go to units which serve more than one property.
    expected_shared : float
        The same where every property draws its units at random: mean of 200 draws.
    p : float
        (1 + draws at least as shared) / (1 + draws).
    """

    n_properties: int
    median_k: float
    median_gap: float
    serves: Integers
    shared: float
    expected_shared: float
    p: float


def fingerprint(
    curves: Mapping[str, Sequence[Point]],
    n_units: int,
    *,
    top: int = 4,
    n_draws: int = 200,
    random_state: int = 0,
) -> Fingerprint:
    """Of one layer, from the curve of every property that its probes show.

    Properties that are nearly the same (two nouns' classes) share units without superposition: compare layers, and
    dictionaries with their layer, on the same properties.

    Parameters
    ----------
    curves : mapping of str to sequence of Point
    n_units : int
        Of the layer.
    top : int
        Units of each property that are counted.
    n_draws, random_state : int
        Of the null.
    """
    if not curves:
        return Fingerprint(0, float("nan"), float("nan"), np.zeros(n_units, np.intp), *(float("nan"),) * 3)
    each = [needed(curve) for curve in curves.values()]
    chosen = [_first(curve, top) for curve in curves.values()]
    serves = np.bincount(np.concatenate(chosen), minlength=n_units)
    shared = _shared(serves)
    generator = np.random.default_rng(random_state)
    null = np.array(
        [
            _shared(
                np.bincount(
                    np.concatenate([generator.permutation(n_units)[: len(one)] for one in chosen]),
                    minlength=n_units,
                )
            )
            for _ in range(n_draws)
        ]
    )
    return Fingerprint(
        len(each),
        float(np.median([one.k for one in each])),
        float(np.median([one.gap for one in each])),
        serves,
        shared,
        float(null.mean()),
        float((1 + np.count_nonzero(null >= shared)) / (1 + n_draws)),
    )


def _first(curve: Sequence[Point], top: int) -> Integers:
    """The units of the largest probe of at most `top` units."""
    return max((one for one in curve if one.k <= top), key=lambda one: one.k, default=curve[0]).units[:top]


def _shared(serves: Integers) -> float:
    return float(serves[serves > 1].sum() / serves.sum())
