"""Fewer columns of weights: keep some units of a layer and let the others copy the nearest that was kept.

On a topographic sheet neighbours have similar weights, so copies cost little. A copy commutes with any
nonlinearity that acts on each unit alone, so it is folded into the next layer: with U the 0/1 matrix that
takes kept units to all, W2 f(U W1 x) = (W2 U) f(W1 x), and both layers shrink exactly.
"""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from ...errors import UserError, unknown
from ..sheet import Sheet
from ..topography.topoloss import incoming_weights

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
    centers = found.cluster_centers_[np.unique(found.labels_)]
    kept = np.unique(_nearest(centers, rows))
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


@dataclass(frozen=True)
class Link:
    """A layer that can shrink, what normalises its units, and the layer that reads them.

    Attributes
    ----------
    layer, reader : str
        Dotted module names of linear layers or convolutions.
    norm : str or None
        A batch norm between them.
    """

    layer: str
    reader: str
    norm: str | None = None


def links(network: nn.Module) -> list[Link]:
    """The layers of a network whose units only one other layer reads, each unit through a nonlinearity of its own.

    Feed-forward parts (nanoGPT's and torchvision's names), convolutions inside residual blocks, and linear layers
    of a Sequential with only activations between them.
    """
    found = []
    for name, module in network.named_modules():
        prefix = f"{name}." if name else ""
        children = dict(module.named_children())
        if {"c_fc", "c_proj"} <= set(children):
            found.append(Link(f"{prefix}c_fc", f"{prefix}c_proj"))
        elif {"conv1", "bn1", "conv2", "bn2"} <= set(children):
            found.append(Link(f"{prefix}conv1", f"{prefix}conv2", f"{prefix}bn1"))
            if "conv3" in children:
                found.append(Link(f"{prefix}conv2", f"{prefix}conv3", f"{prefix}bn2"))
        elif isinstance(module, nn.Sequential):
            linear = [key for key, child in children.items() if isinstance(child, nn.Linear)]
            found += [Link(f"{prefix}{a}", f"{prefix}{b}") for a, b in pairwise(linear)]
    return found


def shrink(network: nn.Module, sharings: Mapping[str, Sharing]) -> nn.Module:
    """A copy of a network in which the units of some layers share: exact, and smaller.

    Every unit takes the value, after its normalisation and nonlinearity, of the kept unit that it copies; the
    copies are summed into the weights of the layer that reads them, so nothing is copied at run time.

    Parameters
    ----------
    network : Module
    sharings : mapping of str to Sharing
        By the layers of :func:`links`.

    Raises
    ------
    UserError
        For a layer that cannot shrink, or a number of units that does not fit.
    """
    small = deepcopy(network)
    known = {link.layer: link for link in links(small)}
    for layer, sharing in sharings.items():
        if layer not in known:
            raise unknown("layer that can shrink", layer, known)
        link = known[layer]
        first, reader = small.get_submodule(link.layer), small.get_submodule(link.reader)
        n_units = len(incoming_weights(first))
        if n_units != len(sharing.source):
            raise UserError(f"layer {layer!r} has {n_units} units, the sharing {len(sharing.source)}")
        if isinstance(first, nn.Linear) and isinstance(reader, nn.Linear):
            _put(small, link.layer, shrunk(first, reader, sharing)[0])
            _put(small, link.reader, shrunk(first, reader, sharing)[1])
        else:
            _shrink_convolutions(first, reader, sharing)
        if link.norm is not None:
            _keep_norm(small.get_submodule(link.norm), torch.from_numpy(sharing.kept))
    return small


def _inner(module: nn.Module) -> nn.Module:
    """The convolution inside a blurred one."""
    return getattr(module, "conv", module)


def _put(network: nn.Module, name: str, module: nn.Module) -> None:
    parent, _, own = name.rpartition(".")
    setattr(network.get_submodule(parent), own, module)


def _shrink_convolutions(first: nn.Module, reader: nn.Module, sharing: Sharing) -> None:
    inner, reads = _inner(first), _inner(reader)
    if (
        not isinstance(inner, nn.Conv2d)
        or not isinstance(reads, nn.Conv2d)
        or inner.groups > 1
        or reads.groups > 1
    ):
        raise UserError(
            f"{type(inner).__name__} and {type(reads).__name__} cannot share: only plain convolutions can"
        )
    kept, source = torch.from_numpy(sharing.kept), torch.from_numpy(sharing.source)
    with torch.no_grad():
        inner.weight = nn.Parameter(inner.weight[kept].clone())
        if inner.bias is not None:
            inner.bias = nn.Parameter(inner.bias[kept].clone())
        folded = reads.weight.new_zeros((len(reads.weight), len(kept), *reads.weight.shape[2:]))
        reads.weight = nn.Parameter(folded.index_add_(1, source, reads.weight))
    inner.out_channels = reads.in_channels = len(kept)
    if hasattr(reader, "blur_filter"):
        reader.blur_filter = reader.get_buffer("blur_filter")[: len(kept)]


def _keep_norm(norm: nn.Module, kept: torch.Tensor) -> None:
    if not isinstance(norm, nn.BatchNorm2d):
        raise UserError(f"{type(norm).__name__} between layers that share is not known")
    with torch.no_grad():
        for name in ("weight", "bias"):
            setattr(norm, name, nn.Parameter(getattr(norm, name)[kept].clone()))
        for name in ("running_mean", "running_var"):
            setattr(norm, name, getattr(norm, name)[kept].clone())
    norm.num_features = len(kept)


def pruned(network: nn.Module, layers: Sequence[str], share: float) -> nn.Module:
    """A copy of a network in which only the largest weights of some layers are not zero (L1 pruning).

    Parameters
    ----------
    network : Module
    layers : sequence of str
    share : float
        Of each layer's weights, what stays.
    """
    sparser = deepcopy(network)
    for name in layers:
        weight = _inner(sparser.get_submodule(name)).weight
        assert isinstance(weight, torch.Tensor)
        with torch.no_grad():
            weight.copy_(smallest_removed(weight, share))
    return sparser


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
