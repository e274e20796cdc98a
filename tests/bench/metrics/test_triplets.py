"""Odd one out: worlds whose answers are known by construction, chance, ceilings and intervals."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import brodmann
from brodmann import UserError
from brodmann.bench import make_benchmark
from brodmann.bench.metrics.base import ScoringOptions
from brodmann.bench.metrics.recording import recording
from brodmann.bench.metrics.registries import CEILING_KINDS, METRICS, NORMALIZATIONS
from brodmann.bench.metrics.triplets import found, shared_error
from brodmann.brain_data import Dataset
from brodmann.brain_data.formats.folder import load_folder
from brodmann.brain_data.formats.folder_writer import save_folder

QUICK = ScoringOptions(n_bootstraps=10, n_permutations=49)


def judged(members, n_stimuli, **columns):
    """A data set of triplets, rows of stimuli with the odd one last, the presentations in mixed order."""
    rng = np.random.default_rng(0)
    n = len(members)
    order = rng.permutation(3 * n)
    ids = np.array([f"s{i:03d}" for i in range(n_stimuli)])
    responses = xr.DataArray(
        np.tile([0.0, 0.0, 1.0], n)[order, None],
        dims=("presentation", "neuroid"),
        coords={
            "stimulus_id": ("presentation", ids[members.ravel()][order]),
            "run": ("presentation", np.repeat(np.arange(n), 3)[order]),
            "neuroid_id": ("neuroid", ["odd"]),
            "region": ("neuroid", ["people"]),
        },
    )
    table = pd.DataFrame({"stimulus_id": ids, "sentence": [f"thing {i}" for i in ids]} | columns)
    return Dataset.from_arrays("made", responses, table, region="people")


def world(seed=0, *, n_stimuli=60, n_triplets=1500, noise=0.0, repeated=1):
    """Stimuli in a space of six dimensions, and people who see it, but for noise in each similarity."""
    rng = np.random.default_rng(seed)
    space = rng.normal(size=(n_stimuli, 6))
    unit = space / np.linalg.norm(space, axis=1, keepdims=True)
    triplets = np.array([rng.choice(n_stimuli, 3, replace=False) for _ in range(n_triplets)])
    triplets = np.repeat(triplets, repeated, axis=0)
    pairs = [(1, 2), (0, 2), (0, 1)]  # without the first, the second, the third
    alike = np.stack([(unit[triplets[:, a]] * unit[triplets[:, b]]).sum(axis=1) for a, b in pairs], axis=1)
    odd = (alike + noise * rng.normal(size=alike.shape)).argmax(axis=1)
    rows = np.arange(len(triplets))
    members = np.stack(
        [triplets[rows, (odd + 1) % 3], triplets[rows, (odd + 2) % 3], triplets[rows, odd]], axis=1
    )
    return space, members, recording(judged(members, n_stimuli), "people")


def evaluated(layers, recorded, options=QUICK, **settings):
    metric = METRICS["triplets"].make(recorded, settings)
    return metric.evaluate(layers, recorded, metric.ceiling(recorded), options)


def test_the_space_that_people_see_tells_every_odd_one():
    space, _, recorded = world()
    result = evaluated({"space": space * 7}, recorded)
    assert result.raw == result.value == 1
    assert result.p == pytest.approx(1 / 50)
    assert result.methods["n_triplets"] == 1500
    assert evaluated({"space": space}, recorded, similarity="dot").raw < 1  # long vectors seem alike


def test_answers_are_those_of_a_loop():
    space, members, recorded = world(1, noise=0.5)
    features = np.random.default_rng(2).normal(size=(60, 9)) + space @ np.ones((6, 9))
    unit = features / np.sqrt((features**2).sum(axis=1))[:, None]
    right = [unit[a] @ unit[b] > max(unit[a] @ unit[odd], unit[b] @ unit[odd]) for a, b, odd in members]
    assert evaluated({"layer": features}, recorded).raw == pytest.approx(np.mean(right))


def test_ties_count_as_the_share_of_a_guess():
    alike = np.array([[0, 1, 1, 0], [1, 0, 1, 0], [1, 1, 0, 1], [0, 0, 1, 0.0]])
    np.testing.assert_allclose(found(alike, np.array([[0, 1, 2], [0, 2, 3], [0, 3, 1]])), [1 / 3, 1 / 2, 0])


def test_noise_is_at_a_third_and_its_intervals_hold_it():
    _, _, recorded = world()
    rng = np.random.default_rng(3)
    results = [evaluated({"noise": rng.normal(size=(60, 5))}, recorded) for _ in range(40)]
    assert np.mean([one.raw for one in results]) == pytest.approx(1 / 3, abs=0.02)
    assert np.mean([one.value for one in results]) == pytest.approx(0, abs=0.03)
    assert np.mean([one.ci[0] <= 0 <= one.ci[1] for one in results]) >= 0.85
    assert np.mean([one.p <= 0.06 for one in results]) <= 0.2


def test_the_spread_of_triplets_that_share_stimuli_is_that_of_worlds_drawn_anew():
    """Half of what decides is each stimulus' own luck: triplets that share it err together."""
    rng = np.random.default_rng(4)
    means, errors = [], []
    for _ in range(300):
        members = np.array([rng.choice(30, 3, replace=False) for _ in range(200)])
        luck = rng.normal(size=30)
        right = luck[members].sum(axis=1) + rng.normal(size=200)
        means.append(right.mean())
        errors.append(shared_error(right, members))
    assert np.mean(errors) == pytest.approx(np.std(means), rel=0.15)
    independent = rng.normal(size=3000)
    members = np.array([rng.choice(500, 3, replace=False) for _ in range(3000)])
    assert shared_error(independent, members) == pytest.approx(1 / np.sqrt(3000), rel=0.2)


def test_the_ceiling_is_how_well_other_answers_tell_an_answer():
    """Asked twice, an answer is the other's as often as the sum of squares of their probabilities."""
    rng = np.random.default_rng(5)
    drawn = {tuple(sorted(rng.choice(60, 3, replace=False).tolist())) for _ in range(900)}
    triplets = np.array(sorted(drawn))
    answers = rng.choice(3, size=(len(triplets), 2), p=[0.7, 0.2, 0.1])
    members = [
        np.roll(triplet, 2 - one) for triplet, two in zip(triplets, answers, strict=True) for one in two
    ]
    recorded = recording(judged(np.array(members), 60), "people")
    ceiling = METRICS["triplets"].make(recorded, {}).ceiling(recorded)
    assert ceiling.kind == "accuracy"
    assert ceiling.value == pytest.approx(0.7**2 + 0.2**2 + 0.1**2, abs=0.03)
    once = recording(judged(triplets, 60), "people")
    assert METRICS["triplets"].make(once, {}).ceiling(once).kind == "none"


def test_the_true_space_reaches_the_ceiling_of_noisy_answers():
    space, _, recorded = world(6, noise=0.3, repeated=6, n_triplets=400)
    result = evaluated({"space": space}, recorded)
    assert 0.6 < result.raw < 0.95
    assert 0.9 < result.value < 1.1
    assert result.value == pytest.approx(
        float(NORMALIZATIONS["above_a_third"](np.full((1, 1), result.raw), np.asarray(_ceiling(recorded))))
    )


def _ceiling(recorded):
    return METRICS["triplets"].make(recorded, {}).ceiling(recorded).value


def test_of_several_layers_the_better_one_is_reported_and_the_record_keeps_its_promises():
    space, _, recorded = world(7, noise=0.2)
    noise = np.random.default_rng(8).normal(size=space.shape)
    result = evaluated({"noise": noise, "space": space}, recorded)
    assert set(result.layer_by_split) == {"space"} == {result.layer}
    assert result.layers["space"] > 0.7 > result.layers["noise"]
    assert result.replicates.value == pytest.approx(result.value)
    np.testing.assert_array_equal(result.replicates.interval(), result.ci)
    assert {"interval", "p", "seed", "smallest_p"} <= set(result.methods)
    assert set(METRICS["triplets"].ceilings) <= set(CEILING_KINDS)
    none = evaluated({"space": space}, recorded, ScoringOptions(n_bootstraps=0, n_permutations=0))
    assert np.isnan(none.p)
    assert np.isnan(none.ci).all()
    assert none.value == evaluated({"space": space}, recorded).value


def test_a_folder_of_ones_own_is_scored(tmp_path):
    space, members, _ = world(9)
    data = judged(members, 60, size=space[:, 0])
    save_folder(data, tmp_path / "odd")
    again = load_folder(tmp_path / "odd", "odd")
    benchmark = make_benchmark(again, metric="triplets", similarity="dot")
    score = brodmann.score("column:size", benchmark, run=tmp_path / "run", n_permutations=19)
    assert 1 / 3 < score.attrs["raw_value"] < 0.9
    assert score.attrs["record"]["normalization"] == "above_a_third"


def test_what_is_no_triplet_is_one_line():
    members = world()[1]
    two = judged(members[:, 1:].repeat(1, axis=0).reshape(-1, 2)[:, [0, 0, 1]], 60)
    with pytest.raises(UserError, match="a triplet holds a stimulus twice"):
        METRICS["triplets"].make(recording(two, "people"), {})
    data = judged(members, 60)
    plain = Dataset.from_arrays(
        "made", data.responses.drop_vars("run"), pd.DataFrame(data.stimuli), region="people"
    )
    with pytest.raises(UserError, match="expected 'run', the number of a triplet"):
        METRICS["triplets"].make(recording(plain, "people"), {})
    with pytest.raises(UserError, match="similarity must be 'cosine' or 'dot'"):
        METRICS["triplets"].make(recording(data, "people"), {"similarity": "euclid"})


def test_a_second_column_of_answers_is_one_line():
    """How sure a person was stands before the answer, and would be taken for it."""
    data = judged(world()[1], 60)
    answers = data.responses.values
    two = xr.DataArray(
        np.concatenate([answers * 0.5, answers], axis=1),
        dims=("presentation", "neuroid"),
        coords={name: data.responses[name] for name in ("stimulus_id", "run")}
        | {"neuroid_id": ("neuroid", ["certainty", "odd"]), "region": ("neuroid", ["people"] * 2)},
    )
    made = Dataset.from_arrays("made", two, pd.DataFrame(data.stimuli), region="people")
    with pytest.raises(UserError, match="one column must say which one is odd, not 2"):
        METRICS["triplets"].make(recording(made, "people"), {})
