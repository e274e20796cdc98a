"""What a network is and runs on: weights, code and settings as one digest, and how precisely products are computed."""

import torch
from torch import nn

from ...fingerprint import Fingerprint, fingerprint, is_installed_code
from .hooks import alone

_NOT_SETTINGS = frozenset(vars(nn.Module()))
"""What every module has: parameters, submodules, hooks, whether it trains."""
_WHERE_FROM = {
    "_name_or_path", "name_or_path", "transformers_version", "dtype", "torch_dtype", "architectures", "warnings_issued",
    "pretrained_cfg", "default_cfg",
}  # fmt: skip
"""Where a network was read from, what it was saved as, and what calls leave behind: none of it makes its numbers."""


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
        configs: list[object] = []  # every part of a network may hold one and the same
        parts = [[name, type(one), _settings(one, configs)] for name, one in module.named_modules()]
        return fingerprint(kind, weights, repr(module), parts, list(map(_config, configs)), *beside)


def precision_of_products(device: torch.device) -> str:
    """How torch computes products of float32 on a device, in words."""
    precision = torch.get_float32_matmul_precision()
    if device.type == "cuda":
        precision += f", tf32 {torch.backends.cuda.matmul.allow_tf32} {torch.backends.cudnn.allow_tf32}"
    return precision


def _settings(module: nn.Module, configs: list[object]) -> object:
    """What a module keeps beside its weights: of an installed package's class the plain values, else all."""
    values = {name: value for name, value in vars(module).items() if name not in _NOT_SETTINGS}
    hooks = [*module._forward_pre_hooks.values(), *module._forward_hooks.values()]
    if isinstance(
        graph := getattr(module, "graph", None), torch.fx.Graph
    ):  # traced or exported: it is the code
        return [hooks, str(graph)]
    held = next((place for place, one in enumerate(configs) if one is values.get("config")), None)
    if held is None and _is_config(values.get("config")):
        held = len(configs)
        configs.append(values["config"])
    if held is not None:
        del values["config"]
    if is_installed_code(type(module)):
        kept = {
            name: one
            for name, one in values.items()
            if not name.startswith("_") and name not in _WHERE_FROM and (callable(one) or _is_plain(one))
        }
        return [hooks, held, kept]
    return [hooks, held, values]


def _is_config(config: object) -> bool:
    return is_installed_code(type(config)) and not isinstance(config, type) and hasattr(config, "to_dict")


def _config(config: object) -> object:
    """The settings that a network was built from, without where they came from."""
    return _without(config.to_dict())  # type: ignore[attr-defined]


def _without(value: object) -> object:
    if isinstance(value, dict):
        return {str(name): _without(one) for name, one in value.items() if name not in _WHERE_FROM}
    return [_without(one) for one in value] if isinstance(value, (list, tuple)) else value


def _is_plain(value: object) -> bool:
    """A number, a word or a switch, or a container of such."""
    if isinstance(value, dict):
        return all(_is_plain(one) for one in [*value, *value.values()])
    if isinstance(value, (list, tuple, set, frozenset)):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, (bool, int, float, str))
