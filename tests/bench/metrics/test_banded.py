"""Banded ridge as a metric: a layer and nuisance spaces fitted together, known shares of variance."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import brodmann
from brodmann import UserError
from brodmann.analysis.encoding.on_card import ridge as on_card
from brodmann.bench import ScoringOptions, make_benchmark
from brodmann.bench.metrics.registries import METRICS
from brodmann.brain_data import Dataset

NONE = ScoringOptions(n_bootstraps=0, n_permutations=0)
N_NEUROIDS = 6


def unit(weights):
    return weights / np.linalg.norm(weights, axis=0)


def problem(seed=0, n=120, shares=(0.3, 0.3), correlation=0.0, smooth=0.0, groups=0, repetitions=0):
    """A nuisance space of 3 and a layer of 40 features, of whose first 3 the signal is made."""
    draw = np.random.default_rng([seed, 5])

    def draws(width):
        made = draw.normal(size=(n, width))
        for row in range(1, n):
            made[row] = smooth * made[row - 1] + np.sqrt(1 - smooth**2) * made[row]
        return made

    nuisance, own = draws(3), draws(3)
    own = correlation * nuisance + np.sqrt(1 - correlation**2) * own
    weights = [unit(draw.normal(size=(3, N_NEUROIDS))) for _ in range(2)]
    y = np.sqrt(1 - sum(shares)) * draws(N_NEUROIDS)
    for x, on, share in zip((nuisance, own), weights, shares, strict=True):
        y += np.sqrt(share) * x @ on
    layer = np.hstack([own, 0.3 * draws(37)])
    if repetitions:
        y = y[:, None] + draw.normal(size=(n, repetitions, N_NEUROIDS))
    columns = {} if not groups else {"story": [f"story{i * groups // n}" for i in range(n)]}
    table = pd.DataFrame(
        {"stimulus_id": [f"s{i:03d}" for i in range(n)], "sentence": [f"word {i}" for i in range(n)]}
        | columns
    )
    data = Dataset.from_arrays("made", y, table, blocks="story" if groups else "none")
    return make_benchmark(data, metric="banded"), nuisance, layer


def result(bench, nuisance, layer, options=NONE, n_draws=15, **how):
    metric = METRICS["banded"].make(bench.recording, {"n_draws": n_draws} | how)
    spaces = {} if nuisance is None else {"nuisance": [nuisance]}
    return metric.beside(spaces).evaluate({"layer4": layer}, bench.recording, bench.noise_ceiling, options)


@pytest.mark.parametrize(
    "how",
    [
        {"shares": (0.3, 0.3)},
        {"shares": (0.0, 0.5)},
        {"shares": (0.5, 0.0)},
        {"correlation": 0.7},
        {"smooth": 0.8, "groups": 6},
    ],
    ids=["both", "the layer alone", "nuisance alone", "correlated", "few groups of neighbours"],
)
def test_product_scores_sum_to_the_explained_variance_and_unique_ones_are_those_that_were_made(how):
    bench, nuisance, layer = problem(n=240, **how)
    found = result(bench, nuisance, layer)
    products, unique = found.arrays["product_scores"], found.arrays["unique_scores"]
    assert found.arrays["space_names"].tolist() == ["nuisance", "layer"]
    assert products.shape == unique.shape == (2, N_NEUROIDS)
    r2 = products.sum(axis=0)
    assert (r2 <= found.per_unit**2 + 1e-5).all()  # 1 - SSE / SST is at most the square of r
    if "smooth" in how:
        return
    shares, overlap = how.get("shares", (0.3, 0.3)), 1 - how.get("correlation", 0.0) ** 2
    np.testing.assert_allclose(np.median(unique, axis=1), np.array(shares) * overlap, atol=0.1)


def test_product_scores_are_those_of_the_parts_by_hand():
    from brodmann.bench.metrics.banded_joint import Joint
    from brodmann.bench.metrics.headline import Headline

    bench, nuisance, layer = problem()
    metric = METRICS["banded"].make(bench.recording, {"n_draws": 8}).beside({"nuisance": [nuisance]})
    recorded, tests = bench.recording, metric.sampling.tests
    headline = Headline.of(recorded, bench.noise_ceiling, tests, recorded.weights)
    joint = Joint(metric, {"a": layer}, ["a"] * len(tests), recorded.mean, recorded.mean, headline, NONE)
    over, under, errors = np.zeros((2, N_NEUROIDS)), 0.0, 0.0
    for test, fit in zip(tests, joint.joint, strict=True):
        y = recorded.mean[test] - recorded.mean[test].mean(axis=0)
        parts = fit.parts - fit.parts.mean(axis=1, keepdims=True)
        p = parts.sum(axis=0)
        over += (parts * (2 * y - p)).sum(axis=1)
        under += (y**2).sum(axis=0)
        errors += ((y - p) ** 2).sum(axis=0)
    np.testing.assert_allclose(joint.products, over / under, atol=1e-5)
    np.testing.assert_allclose(joint.products.sum(axis=0), joint.r2, atol=1e-6)
    np.testing.assert_allclose(joint.r2, 1 - errors / under, atol=1e-6)


def test_without_nuisance_it_is_ridge():
    bench, _, layer = problem(shares=(0.0, 0.6))
    found = result(bench, None, layer)
    ridge = METRICS["ridge"].make(bench.recording, {})
    expected = ridge.evaluate({"layer4": layer}, bench.recording, bench.noise_ceiling, NONE)
    # ridge centres within inner folds, too, so that some of its penalties are others
    np.testing.assert_allclose(found.per_unit, expected.per_unit, atol=0.05)
    assert found.raw == pytest.approx(expected.raw, abs=0.01)
    assert np.isnan(found.added.beyond)
    np.testing.assert_allclose(found.arrays["unique_scores"], found.arrays["product_scores"], atol=1e-5)


def test_a_penalty_for_each_beats_one_for_both():
    """Three features that matter beside many that do not."""
    gains = []
    for seed in range(4):
        bench, nuisance, _ = problem(seed, n=90, shares=(0.5, 0.0))
        noise = np.random.default_rng(seed).normal(size=(90, 300))
        gains.append(
            result(bench, nuisance, noise).raw - result(bench, None, np.hstack([nuisance, noise])).raw
        )
    assert np.mean(gains) > 0.1


def test_beyond_has_an_interval_that_holds_the_truth_and_a_small_p():
    options = ScoringOptions(n_bootstraps=1, n_permutations=19)
    bench, nuisance, layer = problem(n=150, shares=(0.3, 0.4))
    found = result(bench, nuisance, layer, options, n_draws=6)
    assert found.added.beyond == pytest.approx(np.median(found.arrays["unique_scores"][1]), abs=1e-6)
    assert found.added.beyond_ci[0] < 0.4 < found.added.beyond_ci[1] + 0.1
    assert found.added.beyond_p == found.p == pytest.approx(1 / 20)
    assert found.ci[0] < found.value < found.ci[1]
    assert found.added.beyond_spaces == ["nuisance"]
    assert "weightings (at most 12 random ones) and penalties chosen anew" in found.methods["p"]


def test_p_of_a_layer_that_adds_nothing_is_not_small():
    options = ScoringOptions(n_bootstraps=0, n_permutations=19)
    p = []
    for seed in range(8):
        bench, nuisance, layer = problem(seed, n=60, shares=(0.5, 0.0))
        p.append(result(bench, nuisance, layer[:, :8], replace(options, seed=seed), n_draws=3).added.beyond_p)
    assert sum(one <= 0.05 for one in p) <= 2
    assert 0.2 < np.mean(p) < 0.8


def test_the_score_is_over_the_ceiling():
    bench, nuisance, layer = problem(repetitions=4)
    found = result(bench, nuisance, layer)
    ridge = METRICS["ridge"].make(bench.recording, {})
    expected = ridge.evaluate({"layer4": layer}, bench.recording, bench.noise_ceiling, NONE)
    assert found.value / found.raw == pytest.approx(expected.value / expected.raw)
    assert found.value > 1.1 * found.raw


def test_a_record_says_by_which_products_a_card_chose_layers(monkeypatch):
    bench, nuisance, layer = problem(n=60)
    monkeypatch.setattr(on_card, "serves", lambda device: True)
    assert result(bench, nuisance, layer, n_draws=2).methods["products"] == "float32"


def test_delays_are_bands_of_their_own():
    """The signal is in one delay of two: its band alone is used."""
    bench, _, _ = problem(shares=(0.0, 0.0))
    draw = np.random.default_rng(3)
    now, later = draw.normal(size=(2, 120, 5))
    recorded = bench.recording
    vars(recorded)["mean"] = later @ draw.normal(size=(5, N_NEUROIDS)) + draw.normal(size=(120, N_NEUROIDS))
    found = replace(METRICS["banded"].make(recorded, {"n_draws": 20}), n_delays=2)
    noise = draw.normal(size=(120, 4))
    scored = found.beside({"noise": [noise]}).evaluate(
        {"layer4": np.hstack([now, later])}, recorded, bench.noise_ceiling, NONE
    )
    assert scored.methods["bands"] == "each of 2 delays of every space"
    assert scored.arrays["product_scores"].shape == (2, N_NEUROIDS)
    assert np.median(scored.arrays["product_scores"][1]) > 0.6
    with pytest.raises(UserError, match="'noise' has 3 columns, not the same number at each of 2 delays"):
        found.beside({"noise": [noise[:, :3]]}).evaluate(
            {"layer4": np.hstack([now, later])}, recorded, bench.noise_ceiling, NONE
        )


def test_mistakes_are_one_line():
    recorded = problem()[0].recording
    for options, message in (
        ({"n_draws": "many"}, "n_draws must be a whole number, not 'many'"),
        ({"bands": "voxels"}, "bands must be 'spaces' or 'delays', not 'voxels'"),
        ({"bands": "delays"}, "needs a recording in time"),
    ):
        with pytest.raises(UserError, match=message):
            METRICS["banded"].make(recorded, options)


def test_a_score_holds_what_each_space_explains(tmp_path):
    bench, _, _ = problem(n=60)
    metric = METRICS["banded"].make(bench.recording, {"n_draws": 3})
    found = brodmann.score(
        "word-length-frequency", replace(bench, metric=metric), run=tmp_path, beyond=["position"],
        n_bootstraps=1, n_permutations=5,
    )  # fmt: skip
    record = found.attrs["record"]
    assert [one.split()[0] for one in record["methods"]["product_scores"]] == ["position", "layer"]
    assert record["beyond_spaces"] == ["position"]
    assert record["beyond"] is not None
