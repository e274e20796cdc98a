"""Models of Hugging Face, from a folder or the hub; code that lies beside their weights is never run."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import UserError, missing_extra
from ..catalogue import fetched, scheme

if TYPE_CHECKING:
    from torch import nn

    from ..model import Model


@scheme("hf", "FOLDER")
def load_hugging_face(name: str) -> "Model":
    """A model from a folder or the hub.

    Parameters
    ----------
    name : str
        ``FOLDER`` or ``ORG/NAME``.
    """
    from transformers import AutoConfig, AutoTokenizer
    from transformers.utils import logging

    from ..extraction.language_model import LanguageModel

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]

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
    config = _fetched(name, lambda: AutoConfig.from_pretrained(place, trust_remote_code=False))
    if hasattr(config, "image_size") or hasattr(config, "num_channels"):
        return _hugging_face_vision(place, identifier)
    tokenizer = _fetched(name, lambda: AutoTokenizer.from_pretrained(place, trust_remote_code=False))
    module = _pretrained(name, place)
    causal = any("CausalLM" in kind or "LMHead" in kind for kind in config.architectures or ())
    return LanguageModel(
        module, tokenizer, identifier=identifier, layers=_blocks(module), pooling="last" if causal else "mean"
    )


def _hugging_face_vision(place: str, identifier: str) -> "Model":
    from ..extraction.preprocessing import ProcessorPreprocessing
    from ..extraction.vision_model import VisionModel

    processor = _fetched(
        place, lambda: _automodel("AutoImageProcessor").from_pretrained(place, trust_remote_code=False)
    )
    module = _pretrained(place, place)
    preprocess = ProcessorPreprocessing(processor)
    return VisionModel(module, identifier=identifier, preprocess=preprocess, layers=_blocks(module) or None)


def _pretrained(name: str, place: str) -> "nn.Module":
    """The network; code that lies beside its weights is never run, nor is a person asked whether to."""
    auto = _automodel("AutoModel")
    module: nn.Module = _fetched(
        name, lambda: auto.from_pretrained(place, use_safetensors=True, trust_remote_code=False)
    )
    return module


def _automodel(kind: str) -> Any:
    import transformers

    try:
        return getattr(transformers, kind)
    except (ImportError, RuntimeError) as error:  # a torchvision that does not fit this torch breaks it
        raise missing_extra("torchvision", "timm", why=f"transformers.{kind}") from error


def _fetched(name: str, fetch: Callable[[], Any]) -> Any:
    return fetched(f"hf:{name}", fetch, hint="; give the folder of a downloaded model: hf:FOLDER")


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
