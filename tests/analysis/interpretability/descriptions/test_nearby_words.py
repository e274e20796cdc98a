"""Words put together from pieces, and rows of different windows."""

import numpy as np
from scipy.sparse import csc_array

from brodmann.analysis.interpretability.descriptions.base import Part
from brodmann.analysis.interpretability.descriptions.evidence import Reading
from brodmann.analysis.interpretability.descriptions.nearby_words import _keys, strongest_rows, words_of

PIECES = [" hed", "gehog", " ran", ".", " a", " 12", " fast", "er", ","]


def read(tokens, window):
    tokens, window = np.array(tokens), np.array(window)
    return Reading(tokens, window, window // 2, np.arange(len(tokens)), dict(enumerate(PIECES)))


def test_pieces_make_words_that_end_at_spaces_marks_and_windows():
    shown = read([0, 1, 3, 6, 7, 4, 2, 7, 5, 1], [0, 0, 0, 0, 0, 0, 0, 1, 1, 1])
    number, words = words_of(shown)
    said = [words[i] if i >= 0 else "" for i in number]
    assert said == ["hedgehog", "hedgehog", "", "faster", "faster", "", "ran", "", "", "gehog"]


def test_a_word_is_near_within_twenty_tokens_of_its_window_and_not_itself():
    tokens = np.full(100, 4)
    tokens[[0, 50, 60]] = 2
    window = np.repeat([0, 1], 50)
    shown = read(np.tile(tokens, 4), np.concatenate([window + 2 * i for i in range(4)]))
    keys = _keys(shown)
    assert [keys.name(i) for i in range(keys.held.shape[1])] == ["ran"]
    near = np.flatnonzero(keys.held.toarray()[:100, 0])
    assert near.tolist() == [*range(1, 21), *range(51, 60), *range(61, 81)]


def test_the_strongest_rows_are_one_of_each_window():
    shown = read([4] * 40, np.repeat(np.arange(10), 4))
    f = np.zeros((40, 2))
    f[:, 0] = np.arange(40)
    f[[0, 1, 9], 1] = [1, 3, 2]
    found = strongest_rows(Part(shown, np.arange(40), csc_array(f)), 3).toarray()
    assert np.flatnonzero(found[0]).tolist() == [31, 35, 39]
    assert np.flatnonzero(found[1]).tolist() == [1, 9]
