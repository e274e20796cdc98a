"""Stimuli that set one kind against others: to find the units that answer it."""

import csv
from pathlib import Path

import numpy as np
import pandas as pd
from brainscore_core.supported_data_standards.brainio.stimuli import StimulusSet

from ..errors import UserError
from ..files import digest_of, home, whole_folder
from .pictures import CATEGORIES, Nuisance, picture
from .sentences import GRAMMARS, sentence

PICTURES, SENTENCES = "drawn-categories", "sentences-nonwords"
NAMES = (PICTURES, SENTENCES)
_SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp"}
_TEXTS, _LABELS = ("sentence", "word", "text"), ("category", "condition", "label", "class")
_FEDORENKO = {"S": "sentences", "N": "nonwords", "W": "words", "J": "jabberwocky"}
_LEAST_ROWS = 4


def localizer(source: str | Path) -> StimulusSet:
    """Stimuli with a column ``category``, to be contrasted.

    Parameters
    ----------
    source : str or Path
        ``drawn-categories`` (pictures of faces, bodies, places, objects and words) or ``sentences-nonwords``, both
        made by brodmann from a seed; a folder of pictures, one folder a category; a table (.csv) with a
        text column (``sentence``, ``word`` or ``text``) and ``category``, ``condition`` or ``label``; or a folder of
        the language localizer's own files (Fedorenko et al. 2010: ``stim1`` ... and a last column S or N).

    Raises
    ------
    UserError
        For a source that is none of these, or has fewer than two categories.
    """
    if source == PICTURES:
        return drawn_categories()
    if source == SENTENCES:
        return sentences_nonwords()
    path = Path(source).expanduser()
    if path.is_dir():
        tables = sorted(path.glob("*.csv"))
        stimuli = _tables(tables) if tables else _folders(path)
    elif path.is_file():
        stimuli = _tables([path])
    else:
        raise UserError(
            f"no localizer {str(source)!r}: give {' or '.join(NAMES)}, a folder of pictures, or a .csv"
        )
    kinds = sorted(set(stimuli["category"]))
    if len(kinds) < 2:
        raise UserError(
            f"{path} has {len(kinds)} category: a contrast needs two (a folder a category, or a column)"
        )
    stimuli.identifier = f"localizer-{path.resolve().name}"
    return stimuli


def drawn_categories(n_stimuli: int = 300, seed: int = 1) -> StimulusSet:
    """Pictures of five categories, drawn by a seed, as clear as those of the simulated recordings.

    Parameters
    ----------
    n_stimuli, seed : int
    """
    names = [f"localizer{i:04d}" for i in range(n_stimuli)]
    kinds = [CATEGORIES[i % len(CATEGORIES)] for i in range(n_stimuli)]
    folder = home() / "data" / "drawn-categories" / f"seed{seed}-n{n_stimuli}"
    if not all((folder / f"{name}.png").is_file() for name in names):
        with whole_folder(folder) as temporary:
            for i, (name, kind) in enumerate(zip(names, kinds, strict=True)):
                generator = np.random.default_rng([seed, 77, i])
                picture(kind, Nuisance.draw(generator), generator).save(temporary / f"{name}.png")
    stimuli = StimulusSet({"stimulus_id": names, "category": kinds})
    stimuli.stimulus_paths = {name: folder / f"{name}.png" for name in names}
    stimuli.identifier = f"{PICTURES}-{digest_of(n_stimuli, seed)[:8]}"
    return stimuli


def sentences_nonwords(n_each: int = 120, seed: int = 1) -> StimulusSet:
    """Sentences, and lists of as many nonwords made from their syllables.

    Every letter of a nonword is one of the same kind (vowel or consonant) from the same place of another word.

    Parameters
    ----------
    n_each, seed : int
    """
    generator = np.random.default_rng([seed, 78])
    texts = [sentence(GRAMMARS[i % len(GRAMMARS)], generator).text for i in range(2 * n_each)]
    whole, source = texts[:n_each], texts[n_each:]
    nonwords = [
        " ".join(_nonword(word, generator) for word in text.rstrip(".").split()) + "." for text in source
    ]
    stimuli = StimulusSet(
        {
            "stimulus_id": [f"localizer{i:04d}" for i in range(2 * n_each)],
            "sentence": [*whole, *nonwords],
            "category": ["sentences"] * n_each + ["nonwords"] * n_each,
        }
    )
    stimuli.identifier = f"{SENTENCES}-{digest_of(n_each, seed)[:8]}"
    return stimuli


_VOWELS, _CONSONANTS = "aeiou", "bcdfghklmnprstvwz"


def _nonword(word: str, generator: np.random.Generator) -> str:
    return "".join(
        str(generator.choice(list(_VOWELS if letter in _VOWELS else _CONSONANTS))) for letter in word.lower()
    )


def _folders(folder: Path) -> StimulusSet:
    found = [
        (inner.name, path)
        for inner in sorted(one for one in folder.iterdir() if one.is_dir())
        for path in sorted(inner.iterdir())
        if path.suffix.lower() in _SUFFIXES
    ]
    ids = [f"{kind}/{path.name}" for kind, path in found]
    stimuli = StimulusSet({"stimulus_id": ids, "category": [kind for kind, _ in found]})
    stimuli.stimulus_paths = {one: path for one, (_, path) in zip(ids, found, strict=True)}
    return stimuli


def _tables(paths: list[Path]) -> StimulusSet:
    rows = [row for path in paths for row in _table(path)]
    if len(rows) < _LEAST_ROWS:
        raise UserError(f"{paths[0]} has {len(rows)} texts: too few to contrast")
    ids = [f"text{i:04d}" for i in range(len(rows))]
    return StimulusSet(
        {"stimulus_id": ids, "sentence": [text for text, _ in rows], "category": [kind for _, kind in rows]}
    )


def _table(path: Path) -> list[tuple[str, str]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            header = next(csv.reader(stream), [])
        if header[:1] == ["stim1"]:
            return _fedorenko(path)
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (OSError, UnicodeDecodeError, csv.Error, ValueError) as error:
        raise UserError(f"{path} cannot be read as a table: {str(error)[:100]}") from error
    text = next((name for name in _TEXTS if name in table.columns), None)
    label = next((name for name in _LABELS if name in table.columns), None)
    if text is None or label is None:
        raise UserError(
            f"{path} needs a column {' or '.join(map(repr, _TEXTS))} and one of {', '.join(map(repr, _LABELS))}; "
            f"it has {', '.join(map(repr, table.columns))}"
        )
    return [
        (one, _FEDORENKO.get(kind, kind))
        for one, kind in zip(table[text], table[label], strict=True)
        if one.strip()
    ]


def _fedorenko(path: Path) -> list[tuple[str, str]]:
    """The language localizer's own rows: the trial's number, twelve words, the condition."""
    with path.open(newline="", encoding="utf-8-sig") as stream:
        rows = [row for row in list(csv.reader(stream))[1:] if row]
    short = next((i for i, row in enumerate(rows, start=2) if len(row) < 3), None)
    if short is not None:
        raise UserError(f"{path}, line {short}: expected a number, words and a condition")
    return [(" ".join(row[1:-1]).lower(), _FEDORENKO.get(row[-1].strip(), row[-1].strip())) for row in rows]
