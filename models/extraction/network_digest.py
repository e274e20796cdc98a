"""What a network is and runs on: weights, code and settings as one digest, and how precisely products are computed."""

import torch
from torch import nn

from ...fingerprint import Fingerprint, fingerprint, is_installed_code
from .hooks import alone

_NOT_SETTINGS = frozenset(vars(nn.Module()))
"""What every module has: parameters, submodules, hooks, whether it trains."""


def network_fingerprint(kind: type, module: nn.Module, *beside: object) -> Fingerprint:
    """A digest of weights, buffers, architecture, settings and code.

    Parameters
    ----------
    kind : type
        The class that runs the module.
    module : torch.nn.Module
    beside : object
        What else makes its numbers: preprocessing, readout, lesions.
    """
    with alone(module):  # hooks of a pass that runs elsewhere are none of the model's
        # a state dict leaves out the buffers that are not saved
        weights = dict(module.named_buffers()) | module.state_dict()
        parts = [[name, type(one), _settings(one)] for name, one in module.named_modules()]
        return fingerprint(kind, weights, repr(module), parts, *beside)


def precision_of_products(device: torch.device) -> str:
    """How torch computes products of float32 on a device, in words."""
    precision = torch.get_float32_matmul_precision()
    if device.type == "cuda":
        precision += f", tf32 {torch.backends.cuda.matmul.allow_tf32} {torch.backends.cudnn.allow_tf32}"
    return precision


def _settings(module: nn.Module) -> object:
    """What a module keeps beside its weights: of an installed package's class the numbers and switches, else all."""
    values = {name: value for name, value in vars(module).items() if name not in _NOT_SETTINGS}
    hooks = [*module._forward_pre_hooks.values(), *module._forward_hooks.values()]
    if isinstance(
        graph := getattr(module, "graph", None), torch.fx.Graph
    ):  # traced or exported: it is the code
        return [hooks, str(graph)]
    if is_installed_code(type(module)):
        kept = {
            name: one for name, one in values.items() if isinstance(one, (bool, int, float)) or callable(one)
        }
        return [hooks, {name: value for name, value in kept.items() if not name.startswith("_")}]
    return [hooks, values]
