"""SqueezeNet 1.0 and 1.1 with torchvision's names and any number of classes."""

from pathlib import Path

from torch import nn

from ...architectures.squeezenet import Fire, SqueezeNet
from ...extraction.preprocessing import ImagePreprocessing
from ...sheet import Sheet, grid_sheet
from .base import Recognized, Weights, channel_sheets, filled

KIND = "SqueezeNet"


def fits(weights: Weights) -> bool:
    """Whether the names are its own."""
    return {"features.3.squeeze.weight", "classifier.1.weight"} <= set(weights)


def recognize(weights: Weights, path: Path) -> Recognized:
    """A network for 224 pixels."""
    version = "1.0" if "features.5.squeeze.weight" in weights else "1.1"
    n_classes = len(weights["classifier.1.weight"])
    network = filled(lambda: SqueezeNet(n_classes, version), weights, path)
    parts = dict(network.features.named_children())
    fires = {f"features.{i}": one for i, one in parts.items() if isinstance(one, Fire)}
    convolutions = [name for name, one in network.named_modules() if isinstance(one, nn.Conv2d)]

    def sheets(layout: str) -> list[Sheet]:
        n_out = {name: 2 * fire.expand1x1.out_channels for name, fire in fires.items()}
        of_fires = [grid_sheet(name, n, reads="channel", layout=layout) for name, n in n_out.items()]
        return [*channel_sheets(network, convolutions, layout), *of_fires]

    layers = [f"features.{i}" for i, one in parts.items() if isinstance(one, (Fire, nn.ReLU))]
    return Recognized(network, [*layers, "classifier.3"], sheets, ImagePreprocessing(224, resize=256))
