"""The registry of families of descriptions: what may be said of when a unit or feature fires."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.sparse import csc_array, csr_array

from ....registry import Registry
from .evidence import Indices, Reading, Shown

Floats = npt.NDArray[np.float64]
N_KEYS = 10
"""Keys of one description, at the most."""
SHRINK = 5
"""Rows of no activation that every mean is taken with."""


@dataclass(frozen=True)
class Keys:
    """What holds at each row.

    Attributes
    ----------
    held : sparse array of shape (n_rows, n_keys)
        1 where a key holds.
    name : callable
        The number of a key -> how it is called.
    """

    held: csr_array
    name: Callable[[int], str]

    @cached_property
    def by_key(self) -> csc_array:
        """The same, quick to ask for the rows of a key."""
        return csc_array(self.held)


@dataclass(frozen=True)
class Part:
    """Some rows of the evidence, and how much some units or features answer there.

    Attributes
    ----------
    shown : Reading or Seen
    rows : int array
    activations : sparse array of shape (len(rows), n)
        At least 0.
    promoted : int array of shape (n, m) or None
        Ids of tokens that each promotes, where that is known.
    """

    shown: Shown
    rows: Indices
    activations: csc_array
    promoted: Indices | None = None


@dataclass(frozen=True)
class Family:
    """A kind of description.

    Attributes
    ----------
    name : str
    of : {"text", "picture"}
        What it describes by.
    phrase : str
        Before the names of its keys.
    sentence : str
        What its keys are.
    keys : callable
        Reading or Seen -> Keys, or None where it does not apply.
    table : callable
        (keys of the part, part that describes) -> sparse (n_keys, n): what is predicted where a key holds; sums where
        several do.
    """

    name: str
    of: Literal["text", "picture"]
    phrase: str
    sentence: str
    keys: Callable[[Shown], Keys | None]
    table: Callable[[Keys, Part], csc_array]


FAMILIES: Registry[Family] = Registry("family of descriptions", __package__ or "", "brodmann.descriptions")


def add_family(one: Family, origin: str) -> Family:
    """Register a family.

    Parameters
    ----------
    one : Family
    origin : str
        The module's ``__name__``.
    """
    return FAMILIES.register(one.name, one, origin)


def families_of(shown: Shown) -> list[Family]:
    """Those that can describe by what was shown."""
    kind = "text" if isinstance(shown, Reading) else "picture"
    return [one for one in FAMILIES.values() if one.of == kind]


def one_key(number: Indices, n_keys: int) -> csr_array:
    """Keys of which one holds at each row, none where the number is below 0.

    Parameters
    ----------
    number : int array of shape (n_rows,)
    n_keys : int
    """
    has = number >= 0
    starts = np.concatenate([[0], np.cumsum(has)])
    return csr_array((np.ones(has.sum(), np.float32), number[has], starts), shape=(len(number), n_keys))


def masses(keys: Keys, activations: csc_array) -> csc_array:
    """The activation summed over the rows of each key, (n_keys, n)."""
    return csc_array(keys.held.T @ activations)


def counts(keys: Keys) -> Floats:
    """Rows of each key."""
    found: Floats = np.asarray(keys.held.sum(axis=0), np.float64).ravel()
    return found


def largest(mass: csc_array, n_keys: int = N_KEYS) -> csc_array:
    """Only the keys of largest mass of every column; the first of equal ones.

    Parameters
    ----------
    mass : sparse array of shape (n_keys, n)
    n_keys : int
    """
    column = np.repeat(np.arange(mass.shape[1]), np.diff(mass.indptr))
    order = np.lexsort((mass.indices, -mass.data, column))
    rank = np.arange(len(order)) - mass.indptr[column[order]]
    kept = np.sort(order[(rank < n_keys) & (mass.data[order] > 0)])
    starts = np.concatenate([[0], np.cumsum(np.bincount(column[kept], minlength=mass.shape[1]))])
    return csc_array((mass.data[kept], mass.indices[kept], starts), shape=mass.shape)


def shrunk_table(keys: Keys, part: Part) -> csc_array:
    """Of the keys of largest mass the shrunk mean, sum of f / (rows of the key + 5).

    Parameters
    ----------
    keys : Keys
    part : Part
    """
    kept = largest(masses(keys, part.activations))
    values = kept.data / (counts(keys)[kept.indices] + SHRINK)
    return csc_array((values, kept.indices, kept.indptr), shape=kept.shape)
