"""How a layer's output becomes numbers that are kept: pooled over space, projected to fewer, in half precision."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from torch import Tensor

from ...errors import UserError
from .projection import sparse_matrix

Pool = Literal["none", "mean", "max"]


@dataclass(frozen=True)
class Readout:
    """What is kept of a layer.

    Attributes
    ----------
    pool : {"none", "mean", "max"}
        Over the space of a picture: rows and columns of a feature map, or the tokens of a transformer.
    project : int or None
        Wider layers are multiplied by a sparse random matrix to this many numbers, which keeps distances and inner
        products in expectation. An entry is +-sqrt(s / k) with probability 1 / (2 s) each and else 0, with
        s = sqrt(d) for d units and k numbers. Li, Hastie & Church (2006), KDD.
    seed : int
        Of that matrix.
    half : bool
        Run the network in half precision and keep half-precision numbers.
    passes : int
        A network whose answer to a stimulus is random, or depends on the batch, is refused with 1; with more, this
        many passes are averaged, their random numbers seeded.
    channels_last : bool
        Give pictures to the network with the channels last in memory, which graphics cards run faster in half
        precision; sums are then taken in another order.
    """

    pool: Pool = "none"
    project: int | None = None
    seed: int = 0
    half: bool = False
    passes: int = 1
    channels_last: bool = False

    def __post_init__(self) -> None:
        """Refuse what cannot be read."""
        if self.pool not in ("none", "mean", "max"):
            raise UserError(f"units are pooled by 'none', 'mean' or 'max', not {self.pool!r}")
        if self.project is not None and self.project < 1:
            raise UserError(f"a layer is projected to at least 1 number, not {self.project}")
        if self.seed < 0:
            raise UserError(f"the seed of a projection is at least 0, not {self.seed}")
        if self.passes < 1:
            raise UserError(f"a layer is read in at least 1 pass, not {self.passes}")

    @property
    def dtype(self) -> "np.dtype[np.float16] | np.dtype[np.float32]":
        """Of the numbers that are kept."""
        return np.dtype(np.float16) if self.half else np.dtype(np.float32)

    def pooled(self, output: Tensor) -> Tensor:
        """A picture's layer, (batch, channels, rows, columns) or (batch, tokens, channels), without its space."""
        if self.pool == "none" or output.ndim < 3:
            return output
        axes = (1,) if output.ndim == 3 else tuple(range(2, output.ndim))
        return output.float().mean(axes) if self.pool == "mean" else output.amax(axes)

    def projected(self, output: Tensor) -> Tensor:
        """At most `project` numbers a stimulus."""
        n_units = output.flatten(1).shape[1]
        if self.project is None or n_units <= self.project:
            return output
        matrix = sparse_matrix(n_units, self.project, self.seed, output.device)
        return (matrix @ output.flatten(1).float().T).T

    def describe(self) -> str:
        """In words, empty for all units as they are."""
        parts = [
            "" if self.pool == "none" else f"{self.pool} over space",
            ""
            if self.project is None
            else f"at most {self.project} sparse random projections (seed {self.seed})",
            "half precision" if self.half else "",
            "channels last" if self.channels_last else "",
        ]
        return ", ".join(filter(None, parts))


EVERYTHING = Readout()
