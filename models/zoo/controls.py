"""What is left of a network without its training, or without its context: controls of the same width."""

import copy
import re
from typing import TYPE_CHECKING

from ...errors import UserError
from ..catalogue import scheme

if TYPE_CHECKING:
    from torch import nn

    from ..extraction.torch_model import Network
    from ..model import Model

_SEEDED = re.compile(r"(?P<name>.+)@(?P<seed>\d{1,9})")


@scheme("untrained", "MODEL")
def untrained(text: str) -> "Model":
    """A network of the same architecture whose weights are drawn anew.

    Parameters
    ----------
    text : str
        What :func:`brodmann.load_model` takes; ``@3`` behind it is the seed, 0 by default.
    """
    seeded = _SEEDED.fullmatch(text)
    name, seed = (seeded["name"], int(seeded["seed"])) if seeded else (text, 0)
    network = _network(name, "weights to draw anew")
    module = copy.deepcopy(network.module)
    draw_weights(module, seed)
    return network.replaced(
        module=module, stored_in="", identifier=f"untrained:{network.identifier}" + f"@{seed}" * bool(seed)
    )


@scheme("static", "MODEL")
def static(name: str) -> "Model":
    """The input embedding of a language network: every token as it is without the others, mean over a text.

    Parameters
    ----------
    name : str
        What :func:`brodmann.load_model` takes.
    """
    from torch import nn

    network = _network(name, "input embedding")
    found = (path for path, one in network.module.named_modules() if isinstance(one, nn.Embedding))
    layer = next(found, None)
    if layer is None or network.modality != "language":
        raise UserError(f"{name!r} has no embedding of tokens to read")
    return network.replaced(identifier=f"static:{network.identifier}", layers=[layer], pooling="mean")


def draw_weights(module: "nn.Module", seed: int) -> None:
    """Draw all parameters anew, in place.

    A module that knows how its own are drawn (``reset_parameters``) draws them; what is left is normal, with the mean
    and the standard deviation of the parameter as it was.

    Parameters
    ----------
    module : torch.nn.Module
    seed : int
    """
    import torch

    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        for one in module.modules():
            reset = getattr(one, "reset_parameters", None) or getattr(one, "_reset_parameters", None)
            if callable(reset):
                reset()
                continue
            for parameter in one.parameters(recurse=False):
                spread = float(parameter.float().std()) if parameter.numel() > 1 else 0.0
                drawn = torch.normal(float(parameter.float().mean()), spread, parameter.shape)
                parameter.copy_(drawn)


def _network(name: str, what: str) -> "Network":
    from ..extraction.torch_model import Network
    from ..loading import load_model

    model = load_model(name)
    if not isinstance(model, Network):
        raise UserError(f"{name!r} is no network: it has no {what}")
    return model
