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
    """6 n + 2 layers: a stem, three groups of n blocks with 16, 32 and 64 channels, an average, a readout.

    Parameters
    ----------
    n_blocks : int
        Blocks a group: 3 for 20 layers, 5 for 32.
    """

    def __init__(self, n_blocks: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.relu = nn.ReLU()
        self.layer1 = nn.Sequential(*(Block(16, 16, 1) for _ in range(n_blocks)))
        self.layer2 = nn.Sequential(
            *(Block(16 if i == 0 else 32, 32, 2 if i == 0 else 1) for i in range(n_blocks))
        )
        self.layer3 = nn.Sequential(
            *(Block(32 if i == 0 else 64, 64, 2 if i == 0 else 1) for i in range(n_blocks))
        )
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.linear = nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, 3, 32, 32) -> 10 logits."""
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        logits: Tensor = self.linear(self.avgpool(x).flatten(1))
        return logits
