"""The files of a language model's plugin: a causal transformer that Brain-Score's own wrapper reads."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from ... import __version__
from ...errors import UserError
from ...models.extraction.language_model import LanguageModel
from ...models.extraction.layer_names import layer_name
from .check.measuring import SENTENCES
from .packing import Content, filled, literal

_BUNDLED = "weights"
_TOKENIZER = (
    "tokenizer.json", "tokenizer_config.json", "tokenizer.model", "vocab.json", "vocab.txt", "merges.txt",
    "special_tokens_map.json", "added_tokens.json", "generation_config.json", "config.json",
)  # fmt: skip


@dataclass(frozen=True)
class CausalSource:
    """Where Brain-Score's wrapper finds a causal transformer.

    Attributes
    ----------
    place : str
        The expression of its ``model_id``.
    prefix : str
        What stands before a layer's name in the network with its language head.
    files : mapping
        What is taken along.
    hub : str or None
        Its name on the hub, where nothing is taken along.
    notes : tuple of str
    """

    place: str
    prefix: str
    files: Content
    hub: str | None = None
    notes: tuple[str, ...] = ()


def causal_source(model: LanguageModel) -> CausalSource:
    """Where a causal Hugging Face model comes from.

    Raises
    ------
    UserError
        For any other language model, because Brain-Score's wrapper reads no other.
    """
    if model.lesions:
        raise UserError(
            f"{model.identifier!r} has lesions, which a plugin cannot carry: export the whole network"
        )
    if model.pooling != "last":
        raise UserError(
            f"{model.identifier!r} averages over a text's tokens, but Brain-Score's HuggingfaceSubject reads the last "
            "token of a causal model: its numbers would differ. Export a causal hf:ORG/NAME or hf:FOLDER"
        )
    module: Any = model.module
    place = getattr(getattr(module, "config", None), "name_or_path", "")
    if not place:
        raise UserError(
            f"{model.identifier!r} is no Hugging Face model, and Brain-Score's HuggingfaceSubject reads no other: save "
            "it with save_pretrained and export hf:FOLDER"
        )
    prefix = "" if _has_head(module, place) else f"{module.base_model_prefix}."
    if not Path(place).is_dir():
        note = f"the weights are not in the plugin: Brain-Score downloads {place} from the hub"
        return CausalSource(literal(place), prefix, {}, place, (note,))
    return CausalSource(f'str(HERE / "{_BUNDLED}")', prefix, _files(Path(place), model.identifier))


def _has_head(module: Any, place: str) -> bool:
    """Whether this network has its language head, or is found below a prefix in the one that does."""
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES as KNOWN

    if module.config.model_type not in KNOWN:
        raise UserError(
            f"{place} is a {type(module).__name__}, for which transformers has no language head, and Brain-Score reads "
            "causal models alone: export GPT-, Llama- or Pythia-like models"
        )
    return type(module).__name__ == KNOWN[module.config.model_type]


def _files(folder: Path, identifier: str) -> dict[str, "str | bytes | Path"]:
    weights = sorted(folder.glob("*.safetensors")) + sorted(folder.glob("*.safetensors.index.json"))
    if not weights:
        raise UserError(
            f"{folder} holds no .safetensors, so {identifier!r} cannot be taken along: save it with them"
        )
    found = [*(folder / name for name in _TOKENIZER), *weights]
    return {f"{_BUNDLED}/{path.name}": path for path in found if path.is_file()}


def check_layer(module: nn.Module, layer: str, identifier: str) -> None:
    """Raise a UserError for a layer whose name has no place in the network that Brain-Score loads."""
    modules = dict(module.named_modules())
    whole = layer_name(layer, modules).module
    if layer not in modules and whole in modules:
        raise UserError(
            f"{layer!r} of {identifier!r} is a part of what {whole!r} gives, and Brain-Score reads its last call and "
            f"first tensor alone: score {whole!r}, then export"
        )
    if layer not in modules:
        raise UserError(f"{identifier!r} has no layer {layer!r}: score it again, then export")


def language_content(
    source: CausalSource, identifier: str, layer: str, bibtex: str, sentences: Sequence[str] = SENTENCES
) -> dict[str, "str | bytes | Path"]:
    """Path inside the plugin -> content, without the numbers of its test.

    Parameters
    ----------
    source : CausalSource
    identifier : str
        The plugin's.
    layer : str
        As the network with its language head names it.
    bibtex : str
    sentences : sequence of str
        Of the plugin's own test.
    """
    code = filled(
        "language_model",
        IDENTIFIER_PLAIN=identifier,
        IDENTIFIER=literal(identifier),
        VERSION=__version__,
        MODEL_ID=source.place,
        LAYER=literal(layer),
        BIBTEX=literal(bibtex),
    )
    test = filled("language_test", IDENTIFIER=literal(identifier), SENTENCES=literal(list(sentences)))
    return {
        **source.files,
        "__init__.py": filled("model_init", DOMAIN="language", IDENTIFIER_PLAIN=identifier),
        "model.py": code,
        "test.py": test,
        "requirements.txt": "numpy\nsafetensors\ntorch\ntransformers\n",
    }
