"""What is left of a network without its training, or without its context: controls of the same width."""

import copy
import inspect
import re
from contextlib import suppress
from typing import TYPE_CHECKING

from ...errors import UserError
from ..catalogue import scheme

if TYPE_CHECKING:
    from torch import Tensor, nn

    from ..extraction.torch_model import Network
    from ..model import Model

_QUANTIZED = ("torch.ao.nn.quantized", "torch.ao.nn.intrinsic.quantized", "torch.ao.nn.sparse.quantized")
_STEPS = 50
"""Of a power iteration, which starts at the singular vectors of other weights."""
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
    if packed := _packed(network.module):
        raise UserError(
            f"{name!r} keeps the weights of {packed!r} packed in whole numbers, which cannot be drawn anew: "
            "take the network as it was before it was quantized"
        )
    module = _copied(network.module)
    if not draw_weights(module, seed):
        raise UserError(f"{name!r} has no weights to draw anew")
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
    from ..extraction.language_model import LanguageModel
    from ..extraction.next_token import embedding_of_tokens

    network = _network(name, "input embedding")
    layer = embedding_of_tokens(network) if isinstance(network, LanguageModel) else None
    if layer is None:
        raise UserError(f"{name!r} has no embedding of tokens to read")
    return network.replaced(identifier=f"static:{network.identifier}", layers=[layer], pooling="mean")


def draw_weights(module: "nn.Module", seed: int) -> int:
    """Draw all parameters anew, in place.

    A module that knows how its own are drawn (``reset_parameters``) draws them. What it leaves as it was, and what no
    module knows of, is normal, with the mean and the standard deviation of the parameter as it was; a parameter of one
    value keeps it. The mask of pruned weights stays, as part of the architecture; the largest singular value that
    spectral norms divide by is that of the drawn weights.

    Parameters
    ----------
    module : torch.nn.Module
    seed : int

    Returns
    -------
    int
        How many parameters are others than before.
    """
    import torch
    from torch.nn.parameter import is_lazy

    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        known = [one for one in module.parameters() if not is_lazy(one)]
        before = [one.clone() for one in known]
        for one in module.modules():
            reset = getattr(one, "reset_parameters", None) or getattr(one, "_reset_parameters", None)
            if callable(reset):
                if _takes_nothing(reset):
                    with suppress(Exception):  # one that stops half way leaves the rest to be drawn below
                        reset()
                continue
            for parameter in one.parameters(recurse=False):
                if not is_lazy(parameter):
                    parameter.copy_(_normal_like(parameter))
        n_drawn = 0
        for parameter, was in zip(known, before, strict=True):
            if _same(parameter, was) and was.numel() > 1 and not bool((was == was.reshape(-1)[0]).all()):
                parameter.copy_(_normal_like(was))
            n_drawn += not _same(parameter, was)
        for one in module.modules():
            _settle(one)
    return n_drawn


def _takes_nothing(reset: object) -> bool:
    try:
        inspect.signature(reset).bind()  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return False
    return True


def _same(one: "Tensor", other: "Tensor") -> bool:
    import torch

    return one.shape == other.shape and torch.equal(torch.nan_to_num(one), torch.nan_to_num(other))


def _normal_like(values: "Tensor") -> "Tensor":
    import torch

    if values.is_complex():
        return torch.complex(_normal_like(values.real), _normal_like(values.imag)).to(values.dtype)
    wide = values.float()
    spread = float(wide.std()) if values.numel() > 1 else 0.0
    return torch.normal(float(wide.mean()), spread, values.shape).to(values)


def _settle(module: "nn.Module") -> None:
    """Let a spectral norm find the largest singular value of weights that it has not seen."""
    from torch.nn.utils.parametrizations import _SpectralNorm
    from torch.nn.utils.spectral_norm import SpectralNorm

    for hook in module._forward_pre_hooks.values():
        if isinstance(hook, SpectralNorm):
            for _ in range(_STEPS):
                hook.compute_weight(module, do_power_iteration=True)
    for each in getattr(module, "parametrizations", {}).values():
        for one in each:
            if isinstance(one, _SpectralNorm) and each.original.ndim > 1:
                one._power_method(one._reshape_weight_to_matrix(each.original), _STEPS)


def _packed(module: "nn.Module") -> str | None:
    """The first part whose weights are whole numbers that stand for others by a scale."""
    for name, one in module.named_modules():
        if type(one).__module__.startswith(_QUANTIZED) or hasattr(one, "_packed_params"):
            return name or type(one).__name__
        own = [*one.named_parameters(recurse=False), *one.named_buffers(recurse=False)]
        for label, value in own:
            whole = value.is_quantized or not (value.is_floating_point() or value.is_complex())
            if whole and ("weight" in label or label in one._parameters) and "mask" not in label:
                return f"{name}.{label}".strip(".")
    return None


def _copied(module: "nn.Module") -> "nn.Module":
    """A copy; tensors that a hook computes from parameters at every pass are copied as they are."""
    from torch import Tensor

    derived = [
        value
        for one in module.modules()
        for value in vars(one).values()
        if isinstance(value, Tensor) and value.grad_fn is not None
    ]
    return copy.deepcopy(module, {id(one): one.detach().clone() for one in derived})


def _network(name: str, what: str) -> "Network":
    from ..extraction.torch_model import Network
    from ..loading import load_model

    model = load_model(name)
    if not isinstance(model, Network):
        raise UserError(f"{name!r} is no network: it has no {what}")
    return model
