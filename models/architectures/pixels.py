"""The luminance of a picture, as a network."""

import torch
from torch import Tensor, nn

LUMINANCE = (0.299, 0.587, 0.114)
"""Of red, green and blue."""


class Pixels(nn.Module):
    """The luminance of a picture, 32 x 32."""

    def __init__(self) -> None:
        super().__init__()
        self.pixels = nn.Conv2d(3, 1, 1, bias=False)
        self.pixels.weight = nn.Parameter(torch.tensor(LUMINANCE)[None, :, None, None], requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, 3, 32, 32) -> (batch, 1, 32, 32)."""
        luminance: Tensor = self.pixels(x)
        return luminance
