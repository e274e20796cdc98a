"""Push a layer along a direction while a network runs."""

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from ...errors import UserError
from .splice import as_rows


@dataclass(frozen=True)
class Steer:
    """A direction that is added to every row of a layer: x + strength * direction.

    Attributes
    ----------
    layer : str
        Dotted module name; ``MODULE#in`` for what it is given.
    direction : Tensor of shape (n_units,)
        Such as a feature's decoder row, in the units of the layer.
    strength : float
        Negative to push away.
    """

    layer: str
    direction: Tensor
    strength: float = 1.0

    def __post_init__(self) -> None:
        """Check the direction and the strength."""
        if self.direction.ndim != 1 or not bool(self.direction.isfinite().all()):
            raise UserError(f"the direction for {self.layer!r} must be one finite number a unit")
        if not np.isfinite(self.strength):
            raise UserError(f"the strength for {self.layer!r} must be a finite number, not {self.strength}")

    def applied(self, output: Tensor) -> Tensor:
        """The layer's output with the direction added, a new tensor."""
        rows = as_rows(output)
        if rows.shape[-1] != len(self.direction):
            raise UserError(
                f"the direction has {len(self.direction)} units, layer {self.layer!r} {rows.shape[-1]}"
            )
        changed = rows + self.strength * self.direction.to(rows)
        return changed.movedim(-1, 1) if output.ndim == 4 else changed
