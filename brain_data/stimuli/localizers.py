"""Stimuli that set one kind against others: to find the units that answer it."""

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from brainscore_core.supported_data_standards.brainio.stimuli import StimulusSet
from PIL import Image

from ...errors import UserError, unknown
from ...files import digest_of, home, whole_folder
from .drawn_images import CATEGORIES, Nuisance, picture
from .gratings import gratings
from .language_localizers import language_conditions, sentences_nonwords, word_classes

PICTURES, SENTENCES, GRATINGS = "drawn-categories", "sentences-nonwords", "gratings"
_MADE: dict[str, Callable[[], StimulusSet]] = {
    PICTURES: lambda: drawn_categories(),
    "drawn-localizer": lambda: drawn_categories(scrambled=True),
    GRATINGS: gratings,
    SENTENCES: sentences_nonwords,
    "language-conditions": language_conditions,
    "nouns-verbs": lambda: word_classes("nouns-verbs"),
    "concrete-abstract": lambda: word_classes("concrete-abstract"),
}
NAMES = tuple(_MADE)
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


def localizer(source: str | Path, *, by: str | None = None) -> StimulusSet:
    """Stimuli with a column ``category``, to be contrasted.

    Parameters
    ----------
    source : str or Path
        Made by brodmann from a seed: ``drawn-categories`` (pictures of faces, bodies, places, objects and words),
        ``drawn-localizer`` (the same and phase-scrambled ones), ``gratings``, ``sentences-nonwords``,
        ``language-conditions`` (sentences, words, Jabberwocky, nonwords), ``nouns-verbs``, ``concrete-abstract``. Or a
        folder of pictures, one folder a category (those of fLoc become its five domains); a table (.csv) with a text
        column (``sentence``, ``word``, ``text`` or ``pair``) and ``category``, ``condition``, ``label`` or ``class``;
        or a folder of the language localizer's own files (Fedorenko et al. 2010: ``stim1`` ... and a last column S or
        N).
    by : str, optional
        The column that holds the category, where there are several.

    Raises
    ------
    UserError
        For a source that is none of these, or has fewer than two categories.
    """
    if str(source) in _MADE:
        return _by(_MADE[str(source)](), by, str(source))
    path = Path(source).expanduser()
    if path.is_dir():
        tables = sorted(path.glob("*.csv"))
        stimuli = _tables(tables) if tables else _folders(path)
    elif path.is_file():
        stimuli = _tables([path])
    else:
        raise UserError(
            f"no localizer {str(source)!r}: give {', '.join(NAMES)}, a folder of pictures, or a .csv"
        )
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
    stimuli["category"] = [str(one) for one in stimuli[by]]
    return stimuli


def drawn_categories(n_stimuli: int = 300, seed: int = 1, *, scrambled: bool = False) -> StimulusSet:
    """Pictures of five categories, drawn by a seed, as clear as those of the simulated recordings.

    Parameters
    ----------
    n_stimuli, seed : int
    scrambled : bool
        With a sixth category: as many pictures as each of the others has, their phases replaced by random ones, so that
        spatial frequencies and colours stay and objects go.
    """
    names = [f"localizer{i:04d}" for i in range(n_stimuli)]
    kinds = [CATEGORIES[i % len(CATEGORIES)] for i in range(n_stimuli)]
    folder = (
        home() / "data" / "drawn-categories" / f"seed{seed}-n{n_stimuli}{'-scrambled' if scrambled else ''}"
    )
    extra = n_stimuli // len(CATEGORIES) if scrambled else 0
    scrambled_names = [f"scrambled{i:04d}" for i in range(extra)]
    if not all((folder / f"{name}.png").is_file() for name in names + scrambled_names):
        with whole_folder(folder) as temporary:
            for i, (name, kind) in enumerate(zip(names, kinds, strict=True)):
                generator = np.random.default_rng([seed, 77, i])
                drawn = picture(kind, Nuisance.draw(generator), generator)
                drawn.save(temporary / f"{name}.png")
                if i < extra:
                    phase_scrambled(drawn, generator).save(temporary / f"{scrambled_names[i]}.png")
    stimuli = StimulusSet(
        {"stimulus_id": names + scrambled_names, "category": [*kinds, *[SCRAMBLED] * extra]}
    )
    stimuli.stimulus_paths = {name: folder / f"{name}.png" for name in names + scrambled_names}
    stimuli.identifier = f"{'drawn-localizer' if scrambled else PICTURES}-{digest_of(n_stimuli, seed)[:8]}"
    return stimuli


def phase_scrambled(image: Image.Image, generator: np.random.Generator) -> Image.Image:
    """A picture with the amplitudes of its spatial frequencies and random phases, the same turn in every colour.

    Parameters
    ----------
    image : PIL.Image.Image
    generator : numpy.random.Generator
    """
    pixels = np.asarray(image.convert("RGB"), np.float64)
    turn = np.angle(np.fft.fft2(generator.normal(size=pixels.shape[:2])))[..., None]
    turn[0, 0] = 0  # the mean colour stays
    mixed = np.fft.ifft2(np.fft.fft2(pixels, axes=(0, 1)) * np.exp(1j * turn), axes=(0, 1)).real
    return Image.fromarray(np.clip(np.round(mixed), 0, 255).astype(np.uint8))


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
