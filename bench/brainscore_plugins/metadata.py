"""Brain-Score's metadata.yml of a model (its version 1): what is known of it, and null for the rest."""

import json

from torch import nn

from ...models.catalogue import MODELS

FIELDS = (
    "architecture", "model_family", "total_parameter_count", "trainable_parameter_count", "total_layers",
    "trainable_layers", "model_size_mb", "training_dataset", "task_specialization", "brainscore_link",
    "huggingface_link", "extra_notes", "runnable",
)  # fmt: skip


def model_metadata(identifier: str, module: nn.Module, *, huggingface: str | None = None) -> str:
    """The text of ``metadata.yml``, counted as Brain-Score's own generator counts.

    Parameters
    ----------
    identifier : str
        The plugin's.
    module : torch.nn.Module
    huggingface : str, optional
        The model's name on the hub.
    """
    parameters = list(module.parameters())
    size = sum(one.numel() * one.element_size() for one in [*parameters, *module.buffers()])
    known: dict[str, object] = {
        "total_parameter_count": sum(one.numel() for one in parameters),
        "trainable_parameter_count": sum(one.numel() for one in parameters if one.requires_grad),
        "total_layers": sum(1 for _ in module.modules()),
        "trainable_layers": sum(1 for one in parameters if one.requires_grad and one.dim() > 1),
        "model_size_mb": round(size / 2**20, 2),
        "huggingface_link": None if huggingface is None else f"https://huggingface.co/{huggingface}",
        "extra_notes": "written by brodmann",
    }
    lines = [f"    {name}: {json.dumps(known.get(name))}" for name in FIELDS]
    return "\n".join(["models:", f"  {identifier}:", *lines]) + "\n"


def model_bibtex(identifier: str) -> str:
    """The catalogue's citation of a model; empty for a model of another kind."""
    return MODELS[identifier].card.bibtex if identifier in MODELS else ""
