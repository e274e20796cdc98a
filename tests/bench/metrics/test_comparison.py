"""What a layer adds to nuisance spaces by linear regression, against least squares in loops."""

import numpy as np
import pandas as pd
import pytest

from brodmann.bench.metrics import beyond as module
from brodmann.bench.metrics.base import Ceiling, ScoringOptions
from brodmann.bench.metrics.recording import Recording
from brodmann.bench.metrics.registries import METRICS

N, N_NEUROIDS = 60, 5
NO_DRAWS = ScoringOptions(n_bootstraps=0, n_permutations=0)
NONE = Ceiling("none", float("nan"))


def world(own=1.0, noise=1.0, repetitions=1, seed=0, n_neuroids=N_NEUROIDS):
    rng = np.random.default_rng(seed)
    known, layer, other = rng.normal(size=(N, 3)), rng.normal(size=(N, 4)), rng.normal(size=(N, 2))
    layer[:, 0] += known[:, 0]
    y = known @ rng.normal(size=(3, n_neuroids)) + own * layer @ rng.normal(size=(4, n_neuroids))
    cube = y[:, None] + noise * rng.normal(size=(N, repetitions, n_neuroids))
    table = pd.DataFrame({"neuroid_id": np.arange(n_neuroids)})
    one = Recording(
        "made.IT", np.arange(N).astype(object), cube, None, table, {}, position=np.arange(N), blocks="none"
    )
    return known, layer, other, one, METRICS["linear"].make(one, {})


def weights_of(x, y):
    return np.linalg.lstsq(x - x.mean(axis=0), y - y.mean(axis=0), rcond=None)[0]


def of_folds(metric, xs, y):
    """Predictions of every fold's test rows, whose features are one array a fold."""
    found = []
    for fold, x in zip(metric.sampling.folds, xs, strict=True):
        s = fold.split
        found.append(
            y[s.train].mean(axis=0)
            + (x[s.test] - x[s.train].mean(axis=0)) @ weights_of(x[s.train], y[s.train])
        )
    return found


def r2(metric, predictions, y):
    """1 - SSE / SST, both centred within folds."""
    errors = sizes = 0
    for fold, p in zip(metric.sampling.folds, predictions, strict=True):
        truth = y[fold.split.test] - y[fold.split.test].mean(axis=0)
        errors = errors + ((truth - (p - p.mean(axis=0))) ** 2).sum(axis=0)
        sizes = sizes + (truth**2).sum(axis=0)
    return 1 - errors / sizes


def added(metric, known, layers, y):
    alone = r2(metric, of_folds(metric, [known] * len(layers), y), y)
    return r2(metric, of_folds(metric, [np.hstack([known, layer]) for layer in layers], y), y) - alone


def test_what_is_added_is_the_difference_of_two_regressions():
    known, layer, _, one, metric = world()
    found = metric.beyond({"a": layer}, ["a"] * 5, {"known": [known]}, one, NONE, NO_DRAWS)
    unique = added(metric, known, [layer] * 5, one.mean)
    assert found.beyond == pytest.approx(np.median(unique), abs=1e-6)
    assert np.isnan([found.beyond_p, *found.beyond_ci]).all()
    assert list(found.beyond_spaces) == ["known"]
    assert (
        found.said["beyond"] == "variance that the layer adds on held-out stimuli, raw, median over neuroids"
    )
    alone = np.median(r2(metric, of_folds(metric, [known] * 5, one.mean), one.mean))
    both = np.median(r2(metric, of_folds(metric, [np.hstack([known, layer])] * 5, one.mean), one.mean))
    assert found.said["beyond_r2"] == [f"nuisance {round(alone, 4)}", f"with the layer {round(both, 4)}"]
    assert set(found.said) == {"beyond", "beyond_r2"}


def test_it_is_over_the_reliability_where_there_is_a_ceiling():
    known, layer, _, one, metric = world(repetitions=4)
    ceiling = metric.ceiling(one)
    assert ceiling.kind == "reliability"
    found = metric.beyond({"a": layer}, ["a"] * 5, {"known": [known]}, one, ceiling, NO_DRAWS)
    raw = np.median(added(metric, known, [layer] * 5, one.mean))
    assert found.beyond == pytest.approx(raw / np.median(ceiling.per_neuroid), abs=1e-6)
    assert ", over the reliability, " in found.said["beyond"]
    published = metric.beyond({"a": layer}, ["a"] * 5, {"k": [known]}, one, Ceiling("r_max", 0.5), NO_DRAWS)
    assert published.beyond == pytest.approx(raw / 0.25, abs=1e-6)


def test_every_fold_has_the_layer_that_it_chose_beside_all_nuisance_spaces():
    known, layer, other, one, metric = world()
    nuisance = {"first": [known[:, :1]], "second": [known[:, 1:2], known[:, 2:]]}
    chosen = ["a", "b", "a", "b", "b"]
    layers = {"a": layer, "b": other, "unused": np.full((N, 2), np.nan)}
    found = metric.beyond(layers, chosen, nuisance, one, NONE, NO_DRAWS)
    unique = added(metric, known, [layers[name] for name in chosen], one.mean)
    assert found.beyond == pytest.approx(np.median(unique), abs=1e-6)
    assert list(found.beyond_spaces) == ["first", "second"]


@pytest.mark.parametrize("seed", range(3))
def test_p_permutes_what_nuisance_leaves_unexplained(seed):
    """Freedman & Lane: the fit of all stimuli by the nuisance, its residuals in another order, both fitted anew."""
    known, layer, _, one, metric = world(own=0.15, noise=3.0, seed=seed)
    options = ScoringOptions(n_bootstraps=0, n_permutations=19, seed=2)
    found = metric.beyond({"a": layer}, ["a"] * 5, {"known": [known]}, one, NONE, options)
    y = one.mean
    fitted = y.mean(axis=0) + (known - known.mean(axis=0)) @ weights_of(known, y)
    orders, what, smallest = metric.sampling.orders(19, 5)
    null = [np.median(added(metric, known, [layer] * 5, fitted + (y - fitted)[order])) for order in orders]
    observed = np.median(added(metric, known, [layer] * 5, y))
    assert found.beyond_p == pytest.approx((1 + np.sum(np.array(null) >= observed)) / 20)
    assert found.said["beyond_p"] == (
        f"residuals of the nuisance spaces permuted ({what}), 19 times, both fitted anew"
    )
    assert found.said["beyond_smallest_p"] == smallest == pytest.approx(0.05)


def test_a_layer_that_adds_has_the_smallest_p_also_over_some_neuroids(monkeypatch):
    known, layer, _, one, metric = world(noise=0.3, n_neuroids=9)
    options = ScoringOptions(n_bootstraps=0, n_permutations=39)
    monkeypatch.setattr(module, "_PERMUTED_ENTRIES", 6 * N * 39)
    found = metric.beyond({"a": layer}, ["a"] * 5, {"known": [known]}, one, NONE, options)
    assert found.beyond_p == pytest.approx(0.025)
    assert found.said["beyond_p"].endswith("39 times, both fitted anew, over 6 of 9 neuroids")


def test_products_of_the_bands_add_up_to_what_both_explain():
    """Of one neuroid: sum p_k (2 y - p) / sum y^2, each part by its own columns of the regression."""
    known, layer, _, one, metric = world(n_neuroids=1)
    options = ScoringOptions(n_bootstraps=1, n_permutations=0)
    found = metric.beyond({"a": layer}, ["a"] * 5, {"known": [known]}, one, NONE, options)
    y, x = one.mean, np.hstack([known, layer])
    tops, below = np.zeros(2), 0.0
    for fold in metric.sampling.folds:
        s = fold.split
        weights = weights_of(x[s.train], y[s.train])
        inner = x[s.test] - x[s.test].mean(axis=0)
        truth, parts = (
            y[s.test] - y[s.test].mean(axis=0),
            [inner[:, :3] @ weights[:3], inner[:, 3:] @ weights[3:]],
        )
        tops += [(part * (2 * truth - sum(parts))).sum() for part in parts]
        below += (truth**2).sum()
    expected = tops / below
    words = [one.rsplit(" ", 1) for one in found.said["beyond_product_scores"]]
    assert [word for word, _ in words] == ["nuisance", "layer"]
    np.testing.assert_allclose([float(number) for _, number in words], expected, atol=6e-5)
    assert found.beyond_ci[0] < found.beyond < found.beyond_ci[1]


def test_the_interval_holds_the_number_and_follows_the_level():
    widths = []
    for noise, level in ((2.0, 0.95), (2.0, 0.5)):
        known, layer, _, one, metric = world(noise=noise)
        options = ScoringOptions(n_bootstraps=1, n_permutations=0, level=level)
        found = metric.beyond({"a": layer}, ["a"] * 5, {"known": [known]}, one, NONE, options)
        low, high = found.beyond_ci
        assert low < found.beyond < high
        widths.append(high - low)
    assert widths[1] < 0.5 * widths[0]
    again = metric.beyond({"a": layer}, ["a"] * 5, {"known": [known]}, one, NONE, options)
    assert again.beyond_ci == found.beyond_ci
