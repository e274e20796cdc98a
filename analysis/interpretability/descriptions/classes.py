"""Which class of tokens it fires on: digits, marks, headings, quotations, what follows a comma."""

import itertools
import re

import numpy as np
from scipy.sparse import csc_array, csr_array

from ....brain_data.probing.base import PROPERTIES, TokenizedText, frequency_ranks
from ....brain_data.probing.material import Material
from ....errors import UserError
from .base import SHRINK, Family, Floats, Keys, Part, add_family, counts, masses
from .evidence import Indices, Reading, Shown

_SPECIAL = re.compile(r"<\|.*\|>|</?s>|<pad>|\[(?:CLS|SEP|PAD|BOS|EOS)\]")
_WHERE = {
    "follows_comma": "after commas",
    "in_heading": "in headings",
    "in_parentheses": "in parentheses",
    "in_quotation": "in quotations",
    "is_auxiliary": "on auxiliaries",
    "is_capitalised": "on words with a capital",
    "is_conjunction": "on conjunctions",
    "is_determiner": "on determiners",
    "is_digit": "on digits",
    "is_month_or_weekday": "on months and weekdays",
    "is_preposition": "on prepositions",
    "is_pronoun": "on pronouns",
    "is_punctuation": "on punctuation",
    "is_rare_token": "on rare tokens",
    "is_unk_mark": "on <unk>",
    "is_year": "on years",
    "position_early": "early in its window",
    "repeats_in_window": "on what came before in its window",
    "sentence_end": "at ends of sentences",
    "sentence_start": "at starts of sentences",
    "word_continues": "within words",
}
_LEAST = 20
"""Rows of a class, and rows outside it."""


def _keys(shown: Shown) -> Keys | None:
    """Properties of tokens that need no list of words: a key each that occurs."""
    assert isinstance(shown, Reading)
    rules = {
        name: one.label
        for name, one in PROPERTIES.items()
        if one.label is not None and one.needs is None and not one.by_model
    }
    texts, material = tokenized(shown), Material()
    names, rows = [], []
    for name, label in rules.items():
        try:
            marks = np.concatenate([label(text, material) for text in texts])[shown.position] == 1
        except UserError:  # a rule of a package's that needs what is not at hand
            continue
        if _LEAST <= marks.sum() <= len(marks) - _LEAST:
            names.append(name)
            rows.append(np.flatnonzero(marks))
    if not names:
        return None
    number = np.repeat(np.arange(len(names)), list(map(len, rows)))
    place = np.concatenate(rows)
    held = csr_array((np.ones(len(place), np.float32), (place, number)), shape=(len(shown), len(names)))
    return Keys(held, [in_words(name) for name in names].__getitem__)


def in_words(name: str) -> str:
    """Where that is, behind "fires": ``in_heading`` -> in headings, ``is_digit`` -> on digits."""
    return _WHERE.get(name) or f"where {name.removeprefix('is_').replace('_', ' ')}"


def tokenized(shown: Reading) -> list[TokenizedText]:
    """Each document put together from its tokens, with the letters that each covers; special tokens end lines."""
    owners = np.flatnonzero(np.diff(shown.document, prepend=-1))
    bounds = [*owners.tolist(), len(shown.tokens)]
    spans = [np.arange(a, b) for a, b in itertools.pairwise(bounds)]
    ranks = frequency_ranks([shown.kinds[1][one] for one in spans])
    return [_text_of(shown, span, rank) for span, rank in zip(spans, ranks, strict=True)]


def _text_of(shown: Reading, span: Indices, rank: Floats) -> TokenizedText:
    pieces = [
        "\n" if _SPECIAL.fullmatch(one) else one for one in (shown.names[i] for i in shown.kinds[1][span])
    ]
    ends = np.cumsum([len(one) for one in pieces], dtype=np.intp)
    start = ends - np.array([len(one.lstrip()) for one in pieces], np.intp)
    end = start + np.array([len(one.strip()) for one in pieces], np.intp)
    window = shown.window[span]
    first = np.flatnonzero(np.diff(window, prepend=-1))
    place = np.arange(len(span)) - np.repeat(first, np.diff([*first, len(span)]))
    return TokenizedText("".join(pieces), shown.tokens[span], start, end, place, window, rank)


def _table(keys: Keys, part: Part) -> csc_array:
    """The class whose membership correlates most with the activation, with its shrunk mean."""
    r = class_correlations(keys, part.activations)
    best = r.argmax(axis=0)
    column = np.flatnonzero(r.max(axis=0) > 0)
    key = best[column]
    sums = masses(keys, part.activations).toarray()[key, column]
    return csc_array((sums / (counts(keys)[key] + SHRINK), (key, column)), shape=r.shape)


def class_correlations(keys: Keys, activations: csc_array) -> Floats:
    """Correlation of every class with every activation, (n_keys, n); 0 of a constant."""
    n = activations.shape[0]
    share = counts(keys)[:, None] / n
    mean = np.asarray(activations.sum(axis=0), np.float64).ravel() / n
    squares = np.asarray(activations.multiply(activations).sum(axis=0), np.float64).ravel() / n
    both = masses(keys, activations).toarray() / n - share * mean
    spread = np.sqrt(share * (1 - share) * np.maximum(squares - mean**2, 0))
    r: Floats = np.divide(both, spread, out=np.zeros_like(both), where=spread > 1e-12)
    return r


add_family(
    Family("class", "text", "fires", "a class of tokens or a place in the text", _keys, _table), __name__
)
