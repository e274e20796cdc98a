"""Vision transformers with torchvision's names."""

from pathlib import Path

from ...architectures.vit import VisionTransformer
from ...extraction.preprocessing import ImagePreprocessing
from .base import Recognized, Weights, channel_sheets, count, filled, matrix

KIND = "ViT"
_HEAD_WIDTH = 64
_OLD = {"mlp.linear_1.": "mlp.0.", "mlp.linear_2.": "mlp.3."}


def fits(weights: Weights) -> bool:
    """Whether the names are its own."""
    block = "encoder.layers.encoder_layer_0."
    return f"{block}mlp.0.weight" in weights or f"{block}mlp.linear_1.weight" in weights


def recognize(weights: Weights, path: Path) -> Recognized:
    """A transformer with one head for 64 channels, which weights do not tell."""
    weights = {_renamed(name): value for name, value in weights.items()}
    width, _, patch, _ = matrix(weights, "conv_proj.weight", 4)
    n_tokens = weights["encoder.pos_embedding"].shape[1]
    size = round((n_tokens - 1) ** 0.5) * patch
    network = filled(
        lambda: VisionTransformer(
            size=size,
            patch=patch,
            n_layers=count(weights, "encoder.layers.encoder_layer_{}.ln_1.weight"),
            n_heads=max(1, width // _HEAD_WIDTH),
            width=width,
            n_inner=len(weights["encoder.layers.encoder_layer_0.mlp.0.weight"]),
            n_classes=len(weights["heads.head.weight"]),
        ),
        weights,
        path,
    )
    expanded = network.feed_forward_layers()
    return Recognized(
        network,
        [name for layer in expanded for name in (layer, layer.removesuffix(".mlp.0"))],
        lambda layout: channel_sheets(network, expanded, layout),
        ImagePreprocessing(size, resize=round(size * 256 / 224)),
    )


def _renamed(name: str) -> str:
    for old, new in _OLD.items():
        name = name.replace(old, new)
    return name
