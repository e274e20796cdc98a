"""The residual networks of He et al. for CIFAR, of any depth, width and number of classes."""

from pathlib import Path

from ...architectures.cifar_resnet import CifarResNet
from ...extraction.preprocessing import ImagePreprocessing
from .base import Recognized, Weights, channel_sheets, count, filled, matrix

KIND = "CIFAR ResNet"


def fits(weights: Weights) -> bool:
    """Whether the names are its own: three groups, and a readout that is called linear."""
    return {"layer3.0.bn1.weight", "linear.weight"} <= set(weights) and "layer4.0.bn1.weight" not in weights


def recognize(weights: Weights, path: Path) -> Recognized:
    """A network for 32 pixels."""
    n_blocks = count(weights, "layer1.{}.bn1.weight")
    n_classes, width = len(weights["linear.weight"]), matrix(weights, "conv1.weight", 4)[0]
    network = filled(lambda: CifarResNet(n_blocks, n_classes, width), weights, path)
    blocks = [f"layer{group}.{i}" for group in (1, 2, 3) for i in range(n_blocks)]
    mapped = [name for block in blocks for name in (f"{block}.conv1", f"{block}.conv2", block)]
    return Recognized(
        network,
        ["relu", *blocks, "avgpool", "linear"],
        lambda layout: channel_sheets(network, mapped, layout, {block: f"{block}.conv2" for block in blocks}),
        ImagePreprocessing(32, interpolation="bicubic"),
    )
