"""Words by their class and by what they name: closed lists, a lexicon of tags, names of places, people and months."""

import re
from collections.abc import Callable

import numpy as np

from .base import Marks, Property, TokenizedText, add_property
from .marks import sentences
from .material import Material

CLOSED = {
    "determiner": "the a an this these those every each some any no both either neither another",
    "preposition": "of in on at by with from into onto upon between among during against under above below "
    "behind beside "
    "beyond toward towards throughout across along around near within without despite via amid",
    "pronoun": "i you he she it we they me him us them himself herself itself themselves myself ourselves who whom "
    "something anything nothing everyone someone anyone",
    "auxiliary": "is are was were be been being am has had have do does did can could would should must might "
    "shall cannot",
    "conjunction": "and or but nor because although though whereas unless while if whether",
}
"""Words of one class; those of several (that, her, his, for, since, so, as, than, will, may ...) are in none."""
_AMBIGUOUS = {
    "that",
    "her",
    "his",
    "its",
    "their",
    "our",
    "your",
    "my",
    "for",
    "since",
    "so",
    "as",
    "than",
    "before",
    "after",
    "until",
    "till",
    "like",
    "over",
    "up",
    "down",
    "out",
    "off",
    "about",
    "through",
    "to",
    "all",
    "more",
    "most",
    "much",
    "many",
    "few",
    "one",
    "two",
    "which",
    "what",
    "when",
    "where",
    "why",
    "how",
    "there",
    "here",
    "not",
    "only",
    "just",
    "also",
    "very",
    "will",
    "may",
    "need",
    "dare",
    "used",
    "then",
    "now",
    "still",
    "yet",
    "even",
    "such",
    "same",
    "other",
    "own",
}
_MONTHS = {
    "january",
    "february",
    "april",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
}
_OPEN = {
    "noun": (
        {"NN", "NNS"},
        {"VB", "VBD", "VBG", "VBN", "VBP", "VBZ", "JJ", "RB", "IN", "DT", "PRP", "CC", "MD"},
    ),
    "verb": ({"VB", "VBD", "VBN", "VBP", "VBZ"}, {"NN", "NNS", "JJ", "RB", "IN", "DT", "PRP", "CC", "MD"}),
    "adjective": ({"JJ", "JJR", "JJS"}, {"NN", "NNS", "VB", "VBD", "VBN", "VBP", "VBZ", "RB"}),
    "adverb": ({"RB", "RBR", "RBS"}, {"NN", "NNS", "VB", "VBD", "VBN", "VBP", "VBZ", "JJ"}),
}


def _words(text: TokenizedText) -> list[tuple[int, int, str]]:
    """Lower-case words of letters."""
    return [one for one in text.words() if one[2].isalpha() and one[2].islower()]


def _closed(kind: str) -> Callable[[TokenizedText, Material], Marks]:
    own = set(CLOSED[kind].split())

    def label(text: TokenizedText, material: Material) -> Marks:
        del material
        return text.at_word_ends((a, b, word in own) for a, b, word in _words(text) if word not in _AMBIGUOUS)

    return label


def _tagged(
    positive: set[str], negative: set[str], ending: str = ""
) -> Callable[[TokenizedText, Material], Marks]:
    def label(text: TokenizedText, material: Material) -> Marks:
        lexicon = material.lexicon()
        return text.at_word_ends(
            (a, b, lexicon[word] in positive)
            for a, b, word in _words(text)
            if word.endswith(ending) and lexicon.get(word) in positive | negative
        )

    return label


def lemma(word: str) -> str:
    """A noun without its plural: a rule of endings, the same for both forms of regular ones."""
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 4 and re.search(r"(?:s|x|z|ch|sh)es$", word):
        return word[:-2]
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word


def _lemmas(text: TokenizedText) -> list[str]:
    """The lemma of the word that each token is in; empty outside of words."""
    return _of_words(text, lemma)


def _whole_words(text: TokenizedText) -> list[str]:
    return _of_words(text, str)


def _of_words(text: TokenizedText, form: Callable[[str], str]) -> list[str]:
    words = text.words()
    starts = np.array([a for a, _, _ in words] or [0])
    at = np.searchsorted(starts, text.start, side="right") - 1
    return [form(words[i][2].lower()) if words and i >= 0 else "" for i in at]


def _named(kind: str) -> Callable[[TokenizedText, Material], Marks]:
    def label(text: TokenizedText, material: Material) -> Marks:
        names = {tuple(name.split()) for name in material.entities()[kind]}
        longest = max(map(len, names))
        labels = []
        for words in sentences(text.text):
            inside = set[int]()
            for i in range(len(words)):
                for n in range(min(longest, len(words) - i), 0, -1):
                    if words[i][2][0].isupper() and tuple(word for _, _, word in words[i : i + n]) in names:
                        inside |= set(range(i, i + n))
                        break
            labels += [
                (a, b, i in inside)
                for i, (a, b, word) in enumerate(words)
                if i and word[0].isupper() and word.isalpha() and len(word) > 1
            ]
        return text.at_word_ends(labels)

    return label


def _is_month_or_weekday(text: TokenizedText, material: Material) -> Marks:
    del material
    return text.at_word_ends(
        (a, b, word.lower() in _MONTHS)
        for words in sentences(text.text)
        for a, b, word in words[1:]
        if word[0].isupper() and word.isalpha() and word not in ("May", "March")
    )


_TEXT, _LICENSE = "wikitext, or the user's own text", "CC BY-SA (wikitext)"
_LEXICON = f"{_TEXT}; tags of an installed TextBlob's lexicon"
_LEXICON_LICENSE = f"{_LICENSE}; MIT (Brill's lexicon) and CC BY (Twitter's words), says its header"
_NAMES = f"{_TEXT}; an installed TextBlob's list of names, cities of the time zones"

for _kind in CLOSED:
    add_property(
        Property(
            f"is_{_kind}",
            f"the word is a {_kind} of a closed list, against other lower-case words; ambiguous "
            f"ones left out",
            "token",
            _TEXT,
            _LICENSE,
            "frequency and length: a table of tokens knows it",
            label=_closed(_kind),
        ),
        __name__,
    )
for _kind, (_positive, _negative) in _OPEN.items():
    add_property(
        Property(
            f"is_{_kind}",
            f"the word is tagged as a {_kind}, against words of other tags; words of several tags left out",
            "token",
            _LEXICON,
            _LEXICON_LICENSE,
            "the lexicon gives one tag a word, whatever it is in its sentence; endings; frequency",
            label=_tagged(_positive, _negative),
            needs=Material.lexicon,
        ),
        __name__,
    )
_FORMS: dict[str, tuple[set[str], set[str], str, str, str]] = {
    "is_plural_noun": (
        {"NNS"},
        {"NN"},
        "",
        "a plural noun, against singular ones; no lemma on both sides",
        "the ending -s",
    ),
    "is_past_verb": (
        {"VBD", "VBN"},
        {"VB", "VBP", "VBZ"},
        "",
        "a past form or participle, against present forms and infinitives; no word on both sides",
        "the ending -ed",
    ),
    "is_gerund": (
        {"VBG"},
        {"NN"},
        "ing",
        "a verb in -ing, against nouns in -ing (king, thing); no word on both sides",
        "few nouns end in -ing",
    ),
}
for _name, (_positive, _negative, _ending, _sentence, _confound) in _FORMS.items():
    add_property(
        Property(
            _name,
            _sentence,
            "token",
            _LEXICON,
            _LEXICON_LICENSE,
            _confound,
            label=_tagged(_positive, _negative, _ending),
            needs=Material.lexicon,
            apart=_lemmas if _name == "is_plural_noun" else _whole_words,
        ),
        __name__,
    )
for _name, _kind, _sentence in (("is_person", "PERS", "person's name"), ("is_place", "LOC", "place's name")):
    add_property(
        Property(
            _name,
            f"a word of a {_sentence}, against other words with a capital within sentences",
            "token",
            _NAMES,
            f"{_LICENSE}; MIT (TextBlob); public domain (time zones)",
            "few names are in the list, so that negatives hold others",
            label=_named(_kind),
            needs=Material.entities,
        ),
        __name__,
    )
add_property(
    Property(
        "is_month_or_weekday",
        "a month or weekday but May and March, against other words with a capital within sentences",
        "token",
        _TEXT,
        _LICENSE,
        "numbers stand beside them",
        label=_is_month_or_weekday,
    ),
    __name__,
)
