"""What a model adds to nuisance spaces: known truths, every kind of space, and every place that tells it."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import brodmann
from brodmann import UserError
from brodmann.bench import ScoringOptions, make_benchmark
from brodmann.bench.cli.terminal import score_text
from brodmann.bench.metrics.registries import NUISANCE_SPACES
from brodmann.bench.nuisance_spaces import names_of_spaces, open_space
from brodmann.bench.reports.methods import methods
from brodmann.bench.score_key import score_key
from brodmann.brain_data import Dataset

N, N_NEUROIDS = 96, 6
QUICK = {"n_bootstraps": 1, "n_permutations": 39}


def sentences(n, seed=0):
    draw = np.random.default_rng(seed)
    letters = list("abcdefghijklmnoprstuvwxyz")
    return [" ".join("".join(draw.choice(letters, 6)) for _ in range(3 + i % 5)) for i in range(n)]


def recorded(responses, metric="ridge", **columns):
    n = len(responses)
    table = pd.DataFrame({"stimulus_id": [f"s{i:03d}" for i in range(n)], "sentence": sentences(n)} | columns)
    return make_benchmark(Dataset.from_arrays("made", responses, table), metric=metric)


def added(scored, features, *spaces, seed=0, **options):
    made = {name: open_space(name, scored).features() for name in spaces}
    how = ScoringOptions(seed, **(QUICK | options))
    layers, folds = {"layer": features}, ["layer"] * scored.metric.sampling.n_splits
    return scored.metric.beyond(layers, folds, made, scored.recording, scored.noise_ceiling, how)


def mixture(seed, variance, repetitions=0, n=200):
    """Nuisance with .4 of the variance, a layer that holds it and `variance` more."""
    draw = np.random.default_rng([seed, 13])
    nuisance, own = draw.normal(size=(n, 3)), draw.normal(size=(n, 5))
    weights = [draw.normal(size=(k, N_NEUROIDS)) for k in (3, 5)]
    on_nuisance, on_own = (one / np.linalg.norm(one, axis=0) for one in weights)
    signal = np.sqrt(0.4) * nuisance @ on_nuisance + np.sqrt(variance) * own @ on_own
    signal += np.sqrt(0.6 - variance) * draw.normal(size=(n, N_NEUROIDS))
    features = np.hstack([nuisance @ draw.normal(size=(3, 10)), own][: 2 if variance else 1])
    if repetitions:
        signal = signal[:, None] + draw.normal(size=(n, repetitions, N_NEUROIDS)) * np.sqrt(repetitions)
    return recorded(signal, **{f"nuisance{i}": nuisance[:, i] for i in range(3)}), features


SPACES = "nuisance0", "nuisance1", "nuisance2"


def test_added_variance_is_found_and_held_by_its_interval():
    found = [added(*mixture(seed, 0.2), *SPACES, seed=seed, n_permutations=0) for seed in range(12)]
    values = np.array([one.beyond for one in found])
    assert 0.15 < values.mean() < 0.25
    low, high = np.array([one.beyond_ci for one in found]).T
    assert ((low <= values.mean()) & (values.mean() <= high)).sum() >= 10
    assert ((low < values) & (values < high)).all()


def test_nuisance_and_nothing_adds_nothing():
    found = [added(*mixture(seed, 0.0), *SPACES, seed=seed, n_permutations=0).beyond for seed in range(8)]
    assert np.abs(found).max() < 0.03


def test_what_is_added_is_a_share_of_what_can_be_explained():
    """At a reliability of .5 half of the variance is noise: the raw share is half of the headline."""
    scored, features = mixture(0, 0.2, repetitions=4, n=400)
    whole = added(scored, features, *SPACES, n_permutations=0)
    assert scored.noise_ceiling.value == pytest.approx(0.5, abs=0.08)
    bare = replace(scored.noise_ceiling, kind="none", value=float("nan"), per_neuroid=None)
    made = {name: open_space(name, scored).features() for name in SPACES}
    raw = scored.metric.beyond(
        {"layer": features}, ["layer"] * 5, made, scored.recording, bare, ScoringOptions(0, 0, 0)
    )
    assert whole.beyond == pytest.approx(raw.beyond / scored.noise_ceiling.value, rel=0.02)
    assert "over the reliability" in whole.said["beyond"]
    assert ", raw," in raw.said["beyond"]
    assert np.isnan(raw.beyond_ci).all()
    assert np.isnan(raw.beyond_p)


def test_a_code_of_categories_is_nothing_beyond_the_category():
    n_seeds, alone, beyond = 16, [], []
    for seed in range(n_seeds):
        draw, kind = np.random.default_rng([seed, 12]), np.arange(N) % 12
        features, target = (draw.normal(size=(12, k))[kind] for k in (10, 4))
        noisy = target + draw.normal(size=target.shape) * target.std()
        scored = recorded(noisy, category=[f"kind{one}" for one in kind])
        options = ScoringOptions(seed, 0, 39)
        alone.append(
            scored.metric.evaluate({"layer": features}, scored.recording, scored.noise_ceiling, options).p
        )
        beyond.append(added(scored, features, "category", seed=seed, n_bootstraps=0).beyond_p)
    assert max(alone) <= 0.05
    assert (np.array(beyond) <= 0.05).mean() <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / n_seeds)


def test_added_variance_has_the_smallest_p():
    found = added(*mixture(0, 0.2), *SPACES)
    assert found.beyond_p == pytest.approx(1 / 40)
    assert found.said["beyond_smallest_p"] == pytest.approx(1 / 40)


def test_linear_regression_has_no_weighting_and_the_same_question():
    scored, features = mixture(0, 0.2)
    linear = make_benchmark(scored.dataset, metric="linear")
    found = added(linear, features + 1e-6 * np.random.default_rng(0).normal(size=features.shape), *SPACES)
    assert 0.1 < found.beyond < 0.3


def test_position_and_oasm_follow_each_story_and_see_no_stimulus():
    story = [f"story{i // 12}" for i in range(N)]
    scored = recorded(np.random.default_rng(0).normal(size=(N, N_NEUROIDS)), story=story)
    position, oasm = (open_space(name, scored).features()[0] for name in ("position", "oasm"))
    np.testing.assert_allclose(position[:12], position[12:24])
    np.testing.assert_allclose(position[:12, 0], np.linspace(-1, 1, 12))
    np.testing.assert_allclose(position[:, 1], position[:, 0] ** 2)
    assert oasm.shape == (N, 2 * N)
    products = oasm @ oasm.T
    assert products[3, 4] > products[3, 6] > 0
    assert products[11, 12] == 0
    whole = recorded(np.random.default_rng(0).normal(size=(N, N_NEUROIDS)))
    np.testing.assert_allclose(open_space("position", whole).features()[0][:, 0], np.linspace(-1, 1, N))


def test_oasm_takes_what_neighbours_share():
    """Responses that drift: a layer that knows the drift alone adds nothing to the order, in shuffled folds."""
    draw = np.random.default_rng(0)
    drift = np.cumsum(draw.normal(size=(N, 3)), axis=0)
    responses = drift @ draw.normal(size=(3, N_NEUROIDS)) + draw.normal(size=(N, N_NEUROIDS))
    scored = make_benchmark(recorded(responses).dataset, folds="shuffled")
    alone = scored.metric.evaluate(
        {"layer": drift}, scored.recording, scored.noise_ceiling, ScoringOptions(0, 0, 0)
    )
    assert alone.raw**2 > 0.5
    assert added(scored, drift, "oasm", n_permutations=0).beyond < 0.25 * alone.raw**2


def test_columns_are_numbers_or_indicators():
    scored = recorded(
        np.random.default_rng(0).normal(size=(N, 2)),
        kind=["a", "b", "c"] * (N // 3), loud=np.arange(N) * 2.5, gap=[1.0] * (N - 1) + [np.nan], same=[1] * N,
    )  # fmt: skip
    kind, loud = (open_space(name, scored).features()[0] for name in ("kind", "loud"))
    np.testing.assert_array_equal(kind.sum(axis=1), np.ones(N))
    assert kind.shape == (N, 3)
    np.testing.assert_array_equal(loud[:, 0], np.arange(N) * 2.5)
    rate = open_space("word-rate", scored).features()[0]
    np.testing.assert_array_equal(rate[:, 0], 3 + np.arange(N) % 5)
    for name, reason in {
        "stimulus_id": "every stimulus has its own", "gap": "missing values", "same": "the same for every stimulus",
        "lod": "did you mean 'loud'", "pixels": "is a vision model", "untrained:word-length-frequency": "no network",
    }.items():  # fmt: skip
        with pytest.raises(UserError, match=reason):
            open_space(name, scored)


def test_a_space_of_ones_own_is_registered_like_a_metric():
    from brodmann.bench.metrics.registries import nuisance_space

    @nuisance_space("loudness", "how loud it was")
    def loudness(recorded, sampling):
        return np.arange(recorded.n_stimuli)[:, None] % 7.0

    try:
        scored, features = mixture(0, 0.2)
        assert "loudness" in NUISANCE_SPACES
        assert added(scored, features, "loudness", n_permutations=0).beyond > 0.4
    finally:
        NUISANCE_SPACES._things.pop("loudness")


@pytest.fixture(scope="module")
def language():
    """A language benchmark that carries nuisance spaces by default."""
    draw = np.random.default_rng(0)
    responses = np.array([[len(one.split())] for one in sentences(N)]) + draw.normal(size=(N, 3))
    return replace_beyond(recorded(responses), ("word-rate", "position"))


def replace_beyond(scored, spaces):
    return replace(scored, card=replace(scored.card, beyond=spaces))


def test_a_benchmark_carries_spaces_that_can_be_changed_or_left_out(language, tmp_path):
    said = {}
    for asked in (None, ["word-rate"], ["none"], []):
        found = brodmann.score("word-length-frequency", language, run=tmp_path, beyond=asked, **QUICK)
        said[str(asked)] = found.attrs["record"]
        assert found.attrs["cached"] == (asked == [])
    assert said["None"]["beyond_spaces"] == ["word-rate", "position"]
    assert said["['word-rate']"]["beyond_spaces"] == ["word-rate"]
    assert said["[]"]["beyond"] is None
    assert {one["score"] for one in said.values()} == {said["None"]["score"]}
    assert abs(said["None"]["beyond"]) < 0.1 < said["None"]["raw"]


def test_the_score_says_it_in_text_tables_methods_and_submissions(language, tmp_path):
    from brodmann.bench.leaderboard import gathered, parse_submission
    from brodmann.bench.results.record import cells, public

    found = brodmann.score("word-length-frequency", language, run=tmp_path, **QUICK)
    record = found.attrs["record"]
    line = next(one for one in score_text(record, width=200).splitlines() if one.startswith("beyond"))
    assert f"{record['beyond']:.3f}" in line
    assert "added to word-rate, position" in line
    assert f"p {record['beyond_p']:.2g}" in line
    row = cells(public(record))
    assert row["beyond"] == record["beyond"]
    assert (row["beyond_low"], row["beyond_high"]) == tuple(record["beyond_ci"])
    assert row["beyond_spaces"] == "word-rate, position"
    text = " ".join(methods([record]))
    assert "Beyond word-rate and position: variance that the layer adds" in text
    assert "residuals of the nuisance spaces permuted" in text
    submitted, _ = gathered([tmp_path])
    assert parse_submission(json.dumps(submitted).encode()).scores[0].beyond == record["beyond"]
    assert submitted["scores"][0]["beyond_spaces"] == ["word-rate", "position"]


def test_another_list_another_model_or_another_seed_is_another_key(language):
    model = brodmann.load_model("word-length-frequency")

    def key(*names):
        spaces = [open_space(name, language) for name in names]
        return score_key(language, model, ["features"], ScoringOptions(beyond=names), spaces).digest

    random = "random-transformer"
    names = [(), ("position",), ("word-rate",), ("position", "word-rate"), (random,)]
    names += [(f"untrained:{random}",), (f"untrained:{random}@1",), (f"static:{random}",)]
    keys = [key(*one) for one in names]
    assert len(set(keys)) == len(names)
    assert keys == [key(*one) for one in names]


@pytest.mark.parametrize("metric", ["rsa", "cka", "decoding"])
def test_a_metric_without_variance_to_divide_refuses(metric):
    scored = brodmann.load_benchmark(f"simulated-cortex.IT-{metric}")
    with pytest.raises(UserError, match=f"the metric {metric} has no variance to divide"):
        names_of_spaces(scored, ["pixels"])
    assert names_of_spaces(scored, None) == []
    with pytest.raises(UserError, match="a recording by itself"):
        names_of_spaces(scored, ["pixels"], recording_alone=True)


def test_benchmarks_of_language_by_ridge_carry_them():
    cards = {card.identifier: card for card in brodmann.list_benchmarks()}
    for name in (
        "tuckute2024.netw-ridge",
        "frank2015.N400-ridge",
        "simulated-cortex-language.language-ridge",
    ):
        assert cards[name].beyond == ("word-length-frequency", "position")
    assert cards["simulated-cortex.IT-ridge"].beyond == ()


def test_a_declaration_names_spaces_in_a_list():
    from brodmann.bench.benchmark import _card

    name = "simulated-cortex.IT-ridge"
    assert _card(name, {"beyond": ["category"]}).beyond == ("category",)
    assert "beyond" not in _card(name, {"beyond": ["category"]}).options
    with pytest.raises(UserError, match="beyond must be a list of names"):
        _card(name, {"beyond": "category"})


def test_a_text_column_with_missing_values_is_refused():
    draw = np.random.default_rng(1)
    for nothing in (np.nan, None):
        made = recorded(draw.normal(size=(N, N_NEUROIDS)), kind=[nothing, *(["a", "b", "c"] * N)[: N - 1]])
        with pytest.raises(UserError, match="the column 'kind' has missing values"):
            open_space("kind", made)
