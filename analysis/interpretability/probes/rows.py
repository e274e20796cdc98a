"""The rows of a probe: labelled, by document, in a training and a test part of as many positives as negatives."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ....errors import UserError

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.intp]
Labels = npt.NDArray[np.bool_]

SHARE = 0.6
"""Of the documents that train."""
_NARROW = 10.0
"""Standardised rows are divided by this, at which the exact search is solvable."""
_LEAST_SPREAD = 1e-3
LEAST = 8
"""Rows of each class that a part needs."""


@dataclass(frozen=True)
class Parts:
    """Which rows train and which test; no document is in both, and both classes are as many in each.

    Attributes
    ----------
    train, test : intp arrays
    n_documents : tuple of int
        Of the two.
    """

    train: Integers
    test: Integers
    n_documents: tuple[int, int]


def split_by_document(
    labels: npt.ArrayLike,
    documents: npt.ArrayLike,
    *,
    share: float = SHARE,
    most: int | None = None,
    random_state: int = 0,
) -> Parts:
    """Split rows by document, then leave out rows at random until both classes are as many.

    Documents are shuffled within three kinds (all true, all false, mixed), so that both parts have both classes where
    that can be.

    Parameters
    ----------
    labels : bool array of shape (n_rows,)
    documents : array of shape (n_rows,)
        The file, article, catalogue or paradigm that a row is of.
    share : float
        Part of the rows that train, about.
    most : int, optional
        Rows of both parts together.
    random_state : int

    Raises
    ------
    UserError
        Where a part has fewer than 8 rows of a class: too few documents, or too few rows.
    """
    true = np.asarray(labels, bool)
    names, member = np.unique(np.asarray(documents), return_inverse=True)
    if true.shape != member.shape:
        raise UserError(f"{len(true)} labels do not fit {len(member)} documents")
    generator = np.random.default_rng(random_state)
    size = np.bincount(member)
    rate = np.bincount(member, true) / size
    trains = np.zeros(len(names), bool)
    for kind in (rate == 1, rate == 0, (rate > 0) & (rate < 1)):
        trains[_some_of(np.flatnonzero(kind), size, share, generator)] = True
    parts = []
    for part, of in ((True, share), (False, 1 - share)):
        here = np.flatnonzero(trains[member] == part)
        parts.append(_balanced(here, true, None if most is None else round(most * of), generator))
        n_each = len(parts[-1]) // 2
        if n_each < LEAST:
            raise UserError(
                f"{n_each} rows of a class in the {'training' if part else 'test'} documents ({int(true.sum())} "
                f"positive, {int((~true).sum())} negative rows in {len(names)} documents): at least {LEAST} are needed"
            )
    n_documents = tuple(len(np.unique(member[one])) for one in parts)
    return Parts(parts[0], parts[1], (n_documents[0], n_documents[1]))


def _some_of(documents: Integers, size: Integers, share: float, generator: np.random.Generator) -> Integers:
    """Documents in random order, taken while that brings their rows nearer to the share; of several, not all."""
    shuffled = generator.permutation(documents)
    upto = np.cumsum(size[shuffled])
    if len(shuffled) < 2:
        return shuffled[: int(share >= 0.5)]
    n = int(np.abs(upto - share * upto[-1]).argmin()) + 1
    return shuffled[: min(n, len(shuffled) - 1)]


def _balanced(rows: Integers, labels: Labels, most: int | None, generator: np.random.Generator) -> Integers:
    true, false = rows[labels[rows]], rows[~labels[rows]]
    n_each = min(len(true), len(false), len(rows) if most is None else most // 2)
    chosen = [generator.permutation(one)[:n_each] for one in (true, false)]
    return np.sort(np.concatenate(chosen))


@dataclass(frozen=True)
class Scale:
    """(x - m) / (10 max(sd, .001)), with the mean and standard deviation of the training rows.

    Attributes
    ----------
    mean, spread : array of shape (n_units,)
    """

    mean: Floats
    spread: Floats

    @classmethod
    def of(cls, x: npt.ArrayLike) -> "Scale":
        """That of training rows (n_rows, n_units)."""
        rows = np.asarray(x, np.float64)
        return cls(rows.mean(axis=0), _NARROW * np.maximum(rows.std(axis=0), _LEAST_SPREAD))

    def __call__(self, x: npt.ArrayLike) -> Floats:
        """The same rows in this scale."""
        scaled: Floats = (np.asarray(x, np.float64) - self.mean) / self.spread
        return scaled
