"""Which models there are by name, and how their weights come onto this machine."""

from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ..errors import NotAvailableError, UserError, first_line
from ..files import home
from ..install import KnownFile, install_files, verify_installed
from ..places import read_whole, restore
from ..registry import Registry

if TYPE_CHECKING:
    from .model import Model


@dataclass(frozen=True)
class ModelCard:
    """What is known of a model without loading it.

    Attributes
    ----------
    identifier, title : str
    modality : str
        ``vision`` or ``language``.
    kind : str
        ``network`` (trained, has files), ``twin`` (trained, comes with brodmann), ``baseline`` or ``simulated``.
    layers : tuple of str
        What is scored by default, in forward order.
    files : tuple of KnownFile
        Verified when they are installed and again when they are read.
    license, source : str
    bibtex : str
        One entry.
    """

    identifier: str
    title: str
    modality: str
    kind: str
    layers: tuple[str, ...]
    files: tuple[KnownFile, ...] = ()
    license: str = "MIT"
    source: str = "made by brodmann"
    bibtex: str = ""

    @property
    def folder(self) -> Path:
        """Where its files lie, or would."""
        return home() / "models" / self.identifier

    @property
    def installed(self) -> bool:
        """Whether it can be loaded at once."""
        restore(self.folder)
        return all((self.folder / file.name).is_file() for file in self.files)


@dataclass(frozen=True)
class KnownModel:
    """A model of the catalogue: its card, and what makes it of the card once its files are there."""

    card: ModelCard
    load: "Callable[[ModelCard], Model]"


@dataclass(frozen=True)
class Scheme:
    """A kind of model that is named ``scheme:ARGUMENT``: what it takes, and what makes the model of it.

    Attributes
    ----------
    argument : str
        For people: ``NAME``.
    load : callable
    names : callable or None
        What there is behind the colon that matches a pattern; None where that cannot be listed.
    """

    argument: str
    load: "Callable[[str], Model]"
    names: Callable[[str], list[str]] | None = None


MODELS: Registry[KnownModel] = Registry(
    "model", f"{__package__}.zoo", "brodmann.models", hint="list them with: brodmann models list"
)
SCHEMES: Registry[Scheme] = Registry(
    "kind of model", MODELS.folder, MODELS.group, hint="list them with: brodmann models list"
)
Loads = TypeVar("Loads", bound="Callable[[ModelCard], Model]")
FromName = TypeVar("FromName", bound="Callable[[str], Model]")
FromPath = TypeVar("FromPath", bound="Callable[[Path], Model]")


def loads(*cards: ModelCard) -> Callable[[Loads], Loads]:
    """A decorator for the function that makes models of their cards."""

    def add(function: Loads) -> Loads:
        for card in cards:
            MODELS.register(card.identifier, KnownModel(card, function), function.__module__)
        return function

    return add


def scheme(
    name: str, argument: str, *, names: Callable[[str], list[str]] | None = None
) -> Callable[[FromName], FromName]:
    """A decorator for the function that makes a model of what stands behind ``name:``.

    Parameters
    ----------
    name, argument, names
        See :class:`Scheme`.
    """
    return SCHEMES.registering(name, lambda function: Scheme(argument, function, names))  # type: ignore[arg-type]


def path_scheme(name: str, argument: str) -> Callable[[FromPath], FromPath]:
    """The same for a function of a path, ``FOLDER`` or ``FILE``."""

    def add(function: FromPath) -> FromPath:
        load = Scheme(argument, lambda text: function(Path(text).expanduser()))
        SCHEMES.register(name, load, function.__module__)
        return function

    return add


def list_models(pattern: str = "*") -> list[ModelCard]:
    """The catalogue models whose name matches a pattern such as ``"cifar10-*"``."""
    return [model.card for name, model in MODELS.items() if fnmatchcase(name, pattern)]


def model_card(name: str) -> ModelCard:
    """What is known of a model.

    Raises
    ------
    UserError
        For an unknown name, with the close matches.
    """
    return MODELS[name].card


def is_installed(name: str) -> bool:
    """Whether a model can be loaded at once."""
    return model_card(name).installed


def add_model(name: str, source: str | Path | None = None) -> Path:
    """Verify a model's files and install them.

    Parameters
    ----------
    name : str
        A name of the catalogue.
    source : path, optional
        The folder that holds the files; without it they are downloaded.

    Returns
    -------
    Path
        Where they lie now.
    """
    card = model_card(name)
    if not card.files:
        raise UserError(f"{name!r} needs no files: score it right away")
    where = None if source is None else Path(source).expanduser()
    install_files(name, card.files, card.folder, source=where, hint=_hint(name))
    return card.folder


def load_catalogue_model(name: str) -> "Model":
    """A model of the catalogue, its weights verified."""
    model = MODELS[name]
    return read_whole(model.card.folder, lambda: _loaded(name, model))


def _loaded(name: str, model: KnownModel) -> "Model":
    if model.card.files:
        if not model.card.folder.is_dir():
            raise NotAvailableError(f"the weights of {name!r} are not installed: {_hint(name)}")
        verify_installed(name, model.card.files, model.card.folder, hint=_hint(name))
    return model.load(model.card)


def fetched(what: str, fetch: Callable[[], Any], *, hint: str = "") -> Any:
    """What a hub's package brings; where it cannot, one line says so.

    Parameters
    ----------
    what : str
        For the message.
    fetch : callable
    hint : str
        What to do then.
    """
    try:
        return fetch()
    except (OSError, ValueError, KeyError, ImportError, RuntimeError) as error:
        raise NotAvailableError(f"{what} cannot be loaded ({first_line(error)}){hint}") from error


def _hint(name: str) -> str:
    return f"brodmann models add {name} --from FOLDER"
