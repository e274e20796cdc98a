"""Silence, scale or shuffle units while a network runs, and the controls that this needs."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from ...errors import UserError
from ..extraction.hooks import alone
from ..extraction.layer_names import check_modules
from ..extraction.torch_model import Network
from ..sheet import Sheet

Kind = Literal["silence", "scale", "shuffle"]
Units = npt.NDArray[np.intp]
N = TypeVar("N", bound=Network)


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


def lesioned(model: N, *lesions: Lesion) -> N:
    """A view of a model whose every forward pass has these lesions, after those that it has already.

    The view shares the model's weights, its activations are kept apart in the cache, and the model itself stays as it
    is.

    Raises
    ------
    UserError
        For a layer that is not there; while running, for a unit that a layer does not have.
    """
    return model.with_lesions(*lesions)


@contextmanager
def lesions_in(module: nn.Module, *lesions: Lesion) -> Iterator[None]:
    """While the block runs, a bare torch module has these lesions, and no other thread runs it through brodmann."""
    check_modules(module, [one.layer for one in lesions], type(module).__name__)
    with alone(module, lesions):
        yield


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
