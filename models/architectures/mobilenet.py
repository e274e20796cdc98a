"""MobileNetV1 (Howard et al. 2017) and V2 (Sandler et al. 2018), their parameters named as in timm."""

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F

V1_CHANNELS = (32, 64, 128, 256, 512, 1024)
V1_BLOCKS = (1, 2, 2, 6, 2)
V2_CHANNELS = (32, 16, 24, 32, 64, 96, 160, 320, 1280)
V2_BLOCKS = (1, 2, 3, 4, 3, 3, 1)
_V2_STRIDES = (1, 2, 2, 2, 1, 2, 1)
_EXPANSION = 6


class SamePadConv(nn.Conv2d):
    """A convolution that pads as TensorFlow's "SAME": the odd pixel goes to the bottom and the right."""

    def forward(self, x: Tensor) -> Tensor:
        """Pad, then convolve."""
        height, width = (
            max((-(-size // stride) - 1) * stride + kernel - size, 0)
            for size, stride, kernel in zip(x.shape[-2:], self.stride, self.kernel_size, strict=True)
        )
        x = F.pad(x, (width // 2, width - width // 2, height // 2, height - height // 2))
        return F.conv2d(x, self.weight, self.bias, self.stride, 0, self.dilation, self.groups)


def _conv(n_in: int, n_out: int, stride: int, groups: int, same: bool) -> nn.Conv2d:
    """3 x 3, padded as TensorFlow's "SAME" or by one pixel on every side."""
    if same:
        return SamePadConv(n_in, n_out, 3, stride, groups=groups, bias=False)
    return nn.Conv2d(n_in, n_out, 3, stride, 1, groups=groups, bias=False)


class DepthwiseSeparable(nn.Module):
    """A depthwise and a pointwise convolution: the first block of V2, and with a last ReLU6 every block of V1."""

    def __init__(self, n_in: int, n_out: int, stride: int, same: bool, *, rectified: bool = False) -> None:
        super().__init__()
        self.conv_dw = _conv(n_in, n_in, stride, n_in, same)
        self.bn1 = nn.BatchNorm2d(n_in)
        self.conv_pw = nn.Conv2d(n_in, n_out, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(n_out)
        self.rectified = rectified

    def forward(self, x: Tensor) -> Tensor:
        """(batch, n_in, height, width) -> (batch, n_out, height / stride, width / stride)."""
        out: Tensor = self.bn2(self.conv_pw(F.relu6(self.bn1(self.conv_dw(x)))))
        return F.relu6(out) if self.rectified else out


class InvertedResidual(nn.Module):
    """Expand, convolve per channel, project; a shortcut where the shape stays."""

    def __init__(self, n_in: int, n_out: int, stride: int, same: bool) -> None:
        super().__init__()
        n_inside = n_in * _EXPANSION
        self.conv_pw = nn.Conv2d(n_in, n_inside, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(n_inside)
        self.conv_dw = _conv(n_inside, n_inside, stride, n_inside, same)
        self.bn2 = nn.BatchNorm2d(n_inside)
        self.conv_pwl = nn.Conv2d(n_inside, n_out, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(n_out)
        self.shortcut = stride == 1 and n_in == n_out

    def forward(self, x: Tensor) -> Tensor:
        """(batch, n_in, height, width) -> (batch, n_out, height / stride, width / stride)."""
        inside = F.relu6(self.bn2(self.conv_dw(F.relu6(self.bn1(self.conv_pw(x))))))
        out: Tensor = self.bn3(self.conv_pwl(inside))
        return out + x if self.shortcut else out


class MobileNetV1(nn.Module):
    """Classes of 224 x 224 pictures.

    Parameters
    ----------
    n_classes : int
    channels : sequence of 6 ints
        Of the stem and of each stage's output.
    n_blocks : sequence of 5 ints
        A stage.
    same_padding : bool
        As TensorFlow's "SAME", where the odd pixel goes to the bottom and the right; else one pixel on every side.
    """

    def __init__(
        self,
        n_classes: int = 1000,
        channels: Sequence[int] = V1_CHANNELS,
        n_blocks: Sequence[int] = V1_BLOCKS,
        *,
        same_padding: bool = False,
    ) -> None:
        super().__init__()
        self.conv_stem = _conv(3, channels[0], 2, 1, same_padding)
        self.bn1 = nn.BatchNorm2d(channels[0])
        stages, n_in = [], channels[0]
        for stage, (n_out, depth) in enumerate(zip(channels[1:], n_blocks, strict=True)):
            blocks = []
            for block in range(depth):
                stride = 2 if stage and block == 0 else 1
                blocks.append(DepthwiseSeparable(n_in, n_out, stride, same_padding, rectified=True))
                n_in = n_out
            stages.append(nn.Sequential(*blocks))
        self.blocks = nn.Sequential(*stages)
        self.global_pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(n_in, n_classes)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, 3, 224, 224) -> logits."""
        x = self.blocks(F.relu6(self.bn1(self.conv_stem(x))))
        logits: Tensor = self.classifier(self.global_pool(x).flatten(1))
        return logits


class MobileNetV2(nn.Module):
    """Classes of 224 x 224 pictures.

    Parameters
    ----------
    n_classes : int
    channels : sequence of 9 ints
        Of the stem, of each stage's output, of the head.
    n_blocks : sequence of 7 ints
        A stage.
    same_padding : bool
        As TensorFlow's "SAME", where the odd pixel goes to the bottom and the right; else one pixel on every side.
    """

    def __init__(
        self,
        n_classes: int = 1000,
        channels: Sequence[int] = V2_CHANNELS,
        n_blocks: Sequence[int] = V2_BLOCKS,
        *,
        same_padding: bool = True,
    ) -> None:
        super().__init__()
        self.conv_stem = _conv(3, channels[0], 2, 1, same_padding)
        self.bn1 = nn.BatchNorm2d(channels[0])
        stages, n_in = [], channels[0]
        for stage, (n_out, depth, first) in enumerate(
            zip(channels[1:-1], n_blocks, _V2_STRIDES, strict=True)
        ):
            blocks: list[nn.Module] = []
            for block in range(depth):
                kind = InvertedResidual if stage else DepthwiseSeparable
                blocks.append(kind(n_in, n_out, first if block == 0 else 1, same_padding))
                n_in = n_out
            stages.append(nn.Sequential(*blocks))
        self.blocks = nn.Sequential(*stages)
        self.conv_head = nn.Conv2d(n_in, channels[-1], 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels[-1])
        self.global_pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(channels[-1], n_classes)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, 3, 224, 224) -> logits."""
        x = self.blocks(F.relu6(self.bn1(self.conv_stem(x))))
        x = F.relu6(self.bn2(self.conv_head(x)))
        logits: Tensor = self.classifier(self.global_pool(x).flatten(1))
        return logits
