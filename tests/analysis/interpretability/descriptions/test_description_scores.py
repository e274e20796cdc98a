"""Scores against dense arithmetic, and what near misses cost."""

import numpy as np
import pytest
from planted_texts import kind, number, reading
from scipy.sparse import csc_array

from brodmann.analysis.interpretability.descriptions.base import Keys, counts, largest, masses, one_key
from brodmann.analysis.interpretability.descriptions.classes import class_correlations, tokenized
from brodmann.analysis.interpretability.descriptions.scores import (
    correlations,
    coverage_and_purity,
    predicted,
    score_tables,
)


@pytest.fixture
def drawn():
    rng = np.random.default_rng(0)
    return [rng.random((400, 7)) * (rng.random((400, 7)) < 0.2) for _ in range(2)]


def test_r_is_numpys(drawn):
    a, b = drawn
    a[:, 3] = 0
    found = correlations(csc_array(a), csc_array(b))
    expected = [np.corrcoef(a[:, i], b[:, i])[0, 1] for i in range(7) if i != 3]
    assert np.allclose(found[[0, 1, 2, 4, 5, 6]], expected, rtol=1e-10)
    assert np.isnan(found[3])


def test_r_of_classes_is_numpys(drawn):
    held = np.random.default_rng(1).random((400, 3)) < 0.3
    keys = Keys(csc_array(held.astype(np.float32)).tocsr(), str)
    found = class_correlations(keys, csc_array(drawn[0]))
    expected = [[np.corrcoef(held[:, i], drawn[0][:, j])[0, 1] for j in range(7)] for i in range(3)]
    assert np.allclose(found, expected, rtol=1e-6)


def test_coverage_is_of_the_mass_and_purity_of_the_rows():
    guess = csc_array(np.array([[1.0], [1], [0], [0], [2]]))
    f = csc_array(np.array([[3.0], [0], [1], [0], [4]]))
    coverage, purity = coverage_and_purity(guess, f)
    assert coverage[0] == pytest.approx(7 / 8)
    assert purity[0] == pytest.approx(2 / 3)


def test_masses_and_counts_of_one_key_a_row(drawn):
    number = np.random.default_rng(2).integers(-1, 5, 400)
    keys = Keys(one_key(number, 5), str)
    assert counts(keys).tolist() == [int((number == i).sum()) for i in range(5)]
    expected = [drawn[0][number == i].sum(axis=0) for i in range(5)]
    assert np.allclose(masses(keys, csc_array(drawn[0])).toarray(), expected)
    table = csc_array(np.random.default_rng(3).random((5, 7)))
    rows = np.array([3, 1, 399])
    said = predicted(keys, rows, table).toarray()
    for row, of in zip(rows, said, strict=True):
        assert np.allclose(of, 0 if number[row] < 0 else table.toarray()[number[row]])


def test_only_the_largest_masses_are_kept():
    mass = np.array([[3.0, 0], [1, 0], [2, 0], [4, 5]])
    assert largest(csc_array(mass), 2).toarray().tolist() == [[3, 0], [0, 0], [0, 0], [4, 5]]


def test_near_misses_lower_detection_but_not_by_more_than_they_are():
    """It fires on " the" in every second window: r is low, and the silent " the" are told from nothing."""
    shown = reading(seed=2)
    the = kind(shown) == number(" the")
    half = the & (shown.window[shown.position] % 2 == 0)
    keys = Keys(one_key(kind(shown), 60), str)
    table = csc_array((np.array([1.0]), (np.array([number(" the")]), np.array([0]))), shape=(60, 1))
    first, second = np.array_split(np.arange(len(shown)), 2)

    def scored(latent):
        f = csc_array(latent[:, None].astype(float))
        return score_tables(keys, table, ((first, f[first]), (second, f[second])), random_state=0)

    assert scored(the).detection[0] == 1.0
    found = scored(half)
    assert (
        0.65 < found.detection[0] < 0.8
    )  # all firing ones are found, half of the silent ones are near misses
    assert found.coverage[0] == 1.0
    assert found.purity[0] == pytest.approx(0.5, abs=0.05)


def test_a_document_is_put_together_from_its_tokens_with_their_letters():
    shown = reading(n_documents=3, n_each=64)
    for text, document in zip(tokenized(shown), range(3), strict=True):
        span = np.flatnonzero(shown.document == document)
        names = [shown.texts[int(one)] for one in shown.tokens[span]]
        assert text.text == "".join(names)
        assert text.pieces() == [one.strip() for one in names]
        assert text.place.tolist() == [*range(32), *range(32)]
