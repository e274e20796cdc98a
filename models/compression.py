"""Fewer columns of weights: keep some units of a layer and let the others copy the nearest that was kept.

On a topographic sheet neighbours have similar weights, so copies cost little. A copy commutes with any
nonlinearity that acts on each unit alone, so it is folded into the next layer: with U the 0/1 matrix that
takes kept units to all, W2 f(U W1 x) = (W2 U) f(W1 x), and both layers shrink exactly.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from ..errors import UserError
from .sheet import Sheet

Indices = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Sharing:
    """Which units of a layer are kept, and whose output every unit takes.

    Attributes
    ----------
    kept : array of shape (n_kept,)
        Units whose weights stay, in ascending order.
    source : array of shape (n_units,)
        For every unit, the place in `kept` that it copies.
    """

    kept: Indices
    source: Indices

    @property
    def share(self) -> float:
        """The part of the units that is kept."""
        return len(self.kept) / len(self.source)


def nearest_on_sheet(sheet: Sheet, share: float) -> Sharing:
    """Keep units spread evenly over the sheet; the others copy the nearest by distance on the sheet.

    Parameters
    ----------
    sheet : Sheet
        :meth:`.sheet.Sheet.permuted` gives the control of a random layout.
    share : float
        About which part to keep, above 0 and at most 1: the nearest regular lattice of points is laid over the sheet.
    """
    _check_share(share)
    places = sheet.positions - sheet.positions.min(axis=0)
    extent = np.maximum(places.max(axis=0), 1e-12)
    wanted = max(1.0, share * len(sheet))
    columns = max(1, round(float(np.sqrt(wanted * extent[0] / extent[1]))))
    rows = max(1, round(wanted / columns))
    x, y = ((np.arange(n) + 0.5) / n * size for n, size in ((columns, extent[0]), (rows, extent[1])))
    lattice = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    kept = np.unique(_nearest(lattice, places))
    return Sharing(kept, _nearest(places, places[kept]))


def groups_by_weights(weights: npt.ArrayLike, share: float, *, random_state: int = 0) -> Sharing:
    """Keep the unit nearest to the centre of each k-means group of weights: the control that knows no sheet.

    Parameters
    ----------
    weights : array of shape (n_units, n_inputs)
    share : float
    random_state : int
    """
    from sklearn.cluster import KMeans

    _check_share(share)
    rows = np.asarray(weights, np.float64)
    n_groups = max(1, round(share * len(rows)))
    found = KMeans(n_groups, n_init=1, random_state=random_state).fit(rows)
    centres = found.cluster_centers_[np.unique(found.labels_)]
    kept = np.unique(_nearest(centres, rows))
    return Sharing(kept, _nearest(rows, rows[kept]))


def shrunk(first: nn.Linear, second: nn.Linear, sharing: Sharing) -> tuple[nn.Linear, nn.Linear]:
    """Two layers, with a nonlinearity of each unit alone between them, that share as told: new and smaller.

    Parameters
    ----------
    first : Linear
        Its outputs are the units of `sharing`.
    second : Linear
        Reads them.

    Raises
    ------
    UserError
        Where the numbers of units do not fit.
    """
    n_units = len(sharing.source)
    if first.out_features != n_units or second.in_features != n_units:
        raise UserError(
            f"layers of {first.out_features} outputs and {second.in_features} inputs "
            f"do not fit a sharing of {n_units} units"
        )
    kept = torch.from_numpy(sharing.kept)
    small = nn.Linear(first.in_features, len(kept), bias=first.bias is not None).to(first.weight)
    reader = nn.Linear(len(kept), second.out_features, bias=second.bias is not None).to(second.weight)
    with torch.no_grad():
        small.weight.copy_(first.weight[kept])
        if first.bias is not None:
            small.bias.copy_(first.bias[kept])
        folded = torch.zeros_like(reader.weight)
        reader.weight.copy_(folded.index_add_(1, torch.from_numpy(sharing.source), second.weight))
        if second.bias is not None:
            reader.bias.copy_(second.bias)
    return small, reader


def smallest_removed(weights: torch.Tensor, share: float) -> torch.Tensor:
    """The weights with all but the largest in size set to zero (L1 pruning), a new tensor.

    Parameters
    ----------
    weights : tensor
    share : float
        The part that stays.
    """
    _check_share(share)
    n_kept = max(1, round(share * weights.numel()))
    largest = weights.abs().flatten().topk(n_kept).indices
    pruned = torch.zeros_like(weights).flatten()
    pruned[largest] = weights.flatten()[largest]
    return pruned.view_as(weights)


def _check_share(share: float) -> None:
    if not 0 < share <= 1:
        raise UserError(f"the share of units to keep must lie above 0 and not above 1, and is {share:g}")


def _nearest(points: npt.NDArray[np.float64], among: npt.NDArray[np.float64]) -> Indices:
    """For every point, the nearest of others; the first where several are."""
    from scipy.spatial import cKDTree

    nearest: Indices = cKDTree(among).query(points)[1]
    return nearest
