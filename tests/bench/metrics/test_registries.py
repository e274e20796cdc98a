"""What must hold of every metric, normalization and kind of ceiling, those of installed packages too."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import brodmann
from brodmann import UserError
from brodmann.bench import make_benchmark
from brodmann.bench.metrics.base import Ceiling, MetricResult, ScoringOptions
from brodmann.bench.metrics.recording import Recording
from brodmann.bench.metrics.registries import CEILING_KINDS, METRICS, NORMALIZATIONS
from brodmann.brain_data import Dataset
from brodmann.brain_data.stimulus_set import StimulusSet
from brodmann.registry import Registry

N_STIMULI, N_REPETITIONS, N_NEUROIDS, N_UNITS = 120, 6, 8, 16
QUICK = ScoringOptions(n_bootstraps=40, n_permutations=39)
NONE = ScoringOptions(n_bootstraps=0, n_permutations=0)


def columns():
    return {
        "story": np.array([f"story{i % 12:02d}" for i in range(N_STIMULI)], object),
        "object_name": np.array([f"object{i % 4}" for i in range(N_STIMULI)], object),
    }


def simulated(seed=0, noise=1.0):
    """Features of a perfect model, and a noisy recording of them.

    Patterns of one length and mean 0, so that 1 - r between them is also their squared distance.
    """
    rng = np.random.default_rng(seed)
    signal = rng.normal(size=(N_STIMULI, N_NEUROIDS))
    signal -= signal.mean(axis=1, keepdims=True)
    signal *= 2 / signal.std(axis=1, keepdims=True)
    cube = signal[:, None] + noise * rng.normal(size=(N_STIMULI, N_REPETITIONS, N_NEUROIDS))
    ids = np.array([f"s{i:03d}" for i in range(N_STIMULI)], object)
    return signal, Recording("made.IT", ids, cube, None, pd.DataFrame(), columns())


COMPARING_LAYERS = [
    name for name, card in METRICS.items() if (card.reads, card.form) == ("activations", "responses")
]


@pytest.fixture(params=COMPARING_LAYERS, name="name")
def of_every_metric(request):
    """Those that compare layers; test_registries_of_behavior.py has those that read something else."""
    return request.param


@pytest.fixture(scope="module")
def world():
    return simulated()


def evaluated(name, layers, recorded, options=QUICK):
    metric = METRICS[name].make(recorded, {})
    return metric.evaluate(layers, recorded, metric.ceiling(recorded), options)


def test_a_metric_says_what_it_is(name, world):
    card = METRICS[name]
    metric = card.make(world[1], {})
    assert metric.name == card.name == name
    assert card.sentence
    assert card.sentence[0].islower()
    assert card.formula
    assert card.axis
    assert card.version >= 1
    assert set(card.ceilings) <= set(CEILING_KINDS)
    assert set(card.like) <= set(METRICS)
    assert set(card.brainscore) <= {"vision", "language"}


def test_the_shapes_of_a_result(name, world):
    signal, recorded = world
    metric = METRICS[name].make(recorded, {})
    ceiling = metric.ceiling(recorded)
    assert ceiling.kind in METRICS[name].ceilings
    assert np.isnan(ceiling.value) == (ceiling.kind == "none")
    noise = np.random.default_rng(1).normal(size=(N_STIMULI, 5))
    result = metric.evaluate({"noise": noise, "signal": signal}, recorded, ceiling, QUICK)
    assert isinstance(result, MetricResult)
    assert list(result.layers) == ["noise", "signal"]
    assert set(result.layer_by_split) == {"signal"} == {result.layer}
    assert result.layers["signal"] > result.layers["noise"]
    assert result.normalization in NORMALIZATIONS
    assert len(result.per_unit) == {"neuroid": N_NEUROIDS, "subject": 1, "none": 0}[result.unit]
    if result.replicates is None:
        assert result.draws.shape == (QUICK.n_bootstraps,)
    else:
        assert result.replicates.value == pytest.approx(result.value)
        np.testing.assert_array_equal(result.replicates.interval(), result.ci)
        assert result.replicates.n_samples > 3
        assert len(result.replicates.samples) > 3
    assert result.ci[0] <= result.ci[1] or np.isnan(result.ci).all()
    assert 1 / 40 <= result.p <= 1
    assert (result.n_stimuli, result.n_neuroids) == (N_STIMULI, N_NEUROIDS)
    assert {"interval", "p", "seed"} <= set(result.methods)


def test_without_draws_there_is_neither_interval_nor_p_and_the_same_score(name, world):
    signal, recorded = world
    quick, none = (evaluated(name, {"signal": signal}, recorded, options) for options in (QUICK, NONE))
    assert none.value == quick.value
    assert np.isnan(none.p)
    assert np.isnan(none.ci).all()
    assert len(none.draws) == 0


def test_the_same_seed_gives_the_same_draws(name, world):
    signal, recorded = world
    first, second = (evaluated(name, {"signal": signal}, recorded) for _ in range(2))
    np.testing.assert_array_equal(first.draws, second.draws)
    if first.replicates is not None:
        np.testing.assert_array_equal(first.replicates.samples, second.replicates.samples)
    assert first.p == second.p


def test_a_perfect_model_comes_near_the_ceiling_and_no_model_gains_from_noise(name, world):
    signal, recorded = world
    result = evaluated(name, {"signal": signal}, recorded)
    chance = NORMALIZATIONS[result.normalization].chance
    assert result.p == pytest.approx(1 / 40)
    assert 0.85 < result.value < 1.1
    assert result.raw > chance
    rng = np.random.default_rng(3)
    nothing = [evaluated(name, {"noise": rng.normal(size=(N_STIMULI, N_UNITS))}, recorded) for _ in range(7)]
    # centred Gram matrices of few stimuli share much by their size alone: cka_biased is known to be biased upward
    most = 0.2 if name != "cka_biased" else N_UNITS / N_STIMULI + 0.1
    assert np.median([abs(one.value) for one in nothing]) < most
    assert np.median([one.p for one in nothing]) > 0.1


def test_a_model_that_is_wrong_everywhere_scores_nothing_above_zero(name):
    """Responses to other stimuli: the raw value may fall below chance, and the score never stands above it then."""
    for seed in range(4):
        signal, recorded = simulated(seed, noise=0.5)
        order = np.random.default_rng(seed).permutation(N_STIMULI)
        result = evaluated(name, {"shuffled": signal[order]}, recorded, NONE)
        chance = NORMALIZATIONS[result.normalization].chance
        assert result.value <= 0 or result.raw > chance


def test_features_in_other_units_are_the_same_model(name, world):
    """A penalty that is not relative to the features feels their size: ridge with the penalty 1 and given grids."""
    signal, recorded = world
    features = signal + np.random.default_rng(4).normal(size=signal.shape)
    one, three = (evaluated(name, {"a": scale * features}, recorded, NONE) for scale in (1, 3))
    fixed = {"ridge1": 2e-3, "ridgecv": 2e-3, "language_ridge": 2e-3}
    assert three.value == pytest.approx(one.value, abs=fixed.get(name, 1e-5))


def test_stimuli_in_another_order_are_the_same_experiment(name, world):
    """Where folds are drawn by row they fall elsewhere, so that cross-validated values agree but for the folds."""
    signal, recorded = world
    order = np.random.default_rng(5).permutation(N_STIMULI)
    moved = Recording(
        recorded.name,
        recorded.stimulus_ids[order],
        recorded.cube[order],
        None,
        recorded.neuroids,
        {column: values[order] for column, values in recorded.columns.items()},
    )
    features = signal + np.random.default_rng(6).normal(size=signal.shape)
    here = evaluated(name, {"a": features}, recorded, NONE)
    there = evaluated(name, {"a": features[order]}, moved, NONE)
    by_row = METRICS[name].ceilings != ("none",) and not name.startswith("rsa")
    assert there.raw == pytest.approx(here.raw, abs=0.03 if by_row else 1e-9)


def test_a_neuroid_that_never_varies_spoils_no_other(name, world):
    signal, recorded = world
    cube = recorded.cube.copy()
    cube[..., 0] = 1.5
    flat = Recording("flat.IT", recorded.stimulus_ids, cube, None, pd.DataFrame(), recorded.columns)
    result = evaluated(name, {"signal": signal}, flat, NONE)
    assert np.isfinite(result.value)
    assert result.raw > 0.6
    assert result.value > 0.6
    if result.unit == "neuroid":
        assert result.left_out
        assert not result.per_unit[0] > 0


def test_memory_is_a_number_of_bytes_that_grows_with_the_layer(name, world):
    metric = METRICS[name].make(world[1], {})
    small, large = metric.memory(world[1], 10), metric.memory(world[1], 10_000)
    assert isinstance(small, int)
    assert 0 <= small <= large


@pytest.fixture(scope="module")
def sentences():
    """A data set of sentences with a column for every metric's splits."""
    rng = np.random.default_rng(0)
    ids = [f"s{i:03d}" for i in range(N_STIMULI)]
    words = ["house", "river", "a", "mountain", "tree", "in"]
    texts = [" ".join(rng.choice(words, rng.integers(2, 12))) for _ in ids]
    table = StimulusSet(pd.DataFrame({"stimulus_id": ids, "sentence": texts, **columns()}))
    table.identifier = "made-sentences"
    length = np.array([len(text) for text in texts])[:, None] / 10
    values = np.concatenate([length + rng.normal(size=(N_STIMULI, N_NEUROIDS)) for _ in range(4)])
    responses = xr.DataArray(
        values,
        dims=("presentation", "neuroid"),
        coords={
            "stimulus_id": ("presentation", np.tile(ids, 4)),
            "repetition": ("presentation", np.repeat(np.arange(4), N_STIMULI)),
            "neuroid_id": ("neuroid", [f"n{i}" for i in range(N_NEUROIDS)]),
            "region": ("neuroid", ["language"] * N_NEUROIDS),
        },
    )
    return Dataset("made-sentences", "language", table, responses)


def test_a_score_comes_back_from_the_store_as_it_went(name, sentences, tmp_path):
    benchmark = make_benchmark(sentences, metric=name)
    first, again = (
        brodmann.score(
            "word-length-frequency", benchmark, run=tmp_path / "run", n_bootstraps=5, n_permutations=5
        )
        for _ in range(2)
    )
    assert not first.attrs["cached"]
    assert again.attrs["cached"]
    assert float(first) == float(again)
    np.testing.assert_array_equal(first.attrs["raw"].values, again.attrs["raw"].values)
    np.testing.assert_array_equal(first.attrs["ci"], again.attrs["ci"])
    for part in ("raw_value", "p", "layer", "layers", "normalisation"):
        assert first.attrs[part] == again.attrs[part]
    assert first.attrs["record"]["metric"] == name
    assert first.attrs["record"]["benchmark"] == f"made-sentences.language-{name}"


def test_another_version_of_a_metric_is_another_question(sentences, monkeypatch):
    from dataclasses import replace

    from brodmann.bench.scoring import score_key

    benchmark = make_benchmark(sentences, metric="cka")
    key = score_key(benchmark, None, ["brain"]).digest
    newer = replace(METRICS["cka"], version=METRICS["cka"].version + 1)
    monkeypatch.setitem(METRICS._things, "cka", newer)
    assert score_key(benchmark, None, ["brain"]).digest != key


@pytest.fixture(params=NORMALIZATIONS, name="normalization")
def of_every_normalization(request):
    return NORMALIZATIONS[request.param]


def test_a_normalization_says_what_it_is(normalization):
    assert NORMALIZATIONS[normalization.name] is normalization
    assert normalization.sentence
    assert normalization.formula
    assert normalization.axis


def test_a_better_model_never_scores_less_and_no_sign_is_lost(normalization):
    raw = normalization.chance + np.linspace(-0.49, 0.49, 99)
    ceiling = np.asarray(0.8)
    values = np.array([float(normalization(np.array([[r]]), ceiling)) for r in raw])
    at_once = normalization(raw[:, None, None], ceiling)
    np.testing.assert_allclose(values, at_once, rtol=1e-15)
    assert (np.diff(values) >= 0).all()
    assert (values[raw < normalization.chance] <= 0).all()
    assert (values[raw > normalization.chance + 1e-9] > 0).all()
    if normalization.clips:
        assert values.min() == 0
        assert float(normalization(np.array([[0.9]]), ceiling)) == 1
    else:
        assert np.sign(values).tolist() == np.sign(np.round(raw - normalization.chance, 12)).tolist()


def test_what_is_not_known_stays_unknown(normalization):
    assert np.isnan(normalization(np.array([[np.nan, np.nan]]), np.asarray(0.8)))
    if normalization.without_ceiling is None:
        assert np.isnan(normalization(np.array([[0.5]]), np.asarray(np.nan)))
    else:
        found = normalization(np.array([[0.7]]), np.asarray(normalization.without_ceiling))
        assert 0 < float(found) <= 1


def test_a_formula_written_out_in_python_gives_the_same(normalization):
    if not normalization.expression:
        pytest.skip("no file needs it")
    for raw in (-0.6, 0.0, 0.4, 0.9):
        written = eval(normalization.expression, {"np": np, "raw": raw, "CEILING": 0.7})
        assert float(normalization(np.array([[raw]]), np.asarray(0.7))) == pytest.approx(written, abs=1e-15)


@pytest.mark.parametrize("name", CEILING_KINDS)
def test_a_kind_of_ceiling_says_what_the_best_model_reaches(name):
    kind = CEILING_KINDS[name]
    assert kind.name == name
    assert kind.sentence
    best = np.array([kind.best(value) for value in (0.0, 0.25, 0.49, 1.0)])
    if name == "none":
        assert np.isnan(best).all()
        return
    assert (np.diff(best) > 0).all()
    assert best[0] == 0
    assert best[-1] == 1
    assert np.isnan(kind.best(float("nan")))


def test_the_root_of_a_reliability_is_what_a_noiseless_model_reaches():
    signal, recorded = simulated(noise=2.0)
    metric = METRICS["ridge"].make(recorded, {})
    ceiling = metric.ceiling(recorded)
    raw = np.median([np.corrcoef(signal[:, i], recorded.mean[:, i])[0, 1] for i in range(N_NEUROIDS)])
    assert CEILING_KINDS[ceiling.kind].best(ceiling.value) == pytest.approx(raw, abs=0.03)


@pytest.mark.parametrize("registry", [METRICS, NORMALIZATIONS, CEILING_KINDS], ids=lambda one: one.kind)
def test_a_name_that_is_not_there_is_answered_in_one_line(registry):
    assert isinstance(registry, Registry)
    with pytest.raises(UserError, match=rf"unknown {registry.kind} 'no-such-thing'"):
        registry["no-such-thing"]


def test_options_that_a_metric_does_not_use_are_refused_with_those_it_has(world):
    with pytest.raises(UserError, match=r"unknown option of made.IT 'folds': .*\(cka has no options\)"):
        METRICS["cka"].make(world[1], {"folds": 3})
    with pytest.raises(UserError, match=r"'stratfy': did you mean 'stratify'\? \(pls has stratify\)"):
        METRICS["pls"].make(world[1], {"stratfy": "object_name"})
    for card in (METRICS[name] for name in COMPARING_LAYERS):
        for option in card.options:
            if option in ("stratify", "group", "label", "across"):
                with pytest.raises(UserError, match="unknown stimulus column of made.IT 'colour'"):
                    card.make(world[1], {option: "colour"})


def test_a_ceiling_of_every_metric_can_be_shown(world):
    from brodmann.bench.results.as_score import ceiling_score

    for name in COMPARING_LAYERS:
        ceiling = METRICS[name].make(world[1], {}).ceiling(world[1])
        assert isinstance(ceiling, Ceiling)
        assert ceiling_score(ceiling).attrs["kind"] == ceiling.kind
