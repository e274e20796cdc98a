"""frank2015 on the real file."""

import numpy as np
import pytest

import brodmann

COMPONENTS = ["ELAN", "LAN", "N400", "EPNP", "P600", "PNP"]


@pytest.fixture(scope="module")
def dataset(test_data):
    brodmann.add_dataset("frank2015", test_data / "frank2015-erp")
    return brodmann.load_dataset("frank2015")


def test_what_is_there(dataset):
    assert dataset.modality == "language"
    assert dataset.regions == [
        *COMPONENTS,
        "self-paced",
        "first-fixation",
        "gaze",
        "right-bounded",
        "go-past",
    ]
    assert dataset.responses.shape == (1726, 11)
    assert np.isfinite(dataset.responses.values).all()
    assert dataset.stimuli["story"].nunique() == 205
    assert dict(dataset.published_ceilings) == {}
    assert "10.1016/j.bandl.2014.10.006" in dataset.bibtex


def test_a_word_stands_after_its_own_words_and_has_its_own_amplitudes(dataset):
    row = dataset.stimuli["stimulus_id"].tolist().index("word0577")
    word = dataset.stimuli.iloc[row]
    assert (word["sentence"], word["target"], word["story"]) == ("Arthur placed the", "the", "sentence096")
    assert str(dataset.responses["stimulus_id"].values[row]) == "word0577"
    assert dataset.responses.values[row, :6].tolist() == [
        -0.5149381641589857, 0.0804199131855508, 1.1458710791035132, -0.6608746442412289, 1.005231123586947,
        1.627545330967049,
    ]  # fmt: skip
    assert dataset.responses.values[row, 6:].tolist() == [
        296.1666666666667, 71.14285714285714, 75.80952380952381, 86.57142857142857, 102.95238095238096,
    ]  # fmt: skip
    assert word["log_frequency"] == 14.222246857765809
    assert dataset.stimuli["log_frequency"].isna().sum() == 30


def test_a_context_that_reads_like_a_missing_value_is_a_word(dataset):
    assert "None of" in dataset.stimuli["sentence"].tolist()


def test_every_sentence_grows_word_by_word_and_shows_nothing_to_come(dataset):
    for _, words in dataset.stimuli.groupby("story"):
        assert words["position"].tolist() == list(range(1, len(words) + 1))
        texts = words["sentence"].tolist()
        assert texts[1:] == [f"{text} {word}" for text, word in zip(texts, words["target"][1:], strict=False)]


def test_the_n400_of_a_predictable_word_is_less_negative_and_no_other_component_knows_it_as_well(dataset):
    """Cloze probability is the N400's classical predictor; r with GPT-2's surprisal is .076 in the released table."""
    cloze, surprisal = dataset.stimuli["cloze_probability"], dataset.stimuli["surprisal_gpt2"]
    r = {name: np.corrcoef(dataset.region(name).values[:, 0], cloze)[0, 1] for name in COMPONENTS}
    assert r["N400"] == pytest.approx(0.31, abs=0.005)
    assert max(value for name, value in r.items() if name != "N400") < 0.2
    n400 = dataset.region("N400").values[:, 0]
    assert np.corrcoef(n400, surprisal)[0, 1] == pytest.approx(0.076, abs=5e-4)
