"""Silence, scale or shuffle units while a network runs, and the controls that this needs."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from ...errors import UserError
from ...files import digest_of
from ..extraction.hooks import check_layers
from ..extraction.torch_model import Network
from ..sheet import Sheet

Kind = Literal["silence", "scale", "shuffle"]
Units = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Lesion:
    """What is done to some units of a layer.

    Attributes
    ----------
    layer : str
        Dotted module name.
    units : array of int
        Channels of a feature map, features of a token or vector; or, with ``reads="unit"``, places in the flattened
        output of one stimulus.
    kind : {"silence", "scale", "shuffle"}
        Set to 0, times `factor`, or given one another's values by a seeded permutation that leaves no unit its own.
    factor : float
    seed : int
        Of the permutation.
    reads : {"channel", "unit"}
        As in :class:`.sheet.Sheet`.
    """

    layer: str
    units: Units
    kind: Kind = "silence"
    factor: float = 0.0
    seed: int = 0
    reads: Literal["channel", "unit"] = "channel"

    def __post_init__(self) -> None:
        """Check kind and units."""
        if self.kind not in ("silence", "scale", "shuffle"):
            raise UserError(f"a lesion is 'silence', 'scale' or 'shuffle', not {self.kind!r}")
        units = np.unique(np.asarray(self.units, np.intp))
        if len(units) == 0 or units[0] < 0:
            raise UserError(f"the lesion of {self.layer!r} names no units, or negative ones")
        if self.kind == "shuffle" and len(units) < 2:
            raise UserError(f"the lesion of {self.layer!r} shuffles one unit, which changes nothing")
        object.__setattr__(self, "units", units)

    @property
    def digest(self) -> str:
        """What the outputs depend on."""
        return digest_of(self.layer, self.units.tolist(), self.kind, self.factor, self.seed, self.reads)

    def applied(self, output: Tensor) -> Tensor:
        """The layer's output with the lesion, a new tensor."""
        axis = (
            1 if output.ndim in (2, 4) else output.ndim - 1
        )  # (batch, channels, rows, columns), (batch, tokens, units)
        changed = output.flatten(1) if self.reads == "unit" else output.movedim(axis, 1)
        if self.units[-1] >= changed.shape[1]:
            raise UserError(
                f"the lesion names unit {self.units[-1]} of layer {self.layer!r}, which has {changed.shape[1]}"
            )
        places = torch.from_numpy(self.units).to(output.device)
        before = changed[:, places]
        after = before * self.factor if self.kind == "scale" else torch.zeros_like(before)
        if self.kind == "shuffle":
            after = before[:, torch.from_numpy(_derangement(len(self.units), self.seed)).to(output.device)]
        changed = changed.clone()
        changed[:, places] = after
        return changed.reshape(output.shape) if self.reads == "unit" else changed.movedim(1, axis)


@contextmanager
def lesioned(model: Network | nn.Module, *lesions: Lesion) -> Iterator[None]:
    """While the block runs, every forward pass of a model has these lesions.

    Activations of a lesioned :class:`.torch_model.Network` are kept apart in the cache.

    Parameters
    ----------
    model : Network or torch.nn.Module
    lesions : Lesion

    Raises
    ------
    UserError
        For a layer that is not there; while running, for a unit that a layer does not have.
    """
    module = model.module if isinstance(model, Network) else model
    name = model.identifier if isinstance(model, Network) else type(model).__name__
    check_layers(module, [one.layer for one in lesions], name)
    modules = dict(module.named_modules())
    handles = [modules[one.layer].register_forward_hook(_hook(one)) for one in lesions]
    before = model.changes if isinstance(model, Network) else ()
    if isinstance(model, Network):
        model.changes = (*before, *(one.digest for one in lesions))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
        if isinstance(model, Network):
            model.changes = before


def _hook(lesion: Lesion) -> Callable[[nn.Module, Any, Any], Any]:
    def change(_module: nn.Module, _inputs: Any, output: Any) -> Any:
        if isinstance(output, tuple) and output and isinstance(output[0], Tensor):
            return (lesion.applied(output[0]), *output[1:])
        if not isinstance(output, Tensor):
            raise UserError(
                f"layer {lesion.layer!r} gives a {type(output).__name__}, which cannot be lesioned"
            )
        return lesion.applied(output)

    return change


def random_units(
    n_units: int, n_chosen: int, *, besides: Sequence[int] | Units = (), random_state: int = 0
) -> Units:
    """As many units drawn at random: the control for what any lesion of that size does.

    Parameters
    ----------
    n_units, n_chosen : int
    besides : sequence of int
        Units that are not drawn.
    random_state : int
    """
    free = np.setdiff1d(np.arange(n_units), np.asarray(besides, np.intp))
    if not 1 <= n_chosen <= len(free):
        raise UserError(f"{n_chosen} units cannot be drawn from {len(free)}")
    return np.sort(np.random.default_rng(random_state).choice(free, n_chosen, replace=False))


def contiguous_units(
    sheet: Sheet, n_chosen: int, *, besides: Sequence[int] | Units = (), random_state: int = 0
) -> Units:
    """As many units around a random place of the sheet: the control for lesioning one patch.

    Parameters
    ----------
    sheet : Sheet
    n_chosen : int
    besides : sequence of int
        Units that are not taken.
    random_state : int
    """
    free = np.setdiff1d(np.arange(len(sheet)), np.asarray(besides, np.intp))
    if not 1 <= n_chosen <= len(free):
        raise UserError(f"{n_chosen} units cannot be drawn from {len(free)}")
    center = np.random.default_rng(random_state).choice(free)
    nearest = np.argsort(sheet.distances_from(int(center))[free], kind="stable")
    return np.sort(free[nearest[:n_chosen]])


def _derangement(n: int, seed: int) -> Units:
    """A random cycle through all places, so that none stays."""
    order = np.random.default_rng(seed).permutation(n)
    moved = np.empty(n, np.intp)
    moved[order] = np.roll(order, 1)
    return moved
