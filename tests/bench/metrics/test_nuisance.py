"""Nuisance spaces by hand: places of a sequence, its smoothed order, words of a text, columns."""

import numpy as np
import pandas as pd
import pytest

from brodmann import UserError
from brodmann.bench.metrics import nuisance
from brodmann.bench.metrics.recording import Recording
from brodmann.bench.metrics.sampling import Sampling
from brodmann.brain_data.timeseries import words


def recorded(n=6, **columns):
    table = {name: np.array(list(values), object) for name, values in columns.items()}
    return Recording("made.IT", np.arange(n).astype(object), np.zeros((n, 1, 2)), None, pd.DataFrame(), table)


def test_position_runs_from_minus_one_to_one_in_each_story():
    how = Sampling("groups", np.array([0, 0, 0, 1, 2, 2]), np.arange(6), "story")
    found = nuisance.position(recorded(), how)
    np.testing.assert_array_equal(found, [[-1, 1], [0, 0], [1, 1], [0, 0], [-1, 1], [1, 1]])
    alone = nuisance.position(recorded(5), Sampling("independent", None, np.array([4, 3, 2, 1, 0])))
    np.testing.assert_allclose(alone[:, 0], [1, 0.5, 0, -0.5, -1])
    np.testing.assert_allclose(alone[:, 1], [1, 0.25, 0, 0.25, 1])


def test_oasm_is_a_gaussian_of_one_and_of_two_samples_about_each():
    """In a long sequence its middle row is the normal density at whole numbers, normalised."""
    n = 41
    found = nuisance.oasm(recorded(n), Sampling("independent", None, np.arange(n)))
    assert found.shape == (n, 2 * n)
    spaces = found.reshape(n, n, 2)
    away = np.arange(n) - 20
    for i, width in enumerate((1.0, 2.0)):
        density = np.exp(-(away**2) / (2 * width**2)) * (np.abs(away) <= 4 * width)
        np.testing.assert_allclose(spaces[20, :, i], density / density.sum(), atol=1e-12)
        np.testing.assert_allclose(spaces[:, 20, i], density / density.sum(), atol=1e-12)
        # nothing comes in from beyond the ends
        from_there = np.r_[(density / density.sum())[20:], np.zeros(20)]
        np.testing.assert_allclose(spaces[0, :, i], from_there, atol=1e-12)


def test_oasm_joins_no_two_stories():
    how = Sampling("groups", np.array([0, 0, 0, 1, 1, 1]), np.array([0, 1, 2, 3, 4, 5]), "story")
    spaces = nuisance.oasm(recorded(), how).reshape(6, 6, 2)
    assert (spaces[:3, 3:] == 0).all()
    assert (spaces[3:, :3] == 0).all()
    np.testing.assert_array_equal(spaces[:3, :3], spaces[3:, 3:])
    assert (spaces[:3, :3] > 0).all()


def test_words_are_what_stands_between_spaces():
    one = recorded(3, sentence=["one", "two  words", " and three words "])
    np.testing.assert_array_equal(nuisance.of_words(one, words.word_rate), [[1.0], [2.0], [3.0]])
    with pytest.raises(UserError, match="^made.IT: the stimuli have no text whose words could be counted$"):
        nuisance.of_words(recorded(3, genre="abc"), words.word_rate)


def test_a_column_is_its_numbers_or_an_indicator_of_each_value():
    one = recorded(
        4, size=[1, 2, 2, 9], kind=["b", "a", "b", "c"], own=list("abcd"), truth=[True, False, True, True]
    )
    np.testing.assert_array_equal(nuisance.of_column(one, "size"), [[1], [2], [2], [9]])
    np.testing.assert_array_equal(
        nuisance.of_column(one, "kind"),
        [[0, 1, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]],
    )
    np.testing.assert_array_equal(nuisance.of_column(one, "truth"), [[1], [0], [1], [1]])
    assert nuisance.of_column(one, "size").dtype == np.float64
    with pytest.raises(
        UserError, match="^made.IT: every stimulus has its own 'own', so it is no nuisance space$"
    ):
        nuisance.of_column(one, "own")
    gaps = recorded(
        4, text=["a", None, "b", "a"], number=[1.0, np.inf, 2.0, 3.0], nan=[1.0, np.nan, 2.0, 3.0]
    )
    for name in ("text", "number", "nan"):
        with pytest.raises(
            UserError, match=f"^made.IT: the column '{name}' has missing values, so it is no nuis"
        ):
            nuisance.of_column(gaps, name)
