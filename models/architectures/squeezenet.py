"""SqueezeNet 1.0 and 1.1 (Iandola et al. 2016), its parameters named as in torchvision."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Fire(nn.Module):
    """Squeeze to few channels, then expand by 1 x 1 and 3 x 3 convolutions side by side."""

    def __init__(self, n_in: int, n_squeeze: int, n_expand: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(n_in, n_squeeze, 1)
        self.expand1x1 = nn.Conv2d(n_squeeze, n_expand, 1)
        self.expand3x3 = nn.Conv2d(n_squeeze, n_expand, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, n_in, height, width) -> (batch, 2 n_expand, height, width)."""
        x = F.relu(self.squeeze(x))
        return torch.cat([F.relu(self.expand1x1(x)), F.relu(self.expand3x3(x))], dim=1)


_POOLED = {"1.0": (2, 6, 11), "1.1": (2, 5, 8)}
_FIRES = ((16, 64), (16, 64), (32, 128), (32, 128), (48, 192), (48, 192), (64, 256), (64, 256))


class SqueezeNet(nn.Module):
    """Classes of 224 x 224 pictures.

    Parameters
    ----------
    n_classes : int
    version : {"1.0", "1.1"}
        The first begins with 96 filters of 7 x 7, the second with 64 of 3 x 3, and it pools earlier.
    """

    def __init__(self, n_classes: int = 1000, version: str = "1.0") -> None:
        super().__init__()
        n_out, kernel = (96, 7) if version == "1.0" else (64, 3)
        parts: list[nn.Module] = [nn.Conv2d(3, n_out, kernel, stride=2), nn.ReLU()]
        for n_squeeze, n_expand in _FIRES:
            if len(parts) in _POOLED[version]:
                parts.append(nn.MaxPool2d(3, 2, ceil_mode=True))
            parts.append(Fire(n_out, n_squeeze, n_expand))
            n_out = 2 * n_expand
        self.features = nn.Sequential(*parts)
        self.classifier = nn.Sequential(
            nn.Dropout(0.5), nn.Conv2d(512, n_classes, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(batch, 3, 224, 224) -> logits."""
        pooled: Tensor = self.classifier(self.features(x))
        return pooled.flatten(1)
