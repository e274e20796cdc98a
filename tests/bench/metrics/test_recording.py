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
