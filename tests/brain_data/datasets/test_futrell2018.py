"""futrell2018 on the real files."""

import numpy as np
import pytest

import brodmann


@pytest.fixture(scope="module")
def dataset(test_data):
    brodmann.add_dataset("futrell2018", test_data / "futrell2018-natural-stories")
    return brodmann.load_dataset("futrell2018")


def test_what_is_there(dataset):
    assert dataset.modality == "language"
    assert dataset.regions == ["reading"]
    assert dataset.responses.shape == (10256, 1)
    sizes = dataset.stimuli.groupby("story").size()
    assert sizes.tolist() == [1073, 990, 1040, 1085, 1013, 1099, 999, 980, 1038, 939]
    assert "10.1007/s10579-020-09503-7" in dataset.bibtex


def test_words_stand_in_the_order_of_their_stories_with_their_own_times(dataset):
    first = dataset.stimuli["word"][:10].tolist()
    assert " ".join(first) == "If you were to journey to the North of England,"
    assert dataset.responses.values[:2, 0].tolist() == [369.0119048, 368.183908]
    for _, words in dataset.stimuli.groupby("story"):
        assert words["position"].tolist() == list(range(1, len(words) + 1))


def test_words_that_a_spreadsheet_took_for_truth_values_are_words(dataset):
    words = dataset.stimuli.set_index("stimulus_id")["word"]
    assert (words["story01-0984"], words["story08-0599"]) == ("true", "false")


def test_a_sentence_begins_after_a_full_stop(dataset):
    words, place = dataset.stimuli["word"].tolist(), dataset.stimuli["place_in_sentence"].to_numpy()
    assert words[24] == "mountains."
    assert place[23:27].tolist() == [24, 25, 1, 2]
    first = np.flatnonzero(place == 1)
    assert 400 < len(first) < 600
    assert np.mean([words[row][0].isupper() or not words[row][0].isalpha() for row in first]) > 0.97


def test_long_words_take_longer(dataset):
    letters = dataset.stimuli["word"].str.len()
    assert np.corrcoef(letters, dataset.responses.values[:, 0])[0, 1] > 0.2
