"""What a page of units and features holds: plain tables and lists, from which it is written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

Of = Literal["unit", "feature"]
Kind = Literal["number", "category", "text"]
OF: tuple[Of, ...] = ("unit", "feature")
PER_SHARD = 64
"""Units or features whose pages stand in one file."""
_PLAIN = {int, str, bool, type(None)}


@dataclass(frozen=True)
class Column:
    """One thing that is said of every unit, or of every feature: a colour of the sheet and a column of the table.

    Attributes
    ----------
    name : str
        In links: letters, digits, dots.
    title : str
        As a reader sees it.
    values : sequence
        One a unit or feature: a number or None, the number of a category (-1 for none), or a text.
    group : str
        What it stands with in menus: ``place``, ``activity``, ``probes``, ``brain`` ...
    kind : {"number", "category", "text"}
    diverging : bool
        Whether 0 is the middle of its colours.
    unit : str
    sentence : str
        What it is, with its equation where it has one.
    categories : sequence of str
    beside : sequence of mapping
        Its controls: ``{"kind": ..., "value": ...}``.
    """

    name: str
    title: str
    values: Sequence[Any]
    group: str
    kind: Kind = "number"
    diverging: bool = False
    unit: str = ""
    sentence: str = ""
    categories: Sequence[str] = ()
    beside: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True)
class Section:
    """What one section adds to a site.

    Attributes
    ----------
    name : str
        Of the block of a unit's or feature's page, and of the page of the whole site.
    columns : mapping of {"unit", "feature"} to list of Column
    entries : mapping of {"unit", "feature"} to list
        One for each, in their order; None where there is nothing to say.
    whole : object
        What is said of the layer as a whole.
    controls : list of mapping
        Rows of a table that stand beside every number of the section.
    left_out : list of str
        What is missing, and why.
    """

    name: str
    columns: Mapping[Of, Sequence[Column]] = field(default_factory=dict)
    entries: Mapping[Of, Sequence[Any]] = field(default_factory=dict)
    whole: Any = None
    controls: Sequence[Mapping[str, Any]] = ()
    left_out: Sequence[str] = ()


@dataclass(frozen=True)
class Site:
    """A layer of a network with one dictionary, as the page shows it.

    Attributes
    ----------
    key : str
        In links: letters, digits, dots, dashes.
    title : str
    facts : mapping
        model, layer, modality, digests, seeds, numbers of rows and documents, the dictionary's own facts.
    n : mapping of {"unit", "feature"} to int
    sheet : mapping or None
        x, y of every unit; unit, shape, layout.
    material : str
        The key of the material that its examples are of.
    sections : sequence of Section
    left_out : sequence of str
    """

    key: str
    title: str
    facts: Mapping[str, Any]
    n: Mapping[Of, int]
    sheet: Mapping[str, Any] | None
    material: str
    sections: Sequence[Section]
    left_out: Sequence[str] = ()

    def index(self) -> dict[str, Any]:
        """What is needed before any unit or feature is opened."""
        return {
            "key": self.key,
            "title": self.title,
            "facts": dict(self.facts),
            "n": {of: self.n.get(of, 0) for of in OF},
            "sheet": self.sheet,
            "material": self.material,
            "columns": {
                of: [vars(column) for one in self.sections for column in one.columns.get(of, ())] for of in OF
            },
            "sections": {of: [one.name for one in self.sections if one.entries.get(of)] for of in OF}
            | {"whole": [one.name for one in self.sections if one.whole is not None]},
            "controls": {one.name: list(one.controls) for one in self.sections if one.controls},
            "left_out": [*self.left_out, *(why for one in self.sections for why in one.left_out)],
        }

    def shards(self) -> dict[str, Any]:
        """All else, by name: the entries of 64 units or features, and what is said of the layer as a whole."""
        found: dict[str, Any] = {}
        for of in OF:
            each = {one.name: one.entries[of] for one in self.sections if one.entries.get(of)}
            for start in range(0, self.n.get(of, 0), PER_SHARD):
                rows = range(start, min(start + PER_SHARD, self.n[of]))
                found[f"{self.key}/{of}/{start // PER_SHARD}"] = [
                    {name: entries[i] for name, entries in each.items() if entries[i] is not None}
                    for i in rows
                ]
        for one in self.sections:
            if one.whole is not None:
                found[f"{self.key}/{one.name}"] = one.whole
        return found | {f"{self.key}/search": {of: self._texts(of) for of in OF}}

    def _texts(self, of: Of) -> list[str]:
        """What a search looks through: a line of the description, a line of words, labels and promoted tokens."""
        entries = {one.name: one.entries.get(of) or () for one in self.sections}
        descriptions, tokens = entries.get("description", ()), entries.get("tokens", ())
        return [
            searched(descriptions[i] if descriptions else None, tokens[i] if tokens else None)
            for i in range(self.n.get(of, 0))
        ]


@dataclass(frozen=True)
class Material:
    """Texts or pictures that examples point into.

    Attributes
    ----------
    key : str
    kind : {"text", "picture"}
    facts : mapping
        name, licence, how many.
    content : mapping
        Texts: ``vocabulary``, ``tokens`` (numbers of its entries), ``windows`` (first places), ``documents`` (first
        places). Pictures: ``size``, ``labels``, ``columns``, ``atlas`` (data URIs of rows of pictures).
    """

    key: str
    kind: Literal["text", "picture"]
    facts: Mapping[str, Any]
    content: Mapping[str, Any]


@dataclass(frozen=True)
class Page:
    """All that is written.

    Attributes
    ----------
    title : str
    sites : sequence of Site
    materials : sequence of Material
    made : mapping
        Command, seed, versions.
    notes : sequence of str
        Shown at the foot, such as whose texts these are.
    """

    title: str
    sites: Sequence[Site]
    materials: Sequence[Material]
    made: Mapping[str, Any]
    notes: Sequence[str] = ()

    def shards(self) -> dict[str, Any]:
        """Everything by name; ``index`` is what the page opens with."""
        materials = [{"key": one.key, "kind": one.kind, "facts": dict(one.facts)} for one in self.materials]
        index = {
            "format": 1,
            "title": self.title,
            "per_shard": PER_SHARD,
            "made": dict(self.made),
            "notes": list(self.notes),
            "materials": materials,
            "sites": [one.index() for one in self.sites],
        }
        rest = [one.shards() for one in self.sites]
        found: dict[str, Any] = {"index": index}
        for one in rest:
            found |= one
        return found | {f"material/{one.key}": one.content for one in self.materials}


def searched(description: Mapping[str, Any] | None, tokens: Mapping[str, Any] | None) -> str:
    """The text that a search looks through: the description, an end of line, and all words beside it, each once.

    Parameters
    ----------
    description, tokens : mapping or None
        The entries of these sections.
    """
    said, written = description or {}, tokens or {}
    words = [one.get("text") for one in said.get("others", ())]
    words += [key[0] for key in (*said.get("keys", ()), *written.get("promoted", ()))]
    plainly = dict.fromkeys(" ".join(str(one).split()) for one in words if one)
    return f"{' '.join(str(said.get('text') or '').split())}\n{' '.join(plainly)}"


def plain(value: Any, digits: int = 4) -> Any:
    """Anything as JSON has it: arrays as lists, numbers with so many digits, None for what is not finite.

    Parameters
    ----------
    value : object
    digits : int
        Significant ones.
    """
    if type(value) in _PLAIN or (type(value) is list and _PLAIN.issuperset(map(type, value))):
        return value
    if type(value) is dict:
        return {str(key): plain(one, digits) for key, one in value.items()}
    if type(value) is list:
        return [plain(one, digits) for one in value]
    if isinstance(value, str):
        return str(value)
    if isinstance(value, (int, np.integer)):
        return int(value)
    if isinstance(value, (float, np.floating)):
        if not np.isfinite(value):
            return None
        short = float(f"{value:.{digits}g}")
        return int(short) if short.is_integer() and abs(short) < 1e6 else short
    if isinstance(value, np.bool_):
        return bool(value)
    if isinstance(value, Mapping):
        return {str(key): plain(one, digits) for key, one in value.items()}
    if isinstance(value, np.ndarray):
        whole = value.dtype.kind in "iub"
        return value.tolist() if whole else [plain(one, digits) for one in value.tolist()]
    if isinstance(value, (Sequence, set)):
        return [plain(one, digits) for one in value]
    return str(value)
