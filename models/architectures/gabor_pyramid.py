"""V1-like filters: a pyramid of quadrature Gabor pairs."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .pixels import LUMINANCE


class Energy(nn.Module):
    """Complex cells: sqrt(even^2 + odd^2) of quadrature Gabor pairs, one channel an orientation."""

    def forward(self, x: Tensor) -> Tensor:
        """(batch, 2 n, height, width), even filters first -> (batch, n, height, width)."""
        even, odd = x.chunk(2, dim=1)
        return torch.sqrt(even**2 + odd**2 + 1e-12)


class GaborPyramid(nn.Module):
    """V1-like: quadrature Gabor filters at 4 scales x 8 orientations, pooled to a grid.

    ``simple`` is the half-rectified even and odd response of every filter on a 4 x 4 grid, ``complex`` the
    energy of every quadrature pair on an 8 x 8 grid, ``pooled`` the same on a 4 x 4 grid. Wavelengths are 4,
    8, 16 and 32 pixels of a 64 x 64 picture.
    """

    def __init__(self) -> None:
        super().__init__()
        self.filters = nn.ModuleList(_gabor_bank(wavelength) for wavelength in (4, 8, 16, 32))
        self.energy = Energy()
        self.simple = nn.AdaptiveAvgPool2d(4)
        self.complex = nn.AdaptiveAvgPool2d(8)
        self.pooled = nn.AdaptiveAvgPool2d(4)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, 3, 64, 64) -> (batch, 32, 4, 4)."""
        luminance = (x * torch.tensor(LUMINANCE, device=x.device)[:, None, None]).sum(dim=1, keepdim=True)
        luminance = luminance - luminance.mean(dim=(2, 3), keepdim=True)
        responses = [bank(luminance) for bank in self.filters]
        self.simple(torch.cat([F.relu(part) for one in responses for part in (one, -one)], dim=1))
        energy = torch.cat([self.energy(one) for one in responses], dim=1)
        self.complex(energy)
        pooled: Tensor = self.pooled(energy)
        return pooled


def _gabor_bank(wavelength: int, n_orientations: int = 8) -> nn.Conv2d:
    """Even filters, then odd ones; each without a mean and of unit norm."""
    sigma = 0.5 * wavelength
    radius = math.ceil(2.5 * sigma)
    grid = torch.arange(-radius, radius + 1, dtype=torch.float64)
    y, x = torch.meshgrid(grid, grid, indexing="ij")
    envelope = torch.exp(-(x**2 + y**2) / (2 * sigma**2))
    kernels = []
    for phase in (0.0, math.pi / 2):
        for index in range(n_orientations):
            angle = math.pi * index / n_orientations
            wave = torch.cos(2 * math.pi * (x * math.cos(angle) + y * math.sin(angle)) / wavelength - phase)
            kernel = envelope * (wave - (envelope * wave).sum() / envelope.sum())
            kernels.append(kernel / kernel.norm())
    bank = nn.Conv2d(
        1, 2 * n_orientations, 2 * radius + 1, padding=radius, padding_mode="reflect", bias=False
    )
    bank.weight = nn.Parameter(torch.stack(kernels)[:, None].float(), requires_grad=False)
    return bank
