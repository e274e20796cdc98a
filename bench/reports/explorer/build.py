"""From layers that are looked at to the page: every section of every layer, with progress, kept as it goes."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ....errors import UserError, first_line
from ....files import digest_of, read_json, sha256_file, write_json
from ....memory import require
from ....progress import track
from .content import OF, Column, Material, Page, Section, Site, plain
from .looked import Asked, Looked, bytes_needed
from .materials import materials_of
from .sections.brain import brain
from .sections.description import description
from .sections.effects import effects
from .sections.examples import examples
from .sections.histogram import histogram
from .sections.lens import lens
from .sections.neighbours import neighbours
from .sections.place import place
from .sections.probes import probes
from .sections.tokens import tokens
from .sections.topics import topics
from .sections.twins import twins
from .sections.views import views

Make = Callable[[Looked, Asked], Section]
SECTIONS: dict[str, Make] = {
    one.__name__: one
    for one in (
        views, examples, histogram, tokens, description, place, neighbours, twins, brain, probes, lens, effects, topics,
    )
}  # fmt: skip
"""By name, in the order in which they are made."""
_DIGITS = {"place": 2, "neighbours": 2, "tokens": 2, "effects": 2}
"""Significant ones of long lists that are read at a glance; they are most of a page's size."""
_NOT_ALL = ("others", "describer", "labels")
"""What is asked that does not decide what every section says."""


def build(
    layers: Sequence[Looked],
    asked: Asked,
    *,
    title: str,
    made: Mapping[str, Any],
    licence: str = "",
    notes: Sequence[str] = (),
    kept: Path | None = None,
    left_out: Sequence[str] = (),
) -> Page:
    """The page of some layers.

    Parameters
    ----------
    layers : sequence of Looked
        Their `material` is set here.
    asked : Asked
        Its `others` is set here.
    title : str
    made : mapping
        Command, seed, versions.
    licence : str
        Of the texts or pictures, as the page says it.
    notes : sequence of str
    kept : Path, optional
        A folder that keeps sections that are made, so that a page that was stopped goes on.
    left_out : sequence of str
        Sections that are not wanted.

    Raises
    ------
    UserError
        For an unknown section; where memory would not hold the rows.
    """
    check_sections(left_out)
    require(
        bytes_needed(layers), f"a page of {len(layers)} layers", remedy="look at fewer rows (--most-rows)"
    )
    for one in layers:
        # what cannot be read at all is no section that is left out
        _ = one.inside.read if one.dictionary is None else one.features
    asked = replace(asked, others=layers)
    wanted = [name for name in SECTIONS if name not in left_out]
    work = [(one, name) for one in layers for name in wanted]
    found: dict[str, list[Section]] = {one.key: [] for one in layers}
    for one, name in track(work, "sections"):
        found[one.key].append(_section(one, name, asked, kept))
    materials, of_site = materials_of(layers, found, licence)
    materials = [_named(one, layers, of_site) for one in materials]
    sites = [_site(replace(one, material=of_site[one.key]), found[one.key]) for one in layers]
    return Page(title, sites, materials, made, [*notes, *map(_notice, materials)])


def check_sections(names: Sequence[str]) -> None:
    """A UserError for a name that no section has.

    Parameters
    ----------
    names : sequence of str
    """
    unknown = sorted(set(names) - set(SECTIONS))
    if unknown:
        raise UserError(f"there is no section {unknown[0]!r}: {', '.join(SECTIONS)}")


def _section(looked: Looked, name: str, asked: Asked, kept: Path | None) -> Section:
    # a describer's program may be another one by now
    anew = name == "description" and asked.describer
    path = None if anew or kept is None else kept / f"{_digest(looked, name, asked)}.json"
    if path is not None and path.is_file():
        return _read(read_json(path))
    try:
        section = SECTIONS[name](looked, asked)
    except UserError as error:
        section = Section(name, left_out=[f"{name}: {first_line(error)}"])
    entries = plain(section.entries, _DIGITS.get(name, 3))
    section = _read(plain(_written(replace(section, entries=entries))))
    failed = section.left_out and section.whole is None and not any(section.entries.values())
    if path is not None and not failed:  # what failed may be mended the next time
        write_json(path, _written(section))
    return section


def _written(section: Section) -> dict[str, Any]:
    columns = {of: [vars(one) for one in section.columns.get(of, ())] for of in OF}
    return {**vars(section), "columns": columns}


def _read(kept: Mapping[str, Any]) -> Section:
    columns = {of: [Column(**one) for one in kept["columns"].get(of, ())] for of in OF}
    return Section(**{**kept, "columns": columns})


def _digest(looked: Looked, name: str, asked: Asked) -> str:
    """Of all that decides what a section says."""
    inside = looked.inside
    dictionaries = [None if one is None else one.digest for one in (looked.dictionary, looked.twin)]
    others = [(one.key, one.title, one.inside.model.digest, one.inside.layer) for one in asked.others]
    beside = {key: str(value) for key, value in vars(asked).items() if key not in _NOT_ALL}
    if name == "description" and asked.labels is not None and asked.labels.is_file():
        beside["labels"] = sha256_file(asked.labels)
    if asked.folder is not None:
        files = [(str(one), one.stat()) for one in sorted(asked.folder.rglob("*"))]
        beside["folder"] = str([(one, stat.st_size, stat.st_mtime_ns) for one, stat in files])
    return digest_of(
        version("brodmann"), name, looked.key, looked.title, inside.model.digest, inside.layer, inside.seed,
        inside.shown_digest, looked.document.tobytes(), *dictionaries, json.dumps(others),
        json.dumps(beside, sort_keys=True),
    )  # fmt: skip


def _site(looked: Looked, sections: Sequence[Section]) -> Site:
    inside, dictionary = looked.inside, looked.dictionary
    sheet = inside.model.sheet_of_units(inside.layer, inside.n_units)
    of_sheet = None
    if sheet is not None:
        of_sheet = {
            "x": sheet.positions[:, 0], "y": sheet.positions[:, 1], "unit": sheet.unit, "shape": sheet.shape,
            "layout": sheet.layout, "periodic": sheet.periodic, "said": sheet.describe(),
        }  # fmt: skip
    facts: dict[str, Any] = {
        "model": inside.model.identifier,
        "layer": inside.layer,
        "modality": "language" if looked.reads else "vision",
        "weights_digest": inside.model.digest,
        "seed": inside.seed,
        "n_rows": len(inside.read),
        "n_documents": len(set(looked.document.tolist())),
        "shown_digest": inside.shown_digest,
    }
    n = {of: looked.count(of) for of in looked.kinds}
    if dictionary is not None:
        facts["dictionary"] = {
            "variant": dictionary.variant, "k": dictionary.weights.k, "digest": dictionary.digest,
            **{key: value for key, value in dictionary.facts.items() if not isinstance(value, (list, dict))},
            "learnt_from_other_weights": bool(dictionary.site.weights_digest)
            and dictionary.site.weights_digest != inside.model.digest,
        }  # fmt: skip
    return Site(looked.key, looked.title, facts, n, of_sheet, looked.material, sections)


def _named(material: Material, layers: Sequence[Looked], of_site: Mapping[str, str]) -> Material:
    """With the name of where its texts or pictures come from."""
    sources = [one.source for one in layers if of_site[one.key] == material.key and one.source]
    return replace(material, facts={"name": ", ".join(dict.fromkeys(sources)), **material.facts})


def _notice(material: Material) -> str:
    name = material.facts.get("name") or "its maker"
    licence = material.facts.get("licence") or "not stated, so ask before you publish this folder"
    return f"This page holds {material.kind}s of {name}; licence: {licence}."
