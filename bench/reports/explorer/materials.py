"""The texts and pictures that examples point into, once for all layers that were shown the same."""

import base64
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from ....analysis.interpretability.lenses.token_texts import token_texts
from ....brain_data.stimuli import pictures
from ....files import digest_of
from ....models.extraction.language_model import LanguageModel
from ....models.extraction.preprocessing import ImagePreprocessing
from ....models.extraction.rows import TokenWindows
from .content import Material, Section
from .looked import Looked

if TYPE_CHECKING:
    from ....brain_data.stimulus_set import StimulusSet

MOST_PICTURES = 1000
MOST_BYTES = 3_000_000
_SIZES = ((64, 60), (48, 60), (48, 40), (48, 20), (32, 20))
"""Width of small pictures and quality of their file, tried until they are small enough."""
_COLUMNS, _ROWS = 16, 8
_LABELS = ("category", "condition", "label", "class")
_NAMED = 8
_MARKS = re.compile(r"^(<[^<>\s]*>|[\s=])+")
"""Marks of a beginning, and those of a heading, before the name of a document."""
Sections = dict[str, list[Section]]


def materials_of(
    layers: Sequence[Looked], found: Sections, licence: str = ""
) -> tuple[list[Material], dict[str, str]]:
    """The material of every layer; those that were shown the same tokens, or pictures, share one.

    Of more than 1000 pictures those stay that examples point at, of the highest activations first. Numbers of
    pictures, which sections count in what their own layer was shown, become those of the material: `found` is changed.

    Parameters
    ----------
    layers : sequence of Looked
    found : dict of str to list of Section
        By key of the layer.
    licence : str
        Of the texts or pictures.

    Returns
    -------
    list of Material, dict of str to str
        The key of the material of each layer.
    """
    texts: dict[str, Material] = {}
    of_site: dict[str, str] = {}
    for one in layers:
        if isinstance(one.inside.part, TokenWindows):
            content = _texts(one)
            arrays = (content[name].tobytes() for name in ("tokens", "windows", "documents"))
            digest = digest_of(content["vocabulary"], *arrays)
            if digest not in texts:
                facts = {
                    "licence": licence,
                    "n_tokens": len(content["tokens"]),
                    "n_documents": len(content["documents"]),
                }
                texts[digest] = Material(f"m{len(texts)}", "text", facts, content)
            of_site[one.key] = texts[digest].key
    materials = list(texts.values())
    seen = [one for one in layers if one.key not in of_site]
    if seen:
        materials.append(_pictures(f"m{len(materials)}", seen, found, licence))
        of_site |= {one.key: materials[-1].key for one in seen}
    return materials, of_site


def _texts(looked: Looked) -> dict[str, Any]:
    """Tokens as numbers of a vocabulary of those that occur, first places of windows and documents."""
    part, model = looked.inside.part, looked.inside.model
    assert isinstance(part, TokenWindows)
    assert isinstance(model, LanguageModel)
    known, tokens = np.unique(np.concatenate(part.ids), return_inverse=True)
    vocabulary = token_texts(model.tokenizer, known.tolist())
    document = np.concatenate(part.document)
    starts = np.concatenate([[0], np.flatnonzero(np.diff(document)) + 1])
    ends = [*starts[1:], len(tokens)]
    return {
        "vocabulary": vocabulary,
        "tokens": tokens,
        "windows": np.cumsum([0, *map(len, part.ids)])[:-1],
        "documents": starts,
        "names": [
            _MARKS.sub(
                "", "".join(vocabulary[one] for one in tokens[start : min(start + _NAMED, end)])
            ).strip()
            for start, end in zip(starts, ends, strict=True)
        ],
    }


def _pictures(key: str, layers: Sequence[Looked], found: Sections, licence: str) -> Material:
    where: dict[str, tuple[Looked, int]] = {}
    names: dict[str, list[str]] = {}
    for one in layers:
        part = one.inside.part
        assert not isinstance(part, TokenWindows)
        paths = part.stimulus_paths or {}
        names[one.key] = [str(paths[stimulus]) for stimulus in part["stimulus_id"]]
        for i, name in enumerate(names[one.key]):
            where.setdefault(name, (one, i))
    kept = list(where)
    if len(kept) > MOST_PICTURES:
        asked = dict.fromkeys(names[one.key][i] for one in layers for i in _asked(found.get(one.key, ())))
        kept = list(asked)[:MOST_PICTURES]
    number = {name: i for i, name in enumerate(kept)}
    for one in layers:
        numbers = {i: number[name] for i, name in enumerate(names[one.key]) if name in number}
        found[one.key] = [_renumbered(section, numbers) for section in found.get(one.key, [])]
    chosen = [where[name] for name in kept]
    stimuli = layers[0].inside.part
    identifier = None if isinstance(stimuli, TokenWindows) else getattr(stimuli, "identifier", None)
    facts = {"name": identifier or "", "licence": licence, "n_pictures": len(kept), "n_shown": len(where)}
    size, atlas = _atlas(chosen)
    labels = [_label(one.inside.part, i) for one, i in chosen]
    content = {"size": size, "columns": _COLUMNS, "n": len(kept), "labels": labels, "atlas": atlas}
    return Material(key, "picture", facts, content)


def _asked(sections: Sequence[Section]) -> list[int]:
    """Pictures that examples are of: the first example of each unit and feature, then the second, and so on."""
    each: list[list[int]] = []
    for section in sections:
        if section.name == "examples":
            entries = [entry for some in section.entries.values() for entry in some if entry]
            each += [[one[0] for one in _all_examples(entry)] for entry in entries]
    most = max(map(len, each), default=0)
    return list(dict.fromkeys(one[k] for k in range(most) for one in each if k < len(one)))


def _all_examples(entry: Mapping[str, Any]) -> list[Any]:
    return [*entry["top"], *(one for band in entry["quantiles"] for one in band["examples"])]


def _renumbered(section: Section, numbers: Mapping[int, int]) -> Section:
    """Examples by the numbers of the material, without those whose picture it lacks."""
    if section.name != "examples":
        return section

    def these(examples: Sequence[Any]) -> list[Any]:
        return [[numbers[one[0]], *one[1:]] for one in examples if one[0] in numbers]

    def entry(one: Mapping[str, Any] | None) -> dict[str, Any] | None:
        if one is None:
            return None
        bands = [{**band, "examples": these(band["examples"])} for band in one["quantiles"]]
        return {**one, "top": these(one["top"]), "quantiles": bands}

    return replace(
        section, entries={of: [entry(one) for one in some] for of, some in section.entries.items()}
    )


def _label(stimuli: "StimulusSet | TokenWindows", row: int) -> str:
    assert not isinstance(stimuli, TokenWindows)
    column = next((name for name in _LABELS if name in stimuli.columns), "stimulus_id")
    return str(stimuli[column].iloc[row])


def _atlas(chosen: Sequence[tuple[Looked, int]]) -> tuple[int, list[str]]:
    """Small pictures, some rows of them a file, as data URIs, and their width."""
    largest = [_as_seen(one, row) for one, row in chosen]
    uris: list[str] = []
    size = 0
    for size, quality in _SIZES:
        each = _COLUMNS * _ROWS
        parts = [largest[start : start + each] for start in range(0, len(largest), each)]
        uris = [_uri(part, size, quality) for part in parts]
        if sum(map(len, uris)) <= MOST_BYTES:
            break
    return size, uris


def _as_seen(looked: Looked, row: int) -> Image.Image:
    """A picture as small as it is shown, cut as the network sees it where that is known."""
    stimuli, model = looked.inside.part, looked.inside.model
    assert not isinstance(stimuli, TokenWindows)
    stimulus, background = stimuli["stimulus_id"].iloc[row], pictures.background_of(stimuli, row)
    path = (stimuli.stimulus_paths or {})[stimulus]
    with pictures.opened(path, f"stimulus {stimulus!r}", background) as opened:
        seen = opened.convert("RGB")
        preprocess = getattr(model, "preprocess", None)
        if isinstance(preprocess, ImagePreprocessing):
            bare = replace(preprocess, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
            pixels = (255 * bare(seen).permute(1, 2, 0)).clamp(0, 255).byte().numpy()
            seen = Image.fromarray(pixels)
    side = _SIZES[0][0]
    return seen.resize((side, side), Image.Resampling.LANCZOS)


def _uri(some: Sequence[Image.Image], size: int, quality: int) -> str:
    rows = -(-len(some) // _COLUMNS)
    sheet = Image.new("RGB", (_COLUMNS * size, rows * size))
    for i, one in enumerate(some):
        small = one if one.width == size else one.resize((size, size), Image.Resampling.LANCZOS)
        sheet.paste(small, (i % _COLUMNS * size, i // _COLUMNS * size))
    stream = io.BytesIO()
    sheet.save(stream, "webp", quality=quality)
    return f"data:image/webp;base64,{base64.b64encode(stream.getvalue()).decode()}"
