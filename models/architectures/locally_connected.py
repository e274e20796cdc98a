"""Locally connected networks: convolutions whose weights are not shared over space (Lu et al. 2025, All-TNN)."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True)
class LocalShape:
    """The sizes of a locally connected layer.

    Attributes
    ----------
    rows, columns : int
        Of the output.
    kernel : int
        Pixels a side that a unit reads.
    n_in, n_out : int
        Channels.
    stride : int
    pool : int
        Side of the maximum pooling before the layer; 1 for none.
    """

    rows: int
    columns: int
    kernel: int
    n_in: int
    n_out: int
    stride: int = 1
    pool: int = 1


class LocallyConnected(nn.Module):
    """Every place of the output has filters of its own; output (batch, channels, rows, columns).

    Parameters
    ----------
    shape : LocalShape
    """

    def __init__(self, shape: LocalShape) -> None:
        super().__init__()
        self.shape = shape
        n_read = shape.kernel**2 * shape.n_in
        self.weight = nn.Parameter(
            torch.empty(shape.rows * shape.columns, n_read, shape.n_out).normal_(std=n_read**-0.5)
        )
        self.bias = nn.Parameter(torch.zeros(shape.rows, shape.columns, shape.n_out))
        self.pool = nn.MaxPool2d(shape.pool) if shape.pool > 1 else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """(batch, n_in, height, width) of the layer below -> (batch, n_out, rows, columns), rectified."""
        shape = self.shape
        patches = F.unfold(
            self.pool(x), shape.kernel, stride=shape.stride
        )  # (batch, n_in * kernel^2, places)
        read = patches.reshape(len(x), shape.n_in, shape.kernel**2, -1)
        read = read.permute(3, 0, 2, 1).reshape(
            shape.rows * shape.columns, len(x), -1
        )  # kernel place, then channel
        out = torch.bmm(read, self.weight).permute(1, 0, 2)
        out = out.reshape(len(x), shape.rows, shape.columns, shape.n_out) + self.bias
        return F.relu(out.permute(0, 3, 1, 2))


class AllTNN(nn.Module):
    """Locally connected layers, named ``layers.0``, ``layers.1``..., and a readout where there is one.

    Parameters
    ----------
    shapes : sequence of LocalShape
    n_classes : int
        0 for no readout.
    """

    def __init__(self, shapes: Sequence[LocalShape], n_classes: int = 0) -> None:
        super().__init__()
        self.layers = nn.ModuleList(LocallyConnected(shape) for shape in shapes)
        last = shapes[-1]
        n_units = last.rows * last.columns * last.n_out
        self.readout = nn.Linear(n_units, n_classes) if n_classes else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """(batch, 3, height, width) -> logits, or the last layer's units."""
        for layer in self.layers:
            x = layer(x)
        out: Tensor = self.readout(x.permute(0, 2, 3, 1).flatten(1))  # the channel last, as Keras flattens
        return out
