"""What every recognizer gives, and what they share."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

import torch
from torch import Tensor, nn

from ....errors import UserError, first_line
from ...extraction.preprocessing import ImagePreprocessing
from ...sheet import Sheet, grid_sheet
from ...topography.topoloss import incoming_weights
from ..state_dict import fitting, load_into

Weights = Mapping[str, Tensor]
Network = TypeVar("Network", bound=nn.Module)


@dataclass(frozen=True)
class Recognized:
    """A network that follows from its weights.

    Attributes
    ----------
    network : Module
    layers : list of str
        What is scored by default, in forward order.
    sheets : callable
        Layout -> the sheets of its layers, their units in order on a grid.
    preprocess : ImagePreprocessing or None
        None for a network that reads text.
    """

    network: nn.Module
    layers: list[str]
    sheets: Callable[[str], list[Sheet]]
    preprocess: ImagePreprocessing | None = None


@contextmanager
def told_of(kind: str, path: Path) -> Iterator[None]:
    """Names and shapes that only look like those of a kind are a person's file, not our error."""
    try:
        yield
    except UserError:
        raise
    except (KeyError, ValueError, IndexError, TypeError, AttributeError, RuntimeError) as error:
        reason = f"no {error}" if isinstance(error, KeyError) else first_line(error)
        raise UserError(f"{path} has the names of a {kind} and does not fit one ({reason})") from error


def filled(
    build: Callable[[], Network], weights: Weights, path: Path, *, without: str | None = None
) -> Network:
    """A network with its weights, made only where they fit it: sizes of a damaged file may be anything.

    Parameters
    ----------
    build : callable
        Makes the network of the sizes that were found.
    weights, path, without
        As :func:`load_into` takes them.
    """
    try:
        with torch.device("meta"):
            fitting(build(), weights, path, without=without)
    except UserError:
        raise
    except Exception as error:  # sizes that no network can have
        raise UserError(f"{path} holds weights of impossible sizes ({first_line(error)})") from error
    network = build()
    load_into(network, weights, path, without=without)
    return network


def count(weights: Weights, pattern: str) -> int:
    """How many of the names ``pattern.format(0)``, ``pattern.format(1)``... there are."""
    return next(i for i in range(len(weights) + 1) if pattern.format(i) not in weights)


def matrix(weights: Weights, name: str, n_axes: int = 2) -> tuple[int, ...]:
    """The shape of a weight that must have so many axes."""
    shape = tuple(weights[name].shape)
    if len(shape) != n_axes:
        raise ValueError(f"{name!r} has {len(shape)} axes, not {n_axes}")
    return shape


def channel_sheets(
    network: nn.Module, layers: Iterable[str], layout: str, weights_of: Mapping[str, str] | None = None
) -> list[Sheet]:
    """A grid sheet a layer; a convolution's is of its channels, and a blurred one is read at its wrapper.

    Parameters
    ----------
    network : Module
    layers : iterable of str
    layout : str
    weights_of : mapping of str to str, optional
        For a layer without weights of its own, the module whose units it has: a block's last convolution.
    """
    sheets = []
    for name in layers:
        module = network.get_submodule((weights_of or {}).get(name, name))
        module = getattr(module, "conv", module)
        reads: Literal["unit", "channel"] = "channel" if isinstance(module, nn.Conv2d) else "unit"
        sheets.append(grid_sheet(name, len(incoming_weights(module)), reads=reads, layout=layout))
    return sheets
