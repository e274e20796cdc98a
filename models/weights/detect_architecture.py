"""A network from a file of weights alone: which architecture it is follows from names and shapes."""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from torch import Tensor, nn

from ...errors import UserError
from .recognizers import all_tnn, cct, cifar_resnet, gpt, mlp, mobilenet, resnet, squeezenet, vit
from .recognizers.base import Recognized, told_of
from .state_dict import read_weights


class Recognizer(Protocol):
    """A module of ``recognizers``."""

    KIND: str

    def fits(self, weights: Mapping[str, Tensor]) -> bool:
        """Whether the names are those of the architecture."""

    def recognize(self, weights: Mapping[str, Tensor], path: Path) -> Recognized:
        """The network, with what it is shown and read at."""


RECOGNIZERS: tuple[Recognizer, ...] = (
    gpt,
    vit,
    cct,
    resnet,
    cifar_resnet,
    mobilenet,
    squeezenet,
    mlp,
    all_tnn,
)
"""Imported here by name, so that the code of a recognizer is part of a score's key."""


def network_from(path: Path) -> nn.Module:
    """The network of a file; see :func:`recognized`.

    Parameters
    ----------
    path : Path
        A safetensors or torch file.
    """
    return recognized(read_weights(path), path).network


def recognized(weights: Mapping[str, Tensor], path: Path) -> Recognized:
    """The network that weights belong to, with the preprocessing, the layers and the sheets of its kind.

    Parameters
    ----------
    weights : mapping of str to tensor
    path : Path
        For messages.

    Raises
    ------
    UserError
        For names of another architecture, or weights that do not fit theirs.
    """
    for one in RECOGNIZERS:
        if one.fits(weights):
            with told_of(one.KIND, path):
                return one.recognize(weights, path)
    kinds = ", ".join(one.KIND for one in RECOGNIZERS)
    raise UserError(
        f"{path} holds weights of an architecture that is not known here (its first name is {next(iter(weights))!r}, "
        f"and none of {kinds} has such names): load it into a module of your own, and give path/to/file.py:factory"
    )
