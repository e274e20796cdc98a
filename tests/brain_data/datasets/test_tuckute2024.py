"""tuckute2024 on the real file."""

import numpy as np
import pytest

import brodmann


@pytest.fixture(scope="module")
def dataset(test_data):
    brodmann.add_dataset("tuckute2024", test_data / "tuckute2024-lh-rois")
    return brodmann.load_dataset("tuckute2024")


def test_what_is_there(dataset):
    assert dataset.modality == "language"
    assert dataset.regions == ["AntTemp", "IFG", "IFGorb", "MFG", "PostTemp", "netw"]
    assert dataset.responses.shape == (1000, 6)
    assert dataset.stimuli["sentence"].is_unique
    assert dataset.stimuli["n_words"].value_counts().to_dict() == {6: 996, 7: 4}
    assert {region: one.value for region, one in dataset.published_ceilings.items()} == {"netw": 0.559}
    assert "s41562-023-01783-7" in dataset.bibtex


def test_the_first_sentence_has_its_response(dataset):
    first = dataset.responses.sel(presentation=0)
    assert str(first["stimulus_id"].values) == "B.1"
    assert dataset.stimuli["sentence"].iloc[0] == "Taste that fowl and those fish."
    assert float(dataset.region("netw")[0, 0]) == 0.421033246


def test_the_responses_are_those_of_the_authors(dataset):
    """Signal and noise as the authors published them predict the spread: sqrt(.1880^2 + .6234^2 / 5)."""
    netw = dataset.region("netw").values[:, 0]
    assert netw.std(ddof=1) == pytest.approx(np.sqrt(0.1880**2 + 0.6234**2 / 5), abs=0.001)
    r = np.corrcoef(dataset.responses.values.T)
    pairs = r[np.triu_indices(5, 1)]
    assert 0.45 < pairs.min() < pairs.max() < 0.78
    assert (r[:5, 5] > 0.7).all()


def test_longer_sentences_get_larger_responses(dataset):
    length = dataset.stimuli["sentence"].str.len().to_numpy()
    assert all(0.1 < np.corrcoef(length, region)[0, 1] < 0.3 for region in dataset.responses.values.T)
