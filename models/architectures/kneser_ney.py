"""N-grams with interpolated modified Kneser-Ney smoothing, as arrays.

    p_k(w | c) = max(a(c w) - D(a(c w)), 0) / sum_v a(c v)  +  g(c) p_{k-1}(w | c')

where c' is c without its first word, a counts how often an n-gram of the highest order occurs and, of a shorter one,
after how many different words (one that begins a sentence: how often), D is one of three discounts by a = 1, 2, more,
and g(c) is what they leave. The unigrams are mixed with one over the number of words. Chen & Goodman (1999), Computer
Speech & Language 13:359.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

BEGIN, UNKNOWN = 0, 1
"""What begins a sentence, and any word that is not known; known words are numbered from 2."""
_FALLBACK = (0.5, 1.0, 1.5)
"""Discounts where counts of counts are too few to estimate them."""


@dataclass(frozen=True)
class Level:
    """The n-grams of one length.

    Attributes
    ----------
    keys : array of shape (n_grams,)
        Sorted: the number of the n-gram without its last word, times the number of words, plus the last word.
    left : array of shape (n_grams,)
        What is left of each one's count, over the total of its context.
    backoff : array of shape (n_contexts,)
        What each context leaves to shorter ones; 1 for a context that nothing follows.
    """

    keys: Integers = field(repr=False)
    left: Floats = field(repr=False)
    backoff: Floats = field(repr=False)


@dataclass(frozen=True)
class KneserNey:
    """A trained model over numbers of words.

    Attributes
    ----------
    n_words : int
        With those that begin a sentence and stand for unknown words.
    levels : list of Level
        From unigrams on.
    """

    n_words: int
    levels: list[Level]

    @classmethod
    def of(cls, sentences: Sequence[Sequence[int]], n_words: int, order: int = 5) -> KneserNey:
        """Count the n-grams of sentences, each without its beginning."""
        words, depth = _laid_out(sentences, order)
        places = np.arange(len(words))
        nodes, keys, raw, firsts = [words], [np.arange(n_words)], [np.bincount(words, minlength=n_words)], []
        for length in range(2, order + 1):
            key = _keys(nodes[-1], words, depth, length, n_words)
            there = key >= 0
            found, first, member, counts = np.unique(
                key[there], return_index=True, return_inverse=True, return_counts=True
            )
            node = np.full(len(words), -1, np.int64)
            node[there] = member
            firsts.append(places[there][first])
            nodes.append(node)
            keys.append(found.astype(np.int64))
            raw.append(counts)
        adjusted = [np.asarray(one, np.float64) for one in raw]
        for length in range(1, order):
            place = firsts[length - 1]
            after = np.bincount(nodes[length - 1][place], minlength=len(keys[length - 1])).astype(np.float64)
            begins = np.zeros(len(after), bool)
            here = nodes[length - 1] >= 0
            begins[nodes[length - 1][here & (depth == length)]] = True
            adjusted[length - 1] = np.where(begins, raw[length - 1], after)
        adjusted[0][BEGIN] = 0
        levels = [_level(keys[0], adjusted[0], np.zeros(n_words, np.int64), 1)]
        levels += [
            _level(keys[k], adjusted[k], keys[k] // n_words, len(keys[k - 1])) for k in range(1, order)
        ]
        return cls(n_words, levels)

    def log_probabilities(self, sentences: Sequence[Sequence[int]]) -> list[Floats]:
        """Logarithm of p of every word of each sentence, given those before it."""
        words, depth = _laid_out(sentences, len(self.levels))
        first = self.levels[0]
        p = first.left[words] + first.backoff[0] / (self.n_words - 1)
        before = words
        for length, level in enumerate(self.levels[1:], start=2):
            key = _keys(before, words, depth, length, self.n_words)
            place = np.searchsorted(level.keys, key)
            known = (key >= 0) & (np.take(level.keys, place, mode="clip") == key)
            in_context = key >= 0
            context = np.where(in_context, key // self.n_words, 0)
            left = np.where(known, level.left[np.minimum(place, len(level.left) - 1)], 0.0)
            p = np.where(in_context, left + level.backoff[context] * p, p)
            before = np.where(known, place, -1)
        ends = np.cumsum([len(one) + 1 for one in sentences])
        log_p = np.log(p)
        return [log_p[end - len(one) : end] for end, one in zip(ends, sentences, strict=True)]

    def arrays(self) -> dict[str, npt.NDArray[np.float64] | Integers]:
        """As a file keeps it."""
        named = {
            f"{name}{k}": getattr(level, name)
            for k, level in enumerate(self.levels)
            for name in ("keys", "left", "backoff")
        }
        return named | {"n_words": np.array([self.n_words])}

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, npt.NDArray[np.float64] | Integers]) -> KneserNey:
        """What :meth:`arrays` gave."""
        n = sum(name.startswith("keys") for name in arrays)
        levels = [
            Level(
                np.asarray(arrays[f"keys{k}"], np.int64),
                np.asarray(arrays[f"left{k}"]),
                np.asarray(arrays[f"backoff{k}"]),
            )
            for k in range(n)
        ]
        return cls(int(arrays["n_words"][0]), levels)


def _laid_out(sentences: Iterable[Sequence[int]], order: int) -> tuple[Integers, Integers]:
    """All words behind one another, each sentence begun, and how long an n-gram may end at each."""
    words, depth = [], []
    for one in sentences:
        words += [BEGIN, *one]
        depth += [1, *(min(order, place + 2) for place in range(len(one)))]
    return np.array(words, np.int64), np.array(depth, np.int64)


def _keys(before: Integers, words: Integers, depth: Integers, length: int, n_words: int) -> Integers:
    """Of the n-gram that ends at each word; -1 where there is none that long, or what precedes was never seen."""
    context = np.r_[np.int64(-1), before[:-1]]
    keys: Integers = np.where((depth >= length) & (context >= 0), context * n_words + words, -1)
    return keys


def _level(keys: Integers, counts: Floats, contexts: Integers, n_contexts: int) -> Level:
    discount = _discounts(counts)
    taken = discount[np.minimum(counts, 3).astype(np.intp)]
    total = np.bincount(contexts, counts, n_contexts)
    free = np.bincount(contexts, taken, n_contexts)
    some = total > 0
    backoff = np.where(some, free / np.where(some, total, 1.0), 1.0)
    left = (counts - taken) / np.where(some, total, 1.0)[contexts]
    return Level(keys, left, backoff)


def _discounts(counts: Floats) -> Floats:
    """Of counts 0, 1, 2 and more: 1 - 2 Y n2 / n1, 2 - 3 Y n3 / n2, 3 - 4 Y n4 / n3, with Y = n1 / (n1 + 2 n2)."""
    n = [float((counts == one).sum()) for one in (1, 2, 3, 4)]
    if min(n) == 0:
        return np.array([0.0, *_FALLBACK])
    share = n[0] / (n[0] + 2 * n[1])
    found = [k + 1 - (k + 2) * share * n[k + 1] / n[k] for k in range(3)]
    return np.array([0.0, *(min(max(one, 0.0), k + 1.0) for k, one in enumerate(found))])
