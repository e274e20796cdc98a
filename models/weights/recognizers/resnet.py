"""Residual networks with torchvision's names, of any depth, with or without BlurPool, with either stem."""

from pathlib import Path

from torch import nn

from ...architectures.resnet import BasicBlock, Bottleneck, ResNet
from ...extraction.preprocessing import ImagePreprocessing
from .base import Recognized, Weights, channel_sheets, count, filled, matrix

KIND = "ResNet"
_GROUPS = (1, 2, 3, 4)
_SMALL_STEM = 5
_GREY, _SPREAD = (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)


def fits(weights: Weights) -> bool:
    """Whether the names are its own."""
    return "layer4.0.bn1.weight" in weights


def recognize(weights: Weights, path: Path) -> Recognized:
    """A network for 224 pixels, or, with the small stem of `brodmann train`, for 32."""
    network = network_of(weights, path)
    small = network.conv1.kernel_size[0] == _SMALL_STEM
    return Recognized(
        network,
        network.blocks_and_convolutions(),
        lambda layout: channel_sheets(network, network.block_convolutions(), layout),
        ImagePreprocessing(32, mean=_GREY, std=_SPREAD) if small else ImagePreprocessing(224, resize=256),
    )


def network_of(weights: Weights, path: Path) -> ResNet:
    """The network; without a readout where the file has none."""
    block = Bottleneck if "layer1.0.conv3.weight" in weights else BasicBlock
    last = "bn3" if block is Bottleneck else "bn2"
    depths = [count(weights, f"layer{group}.{{}}.bn1.weight") for group in _GROUPS]
    widths = [len(weights[f"layer{group}.0.{last}.weight"]) // block.expansion for group in _GROUPS]
    inner = [len(weights[f"layer{group}.0.bn1.weight"]) for group in _GROUPS]
    blurred = any(name.endswith("blur_filter") for name in weights)
    n_classes = len(weights["fc.weight"]) if "fc.weight" in weights else 0
    small = matrix(weights, "conv1.weight", 4)[-1] == _SMALL_STEM

    def build() -> ResNet:
        network = ResNet(
            block,
            depths,
            widths=widths,
            inner=None if inner == widths else inner,
            blurred=blurred,
            n_classes=max(n_classes, 1),
            stem="small" if small else "imagenet",
        )
        if not n_classes:
            network.fc = nn.Identity()  # type: ignore[assignment]
        return network

    return filled(build, weights, path)
