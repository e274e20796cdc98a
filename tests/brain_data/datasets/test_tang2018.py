"""tang2018 on the real files: rows of responses belong to the pictures."""

import numpy as np
import pytest
from PIL import Image

import brodmann


@pytest.fixture(scope="module")
def dataset(test_data):
    brodmann.add_dataset("tang2018", test_data / "tang2018-v1-patterns")
    return brodmann.load_dataset("tang2018")


@pytest.fixture(scope="module")
def pixels(dataset):
    """The middle 40 x 40, each 2 x 2 averaged: (9500, 400)."""
    images = []
    for name in dataset.stimuli["stimulus_id"]:
        with Image.open(dataset.stimuli.get_stimulus(name)) as image:
            middle = np.asarray(image.convert("L"), dtype=float)[60:100, 60:100]
        images.append(middle.reshape(20, 2, 20, 2).mean(axis=(1, 3)).ravel() / 255)
    return np.array(images)


def test_what_is_there(dataset):
    assert dataset.regions == ["V1"]
    assert dataset.responses.shape == (9500, 4)
    assert dataset.responses["neuroid_id"].values.tolist() == ["neu75", "neu255", "neu381", "neu504"]
    assert dataset.stimuli["stimulus_id"].tolist()[::9499] == ["pattern0001", "pattern9500"]
    assert dataset.bibtex.count("@") == 2


def held_out_r(x, y):
    """Ridge on the first four fifths, Pearson r per neuron on the rest."""
    order = np.random.default_rng(0).permutation(len(x))
    train, test = order[:7600], order[7600:]
    center = x[train].mean(axis=0)
    a = x[train] - center
    weights = np.linalg.solve(a.T @ a + 300 * np.eye(a.shape[1]), a.T @ (y[train] - y[train].mean(axis=0)))
    predicted = (x[test] - center) @ weights
    return np.array([np.corrcoef(predicted[:, i], y[test, i])[0, 1] for i in range(y.shape[1])])


def test_pixels_predict_held_out_responses_and_not_shuffled_ones(dataset, pixels):
    y = dataset.responses.values
    assert held_out_r(pixels, y).min() > 0.2
    shuffled = y[np.random.default_rng(1).permutation(len(y))]
    assert np.abs(held_out_r(pixels, shuffled)).max() < 0.1
