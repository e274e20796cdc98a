"""Multi-layer perceptrons over square grey pictures, held as ``net``."""

from math import isqrt
from pathlib import Path

from ....errors import UserError
from ...architectures.mlp import MLP
from ...extraction.preprocessing import ImagePreprocessing
from ...sheet import Sheet, grid_sheet
from .base import Recognized, Weights, filled, matrix

KIND = "MLP"
_MNIST_MEAN, _MNIST_STD = (0.1307,) * 3, (0.3081,) * 3


def fits(weights: Weights) -> bool:
    """Whether the names are its own: nothing but net.0, net.2..., matrices and biases."""
    linear = {f"net.{2 * i}.{part}" for i in range(len(weights) // 2) for part in ("weight", "bias")}
    return set(weights) == linear


def recognize(weights: Weights, path: Path) -> Recognized:
    """A network for pictures of as many pixels as its first layer reads, scaled as MNIST's are."""
    shapes = [matrix(weights, f"net.{2 * i}.weight") for i in range(len(weights) // 2)]
    widths = [shapes[0][1], *(n_out for n_out, _ in shapes)]
    side = isqrt(widths[0])
    if side * side != widths[0]:
        raise UserError(f"{path} reads {widths[0]} pixels, which are no square picture")
    network = filled(lambda: MLP(widths), weights, path)
    hidden = [(f"net.{2 * i + part}", n) for i, n in enumerate(widths[1:-1]) for part in (0, 1)]

    def sheets(layout: str) -> list[Sheet]:
        # a ReLU's units lie where those that it rectifies lie
        return [grid_sheet(name, n_units, layout=layout) for name, n_units in hidden]

    layers = [f"net.{i}" for i in range(len(network.net))]
    return Recognized(network, layers, sheets, ImagePreprocessing(side, mean=_MNIST_MEAN, std=_MNIST_STD))
