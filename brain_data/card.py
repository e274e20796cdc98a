"""The card of a data set, without loading it, and the bibliography that it cites."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..install import KnownFile

if TYPE_CHECKING:
    from .dataset import Modality

_HERE = Path(__file__).parent


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
    citation : tuple of str
        Keys of the bibliography.
    source : str
        Where the files come from.
    units : str
        What a response value is.
    simulated : bool
        True for data that a program made.
    own : bool
        True for a data set that a person installed from a folder of their own.
    loader : str
        ``module:function`` in this folder.
    fetch : str
        ``module:function`` that fills the folder where there is no list of files.
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
    citation: tuple[str, ...] = ()
    source: str = ""
    units: str = ""
    simulated: bool = False
    own: bool = False
    loader: str = ""
    fetch: str = ""
    files: tuple[KnownFile, ...] = ()
    published_ceilings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def bibtex(self) -> str:
        """The BibTeX entries of everything to cite."""
        entries = _bibliography()
        return "\n\n".join(entries[key] for key in self.citation)

    def about(self) -> dict[str, Any]:
        """The arguments of a :class:`Dataset` that come from the catalogue."""
        from .dataset import Published

        return {
            "identifier": self.identifier,
            "modality": self.modality,
            "simulated": self.simulated,
            "license": self.license,
            "bibtex": self.bibtex,
            "source": self.source,
            "units": self.units,
            "published_ceilings": {
                region: Published(float(entry["value"]), str(entry["source"]))
                for region, entry in self.published_ceilings.items()
            },
        }


@lru_cache(maxsize=1)
def _bibliography() -> dict[str, str]:
    entries = {}
    for path in sorted(_HERE.glob("*.bib")):
        for entry in re.split(r"\n(?=@)", path.read_text(encoding="utf-8")):
            if key := re.match(r"@\w+\{([^,\s]+),", entry):
                entries[key[1]] = entry.strip()
    return entries
