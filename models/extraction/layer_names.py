"""What a layer's name means: a module, one of its calls (``cell@2``), a tensor that it gives (``block#1``) or takes.

``down_proj#in`` is what a module is given, which no module gives where it is computed in between (gated products).
"""

import re
from collections import namedtuple
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ...errors import UserError, unknown
from .programs import is_out_of_reach

_NAME = re.compile(r"(?P<module>.+?)(?:@(?P<call>-?[1-9]\d*|last))?(?:#(?P<tensor>.+))?")
INPUT = "in"
"""The place of what a module is given: its first positional tensor."""
_Part = namedtuple("_Part", ["names", "value"])  # the first name is the usual one


@dataclass(frozen=True)
class LayerName:
    """What is read under a name.

    Attributes
    ----------
    module : str
        Dotted.
    call : int
        Counted from 1, or from the end: -1 is the last call of a forward pass.
    tensor : str
        Its place in what the module gives: ``1``, ``hidden``, ``0.1``; empty for the first tensor, ``in`` for what it
        is given.
    """

    module: str
    call: int = -1
    tensor: str = ""

    @property
    def is_input(self) -> bool:
        """Whether it is what the module is given."""
        return self.tensor == INPUT


def layer_name(name: str, modules: Container[str]) -> LayerName:
    """What a name says.

    Parameters
    ----------
    name : str
    modules : container of str
        Those that there are, whose names may themselves hold an @ or a #.
    """
    found = _NAME.fullmatch(name)
    if name in modules or found is None:
        return LayerName(name)
    call = found["call"] or "last"
    return LayerName(found["module"], -1 if call == "last" else int(call), found["tensor"] or "")


def check_layers(module: nn.Module, layers: Sequence[str], model: str) -> None:
    """Raise a UserError, with the close matches, for a module that is not there."""
    known = {name: one for name, one in module.named_modules() if name}
    for layer in layers:
        name = layer_name(layer, known).module
        if name not in known:
            raise unknown(f"layer of {model}", layer, known)
        if is_out_of_reach(known[name]):
            raise UserError(
                f"{name!r} of {model} is TorchScript, which runs out of reach: choose a layer around it"
            )


def check_modules(module: nn.Module, layers: Sequence[str], model: str) -> None:
    """The same where a whole module is meant, with all its calls."""
    check_layers(module, layers, model)
    known = dict(module.named_modules())
    for layer in layers:
        if layer not in known and layer.removesuffix(f"#{INPUT}") not in known:
            whole = layer_name(layer, known).module
            raise UserError(f"{layer!r} of {model} is a part of what {whole!r} gives: lesion {whole!r}")


def tensors_in(output: Any) -> dict[str, Tensor]:
    """Every tensor that a module gave, by its place; a bare one has the place ``""``."""
    return dict(_walk(output, ""))


def tensor_of(output: Any, layer: str, name: LayerName) -> Tensor:
    """The tensor that a name means of what its module gave.

    Parameters
    ----------
    output : object
        A tensor, or a tuple, list, mapping or dataclass of such.
    layer : str
        The name as it was written.
    name : LayerName

    Raises
    ------
    UserError
        Where there is no tensor, or none of that name.
    """
    if name.tensor:
        chosen = _at(output, name.tensor)
        if chosen is not None:
            return chosen
    elif isinstance(output, Tensor):
        return output
    else:
        first = first_tensor(output)
        if first is not None:
            return first[1]
    there = [f"{name.module}#{place}" for place in tensors_in(output) if place]
    if there:
        raise unknown("tensor", layer, there, hint=f"{name.module} gives {', '.join(there)}")
    gives = "one tensor" if isinstance(output, Tensor) else f"a {type(output).__name__}, not a tensor"
    advice = f"name it {name.module!r}" if isinstance(output, Tensor) else "choose a module inside it"
    raise UserError(f"layer {layer!r} gives {gives}: {advice}")


def given_to(inputs: Any, layer: str) -> Tensor:
    """The tensor that a module is given first.

    Parameters
    ----------
    inputs : tuple
        Its positional arguments.
    layer : str
        The name as it was written.

    Raises
    ------
    UserError
        Where it is given none.
    """
    if not inputs or not isinstance(inputs[0], Tensor):
        raise UserError(f"layer {layer!r}: the module is given no tensor by position: choose another layer")
    return inputs[0]


def unusual(tensor: Tensor) -> str:
    """What keeps a tensor from being read as numbers, in a word."""
    if tensor.is_nested:
        return "nested"
    if torch._C._functorch.is_functorch_wrapped_tensor(tensor):
        return "batched (torch.func)"
    if tensor.is_complex():
        return "complex"
    return "" if tensor.layout in (torch.strided, torch._mkldnn) else "sparse"  # type: ignore[attr-defined]


def plain(tensor: Tensor, layer: str) -> Tensor:
    """A tensor of ordinary numbers; a quantized one is made such.

    Raises
    ------
    UserError
        For one that is nested, complex or sparse.
    """
    if kind := unusual(tensor):
        raise UserError(
            f"layer {layer!r} gives a {kind} tensor, not one real number a unit: choose a layer before it or behind it"
        )
    if tensor.is_quantized:
        return tensor.dequantize()
    return tensor.to_dense() if tensor.is_mkldnn else tensor


def first_tensor(output: Any) -> tuple[str, Tensor] | None:
    """Place and tensor of what is read where none is named: the first at the top, else the first inside."""
    for part in _parts(output):
        if isinstance(part.value, Tensor):
            return part.names[0], part.value
    return next(_walk(output, ""), None)


def _walk(output: Any, place: str) -> Iterator[tuple[str, Tensor]]:
    if isinstance(output, Tensor):
        yield place, output
    for part in _parts(output):
        yield from _walk(part.value, f"{place}.{part.names[0]}" if place else part.names[0])


def _at(output: Any, place: str) -> Tensor | None:
    if not place:
        return output if isinstance(output, Tensor) else None
    named = [(name, rank, part.value) for part in _parts(output) for rank, name in enumerate(part.names)]
    for name, _, value in sorted(named, key=lambda one: one[1]):  # a number that is a name is meant as one
        if place == name or place.startswith(f"{name}."):
            found = _at(value, place[len(name) + 1 :])
            if found is not None:
                return found
    return None


def _parts(output: Any) -> list[_Part]:
    """What a tuple, list, mapping or dataclass holds; each by its name or number, and by its number."""
    if isinstance(output, Mapping):
        items = [(str(key), value) for key, value in output.items()]
    elif isinstance(output, tuple) and hasattr(output, "_fields"):
        return [_Part((str(i), name), output[i]) for i, name in enumerate(output._fields)]
    elif isinstance(output, (tuple, list)):
        items = [(str(i), value) for i, value in enumerate(output)]
    elif is_dataclass(output) and not isinstance(output, type):
        items = [(one.name, getattr(output, one.name)) for one in fields(output)]
    else:
        return []
    return [
        _Part((name,) if name == str(i) else (name, str(i)), value) for i, (name, value) in enumerate(items)
    ]
