"""Compact convolutional transformers with the names of their authors, of any depth, width and number of classes."""

from pathlib import Path

from ...architectures.cct import CompactTransformer
from ...extraction.preprocessing import ImagePreprocessing
from .base import Recognized, Weights, channel_sheets, count, filled, matrix

KIND = "CCT"
_HEAD_WIDTH = 64
_CIFAR_MEAN, _CIFAR_STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)


def fits(weights: Weights) -> bool:
    """Whether the names are its own."""
    return {"tokenizer.conv_layers.0.0.weight", "classifier.attention_pool.weight"} <= set(weights)


def recognize(weights: Weights, path: Path) -> Recognized:
    """A transformer with one head for 64 channels, which weights do not tell; up to 64 pixels it is one of CIFAR."""
    n_convolutions = count(weights, "tokenizer.conv_layers.{}.0.weight")
    widths = [matrix(weights, f"tokenizer.conv_layers.{i}.0.weight", 4)[0] for i in range(n_convolutions)]
    kernel = matrix(weights, "tokenizer.conv_layers.0.0.weight", 4)[2]
    n_tokens = matrix(weights, "classifier.positional_emb", 3)[1]
    n_blocks = count(weights, "classifier.blocks.{}.linear1.weight")
    size = round(n_tokens**0.5) * (2 * max(1, kernel // 2 - 1)) ** n_convolutions
    network = filled(
        lambda: CompactTransformer(
            n_tokens=n_tokens,
            widths=widths,
            kernel=kernel,
            n_layers=n_blocks,
            n_heads=max(1, widths[-1] // _HEAD_WIDTH),
            n_inner=len(weights["classifier.blocks.0.linear1.weight"]),
            n_classes=len(weights["classifier.fc.weight"]),
        ),
        weights,
        path,
    )
    blocks = [f"classifier.blocks.{i}" for i in range(n_blocks)]
    expanded = [f"{block}.linear1" for block in blocks]
    small = size <= 64
    return Recognized(
        network,
        ["tokenizer", *(name for block in blocks for name in (f"{block}.linear1", block))],
        lambda layout: channel_sheets(network, expanded, layout),
        ImagePreprocessing(size, mean=_CIFAR_MEAN, std=_CIFAR_STD, interpolation="bicubic")
        if small
        else ImagePreprocessing(size, resize=round(size * 256 / 224), interpolation="bicubic"),
    )
