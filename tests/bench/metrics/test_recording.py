"""A region taken out of a data set: the order of its stimuli, its sessions, columns of presentations, and RDMs."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from brodmann import UserError
from brodmann.bench.metrics.recording import recording
from brodmann.brain_data import Dataset
from brodmann.brain_data.dataset import Published

N, REPETITIONS, NEUROIDS = 18, 2, 5
SENTENCES = pd.DataFrame(
    {
        "stimulus_id": [f"s{i:02d}" for i in range(N)][::-1],
        "sentence": [f"words {'very ' * i}many" for i in range(N)][::-1],
        "genre": [f"g{i % 3}" for i in range(N)][::-1],
    }
)


def data(session=None, **coords):
    rng = np.random.default_rng(0)
    ids = np.repeat([f"s{i:02d}" for i in range(N)], REPETITIONS)
    values = np.repeat(rng.normal(size=(N, NEUROIDS)), REPETITIONS, axis=0) + rng.normal(
        size=(len(ids), NEUROIDS)
    )
    known = {
        "stimulus_id": ("presentation", ids),
        "neuroid_id": ("neuroid", [f"n{i}" for i in range(NEUROIDS)]),
    }
    known |= {name: ("presentation", np.asarray(one)) for name, one in coords.items()}
    if session is not None:
        known["session"] = ("presentation", np.asarray(session))
    responses = xr.DataArray(values, dims=("presentation", "neuroid"), coords=known)
    return values, Dataset.from_arrays("mine", responses, SENTENCES, region="PostTemp")


def test_stimuli_stand_in_the_order_of_their_ids_with_their_own_columns():
    values, made = data()
    one = recording(made, "PostTemp")
    assert one.name == "mine.PostTemp"
    assert one.stimulus_ids.tolist() == [f"s{i:02d}" for i in range(N)]
    assert one.columns["genre"].tolist() == [f"g{i % 3}" for i in range(N)]
    np.testing.assert_allclose(one.cube, values.reshape(N, REPETITIONS, NEUROIDS))
    assert one.neuroids["neuroid_id"].tolist() == [f"n{i}" for i in range(NEUROIDS)]
    assert one.position.tolist() == list(range(N))
    assert one.dataset is made
    assert (one.sessions, dict(one.n_left_out), one.r_max) == ("", {}, None)
    with pytest.raises(UserError, match="unknown region of mine 'V1'"):
        recording(made, "V1")


def test_a_label_of_presentations_that_is_one_of_each_stimulus_is_a_column():
    story = np.repeat([f"t{i // 4}" for i in range(N)], REPETITIONS)
    trial = np.arange(N * REPETITIONS)
    _, made = data(story=story, trial=trial)
    one = recording(made, "PostTemp")
    assert one.columns["story"].tolist() == [f"t{i // 4}" for i in range(N)]
    assert "trial" not in one.columns


def test_responses_are_compared_within_sessions():
    session = np.tile(["a", "b"], N)
    values, made = data(session=session)
    one = recording(made, "PostTemp")
    assert one.sessions == "responses z-scored within each of 2 sessions"
    for place in range(2):
        rows = values[session == "ab"[place]]
        expected = (rows - rows.mean(axis=0)) / rows.std(axis=0)
        found = one.cube[:, place]
        ratio = found / expected
        np.testing.assert_allclose(ratio, np.broadcast_to(ratio[0], ratio.shape))
        np.testing.assert_allclose(found.mean(axis=0), 0, atol=1e-9)
    same, plain = (data(session=s)[1] for s in (["a"] * N * REPETITIONS, None))
    np.testing.assert_array_equal(recording(same, "PostTemp").cube, recording(plain, "PostTemp").cube)
    assert recording(same, "PostTemp").sessions == ""


def test_a_session_of_too_few_stimuli_is_refused_by_name():
    session = np.where(np.arange(N * REPETITIONS) < 12, "a", "b")
    with pytest.raises(UserError, match="mine.PostTemp: session 'a' holds 6 different stimuli, too few"):
        recording(data(session=session)[1], "PostTemp")


def test_a_neuroid_that_stands_still_in_a_session_is_left_out_and_the_data_set_is_named():
    session = np.tile(["a", "b"], N)
    _, made = data(session=session)
    made.responses.values[session == "b", 2] = 3.0
    one = recording(made, "PostTemp")
    assert one.neuroids["neuroid_id"].tolist() == ["n0", "n1", "n3", "n4"]
    assert one.cube.shape == (N, REPETITIONS, 4)
    assert sum(one.n_left_out.values()) == 1


def test_a_published_best_r_and_declared_blocks_come_along():
    _, made = data()
    told = replace(made, published_ceilings={"PostTemp": Published(0.6, "a paper")}, blocks="genre")
    one = recording(told, "PostTemp")
    assert (one.r_max, one.blocks) == (0.6, "genre")
    assert recording(made, "PostTemp").r_max is None


def test_published_rdms_stand_in_the_order_of_the_ids_with_what_is_known_of_them():
    values = np.arange(N * N, dtype=float).reshape(N, N)
    rdm = np.triu(values, 1) + np.triu(values, 1).T  # rows in the order of the table: s17 ... s00
    rdms = xr.DataArray(
        rdm[None, None].astype(np.float32), dims=("subject", "session", "stimulus", "stimulus_other")
    )
    stimuli = data()[1].stimuli
    made = Dataset(
        "mine",
        "language",
        stimuli,
        rdms={"IT": rdms},
        blocks="genre",
        published_ceilings={"IT": Published(0.7, "p")},
    )
    one = recording(made, "IT")
    assert (one.name, one.r_max, one.blocks, one.sessions) == ("mine.IT", 0.7, "genre", "")
    assert one.dataset is made
    assert one.cube is None
    assert one.rdms.dtype == np.float64
    assert one.rdms.shape == (1, 1, N, N)
    np.testing.assert_array_equal(one.rdms[0, 0], rdm[::-1, ::-1])
    assert one.stimulus_ids.tolist() == [f"s{i:02d}" for i in range(N)]
    assert one.columns["genre"].tolist() == [f"g{i % 3}" for i in range(N)]
    assert one.neuroids.empty
    assert recording(replace(made, published_ceilings={}), "IT").r_max is None


def test_subjects_of_presentations_become_neuroids_and_what_was_done_about_sessions_is_said_once():
    """Each of two subjects saw everything once; z-scored within the sessions of each, not again over both."""
    subject = np.tile(["ann", "bob"], N)
    values, made = data()
    told = {"session": np.where(subject == "ann", "a", "b"), "subject": subject}
    told = made.responses.assign_coords({name: ("presentation", each) for name, each in told.items()})
    made = replace(made, responses=told)
    one = recording(made, "PostTemp")
    assert one.sessions == "responses z-scored within each of 2 sessions"
    assert one.cube.shape == (N, 1, 2 * NEUROIDS)
    assert [len(member) for member in one.members] == [NEUROIDS, NEUROIDS]
    for place, who in enumerate(("ann", "bob")):
        rows = values[subject == who]
        found = one.cube[:, 0, place * NEUROIDS :][:, :NEUROIDS]
        ratio = found / (rows - rows.mean(axis=0))
        np.testing.assert_allclose(ratio, np.broadcast_to(ratio[0], ratio.shape))


def test_positions_tell_when_each_stimulus_was_first_shown():
    _, made = data()
    shuffled = np.random.default_rng(3).permutation(N * REPETITIONS)
    shown = replace(made, responses=made.responses.isel(presentation=shuffled))
    order = list(dict.fromkeys(shown.responses["stimulus_id"].values.tolist()))
    one = recording(shown, "PostTemp")
    assert [order[place] for place in one.position] == one.stimulus_ids.tolist()
    assert one.position.dtype.kind == "i"


def test_neuroids_left_out_by_the_reading_are_counted_and_labels_with_gaps_are_no_columns():
    _, made = data(story=[f"t{i // 2}" if i % 2 else "other" for i in range(N * REPETITIONS)])
    one = recording(made, "PostTemp")
    assert "story" not in one.columns
    assert "repetition" not in one.columns
    made.responses.attrs["left_out"] = {"neuroids that never vary": 2}
    assert dict(recording(made, "PostTemp").n_left_out) == {"neuroids that never vary": 2}
    made.responses.attrs["left_out"] = "2 of them"
    assert dict(recording(made, "PostTemp").n_left_out) == {}


def test_distinct_stimuli_of_a_data_set_are_no_longer_those_of_the_data_set():
    _, made = data()
    table = pd.DataFrame(made.stimuli)
    table.loc[table["stimulus_id"] == "s01", "sentence"] = table.loc[
        table["stimulus_id"] == "s00", "sentence"
    ].item()
    twice = Dataset.from_arrays("mine", made.responses, table, region="PostTemp")
    one = recording(twice, "PostTemp")
    assert one.alike.same.tolist()[:2] == [one.alike.same[0]] * 2
    assert one.distinct.dataset is None
    assert one.distinct.n_stimuli == N - 1
    assert one.distinct.stimulus_ids.tolist() == ["s00", *(f"s{i:02d}" for i in range(2, N))]
    np.testing.assert_array_equal(one.distinct.cube[0, :4], np.vstack([one.cube[0], one.cube[1]]))


def test_stimuli_that_are_all_different_are_like_no_other_and_a_number_of_repetitions_is_no_column():
    _, made = data()
    assert recording(made, "PostTemp").alike.same is None
    assert recording(made, "PostTemp").distinct.n_stimuli == N
    once = made.responses.isel(presentation=slice(0, None, 2))
    numbered = once.assign_coords(
        repetition=("presentation", np.ones(N, int)), block=("presentation", np.ones(N, int))
    )
    one = recording(replace(made, responses=numbered), "PostTemp")
    assert one.columns["block"].tolist() == [1] * N
    assert "repetition" not in one.columns


def test_subjects_who_share_no_stimulus_are_told_with_the_name_of_the_region():
    _, made = data()
    of_subjects = made.responses.assign_coords(subject=("presentation", np.repeat(["ann", "bob"], N)))
    made = replace(made, responses=of_subjects)
    with pytest.raises(
        UserError, match="^mine.PostTemp: subjects 'ann' and 'bob' were shown no stimulus in common"
    ):
        recording(made, "PostTemp")


def test_stimuli_that_were_shown_more_often_weigh_more():
    """Weights are 1 / (q + (1 - q) / n_i) over their mean, q the share of signal in one presentation."""
    _, made = data()
    assert recording(made, "PostTemp").weights.tolist() == [1.0] * N
    whole = recording(made, "PostTemp").cube
    fewer = replace(made, responses=made.responses.isel(presentation=slice(1, None)))
    one = recording(fewer, "PostTemp")
    assert one.counts.tolist() == [1, *[2] * (N - 1)]
    noise = ((whole[1:] - whole[1:].mean(axis=1, keepdims=True)) ** 2).sum(axis=(0, 1)) / (N - 1)
    mean = np.vstack([whole[:1, 1], whole[1:].mean(axis=1)])
    signal = np.maximum(mean.var(axis=0, ddof=1) - noise * (1 + (N - 1) / 2) / N, 0)
    q = np.median(signal / (signal + noise))
    expected = 1 / (q + (1 - q) / np.array([1, *[2] * (N - 1)]))
    np.testing.assert_allclose(one.weights, expected / expected.mean())
    np.testing.assert_allclose(one.noise, noise)
    np.testing.assert_allclose(one.mean, mean)
