"""MobileNetV2 (Sandler et al. 2018) with TensorFlow's padding, its parameters named as in timm."""

from torch import Tensor, nn
from torch.nn import functional as F

# expansion, channels, blocks, stride of the first block, for each stage
_STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


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


class DepthwiseSeparable(nn.Module):
    """A depthwise and a pointwise convolution: the first block."""

    def __init__(self, n_in: int, n_out: int, stride: int) -> None:
        super().__init__()
        self.conv_dw = SamePadConv(n_in, n_in, 3, stride, groups=n_in, bias=False)
        self.bn1 = nn.BatchNorm2d(n_in)
        self.conv_pw = nn.Conv2d(n_in, n_out, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(n_out)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, n_in, height, width) -> (batch, n_out, height / stride, width / stride)."""
        out: Tensor = self.bn2(self.conv_pw(F.relu6(self.bn1(self.conv_dw(x)))))
        return out


class InvertedResidual(nn.Module):
    """Expand, convolve per channel, project; a shortcut where the shape stays."""

    def __init__(self, n_in: int, n_out: int, stride: int, expansion: int) -> None:
        super().__init__()
        n_inside = n_in * expansion
        self.conv_pw = nn.Conv2d(n_in, n_inside, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(n_inside)
        self.conv_dw = SamePadConv(n_inside, n_inside, 3, stride, groups=n_inside, bias=False)
        self.bn2 = nn.BatchNorm2d(n_inside)
        self.conv_pwl = nn.Conv2d(n_inside, n_out, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(n_out)
        self.shortcut = stride == 1 and n_in == n_out

    def forward(self, x: Tensor) -> Tensor:
        """(batch, n_in, height, width) -> (batch, n_out, height / stride, width / stride)."""
        inside = F.relu6(self.bn2(self.conv_dw(F.relu6(self.bn1(self.conv_pw(x))))))
        out: Tensor = self.bn3(self.conv_pwl(inside))
        return out + x if self.shortcut else out


class MobileNetV2(nn.Module):
    """1000 ImageNet classes from 224 x 224 pictures scaled to [-1, 1]."""

    def __init__(self) -> None:
        super().__init__()
        self.conv_stem = SamePadConv(3, 32, 3, 2, bias=False)
        self.bn1 = nn.BatchNorm2d(32)
        stages, n_in = [], 32
        for expansion, n_out, n_blocks, first_stride in _STAGES:
            blocks: list[nn.Module] = []
            for block in range(n_blocks):
                stride = first_stride if block == 0 else 1
                if expansion == 1:
                    blocks.append(DepthwiseSeparable(n_in, n_out, stride))
                else:
                    blocks.append(InvertedResidual(n_in, n_out, stride, expansion))
                n_in = n_out
            stages.append(nn.Sequential(*blocks))
        self.blocks = nn.Sequential(*stages)
        self.conv_head = nn.Conv2d(320, 1280, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(1280)
        self.global_pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(1280, 1000)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, 3, 224, 224) -> 1000 logits."""
        x = self.blocks(F.relu6(self.bn1(self.conv_stem(x))))
        x = F.relu6(self.bn2(self.conv_head(x)))
        logits: Tensor = self.classifier(self.global_pool(x).flatten(1))
        return logits
