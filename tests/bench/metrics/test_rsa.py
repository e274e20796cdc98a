"""RSA: bounds, layer choice, intervals and p values against known truths."""

import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import squareform
from scipy.stats import kstest, rankdata, spearmanr

from brodmann import UserError
from brodmann.analysis.encoding.cross_validation import Splitter
from brodmann.analysis.representation.rdm import correlation_rdm, crossnobis_rdm, pairs
from brodmann.analysis.statistics.resampling import bootstrap_weights, permutations
from brodmann.bench.metrics.base import Ceiling, ScoringOptions
from brodmann.bench.metrics.recording import Recording, recording
from brodmann.bench.metrics.rsa import Similarity
from brodmann.brain_data.noise_ceiling import rdm_ceiling
from brodmann.brain_data.simulated_cortex import simulated_cortex

QUICK = ScoringOptions(n_bootstraps=200, n_permutations=199)


def subjects(n_stimuli=40, n_subjects=5, noise=1.0, seed=0):
    """RDMs of subjects who share a representation, each with its own noise."""
    rng = np.random.default_rng(seed)
    shared = rng.normal(size=(n_stimuli, 30))
    own = [
        correlation_rdm(np.hstack([shared, noise * rng.normal(size=(n_stimuli, 30))]))
        for _ in range(n_subjects)
    ]
    ids = np.arange(n_stimuli).astype(object)
    return shared, Recording("shared.IT", ids, None, np.array(own)[:, None], pd.DataFrame(), {})


def test_one_layer_scores_the_plain_mean_of_spearman_correlations():
    shared, recorded = subjects()
    rsa = Similarity()
    ceiling = rsa.ceiling(recorded)
    metric_result = rsa.evaluate({"layer": shared}, recorded, ceiling, QUICK)
    expected = [
        spearmanr(pairs(correlation_rdm(shared)), pairs(rdm)).statistic for rdm in recorded.rdms[:, 0]
    ]
    np.testing.assert_allclose(metric_result.per_unit, expected, atol=1e-10)
    assert metric_result.raw == pytest.approx(np.mean(expected))
    assert metric_result.value == pytest.approx(min(metric_result.raw / ceiling.upper, 1))
    assert metric_result.normalization == "r_over_ceiling"
    assert metric_result.p == pytest.approx(1 / 200)
    assert metric_result.ci[0] <= metric_result.value <= metric_result.ci[1]


def test_the_upper_bound_is_above_every_model_and_the_lower_below_it():
    shared, recorded = subjects()
    ceiling = Similarity().ceiling(recorded)
    assert ceiling.lower < ceiling.upper
    for noise in (0.0, 0.3, 1.0):
        features = shared + noise * np.random.default_rng(1).normal(size=shared.shape)
        assert Similarity().evaluate({"layer": features}, recorded, ceiling, QUICK).raw < ceiling.upper


def test_the_layer_is_chosen_on_the_other_half_of_the_stimuli():
    shared, recorded = subjects()
    rng = np.random.default_rng(2)
    layers = {f"noise{i}": rng.normal(size=shared.shape) for i in range(10)} | {"good": shared}
    metric_result = Similarity().evaluate(layers, recorded, Similarity().ceiling(recorded), QUICK)
    assert set(metric_result.layer_by_split) == {"good"}
    assert metric_result.raw == pytest.approx(metric_result.layers["good"], abs=0.03)


def test_p_of_a_model_that_knows_nothing_is_uniform():
    p = []
    for seed in range(100):
        _, recorded = subjects(n_stimuli=24, n_subjects=2, seed=seed)
        rng = np.random.default_rng(10**6 + seed)
        layers = {"one": rng.normal(size=(24, 20)), "other": rng.normal(size=(24, 20))}
        options = ScoringOptions(n_bootstraps=0, n_permutations=99)
        p.append(
            Similarity(n_repeats=2).evaluate(layers, recorded, Similarity().ceiling(recorded), options).p
        )
    assert kstest(p, "uniform").pvalue > 0.01


def test_one_rdm_has_no_ceiling_and_the_raw_value_stands():
    shared, recorded = subjects(n_subjects=1)
    ceiling = Similarity().ceiling(recorded)
    metric_result = Similarity().evaluate({"layer": shared}, recorded, ceiling, QUICK)
    assert ceiling.kind == "none"
    assert np.isnan(ceiling.value)
    assert metric_result.normalization == "none"
    assert metric_result.value == metric_result.raw


@pytest.mark.parametrize("distance", ["correlation", "crossnobis"])
def test_responses_give_an_rdm_and_a_ceiling_from_their_repetitions(distance):
    data = simulated_cortex(n_stimuli=100)
    recorded = recording(data, "IT")
    rsa = Similarity(distance=distance)
    ceiling = rsa.ceiling(recorded)
    assert ceiling.kind == "r_max"
    truth = rsa.evaluate({"truth": data.truth["signal"]["IT"]}, recorded, ceiling, QUICK)
    assert truth.raw > 0.75
    assert truth.raw < 1.05 * ceiling.value


def test_too_few_stimuli_are_refused():
    shared, recorded = subjects(n_stimuli=6)
    with pytest.raises(UserError, match="at least 8 stimuli, not 6"):
        Similarity().evaluate({"layer": shared}, recorded, Similarity().ceiling(recorded), QUICK)


def ranks_of_pairs(rdms):
    """Ranks of each RDM's pairs, as a symmetric matrix again."""
    return np.array([squareform(rankdata(pairs(rdm))) for rdm in rdms])


def mean_correlation(model, brain, rows):
    """Pearson r over the pairs of some stimuli, by numpy, for each subject."""
    taken = np.ix_(rows, rows)
    return np.array([np.corrcoef(pairs(model[taken]), pairs(one[taken]))[0, 1] for one in brain])


def three_layers(shared):
    rng = np.random.default_rng(5)
    return {f"layer{i}": shared + noise * rng.normal(size=shared.shape) for i, noise in enumerate((9, 7, 8))}


@pytest.mark.parametrize("stratify", [None, "category"])
def test_each_half_reports_the_layer_that_is_best_on_the_other(stratify):
    shared, recorded = subjects(n_stimuli=24, n_subjects=3)
    category = np.array(["a", "b", "c"], object)[np.arange(24) % 3]
    recorded = replace(recorded, columns={"category": category})
    layers = three_layers(shared)
    rsa = Similarity(halves=Splitter(n_splits=2, stratify=stratify, seed=3), n_repeats=4)
    outcome = rsa.evaluate(layers, recorded, rsa.ceiling(recorded), QUICK)
    brain = ranks_of_pairs(recorded.rdms[:, 0])
    model = {name: ranks_of_pairs([correlation_rdm(x)])[0] for name, x in layers.items()}
    labels = None if stratify is None else category
    chosen, r = [], []
    for seed in range(3, 7):
        for half in Splitter(n_splits=2, stratify=stratify, seed=seed).split(24, labels=labels):
            on_training = {name: mean_correlation(m, brain, half.train).mean() for name, m in model.items()}
            chosen.append(max(on_training, key=on_training.get))
            r.append(mean_correlation(model[chosen[-1]], brain, half.test))
    assert len(set(chosen)) > 1
    assert outcome.layer_by_split == chosen
    assert outcome.layer == max(layers, key=chosen.count)
    np.testing.assert_allclose(outcome.per_unit, np.mean(r, axis=0))
    assert outcome.raw == pytest.approx(np.mean(r))
    for name, m in model.items():
        whole = mean_correlation(m, brain, np.arange(24))
        assert outcome.layers[name] == pytest.approx(whole.mean())
        row = list(layers).index(name)
        np.testing.assert_allclose(outcome.arrays["layer_units"][row], whole, rtol=1e-6)


def drawn_correlation(model, brain, rows, counts):
    """R over pairs of a bootstrap: a pair stands as often as its two stimuli together were drawn."""
    first, second = np.triu_indices(len(rows), k=1)
    times = (counts[rows][first] * counts[rows][second]).astype(int)
    taken = np.ix_(rows, rows)
    return [
        np.corrcoef(np.repeat(pairs(model[taken]), times), np.repeat(pairs(one[taken]), times))[0, 1]
        for one in brain
    ]


@pytest.mark.parametrize("entries", [1 << 23, 300])
@pytest.mark.parametrize("n_layers", [1, 3])
def test_draws_of_the_bootstrap_are_those_of_resampled_stimuli_and_subjects(monkeypatch, n_layers, entries):
    """Work in blocks of `entries` numbers changes nothing."""
    monkeypatch.setattr(sys.modules[Similarity.__module__], "ENTRIES", entries)
    shared, recorded = subjects(n_stimuli=16, n_subjects=3)
    layers = dict(list(three_layers(shared).items())[:n_layers])
    options = ScoringOptions(seed=4, n_bootstraps=10, n_permutations=0)
    rsa = Similarity(n_repeats=1)
    outcome = rsa.evaluate(layers, recorded, Ceiling("none", np.nan), options)
    brain = ranks_of_pairs(recorded.rdms[:, 0])
    model = {name: ranks_of_pairs([correlation_rdm(x)])[0] for name, x in layers.items()}
    halves = [half.test for half in Splitter(n_splits=2).split(16)] if n_layers > 1 else [np.arange(16)]
    parts = list(zip(outcome.layer_by_split, halves, strict=True))
    stimuli = bootstrap_weights(16, 10, random_state=4)
    people = bootstrap_weights(3, 10, random_state=5)
    expected = [
        np.mean([drawn_correlation(model[layer], brain, rows, counts) for layer, rows in parts], axis=0)
        @ who
        / 3
        for counts, who in zip(stimuli, people, strict=True)
    ]
    np.testing.assert_allclose(outcome.draws, expected, rtol=1e-9)
    assert outcome.ci == pytest.approx(tuple(np.quantile(expected, [0.025, 0.975])))
    assert np.isnan(outcome.p)


@pytest.mark.parametrize("n_layers", [1, 3])
def test_p_counts_the_permuted_labels_that_agree_as_well(n_layers):
    """An agreement that chance often reaches: r of the brain's RDM with permuted rows and columns of the model's."""
    _, recorded = subjects(n_stimuli=12, n_subjects=2)
    rng = np.random.default_rng(8)
    layers = {f"layer{i}": rng.normal(size=(12, 20)) for i in range(n_layers)}
    options = ScoringOptions(seed=6, n_bootstraps=0, n_permutations=199)
    rsa = Similarity(n_repeats=1)
    outcome = rsa.evaluate(layers, recorded, rsa.ceiling(recorded), options)
    brain = ranks_of_pairs(recorded.rdms[:, 0])
    model = {name: ranks_of_pairs([correlation_rdm(x)])[0] for name, x in layers.items()}
    halves = [half.test for half in Splitter(n_splits=2).split(12)] if n_layers > 1 else [np.arange(12)]
    null = [
        np.mean([
            mean_correlation(model[layer][np.ix_(order, order)], brain, rows)
            for layer, rows in zip(outcome.layer_by_split, halves, strict=True)
        ])
        for order in permutations(12, 199, random_state=8)
    ]  # fmt: skip
    count = np.count_nonzero(np.array(null) >= outcome.raw)
    assert 5 < count < 195
    assert outcome.p == (1 + count) / 200
    assert len(outcome.draws) == 0
    assert np.isnan(outcome.ci).all()


def test_value_and_interval_stay_between_0_and_1_and_raw_shows_its_sign():
    shared, recorded = subjects(n_stimuli=20, n_subjects=2)
    turned = replace(recorded, rdms=np.array([[squareform(2 - pairs(r[0]))] for r in recorded.rdms]))
    low = Ceiling("rdm", 0.1)
    above = Similarity().evaluate({"layer": shared}, recorded, low, QUICK)
    below = Similarity().evaluate({"layer": shared}, turned, low, QUICK)
    assert above.raw > 0.5
    assert below.raw == pytest.approx(-above.raw)
    assert (above.value, above.ci) == (1, (1, 1))
    assert (below.value, below.ci) == (0, (0, 0))
    half = Similarity().evaluate({"layer": shared}, recorded, Ceiling("rdm", 2.0), QUICK)
    assert half.value == pytest.approx(half.raw / 2)
    plain = Similarity().evaluate({"layer": shared}, recorded, Ceiling("none", np.nan), QUICK)
    np.testing.assert_allclose(half.draws, plain.draws / 2)


def test_the_bounds_over_subjects_are_those_of_their_mean_rdms():
    _, recorded = subjects(n_stimuli=12, n_subjects=3)
    two_sessions = replace(recorded, rdms=np.concatenate([recorded.rdms, recorded.rdms[::-1]], axis=1))
    mean = two_sessions.rdms.mean(axis=1)
    lower, upper, by_lower, by_upper = rdm_ceiling(pairs(mean))
    ceiling = Similarity().ceiling(two_sessions)
    assert (ceiling.kind, ceiling.value, ceiling.lower, ceiling.upper) == ("rdm", upper, lower, upper)
    np.testing.assert_array_equal(ceiling.per_subject["lower"], by_lower)
    np.testing.assert_array_equal(ceiling.per_subject["upper"], by_upper)


def recorded_cube(n_repetitions, noise=1.0, seed=0):
    rng = np.random.default_rng(seed)
    cube = rng.normal(size=(15, 1, 25)) + noise * rng.normal(size=(15, n_repetitions, 25))
    return Recording(
        "lab.V1", np.arange(15).astype(object), cube, None, pd.DataFrame(), {}, n_left_out={"bad": 2}
    )


@pytest.mark.parametrize("n_repetitions", [4, 5])
def test_the_ceiling_of_one_subject_is_that_of_odd_and_even_repetitions(n_repetitions):
    recorded = recorded_cube(n_repetitions)
    odd, even = recorded.cube[:, [0, 2]].mean(axis=1), recorded.cube[:, [1, 3]].mean(axis=1)
    r = spearmanr(pairs(correlation_rdm(odd)), pairs(correlation_rdm(even))).statistic
    ceiling = Similarity().ceiling(recorded)
    assert ceiling.kind == "r_max"
    assert ceiling.value == pytest.approx(np.sqrt(2 * r / (1 + r)))
    assert Similarity().ceiling(recorded_cube(3)).kind == "none"


def test_halves_that_disagree_give_no_ceiling():
    odd, even = np.random.default_rng(3).normal(size=(2, 10, 4))
    r = spearmanr(pairs(correlation_rdm(odd)), pairs(correlation_rdm(even))).statistic
    assert r < 0
    cube = np.stack([odd, even, odd, even], axis=1)
    recorded = Recording("lab.V1", np.arange(10).astype(object), cube, None, pd.DataFrame(), {})
    ceiling = Similarity().ceiling(recorded)
    assert ceiling.kind == "none"
    assert np.isnan(ceiling.value)


def test_repetitions_are_averaged_for_the_rdm_and_missing_ones_left_out():
    recorded = recorded_cube(4)
    recorded.cube[2, 1] = np.nan
    outcome = Similarity().evaluate(
        {"layer": np.nanmean(recorded.cube, axis=1)}, recorded, Ceiling("none", np.nan), QUICK
    )
    assert outcome.raw == pytest.approx(1)
    assert (outcome.n_stimuli, outcome.n_neuroids, outcome.left_out) == (15, 25, {"bad": 2})


def test_a_score_says_how_it_was_made():
    shared, recorded = subjects(n_stimuli=20, n_subjects=3)
    rsa = Similarity()
    assert (rsa.name, rsa.distance, rsa.n_repeats) == ("rsa", "correlation", 5)
    outcome = rsa.evaluate(
        three_layers(shared),
        recorded,
        rsa.ceiling(recorded),
        ScoringOptions(seed=9, n_bootstraps=7, n_permutations=5),
    )
    assert (outcome.unit, outcome.n_stimuli, outcome.n_neuroids) == ("subject", 20, 0)
    assert outcome.methods == {
        "model_rdm": "1 - Pearson r",
        "brain_rdm": "as published",
        "compare": "Spearman",
        "n_subjects": 3,
        "halvings": 5,
        "interval": "95% bootstrap over stimuli and subjects, 7 draws",
        "p": "stimulus labels permuted 5 times",
        "seed": 9,
    }
    single = recorded_cube(4)
    outcome = Similarity(distance="crossnobis").evaluate(
        {"layer": single.cube.mean(axis=1)}, single, Ceiling("none", np.nan), replace(QUICK, level=0.9)
    )
    assert outcome.methods["brain_rdm"] == "crossnobis"
    np.testing.assert_allclose(outcome.arrays["brain_rdm"], pairs(crossnobis_rdm(single.cube)), rtol=1e-5)
    assert outcome.methods["halvings"] == 0
    assert outcome.methods["interval"] == "90% bootstrap over stimuli, 200 draws"
    assert outcome.ci == pytest.approx(tuple(np.quantile(outcome.draws, [0.05, 0.95])))
    _, two = subjects(n_stimuli=20, n_subjects=2)
    assert Similarity().ceiling(two).kind == "rdm"
    one_draw = replace(QUICK, n_bootstraps=1)
    assert len(Similarity().evaluate({"layer": shared}, two, Similarity().ceiling(two), one_draw).draws) == 1
    outcome = Similarity().evaluate({"layer": shared}, two, Similarity().ceiling(two), QUICK)
    assert outcome.methods["interval"] == "95% bootstrap over stimuli and subjects, 200 draws"


def test_rdms_are_kept_for_figures():
    shared, recorded = subjects(n_stimuli=12, n_subjects=3)
    none = Ceiling("none", np.nan)
    quick = ScoringOptions(n_bootstraps=0, n_permutations=0)
    arrays = Similarity().evaluate({"layer": shared}, recorded, none, quick).arrays
    np.testing.assert_allclose(arrays["model_rdm"], pairs(correlation_rdm(shared)), rtol=1e-6)
    np.testing.assert_allclose(arrays["brain_rdm"], pairs(recorded.rdms.mean(axis=(0, 1))), rtol=1e-6)
    assert {arrays[name].dtype for name in ("model_rdm", "brain_rdm", "layer_units")} == {
        np.dtype(np.float32)
    }
    assert arrays["stimulus_id"].tolist() == [str(i) for i in range(12)]
    assert arrays["category"].tolist() == [""] * 12
    named = replace(recorded, columns={"category": np.arange(12).astype(object)})
    arrays = Similarity().evaluate({"layer": shared}, named, none, quick).arrays
    assert arrays["category"].tolist() == [str(i) for i in range(12)]
    for n_stimuli, kept in ((600, True), (601, False)):
        features = np.random.default_rng(0).normal(size=(n_stimuli, 10))
        rdm = correlation_rdm(features)[None, None]
        many = Recording("big.IT", np.arange(n_stimuli).astype(object), None, rdm, pd.DataFrame(), {})
        arrays = Similarity().evaluate({"layer": features}, many, none, quick).arrays
        assert ("model_rdm" in arrays) == kept


def test_eight_stimuli_are_enough_and_a_model_that_tells_none_apart_agrees_with_nobody():
    shared, recorded = subjects(n_stimuli=8, n_subjects=2)
    assert Similarity().evaluate({"layer": shared}, recorded, Ceiling("none", np.nan), QUICK).raw > 0
    same = np.eye(8)  # every two stimuli are equally far apart
    outcome = Similarity().evaluate({"layer": same}, recorded, Ceiling("none", np.nan), QUICK)
    assert outcome.raw == pytest.approx(0, abs=1e-6)


def test_memory_grows_with_the_features_up_to_a_block_and_with_the_square_of_the_stimuli():
    def needed(n_stimuli, n_units):
        ids = np.arange(n_stimuli).astype(object)
        return Similarity().memory(Recording("a.b", ids, None, None, pd.DataFrame(), {}), n_units)

    assert needed(100, 51) - needed(100, 50) == 8 * 100
    assert needed(100, 1 << 16) - needed(100, (1 << 16) - 1) == 8 * 100
    assert needed(100, 1 << 20) == needed(100, 1 << 16)
    assert needed(200, 0) - needed(100, 0) == 8 * 8 * (200**2 - 100**2)
    assert needed(0, 0) == 8 * 3 * (1 << 23)
