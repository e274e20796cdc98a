"""Rows of tokens or places, expanded and then averaged over each stimulus: what a recording is predicted from.

A feature is a function of one token or one place. So rows are encoded first and the codes averaged; the code of an
averaged row is another thing, in which features compete that never met.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ....errors import UserError

Floats = npt.NDArray[np.float64]
Expand = Callable[[Any], Any]
"""Rows (n, n_units) -> rows (n, width), or sparse codes with ``values``, ``indices`` (n, m) and ``n_features``."""


def pooled(
    rows: Iterable[tuple[npt.ArrayLike, npt.ArrayLike]],
    expansions: Mapping[str, Expand],
    n_stimuli: int,
) -> dict[str, Floats]:
    """The mean over each stimulus of what every expansion makes of its rows.

    Parameters
    ----------
    rows : iterable of (array of shape (n, n_units), array of int, shape (n,))
        Rows of the layer in parts of any size, each row with the position of its stimulus.
    expansions : mapping of str to callable
    n_stimuli : int

    Returns
    -------
    dict of str to array of shape (n_stimuli, width)

    Raises
    ------
    UserError
        For a stimulus that no row belongs to, or rows of one that is not there.
    """
    sums: dict[str, Floats] = {}
    counts = np.zeros(n_stimuli)
    for values, stimulus in rows:
        owner = np.asarray(stimulus, np.intp)
        if len(owner) and not 0 <= owner.min() <= owner.max() < n_stimuli:
            raise UserError(f"rows belong to stimulus {owner.max()}, and there are {n_stimuli}")
        counts += np.bincount(owner, minlength=n_stimuli)
        for name, expand in expansions.items():
            made = expand(values)
            if name not in sums:
                sums[name] = np.zeros((n_stimuli, _width(made)))
            _add(sums[name], owner, made)
    empty = np.flatnonzero(counts == 0)
    if len(empty):
        raise UserError(
            f"{len(empty)} of {n_stimuli} stimuli have no row (first: number {empty[0]}): is a text of one token "
            "among them, whose only row is left out?"
        )
    return {name: total / counts[:, None] for name, total in sums.items()}


def _width(made: Any) -> int:
    return int(getattr(made, "n_features", 0)) or int(made.shape[1])


def _add(sums: Floats, owner: npt.NDArray[np.intp], made: Any) -> None:
    """Add rows to the sums of their stimuli; of sparse codes only what is there."""
    if hasattr(made, "n_features"):
        values, indices = np.asarray(made.values, np.float64), np.asarray(made.indices, np.intp)
        np.add.at(sums, (np.broadcast_to(owner[:, None], indices.shape), indices), values)
        return
    order = np.argsort(owner, kind="stable")
    known, start = np.unique(owner[order], return_index=True)
    sums[known] += np.add.reduceat(np.asarray(made, np.float64)[order], start, axis=0)
