"""What a Hugging Face network is made of: its towers, its blocks, what it reads."""

import inspect
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import UserError, unknown

if TYPE_CHECKING:
    from torch import nn

    from ..extraction.torch_model import Network

_TOWERS = {
    "sound": ("audio_model", "audio_tower", "audio_encoder"),
    "vision": ("vision_model", "vision_tower", "visual", "image_model", "vision_encoder"),
    "text": ("text_model", "language_model", "text_encoder"),
}
_SHOWN = {"vision": "pixel_values", "text": "input_ids"}
_KERNELS = {"mra": "mra_cuda_kernel"}
_EMBEDDINGS = ("embeddings", "embed_tokens", "wte")


def split_tower(name: str) -> tuple[str, str]:
    """A model's name and, behind ``#``, its tower; a folder may have the mark in its own name."""
    if "#" not in name or Path(name).expanduser().is_dir():
        return name, ""
    name, _, tower = name.rpartition("#")
    return name, tower


def part_of(module: "nn.Module", tower: str, name: str) -> "nn.Module":
    """A tower of a network that has two, or a network that has none.

    Parameters
    ----------
    module : torch.nn.Module
    tower : str
        ``"vision"``, ``"text"``, or nothing.
    name : str
        What was asked for, for messages.

    Raises
    ------
    UserError
        For two towers of which none is named, or one that is not there.
    """
    towers = towers_of(module)
    if len(towers) > 1 and not tower:
        raise UserError(
            f"hf:{name} ({type(module).__name__}) has a tower for {' and one for '.join(towers)}: "
            f"name {' or '.join(f'hf:{name}#{one}' for one in towers)}"
        )
    if not tower:
        return module
    if len(towers) < 2:
        raise UserError(f"hf:{name} ({type(module).__name__}) has no towers: leave out '#{tower}'")
    if tower not in towers:
        raise unknown(f"tower of hf:{name}", tower, list(towers))
    return towers[tower]


def towers_of(module: "nn.Module") -> dict[str, "nn.Module"]:
    """The towers by what they read, the vision tower first."""
    found: dict[str, nn.Module] = {}
    for kind, names in _TOWERS.items():
        known = (
            child
            for name, child in module.named_modules()
            if name.rpartition(".")[2] in names and name.count(".") < 2
        )
        first = next(known, None)
        if first is not None:
            found[kind] = first
    return found


def reads(module: "nn.Module", name: str) -> str:
    """``"vision"`` or ``"text"``, by the input that the network itself declares or takes.

    Raises
    ------
    UserError
        For a network that reads sound, film, tables or anything else.
    """
    model_type = getattr(getattr(module, "config", None), "model_type", "")
    kernel = _KERNELS.get(model_type)
    if kernel and getattr(sys.modules[type(module).__module__], kernel, None) is None:
        raise UserError(
            f"hf:{name} ({type(module).__name__}): its attention runs in a kernel that transformers compiles for "
            "graphics cards, and gives zeros without it, so nothing is scored"
        )
    known = inspect.signature(module.forward).parameters
    wanted = getattr(module, "main_input_name", "input_ids")
    if wanted not in known:  # a tower may declare what its whole network takes
        wanted = next((one for one in _SHOWN.values() if one in known), next(iter(known), "nothing"))
    wanted = _otherwise(model_type, wanted)
    kind = next((one for one, argument in _SHOWN.items() if argument == wanted), None)
    if kind is None:
        raise UserError(f"hf:{name} ({type(module).__name__}) reads {wanted}, neither pictures nor texts")
    needed = [
        one
        for one, parameter in known.items()
        if parameter.default is parameter.empty
        and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        and one != wanted
    ]
    if needed:
        raise UserError(
            f"hf:{name} ({type(module).__name__}) also reads {', '.join(needed)}: it is not shown that"
        )
    return kind


def _otherwise(model_type: str, wanted: str) -> str:
    """What an input of a usual name is, where transformers has the type of model for something else."""
    from transformers.models.auto import modeling_auto

    if wanted == "input_ids" and model_type in modeling_auto.MODEL_FOR_IMAGE_MAPPING_NAMES:
        return "pictures as tokens of color"
    if wanted == "pixel_values" and model_type in modeling_auto.MODEL_FOR_VIDEO_CLASSIFICATION_MAPPING_NAMES:
        return "films"
    return wanted


def blocks(module: "nn.Module") -> list[str]:
    """The blocks of a transformer and the embedding before it; those of the encoder where a decoder follows.

    The blocks are the longest list of modules that lies in no other list: inside a block there may be longer ones, of
    experts. Where a network keeps the parts of its blocks in lists side by side, the last list ends a block.
    """
    from torch import nn

    config: Any = getattr(module, "config", None)
    inside = ""
    if getattr(config, "is_encoder_decoder", False) is True:
        names = [name for name, child in module.named_modules() if name and child is _encoder(module)]
        inside = f"{names[0]}." if names else ""
    lists = [
        (name, child)
        for name, child in module.named_modules()
        if isinstance(child, nn.ModuleList) and len(child) and name.startswith(inside)
    ]
    outer = [
        (name, child) for name, child in lists if not any(name.startswith(f"{other}.") for other, _ in lists)
    ]
    if not outer:
        return []
    longest = max(len(child) for _, child in outer)
    first = next(name for name, child in outer if len(child) == longest)
    beside = [
        name
        for name, child in outer
        if len(child) == longest and name.rpartition(".")[0] == first.rpartition(".")[0]
    ]
    embedding = _embedding(module, inside)
    return [*([embedding] if embedding else []), *(f"{beside[-1]}.{index}" for index in range(longest))]


def _embedding(module: Any, inside: str) -> str | None:
    """What a network's own embedding of tokens is called: the sum with positions where that is a module."""
    from torch import nn

    try:
        own = module.get_input_embeddings()
    except (AttributeError, NotImplementedError, TypeError):
        own = None
    names = [name for name, _ in module.named_modules(remove_duplicate=False) if name.startswith(inside)]
    parts = dict(module.named_modules(remove_duplicate=False))
    sums = [name for name in names if name.removeprefix(inside) in _EMBEDDINGS]
    tables = [name for name in names if isinstance(parts[name], nn.Embedding)]
    weight = getattr(own, "weight", None)
    tied = [name for name in tables if parts[name].weight is weight]  # the last is the one that is called
    return next(iter([*sums, *tied[::-1], *tables]), None)


def answering(model: "Network") -> "Network":
    """The model with layers that do answer: where a network passes a block by, the last module inside it.

    Parameters
    ----------
    model : Network
        With its blocks as layers.
    """
    names = model.layers
    try:
        known = model.every_layer()
        found = model._recorded(names, model._probe()).tensors
    except UserError:  # who asks for a layer is told why it cannot run
        return model
    inner = {
        name: [one for one in known if one.startswith(f"{name}.")] for name in names if name not in found
    }
    layers = [one for name in names for one in ([name] if name in found else inner[name][-1:])]
    return model if layers == names else model.replaced(layers=layers)


def _encoder(module: Any) -> "nn.Module | None":
    found = getattr(module, "get_encoder", lambda: None)()
    encoder: nn.Module | None = found if found is not module else getattr(module, "encoder", None)
    return encoder
