"""Models of Hugging Face, from a folder or the hub; code that lies beside their weights is never run."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import UserError, missing_extra
from ..catalogue import scheme

if TYPE_CHECKING:
    from torch import nn

    from ..extraction.torch_model import Network
    from ..model import Model


@scheme("hf", "FOLDER")
def load_hugging_face(name: str) -> "Model":
    """A model from a folder or the hub.

    Parameters
    ----------
    name : str
        ``FOLDER`` or ``ORG/NAME``. ``#vision`` or ``#text`` behind it names a tower of a network that has two;
        behind that, ``@bfloat16``, another precision or ``@stored`` (that of the files) one other than float32.

    Raises
    ------
    UserError
        For a folder that holds no whole model, one that reads neither pictures nor texts, and two towers of which
        none is named.
    """
    from transformers.utils import logging

    from ..weights.hugging_face_folder import asked_dtype, check_folder, from_pretrained
    from .hugging_face_parts import part_of, reads, split_tower

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]

    asked, (whole, dtype) = name, asked_dtype(name)
    name, tower = split_tower(whole)
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
    network, stored = from_pretrained(_auto(place), place, dtype)
    module = part_of(network, tower, name)
    if reads(module, whole) == "vision":
        return _vision(place, module, identifier).replaced(stored_in=stored)
    head = None if tower else _head(place, network, dtype)
    return _language(place, module, identifier).replaced(stored_in=stored, head=head)


def _head(place: str, network: "nn.Module", dtype: Any) -> "Callable[[nn.Module], nn.Module] | None":
    """What puts a network into the language model that its files hold; None where they hold none."""
    kinds: Any = getattr(getattr(network, "config", None), "architectures", None) or ()
    if not any(str(kind).endswith(_PREDICTING) for kind in kinds):
        return None

    def predicting(module: "nn.Module") -> "nn.Module":
        from ..weights.hugging_face_folder import from_pretrained

        whole: Any = from_pretrained(_automodel("AutoModelForCausalLM"), place, dtype)[0]
        whole = whole.to(next(module.parameters()).device)
        setattr(whole, whole.base_model_prefix, module)
        whole.tie_weights()
        return whole.eval()  # type: ignore[no-any-return]

    return predicting


def _language(place: str, module: "nn.Module", identifier: str) -> "Network":
    from transformers import AutoTokenizer

    from ..extraction.language_model import LanguageModel
    from .hugging_face_parts import answering, blocks

    _check_tokenizer(Path(place))
    tokenizer = _fetched(place, lambda: AutoTokenizer.from_pretrained(place, trust_remote_code=False))
    return answering(LanguageModel(module, tokenizer, identifier=identifier, layers=blocks(module)))


_PREDICTING = ("ForCausalLM", "LMHeadModel")
_TOKENIZERS = (
    "tokenizer*",
    "vocab*",
    "merges*",
    "special_tokens_map.json",
    "*.model",
    "*.spm",
    "*.tiktoken",
    "*.bpe*",
)


def _check_tokenizer(folder: Path) -> None:
    """Refuse a folder of which no file is a tokenizer's: some kinds would be made without words."""
    if folder.is_dir() and not any(any(folder.glob(pattern)) for pattern in _TOKENIZERS):
        raise UserError(
            f"hf:{folder} holds no tokenizer: save it beside the weights, with save_pretrained of transformers"
        )


def _vision(place: str, module: "nn.Module", identifier: str) -> "Network":
    from ..extraction.preprocessing import ProcessorPreprocessing
    from ..extraction.vision_model import VisionModel
    from .hugging_face_parts import answering, blocks

    processor = _fetched(
        place, lambda: _automodel("AutoImageProcessor").from_pretrained(place, trust_remote_code=False)
    )
    preprocess = ProcessorPreprocessing(processor)
    model = VisionModel(module, identifier=identifier, preprocess=preprocess, layers=blocks(module) or None)
    return answering(model)


def _auto(place: str) -> Any:
    """What loads it: an encoder that was saved without its decoder has a class of its own."""
    from transformers import AutoConfig

    config = _fetched(place, lambda: AutoConfig.from_pretrained(place, trust_remote_code=False))
    alone = any(str(kind).endswith("EncoderModel") for kind in config.architectures or ())
    return _automodel("AutoModelForTextEncoding" if alone else "AutoModel")


def _automodel(kind: str) -> Any:
    import transformers

    try:
        return getattr(transformers, kind)
    except (ImportError, RuntimeError) as error:  # a torchvision that does not fit this torch breaks it
        raise missing_extra("torchvision", "timm", why=f"transformers.{kind}") from error


def _fetched(name: str, fetch: Callable[[], Any]) -> Any:
    from ..weights.hugging_face_folder import fetched_by_transformers

    return fetched_by_transformers(name, fetch)
