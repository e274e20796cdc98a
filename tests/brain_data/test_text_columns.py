"""The texts that are shown are those that were meant, where a table has several columns of them."""

import numpy as np
import pandas as pd
import pytest

from brodmann import UserError
from brodmann.brain_data.near_duplicates import alike
from brodmann.brain_data.stimulus_set import StimulusSet
from brodmann.brain_data.text_columns import text_column
from brodmann.models.extraction.texts import passages, text_of

WORDS = ["The", "dog", "saw", "A", "cat", "ran"]
SENTENCES = ["the dog saw"] * 3 + ["A cat ran"] * 3


def stimuli(**columns):
    return StimulusSet({"stimulus_id": [f"s{i}" for i in range(6)], **columns})


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"sentence": SENTENCES}, "sentence"),
        ({"word": WORDS, "sentence": SENTENCES}, "word"),
        ({"sentence": [1, 1, 1, 2, 2, 2], "word": WORDS}, "word"),
        ({"sentence": list("111222"), "word": WORDS}, "word"),
        ({"sentence": np.arange(6) / 2, "text": SENTENCES}, "text"),
        ({"sentence": SENTENCES, "word": range(6)}, "sentence"),
        ({"sentence": SENTENCES, "text": SENTENCES}, "sentence"),
        ({"sentence": list("123456")}, "sentence"),
        ({"target": WORDS, "sentence": SENTENCES}, "sentence"),
        ({"run": range(6)}, None),
        ({"onset": np.arange(6.0), "word": ["x", *WORDS[1:]], "sentence": SENTENCES}, "word"),
        ({"onset": np.arange(6.0), "word": WORDS, "text": [one.upper() + "." for one in SENTENCES]}, "word"),
        ({"onset": np.arange(6.0), "word": range(6), "sentence": SENTENCES}, "sentence"),
    ],
)
def test_the_column_that_holds_the_texts(columns, expected):
    shown = stimuli(**columns)
    assert text_column(shown) == expected
    if expected:
        assert text_of(shown) == list(columns[expected])


@pytest.mark.parametrize(
    "other", [{"word": ["x", *WORDS[1:]]}, {"text": [one.upper() + "." for one in SENTENCES]}]
)
def test_two_columns_of_texts_are_asked_about(other):
    with pytest.raises(UserError, match="texts in 'sentence' and in"):
        text_of(stimuli(sentence=SENTENCES, **other))


@pytest.mark.parametrize("sentence", [SENTENCES, [1, 1, 1, 2, 2, 2]])
def test_words_stand_in_their_sentence(sentence):
    shown = stimuli(
        sentence=sentence, word=["a", "b", "a", "a", "a", "a"] if sentence != SENTENCES else WORDS
    )
    assert passages(shown) == [[0, 1, 2], [3, 4, 5]]
    assert alike(shown).same is None


@pytest.mark.parametrize("column", ["story", "passage"])
@pytest.mark.parametrize("blank", [pd.NA, "", "  ", None, float("nan")])
def test_a_stimulus_of_no_passage_is_refused(column, blank):
    with pytest.raises(UserError, match=rf"2 stimuli have no '{column}' to be read in \(first: 's2'\)"):
        passages(stimuli(word=WORDS, **{column: ["one", "one", blank, blank, "two", "two"]}))
