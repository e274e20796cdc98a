"""Residual networks (He et al. 2016), with the names of torchvision's weights; with BlurPool where asked for."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Stem = Literal["imagenet", "small"]
_MIN_BLURRED = 16


class BlurPoolConv2d(nn.Module):
    """A strided convolution behind a 3 x 3 binomial blur, so that little is lost to aliasing (Zhang 2019).

    Its output is read here: ``conv``'s own ``forward`` is not called through the module, so hooks on it
    would be silent; `forward` uses its weights.
    """

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        self.conv = conv
        binomial = torch.tensor([1.0, 2.0, 1.0])
        kernel = torch.outer(binomial, binomial) / 16
        self.register_buffer("blur_filter", kernel.repeat(conv.in_channels, 1, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, height, width) -> the convolution's output."""
        blurred = F.conv2d(x, self.get_buffer("blur_filter"), padding=1, groups=x.shape[1])
        return self.conv.forward(blurred)


def _conv(n_in: int, n_out: int, size: int, stride: int, blurred: bool) -> nn.Module:
    conv = nn.Conv2d(n_in, n_out, size, stride, size // 2, bias=False)
    if blurred and stride > 1 and n_in >= _MIN_BLURRED:
        return BlurPoolConv2d(conv)
    return conv


class BasicBlock(nn.Module):
    """Two 3 x 3 convolutions around a shortcut."""

    expansion = 1

    def __init__(self, n_in: int, n_out: int, stride: int, blurred: bool, n_inner: int | None = None) -> None:
        super().__init__()
        inner = n_inner or n_out
        self.conv1 = _conv(n_in, inner, 3, stride, blurred)
        self.bn1 = nn.BatchNorm2d(inner)
        self.conv2 = _conv(inner, n_out, 3, 1, blurred)
        self.bn2 = nn.BatchNorm2d(n_out)
        self.relu = nn.ReLU()
        self.downsample = _shortcut(n_in, n_out, stride, blurred)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, n_in, height, width) -> (batch, n_out, height / stride, width / stride)."""
        shortcut = x if self.downsample is None else self.downsample(x)
        inside = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        return F.relu(inside + shortcut)


class Bottleneck(nn.Module):
    """1 x 1, 3 x 3 (strided) and 1 x 1 convolutions around a shortcut."""

    expansion = 4

    def __init__(self, n_in: int, n_out: int, stride: int, blurred: bool, n_inner: int | None = None) -> None:
        super().__init__()
        inner = n_inner or n_out // self.expansion
        self.conv1 = _conv(n_in, inner, 1, 1, blurred)
        self.bn1 = nn.BatchNorm2d(inner)
        self.conv2 = _conv(inner, inner, 3, stride, blurred)
        self.bn2 = nn.BatchNorm2d(inner)
        self.conv3 = _conv(inner, n_out, 1, 1, blurred)
        self.bn3 = nn.BatchNorm2d(n_out)
        self.relu = nn.ReLU()
        self.downsample = _shortcut(n_in, n_out, stride, blurred)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, n_in, height, width) -> (batch, n_out, height / stride, width / stride)."""
        shortcut = x if self.downsample is None else self.downsample(x)
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.relu(self.bn2(self.conv2(x)))
        return F.relu(self.bn3(self.conv3(x)) + shortcut)


def _shortcut(n_in: int, n_out: int, stride: int, blurred: bool) -> nn.Sequential | None:
    if n_in == n_out and stride == 1:
        return None
    return nn.Sequential(_conv(n_in, n_out, 1, stride, blurred), nn.BatchNorm2d(n_out))


class ResNet(nn.Module):
    """A stem, four groups of blocks, an average over space, a readout.

    Parameters
    ----------
    block : type
        :class:`BasicBlock` or :class:`Bottleneck`.
    depths : sequence of 4 ints
        Blocks a group.
    widths : sequence of 4 ints
        Channels of each group's 3 x 3 convolutions; the groups' outputs have ``block.expansion`` times as many.
    n_classes : int
    blurred : bool
        Strided convolutions of at least 16 input channels behind a blur, as TopoNets have them.
    stem : {"imagenet", "small"}
        7 x 7 and a pooling, or 5 x 5 alone for small pictures; both with stride 2.
    inner : sequence of 4 ints, optional
        Channels inside the blocks, where they differ from `widths`.
    """

    def __init__(
        self,
        block: type[BasicBlock] | type[Bottleneck],
        depths: Sequence[int],
        *,
        widths: Sequence[int] = (64, 128, 256, 512),
        n_classes: int = 1000,
        blurred: bool = False,
        stem: Stem = "imagenet",
        inner: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        large = stem == "imagenet"
        reach = 3 if large else 2
        self.conv1 = nn.Conv2d(3, widths[0], 2 * reach + 1, 2, reach, bias=False)
        self.bn1 = nn.BatchNorm2d(widths[0])
        self.relu = nn.ReLU()
        self.maxpool = nn.MaxPool2d(3, 2, 1) if large else nn.Identity()
        n_in = widths[0]
        groups = []
        for number, (depth, width) in enumerate(zip(depths, widths, strict=True)):
            n_out, blocks = width * block.expansion, []
            for i in range(depth):
                stride = 2 if number and i == 0 else 1
                blocks.append(block(n_in, n_out, stride, blurred, None if inner is None else inner[number]))
                n_in = n_out
            groups.append(nn.Sequential(*blocks))
        self.layer1, self.layer2, self.layer3, self.layer4 = groups
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(n_in, n_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        """(batch, 3, height, width) -> (batch, n_classes) logits."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        logits: Tensor = self.fc(self.avgpool(x).flatten(1))
        return logits

    def block_convolutions(self) -> list[str]:
        """The convolutions inside the blocks, in forward order, each at the module that answers for it."""
        return [name for name in self.blocks_and_convolutions() if name.count(".") == 2]

    def blocks_and_convolutions(self) -> list[str]:
        """The convolutions inside every block, then the block, in forward order."""
        names = []
        for group in (1, 2, 3, 4):
            for i, block in enumerate(self.get_submodule(f"layer{group}").children()):
                inside = [name for name in ("conv1", "conv2", "conv3") if hasattr(block, name)]
                names += [*(f"layer{group}.{i}.{name}" for name in inside), f"layer{group}.{i}"]
        return names
