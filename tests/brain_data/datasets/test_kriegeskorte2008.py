"""kriegeskorte2008 on the real files."""

import numpy as np
import pytest
from PIL import Image
from scipy.io import loadmat
from scipy.spatial.distance import squareform
from scipy.stats import spearmanr

import brodmann

FILE = "Kriegeskorte_Neuron2008_supplementalData.mat"


@pytest.fixture(scope="module")
def folder(test_data):
    return test_data / "kriegeskorte2008-92"


@pytest.fixture(scope="module")
def dataset(folder):
    brodmann.add_dataset("kriegeskorte2008", folder)
    return brodmann.load_dataset("kriegeskorte2008")


def test_what_is_there(dataset):
    assert dataset.regions == ["hIT", "mIT"]
    assert dataset.rdms["hIT"].shape == (4, 2, 92, 92)
    assert dataset.rdms["hIT"]["subject"].values.tolist() == ["BE", "KO", "SN", "TI"]
    assert dataset.rdms["mIT"].shape == (1, 1, 92, 92)
    assert dataset.responses is None
    assert dataset.has_stimuli
    assert dataset.license.startswith("MIT")
    assert "10.1016/j.neuron.2008.10.043" in dataset.bibtex
    assert len(dataset.digest) == 64


def test_the_images_are_the_recorded_ones(dataset, folder):
    original = loadmat(folder / FILE, squeeze_me=True)["stimuli_92objs"]
    assert len(dataset.stimuli) == len(original) == 92
    for row, (name, entry) in enumerate(zip(dataset.stimuli["stimulus_id"], original, strict=True)):
        with Image.open(dataset.stimuli.get_stimulus(name)) as image:
            np.testing.assert_array_equal(np.asarray(image), entry["image"])
        assert dataset.stimuli["category"].iloc[row] == entry["category"]
    counts = dataset.stimuli["category"].value_counts()
    assert counts.to_dict() == {
        "human bodypart": 12,
        "human face": 12,
        "nonhuman bodypart": 12,
        "nonhuman face": 12,
        "natural inanimate": 23,
        "artificial inanimate": 21,
    }
    assert dataset.stimuli["face"].sum() == 24
    assert dataset.stimuli["animal"].sum() == 48


def test_the_rdms_are_in_the_order_of_the_images(dataset, folder):
    """The published mean of the subjects, a vector, is the mean of the subjects' matrices as we order them."""
    pairs = np.triu_indices(92, 1)
    human = dataset.rdms["hIT"].mean(("subject", "session")).values[pairs]
    published = loadmat(folder / FILE, squeeze_me=True)["RDMs_mIT_hIT_fig1"][1]["RDM"]
    assert spearmanr(human, squareform(published)[pairs]).statistic > 0.999
    monkey = dataset.rdms["mIT"].values[0, 0]
    assert spearmanr(human, monkey[pairs]).statistic == pytest.approx(0.439, abs=0.001)
    face = dataset.stimuli["face"].to_numpy(bool)
    among_faces = monkey[np.ix_(face, face)][np.triu_indices(24, 1)].mean()
    assert among_faces == pytest.approx(0.816, abs=0.001)
    assert among_faces < monkey[np.ix_(face, ~face)].mean() - 0.2


def test_a_damaged_picture_is_made_anew(dataset):
    path = dataset.stimuli.get_stimulus("object01")
    before = path.read_bytes()
    path.write_bytes(before[:100])
    brodmann.load_dataset("kriegeskorte2008")
    assert path.read_bytes() == before
