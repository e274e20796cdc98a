"""Betas of trials whose responses are known."""

import numpy as np
import pandas as pd
import pytest
from nilearn.glm.first_level import make_first_level_design_matrix

from brodmann import UserError
from brodmann.brain_data.timeseries import beta_series as module
from brodmann.brain_data.timeseries.beta_series import Sampling, beta_series, check_hrf, seen_trials

TIMES = 0.5 + 1.5 * np.arange(120)
EVERY = Sampling(TIMES, np.ones(120, dtype=bool))


def trials(onsets, duration=1.0):
    return pd.DataFrame({"onset": np.asarray(onsets, dtype=float), "duration": duration})


def responses(events, hrf="glover"):
    """The response of each trial alone, (n_samples, n_trials)."""
    names = [f"t{i:03d}" for i in range(len(events))]
    shown = events.assign(trial_type=names)
    return make_first_level_design_matrix(TIMES, shown, hrf_model=hrf, drift_model=None)[names].to_numpy()


def fitted(series, events, sampling=EVERY, *, method="all", hrf="glover"):
    parts = list(beta_series(series, events, sampling, hrf=hrf, method=method, scaled=False))
    assert [part.start for part, _ in parts] == [0, *(part.stop for part, _ in parts[:-1])]
    return np.concatenate([betas for _, betas in parts], axis=1)


@pytest.fixture
def simulated():
    events = trials([5, 21, 26, 44, 63, 66, 90, 120])
    betas = np.random.default_rng(0).normal(size=(8, 7))
    noise = 1e-4 * np.random.default_rng(1).normal(size=(120, 7))
    drift = np.cos(np.pi * (np.arange(120) + 0.5) / 120)[:, None]
    return events, betas, 50 + 4 * drift + responses(events) @ betas + noise


def test_all_at_once_tells_overlapping_trials_apart(simulated):
    events, betas, series = simulated
    np.testing.assert_allclose(fitted(series, events), betas, atol=1e-3)


def test_one_after_the_other_is_right_where_trials_are_far_apart_and_shares_what_overlaps(simulated):
    _, betas, _ = simulated
    far = trials([5, 60, 120])
    series = 50 + responses(far) @ betas[:3] + 1e-5 * np.random.default_rng(2).normal(size=(120, 7))
    np.testing.assert_allclose(fitted(series, far, method="separate"), betas[:3], atol=0.02)
    same = trials([5, 60, 62, 120])  # the second and third, 2 s apart, show one response between them
    series = 50 + responses(same) @ np.array([[1.0], [4.0], [0.0], [1.0]])
    series = series + 1e-5 * np.random.default_rng(2).normal(size=(120, 1))
    separate, whole = fitted(series, same, method="separate"), fitted(series, same)
    np.testing.assert_allclose(whole[:, 0], [1, 4, 0, 1], atol=1e-3)
    assert separate[2, 0] > 1


def test_blocks_of_neuroids_are_the_whole(simulated, monkeypatch):
    events, _, series = simulated
    whole = fitted(series, events)
    monkeypatch.setattr(module, "_BLOCK_BYTES", 8 * 120 * 3)
    assert len(list(beta_series(series, events, EVERY, hrf="glover", method="all", scaled=False))) == 3
    np.testing.assert_array_equal(fitted(series, events), whole)


def test_samples_that_are_left_out_do_not_count_and_the_others_stay_in_place(simulated):
    events, betas, series = simulated
    kept = np.ones(120, dtype=bool)
    kept[[0, 1, 30, 31, 32]] = False
    spoiled = series.copy()
    spoiled[~kept] = 1e6
    found = fitted(spoiled, events, Sampling(TIMES, kept))
    np.testing.assert_allclose(found, betas, atol=2e-3)


def test_confounds_are_taken_out(simulated):
    events, betas, series = simulated
    moved = np.random.default_rng(3).normal(size=120)
    sampling = Sampling(TIMES, EVERY.kept, pd.DataFrame({"trans_x": moved}))
    np.testing.assert_allclose(fitted(series + 20 * moved[:, None], events, sampling), betas, atol=1e-3)


def test_a_delayed_response_is_found_with_its_derivative(simulated):
    events, _, _ = simulated
    late = events.assign(onset=events["onset"] + 0.6)
    series = (
        50
        + responses(late).sum(axis=1, keepdims=True)
        + 1e-5 * np.random.default_rng(0).normal(size=(120, 1))
    )

    def residual(hrf):
        return np.abs(fitted(series, events, hrf=hrf) - 1).mean()

    assert residual("glover + derivative") < residual("glover") / 2


@pytest.mark.parametrize(
    ("onset", "expected"), [(-30.0, False), (-5.0, True), (5.0, True), (170.0, True), (178.5, False)]
)
def test_trials_are_seen_where_their_response_falls_into_the_run(onset, expected):
    assert seen_trials(trials([onset, 50.0]), EVERY, "spm").tolist() == [expected, True]


def test_a_trial_that_never_ends_takes_no_memory():
    assert seen_trials(trials([10.0], duration=1e12), EVERY, "glover").tolist() == [True]


def test_a_trial_whose_samples_are_all_scrubbed_is_not_seen():
    kept = np.abs(TIMES - 58) > 12
    assert seen_trials(trials([10, 50, 100]), Sampling(TIMES, kept), "glover").tolist() == [True, False, True]


def test_trials_at_one_time_and_runs_that_are_too_short_are_refused():
    series = np.random.default_rng(0).normal(size=(120, 2))
    with pytest.raises(UserError, match=r"only \d+ independent ones: trials at the same time"):
        fitted(series, trials([10, 10, 50]))
    with pytest.raises(UserError, match=r"needs more than 120 samples: take --betas separate"):
        fitted(series, trials(np.arange(125)))


def test_names_of_responses():
    assert check_hrf("SPM+derivative") == "spm + derivative"
    with pytest.raises(UserError, match="unknown haemodynamic response 'fir': known: glover, "):
        check_hrf("fir")
