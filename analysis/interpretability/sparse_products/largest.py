"""The largest entries of each row, exactly, by the maxima of groups first."""

import math

import torch
from torch import Tensor

_MOST_GROUPED = 64
_LEAST_GAIN = 4
"""Rows shorter than this times k are searched whole."""


def largest(rows: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k largest entries of each row, in no order.

    The k largest of a row lie within the k groups of largest maximum, so a row of F entries in groups of g costs a
    search among F / g maxima and one among k g candidates; g is near sqrt(F / k).

    Parameters
    ----------
    rows : Tensor of shape (n, F)
        Rows of bfloat16 are compared as whole numbers, which keeps the order of numbers from zero on: what is negative
        counts as zero there.
    k : int
        At most F.

    Returns
    -------
    values, indices : Tensor of shape (n, k)
        In the type of `rows`, and int64.
    """
    if rows.dtype == torch.bfloat16:
        values, indices = _largest(rows.relu().view(torch.int16), k)
        return values.view(torch.bfloat16), indices
    return _largest(rows, k)


def group_size(n_entries: int, k: int) -> int:
    """How many entries a group holds: a power of two near sqrt(F / k) that divides F; 1 where that gains nothing."""
    size = 1
    wanted = min(_MOST_GROUPED, math.sqrt(n_entries / k) * math.sqrt(2))
    while size * 2 <= wanted and n_entries % (size * 2) == 0 and n_entries // (size * 2) >= k:
        size *= 2
    return size if n_entries >= _LEAST_GAIN * k else 1


def _largest(rows: Tensor, k: int) -> tuple[Tensor, Tensor]:
    n, n_entries = rows.shape
    size = group_size(n_entries, k)
    if size == 1:
        values, indices = rows.topk(k, sorted=False)
        return values, indices
    n_groups = n_entries // size
    groups = rows.view(n, size, n_groups).amax(1).topk(k, sorted=False).indices
    members = torch.arange(size)[None, :, None] * n_groups
    candidates = (groups[:, None, :] + members).view(n, size * k)
    values, places = rows.gather(1, candidates).topk(k, sorted=False)
    return values, candidates.gather(1, places)
