"""The sparse random matrices by which wide layers are projected, made once a process and device."""

from functools import lru_cache

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Indices = npt.NDArray[np.intp]
_FEW = 0.01
"""Share of a row from which on scikit-learn shuffles all places instead of drawing them one by one."""


@lru_cache(maxsize=64)
def sparse_matrix(n_units: int, n_kept: int, seed: int, device: torch.device) -> Tensor:
    """A sparse random matrix (n_kept, n_units), entry for entry that of scikit-learn's ``SparseRandomProjection``.

    An entry is +-sqrt(s / k) with probability 1 / (2 s) each and else 0, s = sqrt(d). Li, Hastie & Church (2006), KDD.

    Parameters
    ----------
    n_units, n_kept : int
        d and k.
    seed : int
    device : torch.device
    """
    row, column, values = entries(n_units, n_kept, seed)
    places = torch.from_numpy(np.stack([row, column]).astype(np.int64))
    return torch.sparse_coo_tensor(
        places, torch.from_numpy(values), (n_kept, n_units), device=device, check_invariants=True
    ).coalesce()


@lru_cache(maxsize=4)  # the same on every card
def entries(n_units: int, n_kept: int, seed: int) -> tuple[Indices, Indices, npt.NDArray[np.float32]]:
    """Row, column and value of its entries: scikit-learn's stream of random numbers, drawn a row at a time."""
    density = 1 / np.sqrt(n_units)
    generator = np.random.RandomState(seed)
    columns = [
        _without_replacement(n_units, int(generator.binomial(n_units, density)), generator)
        for _ in range(n_kept)
    ]
    row, column = np.repeat(np.arange(n_kept), list(map(len, columns))), np.concatenate(columns)
    signs = generator.binomial(1, 0.5, size=len(column)) * 2 - 1
    scale = np.sqrt(1 / density) / np.sqrt(n_kept)
    return row, column, (scale * signs).astype(np.float32)


def _without_replacement(n_units: int, n_drawn: int, generator: np.random.RandomState) -> Indices:
    """Places of a row's entries.

    Few of many are drawn until they are distinct: exactly as many more as are missing are certainly needed, so that
    drawing them together takes no more of the stream than one by one.
    """
    if n_drawn > _FEW * n_units:
        from sklearn.utils.random import sample_without_replacement

        drawn: Indices = sample_without_replacement(n_units, n_drawn, random_state=generator)
        return drawn
    drawn = generator.randint(n_units, size=n_drawn)
    while True:
        distinct, first = np.unique(drawn, return_index=True)
        if len(distinct) == n_drawn:
            return drawn[np.sort(first)]
        drawn = np.concatenate([drawn, generator.randint(n_units, size=n_drawn - len(distinct))])
