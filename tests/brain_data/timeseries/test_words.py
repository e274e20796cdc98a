"""Properties of words by hand: of a story, of sentences, and of tables that lack them."""

import numpy as np
import pandas as pd
import pytest

from brodmann import UserError
from brodmann.brain_data.timeseries import words as of

STORY = pd.DataFrame(
    {
        "stimulus_id": [f"w{i}" for i in range(6)],
        "story": ["one"] * 4 + ["two"] * 2,
        "word": ["The", "dog", '"Dog,"', "the", "the", "Élan."],
        "onset": [0.0, 0.5, 0.9, 2.0, 0.0, 0.4],
        "offset": [
            0.5,
            1.1,
            1.5,
            2.0,
            0.25,
            1.4,
        ],  # the second and the third overlap, the fourth has no length
        "text": ["The dog"] * 6,
    }
)
SENTENCES = pd.DataFrame({"sentence": ["a dog", "a  horse ran", "Dog!"]})


def test_a_word_of_a_story_counts_once() -> None:
    np.testing.assert_array_equal(of.word_rate(STORY), np.ones((6, 1)))
    np.testing.assert_array_equal(of.word_rate(SENTENCES), [[2], [3], [1]])


def test_length_is_characters_as_written() -> None:
    np.testing.assert_array_equal(of.word_length(STORY)[:, 0], [3, 3, 6, 3, 3, 5])
    np.testing.assert_allclose(of.word_length(SENTENCES)[:, 0], [2, 3, 4])  # means of 1, 3; of 1, 5, 3; of 4


def test_frequency_is_the_log_count_over_all_stories_whatever_the_case_and_marks() -> None:
    np.testing.assert_allclose(of.word_frequency(STORY)[:, 0], np.log([3, 2, 2, 3, 3, 1]))
    np.testing.assert_allclose(
        of.word_frequency(SENTENCES)[:, 0], [np.log(2), np.log(2) / 3, np.log(2)]
    )  # a: 2, dog: 2, horse: 1, ran: 1


def test_a_corpus_of_ones_own_goes_before_counts() -> None:
    counted = STORY.assign(frequency=[100, 10, 10, 100, 100, 1])
    np.testing.assert_allclose(of.word_frequency(counted)[:, 0], np.log([100, 10, 10, 100, 100, 1]))
    given = counted.assign(log_frequency=[-1.0, -2, -2, -1, -1, -9])
    np.testing.assert_array_equal(of.word_frequency(given)[:, 0], [-1, -2, -2, -1, -1, -9])
    with pytest.raises(UserError, match="'frequency' has 2 values that are not above 0"):
        of.word_frequency(STORY.assign(frequency=[0, 10, 10, 100, 100, 0]))
    with pytest.raises(UserError, match=r"'log_frequency' has no number for 1 of 6 stimuli \(first: w5\)"):
        of.word_frequency(STORY.assign(log_frequency=[-1.0, -2, -2, -1, -1, np.nan]))


def test_duration_is_in_seconds_and_may_be_none() -> None:
    np.testing.assert_allclose(of.word_duration(STORY)[:, 0], [0.5, 0.6, 0.6, 0, 0.25, 1.0])
    with pytest.raises(UserError, match="^the stimuli have no column 'offset'$"):
        of.word_duration(SENTENCES)


@pytest.mark.parametrize(
    "phonemes",
    [
        [2, 3, 3, 2, 2, 4],
        ["2", "3", "3", "2", "2", "4"],
        ["DH AH", "D AO G", "D AO G", "DH AH", "DH AH", "EY L AE N"],
    ],
)
def test_phonemes_are_counted_or_given(phonemes: list[object]) -> None:
    np.testing.assert_array_equal(of.phoneme_rate(STORY.assign(phonemes=phonemes))[:, 0], [2, 3, 3, 2, 2, 4])


def test_what_a_table_does_not_tell_is_one_line() -> None:
    for function, line in (
        (of.word_rate, "no text whose words could be counted"),
        (of.word_length, "no text whose words could be counted"),
        (of.word_frequency, "no text whose words could be counted"),
        (of.phoneme_rate, "no column 'phonemes'"),
        (of.sound_power, "no column 'sound_power'"),
    ):
        with pytest.raises(UserError, match=line) as error:
            function(pd.DataFrame({"stimulus_id": ["a"], "onset": [0.0]}))
        assert "\n" not in str(error.value)
    with pytest.raises(UserError, match=r"'sound_power' has no number for 2 of 6 stimuli \(first: w1\)"):
        of.sound_power(STORY.assign(sound_power=[1.0, np.nan, np.inf, 1, 2, 3]))


def test_one_word_is_a_story() -> None:
    alone = STORY.iloc[[5]].reset_index(drop=True)
    for function, value in (
        (of.word_rate, 1),
        (of.word_length, 5),
        (of.word_frequency, 0),
        (of.word_duration, 1),
    ):
        np.testing.assert_allclose(function(alone), [[value]])
