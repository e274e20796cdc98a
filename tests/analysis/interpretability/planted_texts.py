"""Texts of tokens drawn at random, in which latents can be planted: a token's, a pair's, a class's, a word's."""

import numpy as np

from brodmann.analysis.interpretability.descriptions.evidence import Reading

WORDS = [
    " the",
    " a",
    " of",
    " cat",
    " dog",
    " sea",
    " ran",
    ",",
    " 12",
    " 1984",
    " music",
    " violin",
    " river",
    "ing",
    ".",
]
N_KINDS = 60
NAMES = [*WORDS, *(f" word{chr(97 + i // 26)}{chr(97 + i % 26)}" for i in range(N_KINDS - len(WORDS)))]
WINDOW = 32


def reading(seed=0, n_documents=12, n_each=2000):
    """Every token but the first of each window has a row, as in a layer."""
    rng = np.random.default_rng(seed)
    n = n_documents * n_each
    p = 1 / np.arange(2, N_KINDS + 2)
    tokens = rng.choice(N_KINDS, n, p=p / p.sum()) * 3 + 100  # ids with gaps
    window = np.arange(n) // WINDOW
    position = np.flatnonzero(np.arange(n) % WINDOW)
    document = np.arange(n) // n_each
    return Reading(tokens, window, document, position, {i * 3 + 100: name for i, name in enumerate(NAMES)})


def kind(shown, offset=0):
    """The number of the token at each row, or beside it; -1 outside the window."""
    at = shown.position + offset
    inside = (at >= 0) & (at < len(shown.tokens))
    at = np.where(inside, at, 0)
    inside &= shown.window[at] == shown.window[shown.position]
    return np.where(inside, (shown.tokens[at] - 100) // 3, -1)


def number(name):
    return NAMES.index(name)
