"""Training and test documents, with as many positive as negative examples in each."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ...errors import UserError

Integers = npt.NDArray[np.intp]
Labels = npt.NDArray[np.bool_]

SHARE = 0.6
"""Of the examples that train."""
LEAST = 6
"""Examples of each class that a part needs."""


@dataclass(frozen=True)
class Parts:
    """Which examples train and which test; no document is in both, and both classes are as many in each.

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
    apart: npt.ArrayLike | None = None,
    share: float = SHARE,
    most: int | None = None,
    random_state: int = 0,
) -> Parts:
    """Split examples by document, then leave out some at random until both classes are as many.

    Documents are shuffled within three kinds (all true, all false, mixed), so that both parts have both classes where
    that can be.

    Parameters
    ----------
    labels : bool array of shape (n,)
    documents : array of shape (n,)
        The file, article, catalogue or paradigm that an example is of.
    apart : array of shape (n,), optional
        What must not be on both sides either, such as a lemma: each is given to a part by chance, and examples whose
        document is of the other are left out.
    share : float
        Part of the examples that train, about.
    most : int, optional
        Examples of both parts together.
    random_state : int

    Raises
    ------
    UserError
        Where a part has fewer than 6 examples of a class: too few documents, or too few examples.
    """
    true = np.asarray(labels, bool)
    names, member = np.unique(np.asarray(documents), return_inverse=True)
    if true.shape != member.shape:
        raise UserError(f"{len(true)} labels do not fit {len(member)} documents")
    if not 0 < share < 1:
        raise UserError(f"the training part is a share between 0 and 1, not {share:g}")
    generator = np.random.default_rng(random_state)
    size = np.bincount(member, minlength=len(names))
    rate = np.bincount(member, true, minlength=len(names)) / np.maximum(size, 1)
    trains = np.zeros(len(names), bool)
    for kind in (rate == 1, rate == 0, (rate > 0) & (rate < 1)):
        trains[_some_of(np.flatnonzero(kind), size, share, generator)] = True
    part = np.where(trains[member], 1, 0)
    if apart is not None:
        keys, of = np.unique(np.asarray(apart), return_inverse=True)
        part = np.where((generator.random(len(keys)) < share)[of] == trains[member], part, -1)
    parts = []
    for here, of_all in ((1, share), (0, 1 - share)):
        most_here = None if most is None else round(most * of_all)
        chosen = _balanced(np.flatnonzero(part == here), true, most_here, generator)
        if len(chosen) // 2 < LEAST:
            raise UserError(
                f"{len(chosen) // 2} examples of a class in the {'training' if here else 'test'} documents "
                f"({int(true.sum())} positive and {int((~true).sum())} negative in {len(names)} documents): at least "
                f"{LEAST} are needed"
            )
        parts.append(chosen)
    n_train, n_test = (len(np.unique(member[one])) for one in parts)
    return Parts(parts[0], parts[1], (n_train, n_test))


def _some_of(documents: Integers, size: Integers, share: float, generator: np.random.Generator) -> Integers:
    """Documents in random order, taken while that brings their examples nearer to the share; of several, not all."""
    shuffled = generator.permutation(documents)
    if len(shuffled) < 2:
        return shuffled[: int(share >= 0.5)]
    upto = np.cumsum(size[shuffled])
    n = int(np.abs(upto - share * upto[-1]).argmin()) + 1
    return shuffled[: min(n, len(shuffled) - 1)]


def _balanced(rows: Integers, labels: Labels, most: int | None, generator: np.random.Generator) -> Integers:
    true, false = rows[labels[rows]], rows[~labels[rows]]
    n_each = min(len(true), len(false), len(rows) if most is None else most // 2)
    return np.sort(np.concatenate([generator.permutation(one)[:n_each] for one in (true, false)]))
