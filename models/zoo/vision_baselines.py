"""Vision baselines that need no weights: pixels, a Gabor pyramid, an untrained convolutional network."""

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..extraction.preprocessing import ImagePreprocessing
from ..extraction.vision_model import VisionModel

_BLACK, _WHITE = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
_LUMINANCE = (0.299, 0.587, 0.114)


class Pixels(nn.Module):
    """The luminance of a picture, 32 x 32."""

    def __init__(self) -> None:
        super().__init__()
        self.pixels = nn.Conv2d(3, 1, 1, bias=False)
        self.pixels.weight = nn.Parameter(torch.tensor(_LUMINANCE)[None, :, None, None], requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, 3, 32, 32) -> (batch, 1, 32, 32)."""
        luminance: Tensor = self.pixels(x)
        return luminance


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
        luminance = (x * torch.tensor(_LUMINANCE, device=x.device)[:, None, None]).sum(dim=1, keepdim=True)
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


def pixels() -> VisionModel:
    """The baseline ``pixels``."""
    return VisionModel(
        Pixels(),
        identifier="pixels",
        preprocess=ImagePreprocessing(32, mean=_BLACK, std=_WHITE),
        layers=["pixels"],
    )


def gabor_pyramid() -> VisionModel:
    """The baseline ``gabor-pyramid``."""
    return VisionModel(
        GaborPyramid(),
        identifier="gabor-pyramid",
        preprocess=ImagePreprocessing(64, mean=_BLACK, std=_WHITE),
        layers=["simple", "complex", "pooled"],
    )


def random_convnet() -> VisionModel:
    """The baseline ``random-convnet``."""
    return VisionModel(
        RandomConvNet(),
        identifier="random-convnet",
        preprocess=ImagePreprocessing(64, mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25)),
        layers=[f"conv{index}" for index in range(1, 6)],
    )
