"""Pearson's r of held-out predictions under bootstrap weights, where the predictions are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from .fit import CardFit
from .memory import in_blocks
from .prepared import index
from .products import products
from .ridge import Targets

if TYPE_CHECKING:
    from torch import Tensor

Floats = npt.NDArray[np.float64]

_BLOCK = 4096


def r_of_draws(fit: CardFit, truth: Targets, weights: Floats) -> Floats:
    """r_d = cov_d(y, p) / sqrt(var_d(y) var_d(p)) under the weights of each draw, ``(n_draws, n_targets)``.

    NaN where nothing varies or fewer than two rows are drawn.

    Parameters
    ----------
    fit : CardFit
    truth : Columns or Reordered
        Of all stimuli.
    weights : array of shape (n_draws, n_test)
        How often each held-out row is drawn.
    """
    import torch

    device, test = fit.where, index(fit.split.test, fit.where)
    multiplied = products(device)
    drawn = torch.from_numpy(np.ascontiguousarray(weights, np.float32)).to(device)
    total = torch.from_numpy(weights.sum(axis=1)[:, None]).to(device)
    few = torch.from_numpy((weights > 0).sum(axis=1) < 2).to(device)
    left = multiplied.left(drawn)
    found = np.empty((len(weights), truth.shape[1]))

    def mean(values: Tensor) -> Tensor:
        out = torch.empty(len(drawn), values.shape[1], device=device)
        return multiplied.multiply(left, multiplied.right(values), out).double() / total

    def work(block: slice) -> None:
        # centred by all rows first, so that single precision holds the products
        y, p = (
            _standardized(one) for one in (truth.block(block)[0][test], fit.held_out[:, block].to(device))
        )
        mean_y, mean_p = mean(y), mean(p)
        products_of = mean(y * p) - mean_y * mean_p
        sizes = (mean(y * y) - mean_y.square()) * (mean(p * p) - mean_p.square())
        r = products_of / sizes.clamp(min=0).sqrt()
        r[few] = torch.nan
        found[:, block] = r.cpu().numpy()

    with multiplied.in_force():
        in_blocks(truth.shape[1], _BLOCK, work, device, "r of bootstrap draws", 8 * 12 * len(weights))
    return found


def _standardized(values: Tensor) -> Tensor:
    """Less the mean of each column, of unit variance; what does not vary is nothing."""
    centered = values.double()
    centered = centered - centered.mean(dim=0)
    return (centered / centered.square().mean(dim=0).sqrt().clamp(min=1e-300)).float()
