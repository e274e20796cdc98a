"""Stimuli that set one kind against others: to find the units that answer it."""

import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pandas as pd

from ...errors import UserError, unknown
from ...registry import Registry
from ..stimulus_set import StimulusSet

PICTURES, SENTENCES = "drawn-categories", "sentences-nonwords"
SCRAMBLED = "scrambled"
"""The category that no other is compared with by default: it holds no object."""
FLOC = {
    "adult": "faces",
    "child": "faces",
    "body": "bodies",
    "limb": "bodies",
    "car": "objects",
    "instrument": "objects",
    "corridor": "places",
    "house": "places",
    "number": "characters",
    "word": "characters",
    "scrambled": SCRAMBLED,
}
"""Folders of the functional localizer fLoc -> domains (Stigliani et al. 2015, J. Neurosci. 35:12412)."""
_SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp"}
_TEXTS, _LABELS = ("sentence", "word", "text", "pair"), ("category", "condition", "label", "class")
_FEDORENKO = {"S": "sentences", "N": "nonwords", "W": "words", "J": "jabberwocky"}
_LEAST_ROWS = 4


@dataclass(frozen=True)
class Localizer:
    """A localizer of the registry.

    Attributes
    ----------
    description : str
        Which kinds it sets against each other.
    make : callable
        Makes its stimuli, always the same. They have a column ``category``, or as gratings have one for each
        property.
    """

    description: str
    make: Callable[[], StimulusSet]


LOCALIZERS: Registry[Localizer] = Registry("localizer", __package__ or "", "brodmann.localizers")
Make = TypeVar("Make", bound=Callable[..., StimulusSet])


def add_localizer(name: str, description: str) -> Callable[[Make], Make]:
    """A decorator that registers a function of no required arguments as a localizer."""

    def add(make: Make) -> Make:
        LOCALIZERS.register(name, Localizer(description, make), make.__module__)
        return make

    return add


def localizer(source: str | Path, *, by: str | None = None) -> StimulusSet:
    """Stimuli with a column ``category``, to be contrasted.

    Parameters
    ----------
    source : str or Path
        A name of ``LOCALIZERS``, made from a seed. Or a folder of pictures, one folder a category (those of fLoc become
        its five domains); a table (.csv) with a text column (``sentence``, ``word``, ``text`` or ``pair``) and
        ``category``, ``condition``, ``label`` or ``class``; or a folder of the language localizer's own files
        (Fedorenko et al. 2010: ``stim1`` ... and a last column S or N).
    by : str, optional
        The column that holds the category, where there are several.

    Raises
    ------
    UserError
        For a source that is none of these, or has fewer than two categories.
    """
    if str(source) in LOCALIZERS:
        return _by(LOCALIZERS[str(source)].make(), by, str(source))
    path = Path(source).expanduser()
    if path.is_dir():
        tables = sorted(path.glob("*.csv"))
        stimuli = _tables(tables) if tables else _folders(path)
    elif path.is_file():
        stimuli = _tables([path])
    else:
        hint = f"give {', '.join(sorted(LOCALIZERS, key=LOCALIZERS.origin))}, a folder of pictures, or a .csv"
        raise unknown(LOCALIZERS.kind, str(source), LOCALIZERS, hint=hint)
    stimuli = _by(stimuli, by, str(path))
    kinds = sorted(set(stimuli["category"]))
    if len(kinds) < 2:
        raise UserError(
            f"{path} has {len(kinds)} category: a contrast needs two (a folder a category, or a column)"
        )
    stimuli.identifier = f"localizer-{path.resolve().name}"
    return stimuli


def _by(stimuli: StimulusSet, by: str | None, name: str) -> StimulusSet:
    if by is None:
        return stimuli
    known = [column for column in stimuli.columns if column not in ("stimulus_id", "filename", *_TEXTS)]
    if by not in known:
        raise unknown(f"column of {name}", by, known)
    stimuli["category"] = [str(label) for label in stimuli[by]]
    return stimuli


def _folders(folder: Path) -> StimulusSet:
    found = [
        (inner.name, path)
        for inner in sorted(one for one in folder.iterdir() if one.is_dir())
        for path in sorted(inner.iterdir())
        if path.suffix.lower() in _SUFFIXES
    ]
    ids = [f"{kind}/{path.name}" for kind, path in found]
    kinds = [kind for kind, _ in found]
    stimuli = StimulusSet({"stimulus_id": ids, "category": kinds})
    if kinds and set(kinds) <= set(FLOC):
        stimuli["category"], stimuli["folder"] = [FLOC[kind] for kind in kinds], kinds
    stimuli.stimulus_paths = {one: path for one, (_, path) in zip(ids, found, strict=True)}
    return stimuli


def _tables(paths: list[Path]) -> StimulusSet:
    table = pd.concat([_table(path) for path in paths], ignore_index=True)
    if len(table) < _LEAST_ROWS:
        raise UserError(f"{paths[0]} has {len(table)} texts: too few to contrast")
    table.insert(0, "stimulus_id", [f"text{i:04d}" for i in range(len(table))])
    return StimulusSet(table)


def _table(path: Path) -> pd.DataFrame:
    """Texts in ``sentence``, their ``category``, and the other columns of labels."""
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
    others = [name for name in table.columns if name not in (text, label, "stimulus_id") and name.strip()]
    others = [name for name in others if not name.startswith("Unnamed")]
    kinds = [_FEDORENKO.get(kind, kind) for kind in table[label]]
    found = pd.DataFrame({"sentence": table[text], "category": kinds})
    found = pd.concat([found, table[[name for name in others if name not in found.columns]]], axis=1)
    if label not in found.columns:
        found[label] = kinds
    return found[found["sentence"].str.strip() != ""]


def _fedorenko(path: Path) -> pd.DataFrame:
    """The language localizer's own rows: the trial's number, twelve words, the condition."""
    with path.open(newline="", encoding="utf-8-sig") as stream:
        rows = [row for row in list(csv.reader(stream))[1:] if row]
    short = next((i for i, row in enumerate(rows, start=2) if len(row) < 3), None)
    if short is not None:
        raise UserError(f"{path}, line {short}: expected a number, words and a condition")
    return pd.DataFrame(
        {
            "sentence": [" ".join(row[1:-1]).lower() for row in rows],
            "category": [_FEDORENKO.get(row[-1].strip(), row[-1].strip()) for row in rows],
        }
    )
