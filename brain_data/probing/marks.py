"""Tokens by their letters and by the marks around them: digits, punctuation, sentences, quotations, headings."""

import itertools
import re
from collections.abc import Callable
from functools import lru_cache

import numpy as np

from .base import UNLABELED, Marks, Property, TokenizedText, add_property
from .material import Material

Rule = Callable[[TokenizedText, Material], Marks]

_YEAR = re.compile(r"(?:1[0-9]{3}|20[0-9]{2})")
_PUNCTUATION = re.compile(r"[^\w\s]+")
_SENTENCE_END = re.compile(r"[.!?]")
_HEADING = re.compile(r"^ *=[^\n]*= *$", re.MULTILINE)
_LINE = re.compile(r"[^\n]+")
_WIKI_MARK = re.compile(r"@[-,.]@|<unk>|=+")


def _is_digit(text: TokenizedText, material: Material) -> Marks:
    del material
    marks = text.nothing()
    for i, piece in enumerate(text.pieces()):
        if piece and not _WIKI_MARK.fullmatch(piece):
            marks[i] = piece.isdigit()
    return marks


def _is_year(text: TokenizedText, material: Material) -> Marks:
    del material
    numbers = [(a, b, bool(_YEAR.fullmatch(word))) for a, b, word in text.words() if word.isdigit()]
    return text.at_word_ends(numbers)


def _is_punctuation(text: TokenizedText, material: Material) -> Marks:
    del material
    marks = text.nothing()
    for i, piece in enumerate(text.pieces()):
        if piece and not _WIKI_MARK.fullmatch(piece) and piece not in ("@", "<", ">"):
            marks[i] = bool(_PUNCTUATION.fullmatch(piece))
    return marks


@lru_cache(maxsize=1024)
def sentences(text: str) -> list[list[tuple[int, int, str]]]:
    """Words of every sentence, headings left out; a sentence ends at a word ``.``, ``!``, ``?`` or a line's end."""
    found = []
    for line in _LINE.finditer(text):
        if _HEADING.fullmatch(line.group()):
            continue
        words: list[tuple[int, int, str]] = []
        for one in re.finditer(r"\S+", line.group()):
            words.append((line.start() + one.start(), line.start() + one.end(), one.group()))
            if _SENTENCE_END.fullmatch(one.group()) or (len(one.group()) > 3 and one.group()[-1] in ".!?"):
                found.append(words)
                words = []
        if words:
            found.append(words)
    return found


def _letters(words: list[tuple[int, int, str]]) -> list[tuple[int, int, str]]:
    return [one for one in words if one[2][0].isalpha()]


def _sentence_start(text: TokenizedText, material: Material) -> Marks:
    del material
    labels = []
    for words in sentences(text.text):
        for i, (a, b, word) in enumerate(words):
            if word[0].isalpha() and (i == 0 or word[0].isupper() or i % 4 == 0):
                if i == 0 and not word[0].isupper():
                    continue
                labels.append((a, b, i == 0))
    return text.at_word_ends(labels)


def _sentence_end(text: TokenizedText, material: Material) -> Marks:
    del material
    labels = []
    for words in sentences(text.text):
        spoken = _letters(words)
        ends = bool(_SENTENCE_END.fullmatch(words[-1][2]))
        labels += [(a, b, ends and i == len(spoken) - 1) for i, (a, b, _) in enumerate(spoken)]
    return text.at_word_ends(labels)


def _within(text: TokenizedText, opening: str, closing: str) -> Marks:
    """Words between two marks against those outside, in paragraphs where every mark has its partner."""
    labels = []
    for line in _LINE.finditer(text.text):
        part = line.group()
        if opening not in part or part.count(opening) + (opening != closing) * part.count(closing) != 2 * (
            part.count(closing) if opening != closing else part.count(opening) // 2
        ):
            continue
        inside = False
        for one in re.finditer(r"\S+", part):
            word = one.group()
            if opening == closing:
                for _ in range(word.count(opening)):
                    inside = not inside
            elif opening in word or closing in word:
                inside = word.rfind(opening) > word.rfind(closing)
            if word[0].isalpha() and opening not in word and closing not in word:
                labels.append((line.start() + one.start(), line.start() + one.end(), inside))
    return text.at_word_ends(labels)


def _in_quotation(text: TokenizedText, material: Material) -> Marks:
    del material
    return _within(text, '"', '"')


def _in_parentheses(text: TokenizedText, material: Material) -> Marks:
    del material
    return _within(text, "(", ")")


def _in_heading(text: TokenizedText, material: Material) -> Marks:
    del material
    spans = [(one.start(), one.end()) for one in _HEADING.finditer(text.text)]
    starts = np.array([a for a, _ in spans] or [len(text.text)])
    labels = []
    for a, b, word in text.words():
        if word[0].isalpha():
            at = int(np.searchsorted(starts, a, side="right")) - 1
            labels.append((a, b, at >= 0 and bool(spans) and a < spans[at][1]))
    return text.at_word_ends(labels)


def _is_capitalised(text: TokenizedText, material: Material) -> Marks:
    del material
    labels = [
        (a, b, word[0].isupper())
        for words in sentences(text.text)
        for a, b, word in _letters(words[1:])
        if len(word) > 1
    ]
    return text.at_word_ends(labels)


def _follows_comma(text: TokenizedText, material: Material) -> Marks:
    del material
    labels = [
        (a, b, before[2].endswith(","))
        for words in sentences(text.text)
        for before, (a, b, word) in itertools.pairwise(words)
        if word[0].isalpha()
    ]
    return text.at_word_ends(labels)


def _is_unk_mark(text: TokenizedText, material: Material) -> Marks:
    del material
    return text.at_word_ends((a, b, word == "<unk>") for a, b, word in text.words())


def _word_continues(text: TokenizedText, material: Material) -> Marks:
    """A token whose next one goes on in the same word of letters; the last pieces of words are the negatives."""
    del material
    marks = text.nothing()
    for i in range(len(text) - 1):
        piece = text.text[text.start[i] : text.end[i]]
        if piece and piece[-1].isalpha() and text.start[i + 1] < text.end[i + 1]:
            after = text.text[text.start[i + 1]]
            marks[i] = text.start[i + 1] == text.end[i] and after.isalpha()
    return marks


def _is_rare_token(text: TokenizedText, material: Material) -> Marks:
    del material
    return np.where(text.end > text.start, (text.rank <= 0.2).astype(np.int8), UNLABELED).astype(np.int8)


def _position_early(text: TokenizedText, material: Material) -> Marks:
    del material
    return (text.place < 8).astype(np.int8)


def _repeats_in_window(text: TokenizedText, material: Material) -> Marks:
    """Of a kind that came before in the window, against first times; marks and short pieces are unlabelled."""
    del material
    marks, seen = text.nothing(), dict[int, set[int]]()
    for i, (token, window) in enumerate(zip(text.ids.tolist(), text.window.tolist(), strict=True)):
        kinds = seen.setdefault(window, set())
        if text.end[i] - text.start[i] > 2:
            marks[i] = token in kinds
        kinds.add(token)
    return marks


_ENGLISH = "wikitext, or the user's own text"
_LICENSE = "CC BY-SA (wikitext)"
_RULES: dict[str, tuple[Rule, str, str, tuple[str, ...]]] = {
    "is_digit": (_is_digit, "the token is of digits", "a table of tokens knows it", ()),
    "is_year": (
        _is_year,
        "a number from 1000 to 2099 alone, against other numbers; read at its last token",
        "four digits: the length of the last piece",
        (),
    ),
    "is_punctuation": (_is_punctuation, "the token is of marks only", "a table of tokens knows it", ()),
    "sentence_start": (
        _sentence_start,
        "the first word of a sentence, against words with a capital and every fourth other one",
        "function words begin sentences; the full stop stands just before",
        (),
    ),
    "sentence_end": (
        _sentence_end,
        "the last word before . ! or ?, against all other words",
        "nouns end sentences; a causal network has not seen the mark",
        (),
    ),
    "in_quotation": (
        _in_quotation,
        "a word between quotation marks, against words outside in the same paragraphs; odd paragraphs left out",
        "titles of works stand in quotation marks",
        (),
    ),
    "in_parentheses": (
        _in_parentheses,
        "a word in parentheses, against words outside in the same paragraphs; unbalanced paragraphs left out",
        "abbreviations and years",
        (),
    ),
    "in_heading": (
        _in_heading,
        "a word of a wikitext heading, against words of paragraphs",
        "few words make headings; the mark = stands just before",
        (),
    ),
    "is_capitalised": (
        _is_capitalised,
        "a word with a capital within a sentence, against words without, by the text as it was written",
        "names are rare words; a network of lower-case tokens sees no capital",
        (),
    ),
    "follows_comma": (
        _follows_comma,
        "a word just after a comma, against other words within sentences",
        "conjunctions follow commas",
        (),
    ),
    "is_unk_mark": (_is_unk_mark, "wikitext's <unk>, against words", "a table of tokens knows it", ()),
    "word_continues": (
        _word_continues,
        "a piece whose word goes on, against the last piece of a word",
        "pieces without a space before them; the length of the piece",
        (),
    ),
    "is_rare_token": (
        _is_rare_token,
        "of the rarest kinds of tokens, which make up a fifth of the text, against all others",
        "a table of tokens knows it",
        ("frequency",),
    ),
    "position_early": (
        _position_early,
        "one of the first eight tokens of its window",
        "embeddings of positions; paragraphs begin windows",
        ("place",),
    ),
    "repeats_in_window": (
        _repeats_in_window,
        "of a kind that came before in the window, against first times; tokens of three letters and more",
        "frequent kinds repeat, and late places: compare the table and the place",
        (),
    ),
}
for _name, (_rule, _sentence, _confound, _itself) in _RULES.items():
    add_property(
        Property(_name, _sentence, "token", _ENGLISH, _LICENSE, _confound, label=_rule, itself=_itself),
        __name__,
    )
