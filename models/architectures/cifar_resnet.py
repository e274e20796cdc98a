"""The residual networks for CIFAR-10 of He et al. (2016), with parameter-free shortcuts (option A)."""

from torch import Tensor, nn
from torch.nn import functional as F


class Block(nn.Module):
    """Two 3 x 3 convolutions around a shortcut that subsamples and pads with zero channels."""

    def __init__(self, n_in: int, n_out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(n_in, n_out, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(n_out)
        self.conv2 = nn.Conv2d(n_out, n_out, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(n_out)
        self.stride, self.padding = stride, (n_out - n_in) // 2

    def forward(self, x: Tensor) -> Tensor:
        """(batch, n_in, height, width) -> (batch, n_out, height / stride, width / stride)."""
        shortcut = x[:, :, :: self.stride, :: self.stride]
        shortcut = F.pad(shortcut, (0, 0, 0, 0, self.padding, self.padding))
        inside = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(inside + shortcut)


class CifarResNet(nn.Module):
    """6 n + 2 layers: a stem, three groups of n blocks of one, two and four times the width, an average, a readout.

    Parameters
    ----------
    n_blocks : int
        Blocks a group: 3 for 20 layers, 5 for 32.
    n_classes : int
    width : int
        Channels of the first group.
    """

    def __init__(self, n_blocks: int, n_classes: int = 10, width: int = 16) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU()
        self.layer1 = _group(width, width, n_blocks, 1)
        self.layer2 = _group(width, 2 * width, n_blocks, 2)
        self.layer3 = _group(2 * width, 4 * width, n_blocks, 2)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.linear = nn.Linear(4 * width, n_classes)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, 3, 32, 32) -> logits."""
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        logits: Tensor = self.linear(self.avgpool(x).flatten(1))
        return logits


def _group(n_in: int, n_out: int, n_blocks: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        *(Block(n_in if i == 0 else n_out, n_out, stride if i == 0 else 1) for i in range(n_blocks))
    )
