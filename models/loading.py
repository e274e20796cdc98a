"""A model by name: from the catalogue, a hub or folder, a package, or one's own file."""

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import nn

from ..errors import NotAvailableError, UserError, missing_extra, unknown
from ..files import digest_of
from .catalogue import list_models, load_catalogue_model, made_by
from .extraction.language_model import LanguageModel
from .extraction.preprocessing import ProcessorPreprocessing
from .extraction.readout import Readout
from .extraction.torch_model import Network
from .extraction.vision_model import VisionModel
from .model import Model


def load_model(name: str, *, readout: Readout | None = None) -> Model:
    """Load a model.

    Parameters
    ----------
    name : str
        One of

        - a name of the catalogue (``brodmann models list``);
        - ``hf:FOLDER`` or ``hf:ORG/NAME``: a Hugging Face model, from a folder or the hub;
        - ``timm:NAME`` or ``torchvision:NAME``: pretrained, where these packages are installed;
        - ``trained:FOLDER``: what ``brodmann train`` wrote;
        - ``weights:FILE``: a ResNet-18 or -50, vision transformer or GPT from its state dict or safetensors;
        - ``tdann:FOLDER``, ``topolm:FOLDER``, ``topoformer:FOLDER``, ``all-tnn:FILE``: a topographic network with
          its positions (docs/sheets.md says which files);
        - ``path/to/file.py:factory``: a function of one's own without arguments that gives a Model. The
          file is run, as any program of one's own.
    readout : Readout, optional
        What is kept of a layer: pooled over space, projected to fewer numbers, in half precision.

    Raises
    ------
    UserError
        For a name that leads nowhere, with the close matches or what to do.
    """
    model = _loaded(name)
    if readout is not None:
        if not isinstance(model, Network):
            raise UserError(f"{name!r} is no network: its layers are neither pooled nor projected")
        model.readout = readout
    return model


def _loaded(name: str) -> Model:
    scheme, colon, rest = name.partition(":")
    if colon and scheme in _SCHEMES:
        if not rest:
            raise UserError(f"{name!r} names no model: write {scheme}:NAME")
        return _SCHEMES[scheme](rest)
    if ".py:" in name or name.endswith(".py"):
        return _from_file(name)
    if colon:
        raise unknown("kind of model", scheme, _SCHEMES, hint=f"use {', '.join(_SCHEMES)} or file.py:factory")
    if name not in {card.identifier for card in list_models()} and Path(name).is_dir():
        raise UserError(f"{name!r} is a folder: for a Hugging Face model write hf:{name}")
    return load_catalogue_model(name)


def _from_file(name: str) -> Model:
    file, _, factory = name.rpartition(":") if ".py:" in name else (name, "", "")
    path = Path(file).expanduser()
    if not factory:
        raise UserError(f"{name!r} names no function: write {name}:FACTORY")
    if not path.is_file():
        raise UserError(f"no file {file}: expected path/to/file.py:factory")
    module = _run(path)
    functions = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
    if factory not in functions:
        raise unknown(f"function of {path.name}", factory, functions)
    try:
        model = getattr(module, factory)()
    except UserError:
        raise
    except Exception as error:  # the user's own code may raise anything
        raise UserError(
            f"{factory}() of {path.name} failed: {type(error).__name__}: {_first_line(error)}"
        ) from error
    if isinstance(model, nn.Module):
        raise UserError(
            f"{factory}() of {path.name} gives a bare torch module: "
            "wrap it in brodmann.models.VisionModel or LanguageModel"
        )
    if not isinstance(model, Model):
        raise UserError(f"{factory}() of {path.name} must give a brodmann Model, not {type(model).__name__}")
    return model


def _run(path: Path) -> ModuleType:
    unique = f"brodmann_user_{digest_of(str(path.resolve()))[:12]}"
    spec = importlib.util.spec_from_file_location(unique, path)
    if spec is None or spec.loader is None:
        raise UserError(f"{path} cannot be read as Python")
    module = importlib.util.module_from_spec(spec)
    sys.modules[unique] = module  # so that classes of the file can be looked up, e.g. for their source
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # the user's own code may raise anything
        del sys.modules[unique]
        raise UserError(
            f"{path} failed when it was run: {type(error).__name__}: {_first_line(error)}"
        ) from error
    return module


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or ["no message"])[0][:200]


def _hugging_face(name: str) -> Model:
    from transformers import AutoConfig, AutoTokenizer
    from transformers.utils import logging

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


def _hugging_face_vision(place: str, identifier: str) -> Model:
    processor = _fetched(
        place, lambda: _automodel("AutoImageProcessor").from_pretrained(place, trust_remote_code=False)
    )
    module = _pretrained(place, place)
    preprocess = ProcessorPreprocessing(processor)
    return VisionModel(module, identifier=identifier, preprocess=preprocess, layers=_blocks(module) or None)


def _pretrained(name: str, place: str) -> nn.Module:
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
    try:
        return fetch()
    except (OSError, ValueError, KeyError, ImportError, RuntimeError) as error:
        raise NotAvailableError(
            f"hf:{name} cannot be loaded ({_first_line(error)}); give the folder of a downloaded model: hf:FOLDER"
        ) from error


def _blocks(module: nn.Module) -> list[str]:
    """The blocks of a transformer: the longest list of modules of one kind, and the embedding before it."""
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


def _timm(name: str) -> Model:
    try:
        import timm
        from timm.data import create_transform, resolve_model_data_config
    except (ImportError, RuntimeError) as error:
        raise missing_extra("timm", "timm", why=f"timm:{name}") from error
    if name not in timm.list_models():
        raise unknown("timm model", name, timm.list_models(f"*{name.split('_')[0]}*") or timm.list_models())
    module = _fetched(name, lambda: timm.create_model(name, pretrained=True))
    transform = create_transform(**resolve_model_data_config(module), is_training=False)
    return VisionModel(module, identifier=f"timm:{name}", preprocess=transform)


def _torchvision(name: str) -> Model:
    try:
        import torchvision
    except (ImportError, RuntimeError) as error:
        raise missing_extra("torchvision", "timm", why=f"torchvision:{name}") from error
    known = torchvision.models.list_models()
    if name not in known:
        raise unknown("torchvision model", name, known)
    weights = torchvision.models.get_model_weights(name).DEFAULT
    module = _fetched(name, lambda: torchvision.models.get_model(name, weights=weights))
    return VisionModel(module, identifier=f"torchvision:{name}", preprocess=weights.transforms())


def _family(loader: str) -> Callable[[str], Model]:
    """A loader that is imported when it is asked for: ``module:function``, which takes a path."""
    return lambda path: made_by(loader, Path(path).expanduser())


_SCHEMES: dict[str, Callable[[str], Model]] = {
    "hf": _hugging_face,
    "timm": _timm,
    "torchvision": _torchvision,
    "trained": _family("training.load:load_trained"),
    "weights": _family("zoo.toponets:load_weights"),
    "tdann": _family("zoo.tdann:load_tdann"),
    "topolm": _family("zoo.topolm:load_topolm"),
    "topoformer": _family("zoo.topoformer:load_topoformer"),
    "all-tnn": _family("zoo.all_tnn:load_all_tnn"),
}
