"""How long a sentence is, what it mentions, how surprising it is; nouns and verbs, concrete and abstract words."""

from collections.abc import Callable

import numpy as np

from ..stimuli.language_localizers import word_classes
from .base import Property, Texts, add_property
from .material import Material

_SENTENCES, _LICENSE = "sentences of wikitext, or of the user's own text", "CC BY-SA (wikitext)"
Row = tuple[str, str]


def _is_long(material: Material) -> Texts:
    rows = material.sentences()
    words = np.array([len(text.split()) for _, text in rows])
    low, high = np.quantile(words, [1 / 3, 2 / 3])
    return Texts.of(
        {
            "long": (True, [one for one, n in zip(rows, words, strict=True) if n > high]),
            "short": (False, [one for one, n in zip(rows, words, strict=True) if n <= low]),
        }
    )


def matched_lengths(positive: list[Row], negative: list[Row]) -> tuple[list[Row], list[Row]]:
    """As many of both for every number of words, the first ones of each."""
    by_length: dict[int, tuple[list[Row], list[Row]]] = {}
    for side, rows in enumerate((positive, negative)):
        for one in rows:
            by_length.setdefault(len(one[1].split()), ([], []))[side].append(one)
    kept: tuple[list[Row], list[Row]] = ([], [])
    for true, false in by_length.values():
        n = min(len(true), len(false))
        kept[0].extend(true[:n])
        kept[1].extend(false[:n])
    return kept


def _contains_number(material: Material) -> Texts:
    rows = material.sentences()
    with_number = [one for one in rows if any(letter.isdigit() for letter in one[1])]
    without = [one for one in rows if not any(letter.isdigit() for letter in one[1])]
    true, false = matched_lengths(with_number, without)
    return Texts.of({"with a number": (True, true), "without": (False, false)})


def _mentions_place(material: Material) -> Texts:
    places = {name for name in material.entities()["LOC"] if " " not in name}
    rows = [
        (one, [word for word in one[1].split()[1:] if word[0].isupper() and word.isalpha()])
        for one in material.sentences()
    ]
    with_place = [one for one, names in rows if places & set(names)]
    others = [one for one, names in rows if names and not places & set(names)]
    true, false = matched_lengths(with_place, others)
    return Texts.of({"place": (True, true), "other name": (False, false)})


def _for_surprisal(material: Material) -> Texts:
    rows = material.sentences(10, 25)
    step = max(1, -(-len(rows) // 2100))
    kept = rows[::step]
    return Texts(
        [text for _, text in kept],
        np.zeros(len(kept), bool),
        [name for name, _ in kept],
        ["sentence"] * len(kept),
    )


def _words(positive: str, column: str) -> Callable[[Material], Texts]:
    def make(material: Material) -> Texts:
        del material
        table = word_classes("nouns-verbs")
        return Texts(
            [str(word) for word in table["sentence"]],
            np.array(table[column] == positive, bool),
            [str(word) for word in table["sentence"]],
            [str(kind) for kind in table[column]],
        )

    return make


add_property(
    Property(
        "is_long",
        "a sentence of the third with most words, against the third with fewest",
        "text",
        _SENTENCES,
        _LICENSE,
        "sums and maxima over tokens grow with their number",
        make=_is_long,
        itself=("words", "letters"),
    ),
    __name__,
)
add_property(
    Property(
        "contains_number",
        "a sentence with a digit, against ones of as many words without",
        "text",
        _SENTENCES,
        _LICENSE,
        "dates and measures come with their own words",
        make=_contains_number,
    ),
    __name__,
)
add_property(
    Property(
        "mentions_place",
        "a sentence that names a place of the list, against ones of as many words with other names",
        "text",
        f"{_SENTENCES}; an installed TextBlob's list of names, cities of the time zones",
        f"{_LICENSE}; MIT (TextBlob); public domain (time zones)",
        "in and at stand before places",
        make=_mentions_place,
    ),
    __name__,
)
add_property(
    Property(
        "high_surprisal",
        "a sentence of the third that the network itself predicts worst, against the third it predicts best",
        "text",
        _SENTENCES,
        _LICENSE,
        "rare words, names and numbers are badly predicted",
        make=_for_surprisal,
        by_model=True,
    ),
    __name__,
)
for _name, _positive, _column, _against in (
    ("concrete_vs_abstract", "concrete", "concreteness", "abstract ones"),
    ("noun_vs_verb", "noun", "class", "verbs"),
):
    add_property(
        Property(
            _name,
            f"a single {_positive} word, against {_against}"
            if _column == "concreteness"
            else "a noun, against verbs",
            "text",
            "160 words of brodmann's localizers",
            "brodmann's own",
            "a few words are in two lists; 64 test words",
            make=_words(_positive, _column),
        ),
        __name__,
    )
