"""RSA: bounds, layer choice, intervals and p values against known truths."""

from dataclasses import replace
from itertools import combinations

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
from brodmann.bench.metrics.registries import METRICS
from brodmann.bench.metrics.rsa import Similarity
from brodmann.brain_data.noise_ceiling import rdm_ceiling
from brodmann.brain_data.simulated_cortex import simulated_cortex

QUICK = ScoringOptions(n_bootstraps=200, n_permutations=199)
NONE = ScoringOptions(n_bootstraps=0, n_permutations=0)


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
    pairwise = [spearmanr(pairs(a), pairs(b)).statistic for a, b in combinations(recorded.rdms[:, 0], 2)]
    latent = np.sqrt(2 * np.sin(np.pi * np.mean(pairwise) / 6))
    assert ceiling.kind == "rdm_pairwise"
    assert ceiling.value == pytest.approx(6 / np.pi * np.arcsin(latent / 2))
    assert ceiling.value == pytest.approx(np.sqrt(np.mean(pairwise)), rel=0.02)
    assert ceiling.lower < ceiling.value < ceiling.upper
    assert metric_result.value == pytest.approx(metric_result.raw / ceiling.value)
    assert metric_result.normalization == "r_over_best_r"
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


def test_draws_are_those_of_resampled_stimuli():
    shared, recorded = subjects(n_stimuli=16, n_subjects=3)
    brain = ranks_of_pairs(recorded.rdms[:, 0])
    model = ranks_of_pairs([correlation_rdm(shared)])[0]
    rsa = Similarity()
    weights, scale = rsa._drawn(rsa.depends(recorded), 10, 4, first_order=False)
    np.testing.assert_array_equal(weights, bootstrap_weights(16, 10, random_state=4))
    assert scale == pytest.approx(16 / 15)
    found = rsa._redrawn(model, brain, weights, rsa.depends(recorded), first_order=False)
    expected = [drawn_correlation(model, brain, np.arange(16), counts) for counts in weights]
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_a_group_drawn_twice_stands_there_twice_and_no_pair_joins_its_copies():
    shared, recorded = subjects(n_stimuli=12, n_subjects=2)
    brain = ranks_of_pairs(recorded.rdms[:, 0])
    model = ranks_of_pairs([correlation_rdm(shared)])[0]
    groups = np.repeat(np.arange(4), 3)
    how = replace(Similarity().depends(recorded), kind="groups", groups=groups)
    weights = np.array([2.0, 0, 1, 1])[groups][None]
    found = Similarity()._redrawn(model, brain, weights, how, first_order=False)[0]
    copies = [np.arange(0, 3), np.arange(0, 3), np.arange(6, 9), np.arange(9, 12)]
    taken = [
        (i, j)
        for m, one in enumerate(copies)
        for n, other in enumerate(copies)
        for i in one
        for j in other
        if (m < n and (m, n) != (0, 1)) or (m == n and i < j)
    ]
    first, second = np.array(taken).T
    expected = [np.corrcoef(model[first, second], one[first, second])[0, 1] for one in brain]
    np.testing.assert_allclose(found, expected, rtol=1e-9)


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
    assert len(outcome.replicates.samples) == 0
    assert np.isnan(outcome.ci).all()


def test_over_the_upper_bound_value_and_interval_stay_between_0_and_1_and_raw_shows_its_sign():
    shared, recorded = subjects(n_stimuli=20, n_subjects=2)
    turned = replace(recorded, rdms=np.array([[squareform(2 - pairs(r[0]))] for r in recorded.rdms]))
    low = Ceiling("rdm", 0.1)
    above = Similarity().evaluate({"layer": shared}, recorded, low, QUICK)
    below = Similarity().evaluate({"layer": shared}, turned, low, QUICK)
    assert above.raw > 0.5
    assert below.raw == pytest.approx(-above.raw)
    assert (above.value, above.ci[1]) == (1, 1)
    assert (below.value, below.ci[0]) == (0, 0)
    half = Similarity().evaluate({"layer": shared}, recorded, Ceiling("rdm", 2.0), QUICK)
    assert half.value == pytest.approx(half.raw / 2)
    assert half.normalization == "r_over_ceiling"
    plain = Similarity().evaluate({"layer": shared}, recorded, Ceiling("none", np.nan), QUICK)
    np.testing.assert_allclose(half.replicates.samples, plain.replicates.samples / 2)
    np.testing.assert_allclose(half.replicates.both, plain.replicates.both / 2)


def test_the_old_normalization_is_an_option():
    shared, recorded = subjects(n_stimuli=20, n_subjects=3)
    rsa = METRICS["rsa"].make(recorded, {"normalization": "r_over_ceiling"})
    ceiling = rsa.ceiling(recorded)
    assert (ceiling.kind, ceiling.value) == ("rdm", ceiling.upper)
    outcome = rsa.evaluate({"layer": shared}, recorded, ceiling, QUICK)
    assert outcome.normalization == "r_over_ceiling"
    assert outcome.value == pytest.approx(outcome.raw / ceiling.upper)
    with pytest.raises(UserError, match="normalization"):
        METRICS["rsa"].make(recorded, {"normalization": "r_squared"})


def test_the_bounds_over_subjects_are_those_of_their_mean_rdms():
    _, recorded = subjects(n_stimuli=12, n_subjects=3)
    two_sessions = replace(recorded, rdms=np.concatenate([recorded.rdms, recorded.rdms[::-1]], axis=1))
    mean = two_sessions.rdms.mean(axis=1)
    lower, upper, by_lower, by_upper = rdm_ceiling(pairs(mean))
    ceiling = Similarity().ceiling(two_sessions)
    assert (ceiling.kind, ceiling.lower, ceiling.upper) == ("rdm_pairwise", lower, upper)
    np.testing.assert_array_equal(ceiling.per_subject["lower"], by_lower)
    np.testing.assert_array_equal(ceiling.per_subject["upper"], by_upper)


def recorded_cube(n_repetitions, noise=1.0, seed=0):
    rng = np.random.default_rng(seed)
    cube = rng.normal(size=(15, 1, 25)) + noise * rng.normal(size=(15, n_repetitions, 25))
    return Recording(
        "lab.V1", np.arange(15).astype(object), cube, None, pd.DataFrame(), {}, n_left_out={"bad": 2}
    )


@pytest.mark.parametrize(
    ("metric", "n_repetitions"),
    [(metric, n) for n in (2, 3, 4, 5) for metric in ("rsa", "rsa_whitened")]
    + [("rsa_crossnobis", 4), ("rsa_crossnobis", 5)],
)
def test_a_flawless_model_of_one_subject_reaches_the_ceiling(metric, n_repetitions):
    raw, best = [], []
    for seed in range(24):
        rng = np.random.default_rng(seed)
        signal = rng.normal(size=(40, 30)) @ rng.normal(size=(30, 80)) / np.sqrt(30)
        noise = 1.0 if n_repetitions == 2 else 1.5
        cube = signal[:, None] + noise * rng.normal(size=(40, n_repetitions, 80))
        recorded = Recording("a.b", np.arange(40).astype(object), cube, None, pd.DataFrame(), {})
        rsa = METRICS[metric].make(recorded, {})
        features = signal if metric != "rsa_crossnobis" else with_correlation_distances_like(signal)
        ceiling = rsa.ceiling(recorded)
        assert ceiling.kind == "r_max"
        best.append(ceiling.value)
        raw.append(rsa.evaluate({"layer": features}, recorded, ceiling, NONE).raw)
    error = 3 * np.std(np.array(raw) / best, ddof=1) / np.sqrt(24)
    assert np.mean(raw) / np.mean(best) == pytest.approx(1, abs=0.02 + error)
    assert 0.3 < np.mean(best) < 0.95


def with_correlation_distances_like(signal):
    """Features whose correlation distances are proportional to squared distances of the signal."""
    distances = ((signal[:, None] - signal) ** 2).sum(axis=2)
    values, vectors = np.linalg.eigh(1e4 * distances.max() - distances / 2)
    features = vectors * np.sqrt(np.maximum(values, 0))
    features = np.hstack([features, -features])
    assert spearmanr(pairs(correlation_rdm(features)), pairs(distances)).statistic > 0.9999
    return features


@pytest.mark.parametrize("n_repetitions", [2, 3, 4])
@pytest.mark.parametrize("metric", ["rsa", "rsa_crossnobis", "rsa_whitened"])
def test_a_recording_of_noise_has_no_ceiling(metric, n_repetitions):
    found = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        recorded = replace(recorded_cube(2), cube=rng.normal(size=(15, n_repetitions, 25)))
        ceiling = METRICS[metric].make(recorded, {"group": "none"}).ceiling(recorded)
        found += ceiling.kind != "none"
        assert ceiling.kind != "none" or ceiling.note.startswith("none: ")
    assert found <= 4


@pytest.mark.parametrize("n_repetitions", [2, 3])
def test_crossnobis_has_a_ceiling_from_four_repetitions_on(n_repetitions):
    ceiling = Similarity(distance="crossnobis").ceiling(recorded_cube(n_repetitions, noise=0.3))
    assert ceiling.kind == "none"
    assert "fewer than 4 repetitions" in ceiling.note
    assert Similarity(distance="crossnobis").ceiling(recorded_cube(4, noise=0.3)).kind == "r_max"


def test_subjects_who_do_not_agree_have_no_ceiling():
    rng = np.random.default_rng(0)
    rdms = np.array([[correlation_rdm(rng.normal(size=(20, 15)))] for _ in range(4)])
    recorded = Recording("a.b", np.arange(20).astype(object), None, rdms, pd.DataFrame(), {})
    ceiling = Similarity().ceiling(recorded)
    assert ceiling.kind == "none"
    assert "do not agree" in ceiling.note
    outcome = Similarity().evaluate({"layer": rng.normal(size=(20, 5))}, recorded, ceiling, QUICK)
    assert outcome.normalization == "none"
    assert outcome.methods["ceiling"] == ceiling.note


@pytest.mark.parametrize("n_subjects", [2, 4, 12])
def test_a_flawless_model_scores_1_whatever_the_number_of_subjects(n_subjects):
    values = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        signal = rng.normal(size=(40, 30)) @ rng.normal(size=(30, 60)) / np.sqrt(30)
        cube = np.hstack([signal + 1.3 * rng.normal(size=signal.shape) for _ in range(n_subjects)])[:, None]
        recorded = with_subjects(cube, n_subjects)
        ceiling = Similarity().ceiling(recorded)
        outcome = Similarity().evaluate({"layer": signal}, recorded, ceiling, NONE)
        assert outcome.per_unit.shape == (n_subjects,)
        values.append(outcome.value)
    assert np.mean(values) == pytest.approx(1, abs=0.02 + 3 * np.std(values, ddof=1) / np.sqrt(20))


def with_subjects(cube, n_subjects):
    owner = np.repeat([f"s{i}" for i in range(n_subjects)], cube.shape[2] // n_subjects)
    ids = np.arange(len(cube)).astype(object)
    return Recording("a.b", ids, cube, None, pd.DataFrame({"subject": owner}), {})


def test_neuroids_of_several_subjects_make_an_rdm_of_each():
    rng = np.random.default_rng(1)
    cube = rng.normal(size=(20, 3, 30))
    recorded = with_subjects(cube, 3)
    mean = cube.mean(axis=1)
    expected = [correlation_rdm(mean[:, 10 * i : 10 * i + 10]) for i in range(3)]
    np.testing.assert_allclose(Similarity()._brain(recorded), expected)
    crossed = Similarity(distance="crossnobis")._brain(recorded)
    np.testing.assert_allclose(crossed[2], crossnobis_rdm(cube[:, :, 20:]))
    cube[4, :, 12] = np.nan
    with pytest.raises(UserError, match="no response of a neuroid"):
        Similarity()._brain(recorded)


@pytest.mark.parametrize("half", [False, True])
def test_the_interval_is_as_wide_as_scores_differ_over_people_and_stimuli(half):
    """Weights of the population are the same in all recordings: people, stimuli and noise are new."""
    population = np.random.default_rng(99).normal(size=(30, 60))
    values, errors = [], []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        x = rng.normal(size=(40, 30))
        cubes = []
        for _ in range(8):
            signal = x @ (np.sqrt(0.7) * population + np.sqrt(0.3) * rng.normal(size=population.shape))
            cubes.append(signal + signal.std() * rng.normal(size=signal.shape))
        recorded = with_subjects(np.hstack(cubes)[:, None], 8)
        flawless = np.hstack([np.sqrt(0.7) * x @ population, np.sqrt(0.3 * 60) * x])
        features = x[:, :15] if half else flawless
        options = ScoringOptions(n_bootstraps=150, n_permutations=0)
        outcome = Similarity().evaluate({"a": features}, recorded, Similarity().ceiling(recorded), options)
        assert outcome.ci[0] < outcome.value < outcome.ci[1]
        assert outcome.replicates.subjects.mean() == pytest.approx(outcome.value)
        values.append(outcome.value)
        errors.append(outcome.replicates.error[0])
    ratio = np.mean(errors) / np.std(values, ddof=1)
    assert 1 - 0.33 < ratio < 1.4 + 0.45  # an sd of 40 values has an error of 11 %


def test_categories_that_are_the_same_agree_entirely():
    rng = np.random.default_rng(0)
    which = np.array([0, 0, 0, 0, 1, 1, 1, 1])
    brain = rng.normal(size=(2, 12))[which][:, None]
    for dtype in (np.float32, np.float64):
        features = rng.normal(size=(2, 300)).astype(dtype)[which]
        recorded = Recording("a.b", np.arange(8).astype(object), brain, None, pd.DataFrame(), {})
        outcome = Similarity().evaluate({"a": features}, recorded, Ceiling("none", np.nan), NONE)
        assert outcome.raw == pytest.approx(1.0, abs=1e-12)


def test_a_channel_without_noise_is_left_out_of_crossnobis_and_counted():
    rng = np.random.default_rng(2)
    cube = rng.normal(size=(12, 1, 20)) + rng.normal(size=(12, 3, 20))
    still = np.concatenate([cube, np.full((12, 3, 1), 0.1)], axis=2)
    np.testing.assert_allclose(crossnobis_rdm(still), crossnobis_rdm(cube), rtol=1e-12)
    recorded = replace(recorded_cube(2), stimulus_ids=np.arange(12).astype(object), cube=still)
    rsa = Similarity(distance="crossnobis")
    outcome = rsa.evaluate({"a": rng.normal(size=(12, 5))}, recorded, Ceiling("none", np.nan), NONE)
    assert outcome.left_out["neuroids without noise"] == 1
    with pytest.raises(UserError, match="need noise"):
        crossnobis_rdm(np.repeat(cube[:, :1], 2, axis=1))


def test_crossnobis_takes_unequal_repetitions_and_refuses_stimuli_shown_once():
    rng = np.random.default_rng(3)
    signal = rng.normal(size=(10, 1, 400))
    cube = signal + 0.5 * rng.normal(size=(10, 4, 400))
    cube[:5, 2:] = np.nan
    expected = ((signal - signal[:, 0]) ** 2).mean(axis=2) / 0.25
    np.testing.assert_allclose(pairs(crossnobis_rdm(cube)), pairs(expected), rtol=0.25)
    cube[7, 1:] = np.nan
    with pytest.raises(UserError, match="1 of 10 have fewer"):
        crossnobis_rdm(cube)


def test_what_depends_on_each_other_is_drawn_and_permuted_together():
    _, recorded = subjects(n_stimuli=40, n_subjects=3)
    stories = np.repeat([f"story{i}" for i in range(8)], 5).astype(object)
    recorded = replace(recorded, columns={"story": stories}, position=np.arange(40))
    rsa = METRICS["rsa"].make(recorded, {})
    rng = np.random.default_rng(5)
    layers = {"a": rng.normal(size=(40, 8)), "b": rng.normal(size=(40, 8))}
    outcome = rsa.evaluate(layers, recorded, rsa.ceiling(recorded), QUICK)
    assert outcome.replicates.n_samples == 8
    assert outcome.methods["group"] == "story"
    assert "8 whole groups permuted" in outcome.methods["p"]
    assert all(len(set(stories[rows])) == 4 for _, rows in rsa._parts(
        {name: correlation_rdm(x) for name, x in layers.items()}, recorded.rdms[:, 0], recorded
    ))  # fmt: skip
    free = METRICS["rsa"].make(recorded, {"group": "none"})
    assert free.depends(recorded).groups is None
    with pytest.raises(UserError, match="passages"):
        METRICS["rsa"].make(recorded, {"group": "passages"})


def test_halves_that_disagree_give_no_ceiling():
    odd, even = np.random.default_rng(3).normal(size=(2, 10, 4))
    r = spearmanr(pairs(correlation_rdm(odd)), pairs(correlation_rdm(even))).statistic
    assert r < 0
    cube = np.stack([odd, even], axis=1)
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
    low, high = outcome.replicates.interval_of_samples()
    assert outcome.methods == {
        "model_rdm": "1 - Pearson r",
        "brain_rdm": "as published",
        "compare": "Spearman",
        "n_subjects": 3,
        "halvings": 5,
        "resampling": "stimuli drawn with replacement; no pair joins a stimulus to itself",
        "samples": "independent",
        "interval": "95% bootstrap over 20 stimuli, 7 draws, and t over 3 subjects: of other subjects and other "
        "stimuli",
        "interval_of_these_subjects": [low, high],
        "p": "stimulus labels permuted 5 times",
        "smallest_p": pytest.approx(1 / 6),
        "seed": 9,
    }
    single = recorded_cube(4)
    outcome = Similarity(distance="crossnobis").evaluate(
        {"layer": single.cube.mean(axis=1)}, single, Ceiling("none", np.nan), replace(QUICK, level=0.9)
    )
    assert outcome.methods["brain_rdm"] == "crossnobis"
    np.testing.assert_allclose(outcome.arrays["brain_rdm"], pairs(crossnobis_rdm(single.cube)), rtol=1e-5)
    assert outcome.methods["halvings"] == 0
    assert outcome.methods["interval"].startswith("90% bootstrap over 15 stimuli, 200 draws, t with 14.0")
    assert outcome.ci == pytest.approx(outcome.replicates.interval(0.9))


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
