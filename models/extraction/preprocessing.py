"""From a picture to a tensor, with PIL and torch alone."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from PIL import Image
from torch import Tensor

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class ImagePreprocessing:
    """Resize, crop the centre, scale to [0, 1], subtract a mean and divide by a standard deviation.

    Attributes
    ----------
    size : int
        Height and width of the result, in pixels.
    resize : int or None
        The shorter side is resized to this first; None resizes both sides to `size` (no crop).
    mean, std : tuple of 3 floats
        Per channel (RGB).
    interpolation : {"bilinear", "bicubic"}
        With antialiasing, as PIL does it.
    """

    size: int
    resize: int | None = None
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD
    interpolation: Literal["bilinear", "bicubic"] = "bilinear"

    def __call__(self, image: Image.Image) -> Tensor:
        """A float tensor (3, size, size)."""
        kind = Image.Resampling.BICUBIC if self.interpolation == "bicubic" else Image.Resampling.BILINEAR
        image = image.convert("RGB")
        if self.resize is None:
            image = image.resize((self.size, self.size), kind)
        else:
            width, height = image.size
            scale = self.resize / min(width, height)
            image = image.resize(
                (max(round(width * scale), self.size), max(round(height * scale), self.size)), kind
            )
            left, top = (image.width - self.size) // 2, (image.height - self.size) // 2
            image = image.crop((left, top, left + self.size, top + self.size))
        pixels = torch.from_numpy(np.asarray(image, np.float32) / 255).permute(2, 0, 1)
        return (pixels - torch.tensor(self.mean)[:, None, None]) / torch.tensor(self.std)[:, None, None]


@dataclass(frozen=True)
class ProcessorPreprocessing:
    """What a Hugging Face image processor does."""

    processor: Any

    def __call__(self, image: Image.Image) -> Tensor:
        """A float tensor (channels, height, width)."""
        pixels: Tensor = self.processor(images=image, return_tensors="pt")["pixel_values"][0]
        return pixels
