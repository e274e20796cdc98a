"""Texts whose units are told apart: sentences, word lists, Jabberwocky, nonwords; nouns, verbs; two files of texts."""

from pathlib import Path

import numpy as np

from ...errors import UserError
from ...files import digest_of
from ..stimulus_set import StimulusSet
from .localizers import SENTENCES, add_localizer
from .sentences import GRAMMARS, sentence

_VOWELS, _CONSONANTS = "aeiou", "bcdfghklmnprstvwz"
_FUNCTION_WORDS = {"the", "a", "an", "is", "by", "near", "in", "behind", "on"}
_LEAST = 4

_WORDS = {
    ("noun", "concrete"): (
        "apple bridge candle carpet church cottage desk dress engine fence finger flower garden glass guitar "
        "hat jacket "
        "kitchen lamp leaf mirror mountain napkin needle oven paper piano pillow plate ribbon river shirt shovel "
        "spoon stone table tent tower wagon window"
    ),
    ("noun", "abstract"): (
        "advice belief blame chance clue courage debt destiny doubt effort envy esteem ethics faith fate freedom glory "
        "greed guilt honour hope idea irony justice logic loyalty luck mercy merit mood motive patience pity pride "
        "reason rumour theory truth virtue wisdom"
    ),
    ("verb", "concrete"): (
        "bake bite blow build carry chew chop climb cough crawl dance dig drag drink drive grab hammer hop jump kick "
        "kneel knit lick lift march nod paint pinch pour push row run scrub shave sneeze swim throw walk wave yawn"
    ),
    ("verb", "abstract"): (
        "admire adore agree allow assume avoid believe blame cheat commit deny deserve despise doubt envy "
        "expect forget "
        "forgive hope ignore imagine infer intend judge loathe mean obey owe pity pretend reason refuse regret rely "
        "respect solve suffer think trust wonder"
    ),
}


@add_localizer(SENTENCES, "sentences, and lists of nonwords")
def sentences_nonwords(n_each: int = 120, seed: int = 1) -> StimulusSet:
    """Sentences, and lists of as many nonwords made from their syllables.

    Every letter of a nonword is one of the same kind (vowel or consonant) drawn at random.
    """
    generator = np.random.default_rng([seed, 78])
    texts = [sentence(GRAMMARS[i % len(GRAMMARS)], generator).text for i in range(2 * n_each)]
    nonwords = [
        " ".join(_nonword(word, generator) for word in text.rstrip(".").split()) + "."
        for text in texts[n_each:]
    ]
    return texts_of(
        {"sentences": texts[:n_each], "nonwords": nonwords},
        f"sentences-nonwords-{digest_of(n_each, seed)[:8]}",
    )


@add_localizer("language-conditions", "sentences, words, Jabberwocky and nonwords")
def language_conditions(n_each: int = 120, seed: int = 1) -> StimulusSet:
    """Four conditions: sentences, their words in random order, Jabberwocky, lists of nonwords.

    Jabberwocky keeps a sentence's function words and order and makes every content word a nonword, so that it has
    syntax and no meaning; word lists have words and no syntax; nonwords neither (Fedorenko et al. 2010). Each
    condition has sentences of its own.
    """
    generator = np.random.default_rng([seed, 79])
    drawn = [sentence(GRAMMARS[i % len(GRAMMARS)], generator).text for i in range(4 * n_each)]
    parts = [drawn[i * n_each : (i + 1) * n_each] for i in range(4)]

    def words(text: str) -> list[str]:
        return text.rstrip(".").lower().split()

    def written(each: list[str]) -> str:
        text = " ".join(each)
        return text[0].upper() + text[1:] + "."

    kinds = {
        "sentences": parts[0],
        "words": [written([str(w) for w in generator.permutation(words(text))]) for text in parts[1]],
        "jabberwocky": [
            written([w if w in _FUNCTION_WORDS else _nonword(w, generator) for w in words(text)])
            for text in parts[2]
        ],
        "nonwords": [written([_nonword(w, generator) for w in words(text)]) for text in parts[3]],
    }
    return texts_of(kinds, f"language-conditions-{digest_of(n_each, seed)[:8]}")


def word_classes(contrast: str) -> StimulusSet:
    """160 single words, nouns and verbs, half of each concrete.

    Parameters
    ----------
    contrast : {"nouns-verbs", "concrete-abstract"}
        What the column ``category`` tells apart; ``class`` and ``concreteness`` hold both.
    """
    rows = [(word, *kind) for kind, words in _WORDS.items() for word in words.split()]
    stimuli = texts_of(
        {}, contrast, [(word, cls if contrast == "nouns-verbs" else con) for word, cls, con in rows]
    )
    stimuli["class"], stimuli["concreteness"] = [row[1] for row in rows], [row[2] for row in rows]
    return stimuli


@add_localizer("nouns-verbs", "single nouns and verbs")
def _nouns_verbs() -> StimulusSet:
    return word_classes("nouns-verbs")


@add_localizer("concrete-abstract", "single concrete and abstract words")
def _concrete_abstract() -> StimulusSet:
    return word_classes("concrete-abstract")


def text_contrast(positive: str | Path, negative: str | Path) -> StimulusSet:
    """Two files of texts, one a line, e.g. toxic ones and neutral ones; a category is named after its file.

    Parameters
    ----------
    positive, negative : str or Path
        Text files in UTF-8; empty lines are passed over.

    Raises
    ------
    UserError
        For a file that cannot be read or holds fewer than 4 texts, or two files of one name.
    """
    kinds = {}
    for source in (positive, negative):
        path = Path(source).expanduser()
        try:
            lines = path.read_text(encoding="utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or str(error)[:100]
            raise UserError(f"{path} cannot be read as lines of text: {why}") from error
        texts = [line.strip() for line in lines if line.strip()]
        if len(texts) < _LEAST:
            raise UserError(f"{path} holds {len(texts)} texts, one a line: at least {_LEAST} are needed")
        if path.stem in kinds:
            raise UserError(
                f"both files are named {path.stem!r}: their names are the names of the categories"
            )
        kinds[path.stem] = texts
    return texts_of(kinds, "-".join(kinds))


def texts_of(
    kinds: dict[str, list[str]], identifier: str, rows: "list[tuple[str, str]] | None" = None
) -> StimulusSet:
    """A stimulus set of labelled texts.

    Parameters
    ----------
    kinds : dict of str to list of str
        Category -> texts.
    identifier : str
    rows : list of (text, category), optional
        In place of `kinds`.
    """
    given = rows if rows is not None else [(text, kind) for kind, texts in kinds.items() for text in texts]
    stimuli = StimulusSet(
        {
            "stimulus_id": [f"localizer{i:04d}" for i in range(len(given))],
            "sentence": [text for text, _ in given],
            "category": [kind for _, kind in given],
        }
    )
    stimuli.identifier = identifier
    return stimuli


def _nonword(word: str, generator: np.random.Generator) -> str:
    return "".join(
        str(generator.choice(list(_VOWELS if letter in _VOWELS else _CONSONANTS))) for letter in word.lower()
    )
