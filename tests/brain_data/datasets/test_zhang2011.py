"""zhang2011 on the real rasters."""

import numpy as np
import pytest
from scipy.io import loadmat

import brodmann
from brodmann import UserError
from brodmann.brain_data import dataset_card
from brodmann.brain_data.datasets.zhang2011 import load


@pytest.fixture(scope="module")
def folder(test_data):
    return brodmann.add_dataset("zhang2011", test_data / "zhang-desimone-it7")


@pytest.fixture(scope="module")
def dataset(folder):
    return brodmann.load_dataset("zhang2011")


def test_what_is_there(dataset):
    assert dataset.regions == ["IT"]
    assert not dataset.has_stimuli
    assert dataset.units == "spikes/s"
    assert dataset.responses.sizes["neuroid"] == 132
    assert len(dataset.stimuli) == 21
    assert sorted(set(dataset.stimuli["object"])) == [
        "car",
        "couch",
        "face",
        "flower",
        "guitar",
        "hand",
        "kiwi",
    ]
    assert sorted(set(dataset.stimuli["position"])) == ["lower", "middle", "upper"]


def test_every_trial_is_kept_or_counted(dataset, folder):
    n_trials = sum(len(loadmat(path)["raster_data"]) for path in (folder / "raw_mat").glob("*.mat"))
    assert n_trials == dataset.responses.size + dataset.responses.attrs["left_out"]["trials"]


def test_rates_are_the_spikes_of_the_window(dataset, folder):
    """By hand: trial k of kiwi_upper of one neuron, spikes at samples 601 to 900 (from 1), over 0.3 s."""
    recorded = loadmat(folder / "raw_mat" / "bp1001spk_02A_raster_data.mat", squeeze_me=True)
    which = recorded["raster_labels"]["combined_ID_position"].item() == "kiwi_upper"
    expected = recorded["raster_data"][which][:, 600:900].sum(axis=1) / 0.3
    ours = dataset.responses[
        (dataset.responses["stimulus_id"] == "kiwi_upper").values,
        (dataset.responses["neuroid_id"] == "bp1001spk_02A").values,
    ]
    np.testing.assert_allclose(ours.values[:, 0], expected[: len(ours)])
    assert ours["repetition"].values.tolist() == list(range(len(ours)))


def test_tuning_to_objects_repeats_across_odd_and_even_trials(dataset):
    responses = dataset.responses
    objects = np.array([name.rpartition("_")[0] for name in responses["stimulus_id"].values])
    odd = responses["repetition"].values % 2 == 1
    halves = [
        np.array([responses.values[(objects == one) & half].mean(axis=0) for one in sorted(set(objects))])
        for half in (odd, ~odd)
    ]
    r = [np.corrcoef(halves[0][:, i], halves[1][:, i])[0, 1] for i in range(132)]
    assert np.median(r) == pytest.approx(0.83, abs=0.03)
    assert np.sum(np.array(r) > 0.5) >= 110


def decode(dataset, fold):
    """Objects of held-out presentations by the nearest mean of the others (z-scored on those), chance 1/7."""
    rates = dataset.responses.values
    objects = np.array([name.rpartition("_")[0] for name in dataset.responses["stimulus_id"].values])
    names, right = sorted(set(objects)), []
    for one in sorted(set(fold)):
        train, test = fold != one, fold == one
        z = (rates - rates[train].mean(axis=0)) / (rates[train].std(axis=0) + 1e-9)
        means = np.array([z[train & (objects == name)].mean(axis=0) for name in names])
        nearest = np.argmax(np.corrcoef(z[test], means)[: test.sum(), test.sum() :], axis=1)
        right += (np.array(names)[nearest] == objects[test]).tolist()
    return np.mean(right)


def test_objects_are_decoded_from_held_out_trials_and_not_before_onset(dataset, folder):
    fifth = dataset.responses["repetition"].values % 5
    assert decode(dataset, fifth) > 0.8
    before = load(dataset_card("zhang2011"), folder, window_ms=(-300, 0))
    assert decode(before, fifth) == pytest.approx(1 / 7, abs=0.07)


def test_objects_are_decoded_at_a_position_that_was_held_out(dataset):
    position = np.array([name.rpartition("_")[2] for name in dataset.responses["stimulus_id"].values])
    assert decode(dataset, position) > 0.6


@pytest.mark.parametrize("window_ms", [(400, 100), (100, 100), (-600, 0), (0, 501)])
def test_a_window_outside_the_recording_is_refused(folder, window_ms):
    with pytest.raises(UserError, match="window_ms=.*-500 to 500 ms"):
        load(dataset_card("zhang2011"), folder, window_ms=window_ms)
