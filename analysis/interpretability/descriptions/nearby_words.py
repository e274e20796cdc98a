"""Which words stand near where it fires most, more often than anywhere."""

import numpy as np
from scipy.sparse import csc_array, csr_array

from .base import N_KEYS, SHRINK, Family, Floats, Keys, Part, add_family, counts, largest, masses
from .evidence import Indices, Reading, Shown

_REACH = 20
"""Tokens on both sides."""
_LEAST, _LETTERS, _MOST_WORDS = 10, 3, 5000
_N_TOP, _LEAST_TOP = 50, 5
"""Strongest rows, one of a window; rows of them that a word must stand near."""


def words_of(shown: Reading) -> tuple[Indices, list[str]]:
    """The word that each token is a piece of, -1 for none of three letters, and the words.

    A word begins at a token with a space before it, at the first of a window, and around marks.
    """
    names, kind = shown.names, shown.kinds[1]
    bare = [one.strip().lower() for one in names]
    letters = np.array([one.isalpha() for one in bare], bool)
    begins = np.array([not one or one[0].isspace() for one in names], bool)[kind] | ~letters[kind]
    begins |= np.diff(shown.window, prepend=-1) != 0
    begins[1:] |= ~letters[kind[:-1]]
    number = np.cumsum(begins) - 1
    starts = np.flatnonzero(begins)
    texts = [""] * len(starts)
    for word, token in zip(number.tolist(), kind.tolist(), strict=True):
        texts[word] += bare[token]
    known: dict[str, int] = {}
    ids = np.array(
        [
            known.setdefault(one, len(known)) if len(one) >= _LETTERS and one.isalpha() else -1
            for one in texts
        ],
        np.intp,
    )
    return ids[number], list(known)


def _keys(shown: Shown) -> Keys | None:
    assert isinstance(shown, Reading)
    word, names = words_of(shown)
    count = np.bincount(word[word >= 0], minlength=len(names))
    frequent = np.argsort(-count, kind="stable")[:_MOST_WORDS]
    frequent = frequent[count[frequent] >= _LEAST]
    if not len(frequent):
        return None
    renumbered = np.full(len(names) + 1, -1)
    renumbered[frequent] = np.arange(len(frequent))
    near = renumbered[word]
    own, rows, found = near[shown.position], [], []
    for offset in (*range(-_REACH, 0), *range(1, _REACH + 1)):
        at = shown.position + offset
        inside = (at >= 0) & (at < len(near))
        at = np.where(inside, at, 0)
        inside &= (shown.window[at] == shown.window[shown.position]) & (near[at] >= 0) & (near[at] != own)
        rows.append(np.flatnonzero(inside))
        found.append(near[at[inside]])
    place, number = np.concatenate(rows), np.concatenate(found)
    held = csr_array((np.ones(len(place), np.float32), (place, number)), shape=(len(shown), len(frequent)))
    held.sum_duplicates()
    held.data[:] = 1
    return Keys(held, [names[i] for i in frequent].__getitem__)


def strongest_rows(part: Part, n_top: int = _N_TOP) -> csr_array:
    """1 at the strongest rows of every column, one of a window, (n, n_rows)."""
    assert isinstance(part.shown, Reading)
    window = part.shown.window[part.shown.position[part.rows]]
    f, kept, owner = part.activations, [], []
    for column in range(f.shape[1]):
        here = slice(f.indptr[column], f.indptr[column + 1])
        order = np.argsort(-f.data[here], kind="stable")[: 4 * n_top]
        rows = f.indices[here][order]
        _, first = np.unique(window[rows], return_index=True)
        rows = rows[np.sort(first)[:n_top]]
        kept.append(rows)
        owner.append(np.full(len(rows), column))
    place = np.concatenate([*kept, np.empty(0, np.intp)])
    ones = np.ones(len(place), np.float32)
    return csr_array((ones, (np.concatenate([*owner, np.empty(0, np.intp)]), place)), shape=f.shape[::-1])


def _table(keys: Keys, part: Part) -> csc_array:
    """Words of largest n log(p(word near a strong row) / p(word near any row)), each with what it adds to the mean.

    The value is max(0, sum of f near the word / (rows near it + 5) - mean of f).
    """
    top = strongest_rows(part)
    near = csc_array((top @ keys.held).T)
    n_top = np.asarray(top.sum(axis=1)).ravel()
    column = np.repeat(np.arange(near.shape[1]), np.diff(near.indptr))
    anywhere = (counts(keys)[near.indices] + 1) / (keys.held.shape[0] + 1)
    pmi = np.log(near.data / n_top[column] / anywhere)
    weight = np.where((near.data >= _LEAST_TOP) & (pmi > 0), near.data * pmi, 0.0)
    kept = largest(csc_array((weight, near.indices, near.indptr), shape=near.shape), N_KEYS)
    return _lifted(keys, part, kept)


def _lifted(keys: Keys, part: Part, kept: csc_array) -> csc_array:
    f = part.activations
    column = np.repeat(np.arange(kept.shape[1]), np.diff(kept.indptr))
    used, place = np.unique(kept.indices, return_inverse=True)
    sums = masses(Keys(csr_array(keys.by_key[:, used]), keys.name), f).toarray()[place, column]
    mean: Floats = np.asarray(f.sum(axis=0), np.float64).ravel() / max(f.shape[0], 1)
    values = np.maximum(sums / (counts(keys)[kept.indices] + SHRINK) - mean[column], 0)
    made = csc_array((values, kept.indices, kept.indptr), shape=kept.shape)
    made.eliminate_zeros()
    return made


add_family(
    Family("nearby words", "text", "fires near", "words within 20 tokens, by PMI", _keys, _table), __name__
)
