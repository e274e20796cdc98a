"""Models of Hugging Face, from a folder or the hub; code that lies beside their weights is never run."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import UserError, missing_extra
from ..catalogue import scheme

if TYPE_CHECKING:
    import torch
    from torch import nn

    from ..model import Model


@scheme("hf", "FOLDER")
def load_hugging_face(name: str) -> "Model":
    """A model from a folder or the hub.

    Parameters
    ----------
    name : str
        ``FOLDER`` or ``ORG/NAME``; behind it ``@bfloat16``, another precision or ``@stored`` (that of the files)
        for one other than float32.
    """
    from transformers import AutoConfig, AutoTokenizer
    from transformers.utils import logging

    from ..extraction.language_model import LanguageModel
    from ..weights.hugging_face_folder import asked_dtype, check_folder, from_pretrained

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]

    asked, (name, dtype) = name, asked_dtype(name)
    folder = Path(name).expanduser()
    local = folder.is_dir()
    if not local and (name.startswith((".", "/", "~")) or name.count("/") > 1):
        raise UserError(f"no folder {name}: expected hf:FOLDER or hf:ORG/NAME")
    if local and not (folder / "config.json").is_file():
        raise UserError(f"{name} holds no config.json, so it is not a Hugging Face model")
    place = str(folder) if local else name
    identifier = f"hf:{folder.resolve().name if local else name}"
    if local and folder.resolve().name in ("hf", "model"):
        identifier = f"hf:{folder.resolve().parent.name}"
    identifier += asked.removeprefix(name)
    if local:
        check_folder(folder)
    config = _fetched(name, lambda: AutoConfig.from_pretrained(place, trust_remote_code=False))
    if hasattr(config, "image_size") or hasattr(config, "num_channels"):
        return _hugging_face_vision(place, identifier, dtype)
    tokenizer = _fetched(name, lambda: AutoTokenizer.from_pretrained(place, trust_remote_code=False))
    module, stored = from_pretrained(_automodel("AutoModel"), place, dtype)
    causal = any("CausalLM" in kind or "LMHead" in kind for kind in config.architectures or ())
    model = LanguageModel(
        module, tokenizer, identifier=identifier, layers=_blocks(module), pooling="last" if causal else "mean"
    )
    return model.replaced(stored_in=stored)


def _hugging_face_vision(place: str, identifier: str, dtype: "torch.dtype | None") -> "Model":
    from ..extraction.preprocessing import ProcessorPreprocessing
    from ..extraction.vision_model import VisionModel
    from ..weights.hugging_face_folder import from_pretrained

    processor = _fetched(
        place, lambda: _automodel("AutoImageProcessor").from_pretrained(place, trust_remote_code=False)
    )
    module, stored = from_pretrained(_automodel("AutoModel"), place, dtype)
    preprocess = ProcessorPreprocessing(processor)
    model = VisionModel(module, identifier=identifier, preprocess=preprocess, layers=_blocks(module) or None)
    return model.replaced(stored_in=stored)


def _automodel(kind: str) -> Any:
    import transformers

    try:
        return getattr(transformers, kind)
    except (ImportError, RuntimeError) as error:  # a torchvision that does not fit this torch breaks it
        raise missing_extra("torchvision", "timm", why=f"transformers.{kind}") from error


def _fetched(name: str, fetch: Callable[[], Any]) -> Any:
    from ..weights.hugging_face_folder import fetched_by_transformers

    return fetched_by_transformers(name, fetch)


def _blocks(module: "nn.Module") -> list[str]:
    """The blocks of a transformer: the longest list of modules of one kind, and the embedding before it."""
    from torch import nn

    lists = [(name, child) for name, child in module.named_modules() if isinstance(child, nn.ModuleList)]
    if not lists:
        return []
    name, blocks = max(lists, key=lambda item: len(item[1]))
    embedding = next(
        (
            n
            for n, child in module.named_modules()
            if n in ("embeddings", "embed_tokens", "wte") or isinstance(child, nn.Embedding)
        ),
        None,
    )
    return [*([embedding] if embedding else []), *(f"{name}.{index}" for index in range(len(blocks)))]
