"""A model by name: from the catalogue, by a scheme such as a hub's, or from one's own file."""

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from ..errors import UserError, first_line, unknown
from ..files import digest_of
from ..registry import Registry
from .catalogue import MODELS, SCHEMES, load_catalogue_model, model_card
from .model import Model

if TYPE_CHECKING:
    from .extraction.readout import Readout


def load_model(name: str, *, readout: "Readout | None" = None) -> Model:
    """Load a model.

    Parameters
    ----------
    name : str
        One of

        - a name of the catalogue (``brodmann models list``);
        - ``hf:FOLDER`` or ``hf:ORG/NAME``: a Hugging Face model, from a folder or the hub, run in float32; behind it
          ``#vision`` or ``#text`` for a tower of one that has two, and ``@bfloat16``, ``@float16``, ``@float64`` or
          ``@stored`` for another precision;
        - ``timm:NAME`` or ``torchvision:NAME``: pretrained, where these packages are installed;
        - ``trained:FOLDER``: what ``brodmann train`` wrote;
        - ``weights:FILE``: a network of a known architecture (docs/sheets.md) from its state dict or safetensors;
        - ``tdann:FOLDER``, ``topolm:FOLDER``, ``topoformer:FOLDER``, ``all-tnn:FILE``: a topographic network with
          its positions (docs/sheets.md says which files);
        - ``untrained:MODEL`` or ``untrained:MODEL@SEED``: any network of these with weights drawn anew;
        - ``static:MODEL``: the input embedding of a language network of these, mean over a text's tokens;
        - any other ``SCHEME:ARGUMENT`` that an installed package adds;
        - ``path/to/file.py:factory``: a function of one's own without arguments that gives a Model. The
          file is run, as any program of one's own.
    readout : Readout, optional
        What is kept of a layer: pooled over space, projected to fewer numbers, in half precision.

    Raises
    ------
    UserError
        For a name that leads nowhere, with the close matches or what to do.
    """
    check_name(name)
    model = _loaded(name)
    if readout is None:
        return model
    from .extraction.torch_model import Network

    if not isinstance(model, Network):
        raise UserError(f"{name!r} is no network: its layers are neither pooled nor projected")
    return model.with_readout(readout)


def load_view(
    name: str,
    *,
    pool: str = "none",
    project: int | None = None,
    seed: int = 0,
    half: bool = False,
    passes: int = 1,
    text: str | None = None,
    batch_size: int | None = None,
) -> Model:
    """Load a model that is read in another manner than its own.

    Parameters
    ----------
    name : str
        As :func:`load_model` takes it.
    pool, project, seed, half, passes
        Of its :class:`~brodmann.models.Readout`.
    text : str, optional
        How a text becomes one vector: ``last``, ``mean`` or ``word-end``.
    batch_size : int, optional
        Stimuli a forward pass.

    Raises
    ------
    UserError
        For a model that cannot be read so.
    """
    if (pool, project, half, passes) == ("none", None, False, 1):
        model = load_model(name)
    else:
        from .extraction.readout import Readout

        readout = Readout(pool, project, seed, half, passes)  # type: ignore[arg-type]  # it refuses other words
        model = load_model(name, readout=readout)
    if text is not None:
        from .extraction.language_model import LanguageModel

        if not isinstance(model, LanguageModel):
            raise UserError(f"--text {text}: {name!r} is no network that reads text")
        model = model.replaced(pooling=text)
    if batch_size is not None:
        from .extraction.torch_model import Network

        if not isinstance(model, Network):
            raise UserError(f"--batch-size {batch_size}: {name!r} is no network, which has none")
        model = model.replaced(batch_size=batch_size)
    return model


def check_name(name: str) -> None:
    """Raise the UserError of a name that leads nowhere, before anything heavy is imported.

    Parameters
    ----------
    name : str
        As :func:`load_model` takes it.
    """
    scheme, colon, rest = name.partition(":")
    if _is_own_file(name):
        _file_and_factory(name)
    elif colon:
        if SCHEMES[scheme] and not rest:
            raise UserError(f"{name!r} names no model: write {scheme}:NAME")
    elif name not in MODELS and Path(name).is_dir():
        raise UserError(f"{name!r} is a folder: for a Hugging Face model write hf:{name}")
    else:
        model_card(name)


def _loaded(name: str) -> Model:
    scheme, colon, rest = name.partition(":")
    if _is_own_file(name):
        return _from_file(name)
    if colon:
        return _made_by(SCHEMES, scheme, name, lambda: SCHEMES[scheme].load(rest))
    return _made_by(MODELS, name, name, lambda: load_catalogue_model(name))


def _is_own_file(name: str) -> bool:
    return name.partition(":")[0] not in SCHEMES and (".py:" in name or name.endswith(".py"))


def _made_by(registry: Registry[Any], key: str, name: str, make: Callable[[], Model]) -> Model:
    """The model, which remembers the module of this package that built it."""
    origin = registry.origin(key)
    package, _, module = origin.partition(".")
    if package == __package__.partition(".")[0]:
        model = make()
        return model.replaced(made_by=(*model.made_by, module))
    return _made_elsewhere(make, f"the model {name!r} of {origin}")


def _made_elsewhere(make: Callable[[], object], what: str) -> Model:
    """What code from outside this package gives, which may be anything and may fail."""
    try:
        model = make()
    except UserError:
        raise
    except (Exception, SystemExit) as error:  # a script's sys.exit() must not end its caller without a word
        raise UserError(f"{what} failed: {type(error).__name__}: {first_line(error)}") from error
    if isinstance(model, Model):
        return model
    from torch import nn

    if isinstance(model, nn.Module):
        wrap = "wrap it in brodmann.models.VisionModel or LanguageModel"
        raise UserError(f"{what} gives a bare torch module: {wrap}")
    raise UserError(f"{what} must give a brodmann Model, not {type(model).__name__}")


def _from_file(name: str) -> Model:
    path, factory = _file_and_factory(name)
    module = _run(path)
    functions = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
    if factory not in functions:
        raise unknown(f"function of {path.name}", factory, functions)
    return _made_elsewhere(getattr(module, factory), f"{factory}() of {path.name}")


def _run(path: Path) -> ModuleType:
    unique = f"brodmann_user_{digest_of(str(path.resolve()))[:12]}"
    spec = importlib.util.spec_from_file_location(unique, path)
    if spec is None or spec.loader is None:
        raise UserError(f"{path} cannot be read as Python")
    module = importlib.util.module_from_spec(spec)
    sys.modules[unique] = module  # so that classes of the file can be looked up, e.g. for their source
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # the user's own code may raise anything
        del sys.modules[unique]
        raise UserError(
            f"{path} failed when it was run: {type(error).__name__}: {first_line(error)}"
        ) from error
    return module


def _file_and_factory(name: str) -> tuple[Path, str]:
    file, _, factory = name.rpartition(":") if ".py:" in name else (name, "", "")
    path = Path(file).expanduser()
    if not factory:
        raise UserError(f"{name!r} names no function: write {name}:FACTORY")
    if not path.is_file():
        raise UserError(f"no file {file}: expected path/to/file.py:factory")
    return path, factory
