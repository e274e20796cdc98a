"""Modules that torch compiled, scripted or exported: made readable where that can be, else one line says what would."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from ...errors import UserError


def readable(module: Any, identifier: str) -> Any:
    """A module whose inner modules answer hooks, from what torch made of it.

    An exported program is unflattened; what ``torch.compile`` wrapped is taken out of its wrapper.

    Parameters
    ----------
    module : object
    identifier : str

    Raises
    ------
    UserError
        For TorchScript, and for an exported program's flat module.
    """
    if is_out_of_reach(module):
        raise UserError(
            f"{identifier}: TorchScript runs its inner modules out of reach: give the torch.nn.Module that it was made "
            "from (its weights: module.load_state_dict(scripted.state_dict())), or a program of torch.export"
        )
    if type(module).__name__ == "ExportedProgram":
        return torch.export.unflatten(module)
    if any(one.__name__ == "_StatefulGraphModule" for one in type(module).__mro__):
        raise UserError(
            f"{identifier}: the module of an exported program is flat and has no layers: give the program itself "
            "(what torch.export.export returned), or torch.export.unflatten(program)"
        )
    while _is_compiled(module):
        module = module._orig_mod
    return module


@contextmanager
def uncompiled(module: nn.Module) -> Iterator[None]:
    """While the block runs, parts that ``torch.compile`` compiled run as they were written, so that hooks answer."""
    parts = module.modules()
    if any(_is_compiled(one) or getattr(one, "_compiled_call_impl", None) is not None for one in parts):
        with torch.compiler.set_stance("force_eager"):
            yield
    else:
        yield


def is_out_of_reach(module: object) -> bool:
    """Whether it is TorchScript, whose modules answer no hooks."""
    return isinstance(module, torch.jit.ScriptModule)


def _is_compiled(module: object) -> bool:
    dynamo = sys.modules.get("torch._dynamo")  # what is not imported has compiled nothing
    return dynamo is not None and isinstance(module, dynamo.OptimizedModule)
