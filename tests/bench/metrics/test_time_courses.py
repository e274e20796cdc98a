"""What a score in time keeps for figures: courses whose product is r, the stretch with its words, a known response."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from heard import TR, told

from brodmann.bench.benchmark import make_benchmark
from brodmann.bench.metrics.base import ScoringOptions
from brodmann.bench.metrics.time_courses import SHARES
from brodmann.brain_data.dataset import Dataset
from brodmann.brain_data.stimulus_set import StimulusSet
from brodmann.brain_data.timeseries.regressors import haemodynamic_response

POINT = ScoringOptions(0, 0, 0)


def kept(data, features, **options):
    made = make_benchmark(data, **options)
    x = made.recording.series.regressors(features)
    found = made.metric.evaluate({"layer": x}, made.recording, made.noise_ceiling, POINT)
    return made.recording, found


def test_the_mean_product_of_the_courses_is_r():
    _, found = kept(*told())
    arrays = found.arrays
    r = (arrays["course_observed"].astype(float) * arrays["course_predicted"]).mean(axis=1)
    np.testing.assert_allclose(r, found.per_unit[arrays["course_neuroid"]], atol=1e-6)
    for name in ("course_observed", "course_predicted"):
        np.testing.assert_allclose(arrays[name].std(axis=1), 1, atol=1e-5)
        for fold in np.unique(arrays["course_fold"]):
            np.testing.assert_allclose(
                arrays[name][:, arrays["course_fold"] == fold].mean(axis=1), 0, atol=1e-5
            )


def test_neuroids_are_those_nearest_to_the_points_of_the_distribution_of_r():
    _, found = kept(*told(per_subject=40, n=200))
    r, arrays = found.per_unit, found.arrays
    assert arrays["course_quantile"].tolist() == list(SHARES)
    for neuroid, share in zip(arrays["course_neuroid"], SHARES, strict=True):
        assert np.abs(r - np.quantile(r, share)).argmin() == neuroid
    _, two = kept(*told(per_subject=2, n=200))
    assert sorted(two.arrays["course_neuroid"]) == [0, 1]  # nobody twice


def test_rows_are_in_the_order_of_time_with_the_fold_that_held_them_out():
    recorded, found = kept(*told(n=120, stories=("one", "two", "three", "four")))
    arrays = found.arrays
    story = arrays["course_stories"][arrays["course_story"]]
    np.testing.assert_array_equal(story, recorded.columns["story"].astype(str))
    np.testing.assert_allclose(arrays["course_time"], recorded.columns["time"].astype(float))
    folds = pd.DataFrame({"story": story, "fold": arrays["course_fold"]}).drop_duplicates()
    assert len(folds) == 4  # a whole story is in one fold
    assert arrays["course_time"].min() == 20.0  # the first 20 s are cut


def test_the_stretch_is_about_the_first_border_of_folds_and_holds_its_words():
    data, features = told()
    _, found = kept(data, features)
    arrays = found.arrays
    start, end = arrays["course_stretch"]
    border = arrays["course_time"][1:][np.diff(arrays["course_fold"]) != 0][0]
    assert (start, end) == (border - 30, border + 30)
    table = pd.DataFrame(data.stimuli)
    inside = table[(table["onset"] >= start) & (table["onset"] < end)]
    assert arrays["course_word"].tolist() == inside["word"].tolist()
    assert len(inside) == 120
    np.testing.assert_array_equal(arrays["course_onset"], inside["onset"])
    _, whole = kept(*told(n=120, stories=("one", "two", "three", "four")))
    assert whole.arrays["course_stretch"].tolist() == [20, 80]  # no border within a story


def test_of_long_recordings_the_beginning_is_kept_and_it_stays_small():
    _, found = kept(*told(n=800, stories=("one", "two", "three", "four")), folds=4)
    arrays = {name: one for name, one in found.arrays.items() if name.startswith("course")}
    assert arrays["course_observed"].shape == (4, 2000)
    assert set(arrays["course_stories"][arrays["course_story"]]) == {"one", "two", "three"}
    assert sum(one.nbytes for one in arrays.values()) < 150_000


@pytest.mark.parametrize("seed", range(3))
def test_the_course_of_the_haemodynamic_response_comes_back(seed):
    """By its canonical form at 2, 4, 6 and 8 s; the interval of folds is about it."""
    data, features = told(n=600, noise=1.0, seed=seed)
    _, found = kept(data, features)
    arrays = found.arrays
    canonical = haemodynamic_response(TR)[1:5]
    np.testing.assert_allclose(arrays["delay_profile"], canonical / canonical.sum(), atol=0.07)
    assert arrays["delay_s"].tolist() == [2, 4, 6, 8]
    assert arrays["delay_profile"].argmax() in (1, 2)  # .156 and .161 at 4 and 6 s
    assert arrays["delay_without_fold"].shape == (10, 4)
    assert "delay_without_subject" not in arrays
    np.testing.assert_allclose(arrays["delay_without_fold"].mean(axis=0), arrays["delay_profile"], atol=0.01)


def test_a_peak_is_found_where_it_is():
    for peak in range(1, 5):
        course = np.full(6, 0.1)
        course[peak] = 1
        _, found = kept(*told(course=course, n=400))
        assert found.arrays["delay_profile"].argmax() == peak - 1


def test_without_one_subject_the_course_is_that_of_the_others():
    """Of people who are fitted to themselves and, where all are fitted to the mean of the others, of that mean."""
    data, features = told(subjects=5, per_subject=2)
    _, own = kept(data, features)
    others = data.responses["subject"].values != "s1"
    fewer = Dataset("told", "language", data.stimuli, data.responses[:, others], kind="series", tr=TR)
    _, without = kept(fewer, features)
    np.testing.assert_allclose(
        own.arrays["delay_without_subject"][1], without.arrays["delay_profile"], atol=1e-6
    )
    _, shared = kept(data, features, train="others")
    _, group = kept(fewer, features, train="group")
    np.testing.assert_allclose(
        shared.arrays["delay_without_subject"][1], group.arrays["delay_profile"], atol=1e-6
    )
    assert "delay_without_subject" not in group.arrays


def test_one_delay_has_no_course_and_single_stimuli_have_neither():
    _, found = kept(*told(), delays_s=[4])
    assert "course_observed" in found.arrays
    assert not any(name.startswith("delay") for name in found.arrays)
    draw = np.random.default_rng(0)
    shown = xr.DataArray(
        draw.normal(size=(40, 4)),
        dims=("presentation", "neuroid"),
        coords={
            "stimulus_id": ("presentation", [f"p{i:02d}" for i in range(40)]),
            "neuroid_id": ("neuroid", list("abcd")),
            "region": ("neuroid", ["R"] * 4),
        },
    )
    stimuli = StimulusSet(pd.DataFrame({"stimulus_id": shown["stimulus_id"].values, "sentence": "a word"}))
    stimuli.identifier = "shown"
    made = make_benchmark(Dataset("shown", "language", stimuli, shown, blocks="none"))
    layers = {"layer": draw.normal(size=(40, 5))}
    found = made.metric.evaluate(layers, made.recording, made.noise_ceiling, POINT)
    assert set(found.arrays) == {"layer_units"}
