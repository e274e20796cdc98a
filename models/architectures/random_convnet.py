"""An untrained convolutional network."""

import math
from itertools import pairwise

import torch
from torch import Tensor, nn


class RandomConvNet(nn.Module):
    """An untrained network: 5 convolutions with seeded weights, each followed by ReLU and average pooling."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        channels = (3, 32, 64, 128, 128, 128)
        for index, (n_in, n_out) in enumerate(pairwise(channels), start=1):
            conv = nn.Conv2d(n_in, n_out, 3, padding=1)
            with torch.no_grad():
                conv.weight.normal_(0, math.sqrt(2 / (9 * n_in)), generator=generator)
                conv.bias.zero_()  # type: ignore[union-attr]
            pool = nn.AvgPool2d(2) if index > 1 else nn.Identity()
            self.add_module(f"conv{index}", nn.Sequential(conv, nn.ReLU(), pool))

    def forward(self, x: Tensor) -> Tensor:
        """(batch, 3, 64, 64) -> (batch, 128, 4, 4)."""
        for block in self.children():
            x = block(x)
        return x
