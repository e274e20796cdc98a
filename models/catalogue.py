"""Which models there are by name, and how their weights come onto this machine."""

import tomllib
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import NotAvailableError, UserError, unknown
from ..files import home
from ..install import KnownFile, install_files, verify_installed

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
    loader : str
        ``module:function`` inside ``brodmann.models``.
    layers : tuple of str
        What is scored by default, in forward order.
    files : tuple of KnownFile
    license, citation, source : str
    """

    identifier: str
    title: str
    modality: str
    kind: str
    loader: str
    layers: tuple[str, ...]
    files: tuple[KnownFile, ...] = ()
    license: str = "MIT"
    citation: str = ""
    source: str = "made by brodmann"


def list_models(pattern: str = "*") -> list[ModelCard]:
    """The catalogue models whose name matches a pattern such as ``"cifar10-*"``."""
    return [card for card in _cards().values() if fnmatchcase(card.identifier, pattern)]


def model_card(name: str) -> ModelCard:
    """What is known of a model.

    Raises
    ------
    UserError
        For an unknown name, with the close matches.
    """
    cards = _cards()
    if name not in cards:
        raise unknown("model", name, cards, hint="list them with: brodmann models list")
    return cards[name]


def is_installed(name: str) -> bool:
    """Whether a model can be loaded at once."""
    return all((folder_of(name) / file.name).is_file() for file in model_card(name).files)


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
    folder = folder_of(name)
    install_files(
        name,
        card.files,
        folder,
        source=None if source is None else Path(source).expanduser(),
        hint=_hint(name),
    )
    return folder


def load_catalogue_model(name: str) -> "Model":
    """A model of the catalogue, its weights verified."""
    card = model_card(name)
    if card.files:
        if not folder_of(name).is_dir():
            raise NotAvailableError(f"the weights of {name!r} are not installed: {_hint(name)}")
        verify_installed(name, card.files, folder_of(name), hint=_hint(name))
    return made_by(card.loader, *([folder_of(name)] if card.files else []))


def made_by(loader: str, *arguments: Path) -> "Model":
    """A model by a loader of this package, ``module:function``, which the model remembers."""
    module, _, function = loader.partition(":")
    model: Model = getattr(import_module(f".{module}", __package__), function)(*arguments)
    model.made_by = (f"models.{module}",)
    return model


def folder_of(name: str) -> Path:
    """Where a model's files lie, or would."""
    return home() / "models" / name


def _hint(name: str) -> str:
    return f"brodmann models add {name} --from FOLDER"


@lru_cache
def _cards() -> dict[str, ModelCard]:
    content = tomllib.loads(Path(__file__).with_name("catalogue.toml").read_text(encoding="utf-8"))
    cards = {}
    for name, entry in content.items():
        files = tuple(KnownFile(**file) for file in entry.pop("files", ()))
        cards[name] = ModelCard(identifier=name, layers=tuple(entry.pop("layers")), files=files, **entry)
    return cards
