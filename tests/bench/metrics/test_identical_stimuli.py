"""The same stimulus under two ids teaches nothing of any other: folds keep it together, and RDMs hold it once."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy.stats import spearmanr

import brodmann
from brodmann.bench import make_benchmark
from brodmann.bench.metrics.base import ScoringOptions
from brodmann.bench.metrics.recording import recording
from brodmann.bench.metrics.registries import METRICS
from brodmann.bench.metrics.sampling import sampling
from brodmann.brain_data import Dataset

N, TWICE = 30, np.tile(np.arange(30), 2)
CONSONANTS, VOWELS = "bdfgklmnprstvz", "aeiou"


def words(seed, n=N):
    draw = np.random.default_rng(seed)
    made = set()
    while len(made) < n:
        made.add("".join(draw.choice(list(one)) for one in (CONSONANTS, VOWELS) * 3))
    return sorted(made)


def twice(seed=0, column="word", n_neuroids=8, **columns):
    """30 texts under two ids each, and responses that are noise, but the same for the same text."""
    draw = np.random.default_rng(seed)
    of_text = draw.normal(size=(N, n_neuroids))
    responses = of_text[TWICE][:, None] + 0.2 * draw.normal(size=(2 * N, 3, n_neuroids))
    order = draw.permutation(2 * N)
    table = pd.DataFrame({column: np.array(words(seed))[TWICE][order]} | columns)
    return Dataset.from_arrays("twice", responses[order], table, region="R"), TWICE[order]


def found(data, features, name, draws=99, **options):
    one = recording(data, "R")
    where = pd.Index(data.stimuli["stimulus_id"]).get_indexer(one.stimulus_ids)
    metric = METRICS[name].make(one, options)
    asked = ScoringOptions(n_bootstraps=0, n_permutations=draws)
    return metric.evaluate({"x": features[where]}, one, metric.ceiling(one), asked)


@pytest.mark.parametrize("name", ["ridge", "linear", "decoding", "rsa", "rsa_whitened"])
def test_noise_that_is_the_same_for_the_same_text_is_not_predicted(name):
    results = []
    for seed in range(16):
        data, text = twice(seed)
        features = np.random.default_rng(100 + seed).normal(size=(N, 12))[text]
        results.append(found(data, features, name))
    scores = np.array([one.value for one in results])
    assert -0.2 < scores.mean() < 0.05  # r over folds of few samples lies below 0
    assert sum(one.p <= 0.05 for one in results) <= 3


@pytest.mark.parametrize("name", ["ridge", "decoding", "rsa"])
def test_a_model_of_the_texts_is_still_found(name):
    draw = np.random.default_rng(0)
    data, _ = twice(n_neuroids=20)
    of_text = np.array([data.responses.values[data.responses["stimulus_id"] == one].mean(axis=0)
                        for one in data.stimuli["stimulus_id"]])  # fmt: skip
    features = of_text + 0.05 * draw.normal(size=of_text.shape)
    result = found(data, features, name)
    assert result.value > 0.9
    assert result.p <= 0.05


@pytest.mark.parametrize("column", ["word", "sentence", "text"])
def test_folds_keep_them_together_and_the_record_says_so(column):
    data, text = twice(column=column)
    one = recording(data, "R")
    how = sampling(one)
    same = dict(zip(data.stimuli["stimulus_id"], text, strict=True))
    member = np.array([same[stimulus] for stimulus in one.stimulus_ids])
    for fold in how.folds:
        assert not set(member[fold.split.train]) & set(member[fold.split.test])
        for inner in fold.inner:
            assert not set(member[fold.split.train][inner.train]) & set(member[fold.split.train][inner.test])
    assert "60 stimuli are the same as others under another id" in how.describe()["dependence"]
    (line,) = data.described_duplicates()
    assert line.startswith("60 stimuli are the same as others under another id (first: ")


def test_columns_that_part_them_are_joined_where_folds_are_left_and_else_it_is_said():
    few, _ = twice(run=["a"] * 20 + ["b"] * 20 + ["c"] * 20)
    parted = sampling(recording(few, "R"), folds=3)
    assert parted.n_groups == 3
    assert "the same as others under another id, and folds by run may part them" in parted.said
    declared = sampling(recording(few, "R"), folds=3, group="run")
    assert "may part them: scores may come from that alone" in declared.said
    by_pairs, text = twice()
    runs = np.array([f"r{one % 10}" for one in text], object)
    runs[0] = "another"
    table = by_pairs.stimuli.assign(run=runs)
    responses = np.random.default_rng(0).normal(size=(2 * N, 4))
    mended = Dataset.from_arrays("m", responses, pd.DataFrame(table).drop(columns="stimulus_id"), region="R")
    joined = sampling(recording(mended, "R"))
    assert joined.n_groups == 10
    assert (
        "2 stimuli are the same as others under another id, and what holds them is kept together"
        in joined.said
    )


def test_folds_of_what_is_declared_independent_say_what_they_part():
    data, _ = twice(blocks_of_nothing=["x"] * 60)
    one = recording(Dataset("d", "language", data.stimuli, data.responses, blocks="none"), "R")
    assert "60 stimuli are the same" in sampling(one).said
    assert sampling(one).kind == "independent"


@pytest.mark.parametrize("name", ["pls", "ridgecv", "neuron_to_neuron", "language_linear", "rdm", "cka"])
def test_brain_scores_own_splits_say_what_they_part(name):
    data, text = twice()
    features = np.random.default_rng(1).normal(size=(N, 40))[text]
    result = found(data, features, name, draws=19)
    assert "near-duplicates" in str(result.methods) or "the same as others" in str(result.methods)


@pytest.mark.parametrize("published", [False, True])
def test_an_rdm_holds_them_once(published):
    data, text = twice(n_neuroids=20)
    features = np.random.default_rng(3).normal(size=(N, 12))[text]
    once, first = np.unique(text, return_index=True)
    assert len(once) == N
    if published:
        rdm = 1 - np.corrcoef(data.responses.values.reshape(2 * N, 3, -1).mean(axis=1))
        np.fill_diagonal(rdm, 0)
        names = data.stimuli["stimulus_id"].tolist()
        dims = ("subject", "session", "stimulus", "stimulus_other")
        rdms = xr.DataArray(rdm[None, None], dims=dims, coords={"subject": ["a"], "session": ["1"],
                            "stimulus": names, "stimulus_other": names})  # fmt: skip
        data = Dataset("twice", "language", data.stimuli, rdms={"R": rdms})
        pairs = [np.flatnonzero(text == one) for one in range(N)]
        merged = np.array([[rdm[np.ix_(a, b)].mean() for b in pairs] for a in pairs])
    else:
        mean = data.responses.values.reshape(2 * N, 3, -1)
        merged = 1 - np.corrcoef(np.array([mean[text == one].mean(axis=(0, 1)) for one in range(N)]))
    upper = np.triu_indices(N, k=1)
    expected = spearmanr((1 - np.corrcoef(features[first]))[upper], merged[upper]).statistic
    result = found(data, features, "rsa", draws=0)
    assert result.raw == pytest.approx(expected, abs=1e-9)
    assert result.n_stimuli == N
    assert result.left_out["stimuli that are the same as another, taken as its repetitions"] == N


def test_a_network_is_not_rewarded_for_them():
    """Before: .265, p = .005."""
    data, _ = twice(seed=5)
    benchmark = make_benchmark(data, "R", "ridge")
    score = brodmann.score("random-transformer", benchmark, n_permutations=99, n_bootstraps=0)
    assert float(score) < 0.2
    assert score.attrs["p"] > 0.05
    assert "the same as others" in score.attrs["record"]["methods"]["dependence"]
