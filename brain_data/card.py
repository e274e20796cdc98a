"""The card of a data set, without loading it, and the registry of the data sets that there are."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, TypeVar

from ..errors import UserError
from ..install import KnownFile as KnownFile
from ..registry import Registry

if TYPE_CHECKING:
    from .dataset import Dataset, Modality
    from .read_options import ReadOptions


_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


def check_name(name: str) -> None:
    """Raise a UserError for what cannot name a data set of one's own."""
    if not _NAME.fullmatch(name):
        raise UserError(f"{name!r} cannot name a data set: use letters, digits, '-' and '_'")


@dataclass(frozen=True)
class DatasetCard:
    """What a data set is, without loading it.

    Attributes
    ----------
    identifier, title : str
    modality : {"vision", "language"}
    species, technique : str
    regions : tuple of str
    n_subjects, n_stimuli : int or None
        None where the source does not state it.
    license : str
    access : str
        What has to be agreed to, and where, before one may have the files; empty where nothing has.
    bibtex : str
        The BibTeX entries of everything to cite.
    source : str
        Where the files come from.
    units : str
        What a response value is.
    simulated : bool
        True for data that a program made.
    blocks : str
        As in :class:`Dataset`.
    own : bool
        True for a data set that a person installed from a folder of their own.
    files : tuple of KnownFile
        What is installed.
    published_ceilings : mapping of str to mapping
        Region -> ``value`` (units of r) and ``source``.
    options : mapping
        What only the loader needs.
    """

    identifier: str
    title: str
    modality: "Modality"
    species: str = ""
    technique: str = ""
    regions: tuple[str, ...] = ()
    n_subjects: int | None = None
    n_stimuli: int | None = None
    license: str = ""
    access: str = ""
    bibtex: str = ""
    source: str = ""
    units: str = ""
    simulated: bool = False
    blocks: str = ""
    own: bool = False
    files: tuple[KnownFile, ...] = ()
    published_ceilings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)

    def about(self) -> dict[str, Any]:
        """The arguments of a :class:`Dataset` that come from the card."""
        from .dataset import Published

        names = ("identifier", "modality", "simulated", "license", "bibtex", "source", "units", "blocks")
        return {name: getattr(self, name) for name in names} | {
            "published_ceilings": {
                region: Published(float(entry["value"]), str(entry["source"]))
                for region, entry in self.published_ceilings.items()
            },
        }


Fetch = Callable[[Path, Path | None, "ReadOptions | None"], object]
"""``fetch(target, source, options)``: fills `target` from a folder, or from the network where that is None."""


@dataclass(frozen=True)
class DatasetEntry:
    """A data set of the registry.

    Attributes
    ----------
    card : DatasetCard
    load : callable
        ``load(card, folder)`` makes the :class:`Dataset` of the installed files.
    fetch : callable or None
        ``fetch(target, source, options)`` fills the folder where there is no list of files.
    """

    card: DatasetCard
    load: Callable[[DatasetCard, Path], "Dataset"]
    fetch: Fetch | None = None


DATASETS: Registry[DatasetEntry] = Registry(
    "data set",
    f"{__package__}.datasets",
    "brodmann.datasets",
    hint="list them with: brodmann data list",
)
Loader = TypeVar("Loader", bound=Callable[..., "Dataset"])


def dataset(card: DatasetCard, *, fetch: Fetch | None = None) -> Callable[[Loader], Loader]:
    """A decorator that registers the function which loads a data set.

    A module that registers is imported by every listing: it imports numpy and the like inside its functions.

    Parameters
    ----------
    card : DatasetCard
    fetch : callable, optional
        What fills the folder of a data set without a list of files: ``fetch(target, source, options)``.
    """

    def add(load: Loader) -> Loader:
        DATASETS.register(card.identifier, DatasetEntry(card, load, fetch), load.__module__)
        return load

    return add


def files_beside(module: str, url: str) -> tuple[KnownFile, ...]:
    """The files that ``NAME.sha256`` lists beside ``NAME.py``, as ``sha256sum`` writes it; ``#`` begins a comment.

    Parameters
    ----------
    module : str
        The module's ``__file__``.
    url : str
        Their address, with ``{name}`` or ``{basename}`` in it.
    """
    lines = Path(module).with_suffix(".sha256").read_text(encoding="utf-8").splitlines()
    listed = [line.split("  ", 1) for line in lines if not line.startswith("#")]
    return tuple(
        KnownFile(name, digest, url.format(name=name, basename=PurePosixPath(name).name))
        for digest, name in listed
    )
