"""Put something else in a layer's place while a network runs: what a dictionary makes of it, its mean, nothing."""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ...errors import UserError


@dataclass(frozen=True)
class Splice:
    """A layer's rows and what they become: x -> function(x), whose end of the network runs on.

    Attributes
    ----------
    layer : str
        Dotted module name; ``MODULE#in`` for what it is given.
    function : callable
        Rows (n_rows, n_units), one a token or place -> rows of the same shape.
    name : str
        What it is, in words.
    digest : str
        Of what makes its numbers; two splices of one digest are taken as the same.
    """

    layer: str
    function: Callable[[Tensor], Tensor] = field(repr=False)
    name: str = "splice"
    digest: str = ""

    def applied(self, output: Tensor) -> Tensor:
        """The layer's output with its rows replaced, a new tensor."""
        rows = as_rows(output)
        changed = self.function(rows.reshape(-1, rows.shape[-1]).float())
        if changed.shape != (rows.numel() // rows.shape[-1], rows.shape[-1]):
            raise UserError(
                f"{self.name} gives {tuple(changed.shape)} for {rows.shape[-1]} units of layer {self.layer!r}"
            )
        changed = changed.to(output.dtype).reshape(rows.shape)
        return changed.movedim(-1, 1) if output.ndim == 4 else changed


def as_rows(output: Tensor) -> Tensor:
    """A layer's output with units on the last axis: a map's channels, a token's features.

    Parameters
    ----------
    output : Tensor of shape (batch, units), (batch, tokens, units) or (batch, channels, rows, columns)
    """
    if output.ndim not in (2, 3, 4):
        raise UserError(f"a layer of shape {tuple(output.shape)} has no rows of units")
    return output.movedim(1, -1) if output.ndim == 4 else output


def zeroed(layer: str) -> Splice:
    """Every unit at 0.

    Parameters
    ----------
    layer : str
    """
    return Splice(layer, torch.zeros_like, "zero", "zero")


def at_mean(layer: str, mean: Tensor) -> Splice:
    """Every unit at its mean.

    Parameters
    ----------
    layer : str
    mean : Tensor of shape (n_units,)
    """
    return Splice(layer, _Constant(mean), "mean", "")


@dataclass(frozen=True)
class _Constant:
    values: Tensor

    def __call__(self, rows: Tensor) -> Tensor:
        return self.values.to(rows).expand_as(rows)
