"""Locally connected networks, whose strides and poolings no weight tells."""

from pathlib import Path
from typing import NoReturn

from ....errors import UserError
from .base import Weights

KIND = "All-TNN"


def fits(weights: Weights) -> bool:
    """Whether the names are its own: filters of every place, (places, inputs, channels), and biases of a map."""
    first = weights.get("layers.0.weight")
    return first is not None and first.ndim == 3 and "layers.0.bias" in weights


def recognize(weights: Weights, path: Path) -> NoReturn:
    """Refused, with what would say the rest."""
    raise UserError(
        f"{path} holds the weights of an All-TNN, which do not tell its strides and poolings: write them with its "
        "geometry into the .npz file of docs/sheets.md, and give all-tnn:FILE.npz"
    )
