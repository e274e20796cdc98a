"""Sums over held-out rows, where predictions are; see :class:`..pooled.PooledFolds`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from .fit import CardFit
from .memory import in_blocks
from .prepared import index
from .ridge import Targets

if TYPE_CHECKING:
    from torch import Tensor

Floats = npt.NDArray[np.float64]

_BLOCK = 8192
_CONSTANT = 1e-13


def sums(
    fits: Sequence[CardFit], truth: Targets, weights: Floats, rows: npt.NDArray[np.bool_] | None = None
) -> tuple[Floats, Floats, Floats]:
    """<y, p>, <p, p> and <y, y> of each target, centred within folds and added over them.

    Parameters
    ----------
    fits : sequence of CardFit
        One a fold.
    truth : Columns or Reordered
        Of all stimuli.
    weights : array of shape (n_stimuli,)
        Of the rows; only those above 0 count.
    rows : array of shape (n_stimuli,), optional
        Which count.
    """
    import torch

    device = fits[0].where
    counted = weights > 0 if rows is None else (weights > 0) & rows
    n_targets = truth.shape[1]
    found = torch.zeros(3, n_targets, dtype=torch.float64, device=device)

    def work(block: slice) -> None:
        y_all, mean = truth.block(block)
        added = torch.zeros(3, block.stop - block.start, dtype=torch.float64, device=device)
        for one in fits:
            known = counted[one.split.test]
            if known.sum() < 2:
                continue  # one row has no deviation from its own mean
            weight = torch.from_numpy(weights[one.split.test][known]).to(device)
            y = _centered(y_all[index(one.split.test[known], device)], weight, mean)
            ours = one.held_out[index(np.flatnonzero(known), one.held_out.device), block].to(device)
            p = _centered(ours, weight, one.offset[block].to(device))
            weighted = weight[:, None] * p
            added[0] += (weighted * y).sum(dim=0)
            added[1] += weighted.mul_(p).sum(dim=0)
            added[2] += y.square_().mul_(weight[:, None]).sum(dim=0)
        found[:, block] = added

    widest = max(len(one.split.test) for one in fits)
    in_blocks(n_targets, _BLOCK, work, device, "r of held-out predictions", 8 * 4 * widest)
    products, squares, sizes = found.cpu().numpy()
    return products, squares, sizes


def _centered(values: Tensor, weights: Tensor, offset: Tensor) -> Tensor:
    """Less the weighted mean of each column, in double precision; what varies no more than rounding is nothing."""
    whole = values.double()
    mean = (weights / weights.sum()) @ whole
    whole -= mean
    whole *= whole.abs().amax(dim=0) > _CONSTANT * (mean + offset).abs()
    return whole
